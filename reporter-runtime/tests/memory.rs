//! Allocations of the runtime per request: none, once the key is known.

use allocation_counter::measure;
use reporter_core::{Accounting, RevisionKey};
use reporter_runtime::ConcurrencyReporter;

#[tokio::test]
async fn a_request_for_a_known_key_allocates_nothing() {
    for accounting in [Accounting::Snapshot, Accounting::Average] {
        let (reporter, _task) = ConcurrencyReporter::builder(accounting).spawn();
        let key: RevisionKey = "default/hello".parse().expect("the name is valid");
        let _known = reporter.track(&key);

        let requests = measure(|| {
            for _ in 0..1_000 {
                drop(reporter.track(&key));
            }
        });

        assert_eq!(reporter.in_flight(&key), Some(1));
        assert_eq!(requests.count_total, 0, "{accounting}: {requests:?}");
    }
}
