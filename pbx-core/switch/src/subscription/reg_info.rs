//! The phones of one's own extension, RFC 3680: always everything.

use pbx_sip::clock::Wall;

use crate::registrar::Binding;
use crate::subscription::{XML, escaped};

/// The document. Without `version` and times it is what tells whether something has changed.
pub fn document(entity: &str, domain: &str, version: u32, bindings: &[Binding], now: Wall) -> String {
    let aor = escaped(&format!("sip:{entity}@{domain}"));
    let state = if bindings.is_empty() { "terminated" } else { "active" };
    let mut contacts = String::new();
    for binding in bindings {
        let left = (binding.expires - now).as_secs();
        contacts.push_str(&format!(
            "<contact id=\"{}\" state=\"active\" event=\"registered\" expires=\"{left}\"><uri>{}</uri></contact>\r\n",
            escaped(&binding.call_id),
            escaped(&binding.contact)
        ));
    }
    format!(
        "{XML}<reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" version=\"{version}\" state=\"full\">\r\n<registration aor=\"{aor}\" id=\"{entity}\" state=\"{state}\">\r\n{contacts}</registration>\r\n</reginfo>\r\n"
    )
}

/// What of the document a change would be.
pub fn compared(bindings: &[Binding]) -> String {
    bindings.iter().map(|binding| format!("{}\n", binding.contact)).collect()
}
