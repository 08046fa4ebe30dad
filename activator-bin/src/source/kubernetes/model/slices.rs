//! Objects that list addresses, as they come and go.

use std::fmt::Display;
use std::sync::Arc;

use reporter_core::RevisionKey;

use super::activators::{Activators, Interned};
use super::addresses::Addresses;
use super::entry::{Content, Slice};
use super::pods::Pods;
use super::problems::Findings;
use super::{Event, Model, is_named, key};
use crate::logging::excerpt::Excerpt;
use crate::source::kubernetes::object::{EndpointSlice, Endpoints, Lenient, Object};

const REVISION: &str = "label serving.knative.dev/revision";

/// Whose addresses an object lists.
enum Role {
    /// Those of the instances.
    Private,
    /// Those at which clients reach the revision.
    Public,
}

impl Role {
    /// `None` for what does not belong to a revision.
    fn of(object: &impl Object) -> Option<Self> {
        let service_type = object.label(|it| &it.service_type);
        match service_type.value().map(|it| &**it) {
            Some("Private") => {
                let uid = object.label(|it| &it.revision_uid);
                uid.value().map(|_| Self::Private)
            }
            Some("Public") => Some(Self::Public),
            _ => None,
        }
    }
}

impl Model {
    pub(super) fn on_addresses<T: Addresses>(&mut self, event: Event<T>) {
        match event {
            Event::ListBegins => self.slice_list = self.slice_list.wrapping_add(1),
            Event::Put(object) => self.put_slice(&object),
            Event::Deleted(object) => {
                self.found(&object, self.slice_list, Findings::default());
                self.put_parts(&path(&object), 0, None);
            }
            Event::ListEnds => self.end_slices(),
        }
    }

    fn put_slice(&mut self, object: &impl Addresses) {
        let mut findings = Findings::default();
        if is_named(object, &mut findings).is_some() {
            let parts = self.read(object, &mut findings);
            let version = object.resource_version().parse();
            self.put_parts(&path(object), version.unwrap_or(0), parts);
        }
        self.found(object, self.slice_list, findings);
    }

    /// What is to be kept, and for which revision. `None` if nothing is.
    fn read(
        &mut self,
        object: &impl Addresses,
        findings: &mut Findings,
    ) -> Option<(RevisionKey, Vec<Content>)> {
        let role = Role::of(object)?;
        let subsets = object.subsets(findings);
        let subsets = subsets.into_iter().filter(|it| !it.endpoints.is_empty());
        let label = object.label(|it| &it.revision);
        let Some(key) = label.value().and_then(|label| key(object, label)) else {
            let looks: &dyn Display = match &label {
                Lenient::Missing => &"missing",
                Lenient::Is(label) => &Excerpt(&**label),
                Lenient::Bad(looks) => looks,
            };
            let message = "but must be the name of a revision: the addresses are not used";
            findings.add(REVISION, format_args!("{REVISION} is {looks}, {message}"));
            return None;
        };
        let contents: Vec<_> = match role {
            Role::Private => subsets.map(|it| Content::Pods(Pods::new(it))).collect(),
            Role::Public => {
                let lists = subsets.map(|it| Activators::new(it, self.settings.pod_ip));
                let lists = lists.filter(|it| !it.is_empty());
                lists
                    .map(|it| Content::Activators(self.activators.intern(it)))
                    .collect()
            }
        };
        (!contents.is_empty()).then_some((key, contents))
    }

    /// Replaces what is kept of the object of this name.
    fn put_parts(&mut self, name: &str, version: u64, parts: Option<(RevisionKey, Vec<Content>)>) {
        if let Some((name, key)) = self.slices.remove_entry(name)
            && let Some(entry) = self.revisions.get_mut(&key)
        {
            let gone = entry.slices.extract_if(.., |it| it.name == name);
            gone.for_each(|it| release(&mut self.activators, it));
            entry.touch(&key, &mut self.touched);
        }
        let Some((key, contents)) = parts else { return };
        let name: Arc<str> = name.into();
        let entry = self.revisions.entry(key);
        let key = entry.key().clone();
        let entry = entry.or_default();
        entry.slices.reserve_exact(contents.len());
        entry
            .slices
            .extend(contents.into_iter().map(|content| Slice {
                name: Arc::clone(&name),
                version,
                list: self.slice_list,
                content,
            }));
        entry.touch(&key, &mut self.touched);
        self.slices.insert(name, key);
    }

    fn end_slices(&mut self) {
        let list = self.slice_list;
        self.problems.list_ends(EndpointSlice::KIND, list);
        self.problems.list_ends(Endpoints::KIND, list);
        for (key, entry) in &mut self.revisions {
            let gone = entry.slices.extract_if(.., |it| it.list != list);
            let gone: Vec<_> = gone.collect();
            if !gone.is_empty() {
                entry.touch(key, &mut self.touched);
            }
            for slice in gone {
                self.slices.remove(&slice.name);
                release(&mut self.activators, slice);
            }
        }
    }
}

fn release(interned: &mut Interned, slice: Slice) {
    if let Content::Activators(activators) = slice.content {
        interned.release(activators);
    }
}

fn path(object: &impl Object) -> String {
    format!("{}/{}", object.namespace(), object.name())
}
