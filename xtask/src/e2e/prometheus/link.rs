//! The other end of the link to the autoscaler: takes what comes, and goes away when told to.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Result;

/// How often it looks whether it is closed.
const LOOK: Duration = Duration::from_millis(50);

pub(super) struct Link {
    pub(super) address: SocketAddr,
    is_closed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Link {
    pub(super) fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let is_closed = Arc::<AtomicBool>::default();
        let closed = Arc::clone(&is_closed);
        let thread = thread::spawn(move || {
            while !closed.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, _)) => read(stream, &closed),
                    Err(_) => thread::sleep(LOOK),
                }
            }
        });
        Ok(Self {
            address,
            is_closed,
            thread: Some(thread),
        })
    }

    /// Nothing listens any more when this returns.
    pub(super) fn close(&mut self) {
        self.is_closed.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the thread does not panic");
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.close();
    }
}

/// Reads one link to its end; pings are answered in between.
fn read(stream: TcpStream, is_closed: &AtomicBool) {
    let set = stream.set_nonblocking(false);
    if set
        .and_then(|()| stream.set_read_timeout(Some(LOOK)))
        .is_err()
    {
        return;
    }
    // It sends its handshake at once.
    let Ok(mut socket) = tungstenite::accept(stream) else {
        return;
    };
    while !is_closed.load(Ordering::Relaxed) {
        match socket.read() {
            Ok(_) => {}
            Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
