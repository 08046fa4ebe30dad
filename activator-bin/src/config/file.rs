//! The configuration file as a tree of sections, with the location of everything in it.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::problem::{Location, Problems};
use super::unknown;
use crate::settings::{Default, Settings, Value, quoted};

/// Further syntax errors are usually consequences of these.
const SYNTAX_ERRORS_SHOWN: usize = 5;

/// The text of a file, its name, and the problems found so far.
pub(super) struct Reader<'a> {
    name: &'a str,
    text: &'a str,
    line_starts: Vec<usize>,
    pub(super) problems: Problems,
}

/// A section of the file.
pub(super) struct Section<'a> {
    /// For example `sink[0]`; empty for the whole file.
    pub(super) name: String,
    pub(super) location: Location,
    table: &'a DeTable<'a>,
}

/// An element of a list.
pub(super) struct Element<'a> {
    /// For example `revision[1].backends[0]`.
    pub(super) name: String,
    pub(super) location: Location,
    pub(super) value: &'a DeValue<'a>,
}

/// Where settings and other fields are set, whether their values are valid or not.
pub(super) type Locations = BTreeMap<&'static str, Location>;

impl<'a> Reader<'a> {
    pub(super) fn new(name: &'a str, text: &'a str) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            name,
            text,
            line_starts: std::iter::once(0).chain(ends).collect(),
            problems: Problems::default(),
        }
    }

    /// The file's table; `None` on a syntax error.
    pub(super) fn table(&mut self) -> Option<DeTable<'a>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        if errors.is_empty() {
            return Some(table.into_inner());
        }
        // The first error of a line is the cause, the others follow from it.
        let mut by_line = BTreeMap::new();
        for error in &errors {
            let span = error.span().unwrap_or_default();
            let (line, column) = self.position(span.start);
            let complaint = (
                column,
                error.message(),
                self.text.get(span).unwrap_or_default(),
            );
            let first = by_line.entry(line).or_insert(complaint);
            *first = complaint.min(*first);
        }
        for (line, (column, message, found)) in by_line.into_iter().take(SYNTAX_ERRORS_SHOWN) {
            let location = self.location_at(line, column);
            let message = match found.trim() {
                "" => message.to_owned(),
                found => format!("{message}: {}", quoted(found)),
            };
            self.problems.push(location, "", message);
        }
        None
    }

    /// Reads a section into `target`; `others` are the other names allowed in it.
    pub(super) fn read<T: Settings>(
        &mut self,
        section: &Section<'_>,
        others: &[&'static str],
        target: &mut T,
    ) -> Locations {
        let settings = T::settings();
        let mut locations = Locations::new();
        let mut tables = vec![(String::new(), section.table)];
        while let Some((prefix, table)) = tables.pop() {
            for (key, value) in table {
                let path = format!("{prefix}{}", key.get_ref());
                let inside = format!("{path}.");
                // A dot in a quoted key is part of the name, and no setting's name has one.
                let dotted = key.get_ref().contains('.');
                let named = || settings.iter().filter(|_| !dotted);
                let setting = named().find(|setting| setting.field == path);
                let parent = named().any(|setting| setting.field.starts_with(&inside));
                let other = others.iter().find(|other| **other == path);
                if let Some(field) = setting.map(|it| it.field).or(other.copied()) {
                    locations.insert(field, self.location(value));
                }
                let known =
                    setting.and_then(|it| target.apply(it.field, &Value::Toml(value.get_ref())));
                let outcome = match (known, value.get_ref()) {
                    (Some(outcome), _) => outcome,
                    (None, DeValue::Table(table)) if parent => {
                        tables.push((inside, table));
                        Ok(())
                    }
                    (None, value) if parent => {
                        let expected = format!("a section, [{}]", section.field(&path));
                        Err(Value::Toml(value).instead_of(&expected))
                    }
                    (None, _) if other.is_some() => Ok(()),
                    (None, _) => {
                        let message = unknown::field(&prefix, key.get_ref(), &settings, others);
                        let path = unknown::path(&prefix, key.get_ref());
                        self.problem(key, section.field(&path), message);
                        continue;
                    }
                };
                if let Err(message) = outcome {
                    self.problem(value, section.field(&path), message);
                }
            }
        }
        for setting in settings {
            if matches!(setting.default, Default::Required)
                && !locations.contains_key(setting.field)
            {
                let message = format!("is missing. {}", setting.help);
                self.problems.push(
                    section.location.clone(),
                    section.field(setting.field),
                    message,
                );
            }
        }
        locations
    }

    /// Reads the field that decides which others there are.
    pub(super) fn choice<T: Copy>(
        &mut self,
        section: &Section<'_>,
        name: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let Some(value) = section.table.get(name) else {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            let message = format!("is missing. Either {}", names.join(" or "));
            self.problems
                .push(section.location.clone(), section.field(name), message);
            return None;
        };
        let outcome = Value::Toml(value.get_ref()).choice(choices);
        outcome
            .map_err(|message| self.problem(value, section.field(name), message))
            .ok()
    }

    /// The sections of a list, `[[name]]`.
    pub(super) fn sections<'t>(&mut self, parent: &Section<'t>, name: &str) -> Vec<Section<'t>> {
        let (all, each) = (
            format!("sections, [[{name}]]"),
            format!("a section, [[{name}]]"),
        );
        self.tables(parent, name, &all, &each)
    }

    /// The tables of a list; empty when it is missing. `all` is what is expected, `each` what in it.
    pub(super) fn tables<'t>(
        &mut self,
        parent: &Section<'t>,
        name: &str,
        all: &str,
        each: &str,
    ) -> Vec<Section<'t>> {
        let mut sections = Vec::new();
        for element in self.elements(parent, name, all) {
            let Element {
                name: path,
                location,
                value,
            } = element;
            if let DeValue::Table(table) = value {
                sections.push(Section {
                    name: path,
                    location,
                    table,
                });
            } else {
                let message = Value::Toml(value).instead_of(each);
                self.problems.push(location, path, message);
            }
        }
        sections
    }

    /// The elements of a list; empty when it is missing.
    pub(super) fn elements<'t>(
        &mut self,
        parent: &Section<'t>,
        name: &str,
        expected: &str,
    ) -> Vec<Element<'t>> {
        let Some(list) = parent.table.get(name) else {
            return Vec::new();
        };
        let DeValue::Array(elements) = list.get_ref() else {
            let message = Value::Toml(list.get_ref()).instead_of(expected);
            self.problem(list, parent.field(name), message);
            return Vec::new();
        };
        let element = |(index, element): (usize, &'t Spanned<DeValue<'t>>)| Element {
            name: format!("{}[{index}]", parent.field(name)),
            location: self.location(element),
            value: element.get_ref(),
        };
        elements.iter().enumerate().map(element).collect()
    }

    /// The entries of a table, by name; empty when it is missing.
    pub(super) fn entries<'t>(
        &mut self,
        parent: &Section<'t>,
        name: &str,
        expected: &str,
    ) -> Vec<(&'t str, Element<'t>)> {
        let Some(table) = parent.table.get(name) else {
            return Vec::new();
        };
        let DeValue::Table(entries) = table.get_ref() else {
            let message = Value::Toml(table.get_ref()).instead_of(expected);
            self.problem(table, parent.field(name), message);
            return Vec::new();
        };
        let inside = format!("{}.", parent.field(name));
        let entry = |(key, value): (&'t Spanned<DeString<'t>>, &'t Spanned<DeValue<'t>>)| {
            let element = Element {
                name: unknown::path(&inside, key.get_ref()),
                location: self.location(key),
                value: value.get_ref(),
            };
            (key.get_ref().as_ref(), element)
        };
        entries.iter().map(entry).collect()
    }

    fn problem<T>(&mut self, at: &Spanned<T>, field: String, message: String) {
        let location = self.location(at);
        self.problems.push(location, field, message);
    }

    fn location<T>(&self, at: &Spanned<T>) -> Location {
        self.location_of(at.span().start)
    }

    /// The location of a byte of the text.
    pub(super) fn location_of(&self, offset: usize) -> Location {
        let (line, column) = self.position(offset);
        self.location_at(line, column)
    }

    fn location_at(&self, line: usize, column: usize) -> Location {
        Location::File {
            name: self.name.to_owned(),
            line: line + 1,
            column: column + 1,
        }
    }

    /// Line and column, both from 0.
    fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.line_starts.partition_point(|start| *start <= offset) - 1;
        let before = self.text.get(self.line_starts[line]..offset);
        (line, before.map_or(0, |before| before.chars().count()))
    }
}

impl<'a> Section<'a> {
    /// The whole file.
    pub(super) fn root(table: &'a DeTable<'a>, file: &str) -> Self {
        Self {
            name: String::new(),
            location: Location::whole_file(file),
            table,
        }
    }

    /// The full name of one of its fields.
    pub(super) fn field(&self, name: &str) -> String {
        match self.name.as_str() {
            "" => name.to_owned(),
            section => format!("{section}.{name}"),
        }
    }
}
