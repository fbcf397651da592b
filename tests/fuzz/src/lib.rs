//! What must hold for any octets whatever. Each body is a plain function that panics where its claim does not hold: tried with changed
//! fixtures in every test run (`tests/bounded.rs`), and by libFuzzer with `make fuzz`.
#![forbid(unsafe_code)]

mod call_layers;
mod message;
mod others;

/// Panics where its claim does not hold.
pub type Body = fn(&[u8]);

/// Name and body.
pub const BODIES: &[(&str, Body)] = &[
    ("message", message::message),
    ("headers", message::headers),
    ("framing", message::framing),
    ("digest", call_layers::digest),
    ("stack", call_layers::stack),
    ("sdp", others::sdp),
    ("rtp", others::rtp),
    ("dialplan", others::dialplan),
    ("presence", others::presence),
];
