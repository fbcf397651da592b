//! The names of header fields this house knows, their canonical spelling and their compact form.

use std::fmt;

macro_rules! header_names {
    ($($(#[doc = $doc:literal])* $variant:ident $name:literal $($compact:literal)?;)*) => {
        /// A header field by meaning: `v` and `VIA` are both [`HeaderName::Via`]. What is not listed is [`HeaderName::Other`],
        /// kept in the message as it came.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum HeaderName {
            $($(#[doc = $doc])* #[doc = concat!("`", $name, "`")] $variant,)*
            /// Any other name.
            Other,
        }

        const KNOWN: &[(&str, HeaderName)] = &[
            $(($name, HeaderName::$variant), $(($compact, HeaderName::$variant),)?)*
        ];

        const CANONICAL: &[&str] = &[$($name,)* ""];
    };
}

header_names! {
    Via "Via" "v";
    From "From" "f";
    To "To" "t";
    CallId "Call-ID" "i";
    CSeq "CSeq";
    Contact "Contact" "m";
    MaxForwards "Max-Forwards";
    ContentLength "Content-Length" "l";
    ContentType "Content-Type" "c";
    Route "Route";
    RecordRoute "Record-Route";
    Authorization "Authorization";
    ProxyAuthorization "Proxy-Authorization";
    WwwAuthenticate "WWW-Authenticate";
    ProxyAuthenticate "Proxy-Authenticate";
    AuthenticationInfo "Authentication-Info";
    Expires "Expires";
    MinExpires "Min-Expires";
    Require "Require";
    ProxyRequire "Proxy-Require";
    Supported "Supported" "k";
    Unsupported "Unsupported";
    Allow "Allow";
    AllowEvents "Allow-Events" "u";
    Accept "Accept";
    AcceptEncoding "Accept-Encoding";
    AcceptLanguage "Accept-Language";
    ContentEncoding "Content-Encoding" "e";
    ContentDisposition "Content-Disposition";
    ContentLanguage "Content-Language";
    MimeVersion "MIME-Version";
    Reason "Reason";
    Subject "Subject" "s";
    UserAgent "User-Agent";
    Server "Server";
    RetryAfter "Retry-After";
    Date "Date";
    Timestamp "Timestamp";
    Warning "Warning";
    AlertInfo "Alert-Info";
    CallInfo "Call-Info";
    ErrorInfo "Error-Info";
    InReplyTo "In-Reply-To";
    Organization "Organization";
    Priority "Priority";
    ReplyTo "Reply-To";
    /// RFC 6665
    Event "Event" "o";
    /// RFC 6665
    SubscriptionState "Subscription-State";
    /// RFC 3515
    ReferTo "Refer-To" "r";
    /// RFC 3892
    ReferredBy "Referred-By" "b";
    /// RFC 3891
    Replaces "Replaces";
    /// RFC 3911
    Join "Join";
    /// RFC 4028
    SessionExpires "Session-Expires" "x";
    /// RFC 4028
    MinSe "Min-SE";
    /// RFC 3262
    RSeq "RSeq";
    /// RFC 3262
    RAck "RAck";
    /// RFC 3327
    Path "Path";
    /// RFC 3608
    ServiceRoute "Service-Route";
    /// RFC 3325
    PAssertedIdentity "P-Asserted-Identity";
    /// RFC 3325
    PPreferredIdentity "P-Preferred-Identity";
    /// RFC 7315
    PCalledPartyId "P-Called-Party-ID";
    /// RFC 3323
    Privacy "Privacy";
    /// RFC 5806
    Diversion "Diversion";
    /// RFC 7044
    HistoryInfo "History-Info";
    /// Older than RFC 3325, and still sent by phones.
    RemotePartyId "Remote-Party-ID";
    /// RFC 3903
    SipEtag "SIP-ETag";
    /// RFC 3903
    SipIfMatch "SIP-If-Match";
    /// RFC 3841
    AcceptContact "Accept-Contact" "a";
    /// RFC 3841
    RejectContact "Reject-Contact" "j";
    /// RFC 3841
    RequestDisposition "Request-Disposition" "d";
    /// RFC 8224
    Identity "Identity" "y";
    /// RFC 6086
    InfoPackage "Info-Package";
    /// RFC 6086
    RecvInfo "Recv-Info";
    /// RFC 4488
    ReferSub "Refer-Sub";
    /// RFC 5373
    AnswerMode "Answer-Mode";
}

impl HeaderName {
    /// The meaning of a name as it came, in either form and any case (RFC 3261 7.3.1, 7.3.3).
    pub fn of(name: &[u8]) -> HeaderName {
        if name.is_empty() {
            return HeaderName::Other;
        }
        let mut place = hash(name);
        loop {
            match TABLE[place] {
                0 => return HeaderName::Other,
                entry => {
                    let (known, header) = KNOWN[entry as usize - 1];
                    if known.len() == name.len() && known.as_bytes().eq_ignore_ascii_case(name) {
                        return header;
                    }
                }
            }
            place = (place + 1) % TABLE.len();
        }
    }

    /// The canonical long form; empty for [`HeaderName::Other`].
    pub fn as_str(self) -> &'static str {
        CANONICAL[self as usize]
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Open addressing over the known names, built by the compiler; 0 is empty, else one more than the place in `KNOWN`.
static TABLE: [u8; 512] = {
    let mut table = [0u8; 512];
    let mut entry = 0;
    while entry < KNOWN.len() {
        let mut place = hash(KNOWN[entry].0.as_bytes());
        while table[place] != 0 {
            place = (place + 1) % 512;
        }
        table[place] = entry as u8 + 1;
        entry += 1;
    }
    table
};

/// Length, first, middle and last character without regard to case.
const fn hash(name: &[u8]) -> usize {
    let (first, middle, last) = (name[0] | 0x20, name[name.len() / 2] | 0x20, name[name.len() - 1] | 0x20);
    (name.len() * 67 + first as usize * 5 + middle as usize * 23 + last as usize * 41) % 512
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case_and_in_compact_form() {
        for &(name, header) in KNOWN {
            assert_eq!(HeaderName::of(name.as_bytes()), header, "{name}");
            assert_eq!(HeaderName::of(name.to_ascii_uppercase().as_bytes()), header, "{name}");
            assert_eq!(HeaderName::of(name.to_ascii_lowercase().as_bytes()), header, "{name}");
            assert_eq!(HeaderName::of(header.as_str().as_bytes()), header, "{name}");
        }
    }

    #[test]
    fn what_is_not_known_is_other() {
        for name in ["", "X-Foo", "Vi", "Viaa", "C%6Fntact", "z", "-", "q"] {
            assert_eq!(HeaderName::of(name.as_bytes()), HeaderName::Other, "{name}");
        }
    }

    #[test]
    fn the_table_seldom_asks_twice() {
        let home = KNOWN.iter().filter(|(name, _)| {
            let entry = TABLE[hash(name.as_bytes())];
            KNOWN[entry as usize - 1].0 == *name
        });
        assert!(home.count() * 10 >= KNOWN.len() * 8, "at least four in five names stand at their own place");
    }
}
