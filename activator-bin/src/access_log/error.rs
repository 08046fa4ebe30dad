//! What is wrong with a template, and where.

use std::fmt;

/// The longest excerpt of a template in an error, in characters.
const EXCERPT: usize = 30;

/// What is wrong with a template, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// Its position in bytes.
    at: usize,
    /// The beginning of the template from there.
    excerpt: String,
    what: String,
}

impl TemplateError {
    pub(super) fn new(at: usize, what: impl Into<String>) -> Self {
        Self {
            at,
            excerpt: String::new(),
            what: what.into(),
        }
    }

    /// Adds an excerpt of the template.
    pub(super) fn within(mut self, template: &str) -> Self {
        let rest = template.get(self.at..).unwrap_or_default();
        let shown = rest.chars().take(EXCERPT);
        self.excerpt = shown
            .map(|char| if char.is_control() { ' ' } else { char })
            .collect();
        if self.excerpt.len() < rest.len() {
            self.excerpt.push_str("...");
        }
        self
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, excerpt, what } = self;
        match excerpt.is_empty() {
            true => write!(to, "at its end: {what}"),
            false => write!(to, "at byte {at}, {excerpt:?}: {what}"),
        }
    }
}

impl std::error::Error for TemplateError {}
