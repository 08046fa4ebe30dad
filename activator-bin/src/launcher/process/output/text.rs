//! Bytes of a program as text for the log. Pure.

use crate::logging::line::CUT;

/// The line as text, without control characters and the sequences that terminals take for colors.
pub(super) fn clean(line: &[u8], is_cut: bool) -> String {
    let line = String::from_utf8_lossy(line);
    let mut characters = line.trim_end_matches('\r').chars().peekable();
    let mut text = String::with_capacity(line.len());
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' if characters.next_if_eq(&'[').is_some() => {
                // Parameters, then a letter that says what they mean.
                while characters.next_if(|c| matches!(c, ' '..='?')).is_some() {}
                characters.next_if(|c| matches!(c, '@'..='~'));
            }
            '\t' => text.push('\t'),
            character if character.is_control() => text.push(' '),
            character => text.push(character),
        }
    }
    if is_cut {
        text.push_str(CUT);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_is_left_of_a_line() {
        let check = |line: &[u8], expected: &str| assert_eq!(clean(line, false), expected);
        check(b"", "");
        check(b"as\tit is\r", "as\tit is");
        check(b"\x1b[1;31mred\x1b[0m", "red");
        check(b"\x1b]0;title\x07\x1b", " ]0;title  ");
        check(b"a\rb\0c", "a b c");
        check(b"\xff\xc3\xa4", "\u{fffd}ä");
        check(b"\x1b[", "");
        check(b"\x1b[12", "");
        assert_eq!(clean(b"long", true), "long...");
    }
}
