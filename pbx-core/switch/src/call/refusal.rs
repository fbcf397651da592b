//! Why a call is not connected: one table from reason to SIP status, and one back.

use serde::{Deserialize, Serialize};

use crate::dialplan::RefusalReason;
use crate::trunking::TrunkFailure;

/// A reason. The catalogue has a sentence for each: `outcome.<code>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Every phone is busy.
    Busy,
    /// Somebody pressed "reject", or does not wish to be disturbed.
    Declined,
    /// It rang, and nobody came.
    NoAnswer,
    /// The extension has no phone.
    Unregistered,
    /// Its phones did not react.
    Unreachable,
    /// Nobody has that number.
    UnknownNumber,
    /// The caller may not call it.
    NotAllowed,
    /// A number that costs too much.
    Premium,
    /// A country that the house has not opened.
    Abroad,
    /// Whoever would pay has spent as much as may be spent.
    CeilingReached,
    /// Nobody is there at this hour.
    Closed,
    /// The extension is switched off.
    Disabled,
    /// A call to the outside, and no line exists.
    NoOutsideLine,
    /// Every line has as many calls as it can carry.
    LinesBusy,
    /// The line does not carry this call, for a reason that every line would have, or that we have to be told of.
    LineRefused,
    /// The phones have no codec in common.
    NoCommonCodec,
    /// As many calls as the house can hold.
    TooManyCalls,
    /// The switchboard is being stopped.
    Stopping,
    /// A fault of ours.
    Fault,
}

impl Refusal {
    /// Every reason, for the catalogue's test.
    pub const ALL: [Refusal; 19] = [
        Refusal::Busy,
        Refusal::Declined,
        Refusal::NoAnswer,
        Refusal::Unregistered,
        Refusal::Unreachable,
        Refusal::UnknownNumber,
        Refusal::NotAllowed,
        Refusal::Premium,
        Refusal::Abroad,
        Refusal::CeilingReached,
        Refusal::Closed,
        Refusal::Disabled,
        Refusal::NoOutsideLine,
        Refusal::LinesBusy,
        Refusal::LineRefused,
        Refusal::NoCommonCodec,
        Refusal::TooManyCalls,
        Refusal::Stopping,
        Refusal::Fault,
    ];

    /// For the catalogue.
    pub fn code(self) -> &'static str {
        match self {
            Refusal::Busy => "busy",
            Refusal::Declined => "declined",
            Refusal::NoAnswer => "no_answer",
            Refusal::Unregistered => "unregistered",
            Refusal::Unreachable => "unreachable",
            Refusal::UnknownNumber => "unknown_number",
            Refusal::NotAllowed => "not_allowed",
            Refusal::Premium => "premium",
            Refusal::Abroad => "abroad",
            Refusal::CeilingReached => "ceiling_reached",
            Refusal::Closed => "closed",
            Refusal::Disabled => "disabled",
            Refusal::NoOutsideLine => "no_outside_line",
            Refusal::LinesBusy => "lines_busy",
            Refusal::LineRefused => "line_refused",
            Refusal::NoCommonCodec => "no_common_codec",
            Refusal::TooManyCalls => "too_many_calls",
            Refusal::Stopping => "stopping",
            Refusal::Fault => "fault",
        }
    }

    /// What the caller's phone is told.
    pub fn status(self) -> u16 {
        match self {
            Refusal::Busy => 486,
            Refusal::Declined => 603,
            Refusal::NoAnswer | Refusal::Unregistered | Refusal::Unreachable | Refusal::Closed => 480,
            Refusal::UnknownNumber | Refusal::Disabled => 404,
            Refusal::NotAllowed | Refusal::Premium | Refusal::Abroad | Refusal::CeilingReached => 403,
            Refusal::NoOutsideLine | Refusal::LinesBusy | Refusal::LineRefused | Refusal::TooManyCalls | Refusal::Stopping => 503,
            Refusal::NoCommonCodec => 488,
            Refusal::Fault => 500,
        }
    }

    /// Would another line do better? What is said of the number called is the same by every line.
    pub(crate) fn is_of_the_line(self) -> bool {
        matches!(self, Refusal::Unreachable | Refusal::LinesBusy)
    }

    /// What a phone meant by a final response that is no 2xx.
    pub fn of_status(status: u16) -> Refusal {
        match status {
            486 | 600 => Refusal::Busy,
            603 | 607 | 608 => Refusal::Declined,
            404 | 410 | 484 | 485 | 604 => Refusal::UnknownNumber,
            403 => Refusal::NotAllowed,
            406 | 415 | 488 | 606 => Refusal::NoCommonCodec,
            480 | 487 => Refusal::NoAnswer,
            _ => Refusal::Unreachable,
        }
    }

    /// What a line meant by one: as a phone, unless it speaks of itself.
    pub(crate) fn of_line_status(status: u16) -> Refusal {
        match (Refusal::of_status(status), TrunkFailure::of_call(status)) {
            (Refusal::Unreachable, Some(failure)) if !failure.is_worth_another_way() => Refusal::LineRefused,
            (refusal, _) => refusal,
        }
    }

    /// Of several phones' answers, the one that says most to the caller (RFC 3261 16.7 step 6, in telephone words).
    pub fn or_better(self, other: Refusal) -> Refusal {
        if other.weight() > self.weight() { other } else { self }
    }

    fn weight(self) -> u8 {
        match self {
            Refusal::Declined => 5,
            Refusal::Busy => 4,
            Refusal::NoCommonCodec => 3,
            Refusal::NoAnswer => 2,
            Refusal::Unreachable => 0,
            _ => 1,
        }
    }
}

impl From<RefusalReason> for Refusal {
    fn from(reason: RefusalReason) -> Refusal {
        match reason {
            RefusalReason::UnknownNumber => Refusal::UnknownNumber,
            RefusalReason::NotAllowed => Refusal::NotAllowed,
            RefusalReason::Premium => Refusal::Premium,
            RefusalReason::Abroad => Refusal::Abroad,
            RefusalReason::Closed => Refusal::Closed,
            RefusalReason::Disabled => Refusal::Disabled,
        }
    }
}
