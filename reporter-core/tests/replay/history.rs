//! Random histories, and how a reporter is driven through them.

use proptest::prelude::*;
use reporter_core::{
    Accounting, Refused, Report, Reporter, ReqEvent, RevisionKey, StatMessage, Timestamp,
};

/// One thing that the reporter is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) at: u64,
    pub(crate) op: Op,
}

/// What it is told; keys by their number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Op {
    In(usize),
    Out(usize),
    Tick,
}

/// What it answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
    Nothing,
    First(StatMessage),
    Refused(Refused),
    Report(Told),
}

/// What a report says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Told {
    pub(crate) messages: Vec<StatMessage>,
    pub(crate) gauges: Vec<(RevisionKey, f64)>,
    pub(crate) forgotten: Vec<RevisionKey>,
}

impl From<&Report> for Told {
    fn from(report: &Report) -> Self {
        let gauges = report.gauges();
        Self {
            messages: report.messages.clone(),
            gauges: gauges
                .map(|gauge| (gauge.key.clone(), gauge.concurrency))
                .collect(),
            forgotten: report.forgotten.clone(),
        }
    }
}

pub(crate) fn key(number: usize) -> RevisionKey {
    RevisionKey::try_new("default", &format!("rev-{number}")).expect("the name is valid")
}

/// Histories of few keys with much happening to each, or of many with little.
///
/// The clock stands still often, sometimes goes backwards, and sometimes leaps; outs need not match.
pub(crate) fn histories() -> impl Strategy<Value = Vec<Step>> {
    prop_oneof![Just(1_usize), Just(3), Just(40)].prop_flat_map(|keys| {
        let op = prop_oneof![
            5 => (0..keys).prop_map(Op::In),
            4 => (0..keys).prop_map(Op::Out),
            2 => Just(Op::Tick),
        ];
        let elapsed = prop_oneof![
            4 => 1..2_000_000_000_i64,
            3 => Just(0),
            2 => -3_000_000_000..0_i64,
            1 => 0..400 * 86_400_000_000_000_i64,
        ];
        let start = prop_oneof![Just(0_u64), Just(1 << 62)];
        (start, prop::collection::vec((elapsed, op), 0..80)).prop_map(|(start, steps)| {
            let mut at = start;
            let step = |(elapsed, op)| {
                at = at.saturating_add_signed(elapsed);
                Step { at, op }
            };
            steps.into_iter().map(step).collect()
        })
    })
}

pub(crate) fn accountings() -> impl Strategy<Value = Accounting> {
    prop_oneof![Just(Accounting::Snapshot), Just(Accounting::Average)]
}

pub(crate) fn tell(reporter: &mut Reporter, step: Step) -> Said {
    let now = Timestamp::from_nanos(step.at);
    let event = match step.op {
        Op::In(number) => ReqEvent::req_in(key(number)),
        Op::Out(number) => ReqEvent::req_out(key(number)),
        Op::Tick => {
            let mut report = Report::default();
            reporter.on_tick(now, &mut report);
            return Said::Report(Told::from(&report));
        }
    };
    match reporter.on_event(&event, now) {
        Ok(None) => Said::Nothing,
        Ok(Some(message)) => Said::First(message),
        Err(refused) => Said::Refused(refused),
    }
}

/// The messages of everything that was said.
pub(crate) fn messages(said: &[Said]) -> impl Iterator<Item = &StatMessage> {
    said.iter().flat_map(|said| match said {
        Said::First(message) => std::slice::from_ref(message),
        Said::Report(report) => &report.messages,
        Said::Nothing | Said::Refused(_) => &[],
    })
}
