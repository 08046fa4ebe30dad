//! The task and the requests, in paused time.

use tokio::task::{LocalSet, spawn_local};
use tokio::time::sleep;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn limits(total: u32, response_start: Option<u32>, idle: Option<u32>) -> TimeoutLimits {
    TimeoutLimits {
        total: total * MS,
        response_start: response_start.map(|it| it * MS),
        idle: idle.map(|it| it * MS),
    }
}

/// Runs `test` concurrently with the task.
async fn beside_the_task<F: Future>(test: impl FnOnce(Rc<Timeouts<Rc<()>>>) -> F) {
    let timeouts = Rc::new(Timeouts::new(|held, _| drop(held)));
    let task = Rc::clone(&timeouts);
    let tasks = LocalSet::new();
    tasks.spawn_local(async move { task.run().await });
    tasks.run_until(test(timeouts)).await;
}

/// Activity after each of these intervals in milliseconds, and none after that. Expects the total time and the limit
/// exceeded.
async fn check(limits: TimeoutLimits, signs: &'static [u32], expected: (u32, TimeoutKind)) {
    beside_the_task(|timeouts| async move {
        let begin = Instant::now();
        let deadline = Rc::new(timeouts.begin(&limits, begin));
        let answer = Rc::clone(&deadline);
        let answering = spawn_local(async move {
            for (index, &sign) in signs.iter().enumerate() {
                sleep(sign * MS).await;
                match index {
                    0 => answer.on_start(),
                    _ => answer.on_activity(),
                }
            }
        });
        let met = deadline.until_met().await;
        answering.abort();
        let (least, kind) = expected;
        let took = begin.elapsed();
        assert_eq!(met, kind);
        // tokio's timers have a resolution of a millisecond.
        let most = least * MS + RESOLUTION + MS;
        assert!((least * MS..=most).contains(&took), "{took:?} {limits:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_first_limit_that_is_met_ends_a_request() {
    use TimeoutKind::{Idle, ResponseStart, Total};
    check(limits(300, None, None), &[], (300, Total)).await;
    check(limits(300, None, None), &[10, 200], (300, Total)).await;
    check(limits(300, Some(50), None), &[], (50, ResponseStart)).await;
    check(limits(300, Some(50), None), &[40], (300, Total)).await;
    check(limits(300, Some(50), None), &[70], (50, ResponseStart)).await;
    check(limits(300, None, Some(50)), &[], (50, Idle)).await;
    check(limits(300, None, Some(50)), &[40, 40, 40], (170, Idle)).await;
    check(limits(100, None, Some(50)), &[40, 40, 40], (100, Total)).await;
    check(limits(300, Some(50), Some(100)), &[40], (140, Idle)).await;
}

#[tokio::test(start_paused = true)]
async fn the_held_value_is_given_up_at_the_limit_without_a_poll() {
    beside_the_task(|timeouts| async move {
        let deadline = timeouts.begin(&limits(100, None, None), Instant::now());
        let held = Rc::new(());
        deadline.hold(Rc::clone(&held));
        sleep(90 * MS).await;
        assert_eq!(Rc::strong_count(&held), 2);
        assert!(deadline.met().is_none());
        sleep(30 * MS).await;
        assert_eq!(Rc::strong_count(&held), 1);
        assert!(deadline.take().is_none());
        deadline.hold(Rc::clone(&held));
        assert_eq!(Rc::strong_count(&held), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_shorter_limit_is_noticed_while_the_task_waits_for_a_longer_one() {
    beside_the_task(|timeouts| async move {
        let begin = Instant::now();
        let _long = timeouts.begin(&limits(10_000, None, None), begin);
        sleep(5 * MS).await;
        let short = timeouts.begin(&limits(20, None, None), Instant::now());
        short.until_met().await;
        assert!(begin.elapsed() < 100 * MS);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_ended_request_is_never_checked_again() {
    beside_the_task(|timeouts| async move {
        for _ in 0..3 {
            let held = Rc::new(());
            let deadline = timeouts.begin(&limits(100, Some(50), Some(30)), Instant::now());
            deadline.hold(Rc::clone(&held));
            drop(deadline);
            assert_eq!(Rc::strong_count(&held), 1);
            sleep(300 * MS).await;
            // The next request wakes the task again.
            assert_eq!(timeouts.next_check.get(), None);
        }
    })
    .await;
}

#[test]
fn rearming_deadlines_does_not_allocate() {
    let timeouts = Rc::new(Timeouts::<Rc<()>>::new(|held, _| drop(held)));
    let limits = limits(300_000, Some(60_000), Some(10_000));
    let wave = |deadlines: &mut Vec<_>| {
        for _ in 0..1_000 {
            let deadline = timeouts.begin(&limits, Instant::now());
            deadline.on_start();
            deadline.on_activity();
            deadlines.push(deadline);
        }
        deadlines.clear();
    };
    let mut deadlines = Vec::new();
    wave(&mut deadlines);
    let measured = allocation_counter::measure(|| wave(&mut deadlines));
    assert_eq!(measured.count_total, 0);
}
