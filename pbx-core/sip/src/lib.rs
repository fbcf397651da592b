//! RFC 3261, pure: bytes to messages and back, made reliable, gathered into dialogs.
//!
//! This crate decides and never acts: it opens no socket, reads no clock and draws no randomness of its own. Bytes, flows and the
//! time come in as arguments; bytes to send and what was heard come out.
//!
//! | room | what it does | sources |
//! |---|---|---|
//! | [`message`] | a byte-faithful index over one SIP message, typed views on demand, a builder, stream framing | RFC 3261 7, 18.3, 20, 25; RFC 4475 |
//! | [`auth`] | digest: nonces, challenges, verdicts | RFC 3261 22; RFC 7616; RFC 8760 |
//! | [`credentials`] | the other end of digest: a challenge is answered | RFC 7616 |
//! | [`transaction`] | the four machines and their timers | RFC 3261 17; RFC 6026 |
//! | [`dialog`] | early and confirmed dialogs, route sets, CSeq order | RFC 3261 12 |
//! | [`sdp`] | descriptions, offers and answers | RFC 8866; RFC 3264 |
//! | [`target`] | where a URI leads, as data | RFC 3263 |
//! | [`stack`] | the layers as one machine | |
//! | [`stun`] | Binding: our address as others see it, and theirs | RFC 8489; RFC 5626 3.5.2 |
//! | [`clock`], [`flow`], [`entropy`] | what is handed in: the time, the path, the generator | |
#![forbid(unsafe_code)]
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

pub mod auth;
pub mod clock;
pub mod credentials;
pub mod dialog;
pub mod entropy;
pub mod flow;
pub mod message;
pub mod sdp;
pub mod stack;
pub mod stun;
pub mod target;
pub mod transaction;
