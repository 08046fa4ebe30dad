//! How often a request is sent again if the backend says each time that it did not process it.

use std::time::Duration;

use tokio::time::sleep;

/// High enough for a burst of requests to a backend that accepts only a few per connection.
const MOST: u32 = 20;
/// This many attempts follow without a pause. After that a backend that refuses everything gets time to recover.
const AT_ONCE: u32 = 3;
/// The first pause. Each further one is twice as long.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(250);

/// The failed attempts of one request.
#[derive(Default)]
pub(super) struct Attempts(u32);

impl Attempts {
    /// Waits until the next attempt is due. Returns false if there is none left.
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

/// The pause after `failed` attempts.
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
