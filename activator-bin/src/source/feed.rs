//! From what a source says to changes of the table: only where its word is another than its word before.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use foldhash::fast::FixedState;
use reporter_core::RevisionKey;

use crate::revision::{Change, Changes, Owner, RevisionSpec, Revisions};

#[cfg(test)]
mod histories;
#[cfg(test)]
mod tests;

/// Changes that are made as one. A set is taken in pieces, so that a request for a revision that sleeps waits for one of them.
const AT_ONCE: usize = 256;

/// What a source says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// These are all of its revisions. Of two with the same key the later one counts.
    All(Vec<RevisionSpec>),
    /// One of them is like this.
    Put(RevisionSpec),
    /// It is none of them any more.
    Removed(RevisionKey),
}

/// One source's way to the table.
///
/// It says something of a revision only where that is another word than its last, so that what the admin port set
/// stays until the source changes that very revision. When it is dropped its revisions stay as they are.
pub struct Feed {
    revisions: Arc<Revisions>,
    owner: Owner,
    /// What it said last of each revision, but for those that are another source's.
    said: HashMap<RevisionKey, Word, FixedState>,
    /// How many sets there were.
    sets: u32,
}

struct Word {
    spec: Arc<RevisionSpec>,
    /// The last set that it was in.
    set: u32,
}

impl Feed {
    /// The way of the source `owner`, of which there is one.
    pub fn new(revisions: Arc<Revisions>, owner: Owner) -> Self {
        Self {
            revisions,
            owner,
            said: HashMap::default(),
            sets: 0,
        }
    }

    /// Makes what the source says the latest word. A revision of which it says nothing new stays untouched.
    ///
    /// What another source owns is left to that, which is logged; it is tried again with the next word.
    pub fn take(&mut self, said: Said) -> Changes {
        let mut all = Batches {
            revisions: &self.revisions,
            owner: self.owner,
            waiting: Vec::new(),
            done: Changes::default(),
        };
        match said {
            Said::All(specs) => {
                self.sets = self.sets.wrapping_add(1);
                for spec in specs {
                    put(&mut self.said, spec, self.sets, &mut all);
                }
                self.said.retain(|key, word| {
                    let is_there = word.set == self.sets;
                    if !is_there {
                        all.push(Change::Remove(key.clone()));
                    }
                    is_there
                });
            }
            Said::Put(spec) => put(&mut self.said, spec, self.sets, &mut all),
            Said::Removed(key) => {
                if self.said.remove(&key).is_some() {
                    all.push(Change::Remove(key));
                }
            }
        }
        all.flush();
        let done = all.done;
        for (key, owner) in &done.refused {
            self.said.remove(key);
            let source = self.owner;
            tracing::error!(revision = %key, "{source} may not change what is {owner}'s");
        }
        done
    }
}

fn put(
    said: &mut HashMap<RevisionKey, Word, FixedState>,
    spec: RevisionSpec,
    set: u32,
    changes: &mut Batches<'_>,
) {
    if let Some(word) = said.get_mut(&spec.key)
        && *word.spec == spec
    {
        word.set = set;
        return;
    }
    let spec = Arc::new(spec);
    let word = Word {
        spec: Arc::clone(&spec),
        set,
    };
    // The key of the new text: the old one is not to be kept for it.
    said.remove(&spec.key);
    said.insert(spec.key.clone(), word);
    changes.push(Change::Put(spec));
}

/// Changes on their way, some at once.
struct Batches<'a> {
    revisions: &'a Revisions,
    owner: Owner,
    waiting: Vec<Change>,
    done: Changes,
}

impl Batches<'_> {
    fn push(&mut self, change: Change) {
        self.waiting.push(change);
        if self.waiting.len() >= AT_ONCE {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let Changes {
            added,
            changed,
            removed,
            refused,
        } = self
            .revisions
            .change(self.owner, mem::take(&mut self.waiting));
        self.done.added += added;
        self.done.changed += changed;
        self.done.removed += removed;
        self.done.refused.extend(refused);
    }
}
