//! Digest as a phone meets it: challenged, answering, answering again, and what it must not get away with.

use std::time::Duration;

use pbx_sip::auth::{Algorithm, Authenticator, Ha1, Verdict};
use pbx_sip::clock::Now;
use pbx_sip::message::{Builder, HeaderName, Message, Method};
use sha2::Digest;

#[test]
fn one_nonce_answers_by_either_algorithm() {
    for algorithm in [Algorithm::Md5, Algorithm::Sha256] {
        let mut door = door();
        let nonce = nonce(&mut door, start());
        assert_eq!(door.check(&Phone::new(&nonce).with(algorithm).request(), known, start()), agreed());
    }
    let mut door = door();
    let nonce = nonce(&mut door, start());
    assert_eq!(door.check(&Phone::new(&nonce).request(), known, start()), agreed());
    let second = Phone { count: "00000002", ..Phone::new(&nonce) }.with(Algorithm::Sha256).request();
    assert_eq!(door.check(&second, known, start()), agreed(), "the same nonce by the other");
}

#[test]
fn challenges_come_in_the_order_of_the_setting() {
    for order in [[Algorithm::Md5, Algorithm::Sha256], [Algorithm::Sha256, Algorithm::Md5]] {
        let mut door = Authenticator::new("pbx.example", KEY, order.to_vec(), LIFE, start());
        let challenges = door.challenges(false, start());
        assert_eq!(challenges.iter().map(|(algorithm, _)| *algorithm).collect::<Vec<_>>(), order);
        for (algorithm, value) in &challenges {
            assert!(value.contains(&format!("algorithm={}", algorithm.as_str())), "{value}");
            assert!(
                value.contains("realm=\"pbx.example\"") && value.contains("qop=\"auth\"") && !value.contains("stale"),
                "{value}"
            );
        }
        assert_eq!(field(&challenges[0].1, "nonce"), field(&challenges[1].1, "nonce"));
        assert!(door.challenges(true, start()).iter().all(|(_, value)| value.ends_with(", stale=true")));
    }
}

#[test]
fn the_nonce_count_is_hexadecimal_and_used_once() {
    let mut door = door();
    let nonce = nonce(&mut door, start());
    for count in ["00000001", "00000009", "0000000a", "0000000B", "00000010", "00000100"] {
        let request = Phone { count, ..Phone::new(&nonce) }.request();
        assert_eq!(door.check(&request, known, start()), agreed(), "{count}");
        assert_eq!(door.check(&request, known, start()), stale(), "{count} again");
    }
    let between = Phone { count: "000000ff", ..Phone::new(&nonce) }.request();
    assert_eq!(door.check(&between, known, start()), agreed(), "datagrams overtake one another");
    let skipped = Phone { count: "00000002", ..Phone::new(&nonce) }.request();
    assert_eq!(door.check(&skipped, known, start()), stale(), "too far behind to be remembered");
    for count in ["", "0000000g", "+0000001", "-0000001", "000000001", "1 "] {
        let request = Phone { count, ..Phone::new(&nonce) }.request();
        assert_ne!(door.check(&request, known, start()), agreed(), "{count:?}");
    }
}

#[test]
fn a_nonce_grows_old_and_says_so_only_to_who_knows_the_secret() {
    let mut door = door();
    let nonce = nonce(&mut door, start());
    let (last, late) = (start() + LIFE, start() + LIFE + Duration::from_micros(1));
    assert_eq!(door.check(&Phone::new(&nonce).request(), known, last), agreed());
    let second = Phone { count: "00000002", ..Phone::new(&nonce) };
    assert_eq!(door.check(&second.request(), known, late), stale());
    assert_eq!(door.check(&Phone { secret: "guess", ..second }.request(), known, late), wrong("201"));
}

#[test]
fn a_restart_makes_the_nonces_before_it_stale() {
    let nonce = nonce(&mut door(), start());
    let later = start() + Duration::from_secs(1);
    let mut door = Authenticator::new("pbx.example", KEY, vec![Algorithm::Md5], LIFE, later);
    assert_eq!(door.check(&Phone::new(&nonce).request(), known, later), stale(), "which counts were used is forgotten");
    let fresh = self::nonce(&mut door, later);
    assert_eq!(door.check(&Phone::new(&fresh).request(), known, later), agreed());
}

#[test]
fn a_nonce_of_somebody_else_is_no_nonce() {
    let mut door = door();
    let good = nonce(&mut door, start());
    let another = nonce(&mut Authenticator::new("pbx.example", [2; 32], vec![Algorithm::Md5], LIFE, start()), start());
    let mut changed: Vec<String> = (0..good.len())
        .map(|at| {
            let digit = if &good[at..=at] == "0" { "1" } else { "0" };
            format!("{}{digit}{}", &good[..at], &good[at + 1..])
        })
        .collect();
    changed.extend([another, String::new(), good[1..].to_owned(), format!("{good}0"), "z".repeat(48), "\u{e9}".repeat(24)]);
    for forged in changed {
        let verdict = door.check(&Phone::new(&forged).request(), |_| panic!("nobody is looked up for a forged nonce"), start());
        assert_eq!(verdict, Verdict::Challenge { stale: false }, "{forged}");
    }
    assert_eq!(door.check(&Phone::new(&good).request(), known, start()), agreed(), "no forgery used it up");
}

#[test]
fn a_wrong_secret_and_an_unknown_user_are_the_same_to_the_outside() {
    let mut door = door();
    let nonce = nonce(&mut door, start());
    assert_eq!(door.check(&Phone { secret: "guess", ..Phone::new(&nonce) }.request(), known, start()), wrong("201"));
    assert_eq!(door.check(&Phone { user: "999", ..Phone::new(&nonce) }.request(), known, start()), wrong("999"));
    let nobody = Phone { user: "999", ..Phone::new(&nonce) }.request();
    let zeros = Ha1 { md5: [0; 16], sha256: [0; 32] };
    assert_ne!(format!("{zeros:?}"), "Ha1 { md5: [0", "a hash is never printed");
    assert_eq!(door.check(&nobody, |_| None, start()), wrong("999"));
}

#[test]
fn another_realm_is_somebody_elses_business() {
    let mut door = door();
    let nonce = nonce(&mut door, start());
    let other = Phone { realm: "other.example", ..Phone::new(&nonce) };
    let verdict = door.check(&other.request(), |_| panic!("nobody is looked up"), start());
    assert_eq!(verdict, Verdict::Challenge { stale: false });
    // Credentials for several realms may stand side by side (RFC 3261 22.3).
    let both = other.builder().header(HeaderName::Authorization, Phone::new(&nonce).value()).build();
    assert_eq!(door.check(&both, known, start()), agreed());
}

#[test]
fn without_qop_a_nonce_is_good_once() {
    let mut door = door();
    let nonce = nonce(&mut door, start());
    let old = Phone { qop: None, ..Phone::new(&nonce) }.request();
    assert_eq!(door.check(&old, known, start()), agreed());
    assert_eq!(door.check(&old, known, start()), stale());
}

#[test]
fn what_we_did_not_offer_is_not_read() {
    let mut door = door();
    let nonce = nonce(&mut door, start());
    let good = Phone::new(&nonce).value();
    for bad in [
        good.replace("qop=auth", "qop=auth-int"),
        good.replace("algorithm=MD5", "algorithm=MD5-sess"),
        good.replace("algorithm=MD5", "algorithm=SHA-512-256"),
        good.replace("Digest ", "Basic "),
        good.replace("Digest ", "Digest"),
        good.replace("cnonce=\"c\", ", ""),
        good.replace("username=\"201\", ", ""),
        good.replace("username=\"201\"", "username=\"201"),
        String::new(),
        "Digest ".to_owned(),
    ] {
        let request = bare().header(HeaderName::Authorization, &bad).build();
        let verdict = door.check(&request, |_| panic!("{bad}"), start());
        assert_eq!(verdict, Verdict::Challenge { stale: false }, "{bad}");
    }
    let spelled = good.replace("Digest ", "dIGEST\t").replace("username=", "UserName = ").replace("MD5", "md5");
    assert_eq!(door.check(&bare().header(HeaderName::Authorization, spelled).build(), known, start()), agreed());
}

#[test]
fn the_digest_covers_method_and_uri() {
    let mut door = door();
    let nonce = nonce(&mut door, start());
    let value = Phone::new(&nonce).value();
    let bye = Builder::request(&Method::Bye, "sip:pbx.example").header(HeaderName::Authorization, &value).build();
    assert_eq!(door.check(&bye, known, start()), wrong("201"), "stolen for another method");
    let moved = value.replace("uri=\"sip:pbx.example\"", "uri=\"sip:other.example\"");
    assert_eq!(door.check(&bare().header(HeaderName::Authorization, moved).build(), known, start()), wrong("201"));
    let proxy = bare().header(HeaderName::ProxyAuthorization, value).build();
    assert_eq!(door.check(&proxy, known, start()), agreed(), "the same door for 407");
}

// -----------------------------------------------------------------------------------------------------------------------------------

const KEY: [u8; 32] = [7; 32];
const LIFE: Duration = Duration::from_secs(300);

fn start() -> Now {
    Now::default() + Duration::from_secs(1_700_000_000)
}

fn door() -> Authenticator {
    Authenticator::new("pbx.example", KEY, vec![Algorithm::Md5, Algorithm::Sha256], LIFE, start())
}

fn known(user: &str) -> Option<Ha1> {
    (user == "201").then(|| Ha1::of("201", "pbx.example", "right"))
}

fn agreed() -> Verdict {
    Verdict::Agreed { user: "201".to_owned() }
}

fn stale() -> Verdict {
    Verdict::Challenge { stale: true }
}

fn wrong(user: &str) -> Verdict {
    Verdict::Wrong { user: user.to_owned() }
}

fn nonce(door: &mut Authenticator, now: Now) -> String {
    field(&door.challenges(false, now)[0].1, "nonce")
}

fn field(challenge: &str, name: &str) -> String {
    let (_, rest) = challenge.split_once(&format!("{name}=\"")).expect("the field");
    rest.split_once('"').expect("its end").0.to_owned()
}

fn bare() -> Builder {
    Builder::request(&Method::Register, "sip:pbx.example")
}

/// A phone that answers a challenge, with sums of its own.
#[derive(Clone, Copy)]
struct Phone<'a> {
    nonce: &'a str,
    user: &'a str,
    realm: &'a str,
    secret: &'a str,
    count: &'a str,
    qop: Option<&'a str>,
    algorithm: Algorithm,
}

impl<'a> Phone<'a> {
    fn new(nonce: &'a str) -> Phone<'a> {
        let (realm, secret, count) = ("pbx.example", "right", "00000001");
        Phone { nonce, user: "201", realm, secret, count, qop: Some("auth"), algorithm: Algorithm::Md5 }
    }

    fn with(self, algorithm: Algorithm) -> Phone<'a> {
        Phone { algorithm, ..self }
    }

    fn value(&self) -> String {
        let Phone { nonce, user, realm, secret, count, qop, algorithm } = *self;
        let ha1 = self.hash(&format!("{user}:{realm}:{secret}"));
        let ha2 = self.hash("REGISTER:sip:pbx.example");
        let (response, protection) = match qop {
            Some(qop) => {
                let response = self.hash(&format!("{ha1}:{nonce}:{count}:c:{qop}:{ha2}"));
                (response, format!(", cnonce=\"c\", nc={count}, qop={qop}"))
            }
            None => (self.hash(&format!("{ha1}:{nonce}:{ha2}")), String::new()),
        };
        let algorithm = algorithm.as_str();
        format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"sip:pbx.example\", response=\"{response}\"{protection}, algorithm={algorithm}"
        )
    }

    fn builder(&self) -> Builder {
        bare().header(HeaderName::Authorization, self.value())
    }

    fn request(&self) -> Message {
        self.builder().build()
    }

    fn hash(&self, text: &str) -> String {
        let octets = match self.algorithm {
            Algorithm::Md5 => md5::Md5::digest(text).to_vec(),
            Algorithm::Sha256 => sha2::Sha256::digest(text).to_vec(),
        };
        octets.iter().map(|octet| format!("{octet:02x}")).collect()
    }
}
