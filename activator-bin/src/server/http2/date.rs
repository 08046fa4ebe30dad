//! The `Date` header of responses without one (RFC 9110, 6.6.1), formatted at most once per second.

use std::cell::{Cell, RefCell};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderValue;
use httpdate::fmt_http_date;

/// One worker's cached date.
#[derive(Default)]
pub(in crate::server) struct Date {
    second: Cell<u64>,
    text: RefCell<Option<HeaderValue>>,
}

impl Date {
    /// The header value for `now`.
    pub(super) fn at(&self, now: SystemTime) -> HeaderValue {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut text = self.text.borrow_mut();
        match &*text {
            Some(text) if self.second.get() == since => text.clone(),
            _ => {
                self.second.set(since);
                let date = fmt_http_date(UNIX_EPOCH + Duration::from_secs(since));
                let date = HeaderValue::try_from(date).expect("a date is visible ASCII");
                text.insert(date).clone()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_follows_the_clock_in_both_directions() {
        let date = Date::default();
        for (seconds, text) in [
            (784_111_777.0, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (784_111_777.9, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (784_111_778.0, "Sun, 06 Nov 1994 08:49:38 GMT"),
            (784_111_777.0, "Sun, 06 Nov 1994 08:49:37 GMT"),
        ] {
            let now = UNIX_EPOCH + Duration::from_secs_f64(seconds);
            assert_eq!(date.at(now), text);
        }
    }
}
