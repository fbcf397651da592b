//! What phones of some makers want said otherwise than others. Known by what a phone calls itself.

use pbx_sip::message::{Builder, HeaderName, Message};

/// Does this phone look for a caller's name and number in Remote-Party-ID, and not in P-Asserted-Identity? The small Cisco business
/// phones do (SPA, and Linksys and Sipura before them), and the older Polycom.
pub fn reads_remote_party_id(user_agent: Option<&str>) -> bool {
    let knows = |maker: &&str| user_agent.is_some_and(|user_agent| user_agent.contains(*maker));
    ["Cisco", "Linksys", "Sipura", "PolycomSoundPoint"].iter().any(knows)
}

/// Asks a phone to answer by itself, in the words its maker knows.
pub fn answering_by_itself(invite: Builder, user_agent: Option<&str>, domain: &str) -> Builder {
    let by_alert = |maker: &&str| user_agent.is_some_and(|user_agent| user_agent.contains(*maker));
    let alert_known = ["Yealink", "Grandstream", "snom", "Snom", "Aastra", "Mitel", "Polycom", "Fanvil", "Gigaset"];
    if alert_known.iter().any(by_alert) {
        return invite.header(HeaderName::AlertInfo, format!("<http://{domain}>;info=alert-autoanswer;delay=0"));
    }
    invite.header(HeaderName::CallInfo, format!("<sip:{domain}>;answer-after=0"))
}

/// Does a caller ask that the called phone answers by itself? In the words of any maker, or in those of RFC 5373.
pub fn asks_to_answer_by_itself(invite: &Message) -> bool {
    let says = |name: HeaderName, words: &[&str]| {
        invite.headers(name).any(|value| {
            let value = String::from_utf8_lossy(value).to_ascii_lowercase();
            words.iter().any(|word| value.contains(word))
        })
    };
    says(HeaderName::CallInfo, &["answer-after=0"])
        || says(HeaderName::AlertInfo, &["alert-autoanswer", "auto answer", "ring answer"])
        || invite.header(HeaderName::AnswerMode).is_some_and(|mode| mode.trim_ascii().to_ascii_lowercase().starts_with(b"auto"))
}
