//! Knative's metrics and ours by the names up to Knative 1.18, of requests that both have served.

use std::collections::BTreeSet;

use anyhow::{Context, Result};

use super::SOON;
use crate::e2e::cluster::Cluster;
use crate::e2e::cluster::activators::Kind;
use crate::e2e::cluster::client::agent;
use crate::e2e::cluster::objects::Revision;
use crate::support::process::wait_until;

/// Waits until both activators, which have served the same revision, have the same legacy metrics of it, but for the
/// values and the name of the pod.
pub(super) fn compare(cluster: &Cluster, revision: &Revision) -> Result<()> {
    let mut seen = Vec::new();
    let result = wait_until("the metrics of the two differ", SOON, || {
        seen.clear();
        for kind in Kind::BOTH {
            let activator = cluster.activators(kind)?.remove(0);
            let url = format!("http://{}/metrics", activator.admin);
            let text = agent().get(url).call()?.body_mut().read_to_string()?;
            seen.push(legacy_series(&text, revision, &activator.name));
        }
        Ok((!seen[0].is_empty() && seen[0] == seen[1]).then_some(()))
    });
    result.with_context(|| format!("{seen:#?}"))?;
    println!(
        "both have the same {} series by legacy names",
        seen[0].len()
    );
    Ok(())
}

/// Types of legacy metrics, and their series of a revision for requests that were served.
fn legacy_series(text: &str, revision: &Revision, pod: &str) -> BTreeSet<String> {
    let name = format!("revision_name=\"{}\"", revision.name);
    let is_of_it = |line: &&str| {
        let is_failure =
            line.contains("response_code=\"") && !line.contains("response_code=\"200\"");
        line.contains(&name) && !is_failure
    };
    let series = text
        .lines()
        .filter(|line| line.starts_with("activator_request_"))
        .filter(is_of_it);
    let series = series.filter_map(|line| Some(line.rsplit_once(' ')?.0.replace(pod, "POD")));
    let legacy = ["concurrency", "count", "latencies"];
    let types = text.lines().filter(|line| {
        let name = line
            .strip_prefix("# TYPE activator_request_")
            .and_then(|it| it.split_once(' '));
        name.is_some_and(|(name, _)| legacy.contains(&name))
    });
    series.chain(types.map(str::to_owned)).collect()
}
