//! Asks an instance whether it is ready, until it is.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

mod ask;
mod pace;

use crate::revision::launch::Ready;
use crate::upstream::place::Place;
pub(super) use ask::{connect, get};
use pace::{patience, pause};

/// Returns once all places are ready. What is wrong with one is kept in `problem` meanwhile.
pub(super) async fn until_ready(path: Option<&str>, places: &[Place], problem: &Mutex<String>) {
    let start = Instant::now();
    for place in places {
        let mut attempt = 0;
        while let Err(Problem { why, has_responded }) = ask(path, place, patience(attempt)).await {
            *problem.lock() = why;
            attempt += 1;
            sleep(pause(start.elapsed(), has_responded)).await;
        }
    }
}

/// The path that is asked; `None` if a connection is enough.
pub(super) fn path(ready: &Ready) -> Option<&str> {
    match ready {
        Ready::Http(path) => Some(path),
        Ready::Tcp | Ready::Notify => None,
    }
}

/// Why one is not ready.
struct Problem {
    why: String,
    /// It has said so itself.
    has_responded: bool,
}

impl From<String> for Problem {
    fn from(why: String) -> Self {
        Self {
            why,
            has_responded: false,
        }
    }
}

async fn ask(path: Option<&str>, place: &Place, patience: Duration) -> Result<(), Problem> {
    let Some(path) = path else {
        connect(place, patience).await?;
        return Ok(());
    };
    let status = get(place, path, patience).await?;
    if (200..400).contains(&status.as_u16()) {
        return Ok(());
    }
    Err(Problem {
        why: format!("GET {path} is answered with status {}", status.as_u16()),
        has_responded: true,
    })
}
