//! What a client makes of the bytes that it gets.

use crate::case::escaped;

/// The status and the body of each answer, and how many bytes are left that are none.
pub(crate) fn answers(mut bytes: &[u8], is_head: bool) -> (Vec<String>, usize) {
    let mut answers = Vec::new();
    while let Some((text, length)) = answer(bytes, is_head) {
        answers.push(text);
        bytes = &bytes[length..];
    }
    (answers, bytes.len())
}

fn answer(bytes: &[u8], is_head: bool) -> Option<(String, usize)> {
    let head = bytes.windows(4).position(|part| part == b"\r\n\r\n")?;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let status = text.get(9..12).unwrap_or("none").to_owned();
    let value = |name: &str| {
        let mut lines = text.split("\r\n").filter_map(|line| line.split_once(": "));
        lines.find_map(|(found, value)| (found == name).then_some(value))
    };
    let rest = &bytes[head + 4..];
    let (body, length) = if is_head || status.starts_with('1') || ["204", "304"].contains(&&*status)
    {
        (Vec::new(), 0)
    } else if value("transfer-encoding").is_some() {
        chunked(rest)?
    } else {
        let length = value("content-length")?.parse().ok()?;
        (rest.get(..length)?.to_vec(), length)
    };
    // Every answer of the activator's own is plain text that browsers leave alone.
    let is_own = !status.starts_with(['1', '2', '3']);
    let is_plain = value("content-type") == Some("text/plain; charset=utf-8")
        && value("x-content-type-options") == Some("nosniff");
    let remark = match is_own && !is_plain {
        true => " (without a type)",
        false => "",
    };
    let body = escaped(body.trim_ascii_end());
    let text = format!("{status} {body}").trim_end().to_owned() + remark;
    Some((text, head + 4 + length))
}

fn chunked(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let end = at + bytes[at..].windows(2).position(|part| part == b"\r\n")?;
        let size = std::str::from_utf8(&bytes[at..end]).ok()?;
        let size = usize::from_str_radix(size, 16).ok()?;
        at = end + 2;
        if size == 0 {
            let rest = &bytes[at..];
            if rest.starts_with(b"\r\n") {
                return Some((body, at + 2));
            }
            let end = rest.windows(4).position(|part| part == b"\r\n\r\n")?;
            body.extend(b" with trailers ");
            body.extend(&rest[..end]);
            return Some((body, at + end + 4));
        }
        body.extend(bytes.get(at..at + size)?);
        at += size + 2;
    }
}
