//! The queue in front of outputs that stall and break.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// Longer than any step here takes.
const PATIENCE: Duration = Duration::from_secs(10);

const MAX_LINES: usize = 4096;
const MAX_BYTES: usize = 1 << 20;

const OUTPUT: Output = Output {
    name: Cow::Borrowed("the test"),
    lines: "lines",
    thread: "test",
    max_lines: MAX_LINES,
    max_bytes: MAX_BYTES,
    max_write: 1,
    pause: Duration::ZERO,
    retry: None,
};

/// Each write waits until the test says how it ends.
struct Writer {
    ends: Receiver<io::Result<()>>,
    written: Sender<Vec<u8>>,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.ends.recv().map_err(io::Error::other)??;
        self.written.send(bytes.into()).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Target for Writer {}

fn start() -> (Queue, Sender<io::Result<()>>, Receiver<Vec<u8>>) {
    start_with(OUTPUT)
}

fn start_with(output: Output) -> (Queue, Sender<io::Result<()>>, Receiver<Vec<u8>>) {
    let ((end, ends), (written, lines)) = (channel(), channel());
    let queue = Queue::start(Writer { ends, written }, output).unwrap();
    (queue, end, lines)
}

/// Pushes a line and waits until it is the one that is being written.
fn stall(queue: &Queue) {
    queue.push(b"stalled".into());
    let deadline = Instant::now() + PATIENCE;
    while !queue.0.state.lock().lines.is_empty() {
        assert!(Instant::now() < deadline);
        thread::yield_now();
    }
}

#[test]
fn a_stalled_output_blocks_nothing_and_lines_without_room_are_counted() {
    for (length, room) in [(1, MAX_LINES), (4096, MAX_BYTES / 4096)] {
        let (queue, end, lines) = start();
        stall(&queue);
        for _ in 0..room + 3 {
            queue.push(vec![b'a'; length]);
        }
        assert_eq!(queue.dropped(), 3);
        assert!(!queue.flush(Duration::from_millis(1)));
        for _ in 0..=room {
            end.send(Ok(())).unwrap();
        }
        assert!(queue.flush(PATIENCE));
        assert_eq!(lines.recv().unwrap(), b"stalled");
        assert_eq!(lines.try_iter().count(), room);
        // There is room again.
        queue.push(b"b".into());
        end.send(Ok(())).unwrap();
        assert_eq!(lines.recv_timeout(PATIENCE).unwrap(), b"b");
        assert_eq!(queue.dropped(), 3);
    }
}

#[test]
fn lines_are_dropped_until_the_queue_is_half_empty() {
    let (queue, end, lines) = start();
    stall(&queue);
    for _ in 0..=MAX_LINES {
        queue.push(b"a".into());
    }
    for _ in 0..MAX_LINES / 2 - 2 {
        end.send(Ok(())).unwrap();
        lines.recv_timeout(PATIENCE).unwrap();
    }
    queue.push(b"a".into());
    assert_eq!(queue.dropped(), 2);
}

#[test]
fn a_refused_line_is_counted_and_the_next_one_starts_on_a_new_line() {
    let (queue, end, lines) = start();
    let full = || Err(ErrorKind::StorageFull.into());
    for end_of_write in [full(), full(), Ok(()), Ok(()), Ok(())] {
        end.send(end_of_write).unwrap();
    }
    for line in [b"a", b"b", b"c", b"d"] {
        queue.push(line.into());
    }
    assert!(queue.flush(PATIENCE));
    let lines: Vec<Vec<u8>> = lines.try_iter().collect();
    assert_eq!(lines.concat(), b"\ncd");
    assert_eq!(queue.dropped(), 2);
}

#[test]
fn lines_that_wait_are_written_together() {
    let (queue, end, lines) = start_with(Output {
        max_write: 6,
        ..OUTPUT
    });
    stall(&queue);
    for line in ["aa\n", "bb\n", "cc\n", "dd\n", "ee\n"] {
        queue.push(line.into());
    }
    (0..4).for_each(|_| end.send(Ok(())).unwrap());
    assert!(queue.flush(PATIENCE));
    let written: Vec<Vec<u8>> = lines.try_iter().skip(1).collect();
    assert_eq!(written, [&b"aa\nbb\n"[..], b"cc\ndd\n", b"ee\n"]);
}

#[test]
fn all_lines_of_a_refused_write_are_counted() {
    let (queue, end, lines) = start_with(Output {
        max_write: 4,
        ..OUTPUT
    });
    stall(&queue);
    for line in ["a\n", "b\n", "c\n"] {
        queue.push(line.into());
    }
    for end_of_write in [Ok(()), Err(ErrorKind::StorageFull.into()), Ok(()), Ok(())] {
        end.send(end_of_write).unwrap();
    }
    assert!(queue.flush(PATIENCE));
    assert_eq!(queue.dropped(), 2);
    assert_eq!(
        lines.try_iter().collect::<Vec<_>>().concat(),
        b"stalled\nc\n"
    );
}

#[test]
fn a_non_blocking_output_gets_every_line() {
    let (queue, end, lines) = start();
    for end_of_write in [Err(ErrorKind::WouldBlock.into()), Ok(())] {
        end.send(end_of_write).unwrap();
    }
    queue.push(b"a".into());
    assert_eq!(lines.recv_timeout(PATIENCE).unwrap(), b"a");
    assert_eq!(queue.dropped(), 0);
}

#[test]
fn lines_left_out_are_counted_and_reported_from_time_to_time() {
    let (queue, _end, _lines) = start();
    let now = Instant::now();
    assert_eq!(queue.0.left_out(now), None);
    (0..3).for_each(|_| queue.leave_out());
    assert_eq!(queue.dropped(), 3);
    assert_eq!(queue.0.left_out(now), Some(3));
    queue.leave_out();
    assert_eq!(queue.0.left_out(now + REPORT_PAUSE / 2), None);
    assert_eq!(queue.0.left_out(now + REPORT_PAUSE), Some(1));
    assert_eq!(queue.0.left_out(now + 2 * REPORT_PAUSE), None);
}

/// Takes so many bytes of each write as the test says; moves on to another file after each end marked so.
struct Picky {
    steps: Receiver<Step>,
    files: Sender<Vec<u8>>,
    file: Vec<u8>,
    has_next: bool,
}

enum Step {
    /// Takes so many bytes, or all that there are.
    Takes(usize),
    Refuses,
    /// Refuses, and is opened again by then.
    IsReopened,
}

impl Write for Picky {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.steps.recv().map_err(io::Error::other)? {
            Step::Takes(most) => {
                let taken = &bytes[..most.min(bytes.len())];
                self.file.extend(taken);
                Ok(taken.len())
            }
            Step::Refuses => Err(ErrorKind::StorageFull.into()),
            Step::IsReopened => {
                self.has_next = true;
                Err(ErrorKind::StorageFull.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Target for Picky {
    fn renew(&mut self) -> bool {
        let is_new = std::mem::take(&mut self.has_next);
        if is_new {
            let _ = self.files.send(std::mem::take(&mut self.file));
        }
        is_new
    }
}

impl Drop for Picky {
    fn drop(&mut self) {
        let _ = self.files.send(std::mem::take(&mut self.file));
    }
}

/// Writes `lines` as `steps` say; returns what is in each file, and how many lines were dropped.
fn written(lines: &[&str], steps: impl IntoIterator<Item = Step>) -> (Vec<String>, u64) {
    let ((step, steps_of), (file, files)) = (channel(), channel());
    let picky = Picky {
        steps: steps_of,
        files: file,
        file: Vec::new(),
        has_next: false,
    };
    let output = Output {
        max_write: 1 << 10,
        retry: Some(Duration::ZERO),
        ..OUTPUT
    };
    let shared = Shared {
        output,
        state: Mutex::default(),
        added: Condvar::default(),
        done: Condvar::default(),
    };
    let queue = Queue(Arc::new(shared));
    for line in lines {
        queue.push(line.as_bytes().into());
    }
    for next in steps {
        step.send(next).unwrap();
    }
    let shared = Arc::clone(&queue.0);
    let (text, count) = shared.next();
    let mut picky = picky;
    shared.write_at_last(&mut picky, &text, Duration::ZERO);
    shared.on_done(count, true);
    drop(picky);
    let files = files
        .into_iter()
        .map(|file| String::from_utf8(file).unwrap());
    (files.collect(), queue.dropped())
}

#[test]
fn lines_that_are_refused_are_written_again_from_where_they_stopped() {
    let all = ["first\n", "second\n", "third\n"];
    let whole = all.concat();
    for first in 0..=whole.len() {
        let steps = [Step::Refuses, Step::Takes(first.max(1)), Step::Refuses];
        let rest = [Step::Takes(2), Step::Refuses, Step::Takes(usize::MAX)];
        let (files, dropped) = written(&all, steps.into_iter().chain(rest));
        assert_eq!((files, dropped), (vec![whole.clone()], 0), "{first}");
    }
}

#[test]
fn a_line_that_was_cut_is_whole_in_the_next_file() {
    let all = ["first\n", "second\n", "third\n"];
    for (taken, next) in [
        (3, "first\nsecond\nthird\n"),
        (6, "second\nthird\n"),
        (8, "second\nthird\n"),
        (15, "third\n"),
    ] {
        let steps = [
            Step::Takes(taken),
            Step::IsReopened,
            Step::Takes(usize::MAX),
        ];
        let (files, dropped) = written(&all, steps);
        let old = all.concat()[..taken].to_owned();
        assert_eq!((files, dropped), (vec![old, next.to_owned()], 0), "{taken}");
    }
}
