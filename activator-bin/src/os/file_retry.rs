//! Pauses before a file that could not be read is retried.

use std::time::Duration;

use tokio::time::sleep;

/// The first pause: longer than a file is missing while it is being replaced.
const FIRST: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(60);

/// Pauses that grow with each failure in a row.
#[derive(Debug, Default)]
pub(crate) struct Pause(Option<Duration>);

impl Pause {
    /// The file could not be read.
    pub(crate) fn on_failure(&mut self) {
        let next = self.0.map_or(FIRST, |pause| (pause * 2).min(LONGEST));
        self.0 = Some(next);
    }

    /// The file could be read, valid or not. Returns whether it could not before.
    pub(crate) fn on_success(&mut self) -> bool {
        self.0.take().is_some()
    }

    /// Waits until it is time to retry; forever if the file has not failed.
    ///
    /// Cancel-safe: the wait starts again.
    pub(crate) async fn over(&self) {
        match self.0 {
            Some(pause) => sleep(pause).await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_restart_after_a_success() {
        let mut pause = Pause::default();
        for milliseconds in [
            250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000,
        ] {
            pause.on_failure();
            assert_eq!(pause.0, Some(Duration::from_millis(milliseconds)));
        }
        assert!(pause.on_success());
        assert_eq!(pause.0, None);
        assert!(!pause.on_success());
        pause.on_failure();
        assert_eq!(pause.0, Some(FIRST));
    }
}
