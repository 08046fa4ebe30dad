//! Turns what a source reports into changes of the table, only where it differs from what it reported before.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use foldhash::fast::FixedState;
use reporter_core::RevisionKey;

use crate::host::HostPattern;
use crate::revision::{Change, Changes, Owner, RevisionSpec, Revisions};

#[cfg(test)]
mod histories;
#[cfg(test)]
mod tests;

/// How many changes are applied at once. A set is applied in batches, so that waking a sleeping revision waits for one
/// batch at most.
const AT_ONCE: usize = 256;

/// What a source reports.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// All its revisions. Of two with the same key the later one counts.
    All(Vec<RevisionSpec>),
    /// Some changes, in this order. Other revisions stay as they are.
    Some(Vec<Change>),
}

/// Applies the changes of one source to the table.
///
/// A revision is changed only if it differs from what the source reported last, so that what the admin port set stays
/// until the source changes that revision. When this is dropped its revisions stay as they are.
pub struct Feed {
    revisions: Arc<Revisions>,
    owner: Owner,
    /// What it reported last of each revision, except for those of other sources.
    reported: HashMap<RevisionKey, Reported, FixedState>,
    /// The number of sets so far.
    sets: u32,
    /// The hosts that its revisions list and others have.
    lost: HashMap<RevisionKey, Vec<HostPattern>, FixedState>,
}

struct Reported {
    spec: Arc<RevisionSpec>,
    /// The last set that contained it.
    set: u32,
}

impl Feed {
    /// For the source `owner`. There must be only one for each.
    pub fn new(revisions: Arc<Revisions>, owner: Owner) -> Self {
        Self {
            revisions,
            owner,
            reported: HashMap::default(),
            sets: 0,
            lost: HashMap::default(),
        }
    }

    /// Applies what the source reports. Revisions that have not changed since its last report are left alone.
    ///
    /// A revision owned by another source is left to that source and logged; it is tried again with the next report.
    pub fn take(&mut self, update: Update) -> Changes {
        let mut all = Batches {
            revisions: &self.revisions,
            owner: self.owner,
            waiting: Vec::new(),
            done: Changes::default(),
            with_hosts: Vec::new(),
        };
        match update {
            Update::All(specs) => {
                self.sets = self.sets.wrapping_add(1);
                for spec in specs {
                    put(&mut self.reported, Arc::new(spec), self.sets, &mut all);
                }
                self.reported.retain(|key, last| {
                    let is_there = last.set == self.sets;
                    if !is_there {
                        all.push(Change::Remove(key.clone()));
                    }
                    is_there
                });
            }
            Update::Some(changes) => {
                for change in changes {
                    match change {
                        Change::Put(spec) => put(&mut self.reported, spec, self.sets, &mut all),
                        Change::Remove(key) => {
                            if self.reported.remove(&key).is_some() {
                                all.push(Change::Remove(key));
                            }
                        }
                    }
                }
            }
        }
        all.flush();
        let (done, with_hosts) = (all.done, all.with_hosts);
        for (key, why) in &done.refused {
            self.reported.remove(key);
            let source = self.owner;
            tracing::error!(revision = %key, "ignoring a change from {source}: {why}");
        }
        self.log_lost(with_hosts);
        done
    }

    /// Logs the hosts that belong to other revisions: each once for as long as it is listed.
    fn log_lost(&mut self, changed: Vec<RevisionKey>) {
        self.lost.retain(|key, hosts| {
            let last = self.reported.get(key);
            hosts.retain(|host| last.is_some_and(|it| it.spec.hosts.contains(host)));
            !hosts.is_empty()
        });
        for key in changed {
            let lost = self.revisions.lost_hosts(&key);
            let known = self.lost.remove(&key).unwrap_or_default();
            for (host, other) in lost.iter().filter(|(host, _)| !known.contains(host)) {
                tracing::error!(revision = %key, "\"{host}\" is a host of {other} already, and stays there");
            }
            if !lost.is_empty() {
                let hosts = lost.into_iter().map(|(host, _)| host);
                self.lost.insert(key, hosts.collect());
            }
        }
    }
}

fn put(
    reported: &mut HashMap<RevisionKey, Reported, FixedState>,
    spec: Arc<RevisionSpec>,
    set: u32,
    changes: &mut Batches<'_>,
) {
    if let Some(last) = reported.get_mut(&spec.key)
        && last.spec == spec
    {
        last.set = set;
        return;
    }
    let last = Reported {
        spec: Arc::clone(&spec),
        set,
    };
    // Insert the new key: the old one would keep the old spec's memory.
    reported.remove(&spec.key);
    reported.insert(spec.key.clone(), last);
    changes.push(Change::Put(spec));
}

/// Collects changes and applies them in batches.
struct Batches<'a> {
    revisions: &'a Revisions,
    owner: Owner,
    waiting: Vec<Change>,
    done: Changes,
    /// The revisions among them that list hosts.
    with_hosts: Vec<RevisionKey>,
}

impl Batches<'_> {
    fn push(&mut self, change: Change) {
        if let Change::Put(spec) = &change
            && !spec.hosts.is_empty()
        {
            self.with_hosts.push(spec.key.clone());
        }
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
