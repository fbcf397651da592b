//! Why a line to the outside does not do what is asked of it: what its carrier answers becomes a reason that a person can act upon.

use serde::{Deserialize, Serialize};

/// A reason. The catalogue has a sentence for each, `trunk.trouble.<code>`, and what to do about it, `trunk.remedy.<code>`; both may name
/// the `status` that was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrunkFailure {
    /// Its server's name does not exist.
    NoSuchName,
    /// Nobody answers who knows names.
    NoNameServer,
    /// The connection is refused or breaks.
    NoConnection,
    /// Its server does not prove by its certificate that it is the one we name.
    Distrusted,
    /// No answer in time.
    NoAnswer,
    /// It wants a secret, and we have none.
    SecretMissing,
    /// Our secret is wrong.
    Credentials,
    /// The account may not register.
    Forbidden,
    /// No such account.
    UnknownAccount,
    /// The server registers nobody.
    NotARegistrar,
    /// It wants another time to the next registration than the one it named.
    IntervalRefused,
    /// Money.
    PaymentRequired,
    /// This caller may not call this number.
    CallRefused,
    /// What we call is no number to it.
    NumberRefused,
    /// It wants to know who calls (RFC 5079).
    AnonymousRefused,
    /// It does not believe who calls (RFC 8224).
    IdentityRefused,
    /// No codec in common.
    CodecsRefused,
    /// It wants an extension of SIP that we do not have.
    ExtensionRequired,
    /// The message is too large.
    TooLarge,
    /// It names somewhere else, where we do not go unasked: who answers for a carrier could send the house's calls anywhere.
    Moved,
    /// The request comes round to where it has been.
    Loop,
    /// It can take no more just now.
    Overloaded,
    /// A fault of its own.
    CarrierFault,
    /// It does not understand us.
    Refused,
}

impl From<pbx_sip::target::ResolveError> for TrunkFailure {
    fn from(error: pbx_sip::target::ResolveError) -> TrunkFailure {
        match error {
            pbx_sip::target::ResolveError::NoSuchName => TrunkFailure::NoSuchName,
            pbx_sip::target::ResolveError::NoAnswer => TrunkFailure::NoNameServer,
        }
    }
}

impl TrunkFailure {
    /// Every reason, for the catalogue's test.
    pub const ALL: [TrunkFailure; 24] = [
        TrunkFailure::NoSuchName,
        TrunkFailure::NoNameServer,
        TrunkFailure::NoConnection,
        TrunkFailure::Distrusted,
        TrunkFailure::NoAnswer,
        TrunkFailure::SecretMissing,
        TrunkFailure::Credentials,
        TrunkFailure::Forbidden,
        TrunkFailure::UnknownAccount,
        TrunkFailure::NotARegistrar,
        TrunkFailure::IntervalRefused,
        TrunkFailure::PaymentRequired,
        TrunkFailure::CallRefused,
        TrunkFailure::NumberRefused,
        TrunkFailure::AnonymousRefused,
        TrunkFailure::IdentityRefused,
        TrunkFailure::CodecsRefused,
        TrunkFailure::ExtensionRequired,
        TrunkFailure::TooLarge,
        TrunkFailure::Moved,
        TrunkFailure::Loop,
        TrunkFailure::Overloaded,
        TrunkFailure::CarrierFault,
        TrunkFailure::Refused,
    ];

    /// For the catalogue.
    pub fn code(self) -> &'static str {
        match self {
            TrunkFailure::NoSuchName => "no_such_name",
            TrunkFailure::NoNameServer => "no_name_server",
            TrunkFailure::NoConnection => "no_connection",
            TrunkFailure::Distrusted => "distrusted",
            TrunkFailure::NoAnswer => "no_answer",
            TrunkFailure::SecretMissing => "secret_missing",
            TrunkFailure::Credentials => "credentials",
            TrunkFailure::Forbidden => "forbidden",
            TrunkFailure::UnknownAccount => "unknown_account",
            TrunkFailure::NotARegistrar => "not_a_registrar",
            TrunkFailure::IntervalRefused => "interval_refused",
            TrunkFailure::PaymentRequired => "payment_required",
            TrunkFailure::CallRefused => "call_refused",
            TrunkFailure::NumberRefused => "number_refused",
            TrunkFailure::AnonymousRefused => "anonymous_refused",
            TrunkFailure::IdentityRefused => "identity_refused",
            TrunkFailure::CodecsRefused => "codecs_refused",
            TrunkFailure::ExtensionRequired => "extension_required",
            TrunkFailure::TooLarge => "too_large",
            TrunkFailure::Moved => "moved",
            TrunkFailure::Loop => "loop",
            TrunkFailure::Overloaded => "overloaded",
            TrunkFailure::CarrierFault => "carrier_fault",
            TrunkFailure::Refused => "refused",
        }
    }

    /// What a final response to a REGISTER means that is no 2xx. One of 401 or 407 is that to our secret, one of 423 that to the time it
    /// named.
    pub fn of_registration(status: u16) -> TrunkFailure {
        match status {
            403 | 603 => TrunkFailure::Forbidden,
            404 | 410 | 604 => TrunkFailure::UnknownAccount,
            405 | 501 => TrunkFailure::NotARegistrar,
            423 => TrunkFailure::IntervalRefused,
            480 | 486 => TrunkFailure::Overloaded,
            other => TrunkFailure::of_any(other),
        }
    }

    /// What a final response to an OPTIONS means that asks only whether the carrier is there; nothing for one by which it is: whoever
    /// refuses the question has heard it.
    pub fn of_probe(status: u16) -> Option<TrunkFailure> {
        matches!(status, 408 | 500 | 502..=504).then(|| TrunkFailure::of_any(status))
    }

    /// What a final response to an INVITE means that is no 2xx; nothing for one that speaks of whom we call and not of the line: busy, not
    /// there, no such number, given up.
    pub fn of_call(status: u16) -> Option<TrunkFailure> {
        match status {
            404 | 410 | 480 | 486 | 487 | 600 | 603 | 604 | 607 | 608 => None,
            403 => Some(TrunkFailure::CallRefused),
            484 | 485 => Some(TrunkFailure::NumberRefused),
            429 => Some(TrunkFailure::Refused),
            501 => Some(TrunkFailure::CarrierFault),
            other => Some(TrunkFailure::of_any(other)),
        }
    }

    /// May the same call be tried by another server or another line? Only where this one took no part in it: what one carrier refuses, the
    /// next would refuse too or be paid for.
    pub fn is_worth_another_way(self) -> bool {
        match self {
            TrunkFailure::NoSuchName
            | TrunkFailure::NoNameServer
            | TrunkFailure::NoConnection
            | TrunkFailure::Distrusted
            | TrunkFailure::NoAnswer
            | TrunkFailure::Overloaded
            | TrunkFailure::CarrierFault => true,
            TrunkFailure::SecretMissing
            | TrunkFailure::Credentials
            | TrunkFailure::Forbidden
            | TrunkFailure::UnknownAccount
            | TrunkFailure::NotARegistrar
            | TrunkFailure::IntervalRefused
            | TrunkFailure::PaymentRequired
            | TrunkFailure::CallRefused
            | TrunkFailure::NumberRefused
            | TrunkFailure::AnonymousRefused
            | TrunkFailure::IdentityRefused
            | TrunkFailure::CodecsRefused
            | TrunkFailure::ExtensionRequired
            | TrunkFailure::TooLarge
            | TrunkFailure::Moved
            | TrunkFailure::Loop
            | TrunkFailure::Refused => false,
        }
    }

    fn of_any(status: u16) -> TrunkFailure {
        match status {
            300..=399 => TrunkFailure::Moved,
            401 | 407 => TrunkFailure::Credentials,
            402 => TrunkFailure::PaymentRequired,
            408 => TrunkFailure::NoAnswer,
            406 | 415 | 488 | 606 => TrunkFailure::CodecsRefused,
            413 | 513 => TrunkFailure::TooLarge,
            420 | 421 | 494 => TrunkFailure::ExtensionRequired,
            428 | 436 | 437 | 438 => TrunkFailure::IdentityRefused,
            433 => TrunkFailure::AnonymousRefused,
            482 | 483 => TrunkFailure::Loop,
            429 | 503 => TrunkFailure::Overloaded,
            500 | 502 | 504 => TrunkFailure::CarrierFault,
            _ => TrunkFailure::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_goes_another_way_for_what_the_line_did_and_never_for_what_the_callee_did() {
        let elsewhere: Vec<u16> =
            (300..700).filter(|status| TrunkFailure::of_call(*status).is_some_and(TrunkFailure::is_worth_another_way)).collect();
        assert_eq!(elsewhere, [408, 500, 501, 502, 503, 504]);
        for answered in [404, 410, 480, 486, 487, 600, 603, 604, 607, 608] {
            assert_eq!(TrunkFailure::of_call(answered), None, "{answered}");
        }
    }

    #[test]
    fn the_same_status_means_what_was_asked() {
        assert_eq!(TrunkFailure::of_registration(403), TrunkFailure::Forbidden);
        assert_eq!(TrunkFailure::of_call(403), Some(TrunkFailure::CallRefused));
        assert_eq!(TrunkFailure::of_probe(403), None);
        assert_eq!(TrunkFailure::of_registration(404), TrunkFailure::UnknownAccount);
        assert_eq!(TrunkFailure::of_registration(501), TrunkFailure::NotARegistrar);
        assert_eq!(TrunkFailure::of_call(484), Some(TrunkFailure::NumberRefused));
        assert_eq!(TrunkFailure::of_call(302), Some(TrunkFailure::Moved));
        assert_eq!(TrunkFailure::of_registration(407), TrunkFailure::Credentials);
    }

    #[test]
    fn who_refuses_the_question_is_there() {
        let gone: Vec<u16> = (300..700).filter(|status| TrunkFailure::of_probe(*status).is_some()).collect();
        assert_eq!(gone, [408, 500, 502, 503, 504]);
    }

    #[test]
    fn codes_are_what_is_written_down() {
        for (position, failure) in TrunkFailure::ALL.into_iter().enumerate() {
            assert_eq!(failure as usize, position, "{failure:?}: none is left out");
            assert_eq!(serde_json::to_string(&failure).unwrap(), format!("\"{}\"", failure.code()));
        }
    }
}
