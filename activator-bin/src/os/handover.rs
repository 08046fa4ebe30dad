//! Sockets that listen before the program starts: whoever starts it opens them and passes them on, as
//! systemd does, and they outlive it.

use std::env;
use std::io;
use std::net::TcpListener;

use listenfd::ListenFd;
use socket2::SockRef;

use crate::os::listen;

/// What they can be called: the names of ports in `[listen]`.
const NAMES: &[&str] = &["http", "http2", "https", "admin"];

/// Sockets to serve instead of ones of our own.
#[derive(Debug, Default)]
pub struct Handover(Vec<(String, TcpListener)>);

/// Why sockets that were passed cannot be served. Nothing was served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandoverError {
    /// How many there are is no number.
    #[error("LISTEN_FDS: expected a whole number, found {0:?}")]
    Count(String),
    /// Nobody says which socket is for what.
    #[error("LISTEN_FDNAMES has {names} names for {sockets} sockets; each needs one of {NAMES:?}")]
    Unnamed {
        /// How many names there are.
        names: usize,
        /// How many sockets there are.
        sockets: usize,
    },
    /// There is no such port.
    #[error("LISTEN_FDNAMES: expected one of {NAMES:?}, found {0:?}")]
    Name(String),
    /// It is no socket that listens.
    #[error("LISTEN_FDS: the socket called {name:?} cannot be served: {source}")]
    Socket {
        /// How it is called.
        name: String,
        /// What is wrong with it.
        source: io::Error,
    },
}

impl Handover {
    /// Takes what `LISTEN_FDS`, `LISTEN_PID` and `LISTEN_FDNAMES` say, as `sd_listen_fds_with_names(3)`
    /// has it; nothing when that is for another process.
    ///
    /// Can be called once, and only before there are threads: it changes the environment.
    ///
    /// # Errors
    /// What was passed is not what it has to be.
    pub fn from_environment() -> Result<Self, HandoverError> {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        if let Ok(count) = env::var("LISTEN_FDS")
            && count.parse::<u16>().is_err()
        {
            return Err(HandoverError::Count(count));
        }
        let mut passed = ListenFd::from_env();
        if passed.len() == 0 {
            return Ok(Self::default());
        }
        let names: Vec<&str> = names.split(':').filter(|name| !name.is_empty()).collect();
        if names.len() != passed.len() {
            return Err(HandoverError::Unnamed {
                names: names.len(),
                sockets: passed.len(),
            });
        }
        let sockets = names.into_iter().enumerate().map(|(index, name)| {
            let name = name.to_owned();
            if !NAMES.contains(&&*name) {
                return Err(HandoverError::Name(name));
            }
            match take(&mut passed, index) {
                Ok(socket) => Ok((name, socket)),
                Err(source) => Err(HandoverError::Socket { name, source }),
            }
        });
        sockets.collect::<Result<_, _>>().map(Self)
    }

    /// The sockets of this name.
    pub(crate) fn take(&mut self, name: &str) -> Vec<TcpListener> {
        let taken = self.0.extract_if(.., |(called, _)| called == name);
        taken.map(|(_, socket)| socket).collect()
    }
}

fn take(passed: &mut ListenFd, index: usize) -> io::Result<TcpListener> {
    let socket = passed.take_tcp_listener(index)?;
    let socket = socket.expect("each is there once and is taken once");
    if !SockRef::from(&socket).is_listener()? {
        return Err(io::Error::other("it does not listen"));
    }
    listen::tune(&socket)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
