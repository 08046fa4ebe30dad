//! Removes the headers that `Connection` lists: they are for this connection only.

use http::header::CONNECTION;
use http::{HeaderMap, HeaderValue};

use super::headers::split;

/// Removes `Connection` and what it lists. Returns how many lookups it took: a list may have thousands of names, and
/// costs at most one lookup for each.
pub(super) fn remove(headers: &mut HeaderMap) -> usize {
    let lists: Vec<HeaderValue> = headers.get_all(CONNECTION).iter().cloned().collect();
    if lists.is_empty() {
        return 0;
    }
    headers.remove(CONNECTION);
    let lengths = headers
        .keys()
        .fold(0, |lengths, name| lengths | mark(name.as_str().len()));
    let may_be_there = |token: &&[u8]| lengths & mark(token.len()) != 0;
    let mut lookups = 0;
    for token in lists.iter().flat_map(split).filter(may_be_there) {
        lookups += 1;
        if let Ok(name) = str::from_utf8(token) {
            headers.remove(name);
        }
    }
    lookups
}

/// The bit for names of this length.
fn mark(length: usize) -> u64 {
    1 << length.min(63)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(names: &[&str], lists: &[&str]) -> HeaderMap {
        let value = HeaderValue::from_static("1");
        let names = names
            .iter()
            .map(|name| (name.parse().unwrap(), value.clone()));
        let lists = lists.iter().map(|list| (CONNECTION, list.parse().unwrap()));
        names.chain(lists).collect()
    }

    #[track_caller]
    fn check(names: &[&str], lists: &[&str], left: &[&str]) {
        let mut headers = headers(names, lists);
        remove(&mut headers);
        let mut found: Vec<_> = headers.keys().map(|name| name.as_str()).collect();
        found.sort_unstable();
        assert_eq!(found, left);
    }

    #[test]
    fn listed_headers_are_removed_with_the_list() {
        check(&["a", "b"], &[], &["a", "b"]);
        check(&["a", "b"], &["close"], &["a", "b"]);
        check(&["a", "b", "cc"], &["A ,, CC"], &["b"]);
        check(&["a", "b", "c"], &["a,a", "c,a"], &["b"]);
        check(&["a", "b"], &["(, \u{e4},"], &["a", "b"]);
        let (long, other) = ("x".repeat(70), "x".repeat(71));
        check(&[&long, &other], &[&long], &[&other]);
    }

    #[test]
    fn a_long_list_takes_at_most_a_lookup_per_name() {
        let names: Vec<_> = (0..100).map(|at| format!("x{at}")).collect();
        let names: Vec<_> = names.iter().map(|name| &**name).collect();
        let list = "a,".repeat(30_000);
        assert_eq!(remove(&mut headers(&names, &[&list])), 0);
        let list = "xyz,x1,".repeat(8_000);
        assert!(remove(&mut headers(&names, &[&list])) <= 16_000);
    }
}
