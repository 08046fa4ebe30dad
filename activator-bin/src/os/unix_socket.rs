//! Connections to unix sockets.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::sleep;

/// The first and the longest pause before a full one is tried again.
const FULL: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// Connects. While the queue of the socket is full it waits, as for TCP the kernel does by itself. Has no time limit.
///
/// Cancel-safe.
pub(crate) async fn connect(path: &Path) -> io::Result<UnixStream> {
    let (mut pause, longest) = FULL;
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(pause).await,
            connected => return connected,
        }
        pause = (pause * 2).min(longest);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream as StdStream;

    use socket2::{Domain, SockAddr, Socket, Type};

    use super::*;

    #[tokio::test]
    async fn a_full_socket_is_waited_for() {
        let directory = std::env::temp_dir().join(format!("activator-full-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join("socket");
        let _ = std::fs::remove_file(&path);
        let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        listener.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        listener.listen(0).unwrap();
        // The queue has room for one.
        let _first = StdStream::connect(&path).unwrap();
        let mut connecting = Box::pin(connect(&path));
        assert!(futures_util::poll!(&mut connecting).is_pending());
        let accepted = listener.accept().unwrap();
        connecting.await.unwrap();
        drop(accepted);
        std::fs::remove_dir_all(&directory).unwrap();
        let error = connect(&path).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
