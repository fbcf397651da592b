//! The phones of one's own extension, RFC 3680: always everything, with those that are gone since it was told last.

use pbx_sip::clock::Wall;

use crate::registrar::Binding;
use crate::subscription::{XML, escaped};

/// The document. `before`: what [`compared`] gave when it was told last.
pub fn document(entity: &str, domain: &str, version: u32, before: &str, bindings: &[Binding], now: Wall) -> String {
    let aor = escaped(&format!("sip:{entity}@{domain}"));
    let state = if bindings.is_empty() { "terminated" } else { "active" };
    let mut contacts = String::new();
    for binding in bindings {
        let left = (binding.expires - now).as_secs();
        contacts.push_str(&format!(
            "<contact id=\"{0}\" state=\"active\" event=\"registered\" expires=\"{left}\"><uri>{0}</uri></contact>\r\n",
            escaped(&binding.contact)
        ));
    }
    for gone in before.lines().filter(|contact| bindings.iter().all(|binding| binding.contact != *contact)) {
        contacts.push_str(&format!(
            "<contact id=\"{0}\" state=\"terminated\" event=\"unregistered\"><uri>{0}</uri></contact>\r\n",
            escaped(gone)
        ));
    }
    format!(
        "{XML}<reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" version=\"{version}\" state=\"full\">\r\n<registration aor=\"{aor}\" id=\"{entity}\" state=\"{state}\">\r\n{contacts}</registration>\r\n</reginfo>\r\n"
    )
}

/// What of it is worth a word if it is different: which phones, and not until when.
pub fn compared(bindings: &[Binding]) -> String {
    bindings.iter().map(|binding| format!("{}\n", binding.contact)).collect()
}
