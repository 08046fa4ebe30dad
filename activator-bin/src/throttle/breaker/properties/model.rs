//! The naive model: lists, all of which are scanned every time.

use super::*;

/// The obvious way to keep the same state.
#[derive(Default)]
pub(super) struct Model {
    pub(super) container_concurrency: u32,
    pub(super) queue_depth: usize,
    pub(super) closed: bool,
    pub(super) arrivals: u64,
    pub(super) waiting: BTreeSet<u64>,
    /// Those that wait, or did, only while a backend is ready.
    pub(super) only_while_ready: BTreeSet<u64>,
    /// Granted slots, collected or not: the arrival and its backend.
    pub(super) slots: BTreeMap<u64, SocketAddr>,
    /// Ordered by text.
    pub(super) ready: BTreeMap<String, SocketAddr>,
    /// The limits of those that have one of their own.
    pub(super) limits: BTreeMap<SocketAddr, u32>,
    /// Round robin continues after this one.
    pub(super) last_pick: Option<String>,
    /// Seconds.
    pub(super) now: u64,
    pub(super) failed_until: Option<u64>,
    /// What was waited for and is not yet reached.
    pub(super) watched: Vec<State>,
}

impl Model {
    pub(super) fn load(&self, backend: SocketAddr) -> usize {
        self.slots.values().filter(|&&slot| slot == backend).count()
    }

    pub(super) fn has_room(&self, backend: SocketAddr) -> bool {
        let own = self.limits.get(&backend);
        let limit = own.copied().unwrap_or(self.container_concurrency);
        self.container_concurrency == 0 || self.load(backend) < limit as usize
    }

    pub(super) fn has_failed(&self) -> bool {
        self.ready.is_empty() && self.failed_until.is_some_and(|until| self.now < until)
    }

    pub(super) fn holds(&self, state: State) -> bool {
        match state {
            State::Ready => !self.ready.is_empty(),
            State::Starving => !self.waiting.is_empty() && self.ready.is_empty(),
            State::Idle => self.waiting.is_empty() && self.slots.is_empty(),
            State::Vacated(backend) => {
                self.load(backend) == 0 && !self.ready.contains_key(&backend.to_string())
            }
        }
    }

    pub(super) fn with_room(&self) -> Vec<&String> {
        let with_room = |(_, backend): &(_, &SocketAddr)| self.has_room(**backend);
        let ready = self.ready.iter().filter(with_room);
        ready.map(|(text, _)| text).collect()
    }

    pub(super) fn remove(&mut self, backend: SocketAddr) -> bool {
        let text = backend.to_string();
        let was_ready = self.ready.remove(&text).is_some();
        if was_ready && self.last_pick.as_ref() == Some(&text) {
            // Round robin continues from the same position, now after its neighbour.
            let below = self.ready.range(..text).next_back();
            self.last_pick = below.map(|(text, _)| text.clone());
        }
        was_ready
    }

    /// Checks that the choice of this backend was allowed, and records the slot.
    pub(super) fn take(&mut self, arrival: u64, backend: SocketAddr) {
        let picked = backend.to_string();
        let with_room = self.with_room();
        assert!(with_room.contains(&&picked), "{picked} is not free");
        match self.container_concurrency {
            0 => {
                let less_loaded = |&&text: &&&String| {
                    let other = self.ready[text];
                    other != backend && self.load(other) < self.load(backend)
                };
                let better = with_room.iter().filter(less_loaded).count();
                assert!(
                    with_room.len() == 1 || better < with_room.len() - 1,
                    "{picked} is the most loaded one"
                );
            }
            1..=3 => assert_eq!(with_room.first(), Some(&&picked)),
            _ => {
                let above = |text: &&&String| Some(**text) > self.last_pick.as_ref();
                let turn = with_room.iter().find(above).or(with_room.first());
                assert_eq!(turn, Some(&&picked), "after {:?}", self.last_pick);
            }
        }
        self.last_pick = Some(picked);
        self.only_while_ready.remove(&arrival);
        let before = self.slots.insert(arrival, backend);
        assert_eq!(before, None, "{arrival} has a slot already");
    }
}
