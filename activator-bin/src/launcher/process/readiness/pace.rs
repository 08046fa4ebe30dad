//! How often an instance is asked, and how long it may take. Pure.

use std::time::Duration;

/// The pause before the next attempt, this long after the first one: a program that is ready soon is found at once, one
/// that loads a model for minutes is left in peace. One that responds has work with each attempt, and logs it.
pub(super) fn pause(elapsed: Duration, has_responded: bool) -> Duration {
    let ms = match elapsed.as_secs() {
        0..3 if has_responded => 20,
        0..3 => 5,
        3..60 => 50,
        _ => 250,
    };
    Duration::from_millis(ms)
}

/// How long the attempt of this number may take. It grows, since some programs take long for their first response.
pub(super) fn patience(attempt: u32) -> Duration {
    Duration::from_millis(500 << attempt.min(5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_often_at_first_and_given_ever_more_time() {
        let pauses = |has_responded| {
            [0, 2, 3, 59, 60, 3600]
                .map(|secs| pause(Duration::from_secs(secs), has_responded).as_millis())
        };
        assert_eq!(pauses(false), [5, 5, 50, 50, 250, 250]);
        assert_eq!(pauses(true), [20, 20, 50, 50, 250, 250]);
        let patience = [0, 1, 5, u32::MAX].map(|attempt| patience(attempt).as_millis());
        assert_eq!(patience, [500, 1000, 16_000, 16_000]);
    }
}
