//! The platform's probes on the data port. They are answered here and not counted as requests.

use http::header::USER_AGENT;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::held::Held;
use super::html::escaped;
use super::refusal;
use super::response_body::ResponseBody;
use crate::readiness::Readiness;

const KUBELET_PROBE: HeaderName = HeaderName::from_static("k-kubelet-probe");
const NETWORK_PROBE: HeaderName = HeaderName::from_static("k-network-probe");
const NETWORK_HASH: HeaderName = HeaderName::from_static("k-network-hash");

/// What a probe asks.
pub(super) enum PlatformProbe {
    /// The kubelet: is this process ready?
    Health,
    /// The ingress: does it reach this process? The hash is to be echoed.
    Network(Option<HeaderValue>),
    /// Is this the component of this name?
    Component(HeaderValue),
}

/// The probe that a request with these headers is, if any. Removes the hash from other requests, since it would mean
/// something to the next hop.
pub(super) fn take(headers: &mut HeaderMap) -> Option<PlatformProbe> {
    let is_mark = |name: &HeaderName| name.as_str().starts_with("k-");
    let is_set = |value: &&HeaderValue| !value.is_empty();
    let agent = headers.get(USER_AGENT);
    if agent.is_some_and(|agent| agent.as_bytes().starts_with(b"kube-probe/")) {
        return Some(PlatformProbe::Health);
    }
    // Few requests have one.
    if !headers.keys().any(is_mark) {
        return None;
    }
    if headers.get(KUBELET_PROBE).filter(is_set).is_some() {
        return Some(PlatformProbe::Health);
    }
    let probe = headers.get(NETWORK_PROBE).filter(is_set);
    if probe.is_some_and(|name| name == "probe") {
        let hash = headers.get(NETWORK_HASH).filter(is_set);
        return Some(PlatformProbe::Network(hash.cloned()));
    }
    let component = probe.cloned().map(PlatformProbe::Component);
    headers.remove(NETWORK_HASH);
    component
}

impl PlatformProbe {
    pub(super) fn respond(self, readiness: &Readiness, held: Held) -> Response<ResponseBody> {
        let refuse = |status, why: &str, held| refusal::text(status, format!("{why}\n"), held);
        match self {
            Self::Health => match readiness.check_platform() {
                Ok(()) => Response::new(ResponseBody::whole("", held)),
                Err(why) => refuse(StatusCode::INTERNAL_SERVER_ERROR, why.trim_end(), held),
            },
            Self::Network(Some(hash)) => {
                let mut response = Response::new(ResponseBody::whole("", held));
                response.headers_mut().insert(NETWORK_HASH, hash);
                response
            }
            Self::Network(None) => {
                let why = r#"a probe request must contain a non-empty "K-Network-Hash" header"#;
                refuse(StatusCode::BAD_REQUEST, why, held)
            }
            Self::Component(name) if name == "activator" => {
                Response::new(ResponseBody::whole("activator", held))
            }
            Self::Component(name) => {
                let name = escaped(&String::from_utf8_lossy(name.as_bytes()));
                let why = format!("unexpected probe header value: {name:?}");
                refuse(StatusCode::BAD_REQUEST, &why, held)
            }
        }
    }
}
