//! The Prometheus text of one metric: help, type, and its series in the order in which they are given.
//!
//! The exporter's `formatting` writes the head. Samples are written here: its `write_metric_line` needs a copy of all
//! labels and escapes them anew for each of a histogram's lines, and it drops backslashes, so that two values could
//! become one series.

use std::fmt::Display;
use std::fmt::Write;

use metrics_exporter_prometheus::formatting::{write_help_line, write_type_line};

use crate::histogram::Histogram;
use crate::names::Metric;

/// Appends a metric to the text. One without series leaves nothing.
pub(crate) struct Block<'a> {
    text: &'a mut String,
    metric: &'static Metric,
    is_empty: bool,
    /// Those of the current series: `name="value",..`.
    labels: String,
}

impl<'a> Block<'a> {
    pub(crate) fn new(text: &'a mut String, metric: &'static Metric) -> Self {
        Self {
            text,
            metric,
            is_empty: true,
            labels: String::new(),
        }
    }

    /// A series of a counter or gauge; `values` are those of the metric's labels, in their order.
    pub(crate) fn sample(&mut self, values: &[impl AsRef<str>], value: impl Display) {
        self.begin(values);
        self.line("", None, &value);
    }

    /// A series of a histogram.
    pub(crate) fn histogram(&mut self, values: &[impl AsRef<str>], histogram: &Histogram) {
        self.begin(values);
        for (bound, count) in histogram.buckets() {
            self.line("_bucket", Some(&bound), &count);
        }
        let count = histogram.count();
        self.line("_bucket", Some(&"+Inf"), &count);
        self.line("_sum", None, &histogram.sum());
        self.line("_count", None, &count);
    }

    fn begin(&mut self, values: &[impl AsRef<str>]) {
        let Metric {
            name,
            kind,
            labels,
            help,
        } = self.metric;
        debug_assert_eq!(labels.len(), values.len(), "{name}");
        if std::mem::take(&mut self.is_empty) {
            write_help_line(self.text, name, None, None, help);
            write_type_line(self.text, name, None, None, kind.as_str());
        }
        self.labels.clear();
        for (label, value) in labels.iter().zip(values) {
            if !self.labels.is_empty() {
                self.labels.push(',');
            }
            self.labels.push_str(label);
            self.labels.push_str("=\"");
            escape(value.as_ref(), &mut self.labels);
            self.labels.push('"');
        }
    }

    fn line(&mut self, suffix: &str, bound: Option<&dyn Display>, value: &dyn Display) {
        let Self { text, labels, .. } = self;
        let name = self.metric.name;
        let comma = if labels.is_empty() { "" } else { "," };
        match bound {
            Some(bound) => writeln!(
                text,
                "{name}{suffix}{{{labels}{comma}le=\"{bound}\"}} {value}"
            ),
            None if labels.is_empty() => writeln!(text, "{name}{suffix} {value}"),
            None => writeln!(text, "{name}{suffix}{{{labels}}} {value}"),
        }
        .expect("a string takes any text");
    }
}

fn escape(value: &str, text: &mut String) {
    for char in value.chars() {
        match char {
            '\n' => text.push_str("\\n"),
            '\\' | '"' => text.extend(['\\', char]),
            _ => text.push(char),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Kind;

    const PLAIN: Metric = Metric {
        name: "a",
        kind: Kind::Counter,
        labels: &[],
        help: "Helps.",
    };
    const LABELLED: Metric = Metric {
        labels: &["one", "other"],
        ..PLAIN
    };
    const BUCKETS: &[f64] = &[0.5, 10.0];

    #[track_caller]
    fn check(metric: &'static Metric, write: impl FnOnce(&mut Block<'_>), expected: &str) {
        let mut text = String::new();
        write(&mut Block::new(&mut text, metric));
        assert_eq!(text, expected);
    }

    #[test]
    fn a_metric_without_series_leaves_nothing() {
        check(&PLAIN, |_| {}, "");
    }

    #[test]
    fn series_follow_one_head_in_the_order_given() {
        let write = |block: &mut Block<'_>| {
            block.sample(&["2", ""], 1);
            block.sample(&["1", "3"], 0.25);
        };
        let expected = "# HELP a Helps.\n# TYPE a counter\n\
            a{one=\"2\",other=\"\"} 1\na{one=\"1\",other=\"3\"} 0.25\n";
        check(&LABELLED, write, expected);
        let write = |block: &mut Block<'_>| block.sample(&[""; 0], u64::MAX);
        let expected = "# HELP a Helps.\n# TYPE a counter\na 18446744073709551615\n";
        check(&PLAIN, write, expected);
    }

    #[test]
    fn buckets_add_up_to_the_infinite_one() {
        const METRIC: Metric = Metric {
            kind: Kind::Histogram(BUCKETS),
            ..PLAIN
        };
        let mut histogram = Histogram::new(BUCKETS);
        for seconds in [0.5, 0.75, 10.25] {
            histogram.record(seconds);
        }
        let expected = "# HELP a Helps.\n# TYPE a histogram\n\
            a_bucket{le=\"0.5\"} 1\na_bucket{le=\"10\"} 2\na_bucket{le=\"+Inf\"} 3\na_sum 11.5\na_count 3\n";
        check(
            &METRIC,
            |block| block.histogram(&[""; 0], &histogram),
            expected,
        );
    }

    #[test]
    fn label_values_are_escaped_and_stay_different() {
        for (value, expected) in [
            ("a b", "a b"),
            ("\"", "\\\""),
            ("\\", "\\\\"),
            ("\\\\", "\\\\\\\\"),
            ("\\n", "\\\\n"),
            ("\n", "\\n"),
            ("\\\"", "\\\\\\\""),
            ("\u{e9}}", "\u{e9}}"),
        ] {
            let mut text = String::new();
            escape(value, &mut text);
            assert_eq!(text, expected);
        }
    }
}
