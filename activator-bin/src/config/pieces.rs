//! The fast way through a large file: its `[[revision]]` sections are parsed a few at a time, so that the whole tree of
//! a hundred thousand is never in memory.
//!
//! It succeeds only for a valid file without revisions whose instances are started here. Anything invalid or written in
//! an unusual way is left to [the slow way](super::file), which knows the location of every mistake.

use std::thread;

use toml::de::{DeTable, DeValue};

use super::revision::{BACKENDS, Draft};
use crate::settings::{Settings, Value};

/// The length in bytes at which a piece ends before the next section.
const PIECE: usize = 64 << 10;

const HEADER: &str = "[[revision]]";

/// A file, cut before sections.
pub(super) struct Pieces<'a> {
    /// The text outside of `[[revision]]` sections.
    pub(super) rest: String,
    /// Each contains one section or more.
    revisions: Vec<&'a str>,
}

impl<'a> Pieces<'a> {
    /// `None` if the text cannot be cut by its lines alone, or there is nothing to cut.
    ///
    /// A line that merely looks like the head of a section is in a multi-line string, which is excluded, or in a list,
    /// and then the piece before it is not valid TOML.
    pub(super) fn of(text: &'a str) -> Option<Self> {
        if text.contains("\"\"\"") || text.contains("'''") {
            return None;
        }
        let mut pieces = Self {
            rest: String::new(),
            revisions: Vec::new(),
        };
        let mut begin = 0;
        let mut is_revision = false;
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let header = line.trim();
            let is_header = header.starts_with('[');
            let is_part = header.starts_with("[revision.") || header.starts_with("[[revision.");
            let is_new = header == HEADER;
            let ends = if is_revision && is_new {
                at - begin >= PIECE
            } else if is_revision {
                is_header && !is_part
            } else {
                is_new
            };
            if ends {
                pieces.push(&text[begin..at], is_revision);
                (begin, is_revision) = (at, is_new);
            }
            at += line.len();
        }
        pieces.push(&text[begin..], is_revision);
        let rest = DeTable::parse_recoverable(&pieces.rest).0;
        let is_cut = !rest.get_ref().contains_key("revision");
        (is_cut && !pieces.revisions.is_empty()).then_some(pieces)
    }

    fn push(&mut self, text: &'a str, is_revision: bool) {
        if is_revision {
            self.revisions.push(text);
        } else {
            self.rest.push_str(text);
        }
    }

    /// All revisions in the order of the file, read on all cores. `None` if anything may be wrong.
    pub(super) fn read<T: Send>(&self, each: impl Fn(Draft) -> Option<T> + Sync) -> Option<Vec<T>> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let mut shares = self
            .revisions
            .chunks(self.revisions.len().div_ceil(threads).max(1));
        let read = |texts: &[&str]| -> Option<Vec<T>> {
            let mut all = Vec::new();
            for text in texts {
                read(text, |draft| {
                    all.push(each(draft)?);
                    Some(())
                })?;
            }
            Some(all)
        };
        thread::scope(|scope| {
            let first = shares.next()?;
            let read = &read;
            let spawn = |texts| thread::Builder::new().spawn_scoped(scope, move || read(texts));
            let others: Vec<_> = shares.map(spawn).collect();
            let mut all = read(first)?;
            for other in others {
                let other = other.ok()?.join();
                all.append(&mut other.expect("no file makes the reading panic")?);
            }
            Some(all)
        })
    }
}

/// Passes the revisions of a piece to `each`, until it refuses one.
fn read(text: &str, mut each: impl FnMut(Draft) -> Option<()>) -> Option<()> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let DeValue::Array(sections) = table.get_ref().get("revision")?.get_ref() else {
        return None;
    };
    if !errors.is_empty() || table.get_ref().len() > 1 {
        return None;
    }
    // Cloned, because its defaults are parsed from text.
    let blank = Draft::default();
    sections
        .iter()
        .try_for_each(|section| match section.get_ref() {
            DeValue::Table(section) => each(draft(blank.clone(), section)?),
            _ => None,
        })
}

fn draft(mut draft: Draft, section: &DeTable<'_>) -> Option<Draft> {
    for (name, value) in section {
        if name.get_ref() != BACKENDS {
            let known = draft.apply(name.get_ref(), &Value::Toml(value.get_ref()));
            known?.ok()?;
            continue;
        }
        let DeValue::Array(backends) = value.get_ref() else {
            return None;
        };
        let values = backends.iter().map(|it| Value::Toml(it.get_ref()));
        let mut is_good = true;
        draft.read_backends(values, |_, _| is_good = false);
        is_good.then_some(())?;
    }
    Some(draft)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Sources;
    use super::*;

    const LINES: &[&str] = &[
        "[[revision]]",
        "  [[revision]]",
        "[[revision]] # one",
        "[revision]",
        "[[ revision ]]",
        "[[\"revision\"]]",
        "[revision.timeouts]",
        "revision = []",
        "namespace = 'a'",
        "name = 'b'",
        "name = 'c'",
        "name = 'd'",
        "queue_depth = 7",
        "backends = ['127.0.0.1:1']",
        "backends = [\n'127.0.0.1:1',\n[\n'127.0.0.1:2']]",
        "backends = [\n  '127.0.0.1:1',\n]",
        "timeout = '1s'",
        "hosts = ['x']",
        "hosts = ['*.x', 'X.']",
        "command = 'app {port}'",
        "max_scale = 1",
        "group = 'e'",
        "[[group]]",
        "[[revision.schedule]]",
        "[reporter]",
        "accounting = 'snapshot'",
        "text = \"\"\"",
        "]",
        "# a remark",
        "",
        "workers = 1",
        "[throttle]",
        "queue_depth = 9",
        "[admin]",
        "hosts = [",
        "write = true",
        "[[sink]]",
        "kind = 'json-lines'",
        "\u{feff}",
    ];

    /// A revision as most are written, or any lines.
    fn part() -> impl Strategy<Value = String> {
        let line = || prop::sample::select(LINES).prop_map(|line| format!("{line}\n"));
        let whole = (0..30_usize, 0..3_usize).prop_map(|(name, backends)| {
            let backends = &["'127.0.0.1:1'", "'127.0.0.1:2'"][..backends.min(2)];
            let backends = backends.join(", ");
            format!("[[revision]]\nnamespace = 'n'\nname = 'r{name}'\nbackends = [{backends}]\n")
        });
        let launched = (0..30_usize).prop_map(|name| {
            format!(
                "[[revision]]\nnamespace = 'n'\nname = 'r{name}'\ncommand = 'app'\nmax_scale = 2\n"
            )
        });
        prop_oneof![3 => whole, 1 => launched, 1 => line()]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// What the fast way says, the other way says; where that says that something is wrong, the fast way says nothing.
        #[test]
        fn the_fast_way_leads_to_the_same(parts in prop::collection::vec(part(), 0..8)) {
            let text = parts.concat();
            let sources = Sources::default();
            if let Some(fast) = sources.check_in_pieces("f", text.as_bytes()) {
                prop_assert_eq!(Ok(fast), sources.check_whole(Some(("f", text.as_bytes()))));
            }
        }
    }

    #[test]
    fn sections_are_cut_where_there_are_many_and_the_rest_is_what_stands_around_them() {
        let section = |index| format!("[[revision]]\nnamespace = 'n'\nname = 'r{index}'\n");
        let sections: String = (0..5_000).map(section).collect();
        let text = format!(
            "workers = 1\n{sections}[admin]\nwrite = true\n{}",
            section(5_000)
        );
        let pieces = Pieces::of(&text).unwrap();
        assert_eq!(pieces.rest, "workers = 1\n[admin]\nwrite = true\n");
        assert!(pieces.revisions.len() > 2);
        assert!(pieces.revisions.iter().all(|it| it.len() < 2 * PIECE));
        let read = Sources::default().check_in_pieces("f", text.as_bytes());
        assert_eq!(read.unwrap().revisions.len(), 5_001);
    }
}
