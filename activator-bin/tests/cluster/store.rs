//! What an API server knows: objects, and the history of their changes. No I/O.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The objects of a cluster, and their history.
#[derive(Default)]
pub(crate) struct Store {
    version: u64,
    objects: BTreeMap<Key, Value>,
    history: Vec<Event>,
    /// Changes up to this version are forgotten.
    compacted: u64,
}

/// Resource, namespace and name.
type Key = (String, String, String);

/// A change.
#[derive(Clone)]
pub(crate) struct Event {
    pub(crate) version: u64,
    resource: String,
    kind: &'static str,
    object: Value,
}

/// What a request asks for.
pub(crate) struct Query {
    pub(crate) resource: String,
    pub(crate) namespace: Option<String>,
    /// As in `a/b in (X,Y)`, `a/b` or nothing.
    pub(crate) labels: String,
    /// The only name.
    pub(crate) name: Option<String>,
}

impl Store {
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Adds or changes an object. Returns its version.
    pub(crate) fn put(&mut self, resource: &str, mut object: Value) -> u64 {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let key = key(resource, &object);
        let before = self.objects.insert(key, object.clone());
        let kind = if before.is_some() {
            "MODIFIED"
        } else {
            "ADDED"
        };
        self.happened(resource, kind, object);
        self.version
    }

    pub(crate) fn delete(&mut self, resource: &str, namespace: &str, name: &str) {
        let key = (resource.to_owned(), namespace.to_owned(), name.to_owned());
        let mut object = self.objects.remove(&key).unwrap();
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.happened(resource, "DELETED", object);
    }

    fn happened(&mut self, resource: &str, kind: &'static str, object: Value) {
        let resource = resource.to_owned();
        self.history.push(Event {
            version: self.version,
            resource,
            kind,
            object,
        });
    }

    /// Forgets the history.
    pub(crate) fn compact(&mut self) {
        // What others of the cluster did.
        self.version += 1;
        self.compacted = self.version;
    }

    pub(crate) fn list(&self, query: &Query) -> Vec<Value> {
        let objects = self
            .objects
            .iter()
            .filter(|((resource, ..), object)| *resource == query.resource && query.wants(object));
        objects.map(|(_, object)| object.clone()).collect()
    }

    /// The lines of a watch after a version.
    ///
    /// # Errors
    /// It is forgotten.
    pub(crate) fn since(&self, version: u64, query: &Query) -> Result<Vec<String>, ()> {
        if version < self.compacted {
            return Err(());
        }
        let events = self.history.iter().filter(|event| {
            event.version > version
                && event.resource == query.resource
                && query.wants(&event.object)
        });
        let line = |event: &Event| json!({"type": event.kind, "object": event.object}).to_string();
        Ok(events.map(line).collect())
    }
}

fn key(resource: &str, object: &Value) -> Key {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or("").to_owned();
    (resource.to_owned(), text("namespace"), text("name"))
}

impl Query {
    fn wants(&self, object: &Value) -> bool {
        let metadata = &object["metadata"];
        let is = |wanted: &Option<String>, field: &str| match wanted {
            Some(wanted) => metadata[field] == **wanted,
            None => true,
        };
        is(&self.namespace, "namespace") && is(&self.name, "name") && self.has_labels(metadata)
    }

    fn has_labels(&self, metadata: &Value) -> bool {
        match self.labels.split_once(" in ") {
            Some((label, values)) => {
                let values = values.trim_matches(['(', ')']).split(',');
                let value = metadata["labels"][label].as_str();
                value.is_some_and(|value| values.into_iter().any(|it| it == value))
            }
            None => self.labels.is_empty() || metadata["labels"].get(&self.labels).is_some(),
        }
    }
}
