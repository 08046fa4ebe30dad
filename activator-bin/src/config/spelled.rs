//! How a setting's value, given as text, is written in the file.

use toml::de::DeTable;

use super::{Config, Settings, Value};

/// The value of a setting as it would be written in the file: without quotes where the setting takes that, for the same.
pub(crate) fn spelled(field: &str, text: &str) -> toml::Value {
    bare(field, text).unwrap_or_else(|| toml::Value::String(text.to_owned()))
}

/// The text as a number, a boolean or a list; `None` if that is not the same value.
fn bare(field: &str, text: &str) -> Option<toml::Value> {
    let line = format!("value = {text}");
    let parsed = DeTable::parse(&line).ok()?;
    let (table, value) = (parsed.get_ref(), parsed.get_ref().get("value")?);
    let read = |value: &Value<'_>| {
        let mut config = Config::default();
        config.apply(field, value)?.ok()?;
        Some(config)
    };
    let as_text = read(&Value::Text(text))?;
    let as_value = read(&Value::Toml(value.get_ref()))?;
    let is_same = table.len() == 1 && !as_text.differs(&as_value, field);
    is_same.then(|| toml::from_str::<toml::Table>(&line).ok()?.remove("value"))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_booleans_are_bare_and_all_else_is_in_quotes() {
        let check = |field: &str, text: &str, expected: &str| {
            assert_eq!(spelled(field, text).to_string(), expected, "{field}");
        };
        check("workers", "4", "4");
        check("admin.write", "true", "true");
        check("pod_name", "true", "\"true\"");
        check("pod_name", "4", "\"4\"");
        check("pod_name", "\"a\"", "'\"a\"'");
        check("pod_name", "a\\b", r"'a\b'");
        check("tls.min_version", "1.3", "\"1.3\"");
        check("limits.max_header_size", "64KiB", "\"64KiB\"");
        check("limits.max_header_size", "65536", "65536");
        check("limits.max_request_body", "off", "\"off\"");
        check(
            "drain_delay",
            "1s\nworkers = 2",
            "\"\"\"\n1s\nworkers = 2\"\"\"",
        );
        check("admin.hosts", "a,b", "\"a,b\"");
    }
}
