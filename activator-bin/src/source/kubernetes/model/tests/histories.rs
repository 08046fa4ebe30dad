//! Random histories, compared with what is worked out from all objects after each step.

use proptest::prelude::*;
use proptest::sample::select;

use super::Scene;
use super::naive::{ADDRESSES, Endpoint, NAMES, Objects, PORTS, Revision, SLICES, Slice};

#[derive(Clone, Debug)]
enum Step {
    PutRevision(Revision),
    PutSlice(Slice),
    DeleteRevision(&'static str),
    DeleteSlice(&'static str),
    /// After a gap. Whether the list ends.
    ListRevisions(Vec<Revision>, bool),
    ListSlices(Vec<Slice>, bool),
    Tls(bool),
}

fn revision() -> impl Strategy<Value = Revision> {
    let fields = (select(&NAMES), prop::bool::weighted(0.3), 0..3_u32);
    fields.prop_map(|(name, is_h2c, concurrency)| Revision {
        name,
        is_h2c,
        concurrency,
    })
}

fn slice() -> impl Strategy<Value = Slice> {
    let endpoint = (
        select(&ADDRESSES),
        prop::option::of(0..4_u8),
        select(&[' ', ' ', '!', '-', '~', '?']),
    );
    let endpoint = endpoint.prop_map(|(address, uid, mark)| Endpoint { address, uid, mark });
    (
        select(&SLICES),
        prop::bool::weighted(0.2),
        select(&["private", "private", "private", "public", "public", "other"]),
        select(&NAMES),
        0..4_u32,
        select(&PORTS),
        prop::collection::vec(endpoint, 0..5),
    )
        .prop_map(
            |(name, is_endpoints, kind, revision, version, ports, endpoints)| Slice {
                name,
                is_endpoints,
                kind,
                revision,
                version,
                ports,
                endpoints,
            },
        )
}

fn step() -> impl Strategy<Value = Step> {
    let many = 0..5;
    let ends = || prop::bool::weighted(0.8);
    prop_oneof![
        3 => revision().prop_map(Step::PutRevision),
        8 => slice().prop_map(Step::PutSlice),
        1 => select(&NAMES).prop_map(Step::DeleteRevision),
        3 => select(&SLICES).prop_map(Step::DeleteSlice),
        1 => (prop::collection::vec(revision(), many.clone()), ends())
            .prop_map(|(all, ends)| Step::ListRevisions(all, ends)),
        1 => (prop::collection::vec(slice(), many), ends()).prop_map(|(all, ends)| Step::ListSlices(all, ends)),
        1 => any::<bool>().prop_map(Step::Tls),
    ]
}

fn take(step: Step, scene: &mut Scene, objects: &mut Objects) {
    match step {
        Step::PutRevision(revision) => {
            scene.step(&revision.step());
            objects.put_revision(revision);
        }
        Step::PutSlice(slice) => {
            scene.step(&slice.step());
            objects.put_slice(slice);
        }
        Step::DeleteRevision(name) => {
            scene.step(&format!("-revision {name}"));
            objects.delete_revision(name);
        }
        Step::DeleteSlice(name) => {
            scene.step(&format!("-slice {name}"));
            objects.delete_slice(name);
        }
        Step::ListRevisions(all, ends) => {
            scene.step("list revisions");
            objects.begin_revisions();
            for revision in all {
                take(Step::PutRevision(revision), scene, objects);
            }
            if ends {
                scene.step("end revisions");
                objects.end_revisions();
            }
        }
        Step::ListSlices(all, ends) => {
            scene.step("list slices");
            objects.begin_slices();
            for slice in all {
                take(Step::PutSlice(slice), scene, objects);
            }
            if ends {
                scene.step("end slices");
                objects.end_slices();
            }
        }
        Step::Tls(has_tls) => {
            scene.step(if has_tls { "tls on" } else { "tls off" });
            objects.has_tls = has_tls;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_reported_is_what_all_objects_say(steps in prop::collection::vec((step(), prop::bool::weighted(0.7)), 1..40)) {
        let mut scene = Scene::default();
        let mut objects = Objects::default();
        for (step, is_reported) in steps {
            take(step, &mut scene, &mut objects);
            if is_reported {
                scene.report();
                prop_assert_eq!(scene.lines(), objects.lines());
            }
        }
        for step in ["list revisions", "end revisions", "list endpoints", "end endpoints"] {
            scene.step(step);
        }
        scene.report();
        prop_assert!(scene.is_empty());
    }
}
