//! A certificate that the world believes, asked for and renewed by the house itself (RFC 8555). The door of `instant_acme`.
//!
//! The files are written beside the one that is in use, which is looked at by itself (`certificate.rs`): nobody is disconnected.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Error, Identifier, NewAccount, NewOrder, Order, OrderStatus, Problem, RetryPolicy,
};
use rand::RngExt;
use tokio::time::sleep;

use crate::config::{Acme, AcmeChallenge};
use crate::transport::certificate::{About, write};
use crate::transport::challenges::Challenges;

/// How long the authority may take for each step.
const PATIENCE: Duration = Duration::from_secs(120);

/// After a failure; authorities count failures, and shut out who comes too often.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3_600);

/// The longest sleep: a clock that was set right is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(12 * 3_600);

/// What went wrong last. The catalogue has a sentence and a remedy for each: `certificate.trouble.<code>`, `certificate.remedy.<code>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcmeFailure {
    /// The authority cannot be reached from here.
    Unreachable,
    /// The authority does not reach us.
    Connection,
    /// It finds no address under the name.
    Dns,
    /// Somebody else answered under the name.
    Unauthorized,
    /// It was asked too often.
    RateLimited,
    /// The name forbids this authority to speak for it (RFC 8659).
    Caa,
    /// Anything else that it says.
    Refused,
    /// What it gave could not be written.
    Disk,
}

impl AcmeFailure {
    /// Every one, for the catalogue's test.
    pub const ALL: [AcmeFailure; 8] = [
        AcmeFailure::Unreachable,
        AcmeFailure::Connection,
        AcmeFailure::Dns,
        AcmeFailure::Unauthorized,
        AcmeFailure::RateLimited,
        AcmeFailure::Caa,
        AcmeFailure::Refused,
        AcmeFailure::Disk,
    ];

    /// For the catalogue.
    pub fn code(self) -> &'static str {
        match self {
            AcmeFailure::Unreachable => "unreachable",
            AcmeFailure::Connection => "connection",
            AcmeFailure::Dns => "dns",
            AcmeFailure::Unauthorized => "unauthorized",
            AcmeFailure::RateLimited => "rate_limited",
            AcmeFailure::Caa => "caa",
            AcmeFailure::Refused => "refused",
            AcmeFailure::Disk => "disk",
        }
    }

    /// By the type of what an authority says (RFC 8555 6.7).
    fn of(problem: &Problem) -> AcmeFailure {
        match problem.r#type.as_deref().and_then(|kind| kind.rsplit(':').next()) {
            Some("connection" | "tls") => AcmeFailure::Connection,
            Some("dns") => AcmeFailure::Dns,
            Some("unauthorized" | "incorrectResponse") => AcmeFailure::Unauthorized,
            Some("rateLimited") => AcmeFailure::RateLimited,
            Some("caa") => AcmeFailure::Caa,
            _ => AcmeFailure::Refused,
        }
    }
}

impl From<Error> for AcmeFailure {
    fn from(error: Error) -> AcmeFailure {
        match error {
            Error::Api(problem) => AcmeFailure::of(&problem),
            Error::Http(_) | Error::Hyper(_) | Error::InvalidUri(_) | Error::Timeout(_) | Error::Other(_) | Error::Json(_) => {
                AcmeFailure::Unreachable
            }
            _ => AcmeFailure::Refused,
        }
    }
}

/// How the asking goes. Cloning is cheap.
#[derive(Clone, Debug, Default)]
pub struct AcmeHealth {
    shared: Arc<Mutex<Option<AcmeFailure>>>,
}

impl AcmeHealth {
    /// What went wrong last; none if nothing did.
    pub fn failure(&self) -> Option<AcmeFailure> {
        *self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, failure: Option<AcmeFailure>) {
        *self.shared.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }
}

/// The files of a certificate that is asked for.
pub struct Files {
    /// PEM.
    pub certificate: PathBuf,
    /// PEM.
    pub key: PathBuf,
    /// Who we are to the authority.
    account: PathBuf,
}

impl Files {
    /// In a folder of the data directory.
    pub fn within(data_dir: &Path) -> Files {
        let file = |name: &str| data_dir.join("tls").join("acme").join(name);
        Files { certificate: file("certificate.pem"), key: file("key.pem"), account: file("account.json") }
    }
}

/// Asks for a certificate and renews it, for as long as it is polled.
pub async fn keep(wanted: &Acme, files: &Files, challenges: &Challenges, health: &AcmeHealth) {
    let mut failures = 0;
    loop {
        let known = About::of_file(&files.certificate).filter(|known| known.is_for(&wanted.names));
        let validity = known.map(|known| (known.from, known.until));
        let pause = next_attempt(validity, SystemTime::now(), failures, rand::rng().random());
        if !pause.is_zero() {
            sleep(pause.min(LONGEST_SLEEP)).await;
            if pause > LONGEST_SLEEP {
                continue;
            }
        }
        let done = obtain(wanted, files, challenges).await;
        challenges.close();
        match done {
            Ok(()) => {
                failures = 0;
                health.set(None);
                tracing::info!("a certificate was obtained");
            }
            Err(failure) => {
                failures += 1;
                health.set(Some(failure));
                tracing::warn!(why = failure.code(), failures, "no certificate was obtained; it is asked for again");
            }
        }
    }
}

/// How long to wait before a certificate is asked for (again): until two thirds of its life are over, at once if there is none; after
/// failures longer each time. `chance` from 0 to 1 keeps houses apart.
fn next_attempt(validity: Option<(SystemTime, SystemTime)>, now: SystemTime, failures: u32, chance: f64) -> Duration {
    let until_due = validity.map_or(Duration::ZERO, |(from, until)| {
        let life = until.duration_since(from).unwrap_or_default();
        let due = from + life.mul_f64(0.60 + 0.06 * chance);
        due.duration_since(now).unwrap_or_default()
    });
    let after_failure = match failures {
        0 => Duration::ZERO,
        failures => (FIRST_PAUSE * 2u32.saturating_pow((failures - 1).min(12))).min(LONGEST_PAUSE).mul_f64(0.75 + 0.5 * chance),
    };
    until_due.max(after_failure)
}

async fn obtain(wanted: &Acme, files: &Files, challenges: &Challenges) -> Result<(), AcmeFailure> {
    let account = account(wanted, files).await?;
    let names: Vec<Identifier> = wanted.names.iter().cloned().map(Identifier::Dns).collect();
    let mut order = account.new_order(&NewOrder::new(&names)).await?;
    prove(wanted, &mut order, challenges).await?;
    let patience = RetryPolicy::default().timeout(PATIENCE);
    match order.poll_ready(&patience).await? {
        OrderStatus::Ready => {}
        _ => return Err(why_not(&mut order).await),
    }
    let key = order.finalize().await?;
    let chain = order.poll_certificate(&patience).await?;
    // The key first: who looks between the two finds a pair that does not fit, and keeps the one before it.
    write(&files.key, &key, 0o600).and_then(|()| write(&files.certificate, &chain, 0o644)).map_err(|_| AcmeFailure::Disk)
}

/// Who we are to the authority: as before, or somebody new.
async fn account(wanted: &Acme, files: &Files) -> Result<Account, AcmeFailure> {
    let builder = || {
        if wanted.root.as_os_str().is_empty() { Account::builder() } else { Account::builder_with_root(&wanted.root) }
    };
    let kept = std::fs::read_to_string(&files.account).ok();
    if let Some(credentials) = kept.and_then(|text| serde_json::from_str(&text).ok()) {
        return Ok(builder()?.from_credentials(credentials).await?);
    }
    let contact: Vec<String> =
        Some(&wanted.contact).filter(|contact| !contact.is_empty()).map(|to| format!("mailto:{to}")).into_iter().collect();
    let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
    let new = NewAccount { contact: &contact, terms_of_service_agreed: wanted.agrees, only_return_existing: false };
    let (account, credentials) = builder()?.create(&new, wanted.directory.clone(), None).await?;
    let text = serde_json::to_string(&credentials).map_err(|_| AcmeFailure::Disk)?;
    let folder = files.account.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).and_then(|()| write(&files.account, &text, 0o600)).map_err(|_| AcmeFailure::Disk)?;
    Ok(account)
}

/// Shows what the authority is to find, and tells it to look.
async fn prove(wanted: &Acme, order: &mut Order, challenges: &Challenges) -> Result<(), AcmeFailure> {
    let kind = match wanted.challenge {
        AcmeChallenge::Http01 => ChallengeType::Http01,
        AcmeChallenge::TlsAlpn01 => ChallengeType::TlsAlpn01,
    };
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let mut challenge = authorization.challenge(kind.clone()).ok_or(AcmeFailure::Refused)?;
        let proof = challenge.key_authorization();
        match wanted.challenge {
            AcmeChallenge::Http01 => challenges.show_text(&challenge.token, proof.as_str()),
            AcmeChallenge::TlsAlpn01 => {
                let name = challenge.identifier().to_string();
                challenges.show_certificate(&name, proof.digest().as_ref()).map_err(|_| AcmeFailure::Refused)?;
            }
        }
        challenge.set_ready().await?;
    }
    Ok(())
}

/// What the authority did not find.
async fn why_not(order: &mut Order) -> AcmeFailure {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let Ok(state) = authorization.refresh().await else { continue };
        if let Some(problem) = state.challenges.iter().find_map(|challenge| challenge.error.as_ref()) {
            return AcmeFailure::of(problem);
        }
    }
    AcmeFailure::Refused
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn a_certificate_is_renewed_when_two_thirds_of_its_life_are_over_and_a_missing_one_asked_for_at_once() {
        let from = SystemTime::UNIX_EPOCH + 20_000 * DAY;
        let validity = Some((from, from + 90 * DAY));
        for chance in [0.0, 0.5, 1.0] {
            let pause = next_attempt(validity, from, 0, chance);
            assert!((54 * DAY..=60 * DAY).contains(&pause), "{pause:?}");
            assert_eq!(next_attempt(validity, from + 61 * DAY, 0, chance), Duration::ZERO);
            assert_eq!(next_attempt(validity, from + 200 * DAY, 0, chance), Duration::ZERO, "it is past its end");
        }
        assert_eq!(next_attempt(None, from, 0, 0.5), Duration::ZERO);
    }

    #[test]
    fn failures_are_met_with_longer_pauses_and_never_with_giving_up() {
        let now = SystemTime::UNIX_EPOCH;
        let pauses: Vec<u64> = (1..40).map(|failures| next_attempt(None, now, failures, 0.5).as_secs()).collect();
        assert_eq!(pauses[..4], [60, 120, 240, 480]);
        assert_eq!(pauses.last(), Some(&(6 * 3_600)));
        assert!(pauses.is_sorted());
        assert!(next_attempt(None, now, 1, 0.0) < next_attempt(None, now, 1, 1.0));
    }

    #[test]
    fn what_authorities_say_is_told_apart() {
        let of = |kind: &str| {
            let text = format!("{{\"type\": \"urn:ietf:params:acme:error:{kind}\"}}");
            AcmeFailure::of(&serde_json::from_str(&text).unwrap())
        };
        assert_eq!(of("connection"), AcmeFailure::Connection);
        assert_eq!(of("unauthorized"), AcmeFailure::Unauthorized);
        assert_eq!(of("rateLimited"), AcmeFailure::RateLimited);
        assert_eq!(of("somethingNew"), AcmeFailure::Refused);
    }
}
