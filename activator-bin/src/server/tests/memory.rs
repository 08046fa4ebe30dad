//! Memory held by idle connections.

use std::io::{Read, Write};
use std::time::Duration;

use super::scene::{REQUEST, Scene, ask, backend, connect, read_answer};
use crate::server::idle::LOOK_INTERVAL;

const COUNT: usize = 100;

/// Longer than an idle connection takes to rest.
const A_LOOK: Duration = LOOK_INTERVAL.saturating_add(Duration::from_secs(1));

#[track_caller]
fn check(what: &str, bytes: i64, at_most: usize) {
    let each = bytes / COUNT as i64;
    assert!(each > 0, "{what} holds nothing, {each} bytes");
    assert!(each <= at_most as i64, "{what} holds {each} bytes");
}

#[test]
fn an_idle_client_holds_little_and_less_when_it_rests() {
    let scene = Scene::warm(backend(1));
    let (new, clients) = scene.during(|address| connect(COUNT, address));
    check("a new connection", new.bytes_current, 4 * 1_024);

    let (used, mut clients) = scene.during(|_| {
        let mut clients = clients;
        clients.iter_mut().for_each(ask);
        clients
    });
    let idle = new.bytes_current + used.bytes_current;
    check("one that was used", idle, 28 * 1_024);

    let rested = scene.pass(2, A_LOOK);
    let at_rest = idle + rested.bytes_current;
    check("one at rest", at_rest, 4 * 1_024);

    let (used_again, clients) = scene.during(|_| {
        clients.iter_mut().for_each(ask);
        clients
    });
    let in_use = at_rest + used_again.bytes_current;
    check("one that was used again", in_use, 28 * 1_024);

    let (gone, ()) = scene.during(|_| drop(clients));
    let left = in_use + gone.bytes_current;
    // Tokio frees sockets in batches, and its tables do not shrink.
    let few = COUNT as i64 * 200;
    assert!(left < few, "clients that have gone left {left} bytes");
}

#[test]
fn an_idle_connection_to_a_backend_holds_little() {
    let scene = Scene::warm(backend(COUNT));
    let (held, ()) = scene.during(|address| {
        let mut clients = connect(COUNT, address);
        for client in &mut clients {
            client.write_all(REQUEST).unwrap();
        }
        clients.iter_mut().for_each(read_answer);
    });
    check("a connection", held.bytes_current, 2 * 1_024);
}

/// The next head arrives in two pieces; then there is a drain.
#[test]
fn a_connection_continues_after_a_rest() {
    let scene = Scene::warm(backend(1));
    let (_, client) = scene.during(|address| {
        let mut client = connect(1, address).remove(0);
        ask(&mut client);
        client
    });
    let freed = scene.pass(2, A_LOOK);
    assert!(freed.bytes_current < -16 * 1_024, "{freed:?}");

    let (begin, end) = REQUEST.split_at(3);
    let (_, client) = scene.during(|_| {
        (&client).write_all(begin).unwrap();
        client
    });
    scene.pass(2, A_LOOK);
    let (_, client) = scene.during(|_| {
        let mut client = client;
        client.write_all(end).unwrap();
        read_answer(&mut client);
        client
    });

    scene.pass(2, A_LOOK);
    scene.drain.begin(A_LOOK);
    let (_, rest) = scene.during(move |_| {
        let mut rest = Vec::new();
        (&client).read_to_end(&mut rest).map(|_| rest)
    });
    assert_eq!(rest.unwrap(), b"");
}
