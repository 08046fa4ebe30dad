//! config-network: how instances are reached, and whether by TLS.

use super::data::{Data, Wrong};
use super::{ClusterSettings, Found};
use crate::probe::MeshMode;

pub(super) fn read(data: Data<'_>, settings: &mut ClusterSettings, found: &mut Found) {
    let mesh = &mut settings.mesh;
    let addressability = data.truth("enable-mesh-pod-addressability");
    found.set(&mut mesh.pod_addressability, addressability);
    let modes = &[
        ("auto", MeshMode::Auto),
        ("enabled", MeshMode::Enabled),
        ("disabled", MeshMode::Disabled),
    ];
    found.set(
        &mut mesh.mode,
        data.choice("mesh-compatibility-mode", modes),
    );
    found.set(&mut settings.internal_tls, internal_tls(data));
}

/// The old key switches it on as well; the new one cannot switch it off then.
fn internal_tls(data: Data<'_>) -> Result<bool, Wrong> {
    let choices = &[("disabled", false), ("enabled", true)];
    let is_enabled = data.choice("system-internal-tls", choices)?;
    Ok(is_enabled || data.truth("internal-encryption")?)
}
