//! Alerts and dashboard use metrics that there are, by labels that they have; and each alert is complete.

use std::collections::BTreeSet;

use reporter_metrics::{Kind, METRICS, Metric};

use super::*;

/// What Prometheus adds to each series.
const ADDED: [&str; 2] = ["job", "instance"];
/// What Prometheus says of each target itself.
const OF_TARGETS: &str = "up";

/// All expressions, the queries of the dashboard's variables included.
fn expressions() -> Vec<Expression> {
    let dashboard = dashboard().unwrap();
    let variables = dashboard_variables(&dashboard).unwrap().into_iter();
    let mut all: Vec<_> = variables
        .map(|(name, query)| {
            let (selector, label) = label_values(&query).unwrap();
            // As a query that names the label.
            Expression {
                owner: name,
                text: format!("count by ({label}) ({selector})"),
            }
        })
        .collect();
    all.extend(dashboard_expressions(&dashboard).unwrap());
    all.extend(alert_expressions().unwrap());
    all
}

/// The metric to which a series of this name belongs.
fn metric(series: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| {
        let suffix = series.strip_prefix(metric.name);
        match metric.kind {
            Kind::Histogram(_) => {
                suffix.is_some_and(|it| ["_bucket", "_sum", "_count"].contains(&it))
            }
            Kind::Counter | Kind::Gauge => suffix == Some(""),
        }
    })
}

#[test]
fn metrics_and_labels_exist() {
    for Expression { owner, text } in expressions() {
        let names = promql::names::names(&text).unwrap();
        let mut labels_of_all = BTreeSet::from(ADDED);
        assert!(!names.selected.is_empty(), "{owner}: {text}");
        for (series, selected) in &names.selected {
            let mut labels = BTreeSet::from(ADDED);
            if series != OF_TARGETS {
                let metric = metric(series);
                let metric = metric.unwrap_or_else(|| panic!("{owner}: there is no {series}"));
                labels.extend(metric.labels);
                if series.ends_with("_bucket") {
                    labels.insert("le");
                }
            }
            for label in selected {
                assert!(
                    labels.contains(label.as_str()),
                    "{owner}: {series} has no label {label}"
                );
            }
            labels_of_all.extend(labels);
        }
        for label in &names.grouped {
            assert!(
                labels_of_all.contains(label.as_str()),
                "{owner}: nothing has a label {label}"
            );
        }
    }
}

#[test]
fn alerts_are_complete() {
    let tests = std::fs::read_to_string(rules_folder().join("alerts_test.yaml")).unwrap();
    let page = std::fs::read_to_string(root().join("docs/failures.md")).unwrap();
    let headings = page.lines().filter_map(|line| line.strip_prefix("## "));
    let sections: BTreeSet<String> = headings.map(anchor).collect();
    let alerts = alerts().unwrap();
    assert!(alerts.len() > 10);
    for alert in alerts {
        let name = text(&alert["alert"]).unwrap();
        left_of_comparison(&alert).unwrap();
        let severity = text(&alert["labels"]["severity"]).unwrap();
        assert!(
            ["critical", "warning"].contains(&severity),
            "{name}: {severity}"
        );
        let runbook = text(&alert["annotations"]["runbook"]).unwrap();
        let section = runbook.strip_prefix("docs/failures.md#");
        assert!(
            section.is_some_and(|it| sections.contains(it)),
            "{name}: {runbook}"
        );
        for annotation in ["summary", "description"] {
            let value = text(&alert["annotations"][annotation]);
            assert!(value.is_ok_and(|it| !it.is_empty()), "{name}: {annotation}");
        }
        let fires = format!("ALERTS{{alertname=\"{name}\", alertstate=\"firing\"");
        assert!(tests.contains(&fires), "{name} fires in no test");
    }
}

/// The name of a section in links.
fn anchor(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|it| it.is_alphanumeric() || *it == ' ');
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn left_of_comparison(alert: &Value) -> Result<String> {
    Ok(promql::left_of_comparison(text(&alert["expr"])?)?.to_owned())
}

#[test]
fn panels_have_numbers_of_their_own_and_lie_beside_each_other() {
    let dashboard = dashboard().unwrap();
    let mut ids = BTreeSet::new();
    let mut cells = BTreeSet::new();
    for panel in list(&dashboard["panels"]).unwrap() {
        let title = &panel["title"];
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}");
        let at = |what: &str| panel["gridPos"][what].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24, "{title}");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(cells.insert((x, y)), "{title} lies over another panel");
            }
        }
    }
}
