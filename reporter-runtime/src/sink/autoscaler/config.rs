//! What the sink is told: its numbers, the range of each, and what is said of one outside its range.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::endpoint::Endpoint;
use super::tls::Tls;

/// How to reach the autoscaler, and how long to wait for what.
///
/// All ranges include their ends.
#[derive(Clone, Debug, PartialEq)]
pub struct AutoscalerConfig {
    /// `ws://host[:port][/path]` or `wss://..`.
    pub url: String,
    /// For `wss://`: a PEM file with the certificates to trust instead of the system's. Read again
    /// for each connection, so a new one needs no restart.
    pub ca_file: Option<PathBuf>,
    /// From looking the host up to the end of the WebSocket handshake; 3 s by default, 10 ms to 1 min.
    pub handshake_timeout: Duration,
    /// A link on which nothing was sent for that long is pinged; 10/3 s by default, 10 ms to 5 min.
    pub ping_interval: Duration,
    /// A link is dead when a ping has no answer for that long and nothing else was confirmed either;
    /// 10 s by default, 10 ms to 10 min.
    pub pong_timeout: Duration,
    /// A link is dead when it does not take a frame within that time; 5 s by default, 10 ms to 10 min.
    pub write_timeout: Duration,
    /// The wait before the second try to connect; 100 ms by default, 1 ms to 1 min.
    pub backoff: Duration,
    /// How much longer each further wait is; 1.3 by default, 1 to 10.
    pub backoff_factor: f64,
    /// Each wait is drawn out by a random part of up to that many times itself; 0.5 by default, 0 to 1.
    pub backoff_jitter: f64,
    /// The longest wait before jitter; 500 ms by default, `backoff` to 10 min. With the default jitter
    /// a receiver that is back is found within three quarters of a second, so within a period.
    pub backoff_max: Duration,
    /// The most messages in one frame; 1,000 by default, 1 to 10,000. A message takes up to 350 bytes
    /// and the pod's name, and common receivers refuse frames of more than 1 MiB.
    pub max_frame_messages: usize,
    /// The most frames that are sent and not confirmed; 32 by default, 1 to 1,024. Behind them,
    /// messages wait merged per key.
    pub max_unconfirmed_frames: usize,
    /// The reporter's flush time-out; 5 s by default, 10 ms to 1 h. The sink gives up when nine
    /// tenths of it have passed, so that it can still say what it could not deliver.
    pub flush_timeout: Duration,
}

/// Every field that is out of its range.
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
    /// The defaults, which are those of Knative's own activator where it has any.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            ca_file: None,
            handshake_timeout: Duration::from_secs(3),
            ping_interval: Duration::from_secs(10) / 3,
            pong_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(5),
            backoff: Duration::from_millis(100),
            backoff_factor: 1.3,
            backoff_jitter: 0.5,
            backoff_max: Duration::from_millis(500),
            max_frame_messages: 1_000,
            max_unconfirmed_frames: 32,
            flush_timeout: Duration::from_secs(5),
        }
    }

    /// Checks every field. Reads the files that it names.
    ///
    /// # Errors
    /// Names all fields that are out of their ranges.
    pub fn validate(&self) -> Result<(), InvalidAutoscalerConfig> {
        self.parse().map(|_| ())
    }

    /// The same, and answers what was made of the fields that are text.
    pub(super) fn parse(&self) -> Result<(Endpoint, Option<Tls>), InvalidAutoscalerConfig> {
        let mut check = Check { fields: Vec::new() };
        let endpoint = Endpoint::parse(&self.url)
            .map_err(|problem| check.wrong("url", format!("{:?}", self.url), problem))
            .ok();
        let tls = match (&endpoint, &self.ca_file) {
            (Some(endpoint), Some(file)) if !endpoint.tls => {
                let problem = "is only for a url with wss://";
                check.wrong("ca_file", format!("{file:?}"), problem);
                None
            }
            (Some(endpoint), file) if endpoint.tls => {
                let value = format!("{:?}", file.as_deref().unwrap_or("".as_ref()));
                Tls::try_new(file.clone())
                    .map_err(|error| check.wrong("ca_file", value, error))
                    .ok()
            }
            _ => None,
        };
        let (ms, s) = (Duration::from_millis, Duration::from_secs);
        check.duration("handshake_timeout", self.handshake_timeout, ms(10), s(60));
        check.duration("ping_interval", self.ping_interval, ms(10), s(300));
        check.duration("pong_timeout", self.pong_timeout, ms(10), s(600));
        check.duration("write_timeout", self.write_timeout, ms(10), s(600));
        check.duration("backoff", self.backoff, ms(1), s(60));
        check.number("backoff_factor", self.backoff_factor, 1.0, 10.0);
        check.number("backoff_jitter", self.backoff_jitter, 0.0, 1.0);
        check.duration("backoff_max", self.backoff_max, self.backoff, s(600));
        check.number("max_frame_messages", self.max_frame_messages, 1, 10_000);
        let window = self.max_unconfirmed_frames;
        check.number("max_unconfirmed_frames", window, 1, 1_024);
        check.duration("flush_timeout", self.flush_timeout, ms(10), s(3_600));
        match (endpoint, check.fields) {
            (Some(endpoint), fields) if fields.is_empty() => Ok((endpoint, tls)),
            (_, fields) => Err(InvalidAutoscalerConfig { fields }),
        }
    }
}

struct Check {
    fields: Vec<InvalidField>,
}

impl Check {
    fn wrong(&mut self, field: &'static str, value: String, problem: impl fmt::Display) {
        let problem = problem.to_string();
        self.fields.push(InvalidField {
            field,
            value,
            problem,
        });
    }

    fn duration(&mut self, field: &'static str, value: Duration, least: Duration, most: Duration) {
        if !(least..=most).contains(&value) {
            let text = |duration| humantime::format_duration(duration).to_string();
            let problem = format!("must be {} to {}", text(least), text(most));
            self.wrong(field, text(value), problem);
        }
    }

    fn number<N: Copy + PartialOrd + fmt::Display>(
        &mut self,
        field: &'static str,
        value: N,
        least: N,
        most: N,
    ) {
        // Not a number is in no range.
        if !(least..=most).contains(&value) {
            let problem = format!("must be {least} to {most}");
            self.wrong(field, value.to_string(), problem);
        }
    }
}
