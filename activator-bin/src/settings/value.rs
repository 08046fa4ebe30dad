//! A value as it was written, and the checks that parse it. Their errors say what was expected.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reporter_core::RevisionKey;
use serde_json::Value as Json;
use toml::de::DeValue;

use super::spelling::{nearest, quoted};

/// A value as it was written.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// From the environment, a flag or a default.
    Text(&'a str),
    /// From the file.
    Toml(&'a DeValue<'a>),
    /// From a request to the admin port.
    Json(&'a Json),
}

impl Value<'_> {
    /// A non-empty string without control characters.
    pub(crate) fn text(&self) -> Result<String, String> {
        let text = self.string("a string in quotes")?;
        if text.is_empty() || text.contains(char::is_control) {
            return Err(self.instead_of("a non-empty string without control characters"));
        }
        Ok(text.to_owned())
    }

    /// A path.
    pub(crate) fn path(&self) -> Result<PathBuf, String> {
        self.text().map(PathBuf::from)
    }

    /// A path, or `None` for standard output.
    pub(crate) fn path_or_stdout(&self) -> Result<Option<PathBuf>, String> {
        let path = self.path()?;
        Ok((path != Path::new("-")).then_some(path))
    }

    /// What `read` returns for it.
    pub(crate) fn by<T>(&self, read: fn(&Self) -> Result<T, String>) -> Result<T, String> {
        read(self)
    }

    /// One of the names in `choices`.
    pub(crate) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, String> {
        let names = || choices.iter().map(|(name, _)| *name);
        let find = |text: &str| choices.iter().find(|(name, _)| *name == text);
        // The text of the error only when there is one: a file may have hundreds of thousands of choices.
        if let Some((_, choice)) = self.string("").ok().and_then(find) {
            return Ok(*choice);
        }
        let quoted: Vec<_> = names().map(|name| format!("{name:?}")).collect();
        let expected = quoted.join(" or ");
        let text = self.string(&expected)?;
        let hint = nearest(text, names()).map(|near| format!("; did you mean {near:?}?"));
        Err(self.instead_of(&expected) + &hint.unwrap_or_default())
    }

    /// A whole number in `range`.
    pub(crate) fn whole<T: TryFrom<u64>>(&self, range: RangeInclusive<u64>) -> Result<T, String> {
        let number = self.natural().filter(|it| range.contains(it));
        let number = number.and_then(|number| number.try_into().ok());
        number.ok_or_else(|| {
            let (min, max) = range.into_inner();
            self.instead_of(&format!("a whole number from {min} to {max}"))
        })
    }

    fn natural(&self) -> Option<u64> {
        match self {
            Self::Text(text) => text.trim().parse().ok(),
            Self::Toml(DeValue::Integer(number)) => {
                u64::from_str_radix(number.as_str(), number.radix()).ok()
            }
            Self::Json(Json::Number(number)) => number.as_u64(),
            Self::Toml(_) | Self::Json(_) => None,
        }
    }

    /// A number of bytes in `range`, with or without a unit.
    pub(crate) fn size<T: TryFrom<u64>>(&self, range: RangeInclusive<&str>) -> Result<T, String> {
        let (min, max) = range.into_inner();
        let limit = |text| bytes(text).expect("the limits are literals");
        let size = match self.string("") {
            Ok(text) => bytes(text.trim()),
            Err(_) => self.natural(),
        };
        let size = size.filter(|size| (limit(min)..=limit(max)).contains(size));
        let size = size.and_then(|size| size.try_into().ok());
        size.ok_or_else(|| self.instead_of(&format!("a number of bytes, {min:?} to {max:?}")))
    }

    /// Like `size`, or `None` for `off`.
    pub(crate) fn size_or_off<T: TryFrom<u64>>(
        &self,
        range: RangeInclusive<&str>,
    ) -> Result<Option<T>, String> {
        self.unless_off(|value| value.size(range))
    }

    /// A boolean.
    pub(crate) fn truth(&self) -> Result<bool, String> {
        let truth = match self {
            Self::Text(text) => text.trim().parse().ok(),
            Self::Toml(DeValue::Boolean(truth)) | Self::Json(Json::Bool(truth)) => Some(*truth),
            Self::Toml(_) | Self::Json(_) => None,
        };
        truth.ok_or_else(|| self.instead_of("true or false"))
    }

    /// A number in `range`, with or without a fraction.
    pub(crate) fn number(&self, range: RangeInclusive<f64>) -> Result<f64, String> {
        let number = match self {
            Self::Text(text) => text.trim().parse().ok(),
            Self::Toml(DeValue::Integer(number)) => number.as_str().parse().ok(),
            Self::Toml(DeValue::Float(number)) => number.as_str().parse().ok(),
            Self::Toml(_) | Self::Json(_) => None,
        };
        number.filter(|it| range.contains(it)).ok_or_else(|| {
            let (min, max) = range.into_inner();
            self.instead_of(&format!("a number from {min} to {max}"))
        })
    }

    /// A duration in `range`, with a unit.
    pub(crate) fn duration(&self, range: RangeInclusive<&str>) -> Result<Duration, String> {
        let (min, max) = range.into_inner();
        let limit = |text| humantime::parse_duration(text).expect("the limits are literals");
        let expected = format!("a duration with its unit, {min:?} to {max:?}");
        humantime::parse_duration(self.string(&expected)?.trim())
            .ok()
            .filter(|duration| (limit(min)..=limit(max)).contains(duration))
            .ok_or_else(|| self.instead_of(&expected))
    }

    /// An IP address and a port.
    pub(crate) fn address(&self) -> Result<SocketAddr, String> {
        let text = self
            .string("an IP address and a port, like \"127.0.0.1:8012\"")?
            .trim();
        text.parse().map_err(|_| wrong_address(text))
    }

    /// An IP address.
    pub(crate) fn ip(&self) -> Result<IpAddr, String> {
        let expected = "an IP address, like \"10.0.0.1\"";
        let text = self.string(expected)?.trim();
        text.parse().map_err(|_| self.instead_of(expected))
    }

    /// Like `address`, or `None` for `off`.
    pub(crate) fn address_or_off(&self) -> Result<Option<SocketAddr>, String> {
        self.unless_off(Self::address)
    }

    fn unless_off<T>(
        &self,
        read: impl FnOnce(&Self) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        match self.string("") {
            Ok(text) if text.trim() == "off" => Ok(None),
            _ => read(self).map(Some),
        }
    }

    /// A DNS name (RFC 1123 subdomain).
    pub(crate) fn dns_name(&self) -> Result<String, String> {
        let text = self.string("a name in quotes")?;
        match RevisionKey::try_new("namespace", text) {
            Ok(_) => Ok(text.to_owned()),
            Err(error) => Err(error.to_string().replacen("name ", "", 1)),
        }
    }

    /// DNS names, in a list or separated by commas. Returned in lower case and without the trailing dot.
    pub(crate) fn host_names(&self) -> Result<Vec<String>, String> {
        let expected = "host names, like [\"activator.example\"]";
        self.list(expected, |text| {
            let name = text.trim().to_ascii_lowercase();
            let name = name.strip_suffix('.').unwrap_or(&name);
            Value::Text(name).dns_name()
        })
    }

    /// Any of the names in `choices`, in a list or separated by commas, each at most once. Empty names are ignored, as
    /// Knative does.
    pub(crate) fn choices<T: Copy + PartialEq>(
        &self,
        choices: &[(&str, T)],
    ) -> Result<Vec<T>, String> {
        let expected = "one or more names, like [\"A\", \"B\"] or \"A,B\"";
        let read = self.list(expected, |text| match text.trim() {
            "" => Ok(None),
            name => Value::Text(name).choice(choices).map(Some),
        })?;
        let mut chosen = Vec::new();
        for choice in read.into_iter().flatten() {
            if !chosen.contains(&choice) {
                chosen.push(choice);
            }
        }
        if chosen.is_empty() {
            return Err(self.instead_of(expected));
        }
        Ok(chosen)
    }

    /// What `read` returns for the items of a list, or of a string with commas.
    pub(crate) fn list<T>(
        &self,
        expected: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        match self {
            Self::Toml(DeValue::Array(list)) => list
                .iter()
                .map(|item| read(Value::Toml(item.get_ref()).string(expected)?))
                .collect(),
            Self::Json(Json::Array(list)) => list
                .iter()
                .map(|item| read(Value::Json(item).string(expected)?))
                .collect(),
            value => value.string(expected)?.split(',').map(read).collect(),
        }
    }

    /// Any string.
    pub(crate) fn string(&self, expected: &str) -> Result<&str, String> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Toml(DeValue::String(text)) => Ok(text),
            Self::Json(Json::String(text)) => Ok(text),
            Self::Toml(_) | Self::Json(_) => Err(self.instead_of(expected)),
        }
    }

    /// The message for a value that is not as expected.
    pub(crate) fn instead_of(&self, expected: &str) -> String {
        let found = match self {
            Self::Text(text) => quoted(text),
            Self::Toml(DeValue::String(text)) => quoted(text),
            Self::Toml(DeValue::Boolean(value)) => value.to_string(),
            Self::Toml(DeValue::Integer(number)) => quoted(&number.to_string()).replace('"', ""),
            Self::Toml(DeValue::Float(number)) => quoted(number.as_str()).replace('"', ""),
            Self::Toml(DeValue::Datetime(_)) => "a date or time".to_owned(),
            Self::Toml(DeValue::Array(_)) | Self::Json(Json::Array(_)) => "a list".to_owned(),
            Self::Toml(DeValue::Table(_)) => "a section".to_owned(),
            Self::Json(Json::String(text)) => quoted(text),
            Self::Json(Json::Object(_)) => "an object".to_owned(),
            Self::Json(plain @ (Json::Null | Json::Bool(_) | Json::Number(_))) => plain.to_string(),
        };
        format!("expected {expected}, found {found}")
    }
}

/// Parses a size like `64KiB`.
fn bytes(text: &str) -> Option<u64> {
    const UNITS: [(&str, u32); 4] = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];
    let (number, shift) = UNITS
        .iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, *shift)))
        .unwrap_or((text, 0));
    let number: u64 = number.trim_end().parse().ok()?;
    number.checked_mul(1 << shift)
}

/// Why a text is not an address: people write host names, or leave out one half.
fn wrong_address(text: &str) -> String {
    let found = quoted(text);
    if text.parse::<std::net::Ipv6Addr>().is_ok() {
        return format!("{found} has no port; write \"[{text}]:8012\"");
    }
    if text.parse::<IpAddr>().is_ok() {
        return format!("{found} has no port; write \"{text}:8012\"");
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return format!(
            "expected an IP address and a port, like \"127.0.0.1:8012\", found {found}"
        );
    };
    let Ok(port) = port.parse::<u16>() else {
        return format!("{found} has no port from 0 to 65535 after its last ':'");
    };
    if host.is_empty() {
        return format!("{found} has no IP address; \"0.0.0.0:{port}\" is every interface");
    }
    format!(
        "{found} has no IP address (names are not looked up); write one, like \"127.0.0.1:{port}\""
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, &str>) {
        let found = Value::Text(text).address();
        let found = found.map(|address| address.to_string());
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{text}");
    }

    #[test]
    fn an_address_is_an_ip_address_and_a_port() {
        check("127.0.0.1:0", Ok("127.0.0.1:0"));
        check(" [::1]:8012 ", Ok("[::1]:8012"));
        check(
            "localhost:8012",
            Err(
                "\"localhost:8012\" has no IP address (names are not looked up); write one, like \"127.0.0.1:8012\"",
            ),
        );
        check("::1", Err("\"::1\" has no port; write \"[::1]:8012\""));
        check(
            "10.0.0.1",
            Err("\"10.0.0.1\" has no port; write \"10.0.0.1:8012\""),
        );
        check(
            ":8012",
            Err("\":8012\" has no IP address; \"0.0.0.0:8012\" is every interface"),
        );
        check(
            "10.0.0.1:65536",
            Err("\"10.0.0.1:65536\" has no port from 0 to 65535 after its last ':'"),
        );
        check(
            "8012",
            Err("expected an IP address and a port, like \"127.0.0.1:8012\", found \"8012\""),
        );
    }

    #[test]
    fn a_size_is_a_number_of_bytes_with_or_without_a_binary_unit() {
        let check = |text: &str, expected: Option<u64>| {
            let found = Value::Text(text).size("1KiB"..="1TiB");
            assert_eq!(found.ok(), expected, "{text:?}");
        };
        check("1024", Some(1_024));
        check(" 64KiB ", Some(64 << 10));
        check("3 MiB", Some(3 << 20));
        check("1TiB", Some(1 << 40));
        for bad in [
            "1023",
            "1025GiB",
            "KiB",
            "",
            "-1KiB",
            "1.5MiB",
            "1kB",
            "99999999999999TiB",
        ] {
            check(bad, None);
        }
        assert_eq!(Value::Text("64KiB").size::<u8>("1KiB"..="1TiB").ok(), None);
    }

    #[test]
    fn a_text_of_any_length_is_quoted_at_a_readable_length() {
        let long = "x".repeat(1 << 20);
        let message = Value::Text(&long).whole::<u8>(1..=2).unwrap_err();
        assert!(message.len() < 200, "{message}");
    }
}
