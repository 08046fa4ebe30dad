//! Feeds a model with steps that are lines of text, and follows what it reports.
//!
//! `revision NAME [h2c] [FIELD=JSON...]` puts a revision, `private NAME REVISION ADDRESS...` a slice of its pods,
//! `public ...` one of its activators, `other ...` one without labels; with `endpoints` before the name they are
//! Endpoints. Among the addresses, `v=N` is the version and `PORT=N` a port (`http=8012` if there is none). An address
//! is `IP[@UID]` and a mark: `!` not ready, `-` terminating, `~` ready and terminating, `?` without conditions.
//! `-revision NAME`, `-slice NAME` and `-endpoints NAME` delete; `list KIND` and `end KIND` begin and end a list;
//! `tls on`, `tls off`; `own ADDRESS` begins anew.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::*;
use crate::revision::RevisionSpec;

pub(super) struct Scene {
    pub(super) model: Model,
    /// What has been reported.
    pub(super) reported: BTreeMap<RevisionKey, Arc<RevisionSpec>>,
}

impl Default for Scene {
    fn default() -> Self {
        Self::at(Some([10, 0, 0, 100].into()))
    }
}

/// The namespace of everything.
const NAMESPACE: &str = "n";

impl Scene {
    pub(super) fn at(pod_ip: Option<IpAddr>) -> Self {
        Self {
            model: Model::new(ModelSettings {
                pod_ip,
                queue_depth: 10_000,
                internal_tls: false,
            }),
            reported: BTreeMap::new(),
        }
    }

    pub(super) fn step(&mut self, step: &str) {
        let words: Vec<_> = step.split(' ').filter(|it| !it.is_empty()).collect();
        let model = &mut self.model;
        match words[..] {
            ["own", own] => *self = Self::at(own.parse().ok()),
            ["tls", switch] => model.set_internal_tls(switch == "on"),
            ["list", "revisions"] => model.on_revision(Event::ListBegins),
            ["list", "slices"] => model.on_slice(Event::ListBegins),
            ["list", "endpoints"] => model.on_endpoints(Event::ListBegins),
            ["end", "revisions"] => model.on_revision(Event::ListEnds),
            ["end", "slices"] => model.on_slice(Event::ListEnds),
            ["end", "endpoints"] => model.on_endpoints(Event::ListEnds),
            ["-revision", name] => model.on_revision(Event::Deleted(named(name))),
            ["-slice", name] => model.on_slice(Event::Deleted(named(name))),
            ["-endpoints", name] => model.on_endpoints(Event::Deleted(named(name))),
            ["revision", name, ref fields @ ..] => {
                model.on_revision(Event::Put(parsed(revision(name, fields))));
            }
            [kind, "endpoints", name, revision, ref words @ ..] => {
                model.on_endpoints(Event::Put(parsed(endpoints(kind, name, revision, words))));
            }
            [kind, name, revision, ref words @ ..] => {
                model.on_slice(Event::Put(parsed(slice(kind, name, revision, words))));
            }
            _ => panic!("{step}"),
        }
    }

    /// Takes the changes, each of which must be one. Returns how many there are.
    pub(super) fn report(&mut self) -> usize {
        let changes = self.model.changes();
        let count = changes.len();
        for change in changes {
            match change {
                Change::Put(spec) => {
                    let before = self.reported.insert(spec.key.clone(), Arc::clone(&spec));
                    assert_ne!(before, Some(spec));
                }
                Change::Remove(key) => assert!(self.reported.remove(&key).is_some(), "{key}"),
            }
        }
        count
    }

    /// A line for each revision that was reported: `NAME [tls:PORT] [http2] [cc:CONCURRENCY] BACKEND[!]... [| SHARE]`.
    pub(super) fn lines(&self) -> Vec<String> {
        self.reported.values().map(|it| line(it)).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        let model = &self.model;
        model.revisions.is_empty()
            && model.slices.is_empty()
            && model.activators.len() == 0
            && model.touched.is_empty()
            && model.bad_objects() == 0
    }
}

fn line(spec: &RevisionSpec) -> String {
    let cluster = spec.cluster.as_ref().unwrap();
    let mut line = spec.key.name().to_owned();
    assert_eq!(spec.tls, cluster.tls_port.is_some());
    if let Some(port) = cluster.tls_port {
        line += &format!(" tls:{port}");
    }
    if cluster.http2 {
        line += " http2";
    }
    if spec.container_concurrency > 0 {
        line += &format!(" cc:{}", spec.container_concurrency);
    }
    for backend in &spec.backends {
        let is_not_ready = cluster.not_ready.contains(backend);
        line += &format!(" {backend}{}", if is_not_ready { "!" } else { "" });
    }
    if let Some(share) = cluster.share {
        line += &format!(" | {}/{}", share.index, share.activators);
    }
    line
}

pub(super) fn parsed<T: DeserializeOwned>(object: Value) -> T {
    serde_json::from_str(&object.to_string()).unwrap()
}

fn named<T: DeserializeOwned>(name: &str) -> T {
    parsed(json!({"metadata": {"namespace": NAMESPACE, "name": name}}))
}

pub(super) fn revision(name: &str, fields: &[&str]) -> Value {
    let mut spec = json!({"containers": [{"image": "i"}], "timeoutSeconds": 300});
    for field in fields {
        match field.split_once('=') {
            None => {
                spec["containers"][0]["ports"] = json!([{"name": field, "containerPort": 8080}]);
            }
            Some(("concurrency", value)) => spec["containerConcurrency"] = json(value),
            Some((field, value)) => spec[field] = json(value),
        }
    }
    json!({
        "metadata": {
            "namespace": NAMESPACE,
            "name": name,
            "labels": {
                "serving.knative.dev/service": "s",
                "serving.knative.dev/configuration": "c",
            },
            "annotations": {"a": "b"},
        },
        "spec": spec,
        "status": {"conditions": []},
    })
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// What the words of a slice say.
struct Words<'a> {
    version: &'a str,
    ports: Vec<Value>,
    /// Address, UID and mark of each.
    endpoints: Vec<(&'a str, Option<&'a str>, char)>,
}

impl<'a> Words<'a> {
    fn of(words: &[&'a str]) -> Self {
        let mut all = Self {
            version: "1",
            ports: Vec::new(),
            endpoints: Vec::new(),
        };
        for word in words {
            match word.split_once('=') {
                Some(("v", version)) => all.version = version,
                Some((name, port)) => all.ports.push(json!({"name": name, "port": json(port)})),
                None => {
                    let (address, mark) = match word.strip_suffix(['!', '-', '~', '?']) {
                        Some(address) => (address, word.chars().last().unwrap()),
                        None => (*word, ' '),
                    };
                    let (address, uid) = match address.split_once('@') {
                        Some((address, uid)) => (address, Some(uid)),
                        None => (address, None),
                    };
                    all.endpoints.push((address, uid, mark));
                }
            }
        }
        if all.ports.is_empty() {
            all.ports.push(json!({"name": "http", "port": 8012}));
        }
        all
    }
}

fn metadata(kind: &str, name: &str, revision: &str, version: &str) -> Value {
    let mut labels = Map::new();
    if kind != "other" {
        let kind = if kind == "private" {
            "Private"
        } else {
            "Public"
        };
        labels.insert(
            "networking.internal.knative.dev/serviceType".into(),
            kind.into(),
        );
        labels.insert("serving.knative.dev/revision".into(), revision.into());
    }
    if kind == "private" {
        labels.insert("serving.knative.dev/revisionUID".into(), "u".into());
    }
    json!({"namespace": NAMESPACE, "name": name, "resourceVersion": version, "labels": labels})
}

fn target(uid: Option<&str>) -> Value {
    uid.map_or(Value::Null, |uid| json!({"kind": "Pod", "uid": uid}))
}

pub(super) fn slice(kind: &str, name: &str, revision: &str, words: &[&str]) -> Value {
    let words = Words::of(words);
    let endpoint = |&(address, uid, mark): &(&str, Option<&str>, char)| {
        let conditions = match mark {
            '!' => json!({"ready": false, "serving": false, "terminating": false}),
            '-' => json!({"ready": false, "serving": true, "terminating": true}),
            '~' => json!({"ready": true, "serving": true, "terminating": true}),
            '?' => Value::Null,
            _ => json!({"ready": true}),
        };
        json!({"addresses": [address], "conditions": conditions, "targetRef": target(uid)})
    };
    let endpoints: Vec<_> = words.endpoints.iter().map(endpoint).collect();
    json!({
        "metadata": metadata(kind, name, revision, words.version),
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": words.ports,
    })
}

/// As Kubernetes writes them: those that terminate are left out.
pub(super) fn endpoints(kind: &str, name: &str, revision: &str, words: &[&str]) -> Value {
    let words = Words::of(words);
    let listed = |marks: &[char]| -> Vec<_> {
        let marked = words.endpoints.iter().filter(|it| marks.contains(&it.2));
        let address = |&(ip, uid, _): &(&str, Option<&str>, char)| json!({"ip": ip, "targetRef": target(uid)});
        marked.map(address).collect()
    };
    json!({
        "metadata": metadata(kind, name, revision, words.version),
        "subsets": [{
            "addresses": listed(&[' ', '?']),
            "notReadyAddresses": listed(&['!']),
            "ports": words.ports,
        }],
    })
}
