//! The keys of config-observability that say how requests are traced. They hold together, or not at all.

use super::data::{Data, Wrong};
use super::{ClusterSettings, Found};
use crate::config::TracingConfig;
use crate::settings::Value;
use crate::traces::{ENDPOINT_EXPECTED, Endpoint, ExportProtocol};

const PROTOCOL: &str = "tracing-protocol";
const ENDPOINT: &str = "tracing-endpoint";
const SAMPLING_RATE: &str = "tracing-sampling-rate";

/// While nothing is traced.
pub(super) fn off() -> TracingConfig {
    TracingConfig {
        // Knative's default.
        sampling_rate: 0.0,
        ..TracingConfig::default()
    }
}

pub(super) fn read(data: Data<'_>, settings: &mut ClusterSettings, found: &mut Found) {
    let protocol = data.choice(PROTOCOL, ExportProtocol::CHOICES);
    let value = data.get(PROTOCOL).unwrap_or_default();
    let is_built = cfg!(feature = "otlp");
    let is_asked_for = matches!(protocol, Ok(Some(_)));
    if value.eq_ignore_ascii_case("stdout") || (is_asked_for && !is_built) {
        found.not_supported(PROTOCOL, value);
        settings.tracing = off();
        return;
    }
    let tracing = protocol.and_then(|protocol| tracing(data, protocol));
    found.set(&mut settings.tracing, tracing);
}

fn tracing(data: Data<'_>, protocol: Option<ExportProtocol>) -> Result<TracingConfig, Wrong> {
    if protocol.is_none() {
        return Ok(off());
    }
    let text = data.get(ENDPOINT).unwrap_or_default();
    // As Knative reads it.
    let endpoint = match text.contains("://") {
        true => Endpoint::parse(text),
        false => Endpoint::parse(&format!("https://{text}")),
    };
    // What was found may contain a password.
    let wrong = || Wrong {
        key: ENDPOINT,
        why: format!("expected {ENDPOINT_EXPECTED}"),
    };
    let rate = Value::Text(data.get(SAMPLING_RATE).unwrap_or("0")).number(0.0..=1.0);
    Ok(TracingConfig {
        protocol,
        endpoint: Some(endpoint.ok_or_else(wrong)?),
        sampling_rate: rate.map_err(|why| Wrong {
            key: SAMPLING_RATE,
            why,
        })?,
    })
}
