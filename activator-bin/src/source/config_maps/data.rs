//! The data of a ConfigMap, and how its values are read: as Knative reads them.

use std::collections::BTreeMap;

use crate::settings::Value;

/// The data of a ConfigMap.
#[derive(Clone, Copy)]
pub(super) struct Data<'a>(pub(super) &'a BTreeMap<String, String>);

/// A value that is wrong.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) key: &'static str,
    /// What was expected, and what was found.
    pub(super) why: String,
}

impl Wrong {
    pub(super) fn new(key: &'static str, value: &str, expected: &str) -> Self {
        Self {
            key,
            why: Value::Text(value).instead_of(expected),
        }
    }
}

impl<'a> Data<'a> {
    /// The value of a key without the space around it; an empty one is `None`, as if the key were missing.
    pub(super) fn get(self, key: &str) -> Option<&'a str> {
        let value = self.0.get(key)?.trim();
        (!value.is_empty()).then_some(value)
    }

    /// A boolean, in any of the ways that Go's `ParseBool` takes; false when it is missing.
    pub(super) fn truth(self, key: &'static str) -> Result<bool, Wrong> {
        match self.get(key) {
            None | Some("0" | "f" | "F" | "false" | "False" | "FALSE") => Ok(false),
            Some("1" | "t" | "T" | "true" | "True" | "TRUE") => Ok(true),
            Some(other) => Err(Wrong::new(key, other, "true or false")),
        }
    }

    /// One of the names in `choices`, in upper or lower case; the first when it is missing.
    pub(super) fn choice<T: Copy>(
        self,
        key: &'static str,
        choices: &[(&str, T)],
    ) -> Result<T, Wrong> {
        let Some(value) = self.get(key) else {
            return Ok(choices[0].1);
        };
        let find = |(name, _): &&(&str, T)| value.eq_ignore_ascii_case(name);
        choices.iter().find(find).map(|it| it.1).ok_or_else(|| {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            Wrong::new(key, value, &names.join(" or "))
        })
    }
}
