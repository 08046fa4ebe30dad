//! What happens while no backend is ready, and who is told of it.

use super::*;

impl Both {
    pub(super) fn arrive_while_ready(&mut self) {
        let Some(arrival) = self.arrive_to_wait() else {
            return;
        };
        let answer = self.breaker.may_wait_while_ready();
        let is_ready = !self.model.ready.is_empty();
        assert_eq!(answer.is_ok(), is_ready && self.may_wait(false));
        match answer {
            Err(NotQueued::NotReady) => assert!(!self.model.closed && !is_ready),
            Err(why) => self.check_refusal(&why),
            Ok(()) => {
                let ticket = self.breaker.enqueue_while_ready(arrival);
                self.tickets.insert(arrival, ticket);
                self.model.waiting.insert(arrival);
                self.model.only_while_ready.insert(arrival);
            }
        }
    }

    /// Those who wait only while a backend is ready leave the queue when none is.
    pub(super) fn check_dismissed(&mut self) {
        let dismissed = self.breaker.take_dismissed();
        let mut expected = Vec::new();
        if self.model.ready.is_empty() {
            let waiting = &self.model.waiting;
            let leaving = self.model.only_while_ready.intersection(waiting);
            expected.extend(leaving.copied());
        }
        assert_eq!(dismissed, expected, "in order of arrival");
        for arrival in dismissed {
            self.model.waiting.remove(&arrival);
        }
    }

    /// Those who wait are woken if what they wait for is reached, and look again.
    pub(super) fn check_watched(&mut self) {
        let is_reached = self.breaker.take_reached();
        let mut watched = std::mem::take(&mut self.model.watched);
        let (before, one_vacated) = (watched.len(), |it: &State| matches!(it, State::Vacated(_)));
        watched.retain(|&state| {
            let holds = self.model.holds(state);
            assert!(is_reached || !holds, "nobody was told of {state:?}");
            if is_reached {
                assert_eq!(self.breaker.watch(state), holds);
            }
            !holds
        });
        let is_for_nothing = is_reached && watched.len() == before;
        assert!(!is_for_nothing || watched.iter().any(one_vacated));
        self.model.watched = watched;
    }

    pub(super) fn fail(&mut self, seconds: u64) {
        let until = self.model.now + seconds;
        self.model.failed_until = Some(until);
        let failure = Failure {
            until: self.at(until),
            why: until.to_string(),
        };
        let refused: Vec<u64> = self.breaker.set_failure(Some(Arc::new(failure))).collect();
        let mut expected = BTreeSet::new();
        if self.model.ready.is_empty() {
            expected = std::mem::take(&mut self.model.waiting);
        }
        assert!(refused.into_iter().eq(expected), "in order of arrival");
    }

    /// Whether a request that arrived, or comes back, may wait.
    pub(super) fn may_wait(&self, is_back: bool) -> bool {
        let has_room = is_back || self.model.waiting.len() < self.model.queue_depth;
        !self.model.closed && !self.model.has_failed() && has_room
    }

    /// Whether a refusal is the right one.
    pub(super) fn check_refusal(&self, why: &NotQueued) {
        match why {
            NotQueued::Closed => assert!(self.model.closed),
            NotQueued::Failed(failure) => {
                assert!(!self.model.closed && self.model.has_failed());
                let until = self.model.failed_until.unwrap();
                assert_eq!(failure.until, self.at(until));
            }
            NotQueued::QueueFull => {
                assert!(self.model.waiting.len() >= self.model.queue_depth);
            }
            NotQueued::NotReady => panic!("it would wait for a backend"),
        }
    }
}
