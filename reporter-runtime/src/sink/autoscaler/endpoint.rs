//! A `ws://` or `wss://` URL, parsed once.

use http::Uri;

/// Where the autoscaler is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) tls: bool,
    /// A name or an address, without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) uri: Uri,
}

/// What is wrong with a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum EndpointError {
    #[error("is not a URL like ws://host:8080")]
    NotAUrl,
    #[error("must begin with ws:// or wss://")]
    Scheme,
    #[error("has no host")]
    NoHost,
    #[error("port must be 1 to 65535")]
    Port,
    #[error("must not contain a user name or password")]
    UserInfo,
}

impl Endpoint {
    pub(super) fn parse(url: &str) -> Result<Self, EndpointError> {
        let uri: Uri = url.parse().map_err(|_| EndpointError::NotAUrl)?;
        let (tls, default_port) = match uri.scheme_str() {
            Some("ws") => (false, 80),
            Some("wss") => (true, 443),
            _ => return Err(EndpointError::Scheme),
        };
        let authority = uri.authority().ok_or(EndpointError::NoHost)?;
        if authority.as_str().contains('@') {
            return Err(EndpointError::UserInfo);
        }
        let host = authority.host();
        let after_host = &authority.as_str()[host.len()..];
        let port = match after_host.strip_prefix(':') {
            Some(text) => text.parse().map_err(|_| EndpointError::Port)?,
            None => default_port,
        };
        if port == 0 {
            return Err(EndpointError::Port);
        }
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let host = bare.unwrap_or(host).to_owned();
        if host.is_empty() {
            return Err(EndpointError::NoHost);
        }
        Ok(Self {
            tls,
            host,
            port,
            uri,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let check = |url: &str, tls, host: &str, port, path: &str| {
            let endpoint = Endpoint::parse(url).unwrap();
            let parts = (endpoint.tls, endpoint.host.as_str(), endpoint.port);
            assert_eq!(parts, (tls, host, port), "{url}");
            // The handshake asks for this and fails without it.
            assert_eq!(endpoint.uri.path_and_query().unwrap(), path, "{url}");
        };
        let service = "autoscaler.knative-serving.svc.cluster.local";
        check(&format!("ws://{service}:8080"), false, service, 8080, "/");
        check("ws://10.0.0.1", false, "10.0.0.1", 80, "/");
        check("wss://a", true, "a", 443, "/");
        check("wss://a:8443/stats?x=1", true, "a", 8443, "/stats?x=1");
        check("ws://[::1]:8080/", false, "::1", 8080, "/");
    }

    #[test]
    fn bad_urls_are_refused_with_a_reason() {
        let check = |url: &str, error| assert_eq!(Endpoint::parse(url), Err(error), "{url}");
        check("", EndpointError::NotAUrl);
        check("ws://", EndpointError::NotAUrl);
        check("ws://a b", EndpointError::NotAUrl);
        check("autoscaler:8080", EndpointError::Scheme);
        check("/stats", EndpointError::Scheme);
        check("http://a", EndpointError::Scheme);
        check("ws://:8080", EndpointError::NoHost);
        check("ws://a:0", EndpointError::Port);
        check("ws://a:65536", EndpointError::Port);
        check("ws://a:", EndpointError::Port);
        check("ws://me:secret@a", EndpointError::UserInfo);
    }
}
