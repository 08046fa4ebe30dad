//! How h2 takes the filtered frames.

use std::future::poll_fn;

use ::h2::{Reason, server};
use bytes::Bytes;
use http::{Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::super::{Flood, Frames};
use super::frame;

/// A client's preface and settings.
const BEGINNING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// `POST http://ns/`, all from the static table except the authority.
const POST: &[u8] = b"\x83\x86\x84\x01\x02ns";

fn server() -> (DuplexStream, Frames<DuplexStream>, Flood) {
    let (client, server) = duplex(1024 * 1024);
    let (frames, flood) = Frames::of_server(server, 10_000);
    (client, frames, flood)
}

/// The types of the frames that arrive, with the last four bytes of each, until no more are ready.
async fn read(client: &mut DuplexStream) -> Vec<(u8, [u8; 4])> {
    let mut all = Vec::new();
    let mut buffer = [0; 4_096];
    while let Ok(read) = poll_once(client.read(&mut buffer)).await {
        if read == 0 {
            break;
        }
        all.extend_from_slice(&buffer[..read]);
    }
    let mut frames = Vec::new();
    let mut rest = &all[..];
    while let Some((head, behind)) = rest.split_first_chunk::<9>() {
        let (payload, behind) = behind.split_at(super::Head::parse(head).length);
        frames.push((head[3], *[&[0; 4], payload].concat().last_chunk().unwrap()));
        rest = behind;
    }
    frames
}

/// Fails unless the future is ready at once.
async fn poll_once<T, E>(future: impl Future<Output = Result<T, E>>) -> Result<T, ()> {
    tokio::select! {
        biased;
        result = future => result.map_err(drop),
        () = std::future::ready(()) => Err(()),
    }
}

#[tokio::test]
async fn a_connection_survives_any_number_of_empty_frames() {
    let (mut client, frames, flood) = server();
    let mut flow = [BEGINNING, &frame(1, 4, 1, POST)].concat();
    for _ in 0..200 {
        flow.extend(frame(0, 0, 1, &[b'x'; 256]));
        flow.extend(frame(0, 0, 1, b""));
    }
    flow.extend(frame(0, 1, 1, b""));
    client.write_all(&flow).await.unwrap();
    let mut connection = server::handshake(frames).await.unwrap();
    let (request, _respond) = connection.accept().await.unwrap().unwrap();
    let serving = async { connection.accept().await.map(|next| next.map(drop)) };
    let body = async {
        let mut body = request.into_body();
        let mut length = 0;
        while let Some(data) = body.data().await {
            length += data.unwrap().len();
        }
        length
    };
    tokio::select! {
        end = serving => panic!("the connection has ended: {end:?}"),
        length = body => assert_eq!(length, 200 * 256),
    }
    assert!(!flood.has_come());
}

#[tokio::test]
async fn a_connection_survives_late_frames_on_a_reset_stream() {
    let (mut client, frames, _) = server();
    client
        .write_all(&[BEGINNING, &frame(1, 4, 1, POST)].concat())
        .await
        .unwrap();
    let mut connection = server::handshake::<_>(frames).await.unwrap();
    let (_request, mut respond) = connection.accept().await.unwrap().unwrap();
    respond.send_reset(Reason::CANCEL);
    poll_fn(|cx| {
        assert!(connection.poll_accept(cx).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    // More than h2 tolerates.
    for _ in 0..1_000 {
        client.write_all(&frame(0, 0, 1, b"x")).await.unwrap();
    }
    client.write_all(&frame(1, 5, 3, POST)).await.unwrap();
    let (_, mut respond) = connection.accept().await.unwrap().unwrap();
    let response = Response::builder().status(StatusCode::OK).body(()).unwrap();
    respond.send_response(response, true).unwrap();
}

#[tokio::test]
async fn errors_after_dropped_frames_are_still_errors() {
    // After the end of the stream; on a stream that has not begun; within a header block.
    for fault in [
        [frame(0, 1, 1, b""), frame(0, 0, 1, b"")],
        [frame(0, 0, 1, b""), frame(0, 0, 3, b"")],
        [frame(1, 0, 1, b""), frame(0, 0, 1, b"")],
    ] {
        let (mut client, frames, _) = server();
        let begun = [BEGINNING, &frame(1, 4, 1, POST), &frame(0, 0, 1, b"")].concat();
        client.write_all(&begun).await.unwrap();
        client.write_all(&fault.concat()).await.unwrap();
        let mut connection = server::handshake::<_>(frames).await.unwrap();
        let mut accepted = Vec::new();
        let driven = poll_once(async {
            while let Some(next) = connection.accept().await {
                accepted.push(next?);
            }
            Ok::<(), ::h2::Error>(())
        });
        let _ = driven.await;
        let seen = read(&mut client).await;
        // GOAWAY, PROTOCOL_ERROR.
        assert!(seen.contains(&(7, [0, 0, 0, 1])), "{seen:?}");
    }
}

#[tokio::test]
async fn a_flood_is_reported_and_no_longer_read() {
    // All frames that cost work, including those that h2 answers.
    let floods: [&[u8]; 7] = [
        &frame(0, 0, 1, b""),
        &frame(2, 0, 5, &[0, 0, 0, 0, 16]),
        &frame(3, 0, 1, &[0, 0, 0, 8]),
        &frame(4, 0, 0, b""),
        &frame(6, 0, 0, b"12345678"),
        &frame(8, 0, 0, &[0, 0, 0, 1]),
        &frame(0x42, 0, 0, b"12345678"),
    ];
    for flood_of in floods {
        let (mut client, frames, flood) = server();
        let mut connection = std::pin::pin!(async move {
            let mut connection = server::Builder::new()
                .max_local_error_reset_streams(None)
                .handshake::<_, Bytes>(frames)
                .await?;
            let mut accepted = Vec::new();
            while let Some(next) = connection.accept().await {
                accepted.push(next?);
            }
            Ok::<(), ::h2::Error>(())
        });
        client
            .write_all(&[BEGINNING, &frame(1, 4, 1, POST)].concat())
            .await
            .unwrap();
        let mut sent = 0;
        while !flood.has_come() {
            assert!(sent < 30_000, "{flood_of:?}");
            sent += 100;
            client.write_all(&flood_of.repeat(100)).await.unwrap();
            let _ = poll_once(&mut connection).await;
        }
        assert!(sent > 5_000, "{flood_of:?}");
        // The rest is not read.
        client.write_all(&flood_of.repeat(100)).await.unwrap();
        assert!(poll_once(&mut connection).await.is_err());
    }
}
