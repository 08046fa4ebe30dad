//! Readers of any speed have the state of now once they have read all events.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use reporter_core::{Cause, Stat, StatMessage};

use super::super::history::History;
use super::*;
use crate::revision::tests::key;

/// What a reader knows after its events, as the page has it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Known {
    server: Fields,
    history: Vec<Json>,
    revisions: BTreeMap<String, (Fields, Vec<Json>)>,
    /// Whether more of a snapshot is to come.
    more: bool,
}

impl Known {
    fn take(&mut self, event: &[u8]) {
        let text = std::str::from_utf8(event).unwrap();
        let text = text.strip_suffix("\n\n").unwrap();
        let mut name = "";
        let mut data = Fields::new();
        for line in text.lines() {
            match line.split_once(": ").unwrap() {
                ("event", of) => name = of,
                ("data", json) => data = serde_json::from_str(json).unwrap(),
                ("id", id) => assert!(id.parse::<u64>().is_ok()),
                other => panic!("{other:?}"),
            }
        }
        match name {
            "snapshot" => *self = Self::default(),
            "change" => {}
            other => panic!("{other:?}"),
        }
        let slots = data.get("slots").map_or(0, |it| it.as_u64().unwrap());
        let none = vec![Json::from([0, 0]); slots as usize];
        self.history.extend(none.iter().cloned());
        for (_, history) in self.revisions.values_mut() {
            history.extend(none.iter().cloned());
        }
        self.more = data.contains_key("more");
        merge(&mut self.server, object(&data, "server"));
        overwrite(&mut self.history, data.get("history"));
        for row in list(&data, "revisions") {
            let mut row = row.as_object().unwrap().clone();
            let history = row.remove("history");
            let known = self.revisions.entry(name_of(&row)).or_default();
            merge(&mut known.0, row);
            overwrite(&mut known.1, history.as_ref());
        }
        for row in list(&data, "removed") {
            self.revisions.remove(&name_of(row.as_object().unwrap()));
        }
    }

    /// Without what is nothing.
    fn normal(mut self) -> Self {
        trim(&mut self.history);
        for (_, history) in self.revisions.values_mut() {
            trim(history);
        }
        self.server.remove("now");
        self
    }
}

fn object(data: &Fields, name: &str) -> Fields {
    let value = data.get(name).and_then(Json::as_object);
    value.cloned().unwrap_or_default()
}

fn list(data: &Fields, name: &str) -> Vec<Json> {
    let value = data.get(name).and_then(Json::as_array);
    value.cloned().unwrap_or_default()
}

fn name_of(row: &Fields) -> String {
    format!("{}/{}", row["namespace"], row["name"])
}

fn merge(known: &mut Fields, changes: Fields) {
    for (name, value) in changes {
        match value {
            Json::Null => known.remove(&name),
            value => known.insert(name, value),
        };
    }
}

/// A history ends now.
fn overwrite(known: &mut Vec<Json>, with: Option<&Json>) {
    let with = with.and_then(Json::as_array).cloned().unwrap_or_default();
    let kept = known.len().saturating_sub(with.len());
    known.truncate(kept);
    known.extend(with);
}

fn trim(history: &mut Vec<Json>) {
    let none = Json::from([0, 0]);
    let from = history.len().saturating_sub(SLOTS);
    history.drain(..from);
    let zeros = history.iter().take_while(|it| **it == none).count();
    history.drain(..zeros);
}

/// A reader, and how many events it takes at a time.
#[derive(Default)]
struct Reader {
    number: Option<u64>,
    known: Known,
    snapshots: usize,
}

impl Reader {
    fn read(&mut self, feed: &Feed, mut most: usize) {
        while most > 0 {
            match feed.next(self.number, &Fields::new()) {
                Next::Wait => return,
                Next::Change(number, event) => {
                    assert_eq!(self.number, Some(number - 1));
                    self.number = Some(number);
                    self.known.take(&event);
                }
                Next::Snapshot(mut snapshot) => {
                    self.snapshots += 1;
                    self.number = Some(snapshot.number());
                    while let Some(piece) = snapshot.next_piece() {
                        assert!(piece.len() < PIECE + (8 << 10), "{}", piece.len());
                        self.known.take(&piece);
                    }
                    assert!(!self.known.more);
                }
            }
            most -= 1;
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// A revision is as this says, or removed.
    Set(u8, Option<(u8, u8)>),
    /// Requests of one are reported.
    Report(u8, u8, u8),
    /// That many milliseconds pass, and the state is looked at.
    Look(u16),
    /// A reader takes as many events.
    Read(usize, usize),
    /// A reader comes anew.
    Come(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let name = 0..6_u8;
    prop_oneof![
        (name.clone(), proptest::option::of((0..3_u8, 0..3_u8))).prop_map(|(a, b)| Step::Set(a, b)),
        (name, 0..4_u8, 0..4_u8).prop_map(|(a, b, c)| Step::Report(a, b, c)),
        (0..3_000_u16).prop_map(Step::Look),
        (10_000..60_000_u16).prop_map(Step::Look),
        (0..3_usize, 0..40_usize).prop_map(|(a, b)| Step::Read(a, b)),
        (0..3_usize).prop_map(Step::Come),
    ]
}

fn name(number: u8) -> RevisionKey {
    key(&format!("r{number}"))
}

proptest! {
    #[test]
    fn a_reader_of_all_events_knows_what_a_new_one_is_told(
        steps in proptest::collection::vec(step(), 1..150),
    ) {
        let mut now = Duration::ZERO;
        let mut rows: BTreeMap<RevisionKey, Row> = BTreeMap::new();
        let mut history = History::new(Duration::from_secs(1));
        let mut feed = Feed::default();
        let mut readers: [Reader; 3] = Default::default();
        let look = |feed: &mut Feed, now, rows: &BTreeMap<RevisionKey, Row>, history: &mut History| {
            let open = history.advance(now);
            let state = feed.state().clone();
            let rows: Vec<_> = rows.iter().map(|(key, row)| {
                let before = state.row(key).and_then(|it| it.recent.as_ref());
                let recent = history.recent(key, before);
                (key.clone(), Row { recent, ..row.clone() })
            }).collect();
            let recent = history.recent_of_all(state.recent());
            let mut server = Fields::new();
            server.insert("revisions".to_owned(), rows.len().into());
            let (state, change) = state.next(View { server, rows, open, recent });
            feed.advance(state, change);
        };
        look(&mut feed, now, &rows, &mut history);
        for step in steps {
            match step {
                Step::Set(number, Some((in_flight, queued))) => {
                    let row = Row {
                        in_flight: in_flight.into(),
                        queued: queued.into(),
                        states: (in_flight > 1).then(Default::default),
                        ..Row::default()
                    };
                    rows.insert(name(number), row);
                }
                Step::Set(number, None) => drop(rows.remove(&name(number))),
                Step::Report(number, average, count) => {
                    let stat = Stat {
                        average_concurrent_requests: average.into(),
                        request_count: count.into(),
                    };
                    let message = StatMessage { key: name(number), stat };
                    history.record(Cause::Tick, &[message], now);
                }
                Step::Look(millis) => {
                    now += Duration::from_millis(millis.into());
                    look(&mut feed, now, &rows, &mut history);
                }
                Step::Read(reader, most) => readers[reader].read(&feed, most),
                Step::Come(reader) => readers[reader] = Reader::default(),
            }
            prop_assert!(feed.changes.len() <= MOST_CHANGES);
        }
        look(&mut feed, now, &rows, &mut history);
        let mut new = Reader::default();
        new.read(&feed, 1);
        let mut keys = new.known.revisions.keys();
        for key in rows.keys() {
            let expected = format!("{:?}/{:?}", key.namespace(), key.name());
            prop_assert_eq!(keys.next(), Some(&expected));
        }
        let new = new.known.normal();
        for mut reader in readers {
            reader.read(&feed, usize::MAX);
            prop_assert_eq!(&reader.known.normal(), &new);
        }
    }
}

/// A feed of so many revisions, and the revisions.
fn large(count: usize) -> (Feed, Vec<(RevisionKey, Row)>) {
    let rows: Vec<_> = (0..count)
        .map(|it| (key(&format!("r{it:06}")), Row::default()))
        .collect();
    let mut feed = Feed::default();
    advance(&mut feed, rows.clone());
    (feed, rows)
}

fn advance(feed: &mut Feed, rows: Vec<(RevisionKey, Row)>) {
    let view = View {
        server: Fields::new(),
        rows,
        open: 0,
        recent: None,
    };
    let (state, change) = feed.state().next(view);
    feed.advance(state, change);
}

#[test]
fn a_snapshot_comes_in_pieces_and_sleeping_revisions_are_short() {
    let (feed, rows) = large(10_000);
    let Next::Snapshot(mut snapshot) = feed.next(None, &Fields::new()) else {
        panic!("no snapshot");
    };
    let (mut known, mut pieces, mut bytes) = (Known::default(), 0, 0);
    while let Some(piece) = snapshot.next_piece() {
        known.take(&piece);
        pieces += 1;
        bytes += piece.len();
    }
    assert_eq!(known.revisions.len(), rows.len());
    assert!(pieces > 5, "{pieces}");
    assert!(bytes < 50 * rows.len(), "{bytes}");
}

#[test]
fn few_bytes_of_changes_are_kept_and_who_lacks_one_gets_a_snapshot() {
    let (mut feed, mut rows) = large(10_000);
    let mut reader = Reader::default();
    reader.read(&feed, 1);
    let mut behind = feed.number();
    for round in 1..12 {
        for (_, row) in &mut rows {
            row.in_flight = round;
        }
        advance(&mut feed, rows.clone());
        let held: usize = feed.changes.iter().map(Bytes::len).sum();
        assert!(held <= MOST_BYTES, "{held}");
        if round == 1 {
            behind = feed.number();
        }
    }
    assert!(matches!(
        feed.next(Some(behind), &Fields::new()),
        Next::Snapshot(_)
    ));
    let last = feed.number() - 1;
    assert!(matches!(
        feed.next(Some(last), &Fields::new()),
        Next::Change(..)
    ));
    reader.read(&feed, usize::MAX);
    assert_eq!(reader.snapshots, 2);
    assert_eq!(reader.known.revisions.len(), rows.len());
}

#[test]
fn nothing_is_told_while_nothing_changes() {
    let (mut feed, rows) = large(10);
    let number = feed.number();
    advance(&mut feed, rows);
    assert_eq!(feed.number(), number);
    assert!(matches!(
        feed.next(Some(number), &Fields::new()),
        Next::Wait
    ));
}
