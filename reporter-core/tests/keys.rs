//! Valid keys, and the errors of invalid ones.

use proptest::prelude::*;
use reporter_core::{KeyError, KeyPart, KeyPartError, RevisionKey};

fn check(namespace: &str, name: &str, expected: Result<(), &str>) {
    let made = RevisionKey::try_new(namespace, name);
    let said = made.as_ref().map(drop).map_err(ToString::to_string);
    let expected = expected.map_err(str::to_owned);
    assert_eq!(said, expected, "{namespace:?}, {name:?}");
    if !namespace.contains('/') {
        let parsed = format!("{namespace}/{name}").parse();
        assert_eq!(made, parsed, "made of parts and parsed, it is the same");
    }
}

#[test]
fn names_of_the_dns_are_keys() {
    let label = "a".repeat(63);
    let longest = [&*label, &label, &label, &label[..61]].join(".");
    assert_eq!(longest.len(), 253);
    for (namespace, name) in [
        ("default", "hello-00001"),
        ("a", "b"),
        ("0", "9"),
        ("a--b", "x.y.z"),
        ("knative-serving", "0.1.2-rc-1.x"),
        ("xn--bcher-kva", "xn--bcher-kva.example"),
        (&label, "a"),
        ("a", &label),
        ("a", &longest),
    ] {
        check(namespace, name, Ok(()));
    }
}

#[test]
fn invalid_dns_names_are_refused_with_the_reason() {
    let long = "a".repeat(64);
    let label = "a".repeat(63);
    let too_long = [&*label, &label, &label, &label[..62]].join(".");
    let bytes = "\u{e9}".repeat(32);
    for (namespace, name, expected) in [
        ("", "a", "namespace \"\": it is empty"),
        ("a", "", "name \"\": it is empty"),
        ("", "", "namespace \"\": it is empty"),
        (
            &*long,
            "a",
            &*format!("namespace \"{long}\": 64 bytes, at most 63 are allowed"),
        ),
        (
            "a",
            &*too_long,
            &*format!(
                "name \"{}...\": 254 bytes, at most 253 are allowed",
                &too_long[..80]
            ),
        ),
        (
            "a",
            &*format!("b.{long}"),
            &*format!("name \"b.{long}\": the label at byte 2 has more than 63 characters"),
        ),
        (
            &*bytes,
            "a",
            &*format!("namespace \"{bytes}\": 64 bytes, at most 63 are allowed"),
        ),
        ("a", ".b", "name \".b\": the label at byte 0 is empty"),
        ("a", "b.", "name \"b.\": the label at byte 2 is empty"),
        ("a", "b..c", "name \"b..c\": the label at byte 2 is empty"),
        ("a", ".", "name \".\": the label at byte 0 is empty"),
        (
            "-a",
            "b",
            "namespace \"-a\": the hyphen at byte 0 may not start or end a label",
        ),
        (
            "a-",
            "b",
            "namespace \"a-\": the hyphen at byte 1 may not start or end a label",
        ),
        (
            "-",
            "b",
            "namespace \"-\": the hyphen at byte 0 may not start or end a label",
        ),
        (
            "a",
            "bc.-d",
            "name \"bc.-d\": the hyphen at byte 3 may not start or end a label",
        ),
        (
            "a",
            "bc.de-.f",
            "name \"bc.de-.f\": the hyphen at byte 5 may not start or end a label",
        ),
        (
            "a.b",
            "c",
            "namespace \"a.b\": '.' at byte 1 is not a lower-case letter, a digit or '-'",
        ),
        (
            "a",
            "b_c",
            "name \"b_c\": '_' at byte 1 is not a lower-case letter, a digit, '-' or '.'",
        ),
        (
            "a",
            "B",
            "name \"B\": 'B' at byte 0 is not a lower-case letter, a digit, '-' or '.'",
        ),
        (
            "a",
            "b/c",
            "name \"b/c\": '/' at byte 1 is not a lower-case letter, a digit, '-' or '.'",
        ),
        (
            "a/b",
            "c",
            "namespace \"a/b\": '/' at byte 1 is not a lower-case letter, a digit or '-'",
        ),
        (
            "b\u{fc}cher",
            "c",
            "namespace \"b\u{fc}cher\": '\u{fc}' at byte 1 is not a lower-case letter, a digit or '-'",
        ),
        // A digit, but not one of ASCII; what would end a log line or colour it is escaped.
        (
            "a\u{663}",
            "c",
            "namespace \"a\u{663}\": '\u{663}' at byte 1 is not a lower-case letter, a digit or '-'",
        ),
        (
            "a",
            "b\n\u{1b}[31m",
            "name \"b\\n\\u{1b}[31m\": '\\n' at byte 1 is not a lower-case letter, a digit, '-' or '.'",
        ),
    ] {
        check(namespace, name, Err(expected));
    }
}

#[test]
fn a_text_without_a_slash_is_no_key() {
    for (text, expected) in [
        ("", "\"\" has no '/' between namespace and name"),
        ("hello", "\"hello\" has no '/' between namespace and name"),
    ] {
        let error = text.parse::<RevisionKey>().unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn an_error_never_grows_with_its_input() {
    for letter in ["a", "/", "\u{10ffff}", "\n"] {
        let text = letter.repeat(100_000);
        for text in [text.clone(), format!("{text}/a"), format!("a/{text}")] {
            let error = text.parse::<RevisionKey>().unwrap_err();
            // 80 characters at most, each at its longest `\u{10ffff}`.
            let length = error.to_string().len();
            assert!(length < 1_000, "{length} bytes for {letter:?}");
        }
    }
}

#[test]
fn long_texts_are_cut_in_errors() {
    let shown = |length: usize| {
        let text = "_".repeat(length);
        match text.parse::<RevisionKey>().unwrap_err() {
            KeyError::MissingSlash { text } => text,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(shown(80), "_".repeat(80));
    assert_eq!(shown(81), "_".repeat(80) + "...");
}

#[test]
fn an_error_can_be_told_apart_by_program() {
    let error = "a/b_c".parse::<RevisionKey>().unwrap_err();
    let expected = KeyError::Part {
        part: KeyPart::Name,
        text: "b_c".to_owned(),
        error: KeyPartError::BadCharacter {
            character: '_',
            position: 1,
        },
    };
    assert_eq!(error, expected);
}

#[test]
fn a_key_is_seen_in_debug_output() {
    let key = RevisionKey::try_new("a", "b").unwrap();
    assert_eq!(format!("{key:?}"), "RevisionKey(a/b)");
}

fn valid_parts() -> impl Strategy<Value = (String, String)> {
    const LABEL: &str = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";
    let name = prop::collection::vec(LABEL, 1..5).prop_map(|labels| labels.join("."));
    let fits = |name: &String| name.len() <= 253;
    (
        LABEL,
        name.prop_filter("a name has at most 253 bytes", fits),
    )
}

proptest! {
    #[test]
    fn a_key_comes_back_from_its_text((namespace, name) in valid_parts()) {
        let key = RevisionKey::try_new(&namespace, &name).unwrap();
        prop_assert_eq!(key.namespace(), namespace);
        prop_assert_eq!(key.name(), name);
        prop_assert_eq!(key.as_str(), key.to_string());
        prop_assert_eq!(key.to_string().parse(), Ok(key));
    }

    #[test]
    fn keys_are_ordered_like_their_texts(a in valid_parts(), b in valid_parts()) {
        let [a, b] = [a, b].map(|(namespace, name)| RevisionKey::try_new(&namespace, &name).unwrap());
        prop_assert_eq!(a.cmp(&b), a.as_str().cmp(b.as_str()));
        prop_assert_eq!(a == b, a.as_str() == b.as_str());
    }
}
