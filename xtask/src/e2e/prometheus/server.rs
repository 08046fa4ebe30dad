//! Prometheus itself, with the shipped alerts, and its HTTP API.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use ureq::Agent;

use crate::monitoring::rules_folder;
use crate::support::process::{Process, Scratch, free_address, wait_for_listener, wait_until};

const START: Duration = Duration::from_secs(60);

/// A running Prometheus. It is killed when this is dropped.
pub(super) struct Prometheus {
    address: SocketAddr,
    agent: Agent,
    _process: Process,
    _scratch: Scratch,
}

impl Prometheus {
    /// Starts it; it scrapes these addresses every second.
    pub(super) fn start(targets: &[SocketAddr]) -> Result<Self> {
        let scratch = Scratch::new("prometheus")?;
        let address = free_address()?;
        let targets: Vec<_> = targets.iter().map(ToString::to_string).collect();
        // JSON is YAML.
        let config = json!({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [rules_folder().join("alerts.yaml")],
            "scrape_configs": [{"job_name": "activator", "static_configs": [{"targets": targets}]}],
        });
        let file = scratch.path("prometheus.yml");
        std::fs::write(&file, config.to_string())?;
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                scratch.path("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=warn")
            .stdout(Stdio::null());
        let process = Process::start(&mut command)?;
        wait_for_listener(address)?;
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(20)))
            .build()
            .new_agent();
        let prometheus = Self {
            address,
            agent,
            _process: process,
            _scratch: scratch,
        };
        let all = targets.len();
        wait_until("not all activators are scraped", START, || {
            let up = prometheus.query("count(up == 1)").unwrap_or_default();
            Ok((up == [all as f64]).then_some(()))
        })?;
        Ok(prometheus)
    }

    /// The values that a query has now, each of one series.
    pub(super) fn query(&self, query: &str) -> Result<Vec<f64>> {
        let data = self.get("/api/v1/query", &[("query", query)])?;
        let result = data["result"].as_array().context("no result")?;
        let value = |series: &Value| match data["resultType"].as_str() {
            Some("scalar") => None,
            _ => series["value"][1].as_str()?.parse().ok(),
        };
        let values: Option<Vec<f64>> = result.iter().map(value).collect();
        values.with_context(|| format!("not a vector: {query}"))
    }

    /// The values that a label has in the series of a selector.
    pub(super) fn label_values(&self, selector: &str, label: &str) -> Result<Vec<String>> {
        let path = format!("/api/v1/label/{label}/values");
        let data = self.get(&path, &[("match[]", selector)])?;
        let values = data.as_array().context("no list")?.iter();
        let values = values.filter_map(|value| value.as_str().map(str::to_owned));
        Ok(values.filter(|value| !value.is_empty()).collect())
    }

    /// The alerts that are pending or firing.
    pub(super) fn alerts(&self) -> Result<Vec<Value>> {
        let data = self.get("/api/v1/alerts", &[])?;
        Ok(data["alerts"].as_array().context("no list")?.clone())
    }

    fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value> {
        let request = self.agent.get(format!("http://{}{path}", self.address));
        let request = request.query_pairs(parameters.iter().copied());
        let body = request.call()?.body_mut().read_to_string()?;
        let answer: Value = serde_json::from_str(&body).with_context(|| body.clone())?;
        ensure!(
            answer["status"] == "success",
            "{path} {parameters:?}: {body}"
        );
        Ok(answer["data"].clone())
    }
}
