//! The outbox under random pushes, frames, confirmations and broken links, against a model that merges nothing.

mod model;

use std::collections::HashSet;

use proptest::prelude::*;
use reporter_core::{Batch, Frame, Outbox, RevisionKey, Stat, StatMessage};

use model::Model;

#[derive(Clone, Debug)]
enum Op {
    Push(Batch),
    Cut(usize),
    /// The pong of the frame that many before the newest one, whatever became of it.
    Confirm(u64),
    /// The pong of a frame that was never cut.
    ConfirmUnsent(u64),
    Break,
}

fn key(number: usize) -> RevisionKey {
    RevisionKey::try_new("default", &format!("rev-{number}")).expect("the name is valid")
}

fn message(number: usize, average: u8, request_count: u64) -> StatMessage {
    StatMessage {
        key: key(number),
        stat: Stat {
            average_concurrent_requests: f64::from(average),
            request_count,
        },
    }
}

fn batches() -> impl Strategy<Value = Batch> {
    let first = (0..6_usize).prop_map(|number| Batch::first_request(message(number, 1, 1)));
    let said = (0..6_usize, 0..5_u8, 0..9_u64);
    let tick = prop::collection::vec((said, any::<bool>()), 0..6).prop_map(|keys| {
        let mut once = HashSet::new();
        let mut batch = Batch::tick(Vec::new(), Vec::new());
        for ((number, average, count), reported) in keys {
            if once.insert(number) {
                if reported {
                    batch.messages.push(message(number, average, count));
                }
                if average == 0 {
                    batch.forgotten.push(key(number));
                }
            }
        }
        batch
    });
    prop_oneof![first, tick]
}

fn ops(breaks: u32) -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => batches().prop_map(Op::Push),
        4 => prop_oneof![0..4_usize, Just(usize::MAX)].prop_map(Op::Cut),
        2 => (0..4_u64).prop_map(Op::Confirm),
        1 => prop_oneof![1..4_u64, Just(u64::MAX / 2)].prop_map(Op::ConfirmUnsent),
        breaks => Just(Op::Break),
    ];
    prop::collection::vec(op, 0..60)
}

/// An outbox and its model, told the same, compared at each step.
#[derive(Default)]
struct Pair {
    outbox: Outbox,
    model: Model,
    frames: u64,
    /// Requests in all frames that were cut, those sent twice included.
    sent: u64,
}

impl Pair {
    fn apply(&mut self, op: &Op) {
        match op {
            Op::Push(batch) => {
                self.outbox.push(batch);
                self.model.push(batch);
            }
            Op::Cut(limit) => {
                self.cut(*limit);
            }
            Op::Confirm(back) => self.confirm(self.frames.saturating_sub(*back)),
            Op::ConfirmUnsent(ahead) => {
                assert_eq!(self.outbox.confirmed(self.frames + ahead), 0);
            }
            Op::Break => assert_eq!(self.outbox.link_lost(), self.model.lose_link()),
        }
        self.compare();
    }

    fn cut(&mut self, limit: usize) -> bool {
        let expected = self.model.next_frame(limit);
        let frame = self.outbox.next_frame(limit);
        let cut = frame.is_some();
        self.frames += u64::from(cut);
        let messages = frame.map_or_else(Vec::new, |Frame { sequence, messages }| {
            assert_eq!(sequence, self.frames);
            messages
        });
        assert_eq!(messages, expected);
        let counts = messages.iter().map(|message| message.stat.request_count);
        self.sent += counts.sum::<u64>();
        cut
    }

    fn confirm(&mut self, sequence: u64) {
        let frames = self.model.confirm(sequence);
        assert_eq!(self.outbox.confirmed(sequence), frames, "pong {sequence}");
    }

    fn compare(&self) {
        let Self { outbox, model, .. } = self;
        assert_eq!(outbox.waiting_keys(), model.waiting_keys());
        assert_eq!(outbox.unconfirmed_frames(), model.unconfirmed_frames());
        assert_eq!(outbox.unconfirmed_requests(), model.unconfirmed_requests());
        let nothing_left = model.waiting_keys() == 0 && model.unconfirmed_frames() == 0;
        assert_eq!(outbox.is_empty(), nothing_left);
    }

    /// Sends and confirms whatever is left.
    fn drain(&mut self) {
        while self.cut(2) {
            self.compare();
        }
        self.confirm(self.frames);
        self.compare();
        assert!(self.outbox.is_empty());
    }
}

proptest! {
    #[test]
    fn nothing_is_forgotten_and_each_count_is_confirmed_once(ops in ops(1)) {
        let mut pair = Pair::default();
        ops.iter().for_each(|op| pair.apply(op));
        pair.drain();
        prop_assert_eq!(pair.model.unconfirmed_requests(), 0);
        prop_assert!(pair.sent >= pair.model.requests());
    }

    #[test]
    fn without_breaks_each_count_is_sent_exactly_once(ops in ops(0)) {
        let mut pair = Pair::default();
        ops.iter().for_each(|op| pair.apply(op));
        pair.drain();
        prop_assert_eq!(pair.sent, pair.model.requests());
    }

    #[test]
    fn first_requests_leave_in_the_order_in_which_they_came_however_often_the_link_breaks(
        limits in prop::collection::vec(0..5_usize, 0..8),
    ) {
        let mut outbox = Outbox::new();
        let all: Vec<_> = (0..20).map(|number| message(number, 1, 1)).collect();
        let (early, late) = all.split_at(15);
        early.iter().for_each(|first| outbox.push(&Batch::first_request(first.clone())));
        for limit in limits {
            outbox.next_frame(limit);
            outbox.next_frame(limit);
            outbox.link_lost();
        }
        late.iter().for_each(|first| outbox.push(&Batch::first_request(first.clone())));
        let frames = std::iter::from_fn(|| outbox.next_frame(3));
        prop_assert_eq!(frames.flat_map(|frame| frame.messages).collect::<Vec<_>>(), all);
    }

    #[test]
    fn however_long_the_receiver_is_away_one_entry_waits_per_key(
        batches in prop::collection::vec(batches(), 0..200),
    ) {
        let mut outbox = Outbox::new();
        for batch in &batches {
            outbox.push(batch);
            outbox.next_frame(usize::MAX);
            outbox.link_lost();
            prop_assert!(outbox.waiting_keys() <= 6);
            prop_assert_eq!(outbox.unconfirmed_frames(), 0);
        }
    }
}

fn only_message(outbox: &mut Outbox) -> (f64, u64) {
    let frame = outbox.next_frame(usize::MAX).expect("a message waits");
    assert_eq!(frame.messages.len(), 1);
    let stat = frame.messages[0].stat;
    (stat.average_concurrent_requests, stat.request_count)
}

fn tick(messages: &[StatMessage], forgotten: &[usize]) -> Batch {
    let forgotten = forgotten.iter().map(|&number| key(number));
    Batch::tick(messages.to_vec(), forgotten.collect())
}

#[test]
fn a_key_forgotten_while_waiting_has_average_0() {
    let mut outbox = Outbox::new();
    outbox.push(&Batch::first_request(message(0, 1, 1)));
    outbox.push(&tick(&[message(0, 4, 3)], &[]));
    outbox.push(&tick(&[], &[0]));
    assert_eq!(only_message(&mut outbox), (0.0, 4));
}

#[test]
fn a_key_forgotten_after_sending_is_sent_again_with_average_0() {
    let mut outbox = Outbox::new();
    outbox.push(&tick(&[message(0, 4, 3)], &[]));
    assert_eq!(only_message(&mut outbox), (4.0, 3));
    outbox.push(&tick(&[], &[0]));
    outbox.link_lost();
    assert_eq!(only_message(&mut outbox), (0.0, 3));
}

#[test]
fn a_key_that_comes_again_after_it_was_forgotten_wakes_its_service() {
    let mut outbox = Outbox::new();
    outbox.push(&tick(&[message(0, 4, 3)], &[]));
    outbox.push(&tick(&[], &[0]));
    outbox.push(&Batch::first_request(message(0, 1, 1)));
    assert_eq!(only_message(&mut outbox), (1.0, 4));
}

#[test]
fn a_late_pong_of_an_old_link_confirms_nothing_of_the_new_one() {
    let mut outbox = Outbox::new();
    outbox.push(&Batch::first_request(message(0, 1, 1)));
    let old = outbox.next_frame(1).unwrap();
    outbox.link_lost();
    let new = outbox.next_frame(1).unwrap();
    assert_eq!(outbox.confirmed(old.sequence), 0);
    assert_eq!(outbox.unconfirmed_requests(), 1);
    assert_eq!(outbox.confirmed(new.sequence), 1);
    assert_eq!(outbox.unconfirmed_requests(), 0);
}
