//! How often the service manager wants to hear from this process (`sd_watchdog_enabled(3)`).

use std::env;
use std::ffi::OsStr;
use std::time::Duration;

/// The most that is waited between two notifications, and the least.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
const SHORTEST: Duration = Duration::from_millis(1);

/// The value of a variable is not what the service manager would set.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("WATCHDOG_USEC={0:?}: expected a number of microseconds above 0")]
pub(crate) struct BadTimeout(String);

/// The time after which the service manager acts if it hears nothing from this process; `None` if it does not.
///
/// # Errors
/// It says something that is no time.
pub(crate) fn from_environment() -> Result<Option<Duration>, BadTimeout> {
    let (usec, pid) = (env::var_os("WATCHDOG_USEC"), env::var_os("WATCHDOG_PID"));
    timeout(usec.as_deref(), pid.as_deref(), std::process::id())
}

/// The time after which the service manager acts if it hears nothing, by `WATCHDOG_USEC` and `WATCHDOG_PID`; `None` if it
/// does not watch the process `own`.
fn timeout(
    timeout: Option<&OsStr>,
    process: Option<&OsStr>,
    own: u32,
) -> Result<Option<Duration>, BadTimeout> {
    let Some(timeout) = timeout.filter(|it| !it.is_empty()) else {
        return Ok(None);
    };
    let is_own = |pid: &OsStr| pid.to_str().and_then(|pid| pid.parse().ok()) == Some(own);
    if process.is_some_and(|pid| !is_own(pid)) {
        return Ok(None);
    }
    match timeout.to_str().and_then(|it| it.parse::<u64>().ok()) {
        Some(microseconds @ 1..) => Ok(Some(Duration::from_micros(microseconds))),
        _ => Err(BadTimeout(timeout.to_string_lossy().into_owned())),
    }
}

/// The pause between two notifications for a timeout.
pub(crate) fn pause(timeout: Duration) -> Duration {
    (timeout / 2).clamp(SHORTEST, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_timeout_for_this_process_counts() {
        let check = |usec: Option<&str>, pid: Option<&str>, expected| {
            let found = timeout(usec.map(OsStr::new), pid.map(OsStr::new), 42);
            assert_eq!(found, expected, "{usec:?} {pid:?}");
        };
        let seconds = |seconds| Ok(Some(Duration::from_secs(seconds)));
        check(None, None, Ok(None));
        check(Some(""), None, Ok(None));
        check(Some("30000000"), None, seconds(30));
        check(Some("30000000"), Some("42"), seconds(30));
        check(Some("30000000"), Some("43"), Ok(None));
        check(Some("30000000"), Some("x"), Ok(None));
        for bad in ["0", "-1", "1s", "18446744073709551616"] {
            check(Some(bad), Some("42"), Err(BadTimeout(bad.to_owned())));
            check(Some(bad), Some("43"), Ok(None));
        }
    }

    #[test]
    fn pauses_are_half_of_any_timeout_within_bounds() {
        assert_eq!(pause(Duration::from_secs(30)), Duration::from_secs(15));
        assert_eq!(pause(Duration::from_micros(1)), SHORTEST);
        assert_eq!(pause(Duration::from_micros(u64::MAX)), LONGEST);
    }
}
