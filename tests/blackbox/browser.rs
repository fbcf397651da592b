//! The administration in a real browser: first set-up, a new extension, and its dot that turns green by itself.

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
    Sipp::new(&house, "214").start("register", "", &["-key", "expires", "60", "-ap", &secret]).succeeds();
    next("green");
    writeln!(browser.stdin.take().expect("its input"), "done").expect("the browser listens");
    assert!(browser.wait().expect("an end").success());
}

/// The one-time link that the first start prints.
fn setup_link(log: &str) -> String {
    let link = log.split_whitespace().find(|word| word.contains("/setup#token="));
    link.unwrap_or_else(|| panic!("no set-up link in:\n{log}")).to_owned()
}
