//! Listening sockets passed by the parent process, as systemd does. They outlive this process.

use std::env;
use std::io;
use std::net::TcpListener;

use listenfd::ListenFd;
use socket2::SockRef;

use crate::os::listen;

/// Their names: the ports in `[listen]`.
const NAMES: &[&str] = &["http", "http2", "https", "admin"];

/// Sockets to serve instead of binding new ones.
#[derive(Debug, Default)]
pub struct Handover(Vec<(String, TcpListener)>);

/// Why passed sockets cannot be served. Nothing was served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandoverError {
    /// Their count is not a number.
    #[error("LISTEN_FDS: expected a whole number, found {0:?}")]
    Count(String),
    /// There is not one name for each socket.
    #[error("LISTEN_FDNAMES has {names} names for {sockets} sockets; each needs one of {NAMES:?}")]
    Unnamed {
        /// The number of names.
        names: usize,
        /// The number of sockets.
        sockets: usize,
    },
    /// There is no such port.
    #[error("LISTEN_FDNAMES: expected one of {NAMES:?}, found {0:?}")]
    Name(String),
    /// It is not a listening socket.
    #[error("LISTEN_FDS: the socket named {name:?} cannot be served: {source}")]
    Socket {
        /// Its name.
        name: String,
        /// What is wrong with it.
        source: io::Error,
    },
}

impl Handover {
    /// Takes the sockets described by `LISTEN_FDS`, `LISTEN_PID` and `LISTEN_FDNAMES`, as in
    /// `sd_listen_fds_with_names(3)`; none if they are for another process.
    ///
    /// Can be called once, and only before there are threads: it changes the environment.
    ///
    /// # Errors
    /// The variables or sockets are invalid.
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
    let socket = socket.expect("each index is taken once");
    if !SockRef::from(&socket).is_listener()? {
        return Err(io::Error::other("it does not listen"));
    }
    listen::tune(&socket)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
