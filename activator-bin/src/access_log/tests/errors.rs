//! What is said of templates that are wrong: in each case of `errors.txt` the last line, behind `>`.

use super::*;

#[test]
fn a_wrong_template_is_named_with_what_would_be_right() {
    let cases = include_str!("../../../tests/access_log/errors.txt");
    let cases = cases.split("\n\n").map(|case| {
        let (template, expected) = case.split_once("\n> ").unwrap();
        (template, expected.trim_end())
    });
    let wrong = |(template, expected): (&str, &str)| {
        let found = match Template::parse(template) {
            Ok(_) => "nothing".to_owned(),
            Err(error) => error.to_string(),
        };
        (found != expected).then(|| format!("{template}\n> {found}"))
    };
    let wrong: Vec<String> = cases.filter_map(wrong).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_template_is_bounded_in_length_depth_and_parts() {
    let check = |template: &str, expected: Option<&str>| {
        let error = Template::parse(template)
            .err()
            .map(|error| error.to_string());
        let is_expected = match (&error, expected) {
            (Some(error), Some(expected)) => error.ends_with(expected),
            (error, expected) => error.is_none() && expected.is_none(),
        };
        assert!(is_expected, "{error:?}, not {expected:?}");
    };
    check(&"a".repeat(16 * 1024), None);
    check(
        &"a".repeat(16 * 1024 + 1),
        Some("a template has at most 16384 bytes"),
    );
    let conditions = |depth| "{{if true}}".repeat(depth) + &"{{end}}".repeat(depth);
    check(&conditions(16), None);
    check(&conditions(17), Some("nested more than 16 deep"));
    let chain = "{{if true}}".to_owned() + &"{{else if true}}".repeat(100) + "{{end}}";
    check(&chain, None);
    let parentheses = |depth| format!("{{{{{}1{}}}}}", "(".repeat(depth), ")".repeat(depth));
    check(&parentheses(16), None);
    check(&parentheses(17), Some("nested more than 16 deep"));
    check(&"{{1}}".repeat(249), None);
    check(
        &"{{1}}".repeat(250),
        Some("a template has at most 500 texts, actions and values"),
    );
}
