//! `{port}` and `{socket}` where there is none. Other braces mean themselves.

use super::{Conflict, LaunchDraft};
use crate::revision::launch::PortSpec;

/// The fields with a placeholder that nothing can be put in for.
pub(super) fn misused(draft: &LaunchDraft) -> Vec<Conflict> {
    let socket = ("{socket}", "needs port = \"socket\"");
    let absent = match draft.port {
        PortSpec::Auto | PortSpec::Fixed(_) => &[socket][..],
        PortSpec::Socket => &[(
            "{port}",
            "has no meaning with port = \"socket\"; use {socket}",
        )],
        PortSpec::Passed => &[socket, ("{port}", "has no meaning with port = \"fd\"")],
    };
    let misused = |text: &String| absent.iter().find(|(name, _)| text.contains(name));
    let fields = [
        ("command", draft.command.iter().flatten().find_map(misused)),
        ("args", draft.args.iter().find_map(misused)),
        ("dir", draft.dir.iter().find_map(misused)),
        ("env", draft.env.values().find_map(misused)),
    ];
    let found = fields.into_iter().filter_map(|(field, misused)| {
        let (name, why) = misused?;
        Some((field, format!("{name} {why}")))
    });
    found.collect()
}
