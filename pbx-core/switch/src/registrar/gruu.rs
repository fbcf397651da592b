//! Names for one phone of an extension (RFC 5627): a public one, which says whose it is and stays, and temporary ones, which say nothing
//! to whoever has not drawn them and end with the phone's registrations under one Call-ID.

use pbx_sip::auth::Authenticator;
use pbx_sip::message::Uri;

use crate::registrar::Binding;

/// What a temporary name begins with; no extension does.
const TEMPORARY: &str = "tgruu.";

/// The public name of a phone, if it has said who it is.
pub fn public(binding: &Binding, domain: &str) -> Option<String> {
    let gr = gr_of(binding.instance.as_deref()?);
    Some(format!("sip:{}@{domain};gr={gr}", binding.aor))
}

/// The value of `gr` in it.
pub fn name(binding: &Binding) -> Option<String> {
    binding.instance.as_deref().map(gr_of)
}

/// A temporary one, another for each of its REGISTERs.
pub fn temporary(binding: &Binding, domain: &str, auth: &Authenticator) -> Option<String> {
    binding.instance.as_ref()?;
    Some(format!("sip:{TEMPORARY}{}.{}@{domain};gr", binding.cseq, proof(binding, binding.cseq, auth)))
}

/// Does a URI name one phone by its public name? The value of `gr`.
pub fn named(uri: &Uri<'_>) -> Option<String> {
    uri.param("gr").flatten().map(str::to_owned)
}

/// Is that value the public name of this phone?
pub fn is_named(binding: &Binding, gr: &str) -> bool {
    binding.instance.as_deref().is_some_and(|instance| gr_of(instance).eq_ignore_ascii_case(gr))
}

/// Whose temporary name is that user? Of the phones of a house.
pub fn found<'a>(user: &str, mut bindings: impl Iterator<Item = &'a Binding>, auth: &Authenticator) -> Option<&'a Binding> {
    let (cseq, said) = user.strip_prefix(TEMPORARY)?.split_once('.')?;
    let cseq: u32 = cseq.parse().ok()?;
    bindings.find(|binding| cseq <= binding.cseq && binding.instance.is_some() && proof(binding, cseq, auth) == said)
}

/// `"<urn:uuid:...>"` as a parameter of a URI.
fn gr_of(instance: &str) -> String {
    let bare = instance.trim_matches(['"', '<', '>', ' ']);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'():+".contains(&byte);
    bare.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn proof(binding: &Binding, cseq: u32, auth: &Authenticator) -> String {
    let instance = binding.instance.as_deref().unwrap_or_default();
    auth.proof(&[b"gruu", binding.aor.as_str().as_bytes(), instance.as_bytes(), binding.call_id.as_bytes(), &cseq.to_be_bytes()])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pbx_sip::auth::Algorithm;
    use pbx_sip::clock::{Now, Tick, Wall};
    use pbx_sip::flow::{ConnectionId, Flow, Transport};

    use super::*;
    use crate::directory::ExtensionNumber;

    fn auth(key: u8) -> Authenticator {
        let now = Now { tick: Tick(0), wall: Wall(0) };
        Authenticator::new("pbx", [key; 32], vec![Algorithm::Md5], Duration::from_secs(60), now)
    }

    fn phone(instance: Option<&str>, cseq: u32) -> Binding {
        let here = "192.0.2.1:5060".parse().unwrap();
        Binding {
            aor: ExtensionNumber::new("201").unwrap(),
            contact: "sip:201@192.0.2.1".into(),
            instance: instance.map(str::to_owned),
            reg_id: None,
            path: Vec::new(),
            q_thousandths: 1000,
            flow: Flow { transport: Transport::Udp, local: here, remote: here, connection: ConnectionId(0) },
            call_id: "a".into(),
            cseq,
            expires: Wall(9),
            user_agent: None,
        }
    }

    #[test]
    fn a_temporary_name_leads_to_its_phone_for_as_long_as_it_registers_under_one_call_id() {
        let auth = auth(1);
        let early = temporary(&phone(Some("\"<urn:uuid:7>\""), 3), "pbx.test", &auth).unwrap();
        let user = early.strip_prefix("sip:").and_then(|rest| rest.split_once('@')).unwrap().0;
        assert!(early.ends_with("@pbx.test;gr") && !early.contains("201"), "{early}");
        let later = phone(Some("\"<urn:uuid:7>\""), 9);
        assert_ne!(temporary(&later, "pbx.test", &auth).unwrap(), early, "another for each REGISTER");
        let other = phone(Some("\"<urn:uuid:8>\""), 9);
        let both = [other.clone(), later.clone()];
        assert_eq!(found(user, both.iter(), &auth), Some(&later));
        let anew = Binding { call_id: "b".into(), ..later.clone() };
        for gone in [&anew, &other, &phone(None, 9), &phone(Some("\"<urn:uuid:7>\""), 2)] {
            assert_eq!(found(user, std::iter::once(gone), &auth), None, "{gone:?}");
        }
        assert_eq!(found(user, both.iter(), &self::auth(2)), None, "another house");
        for nonsense in ["201", "tgruu.", "tgruu.3.", "tgruu.x.y", "tgruu.99999999999.a"] {
            assert_eq!(found(nonsense, both.iter(), &auth), None, "{nonsense}");
        }
    }

    #[test]
    fn a_public_name_is_a_uri_whatever_the_phone_calls_itself() {
        let phone = phone(Some("\"<urn:x:a b;c>\""), 1);
        let name = public(&phone, "pbx.test").unwrap();
        assert_eq!(name, "sip:201@pbx.test;gr=urn:x:a%20b%3Bc");
        let uri = Uri::parse(&name).unwrap();
        assert!(is_named(&phone, &named(&uri).unwrap()));
        assert_eq!(public(&self::phone(None, 1), "pbx.test"), None);
    }
}
