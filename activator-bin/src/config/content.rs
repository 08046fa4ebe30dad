//! What a configuration file says, before flags and variables: the settings, the sinks, and the revisions as drafts.

use super::Config;
use super::file::{Locations, Reader, Section};
use super::problem::Problems;
use super::revision::{self, Draft};
use super::{certificate, group, sink};

/// What a configuration file says.
pub(super) struct FileContent {
    pub(super) config: Config,
    /// Drafts, since a flag may set what they inherit.
    pub(super) revisions: Vec<Draft>,
    /// Whether it says where reports go, be it nowhere.
    pub(super) has_sinks: bool,
}

/// Whether a file may have revisions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Revisions {
    Allowed,
    /// They come from a cluster.
    Refused,
}

impl FileContent {
    /// Nothing but defaults.
    pub(super) fn blank(defaults: Config) -> Self {
        Self {
            config: defaults,
            revisions: Vec::new(),
            has_sinks: false,
        }
    }

    /// Reads the file of this name.
    pub(super) fn read(
        mut self,
        name: &str,
        bytes: &[u8],
        allowed: Revisions,
        locations: &mut Locations,
        problems: &mut Problems,
    ) -> Self {
        let (text, valid) = match std::str::from_utf8(bytes) {
            Ok(text) => (text, true),
            Err(error) => {
                let text = std::str::from_utf8(&bytes[..error.valid_up_to()]);
                (text.expect("the part that was said to be valid"), false)
            }
        };
        let mut reader = Reader::new(name, text);
        if !valid {
            let location = reader.location_of(text.len());
            reader
                .problems
                .push(location, "", "is not UTF-8 from here on".to_owned());
        } else if let Some(table) = reader.table() {
            let root = Section::root(&table, name);
            *locations = reader.read(
                &root,
                &["sink", "certificate", "group", "revision"],
                &mut self.config,
            );
            self.has_sinks = table.contains_key("sink");
            self.config.sinks = sink::read_all(&mut reader, &root);
            self.config.certificates = certificate::read_all(&mut reader, &root, locations);
            match allowed {
                Revisions::Allowed => {
                    let groups = group::read_all(&mut reader, &root);
                    self.revisions = revision::read_all(&mut reader, &root, groups);
                }
                Revisions::Refused => refuse_revisions(&mut reader, &root),
            }
        }
        problems.append(reader.problems);
        self
    }
}

/// Reports the first revision of a file that may have none, and the first group of them.
fn refuse_revisions(reader: &mut Reader<'_>, root: &Section<'_>) {
    for name in ["revision", "group"] {
        if let Some(first) = reader.sections(root, name).into_iter().next() {
            let message = format!(
                "with --kubernetes the revisions are those of the cluster: remove all [[{name}]] sections, or run without --kubernetes"
            );
            reader.problems.push(first.location, first.name, message);
        }
    }
}
