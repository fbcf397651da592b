//! The switch as telephone engineers draw it: ladders in plain text, so that a test outlives the types beneath it.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod check;
mod phone;
mod plane;
mod wire;
mod words;

mod access;
mod browser;
mod call;
mod door;
mod fork;
mod hold;
mod identity;
mod in_dialog;
mod keyed;
mod line;
mod message;
mod moving;
mod offer;
mod outbound;
mod reborn;
mod register;
mod reliable;
mod secured;
mod session_timer;
mod subscription;
mod toll;
mod transfer;
mod trouble;
mod unfit;
mod update;
