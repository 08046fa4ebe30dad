//! Bounds the length of a log line.

use std::borrow::Cow;

use serde_json::Value;

use super::LogFormat;

/// The longest line, in bytes.
pub(super) const MAX: usize = 4096;

/// The end of a text that was cut.
pub(crate) const CUT: &str = "...";

/// The line, cut if it is too long: at its end, or in the strings of a JSON object, which stays valid.
pub(super) fn bounded(line: &str, format: LogFormat) -> Vec<u8> {
    if line.len() <= MAX {
        return line.into();
    }
    let shortened = match format {
        LogFormat::Text => None,
        LogFormat::Json => shortened(line),
    };
    let shortened = shortened.map_or_else(|| cut(line, MAX - 1), Cow::Owned);
    format!("{shortened}\n").into()
}

/// A JSON object with its strings cut so that it fits; `None` if that is not enough.
fn shortened(line: &str) -> Option<String> {
    let mut object = serde_json::from_str(line).ok()?;
    for max in [1024, 256, 64, 16] {
        shorten(&mut object, max);
        let line = object.to_string();
        if line.len() < MAX {
            return Some(line);
        }
    }
    None
}

fn shorten(value: &mut Value, max: usize) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(cut) = cut(text, max + CUT.len()) {
                *text = cut;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| shorten(value, max)),
        Value::Object(fields) => fields.values_mut().for_each(|value| shorten(value, max)),
        _ => {}
    }
}

/// The text, cut if it is longer than `max` bytes.
pub(crate) fn cut(text: &str, max: usize) -> Cow<'_, str> {
    if text.len() <= max {
        return text.into();
    }
    format!("{}{CUT}", start(text, max - CUT.len())).into()
}

/// At most the first `max` bytes.
pub(crate) fn start(text: &str, max: usize) -> &str {
    let end = (0..=max).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, format: LogFormat, expected: &str) {
        let bounded = String::from_utf8(bounded(line, format)).unwrap();
        assert!(bounded.len() <= MAX, "{}", bounded.len());
        assert_eq!(bounded, expected);
    }

    #[test]
    fn a_line_that_is_too_long_is_cut() {
        check("as it is\n", LogFormat::Text, "as it is\n");
        let longest = format!("{}\n", "a".repeat(MAX - 1));
        check(&longest, LogFormat::Text, &longest);
        let expected = format!("{}...\n", "a".repeat(MAX - 4));
        check(&format!("a{longest}"), LogFormat::Text, &expected);
        // No character is cut in two.
        let umlauts = format!("{}\n", "ä".repeat(MAX));
        let expected = format!("{}...\n", "ä".repeat(MAX / 2 - 2));
        check(&umlauts, LogFormat::Text, &expected);
    }

    #[test]
    fn an_object_that_is_too_long_stays_an_object() {
        let long = "\\\"".repeat(MAX);
        let line = format!("{{\"a\":1,\"b\":\"{long}\",\"c\":[\"{long}\"],\"d\":\"short\"}}\n");
        let cut = format!("{}...", "\\\"".repeat(256));
        let expected = format!("{{\"a\":1,\"b\":\"{cut}\",\"c\":[\"{cut}\"],\"d\":\"short\"}}\n");
        check(&line, LogFormat::Json, &expected);
    }
}
