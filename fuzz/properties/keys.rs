//! What must hold for any bytes as a key.

use reporter_core::RevisionKey;

/// Panics if it does not hold.
pub(crate) fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let parsed = text.parse::<RevisionKey>();
    let made = text
        .split_once('/')
        .map(|(namespace, name)| RevisionKey::try_new(namespace, name));
    match &parsed {
        Ok(key) => {
            assert_eq!(key.as_str(), text, "a key is its text");
            assert_eq!(format!("{}/{}", key.namespace(), key.name()), text);
            assert!(text.len() <= 63 + 1 + 253);
            let allowed = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'/');
            assert!(text.bytes().all(allowed));
        }
        Err(error) => {
            let said = error.to_string();
            assert!(said.len() < 1_200, "an error grows with its input: {said}");
            assert!(
                !said.chars().any(char::is_control),
                "it would end a log line: {said:?}"
            );
        }
    }
    match made {
        Some(made) => assert_eq!(made, parsed, "made of parts and parsed, it is the same"),
        None => assert!(parsed.is_err()),
    }
}
