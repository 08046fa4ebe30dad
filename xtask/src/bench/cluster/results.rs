//! The figures of this benchmark: of both activators, side by side, and ours beside their targets.

use std::fmt::Write as _;

use super::subject::Kind;
use crate::support::median::median;

/// The figures of each activator, one a round.
#[derive(Default)]
pub(super) struct Rounds([Vec<f64>; 2]);

impl Rounds {
    pub(super) fn push(&mut self, kind: Kind, figure: f64) {
        self.0[kind as usize].push(figure);
    }

    pub(super) fn of(&self, kind: Kind) -> &[f64] {
        &self.0[kind as usize]
    }

    pub(super) fn medians(&self) -> [f64; 2] {
        Kind::ALL.map(|kind| median(self.of(kind)))
    }
}

/// The most that a figure of ours may be.
#[derive(Clone, Copy)]
pub(super) enum Target {
    None,
    Most(f64),
    /// As a multiple of what it stands beside.
    Ratio(f64),
}

/// The rows of the table.
#[derive(Default)]
pub(super) struct Results(String);

impl Results {
    /// A row: Knative's and ours, and their ratio.
    pub(super) fn both(
        &mut self,
        name: &str,
        [knative, ours]: [f64; 2],
        unit: &str,
        target: Target,
    ) {
        let beside = format!("{knative:.2} {unit}");
        self.row(name, (&beside, knative), (ours, unit), target);
    }

    /// A row with something else beside ours, which is named with its figure.
    pub(super) fn beside(
        &mut self,
        name: &str,
        other: (&str, f64),
        ours: (f64, &str),
        target: Target,
    ) {
        let beside = format!("{}: {:.2} {}", other.0, other.1, ours.1);
        self.row(name, (&beside, other.1), ours, target);
    }

    fn row(
        &mut self,
        name: &str,
        (beside, other): (&str, f64),
        (ours, unit): (f64, &str),
        target: Target,
    ) {
        let ratio = ours / other;
        let (target, met) = match target {
            Target::None => (String::new(), true),
            Target::Most(most) => (format!("{most} {unit}"), ours <= most),
            Target::Ratio(most) => (format!("{most} x"), ratio <= most),
        };
        let verdict = match (target.is_empty(), met) {
            (true, _) => "",
            (false, true) => "met",
            (false, false) => "**missed**",
        };
        println!("{name}: {beside}, {ours:.2} {unit}, {ratio:.2} x; {target} {verdict}");
        // A String takes everything.
        let _ = writeln!(
            self.0,
            "| {name} | {beside} | {ours:.2} {unit} | {ratio:.2} x | {target} | {verdict} |"
        );
    }

    pub(super) fn table(&self) -> String {
        format!(
            "| what | Knative's | ours | ratio | target | |\n|---|---|---|---|---|---|\n{}",
            self.0
        )
    }
}
