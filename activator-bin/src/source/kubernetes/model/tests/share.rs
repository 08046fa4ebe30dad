//! The place of an activator, at 10.0.0.100, among those of a revision.

use super::{after, check};

#[test]
fn the_share_is_the_place_among_the_activators_as_text() {
    for (activators, expected) in [
        ("10.0.0.100", "a | 0/1"),
        ("10.0.0.100 10.0.0.11", "a | 0/2"),
        ("10.0.0.100 10.0.0.1", "a | 1/2"),
        ("10.0.0.9 10.0.0.100", "a | 0/2"),
        ("10.0.0.2 10.0.0.100 10.0.0.10 9.0.0.1", "a | 1/4"),
        ("10.0.0.1 10.0.0.100 10.0.0.1", "a | 1/2"),
        // Only those that are ready count.
        ("10.0.0.1! 10.0.0.100 10.0.0.10-", "a | 0/1"),
        // Without this one nothing is known.
        ("10.0.0.1 10.0.0.2", "a"),
        ("10.0.0.100!", "a"),
        ("", "a"),
        // Nor without its port.
        ("http2=8013 10.0.0.100", "a"),
        ("https=8112 10.0.0.100", "a"),
        ("http=8012 https=8112 10.0.0.1 10.0.0.100", "a | 1/2"),
        // An activator has one address of each family.
        ("10.0.0.1 10.0.0.100 fd00::1 fd00::100", "a | 1/2"),
    ] {
        let public = format!("public p a {activators}");
        check(&["revision a", &public], &[expected]);
        check(&[&public, "revision a"], &[expected]);
    }
    check(
        &[
            "revision a h2c",
            "public p a http2=8013 10.0.0.100 10.0.0.1",
        ],
        &["a http2 | 1/2"],
    );
    check(
        &[
            "own fd00::9",
            "revision a",
            "public p a fd00::10 fd00::9 10.0.0.1",
        ],
        &["a | 1/2"],
    );
    // Outside of a cluster there is no place.
    check(&["own none", "revision a", "public p a 10.0.0.100"], &["a"]);
}

#[test]
fn several_slices_list_the_activators_together() {
    check(
        &[
            "revision a",
            "public p a 10.0.0.3 10.0.0.100",
            "public q a 10.0.0.1 10.0.0.3",
            "public r a http2=8013 10.0.0.2",
        ],
        &["a | 1/3"],
    );
    check(
        &[
            "revision a",
            "public p a 10.0.0.3 10.0.0.100",
            "public q a 10.0.0.1",
            "-slice q",
        ],
        &["a | 0/2"],
    );
}

#[test]
fn the_share_stays_while_this_activator_is_not_on_the_way() {
    let begin = ["revision a", "public p a 10.0.0.1 10.0.0.100"];
    for (last, expected) in [
        ("public p a 10.0.0.1", "a | 1/2"),
        ("public p a 10.1.0.1 10.1.0.2 10.1.0.3", "a | 1/2"),
        ("-slice p", "a | 1/2"),
        ("revision a concurrency=10", "a cc:10 | 1/2"),
        ("revision a h2c", "a http2 | 1/2"),
        ("private p a 10.0.0.1-", "a | 1/2"),
        ("public p a 10.0.0.2 10.0.0.3 10.0.0.100", "a | 0/3"),
    ] {
        let steps = [begin[0], begin[1], last];
        assert_eq!(after(&steps), [expected], "{last}");
    }
    // Another revision of the same name begins anew.
    let gone = ["public p a 10.0.0.1", "-revision a", "revision a"];
    assert_eq!(after(&[&begin[..], &gone].concat()), ["a"]);
}
