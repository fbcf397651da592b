//! Why a line does not work, as its carrier or the network says it. The catalogue has a sentence and a remedy for each:
//! `trunk.trouble.<code>` and `trunk.remedy.<code>`.

use pbx_sip::target::ResolveError;
use serde::{Deserialize, Serialize};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// The name of the server does not exist.
    NoSuchName,
    /// No name server answers: the internet is away, most often.
    NoNameServer,
    /// The server says nothing.
    NoAnswer,
    /// No connection can be opened, or it broke.
    NoConnection,
    /// The carrier does not take user and secret (401, 407 again).
    Credentials,
    /// The carrier knows the account and does not let it in (403).
    Forbidden,
    /// The carrier does not know the account (404).
    UnknownAccount,
    /// Too many at once (429, 480, 503 while it answers).
    Overloaded,
    /// The carrier has a fault of its own (5xx).
    CarrierFault,
    /// It answers in a way that we do not understand.
    Refused,
}

impl Trouble {
    /// Every one, for the catalogue's test.
    pub const ALL: [Trouble; 10] = [
        Trouble::NoSuchName,
        Trouble::NoNameServer,
        Trouble::NoAnswer,
        Trouble::NoConnection,
        Trouble::Credentials,
        Trouble::Forbidden,
        Trouble::UnknownAccount,
        Trouble::Overloaded,
        Trouble::CarrierFault,
        Trouble::Refused,
    ];

    /// For the catalogue.
    pub fn code(self) -> &'static str {
        match self {
            Trouble::NoSuchName => "no_such_name",
            Trouble::NoNameServer => "no_name_server",
            Trouble::NoAnswer => "no_answer",
            Trouble::NoConnection => "no_connection",
            Trouble::Credentials => "credentials",
            Trouble::Forbidden => "forbidden",
            Trouble::UnknownAccount => "unknown_account",
            Trouble::Overloaded => "overloaded",
            Trouble::CarrierFault => "carrier_fault",
            Trouble::Refused => "refused",
        }
    }

    /// What a final answer to our registration means.
    pub fn of_status(status: u16) -> Trouble {
        match status {
            401 | 407 => Trouble::Credentials,
            403 => Trouble::Forbidden,
            404 | 410 | 604 => Trouble::UnknownAccount,
            408 | 504 => Trouble::NoAnswer,
            429 | 480 | 486 | 503 => Trouble::Overloaded,
            500..=599 => Trouble::CarrierFault,
            _ => Trouble::Refused,
        }
    }

    /// Does it help to ask another server of the same carrier?
    pub(crate) fn is_of_one_server(self) -> bool {
        match self {
            Trouble::NoAnswer | Trouble::NoConnection | Trouble::Overloaded | Trouble::CarrierFault => true,
            Trouble::NoSuchName
            | Trouble::NoNameServer
            | Trouble::Credentials
            | Trouble::Forbidden
            | Trouble::UnknownAccount
            | Trouble::Refused => false,
        }
    }
}

impl From<ResolveError> for Trouble {
    fn from(error: ResolveError) -> Trouble {
        match error {
            ResolveError::NoSuchName => Trouble::NoSuchName,
            ResolveError::NoAnswer => Trouble::NoNameServer,
        }
    }
}
