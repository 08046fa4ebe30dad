//! Takes a page of a list apart while it is received, so that no more than one object of it is held. Pure.
//!
//! What must not live here: what the objects mean.

use memchr::memchr2;
use serde::Deserialize;

use super::piece::{Partial, Piece};

/// The most bytes of a page beside its objects.
const MAX_HEAD: usize = 64 * 1024;

/// A page of a list, as far as it has been received.
pub(super) struct ListPage {
    /// Everything but the objects.
    head: Vec<u8>,
    /// The object that has begun.
    object: Partial,
    /// How many brackets and braces are open.
    depth: usize,
    /// Whether those are the objects: the elements of `items`.
    in_items: bool,
    in_string: bool,
    is_escaped: bool,
}

/// What a page says beside its objects.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Head {
    /// As of which version of the cluster it was made.
    pub(super) resource_version: String,
    /// Asks for the next page. Empty for the last one.
    #[serde(rename = "continue")]
    pub(super) token: String,
}

impl ListPage {
    /// Objects of more than `max_object` bytes are left out.
    pub(super) fn new(max_object: usize) -> Self {
        Self {
            head: Vec::new(),
            object: Partial::new(max_object),
            depth: 0,
            in_items: false,
            in_string: false,
            is_escaped: false,
        }
    }

    /// Hands out the objects that are complete with these bytes.
    ///
    /// # Errors
    /// This is no list.
    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        mut on_object: impl FnMut(Piece<'_>),
    ) -> Result<(), NoList> {
        // Where in `bytes` that begins which has not been passed on.
        let mut begin = 0;
        let mut at = 0;
        while at < bytes.len() {
            if self.in_string {
                at += self.skip_string(&bytes[at..]);
                continue;
            }
            let byte = bytes[at];
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => {
                    if self.in_items && self.depth == ITEMS {
                        begin = at;
                    } else if byte == b'[' && self.depth == ITEMS - 1 {
                        self.keep_head(&bytes[begin..=at])?;
                        begin = at + 1;
                        self.in_items = begins_items(&self.head);
                    }
                    self.depth += 1;
                }
                b'}' | b']' => {
                    self.depth = self.depth.checked_sub(1).ok_or(NoList)?;
                    if self.in_items && self.depth == ITEMS {
                        self.object.complete(&bytes[begin..=at], &mut on_object);
                    } else if self.in_items && self.depth < ITEMS {
                        self.in_items = false;
                        begin = at;
                    }
                }
                _ => {}
            }
            at += 1;
        }
        match (self.in_items, self.depth) {
            // Between two objects is only a comma.
            (true, ITEMS) => {}
            (true, _) => self.object.keep(&bytes[begin..]),
            (false, _) => self.keep_head(&bytes[begin..])?,
        }
        Ok(())
    }

    /// The page is complete.
    ///
    /// # Errors
    /// This is no list.
    pub(super) fn finish(self) -> Result<Head, NoList> {
        #[derive(Deserialize)]
        struct Page {
            metadata: Head,
        }
        let page: Page = serde_json::from_slice(&self.head).map_err(|_| NoList)?;
        Ok(page.metadata)
    }

    /// Returns how many bytes of `bytes` belong to the string that it begins in.
    fn skip_string(&mut self, bytes: &[u8]) -> usize {
        if self.is_escaped {
            self.is_escaped = false;
            return 1;
        }
        match memchr2(b'"', b'\\', bytes) {
            None => bytes.len(),
            Some(at) => {
                if bytes[at] == b'"' {
                    self.in_string = false;
                } else {
                    self.is_escaped = true;
                }
                at + 1
            }
        }
    }

    fn keep_head(&mut self, bytes: &[u8]) -> Result<(), NoList> {
        if self.head.len().saturating_add(bytes.len()) > MAX_HEAD {
            return Err(NoList);
        }
        self.head.extend_from_slice(bytes);
        Ok(())
    }
}

/// How many brackets and braces are open between two objects.
const ITEMS: usize = 2;

/// It is not the JSON text of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoList;

/// Whether the list that has just begun is that of the objects.
fn begins_items(head: &[u8]) -> bool {
    let before = |text: &[u8], mark: u8| Some(text.trim_ascii_end().strip_suffix(&[mark])?.len());
    let name = before(head, b'[').and_then(|end| Some(&head[..before(&head[..end], b':')?]));
    name.is_some_and(|name| name.trim_ascii_end().ends_with(b"\"items\""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// The objects and the head of a page that arrives in pieces which end at `cuts`.
    fn read(text: &str, cuts: &[usize]) -> Result<(Vec<Option<Value>>, Head), NoList> {
        let mut page = ListPage::new(100);
        let mut objects = Vec::new();
        let mut begin = 0;
        for &end in cuts.iter().chain([&text.len()]) {
            let end = end.clamp(begin, text.len());
            page.push(&text.as_bytes()[begin..end], |piece| {
                objects.push(match piece {
                    Piece::Whole(object) => Some(serde_json::from_slice(object).unwrap()),
                    Piece::TooLarge => None,
                });
            })?;
            begin = end;
        }
        Ok((objects, page.finish()?))
    }

    fn check(text: &str, expected: Result<(&[Option<Value>], &str, &str), NoList>) {
        let expected = expected.map(|(objects, version, token)| {
            let head = Head {
                resource_version: version.to_owned(),
                token: token.to_owned(),
            };
            (objects.to_vec(), head)
        });
        let every: Vec<usize> = (0..text.len()).collect();
        for cuts in [&[] as &[usize], &every] {
            assert_eq!(read(text, cuts), expected, "{text}");
        }
    }

    #[test]
    fn a_page_is_taken_apart() {
        check(
            r#"{"kind":"List","metadata":{"resourceVersion":"7","continue":"x"},"items":[{"a":1},{"b":[{}]}]}"#,
            Ok((&[Some(json!({"a": 1})), Some(json!({"b": [{}]}))], "7", "x")),
        );
        check(
            "{ \"items\" :\n[ ] , \"metadata\" : { \"resourceVersion\": \"8\" } }\n",
            Ok((&[], "8", "")),
        );
        check(r#"{"metadata":{},"items":null}"#, Ok((&[], "", "")));
        let marks = r#"{"metadata":{},"items":[{"a":"]}\\"}, {"b":"\"[{"}]}"#;
        let [a, b] = [json!({"a": "]}\\"}), json!({"b": "\"[{"})];
        check(marks, Ok((&[Some(a), Some(b)], "", "")));
        // Another list, and one of this name further in.
        let other = r#"{"others":[{}],"metadata":{"items":[{}]},"items":[{}]}"#;
        check(other, Ok((&[Some(json!({}))], "", "")));
    }

    #[test]
    fn an_object_that_is_too_large_is_left_out() {
        let text = format!(
            r#"{{"metadata":{{}},"items":[{{"a":1}},{{"b":"{}"}},{{"c":3}}]}}"#,
            "x".repeat(100)
        );
        check(
            &text,
            Ok((
                &[Some(json!({"a": 1})), None, Some(json!({"c": 3}))],
                "",
                "",
            )),
        );
    }

    #[test]
    fn what_is_no_list_is_refused() {
        check("", Err(NoList));
        check("<html>", Err(NoList));
        check("{}", Err(NoList));
        check("]", Err(NoList));
        check(r#"{"metadata":{},"items":[{}]"#, Err(NoList));
        check(r#"{"metadata":{},"items":[{}]}}"#, Err(NoList));
        let endless = format!(r#"{{"metadata":{{}},"a":"{}""#, "x".repeat(MAX_HEAD));
        check(&endless, Err(NoList));
    }

    proptest! {
        /// However it is cut, and whatever is in it.
        #[test]
        fn objects_arrive_whole(
            texts in prop::collection::vec("[\\[\\]{}\",:\\\\aä ]{0,12}", 0..6),
            cuts in prop::collection::vec(0usize..400, 0..9),
            is_pretty: bool,
        ) {
            let objects: Vec<Value> = texts.iter().map(|it| json!({it: [it, {}]})).collect();
            let page = json!({"items": objects, "metadata": {"continue": "x", "note": texts}});
            let text = if is_pretty { format!("{page:#}") } else { page.to_string() };
            let mut cuts = cuts;
            cuts.sort_unstable();
            let (found, head) = read(&text, &cuts).unwrap();
            prop_assert_eq!(found, objects.into_iter().map(Some).collect::<Vec<_>>());
            prop_assert_eq!(head.token, "x");
        }
    }
}
