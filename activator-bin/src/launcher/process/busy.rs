//! Whether an instance is busy although it has no request: its check, and what follows from one that fails.

use std::sync::Arc;
use std::time::Duration;

use super::readiness::get;
use super::supervised::{Supervisors, run};
use crate::launcher::supervisor::order::Order;
use crate::upstream::place::Place;

/// How long a check may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many failed checks in a row count as busy. A check that always fails must not keep an instance forever.
const FAILURES: u32 = 3;

/// How an instance is asked.
#[derive(Debug)]
pub(super) enum Check {
    /// A GET of this path.
    Http(String),
    /// A program, run beside a supervisor of its own.
    Command(Order),
}

impl Check {
    /// Asks once, in bounded time.
    ///
    /// # Errors
    /// Says why there is no answer.
    pub(super) async fn ask(
        &self,
        name: &str,
        places: &[Place],
        supervisors: &Arc<Supervisors>,
    ) -> Result<bool, String> {
        match self {
            Self::Http(path) => {
                for place in places {
                    if get(place, path, PATIENCE).await?.is_success() {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Command(order) => {
                let code = run(supervisors, name, order.clone(), PATIENCE).await?;
                Ok(code == 0)
            }
        }
    }
}

/// What checks have said so far.
#[derive(Debug, Default)]
pub(super) struct Checks {
    failures: u32,
}

impl Checks {
    /// Whether the instance counts as busy. One that cannot be asked does at first.
    pub(super) fn is_busy(&mut self, answer: Option<bool>) -> bool {
        self.failures = match answer {
            Some(_) => 0,
            None => self.failures.saturating_add(1),
        };
        answer.unwrap_or(self.failures <= FAILURES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_checks_count_as_busy_a_few_times_in_a_row() {
        let mut checks = Checks::default();
        let mut check = |answer, expected| assert_eq!(checks.is_busy(answer), expected);
        check(Some(true), true);
        check(Some(false), false);
        for _ in 0..3 {
            check(None, true);
        }
        check(None, false);
        check(None, false);
        check(Some(false), false);
        check(None, true);
    }
}
