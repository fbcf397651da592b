//! A database that is elsewhere, stands still, goes away or is full: calls go on, the page says so, and what waited is written when it
//! is back.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use postgres_of_tests::Server;
use serde_json::Value;

use crate::house::{House, wait_until};
use crate::phone::Sipp;

#[test]
fn commands_work_with_postgresql_on_a_stopped_and_on_a_running_switchboard() {
    let server = Server::shared();
    let url = server.database();
    let mut house = House::empty(&[("PBX_DATABASE_URL", &url)]);
    house.extensions(&["201"]);
    assert!(!house.path("pbx.db").exists(), "no file beside it");
    house.pbx(&["check"]);
    let plan = house.pbx(&["dialplan", "export", "-"]);
    house.open();
    house.extensions(&["202"]);
    let list = house.pbx(&["extensions", "list"]);
    assert!(list.contains("201") && list.contains("202"), "{list}");
    assert_eq!(house.pbx(&["dialplan", "export", "-"]), plan);
    let token = house.token("read");
    Sipp::new(&house, "202").register(60);
    assert_eq!(house.registered(&token, "202"), 1);

    // Another data directory, on another machine for all the database knows.
    let second = House::empty(&[("PBX_DATABASE_URL", &url)]);
    for command in [["extensions", "list"].as_slice(), &["serve"]] {
        let output = second.run(command);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("Another switchboard works with this database"), "{said}");
    }
    assert_eq!(house.stop(), Some(0));
    assert!(second.pbx(&["extensions", "list"]).contains("202"));
}

#[test]
fn an_address_that_cannot_be_used_ends_in_a_sentence_without_the_password() {
    for (url, sentence) in [
        ("postgres://pbx:a-password@127.0.0.1:1/pbx", "does not answer"),
        ("postgres://pbx:a-password@127.0.0.1/pbx?sslmode=require", "database.url"),
        ("mysql://pbx:a-password@127.0.0.1/pbx", "PBX_DATABASE_URL"),
    ] {
        let house = House::empty(&[("PBX_DATABASE_URL", url), ("PBX_LOG", "trace")]);
        for command in ["serve", "check"] {
            let output = house.run(&[command]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
            assert!(!output.status.success() && said.contains(sentence), "{url}: {said}");
            assert!(!said.contains("a-password"), "{said}");
        }
    }
}

#[test]
fn a_server_that_stands_still_or_goes_away_holds_no_call() {
    let server = Server::own();
    let house = House::start_with(&[("PBX_DATABASE_URL", &server.database())]);
    house.extensions(&["201", "202"]);
    let token = house.token("read");
    let callee = Sipp::new(&house, "202");
    callee.register(600);
    assert_eq!(store(&house, &token)["good"], true);
    for stands_still in [true, false] {
        let before = records(&house, &token);
        if stands_still {
            server.freeze()
        } else {
            server.halt()
        }
        a_call(&house, &callee);
        let told = wait_until("the page tells of it", || Some(store(&house, &token)).filter(|store| store["good"] == false));
        assert!(["slow", "unreachable"].iter().any(|code| told["code"] == *code), "{told}");
        assert_eq!((&told["waiting"], &told["lost"]), (&Value::from(1), &Value::from(0)));
        // Who says nothing is not quoted: the page has the words for the code.
        assert!(!stands_still || told["error"] == "", "{told}");
        if stands_still {
            server.thaw()
        } else {
            server.resume()
        }
        wait_until("the record is written", || (records(&house, &token) == before + 1).then_some(()));
        wait_until("all is well", || (store(&house, &token)["good"] == true).then_some(()));
    }
}

#[test]
fn a_server_that_says_nothing_is_not_quoted() {
    let server = Server::own();
    let house = House::empty(&[("PBX_DATABASE_URL", &server.database()), ("LC_ALL", "fr_FR.UTF-8")]);
    server.freeze();
    let output = house.run(&["check"]);
    server.thaw();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let sentence = said.trim_end().strip_suffix("Le serveur de base de données ne répond pas.");
    assert!(sentence.is_some_and(|before| !before.contains('(')), "{said}");
}

/// Says inside the small file system where that is.
const SMALL: &str = "PBX_TEST_SMALL";

#[test]
fn a_full_disk_holds_no_call() {
    if let Some(small) = std::env::var_os(SMALL) {
        return on_a_full_disk(Path::new(&small));
    }
    // A file system of a few megabytes, seen by this test alone: in a mount namespace of its own, as root or as one who is root there.
    let folder = tempfile::tempdir().expect("a folder");
    let inside = "mount -t tmpfs -o size=4m tmpfs \"$1\" && exec \"$2\" --exact database::a_full_disk_holds_no_call --nocapture";
    let root = fs::metadata("/proc/self").is_ok_and(|about| about.uid() == 0);
    let output = Command::new("unshare")
        .args(if root { ["--mount"].as_slice() } else { &["--mount", "--map-root-user"] })
        .args(["sh", "-c", inside, "sh"])
        .arg(folder.path())
        .arg(std::env::current_exe().expect("this test"))
        .env(SMALL, folder.path())
        .output()
        .expect("unshare (Debian package util-linux)");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// Database and log of the switchboard stand on the same small disk.
fn on_a_full_disk(small: &Path) {
    let mut house = House::empty_in(small, &[]);
    house.open();
    house.extensions(&["201", "202"]);
    let token = house.token("read");
    let callee = Sipp::new(&house, "202");
    callee.register(600);
    let filler = fill(small);
    a_call(&house, &callee);
    let told = wait_until("the page tells of it", || Some(store(&house, &token)).filter(|store| store["good"] == false));
    assert_eq!((&told["code"], &told["waiting"], &told["lost"]), (&Value::from("full"), &Value::from(1), &Value::from(0)));
    a_call(&house, &callee);
    assert_eq!(records(&house, &token), 0);
    fs::remove_file(filler).expect("the filler");
    wait_until("the records are written", || (records(&house, &token) == 2).then_some(()));
    wait_until("all is well", || (store(&house, &token)["good"] == true).then_some(()));
    assert_eq!(house.stop(), Some(0));
}

/// Writes until nothing fits any more.
fn fill(disk: &Path) -> PathBuf {
    let path = disk.join("filler");
    let mut file = File::create(&path).expect("a filler");
    for size in [65_536, 4_096, 512, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
    path
}

fn a_call(house: &House, callee: &Sipp) {
    let answering = callee.start("answer", "", &[]);
    Sipp::new(house, "201").start("call", "202", &[]).succeeds();
    answering.succeeds();
}

/// How the database does, as the page knows it; nothing while it cannot be told.
fn store(house: &House, token: &str) -> Value {
    house.try_get(token, "/api/v1/status").map_or(Value::Null, |status| status["store"].clone())
}

fn records(house: &House, token: &str) -> usize {
    let page = house.try_get(token, "/api/v1/call_records");
    page.and_then(|page| page["items"].as_array().map(Vec::len)).unwrap_or(usize::MAX)
}
