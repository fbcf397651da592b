//! Extensions: list, create, change, remove, import.

use std::collections::BTreeSet;

use pbx_sip::auth::Ha1;
use pbx_switch::directory::{Access, Encryption, Extension as Entry, ExtensionNumber, Network, SiteKey};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::{Desk, Error, RowError, instant, random};
use crate::runtime;
use crate::store;
use crate::store::extension::StoredExtension;

/// A phone that is registered.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Device {
    /// Its Contact.
    pub contact: String,
    /// What it calls itself.
    pub user_agent: Option<String>,
    /// Where it is.
    pub address: String,
    /// `UDP`, `TCP` or `TLS`.
    pub transport: String,
    /// RFC 3339.
    pub expires_at: String,
}

/// An extension.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Extension {
    /// Two to six digits.
    pub number: String,
    /// A person or a place.
    pub name: String,
    /// For messages.
    pub email: Option<String>,
    /// Where it stands.
    pub site: String,
    /// One that is not cannot register.
    pub enabled: bool,
    /// It has phones.
    pub registered: bool,
    /// They.
    pub devices: Vec<Device>,
    /// Networks its phones may come from: `192.168.1.0/24`; from everywhere if there are none.
    pub networks: Vec<String>,
    /// `optional`, `beyond_own_networks`, `always`: when its phones must come by TLS.
    pub encryption: String,
    /// Who must come by TLS speaks protected too (SRTP).
    pub protects_sound: bool,
    /// RFC 3339.
    pub created_at: String,
}

/// Every extension.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Extensions {
    /// By number.
    pub items: Vec<Extension>,
    /// Always null: the list is whole.
    pub next: Option<String>,
}

/// An extension to create.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewExtension {
    /// Two to six digits.
    pub number: String,
    /// A person or a place.
    pub name: String,
    /// For messages.
    #[serde(default)]
    pub email: Option<String>,
    /// Generated if absent.
    #[serde(default)]
    pub secret: Option<String>,
}

/// An extension with its secret, shown this once, and what a phone is told.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ExtensionWithSecret {
    /// The extension.
    #[serde(flatten)]
    pub extension: Extension,
    /// For its phones.
    pub secret: String,
    /// Where they register: address and port.
    pub server: String,
    /// SIP domain; empty if the server's address serves.
    pub domain: String,
}

/// What may be changed of an extension; what is absent stays.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtensionChange {
    /// A person or a place.
    #[serde(default)]
    pub name: Option<String>,
    /// For messages; empty for none.
    #[serde(default)]
    pub email: Option<String>,
    /// One that is not cannot register.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// Networks its phones may come from; none for everywhere.
    #[serde(default)]
    pub networks: Option<Vec<String>>,
    /// `optional`, `beyond_own_networks`, `always`
    #[serde(default)]
    pub encryption: Option<String>,
    /// Who must come by TLS speaks protected too (SRTP).
    #[serde(default)]
    pub protects_sound: Option<bool>,
}

/// What an import has created.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Imported {
    /// How many.
    pub count: usize,
    /// Number and secret of those for which one was generated, shown this once.
    pub generated: Vec<(String, String)>,
}

/// Octets and rows of a list.
const MAX_CSV: usize = 4_000_000;
const MAX_ROWS: usize = 50_000;

/// Every extension with its phones.
pub async fn list(desk: &Desk) -> Result<Extensions, Error> {
    let stored = store::extension::all(desk.db()).await?;
    Ok(Extensions { items: stored.iter().map(|stored| shown(desk, stored)).collect(), next: None })
}

/// One.
pub async fn get(desk: &Desk, number: &str) -> Result<Extension, Error> {
    found(desk, number).await.map(|stored| shown(desk, &stored))
}

/// Creates one; its secret is told this once.
pub async fn create(desk: &Desk, new: NewExtension) -> Result<ExtensionWithSecret, Error> {
    let (stored, secret) = checked(desk, &new).map_err(|(field, code)| Error::Invalid { field, code })?;
    let _changing = desk.changing().await;
    store::extension::insert(desk.db(), std::slice::from_ref(&stored)).await?;
    desk.directory_changed().await?;
    Ok(with_secret(desk, &stored, secret))
}

/// Changes one.
pub async fn update(desk: &Desk, number: &str, change: ExtensionChange) -> Result<Extension, Error> {
    let _changing = desk.changing().await;
    let mut stored = found(desk, number).await?;
    let invalid = |(field, code)| Error::Invalid { field, code };
    if let Some(name) = change.name {
        stored.extension.name = name_of(&name).map_err(invalid)?;
    }
    if let Some(email) = change.email {
        stored.extension.email = email_of(Some(&email)).map_err(invalid)?;
    }
    if let Some(enabled) = change.enabled {
        stored.extension.enabled = enabled;
    }
    if let Some(networks) = change.networks {
        let read: Result<Vec<Network>, _> = networks.iter().map(|network| network.trim().parse()).collect();
        stored.extension.access.networks = read.map_err(|_| invalid(("networks", "network")))?;
        if !stored.extension.access.is_bounded() {
            return Err(invalid(("networks", "too_many_entries")));
        }
    }
    if let Some(code) = change.encryption {
        let known = Encryption::ALL.into_iter().find(|known| known.code() == code);
        stored.extension.access.encryption = known.ok_or(invalid(("encryption", "encryption")))?;
    }
    if let Some(protects_sound) = change.protects_sound {
        stored.extension.access.sound = protects_sound;
    }
    save(desk, &stored).await?;
    Ok(shown(desk, &stored))
}

/// Gives one a new secret, told this once; its phones must be told too.
pub async fn new_secret(desk: &Desk, number: &str) -> Result<ExtensionWithSecret, Error> {
    let _changing = desk.changing().await;
    let mut stored = found(desk, number).await?;
    let secret = generated();
    stored.extension.ha1 = Ha1::of(number, desk.realm(), &secret);
    save(desk, &stored).await?;
    Ok(with_secret(desk, &stored, secret))
}

/// Removes one.
pub async fn delete(desk: &Desk, number: &str) -> Result<(), Error> {
    let _changing = desk.changing().await;
    if !store::extension::delete(desk.db(), number).await? {
        return Err(Error::NotFound);
    }
    desk.directory_changed().await
}

/// Creates extensions from a list, all or none: `number,name,secret,email` with that header.
pub async fn import(desk: &Desk, csv: &str) -> Result<Imported, Error> {
    let row = |line: usize, code: &str| RowError { line, code: code.to_owned() };
    if csv.len() > MAX_CSV {
        return Err(Error::Rows(vec![row(1, "csv_too_large")]));
    }
    let mut rows = rows(csv.trim_start_matches('\u{feff}'));
    let (mut errors, mut ready, mut secrets, mut seen) = (Vec::new(), Vec::new(), Vec::new(), BTreeSet::new());
    match rows.next() {
        Some((_, header)) if header.iter().map(|name| name.trim()).eq(["number", "name", "secret", "email"]) => {}
        _ => return Err(Error::Rows(vec![row(1, "csv_header")])),
    }
    let _changing = desk.changing().await;
    let taken: BTreeSet<String> =
        store::extension::all(desk.db()).await?.into_iter().map(|stored| stored.extension.number.into()).collect();
    for (line, fields) in rows {
        if ready.len() + errors.len() >= MAX_ROWS {
            return Err(Error::Rows(vec![row(line, "csv_too_large")]));
        }
        let [number, name, secret, email] = fields.as_slice() else {
            errors.push(row(line, "csv_columns"));
            continue;
        };
        let new = NewExtension {
            number: number.trim().to_owned(),
            name: name.trim().to_owned(),
            email: Some(email.trim().to_owned()),
            secret: Some(secret.clone()).filter(|secret| !secret.is_empty()),
        };
        let given = new.secret.is_some();
        match checked(desk, &new) {
            Err((_, code)) => errors.push(row(line, code)),
            Ok(_) if !seen.insert(new.number.clone()) => errors.push(row(line, "csv_twice")),
            Ok(_) if taken.contains(&new.number) => errors.push(row(line, "extension_taken")),
            Ok((stored, secret)) => {
                if !given {
                    secrets.push((new.number, secret));
                }
                ready.push(stored);
            }
        }
    }
    if !errors.is_empty() {
        return Err(Error::Rows(errors));
    }
    store::extension::insert(desk.db(), &ready).await?;
    desk.directory_changed().await?;
    Ok(Imported { count: ready.len(), generated: secrets })
}

async fn found(desk: &Desk, number: &str) -> Result<StoredExtension, Error> {
    store::extension::get(desk.db(), number).await?.ok_or(Error::NotFound)
}

async fn save(desk: &Desk, stored: &StoredExtension) -> Result<(), Error> {
    if !store::extension::update(desk.db(), &stored.extension).await? {
        return Err(Error::NotFound);
    }
    desk.directory_changed().await
}

fn shown(desk: &Desk, stored: &StoredExtension) -> Extension {
    let entry = &stored.extension;
    let devices = desk.live().map_or_else(Vec::new, |live| {
        live.board.read(|status| {
            let registration = status.registrations.get(entry.number.as_str());
            registration.map_or_else(Vec::new, |registration| registration.devices.iter().map(device).collect())
        })
    });
    Extension {
        number: entry.number.to_string(),
        name: entry.name.clone(),
        email: entry.email.clone(),
        site: entry.site.to_string(),
        enabled: entry.enabled,
        registered: !devices.is_empty(),
        devices,
        networks: entry.access.networks.iter().map(ToString::to_string).collect(),
        encryption: entry.access.encryption.code().to_owned(),
        protects_sound: entry.access.sound,
        created_at: instant(pbx_sip::clock::Wall(stored.created_at)),
    }
}

pub(crate) fn device(device: &pbx_switch::status::Device) -> Device {
    Device {
        contact: device.contact.clone(),
        user_agent: device.user_agent.clone(),
        address: device.address.to_string(),
        transport: device.transport.clone(),
        expires_at: instant(device.expires),
    }
}

fn with_secret(desk: &Desk, stored: &StoredExtension, secret: String) -> ExtensionWithSecret {
    let server = desk.live().map_or_else(String::new, |live| live.listening.sip_udp.to_string());
    let domain = desk.inner.config.sip.domain.clone();
    ExtensionWithSecret { extension: shown(desk, stored), secret, server, domain }
}

type Mistake = (&'static str, &'static str);

fn checked(desk: &Desk, new: &NewExtension) -> Result<(StoredExtension, String), Mistake> {
    let number = ExtensionNumber::new(&new.number).map_err(|error| ("number", error.code()))?;
    let name = name_of(&new.name)?;
    let email = email_of(new.email.as_deref())?;
    let secret = match &new.secret {
        None => generated(),
        Some(secret) if (4..=128).contains(&secret.len()) && !secret.chars().any(char::is_control) => secret.clone(),
        Some(_) => return Err(("secret", "secret_length")),
    };
    let ha1 = Ha1::of(number.as_str(), desk.realm(), &secret);
    let extension = Entry { number, name, site: SiteKey("main".to_owned()), email, enabled: true, ha1, access: Access::default() };
    Ok((StoredExtension { extension, created_at: runtime::now().wall.0 }, secret))
}

fn name_of(name: &str) -> Result<String, Mistake> {
    let name = name.trim();
    let good = (1..=80).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    good.then(|| name.to_owned()).ok_or(("name", "name_length"))
}

fn email_of(email: Option<&str>) -> Result<Option<String>, Mistake> {
    let Some(email) = email.map(str::trim).filter(|email| !email.is_empty()) else { return Ok(None) };
    let parts = email.split_once('@');
    let good = email.len() <= 254
        && !email.chars().any(|character| character.is_whitespace() || character.is_control())
        && parts.is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
    if good { Ok(Some(email.to_owned())) } else { Err(("email", "email")) }
}

/// Easy to read aloud and to type: no letter that looks like a digit.
fn generated() -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    random::<20>().iter().map(|octet| char::from(ALPHABET[usize::from(octet & 31)])).collect()
}

/// Rows of RFC 4180 with the line each begins at; blank lines are passed over.
fn rows(csv: &str) -> impl Iterator<Item = (usize, Vec<String>)> + '_ {
    let mut rest = csv.chars().peekable();
    let mut line = 1;
    std::iter::from_fn(move || {
        loop {
            rest.peek()?;
            let first = line;
            let (mut fields, mut field, mut quoted, mut began) = (Vec::new(), String::new(), false, true);
            loop {
                match rest.next() {
                    None => break,
                    Some('"') if quoted && rest.peek() == Some(&'"') => {
                        rest.next();
                        field.push('"');
                    }
                    Some('"') if quoted => quoted = false,
                    Some('"') if began => quoted = true,
                    Some(',') if !quoted => {
                        fields.push(std::mem::take(&mut field));
                        began = true;
                        continue;
                    }
                    Some('\n') => {
                        line += 1;
                        if !quoted {
                            break;
                        }
                        field.push('\n');
                    }
                    Some('\r') if !quoted => {}
                    Some(character) => field.push(character),
                }
                began = false;
            }
            fields.push(field);
            if fields.len() > 1 || !fields[0].trim().is_empty() {
                return Some((first, fields));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    async fn desk(folder: &tempfile::TempDir) -> Desk {
        Desk::open(Config { data_dir: folder.path().to_owned(), ..Config::default() }).await.unwrap()
    }

    #[tokio::test]
    async fn a_list_is_imported_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let desk = desk(&folder).await;
        let bad = "number,name,secret,email\n201,Ana,,\n15,SAMU,,\n202,Bo,xy,\n203,Cy,,no-address\n201,again,,\n204,short\n";
        let Err(Error::Rows(rows)) = import(&desk, bad).await else { panic!("the list has mistakes") };
        let named: Vec<_> = rows.iter().map(|row| (row.line, row.code.as_str())).collect();
        assert_eq!(named, [(3, "number_emergency"), (4, "secret_length"), (5, "email"), (6, "csv_twice"), (7, "csv_columns")]);
        assert!(list(&desk).await.unwrap().items.is_empty());
        let good = import(
            &desk,
            "\u{feff}number,name,secret,email\r\n201,\"Ana, \"\"B\"\"\",,\r\n\r\n202,Bo,longsecret,bo@example.org\r\n",
        )
        .await
        .unwrap();
        assert_eq!((good.count, good.generated.len()), (2, 1));
        assert_eq!(get(&desk, "201").await.unwrap().name, "Ana, \"B\"");
        assert!(matches!(import(&desk, "nummer,name\n").await, Err(Error::Rows(_))));
    }

    #[tokio::test]
    async fn ten_thousand_rows_in_well_under_ten_seconds() {
        let folder = tempfile::tempdir().unwrap();
        let desk = desk(&folder).await;
        let mut csv = String::from("number,name,secret,email\n");
        (10_000..20_000).for_each(|number| csv.push_str(&format!("{number},Poste {number},pw{number},\n")));
        let start = std::time::Instant::now();
        assert_eq!(import(&desk, &csv).await.unwrap().count, 10_000);
        assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
    }

    #[tokio::test]
    async fn two_changes_at_once_are_both_kept() {
        let folder = tempfile::tempdir().unwrap();
        let desk = desk(&folder).await;
        create(&desk, NewExtension { number: "201".into(), name: "Ana".into(), ..NewExtension::default() }).await.unwrap();
        let renamed = update(&desk, "201", ExtensionChange { name: Some("Bo".into()), ..ExtensionChange::default() });
        let written = update(&desk, "201", ExtensionChange { email: Some("bo@example.org".into()), ..ExtensionChange::default() });
        let disabled = update(&desk, "201", ExtensionChange { enabled: Some(false), ..ExtensionChange::default() });
        let (renamed, written, disabled) = tokio::join!(renamed, written, disabled);
        assert!(renamed.is_ok() && written.is_ok() && disabled.is_ok());
        let now = get(&desk, "201").await.unwrap();
        assert_eq!((now.name.as_str(), now.email.as_deref(), now.enabled), ("Bo", Some("bo@example.org"), false));
    }

    #[tokio::test]
    async fn a_locked_database_is_said_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let desk = desk(&folder).await;
        let held = crate::store::tests::hold(folder.path()).await;
        let new = NewExtension { number: "201".into(), name: "Ana".into(), ..NewExtension::default() };
        assert!(matches!(create(&desk, new.clone()).await, Err(Error::Store { code: "locked", .. })));
        assert!(list(&desk).await.unwrap().items.is_empty(), "it can be read all the same");
        held.let_go().await;
        create(&desk, new).await.unwrap();
    }

    #[test]
    fn fields_are_bounded() {
        assert!(
            name_of("Régie").is_ok() && name_of(" ").is_err() && name_of("a\u{7}").is_err() && name_of(&"a".repeat(81)).is_err()
        );
        for (email, good) in
            [("a@b", true), ("", true), ("a", false), ("a@", false), ("@b", false), ("a@b@c", false), ("a b@c", false)]
        {
            assert_eq!(email_of(Some(email)).is_ok(), good, "{email}");
        }
    }

    #[test]
    fn rows_are_read_as_rfc_4180_writes_them() {
        let read = |csv: &str| rows(csv).collect::<Vec<_>>();
        let fields = |fields: &[&str]| fields.iter().map(|field| (*field).to_owned()).collect::<Vec<_>>();
        assert_eq!(read("a,b\r\n\"c,\"\"d\"\"\ne\",f"), [(1, fields(&["a", "b"])), (2, fields(&["c,\"d\"\ne", "f"]))]);
        assert_eq!(read("\n\n,\n"), [(3, fields(&["", ""]))]);
        assert_eq!(read(""), []);
        assert_eq!(read("a,\"open\nb,c\n"), [(1, fields(&["a", "open\nb,c\n"]))]);
    }

    #[tokio::test]
    async fn extensions_are_created_changed_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let desk = desk(&folder).await;
        let new = NewExtension { number: "201".into(), name: "Ana".into(), ..NewExtension::default() };
        let created = create(&desk, new.clone()).await.unwrap();
        assert_eq!(created.secret.len(), 20);
        assert!(matches!(create(&desk, new).await, Err(Error::Taken)));
        let change = ExtensionChange { enabled: Some(false), ..ExtensionChange::default() };
        assert!(!update(&desk, "201", change).await.unwrap().enabled);
        let guarded = ExtensionChange {
            networks: Some(vec![" 192.168.1.0/24".into(), "2001:db8::/32".into()]),
            encryption: Some("always".into()),
            protects_sound: Some(true),
            ..ExtensionChange::default()
        };
        let guarded = update(&desk, "201", guarded).await.unwrap();
        assert_eq!((guarded.networks.len(), guarded.encryption.as_str(), guarded.protects_sound), (2, "always", true));
        for (networks, encryption, field) in [
            (vec!["here".to_owned()], None, "networks"),
            (vec!["10.0.0.1".into(); 21], None, "networks"),
            (vec![], Some("no"), "encryption"),
        ] {
            let change = ExtensionChange {
                networks: Some(networks),
                encryption: encryption.map(str::to_owned),
                ..ExtensionChange::default()
            };
            assert!(matches!(update(&desk, "201", change).await, Err(Error::Invalid { field: named, .. }) if named == field));
        }
        assert_ne!(new_secret(&desk, "201").await.unwrap().secret, created.secret);
        delete(&desk, "201").await.unwrap();
        assert!(matches!(get(&desk, "201").await, Err(Error::NotFound)));
    }
}
