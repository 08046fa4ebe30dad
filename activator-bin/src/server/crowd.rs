//! The client connections of all workers. Idle ones can be asked to close: the one that has been idle longest, to make
//! room for a new client, and those that have been idle for too long.
//!
//! What must not live here: how a connection ends.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use slab::Slab;
use tokio::time::Instant;

use crate::client::idleness::{Idleness, nanos, now};

/// How long a connection must have been idle to be asked: after a response, the client's next request may be on its
/// way.
const GRACE: Duration = Duration::from_millis(20);

/// How many idle connections one scan of all connections collects.
const FOUND: usize = 64;

/// All connections.
#[derive(Default)]
pub(super) struct Crowd(Mutex<Members>);

#[derive(Default)]
struct Members {
    all: Slab<Arc<Idleness>>,
    /// Those that had been idle longest at the last scan, with the time since when.
    longest: VecDeque<(u64, Arc<Idleness>)>,
    /// When the last scan was.
    scanned: Option<Instant>,
    /// When the last sweep was.
    swept: Option<Instant>,
}

impl Crowd {
    /// Adds a connection, and returns its key.
    pub(super) fn enter(&self) -> (Arc<Idleness>, usize) {
        let idleness = Idleness::new();
        let key = self.0.lock().all.insert(Arc::clone(&idleness));
        (idleness, key)
    }

    pub(super) fn leave(&self, key: usize) {
        self.0.lock().all.remove(key);
    }

    /// Asks the connection that has been idle longest to close, if there is one. It may not close: a request may
    /// arrive first.
    pub(super) fn ask_longest(&self) {
        let mut members = self.0.lock();
        let until = now().saturating_sub(nanos(GRACE));
        while let Some((since, idle)) = members.next(until) {
            // It may have been used since the scan, or asked already.
            if idle.since() == Some(since) && !idle.is_asked() {
                idle.ask();
                return;
            }
        }
    }

    /// Asks all that have been idle for longer than `timeout` to close. To be called periodically, by any number of
    /// workers.
    pub(super) fn sweep(&self, timeout: Duration) {
        /// Per `timeout`; scanning a hundred thousand connections takes some milliseconds.
        const SCANS: u32 = 8;
        let mut members = self.0.lock();
        let pause = (timeout / SCANS).min(Duration::from_secs(60));
        if members.swept.is_some_and(|swept| swept.elapsed() < pause) {
            return;
        }
        members.swept = Some(Instant::now());
        let until = now().saturating_sub(nanos(timeout));
        let is_late = |idle: &Idleness| idle.since().is_some_and(|since| since <= until);
        let late = members.all.iter().filter(|(_, idle)| is_late(idle));
        late.for_each(|(_, idle)| idle.ask());
    }
}

impl Members {
    /// The next connection idle since `until` or longer, the longest first.
    fn next(&mut self, until: u64) -> Option<(u64, Arc<Idleness>)> {
        if self.longest.is_empty() {
            let recent = |scanned: Instant| scanned.elapsed() < GRACE;
            if self.scanned.is_some_and(recent) {
                return None;
            }
            self.scanned = Some(Instant::now());
            let idle = self.all.iter().filter_map(|(_, idle)| {
                let since = idle.since().filter(|since| *since <= until)?;
                Some((since, idle))
            });
            let mut idle: Vec<_> = idle.filter(|(_, idle)| !idle.is_asked()).collect();
            if idle.len() > FOUND {
                idle.select_nth_unstable_by_key(FOUND, |(since, _)| *since);
                idle.truncate(FOUND);
            }
            idle.sort_unstable_by_key(|(since, _)| *since);
            let found = idle.iter().map(|(since, idle)| (*since, Arc::clone(idle)));
            self.longest = found.collect();
        }
        self.longest.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::idleness::FIRST;

    const MORE: Duration = GRACE.saturating_mul(2);

    /// `count` connections that became idle one after the other.
    async fn crowd(count: usize) -> (Crowd, Vec<Arc<Idleness>>) {
        let crowd = Crowd::default();
        let mut all = Vec::new();
        for _ in 0..count {
            tokio::time::advance(MORE).await;
            let (idle, _) = crowd.enter();
            idle.begin();
            all.push(idle);
        }
        (crowd, all)
    }

    fn asked(all: &[Arc<Idleness>]) -> Vec<usize> {
        let asked = all.iter().enumerate().filter(|(_, idle)| idle.is_asked());
        asked.map(|(index, _)| index).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_one_that_has_been_idle_for_longest_is_asked_and_none_in_use() {
        let (crowd, all) = crowd(200).await;
        all[0].end();
        tokio::time::advance(MORE).await;
        all[1].begin();
        tokio::time::advance(MORE).await;
        for expected in 2..200 {
            crowd.ask_longest();
            assert_eq!(asked(&all), (2..=expected).collect::<Vec<_>>());
            tokio::time::advance(MORE).await;
        }
        crowd.ask_longest();
        assert_eq!(asked(&all).first(), Some(&1), "the first one is in use");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_was_used_since_it_was_found_is_not_asked() {
        let (crowd, all) = crowd(3).await;
        tokio::time::advance(MORE).await;
        crowd.ask_longest();
        all[1].end();
        all[1].begin();
        crowd.ask_longest();
        assert_eq!(asked(&all), [0, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn neither_a_new_one_nor_one_that_has_just_had_a_response_is_asked() {
        let crowd = Crowd::default();
        let (idle, _) = crowd.enter();
        tokio::time::advance(FIRST).await;
        crowd.ask_longest();
        assert!(!idle.is_asked());
        tokio::time::advance(MORE).await;
        crowd.ask_longest();
        assert!(idle.is_asked());
        idle.asked().await;
        idle.begin();
        crowd.ask_longest();
        assert!(!idle.is_asked());
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_have_been_idle_for_too_long_are_asked() {
        let timeout = Duration::from_secs(60);
        let (crowd, all) = crowd(3).await;
        all[1].end();
        crowd.sweep(timeout);
        assert_eq!(asked(&all), [0; 0]);
        tokio::time::advance(timeout + MORE).await;
        all[2].begin();
        crowd.sweep(timeout);
        assert_eq!(asked(&all), [0]);
    }
}
