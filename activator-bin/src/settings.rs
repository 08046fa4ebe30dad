//! What a setting is: its name in the file, which its flag and its variable follow, its default and its check.

use super::value::Value;

/// A setting of a section that becomes a `T`.
pub struct Setting<T> {
    /// Its name in the file, sections in front: `listen.http`.
    pub field: &'static str,
    /// What it is when nobody says otherwise.
    pub default: Default,
    /// What it is for, in one line.
    pub help: &'static str,
    /// A variable that the platform sets, below the setting's own.
    platform_variable: Option<&'static str>,
    apply: Apply<T>,
}

/// Checks a value and puts it where it belongs; or says what is wrong with it.
type Apply<T> = fn(&mut T, &Value<'_>) -> Result<(), String>;

/// What a setting is when nobody says otherwise.
#[derive(Clone, Copy)]
pub enum Default {
    /// This value.
    Is(&'static str),
    /// What the function finds on the machine, and how to call it in the docs.
    Found(&'static str, fn() -> String),
    /// Not set at all.
    Unset,
    /// There is none: it has to be set.
    Required,
}

impl<T> Setting<T> {
    pub(super) const fn new(
        field: &'static str,
        default: Default,
        help: &'static str,
        apply: Apply<T>,
    ) -> Self {
        Self {
            field,
            default,
            help,
            platform_variable: None,
            apply,
        }
    }

    pub(super) const fn or_variable(mut self, name: &'static str) -> Self {
        self.platform_variable = Some(name);
        self
    }

    /// Its flag, without the two hyphens: `listen-http`.
    #[must_use]
    pub fn flag(&self) -> String {
        self.field.replace(['.', '_'], "-")
    }

    /// Its variables, the one that wins first: `ACTIVATOR_LISTEN_HTTP`.
    pub fn variables(&self) -> impl Iterator<Item = String> + use<T> {
        let own = format!("ACTIVATOR_{}", self.field.replace('.', "_")).to_uppercase();
        std::iter::once(own).chain(self.platform_variable.map(str::to_owned))
    }

    pub(super) fn apply(&self, target: &mut T, value: &Value<'_>) -> Result<(), String> {
        (self.apply)(target, value)
    }
}

/// Sets what has a default to it.
pub(super) fn apply_defaults<T>(settings: &[Setting<T>], target: &mut T) {
    for setting in settings {
        let outcome = match setting.default {
            Default::Is(text) => setting.apply(target, &Value::Text(text)),
            Default::Found(_, find) => setting.apply(target, &Value::Text(&find())),
            Default::Unset | Default::Required => Ok(()),
        };
        outcome.expect("every default passes its own check; a test tries them all");
    }
}

/// Puts what was read into its slot.
pub(super) fn set<V>(slot: &mut V, read: Result<V, String>) -> Result<(), String> {
    *slot = read?;
    Ok(())
}
