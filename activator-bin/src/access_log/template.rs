//! A template: parsed once, rendered for each request.

use std::fmt::{self, Write};
use std::sync::Arc;

use super::entry::Entry;
use super::error::TemplateError;
use super::expression::{Expression, OutOfRange};
use super::line::{Bounded, MAX};
use super::needs::Needs;
use super::parser::{Branch, Node, parse};
use super::text::{Text, shortest};
use super::url::Url;
use crate::logging::line;

/// Knative's, for an access log that is on without a template of its own.
const DEFAULT: &str = r#"{"httpRequest": {"requestMethod": "{{.Request.Method}}", "requestUrl": "{{js .Request.RequestURI}}", "requestSize": "{{.Request.ContentLength}}", "status": {{.Response.Code}}, "responseSize": "{{.Response.Size}}", "userAgent": "{{js .Request.UserAgent}}", "remoteIp": "{{js .Request.RemoteAddr}}", "serverIp": "{{.Revision.PodIP}}", "referer": "{{js .Request.Referer}}", "latency": "{{.Response.Latency}}s", "protocol": "{{.Request.Proto}}"}, "traceId": "{{index .Request.Header "X-B3-Traceid"}}"}"#;

/// A template for the lines of the access log: a part of Go's text/template. Clones share it.
#[derive(Clone)]
pub struct Template(Arc<Program>);

struct Program {
    source: String,
    nodes: Vec<Node>,
    needs: Needs,
}

/// Why rendering ends early.
enum Stop {
    OutOfRange,
    /// The line is as long as it may be.
    Full,
}

impl From<OutOfRange> for Stop {
    fn from(_: OutOfRange) -> Self {
        Self::OutOfRange
    }
}

impl From<fmt::Error> for Stop {
    fn from(_: fmt::Error) -> Self {
        Self::Full
    }
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// It is not a template, or uses what is not supported.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let nodes = parse(source).map_err(|error| error.within(source))?;
        let mut needs = Needs::default();
        add_needs(&nodes, &mut needs);
        Ok(Self(Arc::new(Program {
            source: source.to_owned(),
            nodes,
            needs,
        })))
    }

    pub(super) fn needs(&self) -> &Needs {
        &self.0.needs
    }

    /// Appends the line for a request, with its end. Nothing if the line would be empty.
    pub(crate) fn render(&self, entry: &Entry, to: &mut String) {
        let start = to.len();
        let most = MAX - 1;
        let mut printed = print(&self.0.nodes, entry, &mut Bounded::new(to, most));
        if let Err(Stop::OutOfRange) = printed {
            to.truncate(start);
            printed = failed(entry, &mut Bounded::new(to, most)).map_err(Stop::from);
        }
        if printed.is_err() {
            let kept = line::start(&to[start..], most - line::CUT.len()).len();
            to.truncate(start + kept);
            to.push_str(line::CUT);
        }
        match &to[start..] {
            "" | "\n" => to.truncate(start),
            line if line.ends_with('\n') => {}
            _ => to.push('\n'),
        }
    }
}

/// The template that Knative has for an access log without one.
impl Default for Template {
    fn default() -> Self {
        Self::parse(DEFAULT).expect("the default is a template")
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.0.source == other.0.source
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0.source, to)
    }
}

fn add_needs(nodes: &[Node], needs: &mut Needs) {
    for node in nodes {
        match node {
            Node::Text(_) => {}
            Node::Print(value) => value.add_to(needs),
            Node::If(branches) => {
                for Branch { condition, nodes } in branches {
                    condition.iter().for_each(|it| it.add_to(needs));
                    add_needs(nodes, needs);
                }
            }
        }
    }
}

fn print(nodes: &[Node], entry: &Entry, to: &mut Bounded<'_>) -> Result<(), Stop> {
    for node in nodes {
        match node {
            Node::Text(text) => to.write_str(text)?,
            Node::Print(value) => value.value(entry)?.print(to, false)?,
            Node::If(branches) => {
                for Branch { condition, nodes } in branches {
                    if holds(condition.as_ref(), entry)? {
                        print(nodes, entry, to)?;
                        break;
                    }
                }
            }
        }
    }
    Ok(())
}

fn holds(condition: Option<&Expression>, entry: &Entry) -> Result<bool, OutOfRange> {
    match condition {
        Some(condition) => Ok(condition.value(entry)?.is_true()),
        None => Ok(true),
    }
}

/// Prints what Knative does when its template fails.
fn failed(entry: &Entry, to: &mut impl Write) -> fmt::Result {
    let method = &entry.method;
    let code = entry.response.code;
    let latency = shortest(entry.response.latency.as_secs_f64());
    let url = Text::foreign(Url::new(&entry.target).text());
    let url = url.shown();
    write!(
        to,
        "Invalid request log template: method: {method}, response code: {code}, latency: {latency}, url: {url}"
    )
}
