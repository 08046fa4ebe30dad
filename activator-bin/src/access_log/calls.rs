//! Calls of functions and methods: which arguments they take.

use super::error::TemplateError;
use super::expression::{Expression, Printed, indexed};
use super::field;
use super::format::{self, Piece};
use super::value::Kind;

const FUNCTIONS: [&str; 3] = ["js", "index", "printf"];

/// An expression, its kind, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    pub(super) at: usize,
    pub(super) expression: Expression,
    pub(super) kind: Kind,
}

/// What a command begins with, or one of its arguments.
#[derive(Clone, Debug)]
pub(super) enum Operand<'t> {
    /// A literal, or a pipeline in parentheses.
    Value(Typed),
    /// A field or method by its path, as in `.Request.Method`.
    Path(usize, String),
    /// The name of a function.
    Function(usize, &'t str),
}

impl Operand<'_> {
    fn at(&self) -> usize {
        match self {
            Self::Value(value) => value.at,
            Self::Path(at, _) | Self::Function(at, _) => *at,
        }
    }

    /// Its value as an argument.
    fn argument(self) -> Result<Typed, TemplateError> {
        match self {
            Self::Value(value) => Ok(value),
            Self::Path(at, path) if path == field::HEADER_GET => error(
                at,
                "as an argument it stands in parentheses, with its own argument",
            ),
            Self::Path(at, path) => {
                let found = field::find(&path);
                let (field, kind) = found.map_err(|what| TemplateError::new(at, what))?;
                let expression = Expression::Field(field);
                Ok(Typed {
                    at,
                    expression,
                    kind,
                })
            }
            Self::Function(at, name) => {
                let what = format!("a call of {name} is an argument only in parentheses");
                error(at, what)
            }
        }
    }
}

/// The value of a command. `last` is the value of the command in front of the pipe, the last argument of this one.
pub(super) fn command(
    first: Operand<'_>,
    arguments: Vec<Operand<'_>>,
    last: Option<Typed>,
) -> Result<Typed, TemplateError> {
    let at = first.at();
    if let Operand::Function(_, name) = first
        && !FUNCTIONS.contains(&name)
    {
        let what =
            format!("{name} is not supported; there are js, index, printf, if, else and end");
        return error(at, what);
    }
    let arguments = arguments.into_iter().map(Operand::argument);
    let arguments = arguments.chain(last.map(Ok));
    let mut arguments: Vec<Typed> = arguments.collect::<Result<_, _>>()?;
    let (expression, kind) = match first {
        Operand::Path(_, path) if path == field::HEADER_GET => header(at, arguments)?,
        Operand::Function(_, "js") => js(at, arguments)?,
        Operand::Function(_, "index") => index(at, arguments)?,
        Operand::Function(..) => printf(at, arguments)?,
        first if arguments.is_empty() => return first.argument(),
        _ => {
            let argument = arguments.remove(0);
            return error(
                argument.at,
                "only js, index, printf and .Request.Header.Get take arguments",
            );
        }
    };
    Ok(Typed {
        at,
        expression,
        kind,
    })
}

fn error<T>(at: usize, what: impl Into<String>) -> Result<T, TemplateError> {
    Err(TemplateError::new(at, what))
}

fn header(at: usize, mut arguments: Vec<Typed>) -> Result<(Expression, Kind), TemplateError> {
    match (arguments.pop(), arguments.is_empty()) {
        (Some(name), true) if name.kind == Kind::Text => {
            let header = Expression::Header(Box::new(name.expression));
            Ok((header, Kind::Text))
        }
        _ => error(at, "it takes one argument, the name of a header in quotes"),
    }
}

fn js(at: usize, arguments: Vec<Typed>) -> Result<(Expression, Kind), TemplateError> {
    if arguments.is_empty() {
        return error(at, "js takes the values that it escapes");
    }
    let arguments = arguments.into_iter().map(|it| it.expression).collect();
    Ok((Expression::Js(arguments), Kind::Text))
}

fn index(at: usize, arguments: Vec<Typed>) -> Result<(Expression, Kind), TemplateError> {
    let mut arguments = arguments.into_iter();
    let (Some(of), Some(first)) = (arguments.next(), arguments.next()) else {
        return error(
            at,
            "index takes a value and an index, like index .Request.Header \"Accept\"",
        );
    };
    let mut kind = of.kind;
    let mut indexes = Vec::new();
    for index in std::iter::once(first).chain(arguments) {
        let Some((expected, element)) = indexed(kind) else {
            return error(index.at, format!("{} has no elements", kind.name()));
        };
        if index.kind != expected {
            let what = format!("the index into {} is {}", kind.name(), expected.name());
            return error(index.at, what);
        }
        kind = element;
        indexes.push(index.expression);
    }
    Ok((Expression::Index(Box::new(of.expression), indexes), kind))
}

fn printf(at: usize, arguments: Vec<Typed>) -> Result<(Expression, Kind), TemplateError> {
    let mut arguments = arguments.into_iter();
    let format = arguments.next();
    let Some((format_at, Expression::Text(format))) = format.map(|it| (it.at, it.expression))
    else {
        return error(at, "the first argument of printf is a string in quotes");
    };
    let mut printed = Vec::new();
    let pieces = format::pieces(&format);
    for piece in pieces.map_err(|what| TemplateError::new(format_at, what))? {
        printed.push(match piece {
            Piece::Text(text) => Printed::Text(text),
            Piece::Verb(verb) => {
                let Some(value) = arguments.next() else {
                    return error(at, "printf has fewer arguments than its format has verbs");
                };
                let fits = verb.check(value.kind);
                fits.map_err(|what| TemplateError::new(value.at, what))?;
                Printed::Value(verb, value.expression)
            }
        });
    }
    match arguments.next() {
        Some(extra) => error(
            extra.at,
            "printf has more arguments than its format has verbs",
        ),
        None => Ok((Expression::Printf(printed), Kind::Text)),
    }
}
