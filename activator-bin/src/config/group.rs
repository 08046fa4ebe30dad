//! The `[[group]]` sections: revisions that share something of which there is not enough for all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::file::{Reader, Section};
use crate::revision::launch::GroupSpec;
use crate::settings::settings;

settings! {
    /// A group as it was written.
    #[derive(Clone)]
    pub struct GroupDraft in "" {
        /// Its name, which revisions say in group.
        name: String = required, text();
        /// How many instances of its revisions may run at once, starting and stopping ones included.
        capacity: u32 = "1", whole(1..=1_000);
        /// Which revision makes room for another: oldest-idle, the one that has been idle for longest.
        evict: Evict = "oldest-idle", choice(&[("oldest-idle", Evict::OldestIdle)]);
        /// How long a request of one revision waits for those of another at most, before these wait for it.
        max_wait: Duration = "30s", duration("0s"..="24h");
    }
}

/// Which revision of a group makes room for another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Evict {
    /// The one that has been idle for longest.
    OldestIdle,
}

/// The groups, by name.
pub(super) type Groups = BTreeMap<String, Arc<GroupSpec>>;

/// Reads the sections.
pub(super) fn read_all(reader: &mut Reader<'_>, root: &Section<'_>) -> Groups {
    let mut groups = Groups::new();
    for section in reader.sections(root, "group") {
        let mut draft = GroupDraft::default();
        let locations = reader.read(&section, &[], &mut draft);
        let group = GroupSpec {
            name: draft.name.clone(),
            capacity: draft.capacity,
            max_wait: draft.max_wait,
        };
        if !draft.name.is_empty() && groups.insert(draft.name, group.into()).is_some() {
            let location = locations.get("name").unwrap_or(&section.location);
            let message = "is that of another group already".to_owned();
            reader
                .problems
                .push(location.clone(), section.field("name"), message);
        }
    }
    groups
}
