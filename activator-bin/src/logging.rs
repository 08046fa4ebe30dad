//! Where log lines go and how they look: standard error, as text for people or as JSON for programs.

use std::io::IsTerminal;

use tracing::Level;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

use crate::config::{LogConfig, LogFormat};

/// Starts logging for the whole process. A second call changes nothing.
pub fn start(config: &LogConfig) {
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match config.format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // Any client can make h2 warn, as often as it likes.
    let (filter, h2) = (config.filter.clone(), "h2");
    let is_asked = filter.would_enable(h2, &Level::DEBUG) || !filter.would_enable(h2, &Level::WARN);
    let filter = match is_asked {
        true => filter,
        false => filter.with_target(h2, LevelFilter::ERROR),
    };
    // Fails only when there is a subscriber already, and then that one has the say.
    let _ = registry().with(lines.with_filter(filter)).try_init();
}
