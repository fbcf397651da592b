//! Whoever comes for pages, the API or a WebSocket: bounded in how many there are, from one source and altogether, and in how long they may
//! stand there without a word in either direction.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::transport::connections::Limits;
use crate::transport::guests::Guests;

/// At once, altogether and from one source. Beyond that a connection is closed as soon as it comes.
const VISITORS: usize = 1_024;

/// A page that watches says something every fifteen seconds, and so does a WebSocket every thirty.
const SILENCE: Duration = Duration::from_secs(120);

/// Those of one door. Cloning is cheap.
#[derive(Clone)]
pub struct Visitors {
    guests: Arc<Mutex<Guests>>,
    limits: Limits,
    silence: Duration,
}

impl Default for Visitors {
    fn default() -> Visitors {
        Visitors { guests: Arc::default(), limits: Limits::new(VISITORS, SILENCE), silence: SILENCE }
    }
}

impl Visitors {
    /// Lets one in; none if there is no room.
    pub fn admit<S>(&self, stream: S, remote: IpAddr) -> Option<Visit<S>> {
        let mut guests = lock(&self.guests);
        if !guests.has_room_for(remote, &self.limits) {
            return None;
        }
        guests.enter(remote);
        let place = Place { guests: Arc::clone(&self.guests), remote };
        Some(Visit { stream, leaves: Box::pin(sleep(self.silence)), silence: self.silence, _place: place })
    }
}

fn lock(guests: &Mutex<Guests>) -> MutexGuard<'_, Guests> {
    guests.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Place {
    guests: Arc<Mutex<Guests>>,
    remote: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.guests).leave(self.remote);
    }
}

/// A visitor's octets, for as long as something moves.
pub struct Visit<S> {
    stream: S,
    leaves: Pin<Box<Sleep>>,
    silence: Duration,
    _place: Place,
}

impl<S> Visit<S> {
    /// What carries them.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    fn moved(&mut self) {
        let until = Instant::now() + self.silence;
        self.leaves.as_mut().reset(until);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Visit<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let visit = self.get_mut();
        if let Poll::Ready(done) = Pin::new(&mut visit.stream).poll_read(context, buffer) {
            visit.moved();
            return Poll::Ready(done);
        }
        ready!(visit.leaves.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Visit<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let visit = self.get_mut();
        if let Poll::Ready(done) = Pin::new(&mut visit.stream).poll_write(context, octets) {
            visit.moved();
            return Poll::Ready(done);
        }
        ready!(visit.leaves.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    fn at_most(connections: usize, silence: Duration) -> Visitors {
        Visitors { limits: Limits::new(connections, silence), silence, ..Visitors::default() }
    }

    #[tokio::test]
    async fn there_is_room_for_so_many_and_again_when_one_has_gone() {
        let visitors = at_most(8, SILENCE);
        let one: IpAddr = "203.0.113.7".parse().unwrap();
        let mut from_one = Vec::new();
        while let Some(visit) = visitors.admit((), one) {
            from_one.push(visit);
        }
        assert!((1..8).contains(&from_one.len()), "one source does not take every place: {}", from_one.len());
        assert!(visitors.admit((), "198.51.100.1".parse().unwrap()).is_some());
        from_one.pop();
        assert!(visitors.admit((), one).is_some());
    }

    #[tokio::test]
    async fn whoever_says_nothing_and_is_told_nothing_has_to_go() {
        let silence = Duration::from_millis(100);
        let (ours, mut theirs) = duplex(64);
        let mut visit = at_most(8, silence).admit(ours, IpAddr::from([127, 0, 0, 1])).unwrap();
        let mut buffer = [0; 8];
        theirs.write_all(b"hello").await.unwrap();
        visit.read_exact(&mut buffer[..5]).await.unwrap();
        let last_word = Instant::now();
        visit.write_all(b"here").await.unwrap();
        assert_eq!(visit.read(&mut buffer).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(last_word.elapsed() >= silence, "each word begins the wait anew");
    }
}
