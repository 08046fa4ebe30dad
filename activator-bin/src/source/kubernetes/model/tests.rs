//! The model as a whole. A step or an object is a line, see [`scene`].

use super::*;

mod anything;
mod bad_addresses;
mod bad_objects;
mod cost;
mod histories;
mod naive;
mod recorded;
mod revisions;
mod scene;
mod share;

use scene::Scene;

/// What has been reported after these steps, a line for each revision.
fn after(steps: &[&str]) -> Vec<String> {
    let mut scene = Scene::default();
    for step in steps {
        scene.step(step);
        scene.report();
    }
    scene.lines()
}

/// Checks what has been reported after these steps, and that it is the same without a report after each.
#[track_caller]
fn check(steps: &[&str], expected: &[&str]) {
    assert_eq!(after(steps), expected, "{steps:?}");
    let mut scene = Scene::default();
    steps.iter().for_each(|step| scene.step(step));
    scene.report();
    assert_eq!(scene.lines(), expected, "{steps:?}, at once");
}

#[test]
fn a_revision_has_the_pods_of_its_private_slices() {
    check(&["revision a"], &["a"]);
    check(&["private x a 10.0.0.1"], &[]);
    check(
        &["revision a", "private x a 10.0.0.2 10.0.0.1"],
        &["a 10.0.0.1:8012 10.0.0.2:8012"],
    );
    check(
        &["private x a 10.0.0.2 10.0.0.1", "revision a"],
        &["a 10.0.0.1:8012 10.0.0.2:8012"],
    );
    check(
        &[
            "private x a 10.0.0.1",
            "private y a 10.0.0.2",
            "private z b 10.0.0.3",
            "revision b",
            "revision a",
        ],
        &["a 10.0.0.1:8012 10.0.0.2:8012", "b 10.0.0.3:8012"],
    );
}

#[test]
fn objects_that_are_gone_take_what_they_said_with_them() {
    check(&["revision a", "-revision a"], &[]);
    check(&["revision a", "private x a 10.0.0.1", "-slice x"], &["a"]);
    check(
        &[
            "revision a",
            "private x a 10.0.0.1",
            "-revision a",
            "revision a",
        ],
        &["a 10.0.0.1:8012"],
    );
    check(
        &["revision a", "private x a 10.0.0.1", "private x a 10.0.0.2"],
        &["a 10.0.0.2:8012"],
    );
    check(
        &[
            "revision a",
            "revision b",
            "private x a 10.0.0.1",
            "private x b 10.0.0.1",
        ],
        &["a", "b 10.0.0.1:8012"],
    );
    check(
        &["revision a", "private x a 10.0.0.1", "other x a 10.0.0.1"],
        &["a"],
    );
    check(&["-revision a", "-slice x", "revision a"], &["a"]);
}

#[test]
fn a_list_replaces_everything() {
    let begin = [
        "list revisions",
        "revision a",
        "revision b",
        "end revisions",
        "list slices",
        "private x a 10.0.0.1",
        "private y b 10.0.0.2",
        "public p a 10.0.0.100",
        "end slices",
    ];
    let check = |steps: &[&'static str], expected: &[&str]| {
        assert_eq!(after(&[&begin, steps].concat()), expected, "{steps:?}");
    };
    check(&[], &["a 10.0.0.1:8012 | 0/1", "b 10.0.0.2:8012"]);
    check(
        &["list revisions", "revision b", "end revisions"],
        &["b 10.0.0.2:8012"],
    );
    // Until it ends, nothing is gone.
    check(
        &["list revisions", "revision b", "list slices"],
        &["a 10.0.0.1:8012 | 0/1", "b 10.0.0.2:8012"],
    );
    check(
        &["list slices", "private y b 10.0.0.3", "end slices"],
        &["a | 0/1", "b 10.0.0.3:8012"],
    );
    // One that is not completed does not count.
    check(
        &[
            "list slices",
            "private x a 10.0.0.1",
            "list slices",
            "private y b 10.0.0.2",
            "end slices",
        ],
        &["a | 0/1", "b 10.0.0.2:8012"],
    );
    check(&["list slices", "end slices"], &["a | 0/1", "b"]);
    // Where slices are forbidden from now on.
    check(
        &[
            "list endpoints",
            "private endpoints x a 10.0.0.7",
            "end endpoints",
        ],
        &["a 10.0.0.7:8012 | 0/1", "b"],
    );
}

#[test]
fn what_is_ready_is_what_the_conditions_say() {
    let revision = "revision a";
    // `!` is not ready, `-` terminates, `?` has no conditions, `~` is ready and terminates.
    check(
        &[
            revision,
            "private x a 10.0.0.1 10.0.0.2! 10.0.0.3- 10.0.0.4? 10.0.0.5~",
        ],
        &["a 10.0.0.1:8012 10.0.0.2:8012! 10.0.0.4:8012"],
    );
    check(
        &[revision, "private endpoints x a 10.0.0.1 10.0.0.2!"],
        &["a 10.0.0.1:8012 10.0.0.2:8012!"],
    );
}

#[test]
fn a_pod_is_one_backend_however_often_it_is_listed() {
    let revision = "revision a";
    for (slices, expected) in [
        // The newest counts, whichever comes last.
        (["v=2 10.0.0.1@u", "v=1 10.0.0.1@u!"], "a 10.0.0.1:8012"),
        (["v=1 10.0.0.1@u", "v=2 10.0.0.1@u!"], "a 10.0.0.1:8012!"),
        (["v=9 10.0.0.1@u", "v=10 10.0.0.1@u-"], "a"),
        (["v=1 10.0.0.1", "v=2 10.0.0.1!"], "a 10.0.0.1:8012!"),
        (["v=1 10.0.0.1@u", "v=2 10.0.0.2@u"], "a 10.0.0.2:8012"),
        // Of two families that of this activator.
        (["v=1 10.0.0.1@u", "v=2 fd00::1@u!"], "a 10.0.0.1:8012"),
        (["v=1 10.0.0.1@u-", "v=2 fd00::1@u"], "a"),
        (
            ["v=1 10.0.0.1@u", "v=2 fd00::2@w"],
            "a 10.0.0.1:8012 [fd00::2]:8012",
        ),
        // Two pods of one node share its address.
        (["v=1 10.0.0.1@u!", "v=2 10.0.0.1@w"], "a 10.0.0.1:8012"),
        (["v=1 10.0.0.1@u", "v=2 10.0.0.1@w!"], "a 10.0.0.1:8012"),
        (["v=1 10.0.0.1@u-", "v=2 10.0.0.1@w!"], "a 10.0.0.1:8012!"),
        (["v=1 10.0.0.1@u-", "v=2 10.0.0.1@w-"], "a"),
    ] {
        let [x, y] = [("x", slices[0]), ("y", slices[1])]
            .map(|(name, rest)| format!("private {name} a {rest}"));
        check(&[revision, &x, &y], &[expected]);
        check(&[&y, &x, revision], &[expected]);
    }
    check(
        &[
            "own fd00::100",
            revision,
            "private x a 10.0.0.1@u",
            "private y a fd00::1@u!",
        ],
        &["a [fd00::1]:8012!"],
    );
}

#[test]
fn the_port_is_the_one_with_the_name_of_the_protocol() {
    let (http1, h2c) = ("revision a", "revision a h2c");
    check(
        &[h2c, "private x a http2=8013 10.0.0.1"],
        &["a http2 10.0.0.1:8013"],
    );
    check(
        &[http1, "private x a http=80 http2=8013 10.0.0.1"],
        &["a 10.0.0.1:80"],
    );
    check(
        &[h2c, "private x a http=80 http2=81 10.0.0.1"],
        &["a http2 10.0.0.1:81"],
    );
    check(
        &[
            http1,
            "private x a http2=8013 10.0.0.1",
            "private y a 10.0.0.2",
        ],
        &["a 10.0.0.2:8012"],
    );
    check(&[http1, "private x a web=8012 10.0.0.1"], &["a"]);
    // A pod is not the worse for a slice that cannot be used.
    check(
        &[
            http1,
            "private x a v=1 10.0.0.1@u",
            "private y a v=2 web=8012 10.0.0.1@u!",
        ],
        &["a 10.0.0.1:8012"],
    );
    // A new revision of the same name.
    check(
        &[
            http1,
            "private x a http=80 http2=81 10.0.0.1",
            "-revision a",
            h2c,
        ],
        &["a http2 10.0.0.1:81"],
    );
}

#[test]
fn what_does_not_change_is_not_reported() {
    let mut scene = Scene::default();
    scene.step("revision a");
    scene.step("private x a v=1 10.0.0.1@u 10.0.0.2@w!");
    scene.step("public p a 10.0.0.1 10.0.0.100");
    assert_eq!(scene.report(), 1);
    for step in [
        "revision a",
        "private x a v=2 10.0.0.2@w! 10.0.0.1@u",
        "private y a v=1 10.0.0.1@u 10.0.0.3-",
        "private z b 10.0.0.1",
        "public p a 10.0.0.100 10.0.0.1 10.0.0.7!",
        "public q a http2=8013 10.0.0.5",
        "-slice q",
        "-slice y",
        "-slice nothing",
        "-revision b",
        "tls off",
        "list slices",
        "list revisions",
    ] {
        scene.step(step);
        assert_eq!(scene.report(), 0, "{step}");
    }
    scene.step("private x a v=3 10.0.0.1@u 10.0.0.2@w");
    scene.step("-slice x");
    scene.step("revision b");
    assert_eq!(scene.report(), 2);
    assert_eq!(scene.lines(), ["a | 1/2", "b 10.0.0.1:8012"]);
}

#[test]
fn internal_tls_is_for_all_revisions() {
    let mut scene = Scene::default();
    for step in [
        "revision a",
        "revision b",
        "private x a 10.0.0.1",
        "private y c 10.0.0.2",
    ] {
        scene.step(step);
    }
    scene.report();
    scene.step("tls on");
    assert_eq!(scene.report(), 2);
    scene.step("revision c");
    assert_eq!(scene.report(), 1);
    let lines = [
        "a tls:8112 10.0.0.1:8012",
        "b tls:8112",
        "c tls:8112 10.0.0.2:8012",
    ];
    assert_eq!(scene.lines(), lines);
    scene.step("tls off");
    assert_eq!(scene.report(), 3);
    assert_eq!(scene.lines(), ["a 10.0.0.1:8012", "b", "c 10.0.0.2:8012"]);
}

#[test]
fn nothing_stays_of_what_is_gone() {
    let mut scene = Scene::default();
    for step in [
        "revision a",
        "private x a 10.0.0.1",
        "public p a 10.0.0.100",
        "public q b 10.0.0.100",
        "private y b web=1 10.0.0.2",
    ] {
        scene.step(step);
    }
    scene.report();
    assert_eq!(scene.model.activators.len(), 1);
    for step in [
        "-revision a",
        "-slice x",
        "-slice p",
        "-slice q",
        "-slice y",
    ] {
        assert!(!scene.is_empty(), "{step}");
        scene.step(step);
        scene.report();
    }
    assert!(scene.is_empty());
}
