//! What is wrong with a configuration: all problems at once, each with its location.

use std::fmt;
use std::path::Path;

/// All problems of a configuration, sorted by location.
///
/// Printed one per line, as `location: field: what is wrong and what would be right`.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
pub struct Problems(Vec<Problem>);

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where the setting was set.
    pub location: Location,
    /// The setting, for example `revision[1].backends[0]`; empty for the whole file.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Where a setting was set. Later variants take precedence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Location {
    /// Not set: the default.
    Default,
    /// In the configuration file.
    File {
        /// The file, as the operator named it.
        name: String,
        /// From 1; 0 for the whole file.
        line: usize,
        /// In characters, from 1.
        column: usize,
    },
    /// In a request to the admin port.
    Body,
    /// In the environment variable of that name.
    Variable(String),
    /// In the flag of that name.
    Flag(String),
}

impl Location {
    /// A file without a line.
    pub(super) fn whole_file(name: &str) -> Self {
        Self::File {
            name: name.to_owned(),
            line: 0,
            column: 0,
        }
    }
}

impl Problems {
    /// The problems, sorted by location.
    #[must_use]
    pub fn as_slice(&self) -> &[Problem] {
        &self.0
    }

    /// A single problem, about a whole file.
    pub(crate) fn of_file(path: &Path, message: String) -> Self {
        let mut problems = Self::default();
        problems.push(Location::whole_file(&path.to_string_lossy()), "", message);
        problems
    }

    pub(super) fn push(&mut self, location: Location, field: impl Into<String>, message: String) {
        self.0.push(Problem {
            location,
            field: field.into(),
            message,
        });
    }

    pub(super) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// `value`, unless there are problems for which `is_about` holds.
    pub(super) fn about<T>(
        mut self,
        is_about: impl Fn(&Problem) -> bool,
        value: T,
    ) -> Result<T, Self> {
        self.0.retain(is_about);
        self.into_result(value)
    }

    /// Whether there is a problem with a field whose name starts with `prefix`.
    pub(super) fn mention(&self, prefix: &str) -> bool {
        self.0
            .iter()
            .any(|problem| problem.field.starts_with(prefix))
    }

    /// `value`, unless there are problems.
    pub(super) fn into_result<T>(mut self, value: T) -> Result<T, Self> {
        self.0.sort();
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let line_end = if index == 0 { "" } else { "\n" };
            write!(f, "{line_end}{problem}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.location)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { name, line: 0, .. } => f.write_str(name),
            Self::File { name, line, column } => write!(f, "{name}:{line}:{column}"),
            Self::Body => f.write_str("body"),
            Self::Variable(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}
