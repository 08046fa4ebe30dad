//! What the objects of a cluster say about its revisions: objects and their ends in, changes of revisions out. No clock,
//! no I/O.
//!
//! Objects of all kinds come in any order. An event costs what belongs to its revision, whatever else is in the cluster.

use std::collections::HashMap;
use std::mem;
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::FixedState;
use reporter_core::RevisionKey;

mod activators;
mod addresses;
mod entry;
mod pods;
pub(crate) mod private_service;
mod problems;
mod report;
mod revision;
mod slices;
#[cfg(test)]
mod tests;

pub(crate) use problems::NewProblems;

use super::object::{EndpointSlice, Endpoints, Object, Revision};
use crate::revision::Change;
use activators::Interned;
use entry::Entry;
use problems::{Findings, Problems};

/// What is known of the objects of one kind.
#[derive(Clone, Debug)]
pub(crate) enum Event<T> {
    /// A list begins. What it does not contain is gone when it [ends](Event::ListEnds).
    ListBegins,
    /// An object as it is now.
    Put(T),
    /// An object that is gone. Only its name matters.
    Deleted(T),
    /// The list that began last is complete.
    ListEnds,
}

/// What revisions have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ModelSettings {
    /// The address of this activator among those of a revision; `None` outside of the cluster.
    pub(crate) pod_ip: Option<IpAddr>,
    /// As in [`RevisionSpec`].
    pub(crate) queue_depth: usize,
    /// `system-internal-tls`.
    pub(crate) internal_tls: bool,
}

/// The revisions of a cluster.
#[derive(Debug)]
pub(crate) struct Model {
    settings: ModelSettings,
    revisions: HashMap<RevisionKey, Entry, FixedState>,
    /// The revision of each slice. The names are `namespace/name`.
    slices: HashMap<Arc<str>, RevisionKey, FixedState>,
    activators: Interned,
    /// Those that may have to be reported, once each.
    touched: Vec<RevisionKey>,
    /// The numbers of the last lists.
    revision_list: u32,
    slice_list: u32,
    problems: Problems,
}

impl Model {
    pub(crate) fn new(settings: ModelSettings) -> Self {
        Self {
            settings,
            revisions: HashMap::default(),
            slices: HashMap::default(),
            activators: Interned::default(),
            touched: Vec::new(),
            revision_list: 0,
            slice_list: 0,
            problems: Problems::default(),
        }
    }

    /// `system-internal-tls` may have changed.
    pub(crate) fn set_internal_tls(&mut self, internal_tls: bool) {
        if mem::replace(&mut self.settings.internal_tls, internal_tls) != internal_tls {
            for (key, entry) in &mut self.revisions {
                entry.touch(key, &mut self.touched);
            }
        }
    }

    pub(crate) fn on_revision(&mut self, event: Event<Revision>) {
        match event {
            Event::ListBegins => self.revision_list = self.revision_list.wrapping_add(1),
            Event::Put(object) => self.put_revision(&object),
            Event::Deleted(object) => {
                self.found(&object, self.revision_list, Findings::default());
                if let Some(key) = key(&object, object.name())
                    && let Some(entry) = self.revisions.get_mut(&key)
                {
                    entry.spec = None;
                    entry.touch(&key, &mut self.touched);
                }
            }
            Event::ListEnds => {
                let list = self.revision_list;
                self.problems.list_ends(Revision::KIND, list);
                for (key, entry) in &mut self.revisions {
                    if entry.list != list && entry.spec.take().is_some() {
                        entry.touch(key, &mut self.touched);
                    }
                }
            }
        }
    }

    fn put_revision(&mut self, object: &Revision) {
        let mut findings = Findings::default();
        if let Some(key) = is_named(object, &mut findings) {
            let entry = self.revisions.entry(key);
            // The one that is there already, so that there is one.
            let key = entry.key().clone();
            let entry = entry.or_default();
            let spec = revision::spec(
                object,
                key.clone(),
                self.settings.queue_depth,
                entry.share(),
                &mut findings,
            );
            entry.spec = Some(Arc::new(spec));
            entry.list = self.revision_list;
            entry.touch(&key, &mut self.touched);
        }
        self.found(object, self.revision_list, findings);
    }

    pub(crate) fn on_slice(&mut self, event: Event<EndpointSlice>) {
        self.on_addresses(event);
    }

    /// Where slices are forbidden. A list of one replaces those of the other.
    pub(crate) fn on_endpoints(&mut self, event: Event<Endpoints>) {
        self.on_addresses(event);
    }

    /// The revisions that have changed since the last time, as they are now.
    pub(crate) fn changes(&mut self) -> Vec<Change> {
        let touched = mem::take(&mut self.touched).into_iter();
        touched.filter_map(|key| self.change(key)).collect()
    }

    /// What has turned out to be wrong since the last time.
    pub(crate) fn problems(&mut self) -> NewProblems {
        self.problems.take()
    }

    /// How many objects are bad, of those that are remembered.
    pub(crate) fn bad_objects(&self) -> usize {
        self.problems.bad_objects()
    }

    /// All that is wrong with an object now.
    fn found<T: Object>(&mut self, object: &T, list: u32, findings: Findings) {
        let name = format_args!("{}/{}", object.namespace(), object.name());
        self.problems.found(T::KIND, name, list, findings);
    }
}

/// The key of the revision with this name in the namespace of an object. `None` if there can be none.
fn key(object: &impl Object, revision: &str) -> Option<RevisionKey> {
    RevisionKey::try_new(object.namespace(), revision).ok()
}

/// Its namespace and name, as those of a revision are: other objects may be called the same.
fn is_named(object: &impl Object, findings: &mut Findings) -> Option<RevisionKey> {
    let metadata = object.metadata();
    findings.check("metadata", metadata, "an object");
    if let Some(metadata) = metadata.value() {
        findings.check("metadata.namespace", &metadata.namespace, "a name");
        findings.check("metadata.name", &metadata.name, "a name");
    }
    match RevisionKey::try_new(object.namespace(), object.name()) {
        Ok(key) => Some(key),
        Err(error) => {
            findings.add(
                "metadata.name",
                format_args!("{error}: the object is ignored"),
            );
            None
        }
    }
}
