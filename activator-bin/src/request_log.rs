//! The request log: a line on standard output for each request, by a template as Knative's people know it.
//!
//! The template is a part of Go's text/template with the same meaning: text, trimmed space, comments, fields, `js`,
//! `index`, `printf`, `if`, pipelines, parentheses, and literals. Its [fields](field) are those of Knative's activator.
//! Anything else is an error when it is parsed. What a template needs of a request is taken from it at its head.
//!
//! A client cannot end a line or begin one: its control characters are escaped unless the template does that itself.
//! Its values and the lines are cut when they are too long. Nothing waits for standard output.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use http::Request;

mod calls;
mod entry;
mod error;
mod expression;
mod field;
mod format;
mod lexer;
mod line;
mod literal;
mod needs;
mod output;
mod parser;
mod template;
#[cfg(test)]
mod tests;
mod text;
mod url;
mod value;

pub(crate) use entry::{Entry, RevisionEntry};
pub use error::TemplateError;
pub(crate) use output::{flush, lines_dropped};
pub use template::Template;

use crate::settings::{Value, settings};
use entry::ResponseEntry;

settings! {
    /// The line that is written for each request.
    #[derive(Clone, Debug, PartialEq)]
    pub struct RequestLogConfig in "" {
        /// The template of a line on standard output for each request, in the language of Knative's logging.request-log-template; off writes none.
        template as "request_log": Option<Template> = "off", by(template);
    }
}

/// Parses a template, or `off`.
fn template(value: &Value<'_>) -> Result<Option<Template>, String> {
    let expected = "a template without control characters, or off";
    let is_odd = |char: char| char.is_control() && !char.is_whitespace();
    match value.string(expected)? {
        "off" => Ok(None),
        text if text.is_empty() || text.contains(is_odd) => Err(value.instead_of(expected)),
        text => Template::parse(text)
            .map(Some)
            .map_err(|error| error.to_string()),
    }
}

/// The request log of this process. Clones share the template, which can change at any time.
#[derive(Clone, Default)]
pub struct RequestLog(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Whether there is a template.
    is_on: AtomicBool,
    template: ArcSwapOption<Template>,
    /// `None` for standard output.
    to: Option<Box<TakeLine>>,
}

/// Takes a line; must not block.
type TakeLine = dyn Fn(Vec<u8>) + Send + Sync;

/// A request whose line is written at its end.
pub(crate) struct Logged {
    log: RequestLog,
    template: Arc<Template>,
    entry: Entry,
    size: u64,
}

impl RequestLog {
    /// A request log whose lines go to `to` instead of standard output.
    pub fn to(to: impl Fn(Vec<u8>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared {
            to: Some(Box::new(to)),
            ..Shared::default()
        }))
    }

    /// Logs the requests that begin from now on by this template; `None` logs none.
    pub fn set(&self, template: Option<Template>) {
        let template = template.filter(|_| self.0.to.is_some() || is_started());
        let is_on = template.is_some();
        self.0.template.store(template.map(Arc::new));
        self.0.is_on.store(is_on, Ordering::Relaxed);
    }

    /// A request has arrived. `content_length` returns `None` if the length of its body is not known.
    ///
    /// Costs a load and nothing else if there is no template.
    #[inline]
    pub(crate) fn begin<B>(
        &self,
        request: &Request<B>,
        content_length: impl FnOnce() -> Option<u64>,
        remote_address: impl FnOnce() -> String,
    ) -> Option<Box<Logged>> {
        if !self.0.is_on.load(Ordering::Relaxed) {
            return None;
        }
        let template = self.0.template.load_full()?;
        let entry = Entry::new(template.needs(), request, content_length(), remote_address);
        Some(Box::new(Logged {
            log: self.clone(),
            template,
            entry,
            size: 0,
        }))
    }
}

/// Whether there is a thread that writes lines to standard output.
fn is_started() -> bool {
    let started = output::start();
    if let Err(error) = &started {
        tracing::error!(%error, "cannot write the request log to standard output");
    }
    started.is_ok()
}

impl Logged {
    /// The revision was found.
    pub(crate) fn belong_to(&mut self, revision: RevisionEntry) {
        self.entry.revision = revision;
    }

    /// The request belongs to this trace, whatever its headers say.
    pub(crate) fn belong_to_trace(&mut self, id: impl Display) {
        self.entry.set_trace_id(self.template.needs(), id);
    }

    /// More of the response's body was sent.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.size += bytes as u64;
    }

    /// The request has ended: writes its line. `latency` is in seconds.
    pub(crate) fn end(mut self, code: u16, latency: f64) {
        self.entry.response = ResponseEntry {
            code,
            size: self.size,
            latency,
        };
        let mut line = String::new();
        self.template.render(&self.entry, &mut line);
        match &self.log.0.to {
            _ if line.is_empty() => {}
            Some(to) => to(line.into()),
            None => output::push(line.into()),
        }
    }
}
