//! What a sleeping revision costs.

use super::tests::revision;
use super::*;

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
