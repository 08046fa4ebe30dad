//! Templates against Go's own text/template, and what holds for any template and request.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Version};
use serde::Deserialize;

use super::Template;
use super::entry::{Entry, ResponseEntry, RevisionEntry};
use super::needs::Needs;
use crate::message::target::{Target, disguise, path_start};

mod errors;
mod json;
mod properties;

/// Requests, and what Go makes of templates for them; written by `golden.go`.
#[derive(Deserialize)]
struct Golden {
    entries: BTreeMap<String, GoldenEntry>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct GoldenEntry {
    head: String,
    remote_addr: String,
    response: GoldenResponse,
    revision: GoldenRevision,
    trace_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GoldenResponse {
    code: u16,
    size: u64,
    latency: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GoldenRevision {
    name: String,
    namespace: String,
    service: String,
    configuration: String,
}

#[derive(Deserialize)]
struct Case {
    entry: String,
    template: String,
    line: String,
}

/// A request with this head, and the length of its body.
fn request(head: &str) -> (Request<()>, Option<u64>) {
    let mut lines = head.lines();
    let mut words = lines.next().unwrap().split(' ');
    let mut next = || words.next().unwrap();
    let (method, target, version) = (next(), next(), next());
    let mut disguised = target.as_bytes().to_vec();
    let path = path_start(target.as_bytes());
    let is_odd = path.is_some_and(|start| disguise(&mut disguised[start..]));
    let mut request = Request::builder().method(method);
    request = request.uri(String::from_utf8(disguised).unwrap());
    request = request.version(match version {
        "HTTP/1.0" => Version::HTTP_10,
        _ => Version::HTTP_11,
    });
    if let Some(start) = path.filter(|_| is_odd) {
        request = request.extension(Target::new(Bytes::copy_from_slice(
            &target.as_bytes()[start..],
        )));
    }
    let mut length = Some(0);
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok(),
            "transfer-encoding" => length = None,
            _ => {}
        }
        request = request.header(name, value.trim_matches(' ').as_bytes());
    }
    (request.body(()).unwrap(), length)
}

/// What is taken of a request.
fn known(needs: &Needs, entry: &GoldenEntry) -> Entry {
    let (request, length) = request(&entry.head);
    let address = || entry.remote_addr.clone();
    let mut known = Entry::new(needs, &request, length, address);
    let GoldenResponse {
        code,
        size,
        latency,
    } = entry.response;
    let latency = Duration::from_secs_f64(latency);
    known.response = ResponseEntry {
        code,
        size,
        latency,
        ..ResponseEntry::default()
    };
    let revision = &entry.revision;
    known.revision = RevisionEntry {
        name: revision.name.clone(),
        namespace: revision.namespace.clone(),
        service: revision.service.clone(),
        configuration: revision.configuration.clone(),
    };
    known.trace_id = entry.trace_id.clone();
    known
}

/// The line for a request.
fn line(template: &Template, entry: &GoldenEntry) -> String {
    let mut line = String::new();
    template.render(&known(template.needs(), entry), &mut line);
    line
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../tests/access_log/golden.json")).unwrap()
}

#[test]
fn lines_are_those_of_go() {
    let golden = golden();
    assert!(golden.cases.len() > 400);
    let first = Template::parse(&golden.cases[0].template);
    assert_eq!(first.unwrap(), Template::default());
    let mut wrong = Vec::new();
    for case in &golden.cases {
        let entry = &golden.entries[&case.entry];
        let found = match Template::parse(&case.template) {
            Ok(template) => line(&template, entry),
            Err(error) => error.to_string(),
        };
        if found != case.line {
            let Case {
                entry,
                template,
                line,
            } = case;
            wrong.push(format!(
                "{entry}: {template}\n  Go:   {line:?}\n  here: {found:?}"
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
