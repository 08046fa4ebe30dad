//! Texts of operators: how they are shown, and what a misspelt name was probably meant to be.

/// A text as the operator wrote it, in quotes, with nothing in it that a terminal would obey.
pub(crate) fn quoted(text: &str) -> String {
    const LIMIT: usize = 80;
    match text.char_indices().nth(LIMIT) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}...", &text[..end]),
    }
}

/// The name among `known` that `name` is a misspelling of, if it looks like one.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Nothing longer is a misspelling, and comparing takes the product of both lengths.
    const LONGEST: usize = 100;
    let known = known.into_iter().filter(|_| name.len() <= LONGEST);
    let (distance, near) = known
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .min()?;
    (distance <= 1.max(name.len() / 3)).then_some(near)
}
