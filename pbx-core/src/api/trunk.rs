//! Lines to the outside: list, create, change, remove, and how each is.

use pbx_sip::flow::Transport;
use pbx_switch::directory::{IdentitySource, MAX_TRUNKS, NumberShape, Secret, SiteKey, Trunk as Line, TrunkKey, normalise};
use pbx_switch::event::Event;
use pbx_switch::trunking::{LineState, LineStatus as Known, LineTestState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::{Desk, Error, instant};
use crate::store;

/// What is set of a line.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrunkSettings {
    /// Shown.
    pub name: String,
    /// Whose line: the site whose emergency centre it leads to; the first one if absent.
    #[serde(default)]
    pub site: Option<String>,
    /// One that is not carries no call.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// From which profile it was made; shown, and nothing else.
    #[serde(default)]
    pub profile: String,
    /// We register there; otherwise the carrier knows us by our address.
    #[serde(default = "yes")]
    pub registers: bool,
    /// SIP host or URI of the carrier.
    pub server: String,
    /// Others of its servers, asked when the first does not answer.
    #[serde(default)]
    pub more_servers: Vec<String>,
    /// Through which host everything goes; empty for straight to the server.
    #[serde(default)]
    pub outbound_proxy: String,
    /// `udp`, `tcp` or `tls`; absent for what the names say.
    #[serde(default)]
    pub transport: Option<String>,
    /// Its sound is protected (SRTP), both ways.
    #[serde(default)]
    pub protects_sound: bool,
    /// Seconds for which a registration is asked: 60 to 86400; 0 for as long as we choose.
    #[serde(default)]
    pub register_s: u32,
    /// The account.
    #[serde(default)]
    pub user: String,
    /// The user name of its secret, where that is another.
    #[serde(default)]
    pub auth_user: String,
    /// Its secret; absent for the one that is known. Never told again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Our own number on this line: what callees see.
    pub number: String,
    /// How we write whom we call: `plus`, `double_zero`, `bare`, `national`.
    #[serde(default = "plus")]
    pub called: String,
    /// How we write who calls.
    #[serde(default = "plus")]
    pub caller: String,
    /// How it writes numbers to us.
    #[serde(default = "plus")]
    pub arriving: String,
    /// What it says of who calls that is believed, first to last: `p_asserted_identity`, `remote_party_id`, `from`.
    #[serde(default = "believed")]
    pub believes: Vec<String>,
    /// By which header we say who calls, beside From.
    #[serde(default = "asserted")]
    pub says: String,
    /// Of a call from outside that goes outside again the first caller's number is shown; only where the carrier lets it pass.
    #[serde(default)]
    pub shows_caller: bool,
    /// Calls at once.
    #[serde(default = "two")]
    pub channels: u16,
    /// New calls in a second.
    #[serde(default = "one")]
    pub calls_per_second: u16,
    /// Lines of one site are tried from the lowest to the highest.
    #[serde(default = "ten")]
    pub priority: u16,
    /// Seconds between two questions whether it is there; 0 for none.
    #[serde(default = "sixty")]
    pub probe_s: u32,
}

fn yes() -> bool {
    true
}
fn plus() -> String {
    "plus".to_owned()
}
fn asserted() -> String {
    "p_asserted_identity".to_owned()
}
fn believed() -> Vec<String> {
    vec!["p_asserted_identity".to_owned(), "from".to_owned()]
}
fn one() -> u16 {
    1
}
fn two() -> u16 {
    2
}
fn ten() -> u16 {
    10
}
fn sixty() -> u32 {
    60
}

/// How a line is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LineStatus {
    /// Which.
    pub id: String,
    /// `trying`, `up`, `down`
    pub state: String,
    /// RFC 3339.
    pub since: String,
    /// What was wrong last: the catalogue's `trunk.trouble.<code>` and `trunk.remedy.<code>`.
    pub failure: Option<String>,
    /// The SIP status that said so, if it was one.
    pub status: Option<u16>,
    /// Which server carries it.
    pub server: Option<String>,
    /// Until when we are registered there, RFC 3339.
    pub registered_until: Option<String>,
    /// Calls on it.
    pub calls: usize,
    /// A test call that was prepared, and what came of it.
    pub test: Option<LineTest>,
}

/// A call that is to show whether a line lets another number than ours pass.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LineTest {
    /// Whose call.
    pub extension: String,
    /// To whom, E.164.
    pub number: String,
    /// What it shows, E.164.
    pub shown: String,
    /// Until when it may begin, RFC 3339.
    pub until: String,
    /// `waiting`, `calling`, `answered`, `failed`
    pub state: String,
}

/// A test call to prepare.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLineTest {
    /// Who will call.
    pub extension: String,
    /// Whom: a telephone on which one can read who calls.
    pub number: String,
    /// What it is to read there: a number that is not one of the line's.
    pub shown: String,
}

/// A line.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Trunk {
    /// A short name that never changes.
    pub id: String,
    /// What is set; the secret is never told.
    pub settings: TrunkSettings,
    /// It has a secret.
    pub has_secret: bool,
    /// How it is; none while it is switched off.
    pub line: Option<LineStatus>,
}

/// Every line.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Trunks {
    /// By their short names.
    pub items: Vec<Trunk>,
    /// Always null: the list is whole.
    pub next: Option<String>,
}

/// What is known of a carrier.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TrunkProfile {
    /// `ovhcloud`; the catalogue's `trunk.profile.<id>` says what its customers have to know.
    pub id: String,
    /// The carrier's own name of it.
    pub name: String,
    /// When it was last compared with its sources: a day.
    pub verified_on: String,
    /// Somebody has called by a line of that carrier with it.
    pub tried_on_a_line: bool,
    /// The fields that a customer has to fill in.
    pub asks: Vec<String>,
    /// What may stand in them.
    pub example: std::collections::BTreeMap<String, String>,
    /// A line before the customer has filled in anything.
    pub settings: TrunkSettings,
    /// Pages of the carrier that say so.
    pub sources: Vec<String>,
    /// Fields that no source settles.
    pub unverified: Vec<String>,
}

/// Every profile.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TrunkProfiles {
    /// The one for any carrier last.
    pub items: Vec<TrunkProfile>,
    /// Always null: the list is whole.
    pub next: Option<String>,
}

/// Every profile.
pub fn profiles() -> TrunkProfiles {
    let shown = |profile: &pbx_switch::directory::TrunkProfile| TrunkProfile {
        id: profile.key.to_owned(),
        name: profile.name.clone(),
        verified_on: profile.verified_on.to_string(),
        tried_on_a_line: profile.tried_on_a_line,
        asks: profile.asks.clone(),
        example: profile.example.clone(),
        settings: settings(&profile.line),
        sources: profile.sources.iter().map(|source| source.page.clone()).collect(),
        unverified: profile.unverified().into_iter().map(str::to_owned).collect(),
    };
    TrunkProfiles { items: pbx_switch::directory::TrunkProfile::shipped().iter().map(shown).collect(), next: None }
}

/// Every line, and how it is.
pub async fn list(desk: &Desk) -> Result<Trunks, Error> {
    let stored = store::trunk::all(desk.db()).await?;
    Ok(Trunks { items: stored.iter().map(|line| shown(desk, line)).collect(), next: None })
}

/// One.
pub async fn get(desk: &Desk, id: &str) -> Result<Trunk, Error> {
    let line = store::trunk::get(desk.db(), id).await?.ok_or(Error::NotFound)?;
    Ok(shown(desk, &line))
}

/// Creates one.
pub async fn create(desk: &Desk, settings: TrunkSettings) -> Result<Trunk, Error> {
    let _changing = desk.changing().await;
    let known = store::trunk::all(desk.db()).await?;
    if known.len() >= MAX_TRUNKS {
        return Err(Error::Invalid { field: "name", code: "trunk_channels" });
    }
    let line = checked(desk, key_of(&settings.name, &known), settings, None).await?;
    if line.shows_caller {
        return Err(UNTESTED);
    }
    store::trunk::insert(desk.db(), &line).await?;
    desk.directory_changed().await?;
    Ok(shown(desk, &line))
}

/// Sets one anew; a secret that is absent stays.
pub async fn update(desk: &Desk, id: &str, settings: TrunkSettings) -> Result<Trunk, Error> {
    let _changing = desk.changing().await;
    let known = store::trunk::get(desk.db(), id).await?.ok_or(Error::NotFound)?;
    let line = checked(desk, known.key.clone(), settings, Some(known.secret.clone())).await?;
    if line.shows_caller && !(is_same_account(&known, &line) && (known.shows_caller || was_tested(desk, &line))) {
        return Err(UNTESTED);
    }
    if !store::trunk::update(desk.db(), &line).await? {
        return Err(Error::NotFound);
    }
    desk.directory_changed().await?;
    Ok(shown(desk, &line))
}

/// Prepares a test call: the next call of that extension to that number goes by this line and shows that number.
pub async fn test(desk: &Desk, id: &str, new: NewLineTest) -> Result<(), Error> {
    let line = store::trunk::get(desk.db(), id).await?.filter(|line| line.enabled).ok_or(Error::NotFound)?;
    let live = desk.live().ok_or(Error::NotFound)?;
    let directory = desk.directory().await?;
    let extension = directory.extension(new.extension.trim()).ok_or(Error::Invalid { field: "extension", code: "no_extension" })?;
    let number = normalise(&new.number).ok_or(Error::Invalid { field: "number", code: "e164" })?;
    // One of our own would pass everywhere, and prove nothing.
    let is_ours =
        |number: &String| directory.numbers.contains_key(number) || directory.trunks.values().any(|trunk| trunk.number == *number);
    let shown =
        normalise(&new.shown).filter(|shown| !is_ours(shown)).ok_or(Error::Invalid { field: "shown", code: "trunk_own_number" })?;
    live.switch.tell(Event::TestLine { trunk: line.key, extension: extension.number.clone(), number, shown }).await;
    Ok(())
}

/// Removes one.
pub async fn delete(desk: &Desk, id: &str) -> Result<(), Error> {
    let _changing = desk.changing().await;
    if !store::trunk::delete(desk.db(), id).await? {
        return Err(Error::NotFound);
    }
    desk.directory_changed().await
}

/// Whether the carrier lets another number pass is known only when a call has shown one.
const UNTESTED: Error = Error::Invalid { field: "shows_caller", code: "trunk_untested" };

fn is_same_account(known: &Line, line: &Line) -> bool {
    let account = |line: &Line| (line.server.clone(), line.outbound_proxy.clone(), line.user.clone(), line.number.clone());
    account(known) == account(line)
}

fn was_tested(desk: &Desk, line: &Line) -> bool {
    desk.live().is_some_and(|live| {
        live.board.read(|status| {
            let test = status.lines.get(&line.key).and_then(|status| status.test.as_ref());
            test.is_some_and(|test| test.state == LineTestState::Answered)
        })
    })
}

/// The name in small letters without accents, made unlike every other.
fn key_of(name: &str, known: &[Line]) -> TrunkKey {
    let plain = |character: char| match character {
        'à' | 'â' | 'ä' => 'a',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'î' | 'ï' => 'i',
        'ô' | 'ö' => 'o',
        'ù' | 'û' | 'ü' => 'u',
        'ç' => 'c',
        other if other.is_ascii_alphanumeric() => other,
        _ => '-',
    };
    let text: String = name.to_lowercase().chars().map(plain).collect();
    let words: Vec<&str> = text.split('-').filter(|word| !word.is_empty()).collect();
    let key: String = words.join("-").chars().take(24).collect();
    let taken = |key: &str| known.iter().any(|line| line.key.0 == key);
    let numbered = std::iter::once(key.clone()).chain((2..).map(|number| format!("{key}-{number}")));
    TrunkKey(numbered.into_iter().find(|key| !taken(key)).unwrap_or(key))
}

/// A word of ours, such as `double_zero`, as what it stands for.
fn word<T: serde::de::DeserializeOwned>(field: &'static str, text: &str) -> Result<T, Error> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|_| Error::Invalid { field, code: "malformed" })
}

fn worded<T: Serialize>(value: T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

async fn checked(desk: &Desk, key: TrunkKey, settings: TrunkSettings, secret: Option<Secret>) -> Result<Line, Error> {
    let sites = store::house::sites(desk.db()).await?;
    let site = match &settings.site {
        None => sites.first().map(|site| site.key.clone()).unwrap_or_default(),
        Some(site) => {
            let site = SiteKey(site.clone());
            if !sites.iter().any(|known| known.key == site) {
                return Err(Error::Invalid { field: "site", code: "site_unknown" });
            }
            site
        }
    };
    let transport: Option<Transport> = settings.transport.as_deref().map(|text| word("transport", text)).transpose()?;
    let believes: Result<Vec<IdentitySource>, Error> = settings.believes.iter().map(|text| word("believes", text)).collect();
    let line = Line {
        key,
        name: settings.name.trim().to_owned(),
        site,
        enabled: settings.enabled,
        profile: settings.profile.chars().take(40).collect(),
        registers: settings.registers,
        server: settings.server.trim().to_owned(),
        more_servers: settings
            .more_servers
            .iter()
            .map(|server| server.trim().to_owned())
            .filter(|server| !server.is_empty())
            .collect(),
        outbound_proxy: settings.outbound_proxy.trim().to_owned(),
        transport,
        protects_sound: settings.protects_sound,
        register_s: settings.register_s,
        user: settings.user.trim().to_owned(),
        auth_user: settings.auth_user.trim().to_owned(),
        secret: settings.secret.map(Secret).or(secret).unwrap_or_default(),
        number: normalise(&settings.number).ok_or(Error::Invalid { field: "number", code: "e164" })?,
        called: word::<NumberShape>("called", &settings.called)?,
        caller: word::<NumberShape>("caller", &settings.caller)?,
        arriving: word::<NumberShape>("arriving", &settings.arriving)?,
        believes: believes?,
        says: word("says", &settings.says)?,
        shows_caller: settings.shows_caller,
        channels: settings.channels,
        calls_per_second: settings.calls_per_second,
        priority: settings.priority,
        probe_s: settings.probe_s,
    };
    line.check().map_err(|error| Error::Invalid { field: error.field, code: error.code })?;
    Ok(line)
}

fn shown(desk: &Desk, line: &Line) -> Trunk {
    let known = desk.live().and_then(|live| live.board.read(|status| status.lines.get(&line.key).cloned()));
    Trunk {
        id: line.key.to_string(),
        settings: settings(line),
        has_secret: !line.secret.0.is_empty(),
        line: known.as_ref().map(line_shown),
    }
}

/// What is set of a line, without its secret.
fn settings(line: &Line) -> TrunkSettings {
    TrunkSettings {
        name: line.name.clone(),
        site: Some(line.site.to_string()),
        enabled: line.enabled,
        profile: line.profile.clone(),
        registers: line.registers,
        server: line.server.clone(),
        more_servers: line.more_servers.clone(),
        outbound_proxy: line.outbound_proxy.clone(),
        transport: line.transport.map(worded),
        protects_sound: line.protects_sound,
        register_s: line.register_s,
        user: line.user.clone(),
        auth_user: line.auth_user.clone(),
        secret: None,
        number: line.number.clone(),
        called: worded(line.called),
        caller: worded(line.caller),
        arriving: worded(line.arriving),
        believes: line.believes.iter().map(worded).collect(),
        says: worded(line.says),
        shows_caller: line.shows_caller,
        channels: line.channels,
        calls_per_second: line.calls_per_second,
        priority: line.priority,
        probe_s: line.probe_s,
    }
}

pub(crate) fn line_shown(status: &Known) -> LineStatus {
    let state = match status.state {
        LineState::Trying => "trying",
        LineState::Up => "up",
        LineState::Down => "down",
    };
    LineStatus {
        id: status.trunk.to_string(),
        state: state.to_owned(),
        since: instant(status.since),
        failure: status.failure.map(|failure| failure.code().to_owned()),
        status: status.status,
        server: status.server.map(|server| server.to_string()),
        registered_until: status.registered_until.map(instant),
        calls: status.calls,
        test: status.test.as_ref().map(|test| LineTest {
            extension: test.extension.to_string(),
            number: test.number.clone(),
            shown: test.shown.clone(),
            until: instant(test.until),
            state: worded(test.state),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_elses_number_is_shown_before_a_call_has_shown_one() {
        let folder = tempfile::tempdir().unwrap();
        let config = crate::config::Config { data_dir: folder.path().to_owned(), ..crate::config::Config::default() };
        let desk = Desk::open(config).await.unwrap();
        let plain: TrunkSettings = serde_json::from_str(
            "{\"name\": \"Opérateur\", \"server\": \"carrier.test\", \"user\": \"u\", \"number\": \"0199001234\"}",
        )
        .unwrap();
        let shows = TrunkSettings { shows_caller: true, ..plain.clone() };
        let untested = |done: Result<Trunk, Error>| {
            assert!(matches!(done, Err(Error::Invalid { field: "shows_caller", code: "trunk_untested" })), "{done:?}");
        };
        untested(create(&desk, shows.clone()).await);
        let made = create(&desk, plain).await.unwrap();
        untested(update(&desk, &made.id, shows.clone()).await);
        // One that was tested before stays so for as long as it is the same account.
        let mut line = store::trunk::get(desk.db(), &made.id).await.unwrap().unwrap();
        line.shows_caller = true;
        store::trunk::update(desk.db(), &line).await.unwrap();
        assert!(update(&desk, &made.id, TrunkSettings { priority: 7, ..shows.clone() }).await.unwrap().settings.shows_caller);
        untested(update(&desk, &made.id, TrunkSettings { server: "other.test".into(), ..shows }).await);
    }

    #[test]
    fn a_name_becomes_a_short_name_unlike_every_other() {
        let known = |keys: &[&str]| -> Vec<Line> {
            keys.iter().map(|key| Line { key: TrunkKey((*key).to_owned()), ..Line::default() }).collect()
        };
        assert_eq!(key_of("Opérateur — Tulle", &[]).0, "operateur-tulle");
        assert_eq!(key_of("OVH", &known(&["ovh", "ovh-2"])).0, "ovh-3");
        assert_eq!(key_of("—", &[]).0, "");
    }
}
