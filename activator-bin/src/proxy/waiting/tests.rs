use super::*;
use crate::revision::tests::launched::launch;
use crate::revision::tests::{key, revision};
use crate::revision::{Revisions, Shared};
use crate::upstream::place::Place;

/// Whether a request with these header lines is a navigation.
#[track_caller]
fn check(method: &str, headers: &str, expected: bool) {
    let mut request = Request::builder().method(method).uri("/");
    for line in headers.lines() {
        let (name, value) = line.trim().split_once(": ").unwrap();
        request = request.header(name, value);
    }
    let found = is_navigation(&request.body(()).unwrap());
    assert_eq!(found, expected, "{method} {headers}");
}

#[test]
fn only_what_a_browser_shows_gets_the_page() {
    const CHROME: &str = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    check("GET", CHROME, true);
    check("GET", "Accept: TEXT/HTML", true);
    check("GET", "Accept: application/json, text/html; q=0.5", true);
    check("GET", "Accept: application/json\nAccept: text/html", true);
    for method in ["HEAD", "POST", "PUT", "OPTIONS", "DELETE"] {
        check(method, CHROME, false);
    }
    check("GET", "", false);
    for accept in [
        "*/*",
        "text/*",
        "text/event-stream",
        "application/json",
        "image/avif,image/webp,*/*;q=0.8",
        "text/htmlx",
        "text/html;q=0",
        "text/html; q=0.000, */*",
    ] {
        check("GET", &format!("Accept: {accept}"), false);
    }
    for (header, expected) in [
        ("Sec-Fetch-Mode: navigate", true),
        ("Sec-Fetch-Mode: cors", false),
        ("Sec-Fetch-Mode: no-cors", false),
        ("Sec-Purpose: prefetch", false),
        ("Sec-Purpose: prefetch;prerender", false),
        ("Purpose: prefetch", false),
        ("X-Requested-With: XMLHttpRequest", false),
        ("Upgrade: websocket\nConnection: Upgrade", false),
        ("Upgrade-Insecure-Requests: 1", true),
    ] {
        check("GET", &format!("{CHROME}\n{header}"), expected);
    }
}

#[test]
fn the_page_is_small_and_asks_for_nothing_but_the_status() {
    assert!(PAGE.len() < 8 * 1024);
    assert!(PAGE.contains(&format!("\"{STATUS_PATH}\"")));
    for outside in [
        "http:", "https:", "//cdn", "url(", "@import", "<link", "<img", "src=",
    ] {
        assert!(!PAGE.contains(outside), "{outside}");
    }
}

fn failed(name: &str, why: &str) -> Waiting {
    let until = Instant::now() + Duration::from_secs(3600);
    let why = why.to_owned();
    Waiting::failed(name, &Arc::new(Failure { until, why }))
}

#[test]
fn what_the_page_says_is_text() {
    let waiting = failed("<b>&\"'", "<script>alert(1)</script> {{nonce}}");
    let (page, policy) = waiting.render("abc");
    assert!(page.contains("<title>&lt;b&gt;&amp;&#34;&#39; failed to start</title>"));
    assert!(page.contains(
        "&lt;script&gt;alert(1)&lt;/script&gt; {{nonce}}. The next attempt is in 3600 s."
    ));
    assert_eq!(page.matches("<script").count(), 1);
    assert_eq!(page.matches("nonce=\"abc\"").count(), 2);
    assert!(policy.contains("script-src 'nonce-abc';"));
    assert!(page.contains(r#"<meta http-equiv="refresh" content="3600">"#));
    assert!(page.contains(r#"data-state="failed""#));
}

#[test]
fn every_page_has_a_nonce_of_its_own() {
    let (one, other) = (nonce(), nonce());
    assert_eq!(one.len(), 32);
    assert_ne!(one, other);
}

/// A revision that is served, without instances.
fn asleep(revisions: &Revisions) -> Arc<ServedRevision> {
    let mut spec = revision("app");
    spec.launch = Some(Arc::new(launch(1)));
    revisions.put(spec).unwrap();
    revisions.launched(&key("app")).unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_is_ready_within_a_moment_needs_no_page() {
    let revisions = Revisions::new(Shared::for_tests());
    let served = asleep(&revisions);
    let begin = tokio::time::Instant::now();
    assert!(page(&served, &WaitingPage::Auto).await.is_some());
    assert_eq!(begin.elapsed(), MOMENT);
    let mut asks = Box::pin(page(&served, &WaitingPage::Auto));
    assert!(futures_util::poll!(&mut asks).is_pending());
    let place = Place {
        address: ([127, 0, 0, 1], 1).into(),
        socket: None,
    };
    revisions.set_places(&served, &[place]);
    assert!(asks.await.is_none());
    assert!(page(&served, &WaitingPage::Auto).await.is_none());
    assert_eq!(begin.elapsed(), MOMENT, "no time has passed since");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_shown_at_once() {
    let revisions = Revisions::new(Shared::for_tests());
    let served = asleep(&revisions);
    let begin = tokio::time::Instant::now();
    served.set_failed(Some(Failure {
        until: Instant::now() + Duration::from_secs(3600),
        why: "exited with code 1".to_owned(),
    }));
    assert!(page(&served, &WaitingPage::Auto).await.is_some());
    assert_eq!(begin.elapsed(), Duration::ZERO);
    served.set_failed(None);
    assert!(page(&served, &WaitingPage::Auto).await.is_some());
    assert_eq!(begin.elapsed(), MOMENT);
}
