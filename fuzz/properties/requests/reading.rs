//! The only correct reading of a client's bytes: where its requests begin and end.
//!
//! Looks only at framing, whatever else may cause a refusal. The lines of a head may end with a bare LF.

/// A complete request.
#[derive(Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) body: Vec<u8>,
}

/// What is read from a connection.
pub(crate) struct Reading {
    pub(crate) requests: Vec<Request>,
    /// One more than `requests` if the head of another one is complete.
    pub(crate) methods: Vec<String>,
    /// Whether the server must end the connection after the requests. Otherwise it waits for more.
    pub(crate) has_end: bool,
}

enum Stop {
    /// More bytes are needed.
    Part,
    /// This is not a request, or one that must not be served.
    Broken,
}

pub(crate) fn read(mut bytes: &[u8]) -> Reading {
    let (mut requests, mut methods, mut has_end) = (Vec::new(), Vec::new(), false);
    while !has_end {
        let outcome = head(bytes).and_then(|(head, rest)| {
            methods.push(head.method.clone());
            let (body, rest) = body(&head, rest)?;
            Ok((head, body, rest))
        });
        match outcome {
            Ok((head, body, rest)) => {
                // RFC 9112, 6.1: nothing may be read after such a request.
                has_end = head.is_chunked && !head.lengths.is_empty();
                requests.push(Request {
                    method: head.method,
                    target: head.target,
                    body,
                });
                bytes = rest;
            }
            Err(Stop::Part) => break,
            Err(Stop::Broken) => has_end = true,
        }
    }
    Reading {
        requests,
        methods,
        has_end,
    }
}

struct Head {
    method: String,
    target: String,
    is_chunked: bool,
    is_coded: bool,
    lengths: Vec<String>,
}

/// The head at the start of `bytes`, and the rest.
fn head(mut bytes: &[u8]) -> Result<(Head, &[u8]), Stop> {
    let first = loop {
        let line = line(&mut bytes)?;
        if !line.is_empty() {
            break line;
        }
    };
    let mut lines = Vec::new();
    loop {
        let line = line(&mut bytes)?;
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let parts: Vec<_> = first.split(' ').collect();
    let [method, target, version @ ("HTTP/1.0" | "HTTP/1.1")] = parts[..] else {
        return Err(Stop::Broken);
    };
    if target.contains('#') {
        return Err(Stop::Broken);
    }
    let mut head = Head {
        method: method.to_owned(),
        target: target.to_owned(),
        is_chunked: false,
        is_coded: false,
        lengths: Vec::new(),
    };
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(Stop::Broken)?;
        let value = value.trim_matches([' ', '\t']);
        match &*name.to_ascii_lowercase() {
            name if name.starts_with([' ', '\t']) => return Err(Stop::Broken),
            "content-length" => head.lengths.push(value.to_owned()),
            "transfer-encoding" => {
                let is_first = !std::mem::replace(&mut head.is_coded, true);
                let is_known = value.eq_ignore_ascii_case("chunked") && version == "HTTP/1.1";
                head.is_chunked = is_first && is_known;
            }
            _ => {}
        }
    }
    Ok((head, bytes))
}

/// Takes a complete line. Each byte is a character of Latin-1.
fn line(bytes: &mut &[u8]) -> Result<String, Stop> {
    let end = bytes.iter().position(|&byte| byte == b'\n');
    let (line, rest) = bytes.split_at(end.ok_or(Stop::Part)?);
    *bytes = &rest[1..];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Ok(line.iter().map(|&byte| char::from(byte)).collect())
}

fn body<'a>(head: &Head, bytes: &'a [u8]) -> Result<(Vec<u8>, &'a [u8]), Stop> {
    if head.is_coded {
        return if head.is_chunked {
            chunks(bytes)
        } else {
            Err(Stop::Broken)
        };
    }
    let digits = |length: &String| !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
    if !head.lengths.iter().all(digits) {
        return Err(Stop::Broken);
    }
    let number = |length: &String| length.parse::<u64>().map_err(|_| Stop::Broken);
    let lengths = head.lengths.iter().map(number);
    let lengths = lengths.collect::<Result<Vec<_>, _>>()?;
    let length = lengths.first().copied().unwrap_or(0);
    if lengths.iter().any(|&other| other != length) {
        return Err(Stop::Broken);
    }
    let length = usize::try_from(length).map_err(|_| Stop::Broken)?;
    let (body, rest) = bytes.split_at_checked(length).ok_or(Stop::Part)?;
    Ok((body.to_vec(), rest))
}

fn chunks(mut bytes: &[u8]) -> Result<(Vec<u8>, &[u8]), Stop> {
    let mut body = Vec::new();
    loop {
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let (line, rest) = bytes.split_at(end.ok_or(Stop::Part)?);
        let line = line.strip_suffix(b"\r").ok_or(Stop::Broken)?;
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit());
        let (digits, extension) = line.split_at(digits.count());
        if !matches!(extension, [] | [b';' | b' ' | b'\t', ..]) || extension.contains(&b'\r') {
            return Err(Stop::Broken);
        }
        let size = std::str::from_utf8(digits).map_err(|_| Stop::Broken)?;
        let size = usize::from_str_radix(size, 16).map_err(|_| Stop::Broken)?;
        bytes = &rest[1..];
        if size == 0 {
            let end = if bytes.starts_with(b"\r\n") {
                Some(2)
            } else {
                bytes
                    .windows(4)
                    .position(|part| part == b"\r\n\r\n")
                    .map(|end| end + 4)
            };
            return Ok((body, &bytes[end.ok_or(Stop::Part)?..]));
        }
        let (data, rest) = bytes.split_at_checked(size).ok_or(Stop::Part)?;
        body.extend(data);
        bytes = match rest {
            [b'\r', b'\n', rest @ ..] => rest,
            [] | [b'\r'] => return Err(Stop::Part),
            _ => return Err(Stop::Broken),
        };
    }
}
