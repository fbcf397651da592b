//! The telephone system at work: configuration, store, transport, the loop that feeds the switch, and the front desk.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

pub mod api;
pub mod catalogue;
pub mod command;
pub mod config;
pub mod runtime;
pub mod store;
pub mod telemetry;
pub mod transport;
