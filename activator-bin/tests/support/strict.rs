//! Requests as a strict server reads them: what could mean two things is an error.

/// How much of `bytes` the first request takes; none when it is not complete yet.
///
/// # Errors
/// What could be read in more than one way.
pub(crate) fn length(bytes: &[u8]) -> Result<Option<usize>, String> {
    let Some(head) = find(bytes, b"\r\n\r\n") else {
        return Ok(None);
    };
    let body = head + 4;
    Ok(match framing(&bytes[..head])? {
        Framing::Length(length) => (bytes.len() - body >= length).then_some(body + length),
        Framing::Chunked => chunks(&bytes[body..])?.map(|length| body + length),
    })
}

enum Framing {
    Length(usize),
    Chunked,
}

fn framing(head: &[u8]) -> Result<Framing, String> {
    // Bytes beyond ASCII are legal in values and nowhere else, where no token has them.
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let parts: Vec<_> = first.split(' ').collect();
    if !matches!(parts[..], [method, target, "HTTP/1.1"] if is_token(method) && !target.is_empty())
    {
        return Err(format!("{first:?} is no request line"));
    }
    let (mut lengths, mut codings, mut hosts) = (Vec::new(), Vec::new(), 0);
    for line in lines {
        let (name, value) = line
            .split_once(": ")
            .ok_or(format!("{line:?} is no header"))?;
        if !is_token(name) || value.contains(|char: char| char.is_control() && char != '\t') {
            return Err(format!("{line:?} is no header"));
        }
        match &*name.to_ascii_lowercase() {
            "content-length" => lengths.push(value),
            "transfer-encoding" => codings.push(value),
            "host" => hosts += 1,
            _ => {}
        }
    }
    if hosts != 1 {
        return Err(format!("{hosts} hosts"));
    }
    match (&lengths[..], &codings[..]) {
        ([], []) => Ok(Framing::Length(0)),
        ([length], []) if length.bytes().all(|byte| byte.is_ascii_digit()) => length
            .parse()
            .map(Framing::Length)
            .map_err(|_| format!("length {length:?}")),
        ([], ["chunked"]) => Ok(Framing::Chunked),
        _ => Err(format!("lengths {lengths:?}, codings {codings:?}")),
    }
}

fn chunks(bytes: &[u8]) -> Result<Option<usize>, String> {
    let mut at = 0;
    loop {
        let Some(end) = find(&bytes[at..], b"\r\n") else {
            return Ok(None);
        };
        let line = &bytes[at..at + end];
        let digits = line.iter().all(u8::is_ascii_hexdigit);
        let size = std::str::from_utf8(line)
            .ok()
            .filter(|line| digits && line.len() < 9);
        let size = size.and_then(|size| usize::from_str_radix(size, 16).ok());
        let size = size.ok_or(format!("a chunk of size {:?}", line.escape_ascii()))?;
        at += end + 2;
        if size == 0 {
            // Trailers, or none, and an empty line.
            let rest = &bytes[at..];
            let none = rest.starts_with(b"\r\n").then_some(2);
            let end = none.or_else(|| find(rest, b"\r\n\r\n").map(|end| end + 4));
            return Ok(end.map(|end| at + end));
        }
        match bytes.get(at + size..at + size + 2) {
            None => return Ok(None),
            Some(b"\r\n") => at += size + 2,
            Some(_) => return Err("a chunk that is longer than its size".to_owned()),
        }
    }
}

fn is_token(name: &str) -> bool {
    let mark = |byte| b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || mark(byte))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|part| part == what)
}
