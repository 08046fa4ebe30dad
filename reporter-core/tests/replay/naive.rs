//! The rules, applied to the whole history at each step. Keeps only the history and its own output.

use reporter_core::{
    Accounting, KeyLimitReached, Refused, RevisionKey, Stat, StatMessage, UnmatchedOut,
};

use crate::history::{Op, Said, Step, Told, key};

pub(crate) struct Replay<'a> {
    accounting: Accounting,
    limit: usize,
    steps: &'a [Step],
    said: Vec<Said>,
}

/// A key's stay in the reporter: the step of its first request, and its number.
type Stay = (usize, usize);

/// What is said of the same requests over the same time, in either accounting.
struct Window {
    in_flight: usize,
    requests: u64,
    area: u128,
    covered: u64,
}

impl<'a> Replay<'a> {
    pub(crate) fn new(accounting: Accounting, limit: usize, steps: &'a [Step]) -> Self {
        let said = Vec::new();
        Self {
            accounting,
            limit,
            steps,
            said,
        }
    }

    /// What the next step of the history makes the reporter say.
    pub(crate) fn next(&mut self) -> Said {
        let said = match self.steps[self.said.len()].op {
            Op::In(number) if self.stay(number).is_some() => Said::Nothing,
            Op::In(_) if self.stays().len() >= self.limit => {
                let limit = self.limit;
                Said::Refused(Refused::KeyLimitReached(KeyLimitReached { limit }))
            }
            Op::In(number) => Said::First(message(number, 1.0, 1)),
            Op::Out(number) if self.in_flight(number) == 0 => {
                Said::Refused(Refused::UnmatchedOut(UnmatchedOut))
            }
            Op::Out(_) => Said::Nothing,
            Op::Tick => Said::Report(self.report()),
        };
        self.said.push(said.clone());
        said
    }

    /// Requests of a key that came and did not go.
    pub(crate) fn in_flight(&self, number: usize) -> usize {
        let count = |op| {
            self.accepted()
                .filter(|&step| self.steps[step].op == op)
                .count()
        };
        let (ins, outs) = (count(Op::In(number)), count(Op::Out(number)));
        ins.checked_sub(outs).expect("never more outs than ins")
    }

    /// Those who are tracked, in the order in which they came.
    pub(crate) fn stays(&self) -> Vec<Stay> {
        let first = |step: usize| match (&self.said[step], self.steps[step].op) {
            (Said::First(message), Op::In(number)) => {
                let since = &self.said[step..];
                let forgotten = since.iter().any(|said| forgets(said, &message.key));
                (!forgotten).then_some((step, number))
            }
            _ => None,
        };
        (0..self.said.len()).filter_map(first).collect()
    }

    fn stay(&self, number: usize) -> Option<Stay> {
        self.stays().into_iter().find(|stay| stay.1 == number)
    }

    fn accepted(&self) -> impl Iterator<Item = usize> {
        let refused = |step: &usize| matches!(self.said[*step], Said::Refused(_));
        (0..self.said.len()).filter(move |step| !refused(step))
    }

    /// The latest time that the key's stay had seen by `step`.
    fn clock(&self, (start, number): Stay, step: usize) -> u64 {
        let mine = [Op::In(number), Op::Out(number), Op::Tick];
        let told = self.accepted().chain([self.said.len()]);
        told.filter(|other| (start..=step).contains(other) && mine.contains(&self.steps[*other].op))
            .map(|other| self.steps[other].at)
            .max()
            .expect("the stay's own start is among them")
    }

    /// The key's time from the last tick, or from its start, to the tick that is now.
    fn window(&self, stay: Stay) -> Window {
        let (start, number) = stay;
        let now = self.said.len();
        let is_tick = |step: &usize| self.steps[*step].op == Op::Tick;
        let begin = (start..now).rfind(is_tick).unwrap_or(start);
        let steps_of = |op| {
            self.accepted()
                .filter(move |&step| step >= start && self.steps[step].op == op)
        };
        let from = self.clock(stay, begin);
        let to = self.clock(stay, now);
        // Whichever in an out belongs to, the sum of what they span is the same.
        let outs = steps_of(Op::Out(number))
            .map(Some)
            .chain(std::iter::repeat(None));
        let spans = steps_of(Op::In(number)).zip(outs).map(|(came, went)| {
            let came = self.clock(stay, came).max(from);
            let went = went.map_or(to, |step| self.clock(stay, step));
            u128::from(went.saturating_sub(came))
        });
        Window {
            in_flight: self.in_flight(number),
            requests: steps_of(Op::In(number))
                .filter(|&step| step >= begin)
                .count() as u64,
            area: spans.sum(),
            covered: to - from,
        }
    }

    fn report(&self) -> Told {
        let mut report = Told::default();
        let mut silent = Vec::new();
        for stay in self.stays() {
            let (start, number) = stay;
            let window = self.window(stay);
            let idle = window.in_flight == 0;
            let (message, gauge, forgotten) = match self.accounting {
                Accounting::Snapshot => {
                    let now = window.in_flight as f64;
                    let message = message(number, now, window.requests);
                    ((!idle).then_some(message), now, idle)
                }
                Accounting::Average => {
                    let average = window.area as f64 / window.covered.max(1) as f64;
                    let ticked = self.steps[start..self.said.len()].iter();
                    let credit = u8::from(ticked.into_iter().all(|step| step.op != Op::Tick));
                    let adjusted = (average - f64::from(credit)).max(0.0);
                    let requests = window.requests - u64::from(credit);
                    let message = message(number, adjusted, requests);
                    (Some(message), average, idle && average == 0.0)
                }
            };
            let gauges = match message {
                Some(_) => &mut report.gauges,
                None => &mut silent,
            };
            gauges.push((key(number), gauge));
            report.messages.extend(message);
            report.forgotten.extend(forgotten.then(|| key(number)));
        }
        report.gauges.append(&mut silent);
        report
    }
}

fn forgets(said: &Said, key: &RevisionKey) -> bool {
    matches!(said, Said::Report(report) if report.forgotten.contains(key))
}

fn message(number: usize, average_concurrent_requests: f64, request_count: u64) -> StatMessage {
    StatMessage {
        key: key(number),
        stat: Stat {
            average_concurrent_requests,
            request_count,
        },
    }
}
