//! The paths of the API, a file per noun.

pub mod ban;
pub mod call;
pub mod call_record;
pub mod certificate;
pub mod dialplan;
pub mod extension;
pub mod number;
pub mod session;
pub mod setup;
pub mod status;
pub mod toll;
pub mod trunk;
