//! What a connection is read from and written to: the bare octets of TCP, or those that TLS has opened and closes again.

use std::io;

use tokio::io::{Interest, Ready};
use tokio::net::TcpStream;

use crate::transport::tls::Session;

/// One connection's octets; nothing here waits, except for the system to be ready.
pub(super) enum Stream {
    /// As they are.
    Plain(TcpStream),
    /// Through TLS.
    Secured(Box<Session>),
}

impl Stream {
    /// Until the system has octets for us, or takes some.
    pub fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Ready>> {
        self.socket().ready(interest)
    }

    /// Reads what is there; nothing at the end.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => socket.try_read(buffer),
            Stream::Secured(session) => session.try_read(buffer),
        }
    }

    /// Takes as much as it can; what it took it may still hold back.
    pub fn try_write(&self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => socket.try_write(octets),
            Stream::Secured(session) => session.try_write(octets),
        }
    }

    /// Has it taken octets that the system has not?
    pub fn holds_back(&self) -> bool {
        match self {
            Stream::Plain(_) => false,
            Stream::Secured(session) => session.holds_back(),
        }
    }

    /// Gives the system what was held back; true if it took some.
    pub fn push(&self) -> io::Result<bool> {
        match self {
            Stream::Plain(_) => Ok(false),
            Stream::Secured(session) => session.push(),
        }
    }

    /// Can more be read although the system has nothing?
    pub fn holds_more(&self) -> bool {
        match self {
            Stream::Plain(_) => false,
            Stream::Secured(session) => session.holds_more(),
        }
    }

    /// No waiting for company: a message is whole when it is written.
    pub fn speak_at_once(&self) {
        let _ = self.socket().set_nodelay(true);
    }

    /// Says goodbye, where that is said.
    pub fn end(&self) {
        match self {
            Stream::Plain(_) => {}
            Stream::Secured(session) => session.end(),
        }
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Stream::Plain(socket) => socket,
            Stream::Secured(session) => session.socket(),
        }
    }
}
