//! What is wrong with objects: each thing is named once for as long as it lasts.

use std::collections::HashMap;
use std::fmt;
use std::mem;

use foldhash::fast::FixedState;

use super::super::object::Lenient;
use crate::logging::excerpt::Excerpt;

/// The most bad objects that are remembered, and the most problems that wait to be taken.
const LIMIT: usize = 1_024;

/// Something wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The object's kind, namespace and name.
    pub(crate) object: Box<str>,
    /// What is wrong, what would be right, and what is done instead.
    pub(crate) message: Box<str>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.message)
    }
}

/// Problems that have come up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NewProblems {
    pub(crate) named: Vec<Problem>,
    /// How many others there were: too many to name each.
    pub(crate) others: u64,
}

/// What is wrong with one object: a message for each bad field, however many values are in it.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<(&'static str, Box<str>)>);

impl Findings {
    pub(super) fn add(&mut self, field: &'static str, message: impl fmt::Display) {
        if self.0.iter().all(|(known, _)| *known != field) {
            self.0.push((field, message.to_string().into()));
        }
    }

    /// Adds the field if it is bad.
    pub(super) fn check<T>(&mut self, field: &'static str, value: &Lenient<T>, expected: &str) {
        if let Some(looks) = value.bad() {
            let message = format_args!("{field} is {looks}, but must be {expected}");
            self.add(field, message);
        }
    }
}

/// The bad objects that are known.
#[derive(Debug, Default)]
pub(super) struct Problems {
    known: HashMap<Box<str>, Known, FixedState>,
    new: NewProblems,
}

#[derive(Debug)]
struct Known {
    kind: &'static str,
    fields: Box<[&'static str]>,
    /// The last list of its kind in which it was bad.
    list: u32,
}

impl Problems {
    /// All that is wrong with an object now.
    pub(super) fn found(
        &mut self,
        kind: &'static str,
        object: impl fmt::Display,
        list: u32,
        findings: Findings,
    ) {
        let Findings(findings) = findings;
        if findings.is_empty() && self.known.is_empty() {
            return;
        }
        let object = format!("{kind} {}", Excerpt(object)).into_boxed_str();
        if findings.is_empty() {
            self.known.remove(&object);
            return;
        }
        let fields = findings.iter().map(|&(field, _)| field).collect();
        let known = Known { kind, fields, list };
        let before = if self.known.len() < LIMIT || self.known.contains_key(&object) {
            self.known.insert(object.clone(), known)
        } else {
            None
        };
        let before = before.map_or_else(Box::default, |it| it.fields);
        for (field, message) in findings {
            if before.contains(&field) {
                continue;
            }
            if self.new.named.len() == LIMIT {
                self.new.others += 1;
                continue;
            }
            let object = object.clone();
            self.new.named.push(Problem { object, message });
        }
    }

    /// Whatever of this kind was not found in `list` is gone.
    pub(super) fn list_ends(&mut self, kind: &'static str, list: u32) {
        self.known
            .retain(|_, known| known.kind != kind || known.list == list);
    }

    pub(super) fn take(&mut self) -> NewProblems {
        mem::take(&mut self.new)
    }

    /// The number of objects that are bad, at most [`LIMIT`].
    pub(super) fn bad_objects(&self) -> usize {
        self.known.len()
    }
}
