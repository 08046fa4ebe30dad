//! Texts as Go writes them: for JavaScript, in quotes, in hexadecimal digits. And without control characters.

use std::borrow::Cow;
use std::fmt::{self, Write};

/// A text, and whether a client has chosen it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text<'e> {
    pub(super) text: Cow<'e, str>,
    /// It may contain control characters, which could end the line.
    pub(super) is_foreign: bool,
}

impl<'e> Text<'e> {
    /// What a client has sent.
    pub(super) fn foreign(text: impl Into<Cow<'e, str>>) -> Self {
        Self {
            text: text.into(),
            is_foreign: true,
        }
    }

    /// What we or the template say.
    pub(super) fn own(text: impl Into<Cow<'e, str>>) -> Self {
        Self {
            text: text.into(),
            is_foreign: false,
        }
    }

    /// As it is written into a line: with the control characters of a client escaped.
    pub(super) fn shown(&self) -> Cow<'_, str> {
        if !self.is_foreign || !self.text.contains(is_unsafe) {
            return Cow::Borrowed(&self.text);
        }
        let mut shown = String::with_capacity(self.text.len() + 8);
        for char in self.text.chars() {
            match char {
                '\n' => shown.push_str("\\n"),
                '\r' => shown.push_str("\\r"),
                '\t' => shown.push_str("\\t"),
                char if is_unsafe(char) => shown.push_str(&format!("\\u{:04x}", u32::from(char))),
                char => shown.push(char),
            }
        }
        Cow::Owned(shown)
    }
}

/// Whether it could end a line or drive a terminal.
fn is_unsafe(char: char) -> bool {
    char.is_control() || matches!(char, '\u{2028}' | '\u{2029}')
}

/// Whether Go prints the character as it is: letters, marks, numbers, punctuation, symbols, and the ASCII space.
fn is_printable(char: char) -> bool {
    if char.is_ascii() {
        return matches!(char, ' '..='~');
    }
    // The same categories as those of the standard library, which further escapes a combining mark that comes first.
    let mut marked = [b'a', 0, 0, 0, 0];
    let length = char.encode_utf8(&mut marked[1..]).len();
    let marked = str::from_utf8(&marked[..=length]);
    marked.is_ok_and(|marked| marked.escape_debug().count() == 2)
}

/// Escapes `text` for a string of JavaScript or JSON.
pub(super) fn escape_js(text: &str, to: &mut impl Write) -> fmt::Result {
    for char in text.chars() {
        match char {
            '\\' => to.write_str("\\\\")?,
            '\'' => to.write_str("\\'")?,
            '"' => to.write_str("\\\"")?,
            '<' | '>' | '&' | '=' | '\0'..='\x1f' => write!(to, "\\u{:04X}", u32::from(char))?,
            char if char.is_ascii() || is_printable(char) => to.write_char(char)?,
            char => write!(to, "\\u{:04X}", u32::from(char))?,
        }
    }
    Ok(())
}

/// `text` in double quotes.
pub(super) fn quoted(text: &str, is_ascii: bool) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            '\x07' => quoted.push_str("\\a"),
            '\x08' => quoted.push_str("\\b"),
            '\x0c' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\x0b' => quoted.push_str("\\v"),
            char if is_printable(char) && (char.is_ascii() || !is_ascii) => quoted.push(char),
            '\0'..='\x7f' => quoted.push_str(&format!("\\x{:02x}", u32::from(char))),
            '\u{80}'..='\u{ffff}' => quoted.push_str(&format!("\\u{:04x}", u32::from(char))),
            char => quoted.push_str(&format!("\\U{:08x}", u32::from(char))),
        }
    }
    quoted.push('"');
    quoted
}

/// `text` in backquotes; `None` if they cannot hold it.
pub(super) fn backquoted(text: &str) -> Option<String> {
    let is_bad = |char| matches!(char, '`' | '\x7f' | '\u{feff}') || (char < ' ' && char != '\t');
    (!text.contains(is_bad)).then(|| format!("`{text}`"))
}

/// A number as Go prints it: with as few digits as identify it.
pub(super) fn shortest(number: f64) -> String {
    let scientific = format!("{number:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        // Not a finite number.
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        return number.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}
