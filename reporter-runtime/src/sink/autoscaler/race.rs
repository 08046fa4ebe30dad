//! Connects to the first of several addresses that accepts a connection (RFC 8305).

use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

/// The most addresses that are tried; a name may have any number.
pub(super) const MAX_ADDRESSES: usize = 10;

/// The addresses to try, in order: the families take turns.
///
/// The first `skip` go to the end: their hosts accepted connections and then failed.
pub(super) fn order(found: impl IntoIterator<Item = SocketAddr>, skip: usize) -> Vec<SocketAddr> {
    let (mut same, mut other) = (Vec::new(), Vec::new());
    let mut family = None;
    // Bounded: a name may have any number.
    for address in found.into_iter().take(16 * MAX_ADDRESSES) {
        let is_same = *family.get_or_insert(address.is_ipv4()) == address.is_ipv4();
        let list = if is_same { &mut same } else { &mut other };
        if !list.contains(&address) {
            list.push(address);
        }
    }
    let mut other = other.into_iter();
    let mut all = Vec::new();
    for address in same {
        all.push(address);
        all.extend(other.next());
    }
    all.extend(other);
    all.truncate(MAX_ADDRESSES);
    if !all.is_empty() {
        let skip = skip % all.len();
        all.rotate_left(skip);
    }
    all
}

/// Connects to one after the other, waiting at most `stagger` before each next one, until one accepts.
///
/// Cancel-safe: all attempts are dropped.
///
/// # Errors
/// The error of the last attempt, when all have failed.
pub(super) async fn connect<T, F>(
    addresses: Vec<SocketAddr>,
    stagger: Duration,
    connect: impl Fn(SocketAddr) -> F,
) -> io::Result<T>
where
    T: Send + 'static,
    F: Future<Output = io::Result<T>> + Send + 'static,
{
    let mut addresses = addresses.into_iter();
    let mut tries = JoinSet::new();
    let mut last = io::Error::new(ErrorKind::NotFound, "the host has no address");
    loop {
        match addresses.next() {
            Some(address) => drop(tries.spawn(connect(address))),
            None if tries.is_empty() => return Err(last),
            None => {}
        }
        let may_go_on = addresses.len() > 0;
        tokio::select! {
            Some(ended) = tries.join_next() => match ended {
                Ok(Ok(connected)) => return Ok(connected),
                Ok(Err(error)) => last = error,
                Err(error) => last = io::Error::other(error),
            },
            () = sleep(stagger), if may_go_on => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::time::Instant;

    use super::*;

    fn addresses(list: &str) -> Vec<SocketAddr> {
        let address = |word: &str| match word.strip_prefix('v') {
            Some(number) => format!("[::{number}]:1").parse().unwrap(),
            None => format!("10.0.0.{word}:1").parse().unwrap(),
        };
        list.split_whitespace().map(address).collect()
    }

    #[test]
    fn families_take_turns_and_there_is_a_bound() {
        let check = |found: &str, first, expected: &str| {
            assert_eq!(
                order(addresses(found), first),
                addresses(expected),
                "{found}"
            );
        };
        check("", 3, "");
        check("1 2 3", 0, "1 2 3");
        check("1 1 2", 0, "1 2");
        check("v1 v2 v3 1 2", 0, "v1 1 v2 2 v3");
        check("1 2 v1 v2 v3", 0, "1 v1 2 v2 v3");
        check("1 2 v1", 1, "v1 2 1");
        check("1 2 v1", 3, "1 v1 2");
        check("1 2 3 4 5 6 7 8 9 10 11 12", 0, "1 2 3 4 5 6 7 8 9 10");
        check("1 2 3 4 5 6 7 8 9 10 11 v1", 0, "1 v1 2 3 4 5 6 7 8 9");
    }

    /// What becomes of a try: after so many milliseconds, if ever.
    #[derive(Clone, Copy)]
    enum Fate {
        Connects(u64),
        Fails(u64),
        Silent,
    }

    /// Which one connects, when, and when each was tried, in milliseconds.
    async fn race(fates: &[Fate]) -> (Option<usize>, u64, Vec<u64>) {
        let begin = Instant::now();
        let now = move || u64::try_from(begin.elapsed().as_millis()).unwrap();
        let list: Vec<_> = (0..fates.len())
            .map(|it| ([10, 0, 0, 1], it as u16))
            .collect();
        let begun = Arc::new(Mutex::new(Vec::new()));
        let connected = connect(
            list.into_iter().map(SocketAddr::from).collect(),
            Duration::from_millis(250),
            |address| {
                let index = usize::from(address.port());
                let (fate, begun) = (fates[index], Arc::clone(&begun));
                async move {
                    begun.lock().unwrap().push(now());
                    let after = |ms| sleep(Duration::from_millis(ms));
                    match fate {
                        Fate::Connects(ms) => after(ms).await,
                        Fate::Fails(ms) => {
                            after(ms).await;
                            return Err(ErrorKind::ConnectionRefused.into());
                        }
                        Fate::Silent => std::future::pending().await,
                    }
                    Ok(index)
                }
            },
        );
        let connected = connected.await.ok();
        let begun = begun.lock().unwrap().clone();
        (connected, now(), begun)
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_address_that_accepts_a_connection_wins() {
        use Fate::{Connects, Fails, Silent};
        for (fates, expected) in [
            (&[][..], (None, 0, vec![])),
            (&[Connects(100), Connects(0)], (Some(0), 100, vec![0])),
            (&[Silent, Connects(10)], (Some(1), 260, vec![0, 250])),
            (
                &[Silent, Silent, Connects(10)],
                (Some(2), 510, vec![0, 250, 500]),
            ),
            // Who is refused goes on at once.
            (&[Fails(10), Connects(10)], (Some(1), 20, vec![0, 10])),
            (&[Fails(10), Fails(10)], (None, 20, vec![0, 10])),
            // The slower one may still be the first.
            (&[Connects(300), Silent], (Some(0), 300, vec![0, 250])),
        ] {
            assert_eq!(race(fates).await, expected);
        }
    }
}
