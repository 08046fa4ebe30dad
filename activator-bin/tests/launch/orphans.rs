//! Nothing of an instance is left, however it or the activator ends.

use rustix::process::{Pid, Signal, kill_process};

use crate::scene::{Instance, eventually, script, state};

/// Says which process it is, as do its child, a grandchild and one that has left its group and session.
pub(crate) const FAMILY: &str = "
    echo family $$
    sh -c 'echo family $$; sleep 1000 & echo family $!; wait' &
    setsid sh -c '(sh -c \"echo family \\$\\$; exec sleep 1000\" &)' &
    wait; wait";

/// How many that are.
const MEMBERS: usize = 4;

pub(crate) fn members(lines: &[String]) -> Option<Vec<u32>> {
    let numbers = lines.iter().filter_map(|line| line.strip_prefix("family "));
    let numbers: Vec<_> = numbers.map(|number| number.parse().unwrap()).collect();
    (numbers.len() == MEMBERS).then_some(numbers)
}

async fn family(instance: &Instance) -> Vec<u32> {
    let family = eventually("all say who they are", || members(&instance.running.tail())).await;
    assert!(family.iter().all(|pid| state(*pid).is_some()));
    family
}

#[tokio::test]
async fn all_end_with_an_instance_that_is_stopped() {
    let mut instance = Instance::start(script(FAMILY));
    let family = family(&instance).await;
    instance.running.stop();
    assert_eq!(instance.ended().await, "was ended by SIGTERM");
    assert_eq!(family.iter().find_map(|pid| state(*pid)), None);
}

#[tokio::test]
async fn all_end_with_an_instance_that_is_killed() {
    let mut instance = Instance::start(script(&format!("trap '' TERM; {FAMILY}")));
    let family = family(&instance).await;
    instance.running.stop();
    instance.running.kill();
    instance.ended().await;
    assert_eq!(family.iter().find_map(|pid| state(*pid)), None);
}

#[tokio::test]
async fn all_end_with_an_instance_that_crashes() {
    let mut instance = Instance::start(script(FAMILY));
    let family = family(&instance).await;
    let pid = Pid::from_raw(i32::try_from(family[0]).unwrap()).unwrap();
    kill_process(pid, Signal::SEGV).unwrap();
    assert_eq!(instance.ended().await, "was ended by SIGSEGV");
    assert_eq!(family.iter().find_map(|pid| state(*pid)), None);
}

#[tokio::test]
async fn all_end_with_the_one_who_holds_the_instance() {
    let instance = Instance::start(script(FAMILY));
    let family = family(&instance).await;
    let Instance {
        running,
        mut reports,
    } = instance;
    drop(running);
    assert_eq!(reports.ended().await, "was ended by SIGTERM");
    assert_eq!(family.iter().find_map(|pid| state(*pid)), None);
}

#[tokio::test]
async fn the_program_ends_with_its_supervisor() {
    let mut instance = Instance::start(script(FAMILY));
    let family = family(&instance).await;
    let supervisor = parent(family[0]);
    kill_process(supervisor, Signal::KILL).unwrap();
    let how = instance.ended().await;
    assert_eq!(how, "its supervisor ended early: signal: 9 (SIGKILL)");
    eventually("the group ends", || {
        state(family[0]).is_none().then_some(())
    })
    .await;
    // What has left the group is out of reach.
    for pid in &family[1..] {
        let pid = Pid::from_raw(i32::try_from(*pid).unwrap()).unwrap();
        let _ = kill_process(pid, Signal::KILL);
    }
}

#[tokio::test]
async fn a_supervisor_that_is_asked_to_end_asks_its_program() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut instance = Instance::start(script(FAMILY));
        let family = family(&instance).await;
        kill_process(parent(family[0]), signal).unwrap();
        assert_eq!(instance.ended().await, "was ended by SIGTERM");
        assert_eq!(family.iter().find_map(|pid| state(*pid)), None);
    }
}

#[tokio::test]
async fn a_signal_that_is_for_the_activator_ends_no_supervisor() {
    let mut instance = Instance::start(script("sleep 1000"));
    let supervisor = parent(instance.pid().await);
    kill_process(supervisor, Signal::USR1).unwrap();
    instance.running.stop();
    assert_eq!(instance.ended().await, "was ended by SIGTERM");
}

#[tokio::test]
async fn supervisors_are_not_called_like_the_activator() {
    let mut instance = Instance::start(script("sleep 1000"));
    let supervisor = parent(instance.pid().await).as_raw_nonzero();
    let name = std::fs::read_to_string(format!("/proc/{supervisor}/comm")).unwrap();
    assert_eq!(name, "supervise\n");
    let arguments = std::fs::read_to_string(format!("/proc/{supervisor}/cmdline")).unwrap();
    assert_eq!(arguments, "activator\0supervise\0default/hello-0\0");
    let environment = std::fs::read_to_string(format!("/proc/{supervisor}/environ")).unwrap();
    assert_eq!(environment, "");
    instance.running.stop();
    instance.ended().await;
}

#[tokio::test]
async fn what_a_program_has_left_to_its_supervisor_is_waited_for() {
    let mut instance = Instance::start(script(
        "for i in 1 2 3 4 5; do setsid sh -c 'sleep 0.01 &' & done; wait; echo all left; sleep 1000",
    ));
    let supervisor = parent(instance.pid().await).as_raw_nonzero();
    instance.says("all left").await;
    let children = format!("/proc/{supervisor}/task/{supervisor}/children");
    let is_alone = || {
        let children = std::fs::read_to_string(&children).unwrap();
        (children.split_ascii_whitespace().count() == 1).then_some(())
    };
    eventually("nobody is left but the program", is_alone).await;
    instance.running.stop();
    instance.ended().await;
}

fn parent(pid: u32) -> Pid {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let parent = rest.split_ascii_whitespace().nth(1).unwrap();
    Pid::from_raw(parent.parse().unwrap()).unwrap()
}
