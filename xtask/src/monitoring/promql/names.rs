//! The names in an expression.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};

use super::{SETS, Token, tokens};

/// What is followed by labels in parentheses.
const GROUPINGS: [&str; 6] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];
const OTHER_KEYWORDS: [&str; 4] = ["bool", "offset", "inf", "nan"];

/// The metrics of an expression with the labels by which each is selected, and the labels by which it groups.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Names {
    pub(crate) selected: BTreeMap<String, BTreeSet<String>>,
    pub(crate) grouped: BTreeSet<String>,
}

/// All names in an expression.
pub(crate) fn names(expression: &str) -> Result<Names> {
    let mut names = Names::default();
    let tokens: Vec<Token<'_>> = tokens(expression)?.into_iter().map(|it| it.1).collect();
    let mut rest = tokens.as_slice();
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            Token::Word(word) if GROUPINGS.contains(word) => {
                if let [Token::Mark("("), ..] = rest {
                    let (labels, after) = until(rest, ")")?;
                    names.grouped.extend(words(labels));
                    rest = after;
                }
            }
            Token::Word(word) if SETS.contains(word) || OTHER_KEYWORDS.contains(word) => {}
            Token::Word(word) => match rest {
                // A function, or an aggregation.
                [Token::Mark("("), ..] | [Token::Word("by" | "without"), ..] => {}
                [Token::Mark("{"), ..] => {
                    let (matchers, after) = until(rest, "}")?;
                    let labels = names.selected.entry((*word).to_owned()).or_default();
                    labels.extend(words(matchers));
                    rest = after;
                }
                _ => {
                    names.selected.entry((*word).to_owned()).or_default();
                }
            },
            Token::Mark("{") => bail!("a selector without a metric: {expression}"),
            // A range: a duration, or Grafana's variable for one.
            Token::Mark("[") => rest = until(after, "]")?.1,
            Token::Mark(_) | Token::Number => {}
        }
    }
    Ok(names)
}

/// What stands before the next `end`, and after it.
fn until<'a, 't>(tokens: &'t [Token<'a>], end: &str) -> Result<(&'t [Token<'a>], &'t [Token<'a>])> {
    match tokens.iter().position(|&token| token == Token::Mark(end)) {
        Some(at) => Ok((&tokens[..at], &tokens[at + 1..])),
        None => bail!("no {end}"),
    }
}

fn words<'a>(tokens: &'a [Token<'_>]) -> impl Iterator<Item = String> + 'a {
    tokens.iter().filter_map(|token| match token {
        Token::Word(word) => Some((*word).to_owned()),
        _ => None,
    })
}

#[test]
fn names_are_told_from_functions_keywords_and_labels() {
    let check = |expression: &str, selected: &[(&str, &[&str])], grouped: &[&str]| {
        let own = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        let selected = selected.iter();
        let expected = Names {
            selected: selected
                .map(|&(name, labels)| (name.to_owned(), own(labels)))
                .collect(),
            grouped: own(grouped),
        };
        assert_eq!(names(expression).unwrap(), expected, "{expression}");
    };
    check("a", &[("a", &[])], &[]);
    check("time() - a", &[("a", &[])], &[]);
    check(
        "rate(a{b=\"c\",d!~\"e\"}[$__rate_interval])",
        &[("a", &["b", "d"])],
        &[],
    );
    check("sum by (x, y) (a)", &[("a", &[])], &["x", "y"]);
    check("sum(a) without (x)", &[("a", &[])], &["x"]);
    check("sum(a) by (x)", &[("a", &[])], &["x"]);
    check(
        "a{x=\"1\"} * on (job) group_left () b or c{y=\"a\"} > bool 1e3",
        &[("a", &["x"]), ("b", &[]), ("c", &["y"])],
        &["job"],
    );
    check("histogram_quantile(0.95, a)", &[("a", &[])], &[]);
    check("a offset 5m", &[("a", &[])], &[]);
}
