//! A strict parser of the Prometheus text format: what it accepts, any scraper accepts.

use std::collections::{BTreeMap, BTreeSet};

pub(crate) type Labels = BTreeMap<String, String>;

/// A metric with its samples, in the order of the text.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) help: String,
    pub(crate) kind: String,
    pub(crate) samples: Vec<Sample>,
}

#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: Labels,
    pub(crate) value: f64,
}

/// Every metric must have help and type, once and in this order, and then all of its samples.
pub(crate) fn parse(text: &str) -> Result<Vec<Family>, String> {
    if !text.is_empty() && !text.ends_with('\n') {
        return Err("the last line does not end".into());
    }
    let mut families: Vec<Family> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        parse_line(line, &mut families)
            .map_err(|error| format!("line {}: {error}: {line}", index + 1))?;
    }
    let mut names = BTreeSet::new();
    for family in &families {
        check_family(family).map_err(|error| format!("{}: {error}", family.name))?;
        if !names.insert(&family.name) {
            return Err(format!("{} stands twice", family.name));
        }
    }
    Ok(families)
}

fn parse_line(line: &str, families: &mut Vec<Family>) -> Result<(), String> {
    if let Some(rest) = line.strip_prefix("# HELP ") {
        let (name, help) = rest.split_once(' ').ok_or("no help text")?;
        families.push(Family {
            name: metric_name(name)?.to_owned(),
            help: help.to_owned(),
            kind: String::new(),
            samples: Vec::new(),
        });
        return Ok(());
    }
    let family = families.last_mut().ok_or("no HELP line before it")?;
    if let Some(rest) = line.strip_prefix("# TYPE ") {
        let (name, kind) = rest.split_once(' ').ok_or("no type")?;
        if name != family.name || !family.kind.is_empty() || !family.samples.is_empty() {
            return Err("not the line after its HELP line".into());
        }
        if !["counter", "gauge", "histogram"].contains(&kind) {
            return Err("a type that nobody asked for".into());
        }
        family.kind = kind.to_owned();
        return Ok(());
    }
    let sample = parse_sample(line)?;
    let suffixes: &[&str] = match family.kind.as_str() {
        "" => return Err("no TYPE line before it".into()),
        "histogram" => &["_bucket", "_sum", "_count"],
        _ => &[""],
    };
    match sample.name.strip_prefix(&family.name) {
        Some(suffix) if suffixes.contains(&suffix) => family.samples.push(sample),
        _ => return Err("a sample among those of another metric".into()),
    }
    Ok(())
}

fn parse_sample(line: &str) -> Result<Sample, String> {
    let end = line.find(['{', ' ']).ok_or("no value")?;
    let name = metric_name(&line[..end])?.to_owned();
    let (labels, value) = match line[end..].strip_prefix('{') {
        Some(rest) => parse_labels(rest)?,
        None => (Labels::new(), &line[end..]),
    };
    let value = value.strip_prefix(' ').ok_or("no blank before the value")?;
    if !value.starts_with(|first: char| first.is_ascii_digit() || first == '-') {
        return Err("no number".into());
    }
    let value = value.parse().map_err(|_| "no number")?;
    Ok(Sample {
        name,
        labels,
        value,
    })
}

fn parse_labels(mut rest: &str) -> Result<(Labels, &str), String> {
    let mut labels = Labels::new();
    loop {
        let (name, quoted) = rest.split_once("=\"").ok_or("no label")?;
        let (value, after) = unquote(quoted)?;
        if labels.insert(label_name(name)?.to_owned(), value).is_some() {
            return Err(format!("{name} stands twice"));
        }
        match after.as_bytes().first() {
            Some(b',') => rest = &after[1..],
            Some(b'}') => return Ok((labels, &after[1..])),
            _ => return Err("labels do not end".into()),
        }
    }
}

fn unquote(text: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((index, char)) = chars.next() {
        match char {
            '"' => return Ok((value, &text[index + 1..])),
            '\\' => value.push(match chars.next() {
                Some((_, '\\')) => '\\',
                Some((_, '"')) => '"',
                Some((_, 'n')) => '\n',
                _ => return Err("a backslash that escapes nothing".into()),
            }),
            char => value.push(char),
        }
    }
    Err("a label value does not end".into())
}

fn metric_name(name: &str) -> Result<&str, String> {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    if name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit()) {
        Ok(name)
    } else {
        Err(format!("{name:?} is no metric's name"))
    }
}

fn label_name(name: &str) -> Result<&str, String> {
    if metric_name(name).is_ok() && !name.contains(':') && !name.starts_with("__") {
        Ok(name)
    } else {
        Err(format!("{name:?} is no label's name"))
    }
}

fn check_family(family: &Family) -> Result<(), String> {
    if family.samples.is_empty() {
        return Err("no samples".into());
    }
    let mut series = BTreeSet::new();
    for sample in &family.samples {
        if !series.insert((&sample.name, &sample.labels)) {
            return Err(format!("a series stands twice: {sample:?}"));
        }
    }
    match family.kind.as_str() {
        "histogram" => check_histogram(family),
        _ => Ok(()),
    }
}

fn check_histogram(family: &Family) -> Result<(), String> {
    let mut histograms: BTreeMap<Labels, Histogram> = BTreeMap::new();
    for sample in &family.samples {
        let mut labels = sample.labels.clone();
        let bound = labels.remove("le");
        let histogram = histograms.entry(labels).or_default();
        match (sample.name.rsplit('_').next(), bound) {
            (Some("bucket"), Some(bound)) => {
                let bound = match bound.as_str() {
                    "+Inf" => f64::INFINITY,
                    bound => bound.parse().map_err(|_| "a bound that is no number")?,
                };
                histogram.buckets.push((bound, sample.value));
            }
            (Some("sum"), None) => histogram.sum = Some(sample.value),
            (Some("count"), None) => histogram.count = Some(sample.value),
            _ => return Err(format!("le where it must not be, or not: {sample:?}")),
        }
    }
    histograms.values().try_for_each(Histogram::check)
}

#[derive(Default)]
struct Histogram {
    buckets: Vec<(f64, f64)>,
    sum: Option<f64>,
    count: Option<f64>,
}

impl Histogram {
    fn check(&self) -> Result<(), String> {
        let ascending = |pair: &[(f64, f64)]| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1;
        let &(last, all) = self.buckets.last().ok_or("no buckets")?;
        if !self.buckets.windows(2).all(ascending) {
            Err("buckets that do not grow".into())
        } else if last.is_finite() || self.buckets.len() < 2 {
            Err("the last bucket is not +Inf, or the only one".into())
        } else if self.count != Some(all) || self.sum.is_none() {
            Err("the count is not that of the last bucket, or there is no sum".into())
        } else {
            Ok(())
        }
    }
}

#[test]
fn the_reader_refuses_what_a_scraper_could_refuse() {
    const HEAD: &str = "# HELP a Helps.\n# TYPE a gauge\n";
    const HISTOGRAM: &str = "# HELP a Helps.\n# TYPE a histogram\n";
    let check = |head: &str, rest: &str, good: bool| {
        let text = format!("{head}{rest}");
        let parsed = parse(&text);
        assert_eq!(parsed.is_ok(), good, "{text}{parsed:?}");
    };
    check("", "", true);
    check(HEAD, "a 1\n", true);
    check(HEAD, "a{b=\"\\\"\\\\\\n\",c=\"\"} -0.5\n", true);
    check(HEAD, "a 1", false);
    check(HEAD, "", false);
    check(HEAD, "b 1\n", false);
    check(HEAD, "a 1\na 2\n", false);
    check(HEAD, "a  1\n", false);
    check(HEAD, "a NaN\n", false);
    check(HEAD, "a{} 1\n", false);
    check(HEAD, "a{b=\"1\",} 1\n", false);
    check(HEAD, "a{b=\"1\",b=\"2\"} 1\n", false);
    check(HEAD, "a{b=\"\\x\"} 1\n", false);
    check(HEAD, "a{b=\"1} 1\n", false);
    check(HEAD, "a{1b=\"1\"} 1\n", false);
    check(
        HEAD,
        "a 1\n# HELP a Helps.\n# TYPE a gauge\na{b=\"1\"} 1\n",
        false,
    );
    check(HEAD, "# TYPE a gauge\na 1\n", false);
    check("# TYPE a gauge\n", "a 1\n", false);
    check("# HELP a Helps.\n", "a 1\n", false);
    check("# HELP a Helps.\n# TYPE a summary\n", "a 1\n", false);
    let buckets = "a_bucket{le=\"1\"} 1\na_bucket{le=\"+Inf\"} 2\n";
    check(HISTOGRAM, &format!("{buckets}a_sum 3\na_count 2\n"), true);
    check(HISTOGRAM, &format!("{buckets}a_sum 3\na_count 3\n"), false);
    check(HISTOGRAM, &format!("{buckets}a_count 2\n"), false);
    check(
        HISTOGRAM,
        "a_bucket{le=\"1\"} 1\na_sum 3\na_count 1\n",
        false,
    );
    check(HISTOGRAM, "a_sum 3\na_count 1\n", false);
    let shrinking = "a_bucket{le=\"1\"} 3\na_bucket{le=\"+Inf\"} 2\n";
    check(
        HISTOGRAM,
        &format!("{shrinking}a_sum 3\na_count 2\n"),
        false,
    );
}
