use std::time::Duration;

use super::{Default, Settings, Value, settings};

settings! {
    /// A section that only tests know.
    #[derive(Debug, PartialEq)]
    struct MadeUp in "made_up." {
        /// How long it takes;
        /// as long as that.
        // Not for operators.
        how_long: Duration = "5s", duration("1s"..="1m"), inherited();
        /// How many
        count as "how_many": Option<u8> = None, whole(1..=9);
        /// Where.
        place: String = found("here", || "there"), text(), or_variable("PLACE");
        /// Which.
        names: Vec<String> = [], host_names();
        /// Who.
        who: String = required, text();
    }
    sections {
        /// A part.
        part: Part;
    }
    others {
        /// Not a setting.
        rest: Vec<u8>;
    }
}

settings! {
    /// A section of the section.
    #[derive(Debug, PartialEq)]
    struct Part in "part." {
        /// Whether.
        is_so: bool = "true", truth();
    }
}

fn made_up() -> MadeUp {
    MadeUp {
        how_long: Duration::from_secs(5),
        count: None,
        place: "there".to_owned(),
        names: Vec::new(),
        who: String::new(),
        part: Part { is_so: true },
        rest: Vec::new(),
    }
}

#[test]
fn a_line_makes_the_default_the_help_the_flag_and_the_variables() {
    assert_eq!(MadeUp::default(), made_up());
    let expected = [
        (
            "made_up.how_long",
            Default::Is("5s"),
            "How long it takes; as long as that",
        ),
        ("made_up.how_many", Default::Unset, "How many"),
        ("made_up.place", Default::Found("here"), "Where"),
        ("made_up.names", Default::Unset, "Which"),
        ("made_up.who", Default::Required, "Who"),
        ("part.is_so", Default::Is("true"), "Whether"),
    ];
    let settings = MadeUp::settings();
    let found: Vec<_> = settings
        .iter()
        .map(|it| (it.field, it.default, it.help))
        .collect();
    assert_eq!(found, expected);
    assert_eq!(MadeUp::found("made_up.place").as_deref(), Some("there"));
    assert_eq!(MadeUp::found("made_up.how_long"), None);
    let place = settings[2];
    assert_eq!(place.flag(), "made-up-place");
    let variables: Vec<_> = place.variables().collect();
    assert_eq!(variables, ["ACTIVATOR_MADE_UP_PLACE", "PLACE"]);
    let inherited: Vec<_> = settings.iter().map(|it| it.is_inherited).collect();
    assert_eq!(inherited, [true, false, false, false, false, false]);
}

#[test]
fn a_value_is_checked_and_stored_in_its_field_which_then_differs() {
    let check = |field, text, expected: MadeUp| {
        let mut changed = made_up();
        let outcome = changed.apply(field, &Value::Text(text));
        assert_eq!((outcome, &changed), (Some(Ok(())), &expected), "{field}");
        for setting in MadeUp::settings() {
            let differs = changed.differs(&made_up(), setting.field);
            assert_eq!(
                differs,
                setting.field == field,
                "{field}, {}",
                setting.field
            );
        }
    };
    let how_long = Duration::from_secs(2);
    check(
        "made_up.how_long",
        "2s",
        MadeUp {
            how_long,
            ..made_up()
        },
    );
    let count = Some(9);
    check("made_up.how_many", "9", MadeUp { count, ..made_up() });
    let place = "elsewhere".to_owned();
    check("made_up.place", "elsewhere", MadeUp { place, ..made_up() });
    let names = ["a", "b"].map(str::to_owned).into();
    check("made_up.names", "a,b", MadeUp { names, ..made_up() });
    let who = "me".to_owned();
    check("made_up.who", "me", MadeUp { who, ..made_up() });
    let part = Part { is_so: false };
    check("part.is_so", "false", MadeUp { part, ..made_up() });

    let mut unchanged = made_up();
    let problem = "expected a whole number from 1 to 9, found \"10\"".to_owned();
    let outcome = unchanged.apply("made_up.how_many", &Value::Text("10"));
    assert_eq!(outcome, Some(Err(problem)));
    assert_eq!(unchanged.apply("made_up.count", &Value::Text("1")), None);
    assert_eq!(unchanged, made_up());
}
