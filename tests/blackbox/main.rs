//! The real binary, real phones that share none of its code, a file per story. Everything runs on loopback, on free ports, with a
//! data directory of its own, and is stopped again by process id.

mod house;
mod phone;
mod sound;

mod acme;
mod browser;
mod call;
mod call_record;
mod chromium;
mod command_line;
mod database;
mod door;
mod hostile;
mod kill;
mod lamp;
mod line;
mod live_stream;
mod nat;
mod register;
mod stun;
mod tls;
mod toll;
mod transfer;
mod two_phones;
mod websocket;
