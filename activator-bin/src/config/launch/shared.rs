//! What the launched revisions of a file share: groups, and the files of waiting pages.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::group::Groups;
use super::page::Pages;
use crate::revision::launch::GroupSpec;
use crate::settings::{nearest, quoted};

/// What the revisions of a file share.
pub(in super::super) struct Shared {
    groups: Groups,
    /// The files of waiting pages.
    pub(super) pages: Pages,
    /// The fewest instances of the revisions of each group so far.
    kept: BTreeMap<String, u32>,
}

impl Shared {
    pub(in super::super) fn new(groups: Groups) -> Self {
        Self {
            groups,
            kept: BTreeMap::new(),
            pages: Pages::default(),
        }
    }

    /// The group of this name, or what is wrong with it.
    pub(super) fn group(&self, name: &str) -> Result<Arc<GroupSpec>, String> {
        self.groups.get(name).map(Arc::clone).ok_or_else(|| {
            let names = self.groups.keys().map(String::as_str);
            let hint = nearest(name, names).map(|near| format!("; did you mean {near:?}?"));
            let name = quoted(name);
            format!("there is no [[group]] with name = {name}") + &hint.unwrap_or_default()
        })
    }

    /// Counts instances of a group that always run.
    pub(super) fn keep(&mut self, group: &GroupSpec, min_scale: u32) -> Result<(), String> {
        let kept = self.kept.entry(group.name.clone()).or_default();
        *kept += min_scale;
        if min_scale == 0 || *kept <= group.capacity {
            return Ok(());
        }
        let (name, capacity) = (quoted(&group.name), group.capacity);
        Err(format!(
            "keeps {kept} instances of the group {name} running, whose capacity is {capacity}"
        ))
    }
}
