//! Text from a peer, shortened for an error or a log line.

use std::fmt::{self, Display, Write};

/// The longest excerpt, in bytes.
const MAX: usize = 200;

/// Displays the beginning of a value, without control characters.
pub(crate) struct Excerpt<T>(pub(crate) T);

impl<T: Display> Display for Excerpt<T> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut limited = Limited { to, left: MAX };
        match write!(limited, "{}", self.0) {
            // The excerpt is complete.
            Err(fmt::Error) if limited.left == 0 => to.write_str("..."),
            written => written,
        }
    }
}

struct Limited<'a, 'b> {
    to: &'a mut fmt::Formatter<'b>,
    left: usize,
}

impl Write for Limited<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let shown = if character.is_control() {
                ' '
            } else {
                character
            };
            if shown.len_utf8() > self.left {
                self.left = 0;
                return Err(fmt::Error);
            }
            self.left -= shown.len_utf8();
            self.to.write_char(shown)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(Excerpt(text).to_string(), expected);
    }

    #[test]
    fn a_long_text_is_cut() {
        check("", "");
        check("as it is", "as it is");
        check("a\r\n\u{1b}[31mb", "a   [31mb");
        check(&"a".repeat(200), &"a".repeat(200));
        check(&"a".repeat(201), &format!("{}...", "a".repeat(200)));
        // No character is cut in two.
        let umlauts = format!("a{}", "ä".repeat(200));
        check(&umlauts, &format!("a{}...", "ä".repeat(99)));
    }
}
