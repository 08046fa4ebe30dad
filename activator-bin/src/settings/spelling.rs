//! Quotes what operators wrote, and finds what a misspelt name was probably meant to be.

/// A text in quotes, with control characters escaped, at a readable length.
pub(crate) fn quoted(text: &str) -> String {
    const LIMIT: usize = 80;
    match text.char_indices().nth(LIMIT) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}...", &text[..end]),
    }
}

/// The name among `known` that `name` is a misspelling of, if it looks like one.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Nothing longer is a misspelling, and the cost of a comparison is the product of both lengths.
    const LONGEST: usize = 100;
    let known = known.into_iter().filter(|_| name.len() <= LONGEST);
    let (distance, near) = known
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .min()?;
    (distance <= 1.max(name.len() / 3)).then_some(near)
}
