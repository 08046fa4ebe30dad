//! How a client reads the bytes that it gets.

/// A final response.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Whether it comes from the backend and not from the activator.
    pub(crate) is_from_backend: bool,
}

/// The final responses to requests with these methods, and how many bytes are left over.
///
/// # Panics
/// If they are not HTTP responses.
pub(crate) fn answers(mut bytes: &[u8], methods: &[String]) -> (Vec<Answer>, usize) {
    let mut answers = Vec::new();
    while let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
        let is_head = methods
            .get(answers.len())
            .is_some_and(|method| method == "HEAD");
        let (head, rest) = (&bytes[..end], &bytes[end + 4..]);
        let Some((answer, length)) = answer(head, rest, is_head) else {
            break;
        };
        bytes = &rest[length..];
        answers.extend(answer);
    }
    (answers, bytes.len())
}

/// `None` if the body is incomplete. Skips informational responses.
fn answer(head: &[u8], rest: &[u8], is_head: bool) -> Option<(Option<Answer>, usize)> {
    let text = std::str::from_utf8(head).expect("a head is text");
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first.strip_prefix("HTTP/1.").and_then(|rest| {
        let rest = rest.strip_prefix("0 ").or(rest.strip_prefix("1 "));
        rest.and_then(|rest| rest.get(..3))
    });
    let status = status.and_then(|status| status.parse().ok());
    let status: u16 = status.unwrap_or_else(|| panic!("{first:?} is no status line"));
    let headers = lines.map(|line| {
        assert!(!line.contains(['\r', '\n']), "{line:?} is no header");
        line.split_once(": ")
            .unwrap_or_else(|| panic!("{line:?} is no header"))
    });
    let headers: Vec<_> = headers.collect();
    let value = |name: &str| {
        let mut all = headers
            .iter()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name));
        let value = all.next().map(|&(_, value)| value);
        assert!(all.next().is_none(), "two {name} in {text:?}");
        value
    };
    if status < 200 {
        return Some((None, 0));
    }
    let is_from_backend = value("from") == Some("backend");
    if !is_from_backend && status >= 400 {
        let kind = (value("content-type"), value("x-content-type-options"));
        assert_eq!(
            kind,
            (Some("text/plain; charset=utf-8"), Some("nosniff")),
            "in {text:?}"
        );
    }
    assert_eq!(
        value("transfer-encoding"),
        None,
        "no response here is chunked"
    );
    let length = value("content-length").unwrap_or_else(|| panic!("how long is {text:?}?"));
    let length = length
        .parse()
        .unwrap_or_else(|_| panic!("how long is {text:?}?"));
    let length = match is_head {
        // It was refused before the method was read.
        true if rest.len() == length && status >= 400 => length,
        true => 0,
        false => rest.get(..length).map(<[u8]>::len)?,
    };
    let answer = Answer {
        status,
        is_from_backend,
    };
    Some((Some(answer), length))
}
