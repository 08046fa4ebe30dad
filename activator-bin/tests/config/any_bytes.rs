//! Whatever is in a source, there is an answer.

use activator_bin::testing::{Cluster, Config, Settings, Sources};
use proptest::prelude::*;

/// Bytes in the file, in a variable and in a flag, whatever they are: an answer, and no panic.
fn check_any(bytes: &[u8], text: &str, which: usize) {
    let settings = Config::settings();
    let setting = &settings[which % settings.len()];
    let variable = setting.variables().next().expect("its own");
    let sources = Sources {
        cluster: which.is_multiple_of(2).then_some(Cluster::OwnPod),
        variables: [(variable.into(), text.into())].into(),
        flags: vec![(setting.field, text.to_owned())],
        ..Sources::default()
    };
    for file in [None, Some(("f", bytes))] {
        if let Err(problems) = sources.check(file) {
            let printed = problems.to_string();
            assert_eq!(
                printed.lines().count(),
                problems.as_slice().len(),
                "{printed}"
            );
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_load_or_fail_cleanly(bytes in any::<Vec<u8>>(), text in ".*", which: usize) {
        check_any(&bytes, &text, which);
    }

    #[test]
    fn damaged_files_load_or_fail_cleanly(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..40_usize, "[\\[\\]=\"'#.{},a0\n ]{0,6}"), 1..6),
        text in "[-0-9a-z:.]*",
        which: usize,
    ) {
        let mut file = include_str!("full.toml").as_bytes().to_vec();
        for (at, length, insert) in cuts {
            let start = at.index(file.len() + 1);
            let end = file.len().min(start + length);
            file.splice(start..end, insert.bytes());
        }
        check_any(&file, &text, which);
    }
}
