//! What dpkg is told.

use super::{Release, files};
use crate::archive::{File, Files};
use crate::program::VERSION;

fn release() -> Release {
    Release {
        revision: 2,
        architecture: "arm64",
        time: 1_000_000_000,
        maintainer: "A B <a@example.org>".to_owned(),
    }
}

fn content() -> Files {
    let file = |path: &str, content: &str| (path.to_owned(), File::text(content));
    Files::from([
        file("etc/activator.toml", "abc"),
        file("usr/bin/activator", "abc"),
        file("usr/share/large", &"x".repeat(1025)),
    ])
}

fn text(files: &Files, name: &str) -> String {
    String::from_utf8(files[name].content.clone()).expect("text")
}

#[test]
fn the_control_file_says_what_it_is_for_and_how_large() {
    let files = files(&content(), &release()).expect("memory takes it");
    let control = text(&files, "control");
    for line in [
        format!("Version: {VERSION}-2"),
        "Architecture: arm64".to_owned(),
        "Maintainer: A B <a@example.org>".to_owned(),
        // Each file takes whole kibibytes.
        "Installed-Size: 4".to_owned(),
    ] {
        assert!(
            control.lines().any(|it| it == line),
            "no {line:?} in {control}"
        );
    }
    assert_eq!(
        release().file_name(),
        format!("activator_{VERSION}-2_arm64.deb")
    );
}

/// Exact sums, of RFC 1321, so that no mistake in hashing can hide.
#[test]
fn what_operators_change_is_a_conffile_and_has_no_sum() {
    let files = files(&content(), &release()).expect("memory takes it");
    assert_eq!(text(&files, "conffiles"), "/etc/activator.toml\n");
    let sums = text(&files, "md5sums");
    assert!(
        sums.starts_with("900150983cd24fb0d6963f7d28e17f72  usr/bin/activator\n"),
        "{sums}"
    );
    assert!(!sums.contains("etc/"), "{sums}");
}

#[test]
fn the_changelog_is_dated_by_the_commit() {
    let changelog = release().changelog().expect("a date");
    let first = format!("activator ({VERSION}-2) unstable; urgency=medium\n\n  * ");
    assert!(changelog.starts_with(&first), "{changelog}");
    let last = "\n\n -- A B <a@example.org>  Sun, 09 Sep 2001 01:46:40 +0000\n";
    assert!(changelog.ends_with(last), "{changelog}");
}
