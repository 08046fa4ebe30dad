//! Each setting is declared once, by a line in a [`settings!`] section.
//!
//! The line makes the field and its doc, its default and check, its entry in the table behind flags, variables,
//! `--help` and `docs/`, and the comparison that says whether a change needs a restart. This is the lowest module, so
//! that each module can declare its own section.
//!
//! What must not live here: files, sections that are lists, messages about unknown names. They belong to `config`.

mod spelling;
mod value;

#[cfg(test)]
mod tests;

pub(crate) use spelling::{nearest, quoted};
pub use value::Value;

/// A setting as operators see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting {
    /// Its name in the file, sections in front: `listen.http`.
    pub field: &'static str,
    /// Its value when unset.
    pub default: Default,
    /// What it is for: one sentence, without the full stop.
    pub help: &'static str,
    /// A variable set by the platform; the setting's own takes precedence.
    platform_variable: Option<&'static str>,
    /// Whether revisions inherit it, so that a change needs no restart.
    pub(crate) is_inherited: bool,
    /// Whether the program takes it from each new file, so that a change needs no restart.
    pub(crate) is_live: bool,
}

/// The value of a setting that is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// This value.
    Is(&'static str),
    /// Determined at startup, described by this text.
    Found(&'static str),
    /// None.
    Unset,
    /// It must be set.
    Required,
}

/// A section of settings. `settings!` implements it.
pub trait Settings {
    /// All settings, in the order of the docs.
    fn settings() -> Vec<Setting>;

    /// Checks a value and sets the field. `None` when there is no such setting.
    ///
    /// # Errors
    /// What is wrong with the value, and what was expected.
    fn apply(&mut self, field: &str, value: &Value<'_>) -> Option<Result<(), String>>;

    /// Whether the two differ in a setting.
    fn differs(&self, other: &Self, field: &str) -> bool;

    /// The default of a setting that has [`Default::Found`], as text.
    #[must_use]
    fn found(_field: &str) -> Option<String> {
        None
    }
}

impl Setting {
    /// `doc` is the help, with or without the full stop.
    pub(crate) const fn new(field: &'static str, default: Default, doc: &'static str) -> Self {
        let doc = doc.trim_ascii();
        Self {
            field,
            default,
            help: match doc.as_bytes() {
                [.., b'.'] => doc.split_at(doc.len() - 1).0,
                _ => doc,
            },
            platform_variable: None,
            is_inherited: false,
            is_live: false,
        }
    }

    pub(crate) const fn or_variable(mut self, name: &'static str) -> Self {
        self.platform_variable = Some(name);
        self
    }

    pub(crate) const fn inherited(mut self) -> Self {
        self.is_inherited = true;
        self
    }

    pub(crate) const fn live(mut self) -> Self {
        self.is_live = true;
        self
    }

    /// Its flag, without the two hyphens: `listen-http`.
    #[must_use]
    pub fn flag(&self) -> String {
        self.field.replace(['.', '_'], "-")
    }

    /// Its environment variables, in order of precedence: `ACTIVATOR_LISTEN_HTTP`.
    pub fn variables(&self) -> impl Iterator<Item = String> + use<> {
        let own = format!("ACTIVATOR_{}", self.field.replace('.', "_")).to_uppercase();
        std::iter::once(own).chain(self.platform_variable.map(str::to_owned))
    }
}

/// Stores a value that was read.
pub(crate) fn set<V>(slot: &mut V, read: Result<V, String>) -> Result<(), String> {
    *slot = read?;
    Ok(())
}

/// Declares a section, its settings in the order of the docs.
///
/// ```ignore
/// settings! {
///     /// Bounds on what peers may take.
///     #[derive(Clone, Debug)]
///     pub struct Limits in "limits." {
///         /// How long a request's head may take to arrive; 408 after that.
///         header_timeout: Duration = "1m", duration("100ms"..="1h");
///     }
/// }
/// ```
///
/// - `in` is the prefix of each name: `limits.header_timeout`. A setting with a different name than its field is
///   `filter as "log": ...`.
/// - The doc is the help: one sentence, over one or more lines. Notes for maintainers are comments below it.
/// - The default is a string that is parsed like any other value, `found("what it is", function)`, `None` (the field
///   is an `Option`), `[]` (a `Vec`), or `required`.
/// - The check is a method of [`Value`]; `by(function)` calls one of the section's own.
/// - It may be followed by `or_variable("NAME")`, a variable set by the platform, or by what makes a change need no
///   restart: `inherited()`, revisions inherit it, or `live()`, the program takes it from each new file.
///
/// After the settings, `sections { name: Type; }` are fields that are sections themselves, and
/// `others { name: Type; }` are fields that are not settings and are empty by default.
macro_rules! settings {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $section:ident in $prefix:literal {
            $(
                $(#[doc = $doc:literal])+
                $field:ident $(as $name:literal)?: $type:ty = $default:tt $(($found:literal, $find:expr))?,
                $check:ident $arguments:tt $(, $mark:ident $mark_arguments:tt)*;
            )*
        }
        $(sections { $($(#[doc = $part_doc:literal])+ $part:ident: $part_type:ty;)* })?
        $(others { $($(#[doc = $other_doc:literal])+ $other:ident: $other_type:ty;)* })?
    ) => {
        $(#[$attribute])*
        $visibility struct $section {
            $($(#[doc = $doc])+ pub $field: $type,)*
            $($($(#[doc = $part_doc])+ pub $part: $part_type,)*)?
            $($($(#[doc = $other_doc])+ pub $other: $other_type,)*)?
        }

        impl ::std::default::Default for $section {
            fn default() -> Self {
                Self {
                    $($field: $crate::settings::settings!(
                        @default $default $(($find))?, $check $arguments
                    ),)*
                    $($($part: ::std::default::Default::default(),)*)?
                    $($($other: ::std::default::Default::default(),)*)?
                }
            }
        }

        impl $crate::settings::Settings for $section {
            fn settings() -> Vec<$crate::settings::Setting> {
                const OWN: &[$crate::settings::Setting] = &[$(
                    $crate::settings::Setting::new(
                        $crate::settings::settings!(@name $prefix $field $($name)?),
                        $crate::settings::settings!(@shown $default $(($found))?),
                        concat!($($doc),+),
                    )$(.$mark $mark_arguments)*,
                )*];
                [OWN.to_vec(), $($(<$part_type as $crate::settings::Settings>::settings(),)*)?].concat()
            }

            fn apply(
                &mut self,
                field: &str,
                value: &$crate::settings::Value<'_>,
            ) -> Option<Result<(), String>> {
                $(if field == $crate::settings::settings!(@name $prefix $field $($name)?) {
                    let read = $crate::settings::settings!(@read $default value, $check $arguments);
                    return Some($crate::settings::set(&mut self.$field, read));
                })*
                None$($(.or_else(|| self.$part.apply(field, value)))*)?
            }

            fn found(field: &str) -> Option<String> {
                let _ = field;
                $($crate::settings::settings!(
                    @found field, ($prefix $field $($name)?) $(, $find)?
                );)*
                None$($(.or_else(|| <$part_type as $crate::settings::Settings>::found(field)))*)?
            }

            fn differs(&self, other: &Self, field: &str) -> bool {
                $((field == $crate::settings::settings!(@name $prefix $field $($name)?)
                    && self.$field != other.$field) ||)*
                $($(self.$part.differs(&other.$part, field) ||)*)?
                false
            }
        }
    };

    (@name $prefix:literal $field:ident) => { concat!($prefix, stringify!($field)) };
    (@name $prefix:literal $field:ident $name:literal) => { concat!($prefix, $name) };

    (@found $wanted:ident, ($($of:tt)+)) => {};
    (@found $wanted:ident, ($($of:tt)+), $find:expr) => {
        if $wanted == $crate::settings::settings!(@name $($of)+) {
            return Some($find().to_string());
        }
    };

    (@shown None) => { $crate::settings::Default::Unset };
    (@shown []) => { $crate::settings::Default::Unset };
    (@shown required) => { $crate::settings::Default::Required };
    (@shown found($what:literal)) => { $crate::settings::Default::Found($what) };
    (@shown $text:literal) => { $crate::settings::Default::Is($text) };

    (@default None, $($check:tt)+) => { None };
    (@default [], $($check:tt)+) => { Vec::new() };
    (@default required, $($check:tt)+) => { ::std::default::Default::default() };
    (@default found($find:expr), $($check:tt)+) => {
        $crate::settings::settings!(@checked &$find().to_string(), $($check)+)
    };
    (@default $text:literal, $($check:tt)+) => {
        $crate::settings::settings!(@checked $text, $($check)+)
    };
    (@checked $text:expr, $check:ident $arguments:tt) => {
        $crate::settings::Value::Text($text).$check $arguments
            .expect("every default passes its own check")
    };

    (@read None $value:ident, $check:ident $arguments:tt) => { $value.$check $arguments.map(Some) };
    (@read $default:tt $value:ident, $check:ident $arguments:tt) => { $value.$check $arguments };
}
pub(crate) use settings;
