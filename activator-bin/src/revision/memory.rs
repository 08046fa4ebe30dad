//! What a sleeping revision costs, and a look for one that is awake.

use http::header::HOST;
use http::{HeaderMap, Uri};

use super::name::NamingRules;
use super::tests::revision;
use super::*;
use crate::message::headers::{NAMESPACE, REVISION};

#[tokio::test]
async fn a_sleeping_revision_takes_half_a_kilobyte() {
    const COUNT: usize = 10_000;
    const BYTES: usize = 512;
    let revisions = Revisions::new(Shared::for_tests());
    let names: Vec<_> = (0..COUNT).map(|index| format!("r{index}=1")).collect();
    let measured = allocation_counter::measure(|| {
        for name in &names {
            revisions.put(revision(name)).unwrap();
        }
    });
    let each = measured.bytes_current / COUNT as i64;
    assert!(each <= BYTES as i64, "{each} bytes");
    assert_eq!(revisions.awake().len(), 0);
    assert_eq!(revisions.list().count(), COUNT);
}

#[tokio::test]
async fn a_revision_that_is_awake_is_found_without_an_allocation() {
    let revisions = Revisions::new(Shared::for_tests());
    let listed = ["app.localhost", "*.example.org", "*"];
    let app = RevisionSpec {
        hosts: listed.map(|it| HostPattern::parse(it).unwrap()).into(),
        ..revision("app")
    };
    revisions.put(app).unwrap();
    let rules = NamingRules::for_tests();
    let named = [(NAMESPACE, "ns"), (REVISION, "app")];
    let host = |host| vec![(HOST, host)];
    for headers in [
        named.to_vec(),
        host("app.localhost:8012"),
        host("a.b.c.example.org."),
        host("app.ns.svc.cluster.local"),
        host("[::1]:8012"),
    ] {
        let headers = headers.into_iter();
        let headers = headers.map(|(name, value)| (name, value.parse().unwrap()));
        let (uri, headers) = (Uri::default(), headers.collect::<HeaderMap>());
        let find = || revisions.find(&Naming::of(&uri, &headers, &rules));
        assert!(find().is_some());
        let measured = allocation_counter::measure(|| drop(find()));
        assert_eq!(measured.count_total, 0, "{headers:?}");
    }
}
