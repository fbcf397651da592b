//! Why a request is sent, RFC 3326: `SIP;cause=200;text="Call completed elsewhere"`, `Q.850;cause=16`. What one side of a call gives as
//! its reason, the other is told.

use pbx_sip::message::{HeaderName, Message, Params, list_entries};

/// The call was taken on another phone.
pub const ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

/// Reasons that are read of one message, and characters of a text.
const MOST: usize = 2;
const MAX_TEXT: usize = 80;

/// The reasons of a message that mean something on the other side too, written anew; none if it gives none.
pub fn given(message: &Message) -> Option<String> {
    let entries = message.headers(HeaderName::Reason).flat_map(list_entries).filter_map(Result::ok);
    let reasons: Vec<String> = entries.filter_map(read).take(MOST).collect();
    (!reasons.is_empty()).then(|| reasons.join(", "))
}

fn read(entry: &[u8]) -> Option<String> {
    let end = entry.iter().position(|&byte| byte == b';').unwrap_or(entry.len());
    let protocol = ["SIP", "Q.850"].into_iter().find(|known| entry[..end].trim_ascii().eq_ignore_ascii_case(known.as_bytes()))?;
    let params = Params::parse(&entry[end..]).ok()?;
    let cause: u16 = params.value("cause")?.parse().ok().filter(|cause| *cause < 1000)?;
    let text: String = params
        .value("text")
        .unwrap_or_default()
        .chars()
        .filter(|c| !c.is_control() && !matches!(c, '"' | '\\'))
        .take(MAX_TEXT)
        .collect();
    Some(if text.is_empty() { format!("{protocol};cause={cause}") } else { format!("{protocol};cause={cause};text=\"{text}\"") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_is_written_anew() {
        let reason = |value: &str| {
            let text = format!("BYE sip:x SIP/2.0\r\nReason: {value}\r\n\r\n");
            given(&Message::parse(text.into_bytes().into()).unwrap())
        };
        assert_eq!(reason(ELSEWHERE).as_deref(), Some(ELSEWHERE));
        assert_eq!(reason("q.850 ; cause=16, sip;cause=486;x=1").as_deref(), Some("Q.850;cause=16, SIP;cause=486"));
        for none in ["preemption;cause=1", "SIP", "SIP;cause=x", "SIP;cause=1000", "", ";cause=1"] {
            assert_eq!(reason(none), None, "{none}");
        }
        let long = reason(&format!("SIP;cause=1;text=\"{}\"", "x".repeat(500))).unwrap();
        assert!(long.len() < 120, "{long}");
    }
}
