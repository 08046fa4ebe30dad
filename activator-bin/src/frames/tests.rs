use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::head::{END_HEADERS, END_STREAM, Head, PADDED};
use super::*;

mod h2;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

/// A reader that returns parts of these lengths, cyclically.
struct Parts<'a> {
    bytes: &'a [u8],
    lengths: std::iter::Cycle<std::slice::Iter<'a, usize>>,
}

impl AsyncRead for Parts<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let length = *self.lengths.next().unwrap();
        let length = length.min(self.bytes.len()).min(buf.remaining());
        let (part, rest) = self.bytes.split_at(length);
        buf.put_slice(part);
        self.bytes = rest;
        Poll::Ready(Ok(()))
    }
}

/// What is read from `bytes` into buffers of these sizes.
fn read(bytes: &[u8], lengths: &[usize], buffers: &[usize]) -> Vec<u8> {
    let parts = Parts {
        bytes,
        lengths: lengths.iter().cycle(),
    };
    let (mut frames, _) = Frames::of_client(parts);
    let mut all = Vec::new();
    let mut buffer = [0; 64];
    for &size in buffers.iter().cycle() {
        let mut buf = ReadBuf::new(&mut buffer[..size]);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let polled = Pin::new(&mut frames).poll_read(&mut cx, &mut buf);
        assert!(matches!(polled, Poll::Ready(Ok(()))), "{polled:?}");
        if buf.filled().is_empty() {
            break;
        }
        all.extend(buf.filled());
    }
    all
}

/// What should be read from `frames`, by applying the rules one by one.
fn expected(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut open = BTreeSet::new();
    let mut in_headers = false;
    let mut all = Vec::new();
    for bytes in frames {
        let head = Head::parse(bytes.first_chunk().unwrap());
        let is_pointless = bytes[..5] == [0, 0, 0, 0, bytes[4] & !(END_STREAM | PADDED)];
        if is_pointless && !in_headers && open.contains(&head.stream) {
            continue;
        }
        match bytes[3] {
            0 | 1 if head.has(END_STREAM) => _ = open.remove(&head.stream),
            1 => _ = open.insert(head.stream),
            3 => _ = open.remove(&head.stream),
            _ => {}
        }
        if matches!(bytes[3], 1 | 5 | 9) {
            in_headers = !head.has(END_HEADERS);
        }
        all.extend(bytes);
    }
    all
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let flags = prop_oneof![
        3 => Just(0),
        3 => Just(END_HEADERS),
        1 => Just(END_STREAM),
        1 => Just(END_HEADERS | END_STREAM),
        1 => Just(PADDED),
        1 => any::<u8>(),
    ];
    let kind = prop_oneof![4 => Just(0), 3 => Just(1), 1 => 0..12_u8];
    let payload = prop_oneof![1 => Just(vec![]), 1 => vec(any::<u8>(), 0..40)];
    (kind, flags, 0..4_u32, payload)
        .prop_map(|(kind, flags, stream, payload)| frame(kind, flags, stream, &payload))
}

proptest! {
    #[test]
    fn only_pointless_frames_are_dropped_however_the_bytes_are_split(
        frames in vec(any_frame(), 0..30),
        missing in 0..12_usize,
        lengths in vec(1..40_usize, 1..10),
        buffers in vec(1..64_usize, 1..10),
    ) {
        let mut bytes = frames.concat();
        let mut expected = expected(&frames);
        // The input may end within the last frame.
        if let Some(last) = frames.last() && expected.ends_with(last) {
            let missing = missing.min(last.len());
            bytes.truncate(bytes.len() - missing);
            expected.truncate(expected.len() - missing);
        }
        prop_assert_eq!(read(&bytes, &lengths, &buffers), expected);
    }

    #[test]
    fn sent_frames_are_recognized_however_the_bytes_are_split(
        preface in 0..30_usize,
        frames in vec(any_frame(), 0..30),
        lengths in vec(1..40_usize, 1..10),
    ) {
        let bytes = [vec![0; preface], frames.concat()].concat();
        let mut sent = Sent::new(preface);
        let mut seen = Vec::new();
        let mut rest = &bytes[..];
        for length in lengths.into_iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (part, behind) = rest.split_at(length.min(rest.len()));
            sent.take(part, |frame| seen.push((frame.head, frame.code)));
            rest = behind;
        }
        let code = |frame: &Vec<u8>| match frame[..4] {
            [0, 0, 4, 3] => frame.last_chunk().map(|code| u32::from_be_bytes(*code)),
            _ => None,
        };
        let head = |frame: &Vec<u8>| Head::parse(frame.first_chunk().unwrap());
        let frames: Vec<_> = frames.iter().map(|frame| (head(frame), code(frame))).collect();
        prop_assert_eq!(seen, frames);
    }
}

/// Everything passes, even if the last frame is an empty DATA frame.
#[track_caller]
fn check_passes(frames: &[Vec<u8>]) {
    let bytes = frames.concat();
    assert_eq!(read(&bytes, &[64], &[64]), bytes);
}

#[test]
fn illegal_empty_data_frames_pass() {
    let empty = |stream| frame(0, 0, stream, b"");
    let begin = |flags| frame(1, flags, 1, b"");
    check_passes(&[empty(0)]);
    check_passes(&[empty(1)]);
    check_passes(&[begin(END_HEADERS | END_STREAM), empty(1)]);
    check_passes(&[begin(END_HEADERS), frame(0, END_STREAM, 1, b"x"), empty(1)]);
    check_passes(&[begin(END_HEADERS), frame(3, 0, 1, &[0; 4]), empty(1)]);
    // Within a header block, of the same stream or another.
    check_passes(&[begin(0), empty(1)]);
    check_passes(&[begin(END_HEADERS), frame(1, 0, 3, b""), empty(1)]);
    check_passes(&[begin(END_HEADERS), frame(5, 0, 1, &[0; 4]), empty(1)]);
}

#[test]
fn filtering_does_not_allocate() {
    let data = frame(0, 0, 1, &[b'x'; 100]);
    let mut bytes = [frame(1, END_HEADERS, 1, b""), data.repeat(10)].concat();
    let mut filter = Filter::new(0);
    let mut streams = Streams::default();
    // Allocates room for the first stream.
    filter.take(&mut bytes, &mut streams, |_| ());
    let cost = allocation_counter::measure(|| {
        let mut bytes = [0; 1_090];
        bytes.copy_from_slice(&data.repeat(10));
        filter.take(&mut bytes, &mut streams, |_| ());
    });
    // The copy.
    assert_eq!(cost.count_total, 1);
}

#[test]
fn data_on_a_stream_that_we_reset_ends_it() {
    let mut filter = Filter::new(0);
    let mut streams = Streams::default();
    let mut take = |streams: &mut Streams, bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        let (kept, _) = filter.take(&mut bytes, streams, |_| ());
        bytes.truncate(kept);
        bytes
    };
    let begin = frame(1, END_HEADERS, 1, b"");
    assert_eq!(take(&mut streams, &begin), begin);
    let data = frame(0, PADDED, 1, b"\x01xy");
    assert_eq!(take(&mut streams, &data), data);
    Sent::new(0).take(&frame(3, 0, 1, &[0, 0, 0, 8]), |frame| {
        streams.on_sent(frame);
    });
    let last = frame(0, PADDED | END_STREAM, 1, b"\x01xy");
    assert_eq!(take(&mut streams, &data), last);
    assert_eq!(take(&mut streams, &frame(0, 0, 1, b"")), b"");
    let other = frame(0, 0, 3, b"xy");
    assert_eq!(take(&mut streams, &other), other);
}

#[test]
fn the_latest_of_endless_streams_are_remembered() {
    let mut streams = Streams::default();
    for id in 1..=5_000 {
        let head = |kind| Head::parse(frame(kind, 0, id, b"").first_chunk().unwrap());
        streams.on_received(&head(1));
        streams.on_sent(sent::Frame {
            head: head(3),
            code: None,
        });
        streams.on_received(&head(1));
    }
    assert!(streams.is_open(5_000) && streams.is_open(3_977));
    assert!(!streams.is_open(3_976));
    assert!(streams.is_reset(5_000) && streams.is_reset(3_977));
    assert!(!streams.is_reset(3_976));
}
