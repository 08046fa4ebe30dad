//! What is in the way of a release, by one fact that differs from a state in which nothing is.

use std::collections::BTreeMap;

use super::*;

fn state() -> State {
    let files = [
        ("Cargo.toml", "[workspace.package]\nversion = \"0.1.0\"\n"),
        ("CHANGELOG.md", "## Unreleased\n\n- a\n"),
        ("docs/x.md", "activator:0.1.0 activator-0.1.0\n"),
    ];
    State {
        branch: Some("main".to_owned()),
        commit: "abc".to_owned(),
        changes: Vec::new(),
        committer: Some("Somebody <somebody@example.com>".to_owned()),
        tags: Vec::new(),
        files: files
            .map(|(path, text)| (path.to_owned(), text.to_owned()))
            .into(),
    }
}

fn plan(state: &State, version: &str) -> Result<Plan, String> {
    let version = version.parse().unwrap();
    Plan::new(state, &version, "2026-11-28").map_err(|error| error.to_string())
}

#[track_caller]
fn check_refused(change: impl FnOnce(&mut State), reason: &str) {
    let mut state = state();
    change(&mut state);
    let expected = format!("0.2.0 cannot be released:\n  - {reason}");
    assert_eq!(plan(&state, "0.2.0").unwrap_err(), expected);
}

/// Of a repository with these tags and this version: `next` may be released, or why not.
#[track_caller]
fn check_order(tags: &[&str], current: &str, next: &str, refused: Option<&str>) {
    let mut state = state();
    state.tags = tags.iter().map(|&tag| tag.to_owned()).collect();
    let manifest = format!("[workspace.package]\nversion = \"{current}\"\n");
    state.files.insert("Cargo.toml".to_owned(), manifest);
    let found = plan(&state, next).err();
    match refused {
        None => assert_eq!(found, None),
        Some(reason) => {
            let found = found.expect("it is refused");
            assert!(found.contains(reason), "{found}");
        }
    }
}

#[test]
fn nothing_is_in_the_way() {
    let plan = plan(&state(), "0.2.0").unwrap();
    let said = plan.to_string();
    for line in [
        "Release 0.2.0, on main at abc:",
        "CHANGELOG.md: what is unreleased becomes \"0.2.0 - 2026-11-28\"",
        "Cargo.toml: 0.1.0 becomes 0.2.0, once",
        "docs/x.md: 0.1.0 becomes 0.2.0, 2 times",
        "cargo xtask ci, cargo xtask semver",
        "tag v0.2.0",
    ] {
        assert!(said.contains(line), "{said}");
    }
}

#[test]
fn the_repository_is_refused() {
    check_refused(
        |state| state.branch = Some("topic".to_owned()),
        "the branch is topic: releases are made from main",
    );
    check_refused(
        |state| state.branch = None,
        "no branch is checked out (HEAD is detached): releases are made from main",
    );
    check_refused(
        |state| state.changes = vec![" M a".to_owned(), "?? b".to_owned()],
        "not everything is committed: M a, and 1 more",
    );
    check_refused(
        |state| state.committer = None,
        "git does not know who commits: set user.name and user.email with `git config`",
    );
    check_refused(
        |state| drop(state.files.remove("CHANGELOG.md")),
        "there is no CHANGELOG.md",
    );
    check_refused(
        |state| drop(state.files.remove("Cargo.toml")),
        "there is no Cargo.toml",
    );
}

#[test]
fn all_reasons_are_said_at_once() {
    let state = State {
        branch: None,
        commit: "abc".to_owned(),
        changes: vec!["?? b".to_owned()],
        committer: None,
        tags: vec!["v0.2.0".to_owned()],
        files: BTreeMap::new(),
    };
    let reasons = plan(&state, "0.2.0").unwrap_err();
    assert_eq!(reasons.matches("\n  - ").count(), 7, "{reasons}");
}

#[test]
fn versions_rise() {
    // The first release may be of the version that stands there.
    check_order(&[], "0.1.0", "0.1.0", None);
    check_order(
        &[],
        "0.1.0",
        "0.1.0-rc.1",
        Some("lower than 0.1.0, the version in Cargo.toml"),
    );
    check_order(&[], "0.1.0", "0.0.9", Some("lower than 0.1.0"));
    check_order(
        &["v0.1.0"],
        "0.1.0",
        "0.1.0",
        Some("there is a tag v0.1.0 already"),
    );
    check_order(&["v0.1.0"], "0.1.0", "0.1.1", None);
    check_order(&["v0.1.0"], "0.1.0", "1.0.0", None);
    check_order(
        &["v0.9.0", "v0.10.0"],
        "0.9.0",
        "0.9.1",
        Some("not higher than 0.10.0, which is released"),
    );
    check_order(&["v0.10.0", "v0.9.0"], "0.10.0", "0.11.0", None);
    // Other tags are no releases.
    check_order(&["vendor", "v2"], "0.1.0", "0.2.0", None);
}

#[test]
fn versions_before_a_release_are_lower_than_it() {
    check_order(&["v0.1.0"], "0.1.0", "0.2.0-rc.1", None);
    check_order(&["v0.2.0-rc.1"], "0.2.0-rc.1", "0.2.0-rc.2", None);
    check_order(&["v0.2.0-rc.2"], "0.2.0-rc.2", "0.2.0-rc.10", None);
    check_order(
        &["v0.2.0-rc.10"],
        "0.2.0-rc.10",
        "0.2.0-rc.9",
        Some("not higher than 0.2.0-rc.10"),
    );
    check_order(&["v0.2.0-rc.2"], "0.2.0-rc.2", "0.2.0", None);
    check_order(
        &["v0.2.0"],
        "0.2.0",
        "0.2.0-rc.3",
        Some("not higher than 0.2.0"),
    );
    check_order(
        &["v0.2.0"],
        "0.2.0",
        "0.2.0+2",
        Some("\"+2\" does not order versions"),
    );
}

#[test]
fn a_version_that_is_in_place_is_not_changed() {
    let plan = plan(&state(), "0.1.0").unwrap();
    let paths: Vec<_> = plan.edits.iter().map(|edit| edit.path.as_str()).collect();
    assert_eq!(paths, ["CHANGELOG.md"]);
}
