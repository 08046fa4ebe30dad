//! What must hold for any bytes as a history.

use activator_bin::testing::{ReplayError, replay};
use reporter_core::Accounting;

/// Panics if it does not hold.
pub(crate) fn check(bytes: &[u8]) {
    for accounting in [Accounting::Snapshot, Accounting::Average] {
        let (mut once, mut again) = (Vec::new(), Vec::new());
        let outcome = replay(bytes, &mut once, accounting);
        let _ = replay(bytes, &mut again, accounting);
        assert_eq!(once, again, "the same history gives the same bytes");

        let lines = bytes.split(|&byte| byte == b'\n').count() as u64;
        match outcome {
            Ok(summary) => assert!(summary.lines <= lines),
            Err(ReplayError::BadLine { number, wrong }) => {
                assert!((1..=lines).contains(&number), "line {number} of {lines}");
                let said = wrong.to_string();
                assert!(said.len() < 1_200, "an error grows with its input: {said}");
                assert!(
                    !said.chars().any(char::is_control),
                    "it would end a log line: {said:?}"
                );
            }
            Err(error) => panic!("memory can be read and written: {error}"),
        }
        for line in once.split_inclusive(|&byte| byte == b'\n') {
            assert!(line.starts_with(b"{\"t_ns\":") && line.ends_with(b"}\n"));
        }
    }
}
