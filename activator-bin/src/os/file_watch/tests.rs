//! When files that are being written are read, in virtual time.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::Write;

use tokio::time::Instant;

use super::*;

struct Scene {
    path: PathBuf,
    watch: Watch,
}

impl Scene {
    async fn new(test: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("activator-watch-{test}-{}", std::process::id()));
        fs::write(&path, "before").unwrap();
        let watch = Watch::new(path.clone()).await;
        Self { path, watch }
    }

    /// How many seconds it takes until there is something to read.
    async fn seconds(&mut self) -> u64 {
        let begin = Instant::now();
        self.watch.changed().await;
        begin.elapsed().as_secs()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[tokio::test(start_paused = true)]
async fn a_shrunk_file_that_is_still_open_gets_time() {
    let mut it = Scene::new("smaller").await;
    let mut file = File::create(&it.path).unwrap();
    file.write_all(b"half").unwrap();
    let waited = it.seconds().await;
    assert!((9..=12).contains(&waited), "{waited}");
}

#[tokio::test(start_paused = true)]
async fn a_grown_file_is_read_when_two_polls_agree() {
    let mut it = Scene::new("larger").await;
    let mut file = File::options().append(true).open(&it.path).unwrap();
    file.write_all(b"and more").unwrap();
    let waited = it.seconds().await;
    assert!((1..=3).contains(&waited), "{waited}");
}

#[tokio::test(start_paused = true)]
async fn a_change_waiting_to_settle_survives_cancellation() {
    let mut it = Scene::new("news").await;
    fs::write(&it.path, "behind").unwrap();
    let mut dropped = 0;
    // Each attempt but the last is dropped before the file has settled.
    while it.watch.news.is_none() {
        let _ = tokio::time::timeout(SETTLE / 2, it.watch.changed()).await;
        dropped += 1;
        assert!(dropped < 100);
    }
    assert_eq!(it.seconds().await, 0);
    assert!(!it.watch.is_stale().await);
}
