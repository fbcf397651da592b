//! Messages cut from a stream by Content-Length, RFC 3261 18.3, with the keep-alives of RFC 5626 4.4.1 between them.

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

use crate::message::limits::{MAX_HEAD, MAX_MESSAGE};
use crate::message::params::trim;
use crate::message::{HeaderName, number};

/// What a stream has brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Framed {
    /// One whole message.
    Message(Bytes),
    /// `CRLF CRLF`: answer with one CRLF.
    Ping,
}

/// The place where the next message begins is lost: close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FramingError {
    /// No empty line within [`MAX_HEAD`] octets.
    #[error("no end of the headers")]
    Head,
    /// Content-Length is missing, malformed, or stands several times and differs.
    #[error("no usable Content-Length")]
    ContentLength,
    /// More than [`MAX_MESSAGE`] octets.
    #[error("a message that is too large")]
    TooLarge,
}

/// The octets of one stream that are not yet a message; holds at most [`MAX_MESSAGE`] and what one read brings.
#[derive(Debug, Default)]
pub struct Framer {
    octets: BytesMut,
    /// How far the end of the headers was looked for already.
    searched: usize,
}

impl Framer {
    /// Adds what was read.
    pub fn push(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
    }

    /// True if no part of a message is left over from what was read; half a keep-alive is none.
    pub fn is_idle(&self) -> bool {
        matches!(&self.octets[..], b"" | b"\r" | b"\r\n" | b"\r\n\r")
    }

    /// The next message or keep-alive, if it is whole.
    pub fn poll(&mut self) -> Result<Option<Framed>, FramingError> {
        if self.searched == 0 {
            if self.octets.starts_with(b"\r\n\r\n") {
                self.octets.advance(4);
                return Ok(Some(Framed::Ping));
            }
            // A single line end before a message is ignored (RFC 3261 7.5), but it may be half of a keep-alive.
            while self.octets.len() > 2
                && self.octets.starts_with(b"\r\n")
                && !b"\r\n".starts_with(&self.octets[2..self.octets.len().min(4)])
            {
                self.octets.advance(2);
            }
            if matches!(&self.octets[..], b"" | b"\r" | b"\r\n" | b"\r\n\r") {
                return Ok(None);
            }
        }
        let Some(head) = head_end(&self.octets, self.searched.saturating_sub(3)) else {
            self.searched = self.octets.len();
            return if self.searched > MAX_HEAD { Err(FramingError::Head) } else { Ok(None) };
        };
        if head > MAX_HEAD {
            return Err(FramingError::Head);
        }
        self.searched = head;
        let length = content_length(&self.octets[..head])?;
        let whole = head + length;
        if whole > MAX_MESSAGE {
            return Err(FramingError::TooLarge);
        }
        if self.octets.len() < whole {
            return Ok(None);
        }
        self.searched = 0;
        Ok(Some(Framed::Message(self.octets.split_to(whole).freeze())))
    }
}

/// Behind the empty line, looking from `from`. A line may end with LF alone.
fn head_end(octets: &[u8], from: usize) -> Option<usize> {
    memchr::memchr_iter(b'\n', &octets[from..]).map(|at| from + at + 1).find_map(|next| match &octets[next..] {
        [b'\r', b'\n', ..] => Some(next + 2),
        [b'\n', ..] => Some(next + 1),
        _ => None,
    })
}

/// The one value of Content-Length: blanks before the colon are legal (RFC 3261 7.3.1), a stream without it is not (20.14), and two
/// that differ are an attempt to make two elements see different messages.
fn content_length(head: &[u8]) -> Result<usize, FramingError> {
    let mut known = None;
    for line in unfolded(head) {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        if HeaderName::of(trim(&line[..colon])) != HeaderName::ContentLength {
            continue;
        }
        let length = number::up_to(trim(&line[colon + 1..]), 0xff_ffff).ok_or(FramingError::ContentLength)?;
        if known.is_some_and(|known| known != length) {
            return Err(FramingError::ContentLength);
        }
        known = Some(length);
    }
    known.map(|length| length as usize).ok_or(FramingError::ContentLength)
}

/// Header lines, each with the lines folded onto it.
fn unfolded(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = head;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = 0;
        loop {
            end += memchr::memchr(b'\n', &rest[end..]).map_or(rest.len() - end, |at| at + 1);
            if !matches!(rest.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        let (line, behind) = rest.split_at(end);
        rest = behind;
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll_all(parts: &[&[u8]]) -> Result<Vec<Framed>, FramingError> {
        let (mut framer, mut found) = (Framer::default(), Vec::new());
        for part in parts {
            framer.push(part);
            while let Some(framed) = framer.poll()? {
                found.push(framed);
            }
        }
        Ok(found)
    }

    #[test]
    fn messages_are_cut_wherever_the_segments_end() {
        let stream = b"\r\n\r\nOPTIONS sip:a SIP/2.0\r\nl : 3\r\n\r\nabcBYE sip:a SIP/2.0\r\nContent-Length:\r\n 0\r\n\r\n\r\n\r\n";
        let whole = poll_all(&[stream]).unwrap();
        assert_eq!(whole.len(), 4, "{whole:?}");
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(poll_all(&single).unwrap(), whole);
        assert_eq!(whole[1], Framed::Message(Bytes::from_static(b"OPTIONS sip:a SIP/2.0\r\nl : 3\r\n\r\nabc")));
    }

    #[test]
    fn differing_missing_and_malformed_lengths_end_the_stream() {
        for lengths in [
            "Content-Length: 1\r\nl: 2\r\n",
            "X: y\r\n",
            "Content-Length: -1\r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Content-Length: 1x\r\n",
        ] {
            let message = format!("OPTIONS sip:a SIP/2.0\r\n{lengths}\r\n");
            assert_eq!(poll_all(&[message.as_bytes()]), Err(FramingError::ContentLength), "{lengths}");
        }
        assert!(
            poll_all(&[b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 1\r\nl: 1\r\n\r\nx"]).is_ok(),
            "the same twice is no contradiction"
        );
    }

    #[test]
    fn heads_and_messages_are_bounded() {
        let endless = vec![b'a'; MAX_HEAD + 1];
        assert_eq!(poll_all(&[&endless]), Err(FramingError::Head));
        assert_eq!(poll_all(&[b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 70000\r\n\r\n"]), Err(FramingError::TooLarge));
    }
}
