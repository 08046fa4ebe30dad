//! The tokens of a template, with their positions. Trimmed space and comments are left out.

use super::error::TemplateError;
use super::literal::{quoted_length, unquoted};

/// The longest template, in bytes.
const MAX_LENGTH: usize = 16 * 1024;

/// What an action is made of.
pub(super) const EXPECTED: &str = "expected a value: a field, a string, a number, true or false, or a call of js, index or printf";

const OPEN: &str = "{{";
const CLOSE: &str = "}}";
/// A closing delimiter that trims the space that follows; it has space in front.
const TRIMMING: &str = "-}}";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub(super) at: usize,
    /// Whether there is space in front of it, within an action.
    pub(super) spaced: bool,
    pub(super) kind: TokenKind<'t>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenKind<'t> {
    /// What stands between actions.
    Text(&'t str),
    Open,
    Close,
    ParenOpen,
    ParenClose,
    Pipe,
    /// `.Name`, without the dot.
    Field(&'t str),
    /// A keyword, function or truth value.
    Word(&'t str),
    Whole(i64),
    /// A string literal's value.
    String(String),
    /// The end of the template.
    End,
}

/// Splits a template; the last token is the end.
pub(super) fn tokens(template: &str) -> Result<Vec<Token<'_>>, TemplateError> {
    if template.len() > MAX_LENGTH {
        let what = format!("a template has at most {MAX_LENGTH} bytes");
        return Err(TemplateError::new(MAX_LENGTH, what));
    }
    let mut lexer = Lexer {
        template,
        at: 0,
        tokens: Vec::new(),
    };
    lexer.run()?;
    Ok(lexer.tokens)
}

struct Lexer<'t> {
    template: &'t str,
    at: usize,
    tokens: Vec<Token<'t>>,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.template[self.at..]
    }

    fn push(&mut self, spaced: bool, length: usize, kind: TokenKind<'t>) {
        let at = self.at;
        self.tokens.push(Token { at, spaced, kind });
        self.at += length;
    }

    fn error<T>(&self, what: &str) -> Result<T, TemplateError> {
        Err(TemplateError::new(self.at, what))
    }

    fn run(&mut self) -> Result<(), TemplateError> {
        while let Some(length) = self.rest().find(OPEN) {
            let text = &self.rest()[..length];
            let action = &self.rest()[length + OPEN.len()..];
            let trims = action.starts_with('-') && action[1..].starts_with(is_space);
            let kept = if trims {
                text.trim_end_matches(is_space)
            } else {
                text
            };
            if !kept.is_empty() {
                self.push(false, 0, TokenKind::Text(kept));
            }
            self.at += length;
            let marker = if trims { 2 } else { 0 };
            if action[marker..].starts_with("/*") {
                self.comment(OPEN.len() + marker)?;
            } else {
                self.push(false, OPEN.len() + marker, TokenKind::Open);
                self.action()?;
            }
        }
        let text = self.rest();
        if !text.is_empty() {
            self.push(false, text.len(), TokenKind::Text(text));
        }
        self.push(false, 0, TokenKind::End);
        Ok(())
    }

    /// Skips a comment, which starts after `before` bytes.
    fn comment(&mut self, before: usize) -> Result<(), TemplateError> {
        let Some(length) = self.rest()[before + 2..].find("*/") else {
            return self.error("a comment needs its end, */}}");
        };
        let end = &self.rest()[before + 2 + length + 2..];
        let is_close =
            end.starts_with(CLOSE) || end.get(1..).is_some_and(|it| it.starts_with(TRIMMING));
        let Some(close) = closing(end).filter(|_| is_close) else {
            return self.error("a comment stands alone in its action: {{/* ... */}}");
        };
        self.at = self.template.len() - end.len();
        self.close(close);
        Ok(())
    }

    /// Skips the closing delimiter, and the space that it trims.
    fn close(&mut self, Closing { length, trims }: Closing) {
        self.at += length;
        if trims {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start_matches(is_space).len();
        }
    }

    /// Reads the tokens of an action up to its closing delimiter.
    fn action(&mut self) -> Result<(), TemplateError> {
        loop {
            if let Some(close) = closing(self.rest()) {
                self.push(false, 0, TokenKind::Close);
                self.close(close);
                return Ok(());
            }
            let rest = self.rest();
            let unspaced = rest.trim_start_matches(is_space);
            let spaced = unspaced.len() < rest.len();
            self.at += rest.len() - unspaced.len();
            self.token(spaced, unspaced)?;
        }
    }

    fn token(&mut self, spaced: bool, rest: &'t str) -> Result<(), TemplateError> {
        let Some(first) = rest.chars().next() else {
            return self.error("an action needs its end, }}");
        };
        match first {
            '(' => self.push(spaced, 1, TokenKind::ParenOpen),
            ')' => self.push(spaced, 1, TokenKind::ParenClose),
            '|' => self.push(spaced, 1, TokenKind::Pipe),
            '"' => {
                let Some(length) = quoted_length(rest) else {
                    return self.error("a string needs its end, \"");
                };
                let Some(value) = unquoted(&rest[1..length - 1]) else {
                    return self.error(r#"a string in quotes takes the escapes \a \b \f \n \r \t \v \\ \" \x00 \000 \u0000 and \U00000000, and is UTF-8"#);
                };
                self.push(spaced, length, TokenKind::String(value));
            }
            '`' => {
                let Some(length) = rest[1..].find('`') else {
                    return self.error("a string needs its end, `");
                };
                let value = rest[1..=length].replace('\r', "");
                self.push(spaced, length + 2, TokenKind::String(value));
            }
            '.' => {
                let length = word_length(&rest[1..]);
                if length == 0 {
                    return self
                        .error("a dot needs a name: .Request, .Response, .Revision or .TraceID");
                }
                self.terminated(&rest[1 + length..])?;
                self.push(spaced, 1 + length, TokenKind::Field(&rest[1..=length]));
            }
            '+' | '-' | '0'..='9' => {
                let digits = &rest[usize::from(!first.is_ascii_digit())..];
                let length = rest.len() - digits.len() + word_length(digits);
                let is_decimal = !digits.starts_with('0') || !digits[1..].starts_with(is_word);
                let is_end = !rest[length..].starts_with(['.', '+', '-']);
                match rest[..length].parse() {
                    Ok(number) if is_decimal && is_end => {
                        self.push(spaced, length, TokenKind::Whole(number));
                    }
                    _ => return self.error("a number is whole and decimal, like 12 or -1"),
                }
            }
            first if is_word(first) => {
                let length = word_length(rest);
                self.terminated(&rest[length..])?;
                self.push(spaced, length, TokenKind::Word(&rest[..length]));
            }
            '$' | ':' | '=' => {
                return self.error("variables are not supported; write .Request, not $.Request");
            }
            '\'' => return self.error("a string stands in double quotes or in backquotes"),
            _ => return self.error(EXPECTED),
        }
        Ok(())
    }

    /// Checks what follows a name.
    fn terminated(&self, next: &str) -> Result<(), TemplateError> {
        let is_end = |char| is_space(char) || ".,|:()".contains(char);
        if next.is_empty() || next.starts_with(is_end) || next.starts_with(CLOSE) {
            return Ok(());
        }
        self.error("a name is followed by space, a dot, a pipe, a parenthesis or }}")
    }
}

/// A closing delimiter.
struct Closing {
    length: usize,
    /// Whether it trims the space that follows.
    trims: bool,
}

/// The closing delimiter that `rest` starts with, space in front included.
fn closing(rest: &str) -> Option<Closing> {
    let unspaced = rest.trim_start_matches(is_space);
    let space = rest.len() - unspaced.len();
    if unspaced.starts_with(CLOSE) {
        let length = space + CLOSE.len();
        return Some(Closing {
            length,
            trims: false,
        });
    }
    let length = space + TRIMMING.len();
    let trims = space > 0 && unspaced.starts_with(TRIMMING);
    trims.then_some(Closing { length, trims })
}

fn is_space(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\r' | '\n')
}

fn is_word(char: char) -> bool {
    char == '_' || char.is_alphanumeric()
}

fn word_length(text: &str) -> usize {
    text.find(|char| !is_word(char)).unwrap_or(text.len())
}
