//! config-observability: the access log, traces, and what else Knative's activator can do that this one does not.
//!
//! /metrics is there whatever the ConfigMap says.

use super::data::{Data, Wrong};
use super::{ClusterSettings, Found, traces};
use crate::access_log::{Template, TemplateError};

const IS_ON: &str = "logging.enable-request-log";
const TEMPLATE: &str = "logging.request-log-template";

/// A key that chooses among ways of which some are not supported.
struct Choice {
    key: &'static str,
    supported: &'static [&'static str],
    not_supported: &'static [&'static str],
}

/// Of all versions of Knative.
const CHOICES: &[Choice] = &[
    Choice {
        key: "metrics-protocol",
        supported: &["prometheus", "none"],
        not_supported: &["grpc", "http/protobuf"],
    },
    Choice {
        key: "metrics.backend-destination",
        supported: &["prometheus", "none"],
        not_supported: &["opencensus"],
    },
    Choice {
        key: "runtime-profiling",
        supported: &["disabled"],
        not_supported: &["enabled"],
    },
];

/// The older way to say that profiles are served.
const PROFILING: &str = "profiling.enable";

pub(super) fn read(data: Data<'_>, settings: &mut ClusterSettings, found: &mut Found) {
    found.set(&mut settings.access_log, access_log(data));
    for choice in CHOICES {
        let Some(value) = data.get(choice.key) else {
            continue;
        };
        let is_one_of = |names: &[&str]| names.iter().any(|it| value.eq_ignore_ascii_case(it));
        if is_one_of(choice.not_supported) {
            found.not_supported(choice.key, value);
        } else if !is_one_of(choice.supported) {
            let expected = choice.supported.join(" or ");
            found.wrong(Wrong::new(choice.key, value, &expected));
        }
    }
    traces::read(data, settings, found);
    match data.truth(PROFILING) {
        Ok(true) => found.not_supported(PROFILING, "true"),
        Ok(false) => {}
        Err(wrong) => found.wrong(wrong),
    }
}

fn access_log(data: Data<'_>) -> Result<Option<Template>, Wrong> {
    if !data.truth(IS_ON)? {
        return Ok(None);
    }
    let has_key = data.0.contains_key(TEMPLATE);
    let template = match data.get(TEMPLATE) {
        Some(template) => template,
        None if has_key => return Err(Wrong::new(TEMPLATE, "", "a template")),
        None => return Ok(Some(Template::default())),
    };
    let wrong = |error: TemplateError| Wrong {
        key: TEMPLATE,
        why: error.to_string(),
    };
    Template::parse(template).map(Some).map_err(wrong)
}
