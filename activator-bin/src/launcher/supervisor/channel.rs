//! Messages over a stream socket: a line of JSON each. A descriptor may come with the first one.

use std::io::{self, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::cmsg_space;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest message, in bytes: more than any system lets a program have in arguments and environment.
const MAX: usize = 16 << 20;

/// One end of a channel, for a process without a runtime.
#[derive(Debug)]
pub(crate) struct Channel {
    stream: UnixStream,
    /// What was read and belongs to no message yet.
    read: Vec<u8>,
    /// The descriptor that came with what was read.
    passed: Option<OwnedFd>,
}

impl Channel {
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            read: Vec::new(),
            passed: None,
        }
    }

    /// Sends a message. Blocks while the other end reads nothing.
    pub(crate) fn send(&mut self, message: &impl Serialize) -> io::Result<()> {
        self.stream.write_all(&line(message)?)
    }

    /// Sends a message, and a descriptor if there is one.
    pub(crate) fn send_with(
        &mut self,
        message: &impl Serialize,
        descriptor: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let Some(descriptor) = descriptor else {
            return self.send(message);
        };
        let line = line(message)?;
        let descriptors = [descriptor];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fits = control.push(SendAncillaryMessage::ScmRights(&descriptors));
        debug_assert!(fits, "there is room for one");
        let bytes = [IoSlice::new(&line)];
        let sent =
            retry_on_intr(|| sendmsg(&self.stream, &bytes, &mut control, SendFlags::empty()))?;
        self.stream.write_all(&line[sent..])
    }

    /// Waits for a message; returns `None` once the other end is closed.
    pub(crate) fn receive<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        loop {
            if let Some(message) = self.next()? {
                return Ok(Some(message));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// A message that was read as a whole.
    pub(super) fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let Some(end) = memchr::memchr(b'\n', &self.read) else {
            return Ok(None);
        };
        let message = serde_json::from_slice(&self.read[..end])?;
        self.read.drain(..=end);
        Ok(Some(message))
    }

    /// Reads once; waits if there is nothing yet. Returns `false` once the other end is closed.
    pub(super) fn fill(&mut self) -> io::Result<bool> {
        let mut bytes = [0; 4096];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = retry_on_intr(|| {
            let mut into = [IoSliceMut::new(&mut bytes)];
            recvmsg(
                &self.stream,
                &mut into,
                &mut control,
                RecvFlags::CMSG_CLOEXEC,
            )
        });
        let count = match received {
            Ok(received) => received.bytes,
            Err(Errno::CONNRESET) => 0,
            Err(error) => return Err(error.into()),
        };
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.passed = descriptors.last().or(self.passed.take());
            }
        }
        if self.read.len() + count > MAX {
            return Err(io::Error::other("the message is too long"));
        }
        self.read.extend_from_slice(&bytes[..count]);
        Ok(count > 0)
    }

    /// The descriptor that came with the messages so far.
    pub(super) fn take_passed(&mut self) -> Option<OwnedFd> {
        self.passed.take()
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// A message as it is sent.
pub(crate) fn line(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}
