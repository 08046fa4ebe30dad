//! What must hold for any bytes as a configuration.

use activator_bin::testing::Sources;

/// Panics if it does not hold.
pub(crate) fn check(bytes: &[u8]) {
    let sources = Sources::default();
    let outcome = sources.check(Some(("activator.toml", bytes)));
    match &outcome {
        Ok(_) => {}
        Err(problems) => {
            let said = problems.to_string();
            assert!(!problems.as_slice().is_empty());
            let control = |character: char| character.is_control() && character != '\n';
            assert!(
                !said.chars().any(control),
                "it would garble a terminal: {said:?}"
            );
        }
    }
    let again = sources.check(Some(("activator.toml", bytes)));
    assert_eq!(
        outcome.map_err(|problems| problems.to_string()),
        again.map_err(|problems| problems.to_string()),
        "the same file gives the same result"
    );
}
