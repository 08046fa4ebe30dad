//! Revisions from a Kubernetes cluster with Knative.
//!
//! [`model`] is pure: objects in, changes of revisions out. What must not live here: probing instances.

mod model;
mod object;
