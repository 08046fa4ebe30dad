//! What becomes of what programs print.

use activator_bin::testing::launch::InstanceLog;

use crate::directory::Directory;
use crate::scene::{Instance, script};

#[tokio::test]
async fn a_program_that_prints_a_lot_is_not_held_up_and_the_last_lines_are_kept() {
    let mut instance = Instance::start(script(
        "yes 'a line that is as good as any other line' | head -c 64000000; yes | tr -d '\\n' | head -c 5000; echo; echo end",
    ));
    assert_eq!(instance.ended().await, "exited with code 0");
    let tail = instance.running.tail();
    assert_eq!(tail.last().unwrap(), "end");
    let long = &tail[tail.len() - 2];
    assert!(long.len() < 3000 && long.ends_with("yyy..."), "{long}");
    assert!(tail.len() <= 100, "{}", tail.len());
    assert!(
        tail.iter()
            .any(|line| line == "a line that is as good as any other line")
    );
}

#[tokio::test]
async fn output_is_text_whatever_it_was() {
    let mut instance = Instance::start(script(
        "printf 'a\\033[31mred\\033[0m\\000\\377\\r\\nb\\n'; printf 'no end'",
    ));
    instance.ended().await;
    assert_eq!(instance.running.tail(), ["ared \u{fffd}", "b", "no end"]);
}

#[tokio::test]
async fn output_is_appended_to_a_file_as_it_is() {
    let directory = Directory::new();
    let path = directory.write("log", "before\n");
    let mut spec = script("printf 'out\\000'; printf 'error\\n' >&2; printf 'no end'");
    spec.log = InstanceLog::File(path.clone());
    for _ in 0..2 {
        Instance::start(spec.clone()).ended().await;
    }
    let expected = "before\nout\0error\nno endout\0error\nno end";
    assert_eq!(std::fs::read_to_string(path).unwrap(), expected);

    // A file that cannot be written keeps nothing from running.
    spec.log = InstanceLog::File("/no/such/directory/log".into());
    let mut instance = Instance::start(spec.clone());
    assert_eq!(instance.ended().await, "exited with code 0");
    spec.log = InstanceLog::File("/dev/full".into());
    let mut instance = Instance::start(spec);
    assert_eq!(instance.ended().await, "exited with code 0");
    assert_eq!(instance.running.tail(), ["out error", "no end"]);
}
