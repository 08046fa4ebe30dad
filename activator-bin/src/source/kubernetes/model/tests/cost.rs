//! What an event costs, and what is kept.

use std::hint::black_box;

use super::scene::Scene;

/// A model of so many revisions that sleep behind two activators.
fn sleeping(revisions: usize) -> Scene {
    let mut scene = Scene::default();
    for index in 0..revisions {
        scene.step(&format!("revision r-{index:05}"));
        scene.step(&format!("private r-{index:05}-private-abcde r-{index:05}"));
        scene.step(&format!(
            "public r-{index:05}-abcde r-{index:05} 10.0.0.100 10.0.0.101"
        ));
    }
    scene.report();
    scene
}

#[test]
fn a_change_of_one_pod_costs_the_same_among_ten_revisions_and_ten_thousand() {
    let cost = |revisions| {
        let mut scene = sleeping(revisions);
        let private = "private r-00007-private-abcde r-00007";
        // So that all tables have their size.
        scene.step(&format!("{private} 10.0.1.1@u 10.0.1.2@v"));
        scene.report();
        let step = format!("{private} 10.0.1.1@u 10.0.1.2@v!");
        let measured = allocation_counter::measure(|| {
            scene.step(&step);
            assert_eq!(black_box(scene.model.changes()).len(), 1);
        });
        (measured.count_total, measured.bytes_total)
    };
    assert_eq!(cost(10), cost(10_000));
}

#[test]
fn a_sleeping_revision_takes_little() {
    const COUNT: usize = 10_000;
    /// Its specification is shared with the table of revisions.
    const BYTES: usize = 650;
    let mut scene = None;
    let measured = allocation_counter::measure(|| scene = Some(sleeping(COUNT)));
    let mut scene = scene.unwrap();
    assert_eq!(scene.reported.len(), COUNT);
    assert_eq!(scene.model.activators.len(), 1);
    let reported = allocation_counter::measure(|| drop(std::mem::take(&mut scene.reported)));
    let each = (measured.bytes_current + reported.bytes_current) / COUNT as i64;
    assert!(each <= BYTES as i64, "{each} bytes");
}
