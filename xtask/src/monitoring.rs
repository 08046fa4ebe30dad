//! What `deploy/` has for Prometheus and Grafana: the expressions of its alerts and of its dashboard.

pub(crate) mod promql;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::command::root;

/// An expression, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    /// The alert's name, or the panel's title.
    pub(crate) owner: String,
    pub(crate) text: String,
}

/// The folder of the rule file and its tests.
pub(crate) fn rules_folder() -> PathBuf {
    root().join("deploy/prometheus")
}

/// The rules of all alerts.
pub(crate) fn alerts() -> Result<Vec<Value>> {
    let file = std::fs::read_to_string(rules_folder().join("alerts.yaml"))?;
    let file: Value = serde_saphyr::from_str(&file).context("in alerts.yaml")?;
    let groups = list(&file["groups"])?.iter();
    let rules = groups.map(|group| Ok(list(&group["rules"])?.to_vec()));
    Ok(rules.collect::<Result<Vec<_>>>()?.concat())
}

/// The expressions of all alerts.
pub(crate) fn alert_expressions() -> Result<Vec<Expression>> {
    let expression = |rule: &Value| {
        Ok(Expression {
            owner: text(&rule["alert"])?.to_owned(),
            text: text(&rule["expr"])?.to_owned(),
        })
    };
    alerts()?.iter().map(expression).collect()
}

/// The dashboard for Grafana.
pub(crate) fn dashboard() -> Result<Value> {
    let file = std::fs::read_to_string(root().join("deploy/grafana/activator.json"))?;
    serde_json::from_str(&file).context("in activator.json")
}

/// The expressions of all panels, with Grafana's variables in them.
pub(crate) fn dashboard_expressions(dashboard: &Value) -> Result<Vec<Expression>> {
    let mut expressions = Vec::new();
    for panel in list(&dashboard["panels"])? {
        if panel["type"] == "row" {
            ensure!(
                panel["collapsed"] == false,
                "the panels of a collapsed row stand inside it"
            );
            continue;
        }
        let title = text(&panel["title"])?;
        for target in list(&panel["targets"]).with_context(|| title.to_owned())? {
            expressions.push(Expression {
                owner: title.to_owned(),
                text: text(&target["expr"])?.to_owned(),
            });
        }
    }
    Ok(expressions)
}

/// The variables whose values Grafana asks for: their names, and the queries `label_values(...)`.
pub(crate) fn dashboard_variables(dashboard: &Value) -> Result<Vec<(String, String)>> {
    let variables = list(&dashboard["templating"]["list"])?.iter();
    variables
        .filter(|variable| variable["type"] == "query")
        .map(|variable| {
            let query = text(&variable["query"]["query"])?;
            Ok((text(&variable["name"])?.to_owned(), query.to_owned()))
        })
        .collect()
}

/// The selector and the label of Grafana's `label_values(SELECTOR, LABEL)`.
pub(crate) fn label_values(query: &str) -> Result<(&str, &str)> {
    let arguments = query.strip_prefix("label_values(");
    let arguments = arguments.and_then(|it| it.strip_suffix(')'));
    let parts = arguments.and_then(|it| it.rsplit_once(','));
    let (selector, label) = parts.with_context(|| format!("not label_values(a, b): {query}"))?;
    Ok((selector, label.trim()))
}

fn list(value: &Value) -> Result<&[Value]> {
    let list = value.as_array().context("a list is missing")?;
    Ok(list)
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().context("a text is missing")
}

#[cfg(test)]
mod tests;
