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
pub(super) async fn until_ready(
    question: Option<Question<'_>>,
    places: &[Place],
    problem: &Mutex<String>,
) {
    let start = Instant::now();
    for place in places {
        let mut attempt = 0;
        while let Err(Problem { why, has_responded }) =
            ask(question, place, patience(attempt)).await
        {
            *problem.lock() = why;
            attempt += 1;
            sleep(pause(start.elapsed(), has_responded)).await;
        }
    }
}

/// A GET of a path, and below which status a response to it means that the place is ready.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    path: &'a str,
    below: u16,
}

/// What is asked; `None` if a connection is enough.
pub(super) fn question(ready: &Ready) -> Option<Question<'_>> {
    match ready {
        Ready::Serving => Some(Question {
            path: "/",
            below: 500,
        }),
        Ready::Http(path) => Some(Question { path, below: 400 }),
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

async fn ask(
    question: Option<Question<'_>>,
    place: &Place,
    patience: Duration,
) -> Result<(), Problem> {
    let Some(Question { path, below }) = question else {
        connect(place, patience).await?;
        return Ok(());
    };
    let status = get(place, path, patience).await?;
    if (200..below).contains(&status.as_u16()) {
        return Ok(());
    }
    Err(Problem {
        why: format!("GET {path} is answered with status {}", status.as_u16()),
        has_responded: true,
    })
}
