//! `/`: the status page for browsers, and for others what there is on this port.
//!
//! One file without anything from elsewhere. Its script and style are allowed by a number that nobody can guess, and
//! nothing else is: names and output of strangers cannot become either.

use std::sync::LazyLock;

use axum::Router;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use axum::http::header::{REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// Where the number goes.
const NONCE: &str = "{nonce}";

/// The page but for the number.
static PAGE: LazyLock<String> = LazyLock::new(|| {
    let script = [
        include_str!("page/model.js"),
        include_str!("page/parts.js"),
        include_str!("page/rows.js"),
        include_str!("page/details.js"),
        include_str!("page/main.js"),
    ];
    // In a function, so that nothing of it is global.
    let script = format!("\"use strict\";(() => {{\n{}}})();", script.concat());
    include_str!("page/page.html")
        .replace("{style}", include_str!("page/page.css"))
        .replace("{script}", &script)
});

const PATHS: &str = "The activator's admin port. Browsers see the status page here.

/v1/revisions                    the revisions, as JSON
/v1/revisions/NAMESPACE/NAME     one of them, with the output of its instances
/v1/events                       what happens to them, live
/v1/cluster                      where they come from, in a cluster
/v1/log                          what is logged
/metrics                         for Prometheus
/livez, /readyz                  health
";

pub(super) fn router() -> Router {
    Router::new().route("/", get(page))
}

async fn page(headers: HeaderMap) -> Response {
    let vary = (VARY, "accept");
    if !wants_html(&headers) {
        let text = (CONTENT_TYPE, "text/plain; charset=utf-8");
        return ([text, vary], PATHS).into_response();
    }
    let nonce = format!("{:032x}", rand::random::<u128>());
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        vary,
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let page = PAGE.replace(NONCE, &nonce);
    let mut response = (headers, page).into_response();
    if let Ok(policy) = HeaderValue::try_from(policy(&nonce)) {
        response
            .headers_mut()
            .insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// What the page may do. No text becomes HTML in it.
fn policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    )
}

/// Whether the client is a browser that shows a page.
fn wants_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter();
    let accepted = accepted.filter_map(|value| value.to_str().ok());
    let mut ranges = accepted.flat_map(|value| value.split(','));
    ranges.any(|range| {
        let media = range.split(';').next().unwrap_or_default();
        media.trim().eq_ignore_ascii_case("text/html")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_refers_to_nothing_elsewhere_and_has_its_number_in_its_places_only() {
        let page = &*PAGE;
        assert_eq!(page.matches(NONCE).count(), 2);
        assert_eq!(page.matches("</script>").count(), 1);
        assert_eq!(page.matches("</style>").count(), 1);
        assert!(!page.contains("{style}") && !page.contains("{script}"));
        // Names of XML, which nobody fetches.
        let names = page.matches("http://www.w3.org/2000/svg").count();
        assert_eq!(page.matches("http://").count(), names);
        assert!(!page.contains("https://"));
        for sink in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
        ] {
            assert!(!page.contains(sink), "{sink}");
        }
    }

    #[test]
    fn browsers_are_known_by_what_they_accept() {
        for (accept, expected) in [
            ("text/html,application/xhtml+xml,*/*;q=0.8", true),
            ("application/json, TEXT/HTML ;q=0.9", true),
            ("*/*", false),
            ("text/html5", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(wants_html(&headers), expected, "{accept}");
        }
        assert!(!wants_html(&HeaderMap::new()));
    }
}
