//! Which revision has which host.

use std::collections::HashSet;

use foldhash::fast::FixedState;
use reporter_core::RevisionKey;
use rpds::HashTrieMapSync;

use crate::host::{self, HostPattern};

/// The hosts that revisions list. A clone shares all but what changed.
///
/// A host that several revisions list belongs to the one that listed it first; when that no longer does, to the next.
#[derive(Clone, Default)]
pub(super) struct Hosts {
    claims: HashTrieMapSync<HostPattern, Claims, FixedState>,
    /// How many of them are like `*.example.org`.
    suffixes: usize,
}

#[derive(Clone)]
struct Claims {
    owner: RevisionKey,
    /// Others, in the order in which they came.
    waiting: Vec<RevisionKey>,
}

impl Hosts {
    pub(super) fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    /// Whose this host of a request is, in lower case: by itself, or by the longest wildcard other than `*`.
    pub(super) fn find(&self, host: &str) -> Option<&RevisionKey> {
        host::find(host, self.suffixes > 0, |key| {
            Some(&self.claims.get(key)?.owner)
        })
    }

    /// Whose all other hosts are: `*`.
    pub(super) fn any(&self) -> Option<&RevisionKey> {
        Some(&self.claims.get("")?.owner)
    }

    /// Whose a listed host is.
    pub(super) fn owner(&self, host: &HostPattern) -> Option<&RevisionKey> {
        Some(&self.claims.get(host)?.owner)
    }

    /// Makes `key` list the hosts `after` instead of `before`. No host is twice in either.
    pub(super) fn replace(
        &mut self,
        key: &RevisionKey,
        before: &[HostPattern],
        after: &[HostPattern],
    ) {
        if before == after {
            return;
        }
        let set = |hosts: &'_ [HostPattern]| -> HashSet<HostPattern, FixedState> {
            hosts.iter().cloned().collect()
        };
        let (old, new) = (set(before), set(after));
        for host in before.iter().filter(|host| !new.contains(*host)) {
            self.withdraw(key, host);
        }
        for host in after.iter().filter(|host| !old.contains(*host)) {
            self.claim(key, host);
        }
    }

    fn claim(&mut self, key: &RevisionKey, host: &HostPattern) {
        let claims = match self.claims.get(host) {
            None => {
                self.suffixes += usize::from(host.is_suffix());
                Claims {
                    owner: key.clone(),
                    waiting: Vec::new(),
                }
            }
            Some(claims) => {
                let mut claims = claims.clone();
                claims.waiting.push(key.clone());
                claims
            }
        };
        self.claims.insert_mut(host.clone(), claims);
    }

    fn withdraw(&mut self, key: &RevisionKey, host: &HostPattern) {
        let Some(mut claims) = self.claims.get(host).cloned() else {
            return;
        };
        if claims.owner != *key {
            claims.waiting.retain(|waiting| waiting != key);
        } else if claims.waiting.is_empty() {
            self.suffixes -= usize::from(host.is_suffix());
            self.claims.remove_mut(host);
            return;
        } else {
            claims.owner = claims.waiting.remove(0);
        }
        self.claims.insert_mut(host.clone(), claims);
    }
}

#[cfg(test)]
mod properties;
