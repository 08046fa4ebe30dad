//! Fills a text in, in one pass: what is filled in is not read again.

/// Replaces each `{{name}}` by what `value` says of it.
pub(super) fn fill(template: &str, value: impl Fn(&str) -> String) -> String {
    let mut filled = String::with_capacity(template.len() + 256);
    let mut rest = template;
    while let Some((before, (name, after))) = rest
        .split_once("{{")
        .and_then(|(before, after)| Some((before, after.split_once("}}")?)))
    {
        filled.push_str(before);
        filled.push_str(&value(name));
        rest = after;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_is_not_read_again() {
        let value = |name: &str| format!("<{name} {{{{b}}}}>");
        for (template, expected) in [
            ("", ""),
            ("plain {a} }}", "plain {a} }}"),
            ("{{a}}", "<a {{b}}>"),
            ("1{{a}}2{{b}}3", "1<a {{b}}>2<b {{b}}>3"),
            ("open {{a", "open {{a"),
        ] {
            assert_eq!(fill(template, value), expected);
        }
    }
}
