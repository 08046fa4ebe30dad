//! String literals in double quotes, with Go's escapes.

/// The length of the string literal that `text` starts with, quotes included.
pub(super) fn quoted_length(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    for (at, char) in text.char_indices().skip(1) {
        match char {
            '\n' => return None,
            '"' if !is_escaped => return Some(at + 1),
            _ => is_escaped = char == '\\' && !is_escaped,
        }
    }
    None
}

/// The value of a string literal, from between its quotes.
pub(super) fn unquoted(literal: &str) -> Option<String> {
    let mut value = Vec::with_capacity(literal.len());
    let mut rest = literal;
    while let Some(at) = rest.find('\\') {
        let (plain, escape) = rest.split_at(at);
        value.extend(plain.bytes());
        let kind = *escape.as_bytes().get(1)?;
        let digits = |from: usize, count: usize, radix| {
            let digits = escape.get(from..from + count)?;
            let is_digit = |char: char| char.is_digit(radix);
            let number = u32::from_str_radix(digits, radix).ok();
            number.filter(|_| digits.chars().all(is_digit))
        };
        let length = match kind {
            b'a' | b'b' | b'f' | b'n' | b'r' | b't' | b'v' | b'\\' | b'"' => {
                value.push(match kind {
                    b'a' => 0x07,
                    b'b' => 0x08,
                    b'f' => 0x0c,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'v' => 0x0b,
                    mark => mark,
                });
                2
            }
            b'x' => {
                value.push(digits(2, 2, 16)?.try_into().ok()?);
                4
            }
            b'0'..=b'7' => {
                value.push(digits(1, 3, 8)?.try_into().ok()?);
                4
            }
            b'u' | b'U' => {
                let count = if kind == b'u' { 4 } else { 8 };
                let char = char::from_u32(digits(2, count, 16)?)?;
                value.extend(char.encode_utf8(&mut [0; 4]).bytes());
                2 + count
            }
            _ => return None,
        };
        rest = escape.get(length..)?;
    }
    value.extend(rest.bytes());
    String::from_utf8(value).ok()
}
