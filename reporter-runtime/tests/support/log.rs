//! The log lines of this thread, as data.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex, Once, Weak};

use tracing::field::{Field, Visit};
use tracing::span;
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Metadata, Subscriber};

/// One event: its level, and its fields as `name=value`, the message first.
pub(crate) type Line = (Level, String);

/// Collects what this thread logs until it is dropped.
pub(crate) struct Log {
    lines: Arc<Mutex<Vec<Line>>>,
    _until: DefaultGuard,
}

impl Log {
    /// Collects what is logged at `level` and above.
    pub(crate) fn collect(level: Level) -> Self {
        // A call site that another thread reaches first, just while a collector is registered, could be
        // switched off for good: this one is interested in all of them from the start.
        static INTERESTED: Once = Once::new();
        INTERESTED.call_once(|| {
            let (level, lines) = (Level::TRACE, Weak::new());
            let collector = Collector { level, lines };
            tracing::subscriber::set_global_default(collector).unwrap();
        });
        let lines: Arc<Mutex<Vec<Line>>> = Arc::default();
        let collector = Collector {
            level,
            lines: Arc::downgrade(&lines),
        };
        Self {
            lines,
            _until: tracing::subscriber::set_default(collector),
        }
    }

    /// Takes the lines so far.
    pub(crate) fn take(&self) -> Vec<Line> {
        std::mem::take(&mut self.lines.lock().unwrap())
    }
}

struct Collector {
    level: Level,
    lines: Weak<Mutex<Vec<Line>>>,
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level && metadata.target().starts_with("reporter_runtime")
    }

    fn event(&self, event: &Event<'_>) {
        let Some(lines) = self.lines.upgrade() else {
            return;
        };
        let mut text = Text(String::new());
        event.record(&mut text);
        let line = (*event.metadata().level(), text.0);
        lines.lock().unwrap().push(line);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let written = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
        written.unwrap();
    }
}
