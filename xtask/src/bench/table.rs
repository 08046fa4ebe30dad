//! What a benchmark measured, beside its targets.

use std::fmt::Write;

/// Start and end of a name, and the target: the most that its result may be.
pub(super) type Target = (&'static str, &'static str, f64);

pub(super) struct Measured {
    pub(super) name: String,
    pub(super) value: f64,
    pub(super) unit: String,
}

impl Measured {
    /// From a line `NAME: VALUE UNIT`.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let (name, rest) = line.split_once(": ")?;
        let (value, unit) = rest.split_once(' ')?;
        Some(Self {
            name: name.to_owned(),
            value: value.parse().ok()?,
            unit: unit.to_owned(),
        })
    }
}

pub(super) fn table(results: &[Measured], targets: &[Target]) -> String {
    let mut table = String::from("| what | measured | target | |\n|---|---|---|---|\n");
    for Measured { name, value, unit } in results {
        let target = targets
            .iter()
            .find(|(start, end, _)| name.starts_with(start) && name.ends_with(end));
        let (target, met) = match target {
            None => (String::new(), ""),
            Some((_, _, most)) => (
                format!("{most} {unit}"),
                if value <= most { "met" } else { "**missed**" },
            ),
        };
        let _ = writeln!(table, "| {name} | {value:.2} {unit} | {target} | {met} |");
    }
    table
}
