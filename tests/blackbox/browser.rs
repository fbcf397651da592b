//! The administration in a real browser: first set-up, a new extension, its dot that turns green by itself, and a page left open.

use crate::chromium::Chromium;
use crate::house::House;
use crate::phone::Sipp;

#[test]
fn set_up_create_an_extension_and_see_it_register() {
    let house = House::start();
    let link = setup_link(&house.log());
    let mut browser = Chromium::start("browser.mjs", &[("LINK", &link)]);
    let secret = browser.says("secret");
    assert!(secret.len() >= 12, "a generated secret is long: {}", secret.len());
    let phone = Sipp::new(&house, "214");
    let register = |expires: &str, times: usize| {
        let times = times.to_string();
        let more = ["-key", "expires", expires, "-ap", &secret, "-m", &times, "-r", "1000", "-l", "50", "-timeout", "60s"];
        phone.start("register", "", &more).succeeds();
    };
    register("600", 1);
    browser.says("green");
    register("600", 2_000);
    browser.hears("warmed");
    browser.says("warm");
    for _ in 0..registrations().div_ceil(BATCH) {
        register("600", BATCH);
    }
    register("0", 1);
    browser.hears("away");
    let grown: i64 = browser.says("grown").parse().expect("octets");
    println!("the page has grown by {grown} octets over {} changes", registrations());
    assert!(grown < 2_000_000, "the page has grown by {grown} octets");
    browser.ends();
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
