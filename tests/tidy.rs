//! The rules of the house that Cargo and clippy cannot keep: arrows between rooms, one door to each foreign crate, what decides
//! stays pure, and tests that run and do not sleep. ARCHITECTURE.md says why.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Crate, and which of ours it may use at run time.
const CRATE_ARROWS: &[(&str, &[&str])] = &[
    ("pbx-core/sip", &[]),
    ("pbx-core/media-words", &[]),
    ("pbx-core/switch", &["pbx-sip", "pbx-media-words"]),
    ("pbx-core/media", &["pbx-media-words"]),
    ("pbx-core", &["pbx-sip", "pbx-media-words", "pbx-switch", "pbx-media"]),
    ("admin-web", &["pbx-core"]),
    ("tests/simulation", &["pbx-sip", "pbx-media-words", "pbx-switch"]),
    (".", &["pbx-core", "admin-web"]),
    ("tests/load", &[]),
    ("tests/postgres", &[]),
    ("tests/fuzz", &["pbx-sip", "pbx-switch", "pbx-media"]),
];

/// Crates that decide: they are told the time and never touch clock, socket, disk or thread.
const DECIDING: &[&str] = &["pbx-core/sip", "pbx-core/switch", "pbx-core/media-words"];

/// What a deciding crate may not even link.
const WORLDLY: &[&str] = &[
    "tokio",
    "sqlx",
    "axum",
    "socket2",
    "libc",
    "rustix",
    "mio",
    "nix",
    "quinn-udp",
    "tracing-subscriber",
    "getrandom",
    "reqwest",
];

/// Room of pbx-core, and which others it may use. `command` is the command line; `main.rs` joins everything.
const CORE_ROOMS: &[(&str, &[&str])] = &[
    ("catalogue", &[]),
    ("config", &[]),
    ("telemetry", &["config"]),
    ("transport", &["config"]),
    ("store", &["config"]),
    ("runtime", &["config", "telemetry", "transport", "store", "catalogue"]),
    ("api", &["config", "catalogue", "store", "runtime"]),
    ("command", &["config", "catalogue", "store", "runtime", "api", "telemetry"]),
];

/// Crate of ours, and the rooms of pbx-core that may name it.
const CRATES_OF_ROOMS: &[(&str, &[&str])] = &[
    ("pbx_sip", &["config", "transport", "store", "runtime", "api"]),
    ("pbx_switch", &["config", "store", "runtime", "api", "command"]),
    ("pbx_media_words", &["runtime"]),
    ("pbx_media", &["runtime"]),
];

/// Room of pbx-switch, and which others it may use; `switch`, `event`, `action` and `status` speak of all of them.
const SWITCH_ROOMS: &[(&str, &[&str])] = &[
    ("directory", &[]),
    ("dialplan", &["directory"]),
    ("door", &["directory"]),
    ("trunking", &["directory"]),
    ("registrar", &["directory"]),
    ("call", &["directory", "dialplan", "trunking"]),
    ("subscription", &["directory", "registrar", "call"]),
    ("feature", &["directory", "dialplan", "registrar", "call"]),
    ("toll", &["directory"]),
    ("status", &["directory", "dialplan", "registrar", "call", "door", "trunking", "toll"]),
    ("action", &["directory", "dialplan", "registrar", "call", "status", "subscription", "door", "toll"]),
    ("event", &["directory", "dialplan", "registrar", "call", "subscription", "action", "toll"]),
];

/// Room of pbx-sip, and which others it may use.
const SIP_ROOMS: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("flow", &[]),
    ("entropy", &[]),
    ("message", &[]),
    ("stun", &[]),
    ("sdp", &["message"]),
    ("auth", &["clock", "entropy", "message"]),
    ("credentials", &["auth", "message"]),
    ("target", &["flow", "message"]),
    ("dialog", &["entropy", "message"]),
    ("transaction", &["clock", "entropy", "flow", "message"]),
    ("stack", &["clock", "dialog", "entropy", "flow", "message", "target", "transaction"]),
];

/// A foreign crate and the only places that may name it.
const DOORS: &[(&str, &[&str])] = &[
    ("sqlx", &["pbx-core/src/store/"]),
    ("axum", &["admin-web/", "pbx-core/src/web.rs"]),
    ("rust_embed", &["admin-web/src/assets.rs"]),
    ("argon2", &["pbx-core/src/api/"]),
    ("roxmltree", &["pbx-core/switch/src/subscription/presence.rs"]),
    ("sdp_types", &["pbx-core/sip/src/sdp/"]),
    ("hickory_resolver", &["pbx-core/src/transport/resolver/"]),
    ("nix", &["pbx-core/src/transport/udp.rs"]),
    ("jiff", &["pbx-core/switch/src/dialplan/", "pbx-core/switch/src/directory/", "pbx-core/src/api/", "pbx-core/src/command/"]),
    (
        "rustls",
        &[
            "pbx-core/src/transport/tls.rs",
            "pbx-core/src/transport/certificate.rs",
            "pbx-core/src/transport/challenges.rs",
            "pbx-core/src/transport/greeting.rs",
            "pbx-core/src/transport/trust.rs",
        ],
    ),
    (
        "tokio_rustls",
        &[
            "pbx-core/src/transport/tls.rs",
            "pbx-core/src/transport/greeting.rs",
            "pbx-core/src/transport/https.rs",
            "pbx-core/src/transport/trust.rs",
        ],
    ),
    ("rustls_native_certs", &["pbx-core/src/transport/trust.rs"]),
    ("instant_acme", &["pbx-core/src/transport/acme.rs"]),
    ("rcgen", &["pbx-core/src/transport/certificate.rs", "pbx-core/src/transport/challenges.rs"]),
    ("x509_parser", &["pbx-core/src/transport/certificate.rs"]),
    ("aes", &["pbx-core/media/src/srtp/"]),
    ("ctr", &["pbx-core/media/src/srtp/"]),
    ("aws_lc_rs", &["pbx-core/media/src/srtp/", "pbx-core/src/transport/"]),
    ("rtc_srtp", &["pbx-core/media/src/srtp/"]),
    ("rsip", &["pbx-core/sip/tests/"]),
    ("md5", &["pbx-core/sip/src/auth.rs", "pbx-core/sip/tests/digest.rs", "pbx-core/switch/tests/"]),
    ("anyhow", &["pbx-core/src/main.rs", "pbx-core/src/runtime/start.rs", "pbx-core/src/command/"]),
];

#[test]
fn crates_use_only_what_the_arrows_allow() {
    for (folder, allowed) in CRATE_ARROWS {
        let ours: BTreeSet<&str> = CRATE_ARROWS.iter().map(|(other, _)| crate_name(other)).collect();
        for dependency in dependencies(folder) {
            if ours.contains(dependency.as_str()) {
                assert!(allowed.contains(&dependency.as_str()), "{folder} may not depend on {dependency}");
            }
        }
    }
}

#[test]
fn every_crate_has_its_arrows() {
    let manifest = read(&root().join("Cargo.toml"));
    let members = manifest.split("members = [").nth(1).and_then(|rest| rest.split(']').next()).expect("the workspace's members");
    let listed: BTreeSet<&str> = members.split('"').skip(1).step_by(2).collect();
    let drawn: BTreeSet<&str> = CRATE_ARROWS.iter().map(|(folder, _)| *folder).collect();
    assert_eq!(listed, drawn, "the workspace's members, and the crates whose arrows are drawn here");
}

#[test]
fn what_decides_links_nothing_worldly() {
    for folder in DECIDING {
        for dependency in dependencies(folder) {
            assert!(!WORLDLY.contains(&dependency.as_str()), "{folder} decides, and may not depend on {dependency}");
        }
        if *folder != "pbx-core/media-words" {
            assert!(
                root().join(folder).join("clippy.toml").is_file(),
                "{folder} needs a clippy.toml that names what it may not call"
            );
            let door = read(&root().join(folder).join("src/lib.rs"));
            for lint in ["clippy::disallowed_methods", "clippy::disallowed_types"] {
                assert!(door.contains(lint), "{folder}/src/lib.rs must deny {lint}");
            }
        }
    }
}

#[test]
fn rooms_use_only_what_the_arrows_allow() {
    for (sources, rooms, joins) in [
        ("pbx-core/src", CORE_ROOMS, &["main", "web", "lib"][..]),
        ("pbx-core/switch/src", SWITCH_ROOMS, &["lib", "switch"][..]),
        ("pbx-core/sip/src", SIP_ROOMS, &["lib"][..]),
    ] {
        let table: BTreeMap<&str, &[&str]> = rooms.iter().copied().collect();
        for file in rust_files(&root().join(sources)) {
            let room = room_of(&file, &root().join(sources));
            if joins.contains(&room.as_str()) {
                continue;
            }
            let Some(allowed) = table.get(room.as_str()) else {
                panic!("{}: no arrows are drawn for the room `{room}`", show(&file))
            };
            for (number, line) in code_lines(&read(&file)) {
                for used in named_after(&line, "crate::") {
                    let known = table.contains_key(used.as_str());
                    let fine = !known || used == room || allowed.contains(&used.as_str());
                    assert!(fine, "{}:{number}: `{room}` may not use `{used}`: {line}", show(&file));
                }
            }
        }
    }
}

#[test]
fn rooms_name_only_the_crates_that_the_arrows_allow() {
    let sources = root().join("pbx-core/src");
    for file in rust_files(&sources) {
        let room = room_of(&file, &sources);
        if ["main", "lib"].contains(&room.as_str()) {
            continue;
        }
        for (number, line) in code_lines(&production_part(&read(&file))) {
            for (name, rooms) in CRATES_OF_ROOMS {
                // `pbx_media::plane` and not `pbx_media_words::LegKey`.
                let named = named_after(&line, name).iter().any(String::is_empty);
                assert!(
                    !named || rooms.contains(&room.as_str()),
                    "{}:{number}: `{room}` may not use `{name}`: {line}",
                    show(&file)
                );
            }
        }
    }
}

#[test]
fn arrows_can_be_seen() {
    for file in all_rust_files().into_iter().filter(|file| !show(file).starts_with("tests/tidy")) {
        for (number, line) in code_lines(&read(&file)) {
            assert!(!line.contains("crate::{"), "{}:{number}: one `use crate::room::Item` a line shows each arrow", show(&file));
            assert!(!line.contains("super::super"), "{}:{number}: say `crate::room` instead of climbing", show(&file));
        }
    }
}

#[test]
fn foreign_crates_have_one_door_each() {
    for file in all_rust_files() {
        let shown = show(&file);
        if shown.starts_with("tests/") {
            continue;
        }
        let text = production_part(&read(&file));
        for (name, doors) in DOORS {
            if doors.iter().any(|door| shown.starts_with(door)) {
                continue;
            }
            for (number, line) in code_lines(&text) {
                let path = format!("{name}::");
                let begins =
                    |at: usize| !line[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == ':');
                let word =
                    line.match_indices(&path).any(|(at, _)| begins(at)) || line.trim_start().starts_with(&format!("use {name}"));
                assert!(!word, "{shown}:{number}: `{name}` is named outside its door {doors:?}: {line}");
            }
        }
    }
}

#[test]
fn unsafe_code_stands_in_media_alone() {
    for (folder, _) in CRATE_ARROWS {
        let door = match *folder {
            "." => "pbx-core/src/main.rs".to_owned(),
            "tests/load" => "tests/load/src/main.rs".to_owned(),
            library => format!("{library}/src/lib.rs"),
        };
        let text = read(&root().join(&door));
        let lint = if *folder == "pbx-core/media" { "unsafe_code)]" } else { "#![forbid(unsafe_code)]" };
        assert!(text.contains(lint), "{door} must say {lint}");
    }
}

#[test]
fn tests_run_and_do_not_wait() {
    let (ignored, slept) = (["#[ig", "nore"].concat(), ["sle", "ep("].concat());
    for file in all_rust_files() {
        let text = read(&file);
        let mut inside_wait_until = false;
        for (number, line) in code_lines(&text) {
            assert!(!line.contains(&ignored), "{}:{number}: a test that is not run proves nothing", show(&file));
            if line.contains("fn ") {
                inside_wait_until = line.contains("fn wait_until");
            }
            let in_test = show(&file).starts_with("tests/") || show(&file).contains("/tests/") || number > test_part_starts(&text);
            let sleeps = line.contains(&slept);
            assert!(!(in_test && sleeps && !inside_wait_until), "{}:{number}: only wait_until may wait: {line}", show(&file));
        }
    }
}

#[test]
fn every_source_says_what_it_is() {
    for file in all_rust_files() {
        let text = read(&file);
        let first = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with("#!")).unwrap_or_default();
        assert!(first.starts_with("//!"), "{}: the first line says what the file is for (//! ...)", show(&file));
    }
}

#[test]
fn migrations_are_numbered_without_a_gap() {
    let names = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
        let mut names: Vec<String> = entries.map(|entry| file_name(&entry.expect("entry").path())).collect();
        names.sort();
        names
    };
    for (position, name) in names("migrations/sqlite").iter().enumerate() {
        assert!(
            name.starts_with(&format!("{:04}_", position + 1)) && name.ends_with(".sql"),
            "{name} is not number {}",
            position + 1
        );
    }
    assert_eq!(names("migrations/sqlite"), names("migrations/postgres"), "the two folders go in step");
}

// ---------------------------------------------------------------------------------------------------------------------------

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn show(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn crate_name(folder: &str) -> &str {
    match folder {
        "pbx-core/sip" => "pbx-sip",
        "pbx-core/media-words" => "pbx-media-words",
        "pbx-core/switch" => "pbx-switch",
        "pbx-core/media" => "pbx-media",
        "." => "pbx",
        "tests/fuzz" => "pbx-fuzz",
        other => other,
    }
}

/// The names under `[dependencies]` of a crate's Cargo.toml.
fn dependencies(folder: &str) -> Vec<String> {
    let text = read(&root().join(folder).join("Cargo.toml"));
    let mut inside = false;
    let mut names = Vec::new();
    for line in text.lines() {
        if line.starts_with('[') {
            inside = line.trim() == "[dependencies]";
        } else if inside && let Some((name, _)) = line.split_once('=') {
            names.push(name.trim().trim_end_matches(".workspace").to_owned());
        }
    }
    names
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && !["target", "node_modules", "tools", "dist"].contains(&file_name(&path).as_str()) {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn all_rust_files() -> Vec<PathBuf> {
    ["pbx-core", "admin-web", "tests"].iter().flat_map(|folder| rust_files(&root().join(folder))).collect()
}

/// `src/store/binding.rs` stands in the room `store`; `src/config.rs` is the room `config`.
fn room_of(file: &Path, sources: &Path) -> String {
    let inside = file.strip_prefix(sources).expect("below the sources");
    inside.components().next().map(|part| part.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()).unwrap_or_default()
}

/// Numbered lines without those that are only a comment.
fn code_lines(text: &str) -> Vec<(usize, String)> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(at, line)| (at + 1, line.to_owned()))
        .collect()
}

/// The identifiers that follow each `prefix` in a line.
fn named_after(line: &str, prefix: &str) -> Vec<String> {
    line.match_indices(prefix)
        .filter(|(at, _)| !line[..*at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == ':'))
        .map(|(at, _)| line[at + prefix.len()..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
        .collect()
}

/// Everything before the file's own tests.
fn production_part(text: &str) -> String {
    text.lines().take(test_part_starts(text)).collect::<Vec<_>>().join("\n")
}

fn test_part_starts(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let start = lines.windows(2).position(|pair| pair[0].trim() == "#[cfg(test)]" && pair[1].trim_start().starts_with("mod "));
    start.unwrap_or(lines.len())
}
