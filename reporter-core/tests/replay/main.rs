//! Both ledgers against a naive replay of the whole history, and the properties of any history.

mod history;
mod naive;

use std::collections::HashMap;

use proptest::prelude::*;
use reporter_core::{Accounting, Report, Reporter, Ticket, Timestamp};

use history::{Op, Said, Step, Told, accountings, histories, key, messages, tell};
use naive::Replay;

proptest! {
    #[test]
    fn each_step_says_what_a_replay_of_the_whole_history_says(
        accounting in accountings(),
        limit in prop_oneof![Just(usize::MAX), 0..6_usize],
        steps in histories(),
    ) {
        let mut reporter = Reporter::new(accounting);
        reporter.set_key_limit(limit);
        let mut replay = Replay::new(accounting, limit, &steps);
        let mut unmatched = 0;
        for &step in &steps {
            let said = tell(&mut reporter, step);
            prop_assert_eq!(&said, &replay.next(), "at {:?}", step);

            let stays = replay.stays();
            prop_assert_eq!(reporter.tracked_keys(), stays.len());
            for (_, number) in stays {
                let in_flight = replay.in_flight(number) as u64;
                prop_assert_eq!(reporter.in_flight(&key(number)), Some(in_flight));
            }
            unmatched += u64::from(matches!(said, Said::Refused(_)) && matches!(step.op, Op::Out(_)));
            prop_assert_eq!(reporter.unmatched_outs(), unmatched);
        }
    }

    #[test]
    fn average_counts_every_request_exactly_once(mut steps in histories()) {
        steps.push(tick_after(&steps));
        let said = tell_all(Accounting::Average, &steps);
        let ins = steps.iter().filter(|step| matches!(step.op, Op::In(_))).count();
        prop_assert_eq!(counts(&said), ins as u64);
    }

    #[test]
    fn snapshot_counts_first_requests_twice_and_periods_that_end_idle_not_at_all(
        mut steps in histories(),
    ) {
        steps.push(tick_after(&steps));
        let said = tell_all(Accounting::Snapshot, &steps);
        let firsts = said.iter().filter(|said| matches!(said, Said::First(_))).count();

        let mut in_flight = HashMap::<usize, u64>::new();
        let mut reported = firsts as u64;
        for period in steps.split_inclusive(|step| step.op == Op::Tick) {
            let mut ins = HashMap::<usize, u64>::new();
            for step in period {
                match step.op {
                    Op::In(number) => {
                        *ins.entry(number).or_default() += 1;
                        *in_flight.entry(number).or_default() += 1;
                    }
                    Op::Out(number) => {
                        let left = in_flight.entry(number).or_default();
                        *left = left.saturating_sub(1);
                    }
                    Op::Tick => {}
                }
            }
            let busy = ins.iter().filter(|(number, _)| in_flight[number] > 0);
            reported += busy.map(|(_, requests)| requests).sum::<u64>();
        }
        prop_assert_eq!(counts(&said), reported);
    }

    #[test]
    fn tracking_ends_once_every_request_is_out(
        accounting in accountings(),
        mut steps in histories(),
    ) {
        let mut reporter = Reporter::new(accounting);
        steps.iter().for_each(|&step| drop(tell(&mut reporter, step)));
        let last = tick_after(&steps);
        for number in 0..40 {
            for _ in 0..reporter.in_flight(&key(number)).unwrap_or(0) {
                steps.push(Step { op: Op::Out(number), ..last });
                tell(&mut reporter, *steps.last().unwrap());
            }
            prop_assert_eq!(reporter.in_flight(&key(number)).unwrap_or(0), 0);
        }
        // One tick closes the window of the last outs, the next sees one with nothing in it.
        tell(&mut reporter, last);
        tell(&mut reporter, last);
        prop_assert_eq!(reporter.tracked_keys(), 0);
    }

    #[test]
    fn the_result_does_not_depend_on_how_keys_are_spread(
        accounting in accountings(),
        owners in prop::collection::vec(0..5_usize, 40),
        steps in histories(),
    ) {
        let mut whole = Reporter::new(accounting);
        let mut shards: Vec<_> = (0..5).map(|_| Reporter::new(accounting)).collect();
        for &step in &steps {
            let expected = tell(&mut whole, step);
            let said = match step.op {
                Op::In(number) | Op::Out(number) => tell(&mut shards[owners[number]], step),
                Op::Tick => {
                    let mut merged = Report::default();
                    for shard in &mut shards {
                        let now = Timestamp::from_nanos(step.at);
                        shard.on_tick(now, &mut merged);
                    }
                    Said::Report(Told::from(&merged))
                }
            };
            prop_assert_eq!(sorted(said), sorted(expected));
        }
    }

    #[test]
    fn a_ticket_finds_what_its_key_finds(accounting in accountings(), steps in histories()) {
        let [mut by_key, mut by_ticket] = [(); 2].map(|()| Reporter::new(accounting));
        let mut tickets = HashMap::<usize, Vec<Ticket>>::new();
        for &step in &steps {
            let now = Timestamp::from_nanos(step.at);
            let said = match step.op {
                Op::In(number) => {
                    let (ticket, message) = by_ticket.on_in(key(number).hashed(), now).unwrap();
                    tickets.entry(number).or_default().push(ticket);
                    message.map_or(Said::Nothing, Said::First)
                }
                // One that has no ticket is refused either way.
                Op::Out(number) => match tickets.entry(number).or_default().pop() {
                    Some(ticket) => {
                        prop_assert_eq!(by_ticket.on_out(ticket, now), Ok(&key(number)));
                        Said::Nothing
                    }
                    None => tell(&mut by_ticket, step),
                },
                Op::Tick => tell(&mut by_ticket, step),
            };
            prop_assert_eq!(said, tell(&mut by_key, step));
        }
        prop_assert_eq!(by_ticket.unmatched_outs(), by_key.unmatched_outs());
    }

    #[test]
    fn a_report_made_of_earlier_ones_says_what_a_new_one_says(
        accounting in accountings(),
        skipped in prop::collection::vec(any::<bool>(), 80),
        steps in histories(),
    ) {
        let [mut reporter, mut other] = [(); 2].map(|()| Reporter::new(accounting));
        let mut reused = Report::default();
        for (&step, &skip) in steps.iter().zip(&skipped) {
            let expected = tell(&mut other, step);
            // Sometimes what is used again is not of the tick before, but of one before that.
            if step.op == Op::Tick && !skip {
                reused.clear();
                reporter.on_tick(Timestamp::from_nanos(step.at), &mut reused);
                prop_assert_eq!(Said::Report(Told::from(&reused)), expected);
            } else {
                prop_assert_eq!(tell(&mut reporter, step), expected);
            }
        }
    }

    #[test]
    fn the_same_history_gives_the_same_bytes(
        accounting in accountings(),
        steps in histories(),
    ) {
        let bytes = || format!("{:?}", tell_all(accounting, &steps));
        prop_assert_eq!(bytes(), bytes());
    }
}

fn tell_all(accounting: Accounting, steps: &[Step]) -> Vec<Said> {
    let mut reporter = Reporter::new(accounting);
    steps
        .iter()
        .map(|&step| tell(&mut reporter, step))
        .collect()
}

fn counts(said: &[Said]) -> u64 {
    messages(said)
        .map(|message| message.stat.request_count)
        .sum()
}

fn tick_after(steps: &[Step]) -> Step {
    Step {
        at: steps.last().map_or(0, |step| step.at),
        op: Op::Tick,
    }
}

fn sorted(said: Said) -> Said {
    match said {
        Said::Report(mut report) => {
            report.messages.sort_by(|a, b| a.key.cmp(&b.key));
            report.gauges.sort_by(|a, b| a.0.cmp(&b.0));
            report.forgotten.sort();
            Said::Report(report)
        }
        other => other,
    }
}
