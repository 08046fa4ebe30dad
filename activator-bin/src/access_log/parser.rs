//! The structure of a template: text, actions, conditions, and the commands in their pipelines.

use std::vec::IntoIter;

use super::calls::{Operand, Typed, command};
use super::error::TemplateError;
use super::expression::Expression;
use super::lexer::{EXPECTED, Token, TokenKind, tokens};
use super::value::Kind;

/// How deep conditions may stand in one another, and parentheses.
const MAX_DEPTH: usize = 16;
/// The most texts, actions and values in one template.
const MAX_PARTS: usize = 500;

/// A part of a template.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Text(String),
    Print(Expression),
    If(Vec<Branch>),
}

/// What is printed if the condition holds; without one it is the `else`.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    pub(super) condition: Option<Expression>,
    pub(super) nodes: Vec<Node>,
}

/// Parses a template.
pub(super) fn parse(template: &str) -> Result<Vec<Node>, TemplateError> {
    let mut parser = Parser {
        tokens: tokens(template)?.into_iter().peekable(),
        depth: 0,
        parts: 0,
    };
    let (nodes, end) = parser.nodes()?;
    match end {
        End::Template => Ok(nodes),
        End::Else(at) => error(at, "else without if"),
        End::Block(at) => error(at, "end without if"),
    }
}

struct Parser<'t> {
    tokens: std::iter::Peekable<IntoIter<Token<'t>>>,
    depth: usize,
    parts: usize,
}

/// What ends a sequence of nodes, and where.
enum End {
    Template,
    /// `{{else`.
    Else(usize),
    /// `{{end`.
    Block(usize),
}

fn error<T>(at: usize, what: impl Into<String>) -> Result<T, TemplateError> {
    Err(TemplateError::new(at, what))
}

impl<'t> Parser<'t> {
    /// The next token. The last one is the end of the template, after which nobody asks.
    fn next(&mut self) -> Token<'t> {
        let token = self.tokens.next();
        token.unwrap_or(Token {
            at: usize::MAX,
            spaced: false,
            kind: TokenKind::End,
        })
    }

    /// Takes the next token if it is this one.
    fn take(&mut self, kind: &TokenKind<'_>) -> bool {
        self.tokens.next_if(|token| token.kind == *kind).is_some()
    }

    /// Counts one more text, action or value.
    fn count(&mut self, at: usize) -> Result<(), TemplateError> {
        self.parts += 1;
        if self.parts > MAX_PARTS {
            let what = format!("a template has at most {MAX_PARTS} texts, actions and values");
            return error(at, what);
        }
        Ok(())
    }

    fn nested<T>(
        &mut self,
        at: usize,
        parse: impl FnOnce(&mut Self) -> Result<T, TemplateError>,
    ) -> Result<T, TemplateError> {
        if self.depth == MAX_DEPTH {
            return error(at, format!("nested more than {MAX_DEPTH} deep"));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// Everything up to an `else`, an `end`, or the end of the template.
    fn nodes(&mut self) -> Result<(Vec<Node>, End), TemplateError> {
        let mut nodes = Vec::new();
        loop {
            let Token { at, kind, .. } = self.next();
            self.count(at)?;
            if let TokenKind::Text(text) = kind {
                nodes.push(Node::Text(text.to_owned()));
                continue;
            }
            if kind != TokenKind::Open {
                return Ok((nodes, End::Template));
            }
            if self.take(&TokenKind::Word("if")) {
                nodes.push(self.nested(at, |parser| parser.condition(at))?);
            } else if self.take(&TokenKind::Word("else")) {
                return Ok((nodes, End::Else(at)));
            } else if self.take(&TokenKind::Word("end")) {
                return Ok((nodes, End::Block(at)));
            } else {
                let value = self.pipeline(&TokenKind::Close)?;
                nodes.push(Node::Print(value.expression));
            }
        }
    }

    /// What follows `{{if`, up to its `{{end}}`.
    fn condition(&mut self, at: usize) -> Result<Node, TemplateError> {
        let mut branches = Vec::new();
        loop {
            let condition = self.pipeline(&TokenKind::Close)?.expression;
            let condition = Some(condition);
            let (nodes, end) = self.nodes()?;
            branches.push(Branch { condition, nodes });
            match end {
                End::Template => return error(at, "if needs its {{end}}"),
                End::Block(at) => {
                    self.close(at, "end")?;
                    return Ok(Node::If(branches));
                }
                End::Else(_) if self.take(&TokenKind::Word("if")) => {}
                End::Else(at) => {
                    self.close(at, "else")?;
                    let condition = None;
                    let (nodes, end) = self.nodes()?;
                    branches.push(Branch { condition, nodes });
                    return match end {
                        End::Block(at) => {
                            self.close(at, "end")?;
                            Ok(Node::If(branches))
                        }
                        End::Else(at) => error(at, "a second else"),
                        End::Template => error(at, "else needs its {{end}}"),
                    };
                }
            }
        }
    }

    fn close(&mut self, at: usize, word: &str) -> Result<(), TemplateError> {
        match self.take(&TokenKind::Close) {
            true => Ok(()),
            false => error(
                at,
                format!("{word} stands alone in its action: {{{{{word}}}}}"),
            ),
        }
    }

    /// Commands with pipes between them, up to `end`.
    fn pipeline(&mut self, end: &TokenKind<'_>) -> Result<Typed, TemplateError> {
        let mut value = None;
        loop {
            value = Some(self.command(value)?);
            let Token { at, kind, .. } = self.next();
            match (kind, value) {
                (TokenKind::Pipe, last) => value = last,
                (kind, Some(value)) if kind == *end => return Ok(value),
                (TokenKind::Close, _) => return error(at, "a parenthesis needs its end, )"),
                (TokenKind::ParenClose, _) => {
                    return error(at, "a parenthesis without its begin, (");
                }
                _ => return error(at, EXPECTED),
            }
        }
    }

    /// One command. `last` is the value that is piped into it.
    fn command(&mut self, last: Option<Typed>) -> Result<Typed, TemplateError> {
        let first = self.operand()?;
        let mut arguments = Vec::new();
        let is_end = |kind: &TokenKind<'_>| {
            matches!(
                kind,
                TokenKind::Close | TokenKind::ParenClose | TokenKind::Pipe
            )
        };
        while self
            .tokens
            .peek()
            .is_some_and(|token| token.spaced && !is_end(&token.kind))
        {
            arguments.push(self.operand()?);
        }
        match self.tokens.peek() {
            Some(next) if !is_end(&next.kind) => error(next.at, "values have space between them"),
            _ => command(first, arguments, last),
        }
    }

    fn operand(&mut self) -> Result<Operand<'t>, TemplateError> {
        let Token { at, kind, .. } = self.next();
        self.count(at)?;
        let literal = |expression, kind| {
            Operand::Value(Typed {
                at,
                expression,
                kind,
            })
        };
        Ok(match kind {
            TokenKind::Field(name) => {
                let mut path = format!(".{name}");
                while let Some(name) = self.field() {
                    path.push('.');
                    path.push_str(name);
                }
                Operand::Path(at, path)
            }
            TokenKind::String(text) => literal(Expression::Text(text), Kind::Text),
            TokenKind::Whole(number) => literal(Expression::Whole(number), Kind::Whole),
            TokenKind::Word("true") => literal(Expression::Truth(true), Kind::Truth),
            TokenKind::Word("false") => literal(Expression::Truth(false), Kind::Truth),
            TokenKind::Word(name) => Operand::Function(at, name),
            TokenKind::ParenOpen => {
                let inner = |parser: &mut Self| parser.pipeline(&TokenKind::ParenClose);
                let value = self.nested(at, inner)?;
                if self.field().is_some() {
                    return error(at, "what stands in parentheses has no fields");
                }
                Operand::Value(Typed { at, ..value })
            }
            _ => return error(at, EXPECTED),
        })
    }

    /// The name of a field that follows without space.
    fn field(&mut self) -> Option<&'t str> {
        let is_field =
            |token: &Token<'_>| !token.spaced && matches!(token.kind, TokenKind::Field(_));
        match self.tokens.next_if(is_field)?.kind {
            TokenKind::Field(name) => Some(name),
            _ => None,
        }
    }
}
