//! How a case is written.
//!
//! ```text
//! # what the case is about
//! > what the client sends
//! ! what the backend answers, after which it closes; two bytes of text when there is no such line
//! < what the client gets: the status and the body of each answer; then `open`, `closed`, `reset` or,
//!   when that happened in the middle of an answer or before the first, `broken off`
//! | what the backend saw, request after request, without what every request gets; `no whole request`
//!   when it was connected to and got no more than a part of one
//! ```
//!
//! A line of bytes ends with CR LF unless its last character is `\`. `\r`, `\n`, `\t`, `\0`, `\\` and
//! `\x7f` are what they look like, `{9*ab}` is `ab` nine times. Cases have an empty line between them.

use std::fmt;

/// The backend's answer to all requests for which a case has none of its own.
pub(crate) const OK: &[u8] = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";

/// The request after each case, to a revision with a backend of its own, and its answer.
pub(crate) const LAST: &[u8] = b"GET / HTTP/1.1\r\nHost: last.default.svc.c\r\n\r\n";
pub(crate) const LAST_OK: &[u8] =
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nlast";

/// A case as it was read.
pub(crate) struct Case {
    pub(crate) name: String,
    /// All lines but those of the outcome.
    pub(crate) input: String,
    /// What the client sends, line by line.
    pub(crate) sent: Vec<String>,
    pub(crate) answer: Vec<u8>,
    pub(crate) outcome: Outcome,
}

impl Case {
    /// What the client sends, of lines that are text.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.sent.iter().flat_map(|line| bytes(line)).collect()
    }
}

/// What came of a case.
#[derive(Default, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) client: Vec<String>,
    pub(crate) backend: Vec<String>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (mark, lines) in [("<", &self.client), ("|", &self.backend)] {
            for line in lines {
                writeln!(
                    f,
                    "{}",
                    format_args!("{mark} {line}").to_string().trim_end()
                )?;
            }
        }
        Ok(())
    }
}

/// The cases of a file, and what stands before the first.
pub(crate) fn parse(text: &str) -> (String, Vec<Case>) {
    let mut cases: Vec<Case> = Vec::new();
    let mut intro = String::new();
    for line in text.lines() {
        let (mark, rest) = line.split_at(line.len().min(1));
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        if mark == "#" {
            cases.push(Case {
                name: rest.to_owned(),
                input: String::new(),
                sent: Vec::new(),
                answer: Vec::new(),
                outcome: Outcome::default(),
            });
        }
        let Some(case) = cases.last_mut() else {
            intro += &format!("{line}\n");
            continue;
        };
        match mark {
            "" | "#" => {}
            ">" => case.sent.push(rest.to_owned()),
            "!" => case.answer.extend(bytes(rest)),
            "<" => case.outcome.client.push(rest.to_owned()),
            "|" => case.outcome.backend.push(rest.to_owned()),
            _ => panic!("what is {line:?}?"),
        }
        if matches!(mark, "#" | ">" | "!") {
            case.input += &format!("{line}\n");
        }
    }
    for case in &mut cases {
        if case.answer.is_empty() {
            case.answer = OK.to_vec();
        }
    }
    (intro, cases)
}

/// The bytes of a line.
pub(crate) fn bytes(line: &str) -> Vec<u8> {
    let (line, end) = match line.strip_suffix('\\') {
        Some(line) if !line.ends_with('\\') => (line, ""),
        _ => (line, "\r\n"),
    };
    let mut bytes = Vec::new();
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => bytes.push(match chars.next().unwrap() {
                'r' => b'\r',
                'n' => b'\n',
                't' => b'\t',
                '0' => 0,
                '\\' => b'\\',
                'x' => {
                    let digits: String = chars.by_ref().take(2).collect();
                    u8::from_str_radix(&digits, 16).unwrap()
                }
                other => panic!("what is \\{other}?"),
            }),
            '{' => {
                let repeat: String = chars.by_ref().take_while(|&char| char != '}').collect();
                let (times, what) = repeat.split_once('*').unwrap();
                let what = self::bytes(&format!("{what}\\"));
                bytes.extend(what.repeat(times.parse().unwrap()));
            }
            char => bytes.extend(char.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    bytes.extend(end.bytes());
    bytes
}

/// Bytes as lines, escaped as in a case, runs of one byte or one line shortened.
pub(crate) fn lines(bytes: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let end = rest.windows(2).position(|pair| pair == b"\r\n");
        let (line, end, after) = match end {
            Some(end) => (&rest[..end], "", &rest[end + 2..]),
            None => (rest, "\\", &rest[rest.len()..]),
        };
        let text = escaped(line);
        // Spaces at the end of a line would be invisible.
        let text = match text.strip_suffix(' ') {
            Some(rest) => format!("{rest}\\x20"),
            None => text,
        };
        lines.push(text + end);
        rest = after;
    }
    shortened(lines)
}

fn shortened(lines: Vec<String>) -> Vec<String> {
    let runs = lines.chunk_by(|one, next| one == next);
    let short = runs.flat_map(|run| match run {
        [line, .., _] if run.len() > 9 => vec![format!("{{{}*{line}\\r\\n}}\\", run.len())],
        run => run.to_vec(),
    });
    short.collect()
}

pub(crate) fn escaped(mut bytes: &[u8]) -> String {
    let mut text = String::new();
    while let Some(&byte) = bytes.first() {
        let run = bytes.iter().take_while(|&&other| other == byte).count();
        let one = byte.escape_ascii().to_string().replace("\\x00", "\\0");
        let one = one.replace("\\\"", "\"").replace("\\'", "'");
        if run > 64 {
            text += &format!("{{{run}*{one}}}");
        } else {
            text += &one.repeat(run);
        }
        bytes = &bytes[run..];
    }
    text
}
