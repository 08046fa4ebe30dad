//! How instances are reached in a cluster with a service mesh, as Knative's ConfigMap config-network says.

/// How instances are reached in a cluster with a service mesh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mesh {
    /// `mesh-compatibility-mode`.
    pub mode: MeshMode,
    /// `enable-mesh-pod-addressability`: whether the mesh takes requests for a single instance, with the name of its
    /// Service as Host.
    pub pod_addressability: bool,
}

/// Whether instances are reached one by one, or through the private Service of their revision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MeshMode {
    /// One by one, or through the Service if probes show a mesh.
    #[default]
    Auto,
    /// Only through the Service.
    Enabled,
    /// Only one by one; those that Kubernetes calls ready are not probed.
    Disabled,
}

impl Mesh {
    /// Whether requests may go to instances one by one.
    pub(super) fn allows_instances(self) -> bool {
        self.pod_addressability || self.mode != MeshMode::Enabled
    }

    /// Whether requests may go through the private Service.
    pub(super) fn allows_service(self) -> bool {
        !self.pod_addressability && self.mode != MeshMode::Disabled
    }

    /// Whether instances that Kubernetes calls ready need no probe.
    pub(super) fn trusts_kubernetes(self) -> bool {
        self.mode != MeshMode::Auto
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mesh_that_takes_requests_for_instances_needs_no_service() {
        use MeshMode::{Auto, Disabled, Enabled};
        // Whether instances and the Service are allowed.
        for (mode, pod_addressability, expected) in [
            (Auto, false, (true, true)),
            (Auto, true, (true, false)),
            (Enabled, false, (false, true)),
            (Enabled, true, (true, false)),
            (Disabled, false, (true, false)),
            (Disabled, true, (true, false)),
        ] {
            let mesh = Mesh {
                mode,
                pod_addressability,
            };
            let allowed = (mesh.allows_instances(), mesh.allows_service());
            assert_eq!(allowed, expected, "{mesh:?}");
        }
    }
}
