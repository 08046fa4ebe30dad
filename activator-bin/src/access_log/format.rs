//! The formats of `printf`: Go's verbs v, s, d, q, f, t and x, with flags, width and precision.

use std::borrow::Cow;
use std::fmt::{self, Write};

use super::text::{Text, backquoted, quoted, shortest};
use super::value::{Kind, Value};

/// The largest width and precision.
const MAX_WIDTH: usize = 1000;

/// A part of a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Verb(Verb),
}

/// A verb, and how the value is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Verb {
    letter: char,
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

/// Splits a format.
///
/// # Errors
/// What is wrong with it.
pub(super) fn pieces(format: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        text.push_str(&rest[..at]);
        let (verb, behind) = Verb::read(&rest[at + 1..])?;
        rest = behind;
        if verb.letter == '%' {
            text.push('%');
            continue;
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
        }
        pieces.push(Piece::Verb(verb));
    }
    text.push_str(rest);
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    Ok(pieces)
}

impl Verb {
    /// Reads what follows a percent sign. Returns the rest.
    fn read(format: &str) -> Result<(Self, &str), String> {
        let mut verb = Self::default();
        let is_flag = |char| "#0+- ".contains(char);
        let rest = format.trim_start_matches(is_flag);
        for flag in format[..format.len() - rest.len()].chars() {
            match flag {
                '#' => verb.sharp = true,
                '0' => verb.zero = true,
                '+' => verb.plus = true,
                '-' => verb.minus = true,
                _ => verb.space = true,
            }
        }
        let (width, mut rest) = number(rest)?;
        verb.width = width.unwrap_or_default();
        if let Some(behind) = rest.strip_prefix('.') {
            let (precision, behind) = number(behind)?;
            verb.precision = Some(precision.unwrap_or_default());
            rest = behind;
        }
        verb.letter = rest.chars().next().ok_or("a verb is missing behind %")?;
        match verb.letter {
            'v' | 's' | 'd' | 'q' | 'f' | 't' | 'x' | '%' => Ok((verb, &rest[1..])),
            '*' | '[' => {
                Err("the width of a verb is a number, and verbs take the arguments in order".into())
            }
            letter => Err(format!(
                "the verb %{letter} is not supported; there are %v, %s, %d, %q, %f, %t, %x and %%"
            )),
        }
    }

    /// Checks that it fits a value.
    ///
    /// # Errors
    /// Which verbs do.
    pub(super) fn check(&self, kind: Kind) -> Result<(), String> {
        let verbs = match kind {
            Kind::Text | Kind::List | Kind::Headers | Kind::Url => "%v, %s, %q and %x",
            Kind::Whole => "%v, %d and %x",
            Kind::Decimal => "%v and %f",
            Kind::Truth => "%v and %t",
        };
        let letter = self.letter;
        if !verbs.contains(&format!("%{letter}")) {
            return Err(format!(
                "%{letter} does not fit {}; {verbs} do",
                kind.name()
            ));
        }
        if self.sharp && !matches!(letter, 'q' | 'x') {
            return Err(format!(
                "the flag # is not supported with %{letter}, only with %q and %x"
            ));
        }
        if self.precision.is_some() && letter == 'v' && kind == Kind::Decimal {
            return Err("%v takes no precision here; %f does".into());
        }
        Ok(())
    }

    /// Prints a value that it fits.
    pub(super) fn print(&self, value: &Value<'_>, to: &mut impl Write) -> fmt::Result {
        let printed = value.each_text(to, |text, to| self.text(text, to));
        match (printed, value) {
            (Some(printed), _) => printed,
            (None, Value::Whole(number)) => self.whole(*number, to),
            (None, Value::Decimal(number)) => self.decimal(*number, to),
            (None, Value::Truth(truth)) => self.padded(&truth.to_string(), to),
            (None, _) => Ok(()),
        }
    }

    fn text(&self, text: &Text<'_>, to: &mut impl Write) -> fmt::Result {
        if self.letter == 'x' {
            return self.hexadecimal(text.text.as_bytes(), to);
        }
        let cut = self
            .precision
            .and_then(|most| text.text.char_indices().nth(most));
        let cut = cut.map_or(&*text.text, |(end, _)| &text.text[..end]);
        if self.letter == 'q' {
            let raw = self.sharp.then(|| backquoted(cut)).flatten();
            return self.padded(&raw.unwrap_or_else(|| quoted(cut, self.plus)), to);
        }
        let cut = Text {
            text: Cow::Borrowed(cut),
            is_foreign: text.is_foreign,
        };
        self.padded(&cut.shown(), to)
    }

    fn hexadecimal(&self, bytes: &[u8], to: &mut impl Write) -> fmt::Result {
        let most = self.precision.unwrap_or(bytes.len()).min(bytes.len());
        let prefix = if self.sharp { "0x" } else { "" };
        let mut digits = String::with_capacity(2 * most);
        for (index, byte) in bytes[..most].iter().enumerate() {
            let prefix = if index == 0 || self.space { prefix } else { "" };
            let space = if index > 0 && self.space { " " } else { "" };
            write!(digits, "{space}{prefix}{byte:02x}")?;
        }
        self.padded(&digits, to)
    }

    fn whole(&self, number: i64, to: &mut impl Write) -> fmt::Result {
        let magnitude = number.unsigned_abs();
        let sign = self.sign(number < 0);
        let digits = match self.letter {
            'x' => format!("{magnitude:x}"),
            _ => magnitude.to_string(),
        };
        let least = match self.precision {
            Some(0) if number == 0 => return self.spaced("", to),
            Some(least) => least,
            None if self.zero && !self.minus => self.width.saturating_sub(sign.len()),
            None => 0,
        };
        let prefix = if self.sharp && self.letter == 'x' {
            "0x"
        } else {
            ""
        };
        self.spaced(&format!("{sign}{prefix}{digits:0>least$}"), to)
    }

    fn decimal(&self, number: f64, to: &mut impl Write) -> fmt::Result {
        let sign = self.sign(number.is_sign_negative());
        let digits = match self.letter {
            'f' => format!("{:.*}", self.precision.unwrap_or(6), number.abs()),
            _ => shortest(number.abs()),
        };
        if self.zero && !self.minus {
            let width = self.width.saturating_sub(sign.len());
            return write!(to, "{sign}{digits:0>width$}");
        }
        self.spaced(&format!("{sign}{digits}"), to)
    }

    fn sign(&self, is_negative: bool) -> &'static str {
        match () {
            () if is_negative => "-",
            () if self.plus && self.letter != 'v' => "+",
            () if self.space => " ",
            () => "",
        }
    }

    fn padded(&self, text: &str, to: &mut impl Write) -> fmt::Result {
        let width = self.width;
        match self.zero && !self.minus {
            true => write!(to, "{text:0>width$}"),
            false => self.spaced(text, to),
        }
    }

    fn spaced(&self, text: &str, to: &mut impl Write) -> fmt::Result {
        let width = self.width;
        match self.minus {
            true => write!(to, "{text:<width$}"),
            false => write!(to, "{text:>width$}"),
        }
    }
}

/// The number that `text` starts with, and the rest.
fn number(text: &str) -> Result<(Option<usize>, &str), String> {
    let rest = text.trim_start_matches(|char: char| char.is_ascii_digit());
    let digits = &text[..text.len() - rest.len()];
    if digits.is_empty() {
        return Ok((None, rest));
    }
    let number = digits.parse().ok().filter(|number| *number <= MAX_WIDTH);
    let number = number.ok_or_else(|| format!("a width or precision is at most {MAX_WIDTH}"))?;
    Ok((Some(number), rest))
}
