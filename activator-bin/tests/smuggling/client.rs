//! A client that sends exactly what it is told to.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::answers::answers;
use crate::program::PATIENCE;

/// After how long without a word a connection is taken for one that stays open, when nobody knows better.
const QUIET: Duration = Duration::from_millis(700);

/// One connection.
pub(crate) struct Client {
    socket: TcpStream,
    is_head: bool,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        Self {
            socket,
            is_head: false,
            buffer: Vec::new(),
        }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.buffer.clear();
        self.is_head = bytes.starts_with(b"HEAD ");
        // Who refuses a request may close before it has come as a whole.
        let _ = self.socket.write_all(bytes);
    }

    /// Reads as many answers as are expected, and to the end when that is expected.
    pub(crate) fn answers(&mut self, expected: Option<&[String]>) -> Vec<String> {
        let patience = expected.map_or(QUIET, |_| PATIENCE);
        let (answers, end) = self.read(patience, |found| {
            expected.is_some_and(|expected| {
                expected.last().is_some_and(|end| end == "open") && found == expected.len() - 1
            })
        });
        answers.into_iter().chain([end.to_owned()]).collect()
    }

    pub(crate) fn one_answer(&mut self) -> String {
        let (mut answers, end) = self.read(PATIENCE, |found| found > 0);
        answers.pop().unwrap_or_else(|| end.to_owned())
    }

    fn read(
        &mut self,
        patience: Duration,
        enough: impl Fn(usize) -> bool,
    ) -> (Vec<String>, &'static str) {
        self.socket.set_read_timeout(Some(patience)).unwrap();
        let mut part = [0; 16 * 1024];
        loop {
            let (found, rest) = answers(&self.buffer, self.is_head);
            if enough(found.len()) {
                return (found, "open");
            }
            let end = match self.socket.read(&mut part) {
                Ok(0) => "closed",
                Ok(read) => {
                    self.buffer.extend(&part[..read]);
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => "open",
                Err(error) if error.kind() == ErrorKind::ConnectionReset => "reset",
                Err(error) => panic!("{error}"),
            };
            // How much of an answer came before it broke off is a matter of timing.
            let broke_off = end != "open" && (rest > 0 || found.is_empty());
            return (found, if broke_off { "broken off" } else { end });
        }
    }
}
