//! The media plane: RTP and RTCP relayed on a thread of their own, told what to do by commands, telling back events.
//!
//! Knows legs, ports and packets; knows neither SDP nor calls. RFC 3550, RFC 4733, RFC 4961 (symmetric RTP).
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

mod continuity;
mod leg;
mod numbers;
mod pace;
mod plane;
mod ports;
mod protection;
mod relay;
mod reports;
pub mod rtcp;
pub mod rtp;
mod srtp;
mod worker;

pub use plane::{Plane, PlaneConfig, PlaneError, Sink};
