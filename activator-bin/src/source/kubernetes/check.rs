//! What an activator would meet in a cluster, asked before it runs there: what it may read, which objects there are, and
//! what the cluster's ConfigMaps say.
//!
//! [`verdict`] is pure: answers in, sentences out. Here they are asked for.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::timeout;

mod right;
#[cfg(test)]
mod tests;
mod verdict;

pub(crate) use verdict::Line;

use self::right::{RIGHTS, Right};
use self::verdict::{Facts, Seen};
use super::ApiAccess;
use super::api_server::{ApiServer, RequestError};
use super::limits::ClusterLimits;
use super::object::Service;
use super::resource::Resource;
use super::system::{CERTIFICATE, Certificate, ConfigMap as Map, Secret, certificate, texts};
use crate::config::KubernetesConfig;
use crate::source::config_maps::{ConfigMap, ConfigMaps};

/// How long all answers together may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most bytes of an answer.
const MAX_ANSWER: usize = 8 << 20;
/// The Service in which Knative's controller looks for activators.
const ACTIVATORS: &str = "activator-service";
const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/// The bounds for an operator who waits.
pub(crate) fn limits() -> ClusterLimits {
    ClusterLimits {
        silence: Duration::from_secs(10),
        page: Duration::from_secs(10),
        ..ClusterLimits::default()
    }
}

/// Checks a cluster, in bounded time.
pub(crate) async fn check(access: &ApiAccess, config: &KubernetesConfig) -> Vec<Line> {
    let asking = Asking {
        server: &access.server,
        namespace: &config.namespace,
        maps: ConfigMaps::new(config),
    };
    match timeout(PATIENCE, asking.facts()).await {
        Ok(Ok(facts)) => verdict::verdict(&config.namespace, facts),
        Ok(Err(why)) => vec![verdict::unreachable(&why.to_string())],
        Err(_) => {
            let why = format!("it has not answered everything within {PATIENCE:?}");
            vec![verdict::unreachable(&why)]
        }
    }
}

struct Asking<'a> {
    server: &'a ApiServer,
    namespace: &'a str,
    maps: ConfigMaps,
}

#[derive(Deserialize)]
struct Version {
    #[serde(rename = "gitVersion")]
    version: String,
}

/// What the API server has in a group.
#[derive(Deserialize)]
struct Group {
    resources: Vec<GroupResource>,
}

#[derive(Deserialize)]
struct GroupResource {
    name: String,
}

#[derive(Deserialize)]
struct Review {
    status: ReviewStatus,
}

#[derive(Deserialize)]
struct ReviewStatus {
    allowed: bool,
}

impl Asking<'_> {
    /// All answers.
    ///
    /// # Errors
    /// There is no API server, or it does not know who asks.
    async fn facts(mut self) -> Result<Facts, RequestError> {
        let version = self.get::<Version>("/version").await?.version;
        let group = self.get::<Group>("/apis/serving.knative.dev/v1").await;
        let has_knative = match group {
            Ok(group) => group.resources.iter().any(|it| it.name == "revisions"),
            Err(error) if error.code() == Some(404) => false,
            Err(error) => return Err(error),
        };
        let mut facts = Facts {
            version,
            has_knative,
            ..Facts::default()
        };
        if !has_knative {
            return Ok(facts);
        }
        for right in RIGHTS {
            facts.refused.push(self.refused(right).await?);
        }
        for map in ConfigMap::ALL {
            let name = self.maps.name(map).to_owned();
            let path = Resource::of::<Map>(Some(self.namespace)).object(&name);
            let seen = self.see::<Map>(&path).await?.map(|it| texts(it.data));
            if let Seen::There(data) = &seen {
                facts.remarks.extend(self.maps.set(map, Some(data)));
            }
            facts.maps.push((name, seen.map(drop)));
        }
        facts.needs_tls = self.maps.settings().internal_tls;
        if facts.needs_tls {
            let path = Resource::of::<Secret>(Some(self.namespace)).object(CERTIFICATE);
            let seen = self.see::<Secret>(&path).await?.map(certificate);
            facts.secret = seen.map(|it| missing_keys(&it));
        }
        let path = Resource::of::<Service>(Some(self.namespace)).object(ACTIVATORS);
        facts.service = self.see::<Service>(&path).await?.map(drop);
        Ok(facts)
    }

    /// The verbs of a right that are refused, or why that is not known.
    async fn refused(
        &self,
        right: &Right,
    ) -> Result<Result<Vec<&'static str>, String>, RequestError> {
        let mut refused = Vec::new();
        for verb in right.verbs {
            let review = json!({
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": { "resourceAttributes": right.attributes(self.namespace, verb) },
            });
            let answer = self.server.post(REVIEWS, review.to_string()).await;
            let review = match answer {
                Ok(response) => response.object::<Review>(MAX_ANSWER).await,
                Err(error) => Err(error),
            };
            match review {
                Ok(review) if review.status.allowed => {}
                Ok(_) => refused.push(*verb),
                Err(error) => return Ok(Err(of_one(error)?)),
            }
        }
        Ok(Ok(refused))
    }

    async fn see<T: DeserializeOwned>(&self, path: &str) -> Result<Seen<T>, RequestError> {
        match self.get(path).await {
            Ok(object) => Ok(Seen::There(object)),
            Err(error) if error.code() == Some(404) => Ok(Seen::Missing),
            Err(error) => Ok(Seen::Unknown(of_one(error)?)),
        }
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, RequestError> {
        self.server.get(path).await?.object(MAX_ANSWER).await
    }
}

/// The text of an error of one request.
///
/// # Errors
/// The others would fail as well.
fn of_one(error: RequestError) -> Result<String, RequestError> {
    match error {
        RequestError::Failed(_) | RequestError::Timeout(_) => Err(error),
        RequestError::Unreadable | RequestError::Status { .. } => Ok(error.to_string()),
    }
}

/// The keys that a Secret for TLS needs and does not have. CAs may also be in trust bundles.
fn missing_keys(secret: &Certificate) -> Vec<&'static str> {
    let keys = [("tls.crt", &secret.tls_crt), ("tls.key", &secret.tls_key)];
    let missing = keys.into_iter().filter(|(_, value)| value.is_empty());
    missing.map(|(key, _)| key).collect()
}
