//! A real Prometheus scrapes activators in traffic: what the dashboard and the alerts ask it for is there.

mod link;
mod server;
mod traffic;

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::command;
use crate::monitoring::{self, Expression, promql};
use crate::support::http::get;
use crate::support::process::{Scratch, wait_until};
use server::Prometheus;
use traffic::Traffic;

/// Until a query returns data, or an alert is there.
const SOON: Duration = Duration::from_secs(30);
/// The window that Grafana would choose for `$__rate_interval`.
const WINDOW: &str = "30s";

pub(crate) fn run() -> Result<()> {
    check_rules()?;
    let mut traffic = Traffic::start()?;
    let prometheus = Prometheus::start(&traffic.admin_addresses())?;
    check_texts(&traffic)?;
    traffic.begin();
    check_alerts(&prometheus)?;
    check_dashboard(&prometheus)?;
    traffic.end()?;
    traffic.lose_link();
    let [local, _] = traffic.admin_addresses();
    let instance = &*local.to_string();
    wait_until("ActivatorLinkDown is not pending", SOON, || {
        let alerts = prometheus.alerts()?;
        let is_it = |alert: &Value| {
            let labels = &alert["labels"];
            labels["alertname"] == "ActivatorLinkDown" && labels["instance"] == *instance
        };
        Ok(alerts.iter().any(is_it).then_some(()))
    })?;
    println!("the loss of the link to the autoscaler makes an alert pending");
    traffic.stop()
}

/// By promtool: the rules are valid, and their tests pass.
fn check_rules() -> Result<()> {
    for arguments in [
        ["check", "rules", "alerts.yaml"],
        ["test", "rules", "alerts_test.yaml"],
    ] {
        let mut promtool = Command::new("promtool");
        promtool
            .args(arguments)
            .current_dir(monitoring::rules_folder());
        command::run(&mut promtool)?;
    }
    Ok(())
}

/// By promtool: the names of metrics follow the conventions, legacy names apart.
fn check_texts(traffic: &Traffic) -> Result<()> {
    let scratch = Scratch::new("prometheus-text")?;
    let file = scratch.path("metrics");
    for (address, is_legacy) in traffic.texts() {
        let answer = get(address, "/metrics", "")?;
        ensure!(answer.status == 200, "/metrics: status {}", answer.status);
        std::fs::write(&file, &answer.body)?;
        let output = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::from(File::open(&file)?))
            .output()
            .context("cannot start promtool")?;
        let complaints = [output.stdout, output.stderr].concat();
        let complaints = String::from_utf8_lossy(&complaints);
        if is_legacy {
            ensure!(
                answer.body.contains("activator_request_count{"),
                "no legacy names"
            );
            let lines = complaints.lines().filter(|line| !line.is_empty());
            for line in lines {
                let about_legacy = line.starts_with("activator_request_");
                ensure!(about_legacy, "promtool check metrics: {line}");
            }
        } else {
            ensure!(
                output.status.success() && complaints.is_empty(),
                "promtool check metrics: {complaints}"
            );
        }
    }
    Ok(())
}

/// Each alert's expression returns data without its comparison.
fn check_alerts(prometheus: &Prometheus) -> Result<()> {
    let alerts = monitoring::alert_expressions()?;
    for Expression { owner, text } in &alerts {
        let left = promql::left_of_comparison(text)?;
        wait_for_data(prometheus, owner, left)?;
    }
    println!("the expressions of {} alerts return data", alerts.len());
    Ok(())
}

/// Each query of the dashboard returns data, for all revisions and for those that its variables list.
fn check_dashboard(prometheus: &Prometheus) -> Result<()> {
    let dashboard = monitoring::dashboard()?;
    let variables = monitoring::dashboard_variables(&dashboard)?;
    let mut listed: Vec<(String, String)> = Vec::new();
    for (name, query) in variables {
        let (selector, label) = monitoring::label_values(&query)?;
        let selector = substitute(selector, &listed);
        let values = wait_until(&format!("no values of {name}"), SOON, || {
            let values = prometheus.label_values(&selector, label)?;
            Ok((!values.is_empty()).then_some(values))
        })?;
        // As Grafana does for several values.
        listed.push((name, format!("({})", values.join("|"))));
    }
    let all = [("namespace", ".*"), ("revision", ".*")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let instances = listed
        .iter()
        .filter(|(name, _)| name == "instance")
        .cloned();
    let all: Vec<_> = all.into_iter().chain(instances).collect();
    let queries = monitoring::dashboard_expressions(&dashboard)?;
    for Expression { owner, text } in &queries {
        for values in [&all, &listed] {
            wait_for_data(prometheus, owner, &substitute(text, values))?;
        }
    }
    println!("the {} queries of the dashboard return data", queries.len());
    Ok(())
}

fn substitute(query: &str, values: &[(String, String)]) -> String {
    let query = query.replace("$__rate_interval", WINDOW);
    values.iter().fold(query, |query, (name, value)| {
        // In a string of PromQL a backslash is written as two.
        query.replace(&format!("${name}"), &value.replace('\\', "\\\\"))
    })
}

/// Waits until a query returns a number at least once.
fn wait_for_data(prometheus: &Prometheus, owner: &str, query: &str) -> Result<()> {
    wait_until(&format!("{owner}: no data for {query}"), SOON, || {
        let values = prometheus.query(query).with_context(|| owner.to_owned())?;
        Ok(values.iter().any(|value| value.is_finite()).then_some(()))
    })
}
