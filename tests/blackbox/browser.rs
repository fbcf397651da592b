//! The administration in a real browser: first set-up, a new extension, its dot that turns green by itself, and a page left open.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use crate::house::{House, repository};
use crate::phone::Sipp;

#[test]
fn set_up_create_an_extension_and_see_it_register() {
    let house = House::start();
    let link = setup_link(&house.log());
    let node =
        String::from_utf8(Command::new(repository().join("scripts/node")).output().expect("scripts/node").stdout).expect("a path");
    let mut browser = Command::new(format!("{}/node", node.trim()))
        .arg(repository().join("tests/blackbox/browser.mjs"))
        .env("LINK", &link)
        .env("PLAYWRIGHT", repository().join("admin-web/ui/node_modules/playwright-core/index.mjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("node starts");
    let mut lines = BufReader::new(browser.stdout.take().expect("its output")).lines();
    let mut next = |what: &str| loop {
        let line = lines.next().unwrap_or_else(|| panic!("the browser ended before {what}")).expect("a line");
        if let Some(value) = line.strip_prefix(what) {
            break value.trim().to_owned();
        }
        println!("browser: {line}");
    };
    let secret = next("secret");
    assert!(secret.len() >= 12, "a generated secret is long: {}", secret.len());
    let phone = Sipp::new(&house, "214");
    let register = |expires: &str, times: usize| {
        let times = times.to_string();
        let more = ["-key", "expires", expires, "-ap", &secret, "-m", &times, "-r", "1000", "-l", "50", "-timeout", "60s"];
        phone.start("register", "", &more).succeeds();
    };
    let mut input = browser.stdin.take().expect("its input");
    let mut say = |word: &str| writeln!(input, "{word}").expect("the browser listens");
    register("600", 1);
    next("green");
    register("600", 2_000);
    say("warmed");
    next("warm");
    for _ in 0..registrations().div_ceil(BATCH) {
        register("600", BATCH);
    }
    register("0", 1);
    say("away");
    let grown: i64 = next("grown").parse().expect("octets");
    println!("the page has grown by {grown} octets over {} changes", registrations());
    assert!(grown < 2_000_000, "the page has grown by {grown} octets");
    say("done");
    assert!(browser.wait().expect("an end").success());
}

/// Registrations that one telephone program makes at a time.
const BATCH: usize = 2_000;

/// How many changes the open page is told; more by `PBX_TEST_CHANGES=100000`.
fn registrations() -> usize {
    std::env::var("PBX_TEST_CHANGES").ok().and_then(|number| number.parse().ok()).unwrap_or(4_000)
}

/// The one-time link that the first start prints.
fn setup_link(log: &str) -> String {
    let link = log.split_whitespace().find(|word| word.contains("/setup#token="));
    link.unwrap_or_else(|| panic!("no set-up link in:\n{log}")).to_owned()
}
