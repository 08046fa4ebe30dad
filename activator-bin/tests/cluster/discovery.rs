//! What an API server says of itself, and of what a user may do. No I/O.

use serde_json::{Value, json};

/// A cluster with Knative in which everything is allowed, unless a test says otherwise.
#[derive(Default)]
pub(crate) struct Discovery {
    pub(crate) is_without_knative: bool,
    /// Verbs that are refused, as in `list endpointslices`.
    pub(crate) refused: Vec<&'static str>,
}

impl Discovery {
    /// The answer to a request for anything but objects: JSON, or a status.
    pub(crate) fn answer(&self, path: &str, body: &[u8]) -> Option<Result<Value, u16>> {
        match path {
            "/version" => Some(Ok(json!({"major": "1", "gitVersion": "v1.30.3"}))),
            "/apis/serving.knative.dev/v1" if self.is_without_knative => Some(Err(404)),
            "/apis/serving.knative.dev/v1" => {
                let resources = json!([{"name": "revisions"}, {"name": "revisions/status"}]);
                Some(Ok(
                    json!({"kind": "APIResourceList", "resources": resources}),
                ))
            }
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => {
                let review: Value = serde_json::from_slice(body).unwrap();
                assert_eq!(review["kind"], "SelfSubjectAccessReview");
                let asked = &review["spec"]["resourceAttributes"];
                let text = |field| asked[field].as_str().unwrap();
                let wanted = format!("{} {}", text("verb"), text("resource"));
                let is_allowed = !self.refused.iter().any(|refused| *refused == wanted);
                Some(Ok(json!({"status": {"allowed": is_allowed}})))
            }
            _ => None,
        }
    }
}
