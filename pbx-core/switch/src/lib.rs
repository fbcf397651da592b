//! The deciding machine of a house: who exists, where a number leads, who is registered, what a call does.
//!
//! An event goes in, actions come out, time is an argument. Nothing here opens a socket, reads a clock or waits; [`switch::Switch`] is
//! the entry.
#![forbid(unsafe_code)]
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

pub mod action;
pub mod call;
pub mod dialplan;
pub mod directory;
pub mod door;
pub mod event;
pub mod feature;
pub mod registrar;
pub mod status;
pub mod subscription;
pub mod switch;
pub mod toll;
pub mod trunking;
