//! Instances that are started and stopped by commands.

use std::net::{SocketAddr, TcpListener};

use activator_bin::testing::launch::{BusyCheck, LaunchSpec, Start};

use crate::directory::Directory;
use crate::scene::{Instance, launch, process, processes, state};

fn commands(start: &str, stop: &str) -> LaunchSpec {
    let shell = |script: &str| ["sh", "-c", script].map(Into::into).to_vec();
    let mut spec = launch(process(&[]));
    let stop = if stop.is_empty() {
        Vec::new()
    } else {
        shell(stop)
    };
    spec.start = Start::Commands {
        start: shell(start),
        stop,
    };
    spec
}

fn start(spec: LaunchSpec, backends: &[SocketAddr]) -> Instance {
    Instance::start_by(&processes(), spec, backends)
}

#[tokio::test]
async fn an_instance_is_ready_when_its_backends_are() {
    let directory = Directory::new();
    let log = directory.path("log");
    let [first, second] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses = [&first, &second].map(|listener| listener.local_addr().unwrap());
    drop(second);
    let spec = commands(
        &format!(
            "echo start {{name}} {{index}} {{port}} >>{}; echo started",
            log.display()
        ),
        &format!("echo stop >>{}", log.display()),
    );
    let mut instance = start(spec, &addresses);
    let places: Vec<_> = instance
        .running
        .places()
        .iter()
        .map(|place| place.address)
        .collect();
    assert_eq!(places, addresses);
    instance.says("started").await;
    let second = TcpListener::bind(addresses[1]).unwrap();
    instance.ready().await;
    assert_eq!(instance.running.pid(), None);
    instance.running.stop();
    assert_eq!(instance.ended().await, "was stopped");
    assert_eq!(
        std::fs::read_to_string(log).unwrap(),
        "start hello 0 {port}\nstop\n"
    );
    drop((first, second));
}

#[tokio::test]
async fn commands_that_fail_say_why() {
    let mut instance = start(
        commands("echo no such container >&2; exit 3", "echo stopped"),
        &[],
    );
    assert_eq!(instance.ended().await, "start_command: exited with code 3");
    assert_eq!(instance.running.tail(), ["no such container"]);

    let mut spec = commands("", "");
    spec.start = Start::Commands {
        start: vec!["no-such-program".into()],
        stop: vec![],
    };
    let expected =
        "start_command: cannot run \"no-such-program\": there is no such program on its PATH";
    assert_eq!(start(spec, &[]).ended().await, expected);

    let mut instance = start(commands("true", "exit 4"), &[]);
    instance.ready().await;
    instance.running.stop();
    assert_eq!(instance.ended().await, "stop_command: exited with code 4");
}

#[tokio::test]
async fn what_was_begun_is_undone_when_it_takes_too_long() {
    let mut instance = start(commands("echo starting; sleep 1000", "echo undone"), &[]);
    instance.says("starting").await;
    instance.running.kill();
    let how = instance.ended().await;
    assert_eq!(how, "was not ready in time: it was not asked yet");
    assert_eq!(instance.running.tail(), ["starting", "undone"]);
}

#[tokio::test]
async fn a_stop_command_that_hangs_is_killed() {
    let mut instance = start(commands("true", "echo stopping; sleep 1000"), &[]);
    instance.ready().await;
    instance.running.stop();
    instance.says("stopping").await;
    instance.running.kill();
    let expected = "stop_command: did not end in time and was killed";
    assert_eq!(instance.ended().await, expected);
}

#[tokio::test]
async fn what_a_command_leaves_behind_is_not_touched_before_the_stop_command() {
    let mut instance = start(commands("sleep 1000 & echo left $!", "true"), &[]);
    instance.ready().await;
    let left: u32 = instance.says("left ").await.parse().unwrap();
    instance.running.stop();
    assert_eq!(instance.ended().await, "was stopped");
    assert!(state(left).is_some());
    let left = rustix::process::Pid::from_raw(i32::try_from(left).unwrap()).unwrap();
    rustix::process::kill_process(left, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn the_stop_command_runs_even_if_the_activator_is_gone() {
    let directory = Directory::new();
    let log = directory.path("log");
    let mut instance = start(
        commands("true", &format!("echo stop >{}", log.display())),
        &[],
    );
    instance.ready().await;
    let Instance {
        running,
        mut reports,
    } = instance;
    drop(running);
    assert_eq!(reports.ended().await, "was stopped");
    assert_eq!(std::fs::read_to_string(log).unwrap(), "stop\n");
}

#[tokio::test]
async fn a_check_says_whether_an_instance_is_busy() {
    let directory = Directory::new();
    let busy = directory.path("busy");
    let check = |command: &str| {
        Some(BusyCheck::Command(
            ["sh", "-c", command].map(Into::into).to_vec(),
        ))
    };
    let mut spec = commands("true", "true");
    spec.busy_check = check(&format!(
        "yes | head -c 1000000; test -e {}",
        busy.display()
    ));
    let mut instance = start(spec.clone(), &[]);
    instance.ready().await;
    assert!(!instance.is_busy().await);
    std::fs::write(&busy, "").unwrap();
    assert!(instance.is_busy().await);
    instance.running.stop();
    instance.ended().await;

    // One that cannot say it is believed to be busy a few times.
    spec.busy_check = check("kill -9 $$");
    let mut instance = start(spec, &[]);
    instance.ready().await;
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(instance.is_busy().await);
    }
    assert_eq!(answers, [true, true, true, false]);
    drop(instance);

    let mut instance = start(commands("true", "true"), &[]);
    instance.ready().await;
    assert!(!instance.is_busy().await, "it has no check");
    instance.running.stop();
    instance.ended().await;
}
