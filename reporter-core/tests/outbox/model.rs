//! The outbox as a list of parcels: every message ever pushed, and its state.
//!
//! Nothing is merged or moved here. The content of a frame is computed from all parcels.

use std::collections::BTreeMap;

use reporter_core::{Batch, RevisionKey, Stat, StatMessage};

#[derive(Default)]
pub(crate) struct Model {
    /// In the order in which they were pushed.
    parcels: Vec<Parcel>,
    frames: u64,
}

struct Parcel {
    message: StatMessage,
    state: State,
    /// The key was forgotten after this was pushed.
    outdated: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Waiting,
    Sent(u64),
    Confirmed,
}

impl Model {
    pub(crate) fn push(&mut self, batch: &Batch) {
        for message in &batch.messages {
            self.parcels.push(Parcel {
                message: message.clone(),
                state: State::Waiting,
                outdated: false,
            });
        }
        for parcel in &mut self.parcels {
            parcel.outdated |= batch.forgotten.contains(&parcel.message.key);
        }
    }

    /// The messages of the next frame, none when nothing waits.
    pub(crate) fn next_frame(&mut self, limit: usize) -> Vec<StatMessage> {
        let mut oldest = Vec::<RevisionKey>::new();
        for parcel in self.in_state(State::Waiting) {
            if !oldest.contains(&parcel.message.key) {
                oldest.push(parcel.message.key.clone());
            }
        }
        oldest.truncate(limit.max(1));
        if oldest.is_empty() {
            return Vec::new();
        }
        self.frames += 1;
        oldest.into_iter().map(|key| self.send(key)).collect()
    }

    fn send(&mut self, key: RevisionKey) -> StatMessage {
        let waits =
            |parcel: &&mut Parcel| parcel.state == State::Waiting && parcel.message.key == key;
        let mut stat = Stat {
            average_concurrent_requests: 0.0,
            request_count: 0,
        };
        for parcel in self.parcels.iter_mut().filter(waits) {
            parcel.state = State::Sent(self.frames);
            stat.request_count += parcel.message.stat.request_count;
            stat.average_concurrent_requests = if parcel.outdated {
                0.0
            } else {
                parcel.message.stat.average_concurrent_requests
            };
        }
        StatMessage { key, stat }
    }

    /// Answers how many frames that confirms. Numbers of frames never cut confirm nothing.
    pub(crate) fn confirm(&mut self, sequence: u64) -> usize {
        let frames = self.sent();
        if sequence > self.frames {
            return 0;
        }
        for parcel in &mut self.parcels {
            if matches!(parcel.state, State::Sent(frame) if frame <= sequence) {
                parcel.state = State::Confirmed;
            }
        }
        frames.range(..=sequence).count()
    }

    /// Answers how many frames that takes back.
    pub(crate) fn lose_link(&mut self) -> usize {
        let frames = self.sent().len();
        for parcel in &mut self.parcels {
            if matches!(parcel.state, State::Sent(_)) {
                parcel.state = State::Waiting;
            }
        }
        frames
    }

    pub(crate) fn unconfirmed_frames(&self) -> usize {
        self.sent().len()
    }

    pub(crate) fn waiting_keys(&self) -> usize {
        let keys: Vec<_> = self.in_state(State::Waiting).collect();
        let keys = keys.iter().map(|parcel| &parcel.message.key);
        keys.collect::<std::collections::BTreeSet<_>>().len()
    }

    pub(crate) fn unconfirmed_requests(&self) -> u64 {
        let parcels = self.parcels.iter();
        let open = parcels.filter(|parcel| parcel.state != State::Confirmed);
        open.map(|parcel| parcel.message.stat.request_count).sum()
    }

    /// Requests pushed so far.
    pub(crate) fn requests(&self) -> u64 {
        let parcels = self.parcels.iter();
        parcels
            .map(|parcel| parcel.message.stat.request_count)
            .sum()
    }

    fn in_state(&self, state: State) -> impl Iterator<Item = &Parcel> {
        self.parcels
            .iter()
            .filter(move |parcel| parcel.state == state)
    }

    /// Frames on their way, and how many parcels each holds.
    fn sent(&self) -> BTreeMap<u64, usize> {
        let mut frames = BTreeMap::new();
        for parcel in &self.parcels {
            if let State::Sent(frame) = parcel.state {
                *frames.entry(frame).or_default() += 1;
            }
        }
        frames
    }
}
