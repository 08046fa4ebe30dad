//! What stands in actions, checked: literals, fields and calls of functions.

use std::fmt::{self, Write};

use super::entry::Entry;
use super::field::Field;
use super::format::Verb;
use super::line::Bounded;
use super::needs::{HeaderNeeds, Needs};
use super::text::{Text, escape_js};
use super::value::{Kind, Value};

/// The longest result of a function, in bytes.
const MAX_RESULT: usize = super::line::MAX;

/// An expression, checked as far as it can be without a request.
#[derive(Clone, Debug)]
pub(super) enum Expression {
    Text(String),
    Whole(i64),
    Truth(bool),
    Field(Field),
    /// The first value of a header.
    Header(Box<Expression>),
    Index(Box<Expression>, Vec<Expression>),
    Js(Vec<Expression>),
    Printf(Vec<Printed>),
}

/// A part of what `printf` prints.
#[derive(Clone, Debug)]
pub(super) enum Printed {
    Text(String),
    Value(Verb, Expression),
}

/// An index is out of range.
#[derive(Debug)]
pub(super) struct OutOfRange;

impl Expression {
    /// Its value for a request.
    pub(super) fn value<'e>(&'e self, entry: &'e Entry) -> Result<Value<'e>, OutOfRange> {
        Ok(match self {
            Self::Text(text) => Value::Text(Text::own(text)),
            Self::Whole(number) => Value::Whole(*number),
            Self::Truth(truth) => Value::Truth(*truth),
            Self::Field(field) => field.value(entry),
            Self::Header(name) => {
                let value = match name.value(entry)? {
                    Value::Text(name) => entry.headers.first(&name.text),
                    _ => None,
                };
                Value::Text(Text::foreign(value.unwrap_or_default()))
            }
            Self::Index(of, indexes) => {
                let mut value = of.value(entry)?;
                for index in indexes {
                    value = element(value, index.value(entry)?)?;
                }
                value
            }
            Self::Js(arguments) => Value::Text(Text::own(js(arguments, entry)?)),
            Self::Printf(pieces) => Value::Text(Text::own(printf(pieces, entry)?)),
        })
    }

    /// Adds what it needs of a request.
    pub(super) fn add_to(&self, needs: &mut Needs) {
        match self {
            Self::Text(_) | Self::Whole(_) | Self::Truth(_) => {}
            Self::Field(field) => field.add_to(needs),
            Self::Header(name) => name.add_header_to(needs),
            Self::Index(of, indexes) => {
                let is_lookup = matches!(**of, Self::Field(Field::Headers));
                match (is_lookup, &indexes[..]) {
                    (true, [name, ..]) => name.add_header_to(needs),
                    _ => of.add_to(needs),
                }
                // Whatever may be out of range may need the line of a template that fails.
                needs.target |= !is_lookup || indexes.len() > 1;
                indexes.iter().for_each(|index| index.add_to(needs));
            }
            Self::Js(arguments) => arguments.iter().for_each(|it| it.add_to(needs)),
            Self::Printf(pieces) => {
                for piece in pieces {
                    if let Printed::Value(_, value) = piece {
                        value.add_to(needs);
                    }
                }
            }
        }
    }

    /// Adds the header with this name.
    fn add_header_to(&self, needs: &mut Needs) {
        match self {
            Self::Text(name) => needs.headers.add(name),
            name => {
                needs.headers = HeaderNeeds::All;
                name.add_to(needs);
            }
        }
    }
}

/// What `index` returns for one index. The kinds fit.
fn element<'e>(of: Value<'e>, index: Value<'_>) -> Result<Value<'e>, OutOfRange> {
    let number = match &index {
        Value::Whole(number) => usize::try_from(*number).ok(),
        _ => None,
    };
    match (of, index) {
        (Value::Headers(headers), Value::Text(name)) => Ok(Value::List(headers.get(&name.text))),
        (Value::List(values), _) => {
            let value = number.and_then(|at| values.get(at)).ok_or(OutOfRange)?;
            Ok(Value::Text(Text::foreign(value)))
        }
        (Value::Text(text), _) => {
            let byte = number.and_then(|at| text.text.as_bytes().get(at).copied());
            Ok(Value::Whole(byte.ok_or(OutOfRange)?.into()))
        }
        _ => Err(OutOfRange),
    }
}

/// What an index into a value of this kind is, and what it returns. `None` if there is no index into it.
pub(super) fn indexed(kind: Kind) -> Option<(Kind, Kind)> {
    match kind {
        Kind::Headers => Some((Kind::Text, Kind::List)),
        Kind::List => Some((Kind::Whole, Kind::Text)),
        Kind::Text => Some((Kind::Whole, Kind::Whole)),
        Kind::Whole | Kind::Decimal | Kind::Truth | Kind::Url => None,
    }
}

/// The arguments, one after the other, for JavaScript.
fn js(arguments: &[Expression], entry: &Entry) -> Result<String, OutOfRange> {
    let mut result = String::new();
    let mut to = Bounded::new(&mut result, MAX_RESULT);
    let mut is_after_text = true;
    for argument in arguments {
        let value = argument.value(entry)?;
        let is_text = matches!(value, Value::Text(_));
        if !is_text && !is_after_text {
            cut(to.write_char(' '));
        }
        is_after_text = is_text;
        cut(match &value {
            Value::Text(text) => escape_js(&text.text, &mut to),
            value => {
                let mut text = String::new();
                cut(value.print(&mut Bounded::new(&mut text, MAX_RESULT), true));
                escape_js(&text, &mut to)
            }
        });
    }
    Ok(result)
}

fn printf(pieces: &[Printed], entry: &Entry) -> Result<String, OutOfRange> {
    let mut result = String::new();
    let mut to = Bounded::new(&mut result, MAX_RESULT);
    for piece in pieces {
        cut(match piece {
            Printed::Text(text) => to.write_str(text),
            Printed::Value(verb, value) => verb.print(&value.value(entry)?, &mut to),
        });
    }
    Ok(result)
}

/// A result that does not fit is cut: so would be the line.
fn cut(written: fmt::Result) {
    let _ = written;
}
