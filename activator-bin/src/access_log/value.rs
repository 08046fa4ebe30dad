//! Values of a template: their kinds, their truth, and how they are printed.

use std::fmt::{self, Write};

use super::entry::Headers;
use super::text::{Text, shortest};

/// What is known of a value before there is a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Whole,
    Decimal,
    Truth,
    /// The values of a header.
    List,
    /// All headers, by name.
    Headers,
    /// Printed as text, but always true, and not a string to `js` and `index`.
    Url,
}

#[derive(Clone, Debug)]
pub(super) enum Value<'e> {
    Text(Text<'e>),
    Whole(i64),
    Decimal(f64),
    Truth(bool),
    List(&'e [String]),
    Headers(&'e Headers),
    Url(Text<'e>),
}

impl Kind {
    /// For errors.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Whole => "a whole number",
            Self::Decimal => "a number",
            Self::Truth => "a truth value",
            Self::List => "a list of strings",
            Self::Headers => "the headers",
            Self::Url => "a URL",
        }
    }
}

impl Value<'_> {
    /// Whether `if` takes it for true.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Text(text) => !text.text.is_empty(),
            Self::Whole(number) => *number != 0,
            Self::Decimal(number) => *number != 0.0,
            Self::Truth(truth) => *truth,
            Self::List(values) => !values.is_empty(),
            Self::Headers(headers) => !headers.is_empty(),
            Self::Url(_) => true,
        }
    }

    /// Calls `write` with each string in it; what is around and between them goes straight to `to`. Returns `None` if
    /// it is a number or a truth value.
    pub(super) fn each_text<W: Write>(
        &self,
        to: &mut W,
        mut write: impl FnMut(&Text<'_>, &mut W) -> fmt::Result,
    ) -> Option<fmt::Result> {
        match self {
            Self::Text(text) | Self::Url(text) => Some(write(text, to)),
            Self::List(values) => Some(each(values, to, &mut write)),
            Self::Headers(headers) => Some(each_header(headers, to, &mut write)),
            Self::Whole(_) | Self::Decimal(_) | Self::Truth(_) => None,
        }
    }

    /// Prints it as an action does. `is_raw` leaves a client's control characters as they are.
    pub(super) fn print(&self, to: &mut impl Write, is_raw: bool) -> fmt::Result {
        match self {
            Self::Whole(number) => write!(to, "{number}"),
            Self::Decimal(number) => to.write_str(&shortest(*number)),
            Self::Truth(truth) => write!(to, "{truth}"),
            texts => {
                let printed = texts.each_text(to, |text, to| {
                    to.write_str(&if is_raw {
                        (*text.text).into()
                    } else {
                        text.shown()
                    })
                });
                printed.unwrap_or(Ok(()))
            }
        }
    }
}

fn each<W: Write>(
    values: &[String],
    to: &mut W,
    write: &mut impl FnMut(&Text<'_>, &mut W) -> fmt::Result,
) -> fmt::Result {
    to.write_char('[')?;
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            to.write_char(' ')?;
        }
        write(&Text::foreign(value), to)?;
    }
    to.write_char(']')
}

fn each_header<W: Write>(
    headers: &Headers,
    to: &mut W,
    write: &mut impl FnMut(&Text<'_>, &mut W) -> fmt::Result,
) -> fmt::Result {
    to.write_str("map[")?;
    for (index, (name, values)) in headers.iter().enumerate() {
        if index > 0 {
            to.write_char(' ')?;
        }
        write(&Text::foreign(name), to)?;
        to.write_char(':')?;
        each(values, to, write)?;
    }
    to.write_char(']')
}
