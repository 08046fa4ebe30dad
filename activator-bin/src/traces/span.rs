//! The spans of a request, complete, as they are handed to whoever sends them.

use std::borrow::Cow;

use super::context::{SpanId, TraceId};

/// The spans of one request: its own first, then its parts in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    pub id: TraceId,
    /// The request's `tracestate`.
    pub state: String,
    pub spans: Vec<Span>,
}

/// Something that took time.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    pub id: SpanId,
    pub parent: Option<SpanId>,
    pub name: &'static str,
    pub kind: Kind,
    /// In nanoseconds since 1970, as is `end`.
    pub start: u64,
    pub end: u64,
    pub attributes: Vec<Attribute>,
    pub is_error: bool,
}

/// A name and its value.
pub type Attribute = (&'static str, Value);

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Text(Cow<'static, str>),
    Whole(i64),
}

/// The side of an exchange that a span is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A request that was received; its parent is another process's.
    Server,
    /// A part of it within this process.
    Internal,
    /// A request that was sent.
    Client,
}

impl Trace {
    /// About how much memory it takes, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        let spans = self.spans.iter().map(Span::size);
        size_of::<Self>() + self.state.len() + spans.sum::<usize>()
    }
}

impl Span {
    /// The value of an attribute.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Value> {
        let found = self.attributes.iter().find(|(it, _)| *it == name);
        found.map(|(_, value)| value)
    }

    fn size(&self) -> usize {
        let values = self.attributes.iter().map(|(_, value)| match value {
            Value::Text(Cow::Owned(text)) => text.len(),
            Value::Text(Cow::Borrowed(_)) | Value::Whole(_) => 0,
        });
        size_of::<Self>()
            + self.attributes.capacity() * size_of::<Attribute>()
            + values.sum::<usize>()
    }
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Whole(number.into())
    }
}
