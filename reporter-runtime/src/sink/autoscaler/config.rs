//! What the sink is told: its numbers, each with its default and range, and what is said of one outside its range.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::endpoint::Endpoint;
use super::tls::Tls;

/// Declares [`AutoscalerConfig`]: its fields that are numbers, and the table of them. The first line of a doc is the
/// help.
macro_rules! config {
    ($(
        #[doc = $help:literal] $(#[doc = $doc:literal])*
        $field:ident: $type:ty = $default:literal, $kind:ident($least:literal..=$most:literal);
    )*) => {
        /// How to reach the autoscaler, and how long to wait for what.
        #[derive(Clone, Debug, PartialEq)]
        pub struct AutoscalerConfig {
            /// `ws://host[:port][/path]` or `wss://..`.
            pub url: String,
            /// For `wss://`: a PEM file with the certificates to trust instead of the system's. Read again
            /// for each connection, so a new one needs no restart.
            pub ca_file: Option<PathBuf>,
            $(
                #[doc = $help] $(#[doc = $doc])*
                #[doc = concat!("\nDefault ", $default, ", range ", $least, " to ", $most, ".")]
                pub $field: $type,
            )*
        }

        impl AutoscalerConfig {
            /// Its numbers, for programs that let operators set them.
            pub const NUMBERS: &'static [AutoscalerNumber] = &[$(AutoscalerNumber {
                field: stringify!($field),
                help: $help.trim_ascii(),
                default: $default,
                slot: |config| Slot::$kind(&mut config.$field, $least..=$most),
            }),*];

            /// The defaults, which are those of Knative's own activator where it has any.
            #[must_use]
            pub fn new(url: impl Into<String>) -> Self {
                let mut config = Self { url: url.into(), ca_file: None, $($field: <$type>::default()),* };
                for number in Self::NUMBERS {
                    (number.slot)(&mut config).set(number.default);
                }
                config
            }
        }
    };
}

config! {
    /// How long connecting may take, handshakes included.
    /// It begins with looking the host up.
    handshake_timeout: Duration = "3s", Duration("10ms"..="1m");
    /// How often an idle link is pinged.
    ping_interval: Duration = "3333ms", Duration("10ms"..="5m");
    /// How long the link may go without a pong before it is closed.
    /// Any other frame that is confirmed counts as well.
    pong_timeout: Duration = "10s", Duration("10ms"..="10m");
    /// How long writing a frame may take before the link is closed.
    write_timeout: Duration = "5s", Duration("10ms"..="10m");
    /// The pause before the second attempt to connect; later ones are longer.
    backoff: Duration = "100ms", Duration("1ms"..="1m");
    /// The factor by which each pause grows.
    backoff_factor: f64 = "1.3", Factor(1.0..=10.0);
    /// The random part added to each pause, as a fraction of it.
    backoff_jitter: f64 = "0.5", Factor(0.0..=1.0);
    /// The longest pause, before the random part is added.
    /// `backoff` at least. With the default jitter a receiver that is back is found within three quarters of a second,
    /// so within a period.
    backoff_max: Duration = "500ms", Duration("1ms"..="10m");
    /// The most messages per frame.
    /// A message takes up to 350 bytes and the pod's name, and common receivers refuse frames of more than 1 MiB.
    max_frame_messages: usize = "1000", Count(1..=10_000);
    /// The most unconfirmed frames; later reports wait, merged per revision.
    max_unconfirmed_frames: usize = "32", Count(1..=1_024);
    /// How long the sink may flush at shutdown.
    /// It gives up when nine tenths of that have passed, so that it can still say what it could not deliver.
    flush_timeout: Duration = "5s", Duration("10ms"..="1h");
}

/// A number of [`AutoscalerConfig`].
#[derive(Clone, Copy, Debug)]
pub struct AutoscalerNumber {
    /// The field's name.
    pub field: &'static str,
    /// What it is for, in one sentence.
    pub help: &'static str,
    /// Its default: `500ms`.
    pub default: &'static str,
    /// The field and its range.
    pub slot: fn(&mut AutoscalerConfig) -> Slot<'_>,
}

/// A field that is a number, and its range.
#[derive(Debug)]
pub enum Slot<'a> {
    /// A time; its range is written with units, `10ms` to `1m`.
    Duration(&'a mut Duration, RangeInclusive<&'static str>),
    /// A number with a fraction.
    Factor(&'a mut f64, RangeInclusive<f64>),
    /// A whole number.
    Count(&'a mut usize, RangeInclusive<u64>),
}

/// Every field that is out of its range.
///
/// ```
/// use std::time::Duration;
///
/// use reporter_runtime::sink::autoscaler::{AutoscalerConfig, AutoscalerSink};
///
/// let mut config = AutoscalerConfig::new("ws://127.0.0.1:8080");
/// config.ping_interval = Duration::ZERO;
/// config.max_frame_messages = 20_000;
/// let sink = AutoscalerSink::try_new("autoscaler", "proxy-0", config);
/// let invalid = sink.err().expect("two fields are out of range");
/// assert!(invalid.fields.iter().map(|it| it.field).eq(["ping_interval", "max_frame_messages"]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct InvalidAutoscalerConfig {
    /// At least one.
    pub fields: Vec<InvalidField>,
}

/// One field that is out of its range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} = {value}: {problem}")]
pub struct InvalidField {
    /// Its name, as in [`AutoscalerConfig`].
    pub field: &'static str,
    /// What it was set to.
    pub value: String,
    /// What is wrong, or what would be right.
    pub problem: String,
}

impl fmt::Display for InvalidAutoscalerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, field) in self.fields.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{field}")?;
        }
        Ok(())
    }
}

impl AutoscalerConfig {
    /// The fields that do not fit another one.
    #[must_use]
    pub fn conflicts(&self) -> Vec<InvalidField> {
        let mut conflicts = Vec::new();
        if self.ca_file.is_some() && !self.url.starts_with("wss:") {
            conflicts.push(InvalidField::new(
                "ca_file",
                format!("{:?}", self.ca_file.as_deref().unwrap_or("".as_ref())),
                "is of no use without TLS; give a wss:// url",
            ));
        }
        if self.backoff_max < self.backoff {
            let value = humantime::format_duration(self.backoff_max).to_string();
            conflicts.push(InvalidField::new(
                "backoff_max",
                value,
                "is shorter than backoff",
            ));
        }
        conflicts
    }

    /// Checks every field, and returns what was made of the url and of the file, which is read.
    pub(super) fn parse(&self) -> Result<(Endpoint, Option<Tls>), InvalidAutoscalerConfig> {
        let endpoint = Endpoint::parse(&self.url)
            .map_err(|error| InvalidField::new("url", format!("{:?}", self.url), error));
        let tls = match &endpoint {
            Ok(endpoint) if endpoint.tls => Tls::try_new(self.ca_file.clone()).map(Some),
            _ => Ok(None),
        };
        let tls = tls.map_err(|error| {
            let file = self.ca_file.as_deref().unwrap_or("".as_ref());
            InvalidField::new("ca_file", format!("{file:?}"), error)
        });
        let mut numbers = self.clone();
        let outside = Self::NUMBERS.iter().filter_map(|number| {
            let slot = (number.slot)(&mut numbers);
            let problem = slot.problem()?;
            Some(InvalidField::new(number.field, slot, problem))
        });
        let wrong: Vec<_> = outside.chain(self.conflicts()).collect();
        match (endpoint, tls) {
            (Ok(endpoint), Ok(tls)) if wrong.is_empty() => Ok((endpoint, tls)),
            (endpoint, tls) => Err(InvalidAutoscalerConfig {
                fields: endpoint
                    .err()
                    .into_iter()
                    .chain(tls.err())
                    .chain(wrong)
                    .collect(),
            }),
        }
    }
}

impl InvalidField {
    fn new(field: &'static str, value: impl fmt::Display, problem: impl fmt::Display) -> Self {
        Self {
            field,
            value: value.to_string(),
            problem: problem.to_string(),
        }
    }
}

impl Slot<'_> {
    fn set(self, text: &str) {
        const GOOD: &str = "a default is of its field's type";
        match self {
            Self::Duration(slot, _) => *slot = duration(text),
            Self::Factor(slot, _) => *slot = text.parse().expect(GOOD),
            Self::Count(slot, _) => *slot = text.parse().expect(GOOD),
        }
    }

    /// What would be right when the value is not in its range.
    fn problem(&self) -> Option<String> {
        // Not a number is in no range.
        let (is_right, least, most): (_, &dyn fmt::Display, &dyn fmt::Display) = match self {
            Self::Duration(value, range) => {
                let times = duration(range.start())..=duration(range.end());
                (times.contains(*value), range.start(), range.end())
            }
            Self::Factor(value, range) => (range.contains(*value), range.start(), range.end()),
            Self::Count(value, range) => {
                let is_right = range.contains(&(**value as u64));
                (is_right, range.start(), range.end())
            }
        };
        (!is_right).then(|| format!("must be {least} to {most}"))
    }
}

impl fmt::Display for Slot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duration(value, _) => humantime::format_duration(**value).fmt(f),
            Self::Factor(value, _) => value.fmt(f),
            Self::Count(value, _) => value.fmt(f),
        }
    }
}

/// A time of the table.
fn duration(text: &str) -> Duration {
    humantime::parse_duration(text).expect("it is a literal with its unit")
}
