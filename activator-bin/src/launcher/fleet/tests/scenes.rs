//! Small scenes: each event, and the actions that follow.
//!
//! `UPDATE_FLEET=1` writes the actions into the file.

use std::fs;
use std::path::Path;

use super::super::Fleet;
use super::script::{Names, seconds};

/// Plays one scene. Returns its text with the actions that followed.
fn play(scene: &str) -> String {
    let mut fleet = Fleet::new();
    let mut names = Names::default();
    let mut played = String::new();
    let mut actions = Vec::new();
    for line in scene.lines() {
        if line.starts_with("    ") {
            continue;
        }
        played += &format!("{line}\n");
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (time, event) = line.split_once(' ').unwrap();
        fleet.on(names.event(event), seconds(time), &mut actions);
        for action in actions.drain(..) {
            played += &format!("    {}\n", names.action(&action));
        }
    }
    played
}

#[test]
fn scenes_go_as_written() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/launcher/fleet/tests/scenes.txt");
    let written = fs::read_to_string(&file).unwrap();
    let played: Vec<_> = written
        .split("\n\n")
        .map(|it| play(it.trim_end()))
        .collect();
    let played = played.join("\n");
    if std::env::var_os("UPDATE_FLEET").is_some() {
        fs::write(&file, &played).unwrap();
    }
    for (written, played) in written.split("\n\n").zip(played.split("\n\n")) {
        assert_eq!(played.trim_end(), written.trim_end());
    }
}
