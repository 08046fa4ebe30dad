//! The environment of instances: `env`, a table of names and values.

use std::collections::BTreeMap;

use super::super::file::{Element, Reader, Section};
use crate::settings::Value;

/// The most text in it: what Linux allows for one variable.
const LIMIT: usize = 128 << 10;

/// Reads the table; empty when it is missing.
pub(super) fn read(reader: &mut Reader<'_>, section: &Section<'_>) -> BTreeMap<String, String> {
    let expected = "a table of strings, like { MODE = \"fast\" }";
    let mut variables = BTreeMap::new();
    let mut size = 0;
    for (variable, element) in reader.entries(section, "env", expected) {
        let Element {
            name,
            location,
            value,
        } = element;
        let value = Value::Toml(value);
        let mut problem = |message: String| reader.problems.push(location.clone(), &*name, message);
        match value.string("a string in quotes") {
            _ if variable.is_empty() || variable.contains(['=', '\0']) => {
                problem("is no name of a variable: it is empty, or has '=' or U+0000 in it".into());
            }
            Ok(value) if value.contains('\0') => {
                problem("contains the character U+0000, which no variable may".into());
            }
            Ok(value) => {
                size += variable.len() + value.len() + 2;
                if size > LIMIT {
                    problem(format!(
                        "makes the environment longer than {} KiB",
                        LIMIT >> 10
                    ));
                    break;
                }
                variables.insert(variable.to_owned(), value.to_owned());
            }
            Err(message) => problem(message),
        }
    }
    variables
}
