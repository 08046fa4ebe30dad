//! Requests as a strict server reads them: what could mean two things is said to be so.

use crate::case::{self, escaped};

type Field = (Vec<u8>, Vec<u8>);

/// What has come of a request.
#[derive(Default)]
pub(crate) struct Request {
    head: Vec<Field>,
    body: Vec<u8>,
    trailers: Option<Vec<Field>>,
}

/// What belongs to a connection of HTTP/1, or takes the place of what HTTP/2 says elsewhere.
const NOT_HERE: [&[u8]; 6] = [
    b"connection",
    b"keep-alive",
    b"proxy-connection",
    b"transfer-encoding",
    b"upgrade",
    b"host",
];

impl Request {
    pub(crate) fn on_fields(&mut self, fields: Vec<Field>) {
        match self.head.is_empty() {
            true => self.head = fields,
            false => self.trailers = Some(fields),
        }
    }

    pub(crate) fn on_data(&mut self, data: &[u8]) {
        self.body.extend(data);
    }

    pub(crate) fn path(&self) -> &[u8] {
        let mut fields = self.head.iter();
        fields
            .find(|(name, _)| name == b":path")
            .map_or(b"", |(_, path)| path)
    }

    /// Its lines, without those that every request gets from an activator in front of `address`.
    pub(crate) fn lines(&self, address: &str) -> Vec<String> {
        let added = [
            (":scheme", "http"),
            (":authority", address),
            ("k-original-host", "hello.default.svc.c"),
            ("k-proxy-request", "activator"),
            ("x-forwarded-for", "127.0.0.1"),
        ];
        let is_added = |(name, value): &&Field| {
            added.contains(&(
                &*String::from_utf8_lossy(name),
                &*String::from_utf8_lossy(value),
            ))
        };
        let shown = self.head.iter().filter(|field| !is_added(field)).map(text);
        let mut lines: Vec<_> = shown.collect();
        if !self.body.is_empty() {
            lines.push(String::new());
            lines.extend(case::lines(&self.body));
        }
        let trailers = self.trailers.iter().flatten().map(text);
        lines.extend(trailers.map(|trailer| format!("and behind the body {trailer}")));
        let runs = lines
            .chunk_by(|one, next| one == next)
            .map(|run| match run.len() {
                1 => run[0].clone(),
                times => format!("{times} times {}", run[0]),
            });
        let mut lines: Vec<_> = runs.collect();
        lines.extend(
            self.ambiguity()
                .map(|why| format!("which is ambiguous: {why}")),
        );
        lines
    }

    fn ambiguity(&self) -> Option<String> {
        let names = self
            .head
            .iter()
            .take_while(|(name, _)| name.starts_with(b":"));
        let mut pseudo: Vec<_> = names
            .map(|(name, _)| name.escape_ascii().to_string())
            .collect();
        pseudo.sort();
        if pseudo != [":authority", ":method", ":path", ":scheme"] {
            return Some(format!("it begins with {pseudo:?}"));
        }
        let path = self.path();
        if !path.starts_with(b"/") && path != b"*" {
            return Some("the path is none".to_owned());
        }
        let behind = self.head[pseudo.len()..].iter();
        let trailers = self.trailers.iter().flatten();
        if let Some(field) = behind.chain(trailers).find(|field| !is_plain(field)) {
            return Some(format!("{} is no field", text(field)));
        }
        let lengths = self
            .head
            .iter()
            .filter(|(name, _)| name == b"content-length");
        let lengths: Vec<_> = lengths.map(|(_, length)| &**length).collect();
        let length = self.body.len().to_string();
        let is_right = lengths.is_empty() || lengths == [length.as_bytes()];
        (!is_right).then(|| format!("it has {length} bytes"))
    }
}

/// Whether it is a field of a request or its trailers, as RFC 9113, 8.2 allows them.
fn is_plain((name, value): &Field) -> bool {
    let mark = |byte| b"!#$%&'*+-.^_`|~".contains(&byte);
    let in_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || mark(byte);
    let in_value = |&byte: &u8| byte == b'\t' || (byte >= b' ' && byte != 0x7f);
    !name.is_empty()
        && name.iter().all(|&byte| in_name(byte))
        && value.iter().all(in_value)
        && value.trim_ascii() == value
        && !NOT_HERE.contains(&&**name)
        && (name != b"te" || value == b"trailers")
}

fn text((name, value): &Field) -> String {
    let text = format!("{}: {}", escaped(name), escaped(value));
    text.trim_end().to_owned()
}
