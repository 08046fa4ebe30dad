//! What is used after any history of values, good and bad, is what a replay of all of them says.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::tls::cluster::tests::{authority, certified, cluster};

/// How many certificates and keys there are.
const PAIRS: usize = 2;
/// How many CA certificates there are.
const CAS: usize = 4;

static PAIR: LazyLock<[(String, String); PAIRS]> = LazyLock::new(|| ["x", "y"].map(certified));
static CA: LazyLock<[String; CAS]> = LazyLock::new(|| ["a", "b", "c", "d"].map(authority));

/// A text with these CA certificates, and bad ones.
#[derive(Clone, Debug)]
struct Text {
    cas: Vec<usize>,
    is_bad: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Secret {
        certificate: Option<usize>,
        key: Option<usize>,
        ca: Text,
    },
    Bundles(Vec<(usize, Text)>),
}

impl Text {
    fn pem(&self) -> String {
        let bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let mut parts: Vec<&str> = self.cas.iter().map(|&ca| &*CA[ca]).collect();
        if self.is_bad {
            parts.insert(parts.len() / 2, bad);
        }
        parts.concat()
    }
}

fn text() -> impl Strategy<Value = Text> {
    let cas = prop::collection::vec(0..CAS, 0..3);
    (cas, any::<bool>()).prop_map(|(cas, is_bad)| Text { cas, is_bad })
}

fn step() -> impl Strategy<Value = Step> {
    let pair = || prop::option::weighted(0.9, 0..PAIRS);
    let secret = (pair(), pair(), text());
    let bundles = prop::collection::btree_map(0..3_usize, text(), 0..3);
    prop_oneof![
        secret.prop_map(|(certificate, key, ca)| Step::Secret {
            certificate,
            key,
            ca
        }),
        bundles.prop_map(|bundles| Step::Bundles(bundles.into_iter().collect())),
    ]
}

/// What a text contributes when `before` is what it contributed last.
fn contributes(text: &Text, before: Option<Vec<usize>>) -> Vec<usize> {
    if text.cas.is_empty() {
        before.unwrap_or_default()
    } else {
        text.cas.clone()
    }
}

/// The certificate that is shown, and the CAs that are trusted, after all steps.
fn replay(steps: &[Step]) -> (Option<usize>, BTreeSet<usize>) {
    let (mut shown, mut ca) = (None, Vec::new());
    let mut bundles: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for step in steps {
        match step {
            Step::Secret {
                certificate,
                key,
                ca: text,
            } => {
                if certificate.is_some() && certificate == key {
                    shown = *certificate;
                }
                // Without any it is missing, which is not bad.
                let before = text.is_bad.then(|| ca.clone());
                ca = contributes(text, before);
            }
            Step::Bundles(now) => {
                let before = bundles;
                let contributed = |(name, text): &(usize, Text)| {
                    (*name, contributes(text, before.get(name).cloned()))
                };
                bundles = now.iter().map(contributed).collect();
            }
        }
    }
    let all = ca.into_iter().chain(bundles.into_values().flatten());
    (shown, all.collect())
}

fn take(cluster: &ClusterTls, step: &Step) -> bool {
    match step {
        Step::Secret {
            certificate,
            key,
            ca,
        } => {
            let crt = certificate.map_or("", |it| &*PAIR[it].0);
            let key = key.map_or("", |it| &*PAIR[it].1);
            let ca = ca.pem();
            cluster.set_certificates(crt.as_bytes(), key.as_bytes(), ca.as_bytes())
        }
        Step::Bundles(bundles) => {
            let named = |(name, text): &(usize, Text)| (name.to_string(), text.pem());
            cluster.set_trust_bundles(bundles.iter().map(named).collect())
        }
    }
    .is_ok()
}

fn is_good(step: &Step) -> bool {
    match step {
        Step::Secret {
            certificate,
            key,
            ca,
        } => certificate.is_some() && certificate == key && !ca.is_bad,
        Step::Bundles(bundles) => bundles
            .iter()
            .all(|(_, text)| !text.is_bad && !text.cas.is_empty()),
    }
}

proptest! {
    #[test]
    fn the_last_good_value_of_each_is_used(steps in prop::collection::vec(step(), 0..12)) {
        let cluster = cluster();
        for (index, step) in steps.iter().enumerate() {
            prop_assert_eq!(take(&cluster, step), is_good(step), "{:?}", step);
            let (shown, trusted) = replay(&steps[..=index]);
            let certificate = shown.map_or("", |it| &*PAIR[it].0);
            prop_assert_eq!(&*cluster.sources.lock().certificate, certificate.as_bytes());
            let names = trusted.iter().map(|&ca| ["a", "b", "c", "d"][ca].to_owned());
            let found: BTreeSet<_> = cluster.trusted_names().into_iter().collect();
            prop_assert_eq!(found, names.collect::<BTreeSet<_>>());
        }
    }
}
