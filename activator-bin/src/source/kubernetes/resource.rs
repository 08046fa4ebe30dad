//! The objects of one kind that are asked for, and the paths of the requests for them.

use std::fmt::Write;
use std::time::Duration;

use super::object::Object;

/// The objects of one kind that are asked for.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    path: String,
    /// Part of the query, or empty.
    selector: String,
    /// As the API server calls them, as in `revisions.serving.knative.dev`.
    pub(super) kind: String,
    /// Which of them, as in `configmaps config-network`.
    pub(super) name: String,
}

impl Resource {
    /// All in a namespace, or in all namespaces.
    pub(super) fn of<T: Object>(namespace: Option<&str>) -> Self {
        let (kind, mut path) = match T::GROUP {
            "" => (T::PLURAL.to_owned(), format!("/api/{}", T::VERSION)),
            group => (
                format!("{}.{group}", T::PLURAL),
                format!("/apis/{group}/{}", T::VERSION),
            ),
        };
        if let Some(namespace) = namespace {
            path = format!("{path}/namespaces/{}", Encoded(namespace));
        }
        Self {
            path: format!("{path}/{}", T::PLURAL),
            selector: String::new(),
            name: kind.clone(),
            kind,
        }
    }

    /// Those with such labels.
    pub(super) fn labelled(self, selector: &str) -> Self {
        let selector = format!("labelSelector={}&", Encoded(selector));
        Self { selector, ..self }
    }

    /// The one with this name.
    pub(super) fn named(self, name: &str) -> Self {
        let selector = format!("metadata.name={name}");
        Self {
            selector: format!("fieldSelector={}&", Encoded(&selector)),
            name: format!("{} {name}", self.kind),
            ..self
        }
    }

    /// Asks for the list as the API server has it in memory, which is the fastest: as of a version or a later one. 0
    /// stands for any. Without a limit, with which it would read from its storage.
    pub(super) fn list(&self, version: &str) -> String {
        let version = Encoded(version);
        let mut path = format!("{}?{}resourceVersion={version}", self.path, self.selector);
        if version.0 != "0" {
            path += "&resourceVersionMatch=NotOlderThan";
        }
        path
    }

    /// Asks for a page of the list as it is stored: the first one, or the one that a token of the page before it stands
    /// for.
    pub(super) fn page(&self, size: u32, token: &str) -> String {
        let mut path = format!("{}?{}limit={size}", self.path, self.selector);
        if !token.is_empty() {
            write!(path, "&continue={}", Encoded(token)).expect("a String takes everything");
        }
        path
    }

    /// Asks for all changes after a version.
    pub(super) fn watch(&self, version: &str, length: Duration) -> String {
        format!(
            "{}?{}watch=true&allowWatchBookmarks=true&timeoutSeconds={}&resourceVersion={}",
            self.path,
            self.selector,
            length.as_secs().max(1),
            Encoded(version)
        )
    }

    /// Asks for one object.
    pub(super) fn object(&self, name: &str) -> String {
        format!("{}/{}", self.path, Encoded(name))
    }
}

/// Text as part of a path or query.
struct Encoded<'a>(&'a str);

impl std::fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for &byte in self.0.as_bytes() {
            if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
                f.write_char(byte.into())?;
            } else {
                write!(f, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::kubernetes::object::{Revision, Service};

    #[test]
    fn a_path_is_that_of_kubernetes() {
        let revisions = Resource::of::<Revision>(None);
        assert_eq!(revisions.name, "revisions.serving.knative.dev");
        assert_eq!(
            revisions.page(500, ""),
            "/apis/serving.knative.dev/v1/revisions?limit=500"
        );
        assert_eq!(
            revisions.list("0"),
            "/apis/serving.knative.dev/v1/revisions?resourceVersion=0"
        );
        assert_eq!(
            revisions.list("12"),
            "/apis/serving.knative.dev/v1/revisions?resourceVersion=12&resourceVersionMatch=NotOlderThan"
        );
        assert_eq!(
            revisions.watch("12", Duration::from_secs(30)),
            "/apis/serving.knative.dev/v1/revisions?watch=true&allowWatchBookmarks=true&timeoutSeconds=30&resourceVersion=12"
        );
        let services = Resource::of::<Service>(Some("a"));
        assert_eq!(services.name, "services");
        assert_eq!(
            services.object("b/../c?"),
            "/api/v1/namespaces/a/services/b%2F..%2Fc%3F"
        );
        let labelled = services.clone().labelled("a/b in (X,Y)").page(1, "=&");
        assert_eq!(
            labelled,
            "/api/v1/namespaces/a/services?labelSelector=a%2Fb%20in%20%28X%2CY%29&limit=1&continue=%3D%26"
        );
        let named = services.named("a");
        assert_eq!(
            (named.name.as_str(), named.kind.as_str()),
            ("services a", "services")
        );
        assert_eq!(
            named.page(1, ""),
            "/api/v1/namespaces/a/services?fieldSelector=metadata.name%3Da&limit=1"
        );
    }
}
