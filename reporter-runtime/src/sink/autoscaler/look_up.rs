//! From a host's name to its addresses, one look-up at a time.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use tokio::sync::Mutex;
use tokio::task::{JoinHandle, spawn_blocking};

/// The current look-up, if any.
///
/// The system's look-up cannot be stopped: without a response it holds a thread until the system's own
/// timeout. So the next call waits for the same look-up.
#[derive(Debug, Default)]
pub(super) struct LookUp(Mutex<Option<JoinHandle<io::Result<Vec<SocketAddr>>>>>);

impl LookUp {
    /// The addresses of `host`, which is the same each time.
    ///
    /// Cancel-safe: the next call waits for the current look-up.
    pub(super) async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![(address, port).into()]);
        }
        let host = host.to_owned();
        let system = move || Ok((host.as_str(), port).to_socket_addrs()?.collect());
        self.share(system).await
    }

    async fn share(
        &self,
        look_up: impl FnOnce() -> io::Result<Vec<SocketAddr>> + Send + 'static,
    ) -> io::Result<Vec<SocketAddr>> {
        let mut under_way = self.0.lock().await;
        let handle = under_way.get_or_insert_with(|| spawn_blocking(look_up));
        let found = handle.await;
        *under_way = None;
        found.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_look_up_that_was_given_up_is_waited_for_again() {
        let look_up = LookUp::default();
        let (end, ended) = channel();
        let stuck = look_up.share(move || {
            let _ = ended.recv();
            Ok(vec![([10, 0, 0, 1], 1).into()])
        });
        assert!(timeout(Duration::from_millis(1), stuck).await.is_err());
        let second = || unreachable!("one is under way");
        let given_up = timeout(Duration::from_millis(1), look_up.share(second));
        assert!(given_up.await.is_err());
        end.send(()).unwrap();
        let found = look_up.share(second).await.unwrap();
        assert_eq!(found, [([10, 0, 0, 1], 1).into()]);
        // Then it is asked anew.
        let found = look_up.share(|| Ok(Vec::new())).await.unwrap();
        assert_eq!(found, []);
    }

    #[tokio::test]
    async fn an_address_is_not_looked_up() {
        for host in ["127.0.0.1", "::1"] {
            let found = LookUp::default().addresses(host, 7).await.unwrap();
            assert_eq!(found, [SocketAddr::new(host.parse().unwrap(), 7)]);
        }
    }
}
