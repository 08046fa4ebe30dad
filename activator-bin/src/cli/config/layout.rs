//! The settings in the order of a file: those at the top, then section by section.

use crate::config::Setting;

/// Where a setting stands in the file.
pub(super) struct Place<'a> {
    /// The section that begins with it.
    pub(super) begins: Option<&'a str>,
    /// Its name in the section.
    pub(super) name: &'a str,
}

/// All in the order of a file.
pub(super) fn in_order<T>(all: &[T], setting: impl Fn(&T) -> &Setting) -> Vec<(Place<'_>, &T)> {
    let split = |it| {
        let field = setting(it).field;
        field.rsplit_once('.').unwrap_or(("", field))
    };
    let mut sections = vec![""];
    for it in all {
        let (section, _) = split(it);
        if !sections.contains(&section) {
            sections.push(section);
        }
    }
    let mut places = Vec::new();
    for section in sections {
        let mut begins = (!section.is_empty()).then_some(section);
        for it in all.iter().filter(|it| split(it).0 == section) {
            let (_, name) = split(it);
            let begins = begins.take();
            places.push((Place { begins, name }, it));
        }
    }
    places
}
