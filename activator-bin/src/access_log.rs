//! The access log: a line for each request, in a file or on standard output: as JSON, or by a template as Knative's
//! people know it.
//!
//! The template is a part of Go's text/template with the same meaning: text, trimmed space, comments, fields, `js`,
//! `index`, `printf`, `if`, pipelines, parentheses, and literals. Its [fields](field) are those of Knative's activator.
//! Anything else is an error when it is parsed. What a template needs of a request is taken from it at its head.
//!
//! A client cannot end a line or begin one: its control characters are escaped unless the template does that itself.
//! Its values and the lines are cut when they are too long. Nothing waits for a file or standard output.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwapOption;
use http::Request;
use reporter_runtime::sink::json_lines::Reopener;

mod calls;
mod entry;
mod error;
mod expression;
mod field;
mod format;
mod json;
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

pub(crate) use entry::RevisionEntry;
pub use error::TemplateError;
pub use template::Template;

use crate::logging::queue::Queue;
use crate::settings::{Value, nearest, settings};
use entry::{Entry, ResponseEntry};
use needs::Needs;

settings! {
    /// The line that is written for each request.
    #[derive(Clone, Debug, PartialEq)]
    pub struct AccessLogConfig in "access_log." {
        /// The file that lines are appended to; - is standard output.
        path: Option<PathBuf> = "-", path_or_stdout();
        /// What is written for each request: json, or a template in the language of Knative's logging.request-log-template; off writes nothing.
        format: Option<Format> = "off", by(format);
    }
}

/// What a line is made by.
#[derive(Clone, Debug, PartialEq)]
pub enum Format {
    /// An object with all that is known.
    Json,
    /// A template.
    Template(Template),
}

/// Parses a format, or `off`.
fn format(value: &Value<'_>) -> Result<Option<Format>, String> {
    let expected = "json, off, or a template with fields like {{.Request.Method}}";
    let is_odd = |char: char| char.is_control() && !char.is_whitespace();
    match value.string(expected)? {
        "off" => Ok(None),
        "json" => Ok(Some(Format::Json)),
        text if !text.contains("{{") || text.contains(is_odd) => {
            let near = nearest(text, ["json", "off"]);
            let hint = near.map(|near| format!("; did you mean {near:?}?"));
            Err(value.instead_of(expected) + &hint.unwrap_or_default())
        }
        text => Template::parse(text)
            .map(|template| Some(Format::Template(template)))
            .map_err(|error| error.to_string()),
    }
}

/// The access log of this process. Clones share the format, which can change at any time.
#[derive(Clone, Default)]
pub struct AccessLog(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Whether there is a format.
    is_on: AtomicBool,
    format: ArcSwapOption<Format>,
    /// Unset until the first line may come.
    to: OnceLock<Destination>,
}

/// Where lines go.
enum Destination {
    Queue(Queue),
    /// Somebody who takes a line, and must not block.
    Taker(Box<dyn Fn(Vec<u8>) + Send + Sync>),
}

/// A request whose line is written at its end.
pub(crate) struct Logged {
    log: AccessLog,
    format: Arc<Format>,
    entry: Entry,
    size: u64,
    /// How long it has waited for capacity, and since when it does.
    queued: Cell<Duration>,
    queued_since: Cell<Option<Instant>>,
    /// The backend that it was sent to last.
    backend: RefCell<String>,
}

impl AccessLog {
    /// An access log whose lines go to `to`.
    pub fn to(to: impl Fn(Vec<u8>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared {
            to: Destination::Taker(Box::new(to)).into(),
            ..Shared::default()
        }))
    }

    /// Has lines appended to the file at `path` instead of standard output. Returns what opens it again. Changes nothing
    /// if lines go elsewhere already.
    ///
    /// # Errors
    /// The file cannot be opened, or the machine is out of threads.
    pub(crate) fn open(&self, path: &Path) -> io::Result<Option<Reopener>> {
        if self.0.to.get().is_some() {
            return Ok(None);
        }
        let (queue, reopener) = output::file(path)?;
        let _ = self.0.to.set(Destination::Queue(queue));
        Ok(reopener)
    }

    /// Logs the requests that begin from now on in this format; `None` logs none.
    pub fn set(&self, format: Option<Format>) {
        let format = format.filter(|_| self.is_started());
        let is_on = format.is_some();
        self.0.format.store(format.map(Arc::new));
        self.0.is_on.store(is_on, Ordering::Relaxed);
    }

    /// Whether there is somebody who writes lines.
    fn is_started(&self) -> bool {
        if self.0.to.get().is_none() {
            match output::stdout() {
                Ok(queue) => drop(self.0.to.set(Destination::Queue(queue))),
                Err(error) => {
                    tracing::error!(%error, "cannot write the access log to standard output");
                    return false;
                }
            }
        }
        true
    }

    /// A request has arrived. `content_length` returns `None` if the length of its body is not known.
    ///
    /// Costs a load and nothing else if there is no format.
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
        let format = self.0.format.load_full()?;
        let entry = Entry::new(&format.needs(), request, content_length(), remote_address);
        Some(Box::new(Logged {
            log: self.clone(),
            format,
            entry,
            size: 0,
            queued: Cell::default(),
            queued_since: Cell::default(),
            backend: RefCell::default(),
        }))
    }

    /// The total number of lines that were dropped.
    pub(crate) fn lines_dropped(&self) -> u64 {
        self.queue().map_or(0, Queue::dropped)
    }

    /// Waits until all lines so far are written, for at most `patience`.
    pub(crate) fn flush(&self, patience: Duration) {
        if let Some(queue) = self.queue()
            && !queue.flush(patience)
        {
            tracing::error!("the last access log lines could not be written");
        }
    }

    fn queue(&self) -> Option<&Queue> {
        match self.0.to.get()? {
            Destination::Queue(queue) => Some(queue),
            Destination::Taker(_) => None,
        }
    }
}

impl Format {
    fn needs(&self) -> Cow<'_, Needs> {
        match self {
            Self::Json => Cow::Owned(json::needs()),
            Self::Template(template) => Cow::Borrowed(template.needs()),
        }
    }

    fn render(&self, entry: &Entry, to: &mut String) {
        match self {
            Self::Json => json::render(entry, SystemTime::now(), to),
            Self::Template(template) => template.render(entry, to),
        }
    }
}

impl From<Template> for Format {
    fn from(template: Template) -> Self {
        Self::Template(template)
    }
}

impl Logged {
    /// The revision was found.
    pub(crate) fn belong_to(&mut self, revision: RevisionEntry) {
        self.entry.revision = revision;
    }

    /// The request belongs to this trace, whatever its headers say; `parent` is the `traceparent` of its parts.
    pub(crate) fn belong_to_trace(&mut self, id: impl fmt::Display, parent: impl fmt::Display) {
        let format = Arc::clone(&self.format);
        self.entry.set_trace(&format.needs(), id, parent);
    }

    /// The request waits for capacity from now on.
    pub(crate) fn queue(&self) {
        self.queued_since.set(Some(Instant::now()));
    }

    /// It no longer does, if it did, and is sent to `backend`.
    pub(crate) fn send_to(&self, backend: impl fmt::Display) {
        self.end_queue();
        *self.backend.borrow_mut() = backend.to_string();
    }

    fn end_queue(&self) {
        if let Some(since) = self.queued_since.take() {
            self.queued.set(self.queued.get() + since.elapsed());
        }
    }

    /// More of the response's body was sent.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.size += bytes as u64;
    }

    /// The request has ended: writes its line.
    pub(crate) fn end(mut self, code: u16, error: Option<&'static str>, latency: Duration) {
        self.end_queue();
        self.entry.response = ResponseEntry {
            code,
            error,
            size: self.size,
            latency,
            queued: self.queued.get(),
            backend: self.backend.take(),
        };
        let mut line = String::new();
        self.format.render(&self.entry, &mut line);
        match self.log.0.to.get() {
            _ if line.is_empty() => {}
            Some(Destination::Queue(queue)) => queue.push(line.into()),
            Some(Destination::Taker(to)) => to(line.into()),
            None => {}
        }
    }
}
