//! `e2e/one_machine.py` as a revision, and what its instances wrote down.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::section;
use crate::command::root;
use crate::support::process::Scratch;

/// Revisions whose instances share a journal.
pub(super) struct App {
    scratch: Scratch,
}

/// What an instance did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// It runs, since this time in nanoseconds.
    Start(u64),
    /// It ends when asked to, at this time in nanoseconds.
    End(u64),
    /// It got the request of this number.
    Request(u64),
}

impl App {
    pub(super) fn new() -> Result<Self> {
        let scratch = Scratch::new("one-machine")?;
        std::fs::write(scratch.path("journal"), "")?;
        Ok(Self { scratch })
    }

    /// A revision whose instances are ready as soon as they run.
    pub(super) fn section(&self, name: &str, more: &str) -> String {
        self.with(name, &[], more)
    }

    /// A revision whose instances are not ready before [`App::open`].
    pub(super) fn section_behind_gate(&self, name: &str, more: &str) -> String {
        self.with(name, &[self.gate()], more)
    }

    fn with(&self, name: &str, arguments: &[PathBuf], more: &str) -> String {
        let script = root().join("e2e/one_machine.py").display().to_string();
        let journal = self.scratch.path("journal").display().to_string();
        let mut words = vec!["python3".to_owned(), script, "{port}".to_owned(), journal];
        words.extend(arguments.iter().map(|it| it.display().to_string()));
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        section(name, &words, more)
    }

    /// Lets the instances become ready.
    pub(super) fn open(&self) -> Result<()> {
        Ok(std::fs::write(self.gate(), "")?)
    }

    fn gate(&self) -> PathBuf {
        self.scratch.path("gate")
    }

    /// All events so far, each with the process that wrote it.
    pub(super) fn events(&self) -> Result<Vec<(u32, Event)>> {
        let text = std::fs::read_to_string(self.scratch.path("journal"))?;
        let read = |line: &str| {
            let (what, rest) = line.split_once(' ')?;
            let (process, value) = rest.split_once(' ')?;
            let value = value.parse().ok()?;
            let event = match what {
                "start" => Event::Start(value),
                "end" => Event::End(value),
                "request" => Event::Request(value),
                _ => return None,
            };
            Some((process.parse().ok()?, event))
        };
        let lines = text.lines();
        lines
            .map(|line| read(line).with_context(|| format!("unexpected in the journal: {line:?}")))
            .collect()
    }

    /// The processes of all instances so far, in the order of their starts.
    pub(super) fn started(&self) -> Result<Vec<u32>> {
        let events = self.events()?.into_iter();
        let starts = events.filter(|(_, event)| matches!(event, Event::Start(_)));
        Ok(starts.map(|(process, _)| process).collect())
    }

    /// The numbers of all requests so far, in the order in which they came.
    pub(super) fn requests(&self) -> Result<Vec<u64>> {
        let events = self.events()?.into_iter();
        let number = |(_, event)| match event {
            Event::Request(number) => Some(number),
            _ => None,
        };
        Ok(events.filter_map(number).collect())
    }
}
