//! The first-request rule under concurrency, with real threads.

use std::sync::Arc;
use std::time::Duration;

use reporter_core::{Accounting, Cause};
use reporter_runtime::ConcurrencyReporter;
use tokio::sync::Barrier;

use crate::ending::dispatches;
use crate::scene::key;
use crate::sink::healthy;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_tasks_that_hit_a_cold_key_at_once_make_one_first_request() {
    const TASKS: usize = 100;
    const ROUNDS: usize = 50;
    let (sink, seen) = healthy();
    let builder = ConcurrencyReporter::builder(Accounting::Average)
        .interval(Duration::from_secs(3_600))
        .sink(sink);
    let (reporter, task) = builder.spawn();
    let barrier = Arc::new(Barrier::new(TASKS));
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (reporter, barrier) = (reporter.clone(), Arc::clone(&barrier));
            tokio::spawn(async move {
                for round in 0..ROUNDS {
                    let cold = key(&format!("cold-{round}"));
                    barrier.wait().await;
                    drop(reporter.track(&cold));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    task.stop().await;

    let mut firsts = vec![0; ROUNDS];
    let mut in_all = vec![0; ROUNDS];
    for dispatch in dispatches(seen).await {
        for message in &dispatch.batch.messages {
            let round = message.key.name().strip_prefix("cold-").unwrap();
            let round: usize = round.parse().unwrap();
            in_all[round] += message.stat.request_count;
            if dispatch.batch.cause == Cause::FirstRequest {
                firsts[round] += message.stat.request_count;
            }
        }
    }
    assert_eq!(firsts, [1; ROUNDS]);
    assert_eq!(in_all, [TASKS as u64; ROUNDS]);
    assert_eq!(reporter.unmatched_outs(), 0);
}
