//! How often a request is sent to a backend that says each time that it has not looked at it.

use std::time::Duration;

use tokio::time::sleep;

/// A backend that takes a few requests per connection leaves those of a burst for the next ones.
const MOST: u32 = 20;
/// So many follow at once. Then a backend that refuses everything gets the time to change its mind.
const AT_ONCE: u32 = 3;
/// The first pause; each is twice as long as the one before.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(250);

/// Those of one request that have failed.
#[derive(Default)]
pub(super) struct Attempts(u32);

impl Attempts {
    /// Waits for the time of the next one; false when there is none.
    ///
    /// Cancel-safe.
    pub(super) async fn pause(&mut self) -> bool {
        self.0 += 1;
        if self.0 == MOST {
            return false;
        }
        if let Some(pause) = pause(self.0) {
            sleep(pause).await;
        }
        true
    }
}

/// That behind so many attempts.
fn pause(failed: u32) -> Option<Duration> {
    let doubled = failed.checked_sub(AT_ONCE)?;
    Some(LONGEST.min(SHORTEST * 2_u32.saturating_pow(doubled)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_begin_late_and_grow_up_to_a_bound() {
        let ms = |failed| pause(failed).map(|pause| pause.as_millis());
        assert_eq!((ms(1), ms(2), ms(3), ms(4)), (None, None, Some(1), Some(2)));
        assert_eq!(
            (ms(10), ms(11), ms(MOST)),
            (Some(128), Some(250), Some(250))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_end() {
        let mut attempts = Attempts::default();
        let mut made = 1;
        while attempts.pause().await {
            made += 1;
        }
        assert_eq!(made, MOST);
    }
}
