//! Notices when something that commands have started is gone: nobody else would.

use std::time::Duration;

use tokio::time::sleep;

use super::readiness::connect;
use crate::upstream::place::Place;

/// The pause between two looks.
const PERIOD: Duration = Duration::from_secs(5);

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many looks in a row must fail.
const LOOKS: u32 = 2;

/// Returns what is wrong once none of the places accepts connections, twice in a row.
pub(super) async fn until_gone(places: &[Place]) -> String {
    let mut failures = 0;
    loop {
        sleep(PERIOD).await;
        match look(places).await {
            Ok(()) => failures = 0,
            Err(why) if failures + 1 >= LOOKS => return why,
            Err(_) => failures += 1,
        }
    }
}

async fn look(places: &[Place]) -> Result<(), String> {
    let mut all = Vec::new();
    for place in places {
        match connect(place, PATIENCE).await {
            Ok(_) => return Ok(()),
            Err(why) => all.push(why),
        }
    }
    Err(format!("no longer accepts connections: {}", all.join(", ")))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn something_is_gone_when_none_of_its_places_accepts_connections() {
        let (first, second) = (
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
        );
        let places: Vec<_> = [&first, &second]
            .map(|listener| Place {
                address: listener.local_addr().unwrap(),
                socket: None,
            })
            .into();
        let mut gone = Box::pin(until_gone(&places));
        let long = 100 * PERIOD;
        assert!(timeout(long, &mut gone).await.is_err());
        drop(first);
        assert!(timeout(long, &mut gone).await.is_err());
        drop(second);
        let expected = format!(
            "no longer accepts connections: {}: Connection refused (os error 111), {}: Connection refused (os error 111)",
            places[0].address, places[1].address
        );
        assert_eq!(gone.await, expected);
    }
}
