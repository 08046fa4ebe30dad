//! How programs end, by themselves or when they are asked to, and what is said of it.

use activator_bin::testing::launch::LaunchSpec;

use crate::scene::{Instance, SERVER, eventually, launch, process, script, state};

async fn check(spec: LaunchSpec, expected: &str, output: &[&str]) {
    let mut instance = Instance::start(spec);
    assert_eq!(instance.ended().await, expected);
    assert_eq!(instance.running.tail(), output);
}

#[tokio::test]
async fn how_a_program_ends_by_itself_is_said_and_its_last_lines_are_kept() {
    check(script("exit 0"), "exited with code 0", &[]).await;
    check(
        script("echo no such table >&2; echo good bye; exit 7"),
        "exited with code 7",
        &["no such table", "good bye"],
    )
    .await;
    check(
        script("printf unfinished; kill -SEGV $$"),
        "was ended by SIGSEGV",
        &["unfinished"],
    )
    .await;
    check(script("kill -KILL $$"), "was ended by SIGKILL", &[]).await;
}

#[tokio::test]
async fn a_program_that_forks_and_exits_is_told_to_stay() {
    let expected = "exited with code 0 and left processes behind: it must stay in the foreground";
    check(script("sleep 1000 & exit 0"), expected, &[]).await;
    check(script("setsid sleep 1000 & exit 0"), expected, &[]).await;
    // It has other trouble.
    check(script("sleep 1000 & exit 1"), "exited with code 1", &[]).await;
}

#[tokio::test]
async fn a_program_that_is_asked_to_end_may_take_its_time() {
    let mut spec =
        script("trap 'sleep 0.1; echo done; exit 0' INT; echo up; while :; do sleep 0.01; done");
    spec.stop_signal = 2;
    let mut instance = Instance::start(spec);
    instance.says("up").await;
    instance.running.stop();
    assert_eq!(instance.ended().await, "exited with code 0");
    assert_eq!(instance.running.tail(), ["up", "done"]);
}

#[tokio::test]
async fn workers_may_end_after_the_program_that_was_asked_to() {
    let worker = "(trap 'sleep 0.1; echo worker done; exit' TERM; echo worker up; while :; do sleep 0.01; done)";
    let mut instance = Instance::start(script(&format!(
        "{worker} & trap 'exit 0' TERM; wait; wait"
    )));
    instance.says("worker up").await;
    instance.running.stop();
    assert_eq!(instance.ended().await, "exited with code 0");
    let tail = instance.running.tail();
    assert_eq!(tail.last().unwrap(), "worker done");
}

#[tokio::test]
async fn a_program_that_ignores_the_signal_is_killed_with_all_that_it_started() {
    let ignore = "trap '' TERM; echo $$ up; while :; do sleep 0.01; done";
    let mut instance = Instance::start(script(&format!(
        "trap '' TERM; sh -c \"{ignore}\" & {ignore}",
        ignore = ignore.replace('$', "\\$")
    )));
    let first = instance.pid().await;
    eventually("both are up", || {
        (instance.running.tail().len() == 2).then_some(())
    })
    .await;
    instance.running.stop();
    // It goes on, and so do its children.
    assert!(state(first).is_some());
    instance.running.kill();
    instance.running.kill();
    assert_eq!(instance.ended().await, "was ended by SIGKILL");
    assert_eq!(state(first), None);
}

#[tokio::test]
async fn a_frozen_program_is_stopped_and_goes_on_when_it_is_woken() {
    let mut instance = Instance::start(launch(process(&SERVER)));
    instance.ready().await;
    let pid = instance.pid().await;
    instance.running.freeze();
    eventually("it is stopped", || (state(pid) == Some('T')).then_some(())).await;
    instance.running.thaw();
    eventually("it goes on", || (state(pid) != Some('T')).then_some(())).await;
    let address = instance.running.places()[0].address;
    tokio::net::TcpStream::connect(address).await.unwrap();
    // The signal reaches it although it is stopped.
    instance.running.freeze();
    eventually("it is stopped", || (state(pid) == Some('T')).then_some(())).await;
    instance.running.stop();
    assert_eq!(instance.ended().await, "was ended by SIGTERM");
}
