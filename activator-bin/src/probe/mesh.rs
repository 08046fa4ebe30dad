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
