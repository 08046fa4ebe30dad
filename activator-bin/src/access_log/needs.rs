//! What a template needs of a request.

use http::HeaderName;

/// What is to be taken from a request while it is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) target: bool,
    pub(super) host: bool,
    pub(super) remote_address: bool,
    pub(super) trace_id: bool,
    pub(super) traceparent: bool,
    pub(super) headers: HeaderNeeds,
}

/// The headers that are needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HeaderNeeds {
    /// These.
    Named(Vec<HeaderName>),
    /// All.
    All,
}

impl Default for HeaderNeeds {
    fn default() -> Self {
        Self::Named(Vec::new())
    }
}

impl HeaderNeeds {
    /// Adds a header. No header has a name that is not valid.
    pub(super) fn add(&mut self, name: &str) {
        if let (Self::Named(names), Ok(name)) = (self, name.parse())
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
}
