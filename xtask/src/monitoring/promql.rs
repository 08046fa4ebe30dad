//! As much of PromQL as it takes to split an alert's comparison off.
//!
//! Whether an expression is right is up to Prometheus.

#[cfg(test)]
pub(super) mod names;

use anyhow::{Result, bail, ensure};

/// A piece of an expression. Blanks, comments and strings are left out.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Token<'a> {
    /// A name or a keyword.
    Word(&'a str),
    /// A number or a duration.
    Number,
    /// An operator, or a bracket.
    Mark(&'a str),
}

/// Those of two characters first.
const MARKS: [&str; 22] = [
    "==", "!=", "=~", "!~", ">=", "<=", ">", "<", "=", "(", ")", "[", "]", "{", "}", ",", "+", "-",
    "*", "/", "%", "^",
];
const COMPARISONS: [&str; 6] = ["==", "!=", ">=", "<=", ">", "<"];
const SETS: [&str; 3] = ["and", "or", "unless"];
/// What stands left of the comparison of `LEFT COMPARISON RIGHT`: the only one outside of all brackets, beside which
/// there is no operator that binds less than it.
pub(crate) fn left_of_comparison(expression: &str) -> Result<&str> {
    let mut depth = 0_usize;
    let mut found = None;
    let tokens = tokens(expression)?;
    for (index, &(at, token)) in tokens.iter().enumerate() {
        match token {
            Token::Mark("(" | "[" | "{") => depth += 1,
            Token::Mark(")" | "]" | "}") => {
                ensure!(depth > 0, "a bracket too many: {expression}");
                depth -= 1;
            }
            Token::Word(word) if depth == 0 && SETS.contains(&word) => {
                bail!("{word} binds less than a comparison: {expression}")
            }
            Token::Mark(mark) if depth == 0 && COMPARISONS.contains(&mark) => {
                ensure!(found.is_none(), "two comparisons: {expression}");
                let next = tokens.get(index + 1).map(|it| it.1);
                ensure!(
                    next != Some(Token::Word("bool")),
                    "with bool it always fires: {expression}"
                );
                found = Some(at);
            }
            _ => {}
        }
    }
    ensure!(depth == 0, "brackets do not match: {expression}");
    let Some(at) = found else {
        bail!("it compares nothing: {expression}")
    };
    let left = expression[..at].trim();
    ensure!(!left.is_empty(), "nothing is compared: {expression}");
    Ok(left)
}

/// All pieces, each with the place where it begins.
fn tokens(text: &str) -> Result<Vec<(usize, Token<'_>)>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = match first {
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '"' | '\'' | '`' => string(rest, first)?,
            'a'..='z' | 'A'..='Z' | '_' | ':' | '$' => {
                let is_part = |c: char| c.is_ascii_alphanumeric() || "_:$".contains(c);
                let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                tokens.push((at, Token::Word(&rest[..length])));
                length
            }
            '0'..='9' | '.' => {
                let is_part = |c: char| c.is_ascii_alphanumeric() || c == '.';
                tokens.push((at, Token::Number));
                rest.find(|c| !is_part(c)).unwrap_or(rest.len())
            }
            _ if first.is_whitespace() => first.len_utf8(),
            _ => match MARKS.iter().find(|mark| rest.starts_with(**mark)) {
                Some(mark) => {
                    tokens.push((at, Token::Mark(mark)));
                    mark.len()
                }
                None => bail!("{first:?} is not known in {text}"),
            },
        };
        at += length;
    }
    Ok(tokens)
}

/// The length of a string with its quotes.
fn string(text: &str, quote: char) -> Result<usize> {
    let mut is_escaped = false;
    for (at, char) in text.char_indices().skip(1) {
        match char {
            _ if is_escaped => is_escaped = false,
            '\\' if quote != '`' => is_escaped = true,
            _ if char == quote => return Ok(at + 1),
            _ => {}
        }
    }
    bail!("a string does not end: {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_comparison_is_the_one_outside_of_all_brackets() {
        let check = |expression: &str, expected: &str| {
            let left = left_of_comparison(expression).unwrap();
            assert_eq!(left, expected);
        };
        check("a < 1", "a");
        check("a{b!=\"c\"}>=b", "a{b!=\"c\"}");
        check("a * (b == bool 0) > 0", "a * (b == bool 0)");
        check("sum by (x) (a > 1) / 2 <= 3", "sum by (x) (a > 1) / 2");
        check(
            "increase(a{b=~\"<|>\"}[5m]) > 0",
            "increase(a{b=~\"<|>\"}[5m])",
        );
        check("(a and b) != c # > d", "(a and b)");
        check("a{b='\\'>'} > 1", "a{b='\\'>'}");
        check(
            "label_replace(a, `\\`, \"\", \"\", \"\") > 1",
            "label_replace(a, `\\`, \"\", \"\", \"\")",
        );
    }

    #[test]
    fn an_expression_that_is_no_comparison_is_refused() {
        let check = |expression: &str, expected: &str| {
            let error = left_of_comparison(expression).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{expression}: {error}");
        };
        check("a", "it compares nothing");
        check("(a > 1)", "it compares nothing");
        check("> 1", "nothing is compared");
        check("a > 1 > 2", "two comparisons");
        check("a > bool 1", "with bool");
        check("a > 1 and b", "and binds less");
        check("a unless b > 1", "unless binds less");
        check("(a > 1", "brackets do not match");
        check("a) > 1", "a bracket too many");
        check("a{b=\"} > 1", "a string does not end");
        check("a ? 1", "'?' is not known");
    }
}
