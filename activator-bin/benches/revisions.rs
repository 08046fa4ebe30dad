//! What a change of one revision and the look-up of one cost among many, in the table and under load. Prints a line
//! `NAME: VALUE UNIT` for each. The argument is for how many seconds each load lasts.
#![expect(clippy::unwrap_used, reason = "a step that fails ends the benchmark")]

#[path = "../tests/support/config.rs"]
mod config;
#[path = "measure/percentiles.rs"]
mod percentiles;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs};

use activator_bin::testing::{
    Activator, Change, Options, Probe, Problems, RevisionSource, RevisionSpec, Update,
};
use async_trait::async_trait;

use config::for_tests;
use percentiles::print;

const COUNTS: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// Among so many there is a load.
const LOADED: usize = 100_000;
const CHANGES: usize = 10_000;

const CLIENTS: u32 = 8;
const REQUESTS_PER_SECOND: u32 = 20_000;
const CHANGES_PER_SECOND: u32 = 1_000;
const TURNS: u32 = 10;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn main() {
    let seconds = env::args().find_map(|it| it.parse().ok()).unwrap_or(3);
    for count in COUNTS {
        changes(count);
    }
    under_load(Duration::from_secs(seconds));
}

fn spec(index: usize, backends: &[SocketAddr]) -> RevisionSpec {
    let file = "[[revision]]\nnamespace = 'default'\nname = 'name'\nservice = 'service'\n";
    let blank = for_tests(file).revisions.remove(0);
    renamed(&blank, index, backends)
}

fn renamed(blank: &RevisionSpec, index: usize, backends: &[SocketAddr]) -> RevisionSpec {
    RevisionSpec {
        key: format!("namespace-{}/service-{index:07}-00001", index % 1_000)
            .parse()
            .unwrap(),
        probe: Probe::None,
        backends: backends.to_vec(),
        ..blank.clone()
    }
}

fn activator(
    count: usize,
    backend: SocketAddr,
    source: Option<Box<dyn RevisionSource>>,
) -> Activator {
    let mut config = for_tests("workers = 1");
    let blank = spec(0, &[]);
    let all = (0..count).map(|index| renamed(&blank, index, &[backend]));
    config.revisions = all.collect();
    let options = Options {
        source,
        ..Options::default()
    };
    Activator::start(config, options).unwrap()
}

/// Changes, adds and removes, one revision at a time, all over the table.
fn changes(count: usize) {
    let backend = "127.0.0.1:1".parse().unwrap();
    let activator = activator(count, backend, None);
    let revisions = activator.revisions();
    let blank = spec(0, &[]);
    let mut times = Vec::new();
    for step in 0..CHANGES {
        let index = step * 7_919 % count;
        let backend = ([10, 0, 0, 1], 1 + step as u16).into();
        let changed = renamed(&blank, index, &[backend]);
        let added = renamed(&blank, count + index, &[backend]);
        let key = added.key.clone();
        let steps: [&dyn Fn(); 3] = [
            &|| assert_eq!(revisions.put(changed.clone()), Ok(false)),
            &|| assert_eq!(revisions.put(added.clone()), Ok(true)),
            &|| assert!(revisions.remove(&key)),
        ];
        for step in steps {
            let begin = Instant::now();
            step();
            times.push(begin.elapsed());
        }
    }
    print(&format!("{count} revisions, a change"), &mut times);
    let keys: Vec<_> = (0..CHANGES)
        .map(|step| renamed(&blank, step * 104_729 % count, &[]).key)
        .collect();
    let begin = Instant::now();
    for key in &keys {
        assert!(revisions.config(key).is_some());
    }
    let nanos = begin.elapsed().as_nanos() as f64 / keys.len() as f64;
    println!("{count} revisions, a look-up of one that sleeps: {nanos:.0} ns");
}

/// Says something new of one revision after the other, while it is told to.
struct Busy {
    is_on: Arc<AtomicBool>,
    backend: SocketAddr,
    blank: RevisionSpec,
    step: usize,
    begin: tokio::time::Instant,
}

#[async_trait]
impl RevisionSource for Busy {
    async fn changed(&mut self) -> Result<Update, Problems> {
        loop {
            self.begin += Duration::from_secs(1) / CHANGES_PER_SECOND;
            tokio::time::sleep_until(self.begin).await;
            if self.is_on.load(Ordering::Relaxed) {
                break;
            }
            self.begin = tokio::time::Instant::now() + Duration::from_millis(50);
        }
        self.step += 1;
        // Not the first ones, which have the requests.
        let index = CLIENTS as usize + self.step * 7_919 % (LOADED - CLIENTS as usize);
        let other = ([10, 0, 0, 1], 1 + (self.step % 60_000) as u16).into();
        let spec = renamed(&self.blank, index, &[self.backend, other]);
        Ok(Update::Some(vec![Change::Put(Arc::new(spec))]))
    }
}

fn under_load(time: Duration) {
    let backend = backend();
    let is_on = Arc::new(AtomicBool::new(false));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let source = Busy {
        is_on: Arc::clone(&is_on),
        backend,
        blank: spec(0, &[]),
        step: 0,
        begin: runtime.block_on(async { tokio::time::Instant::now() }),
    };
    let activator = activator(LOADED, backend, Some(Box::new(source)));
    let http = activator.http_addr();
    load(http, Duration::from_secs(1));
    let name = format!("{LOADED} revisions, 1,000 changes a second");
    let (mut without, mut with) = (Vec::new(), Vec::new());
    let (mut without_cpu, mut with_cpu) = (0, 0);
    // In turns, so that what else the machine does comes to both.
    for _ in 0..TURNS {
        for (changes, times, cpu) in [
            (false, &mut without, &mut without_cpu),
            (true, &mut with, &mut with_cpu),
        ] {
            is_on.store(changes, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(100));
            let before = control_nanos();
            times.extend(load(http, time / TURNS));
            *cpu += control_nanos() - before;
        }
    }
    let share = |nanos: u64| nanos as f64 / time.as_nanos() as f64 * 100.0;
    println!(
        "{name}, CPU: {:.2} %",
        share(with_cpu.saturating_sub(without_cpu))
    );
    println!(
        "{name}, requests a second: {:.0} requests",
        with.len() as f64 / time.as_secs_f64()
    );
    let p99 = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times[times.len() * 99 / 100].as_secs_f64() * 1e6
    };
    let (with, without) = (p99(&mut with), p99(&mut without));
    println!("{name}, p99: {with:.1} us");
    println!("{name}, p99, to that without: {:.3} x", with / without);
}

/// What the threads that make changes have used so far.
fn control_nanos() -> u64 {
    let mut nanos = 0;
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let path = task.unwrap().path();
        let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
        if name.trim() == "control" {
            let used = fs::read_to_string(path.join("schedstat")).unwrap();
            nanos += used.split(' ').next().unwrap().parse::<u64>().unwrap();
        }
    }
    nanos
}

/// Paced requests of clients with a revision each; how long each took.
fn load(http: SocketAddr, time: Duration) -> Vec<Duration> {
    let client = |index: u32| {
        move || {
            let mut stream = TcpStream::connect(http).unwrap();
            stream.set_nodelay(true).unwrap();
            let request = format!(
                "GET / HTTP/1.1\r\nHost: service-{index:07}-00001.namespace-{index}.svc.cluster.local\r\n\r\n"
            );
            let pause = Duration::from_secs(1) * CLIENTS / REQUESTS_PER_SECOND;
            let begin = Instant::now();
            let mut due = begin;
            let mut times = Vec::new();
            while begin.elapsed() < time {
                thread::sleep(due.saturating_duration_since(Instant::now()));
                let sent = Instant::now();
                stream.write_all(request.as_bytes()).unwrap();
                read_answer(&mut stream);
                times.push(sent.elapsed());
                due += pause;
            }
            times
        }
    };
    let clients: Vec<_> = (0..CLIENTS)
        .map(|index| thread::spawn(client(index)))
        .collect();
    let times = clients.into_iter().map(|client| client.join().unwrap());
    times.collect::<Vec<_>>().concat()
}

fn read_answer(stream: &mut TcpStream) {
    let mut answer = [0; 1_024];
    let mut length = 0;
    while !answer[..length].ends_with(b"ok") {
        let read = stream.read(&mut answer[length..]).unwrap();
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(&answer));
        length += read;
    }
    assert!(
        answer.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}

/// Answers every request at once.
fn backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.set_nodelay(true).unwrap();
            thread::spawn(move || {
                let mut head = Vec::new();
                let mut part = [0; 1_024];
                while let Ok(read @ 1..) = stream.read(&mut part) {
                    head.extend_from_slice(&part[..read]);
                    if head.ends_with(b"\r\n\r\n") {
                        head.clear();
                        if stream.write_all(ANSWER).is_err() {
                            break;
                        }
                    }
                }
            });
        }
    });
    address
}
