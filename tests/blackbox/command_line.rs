//! The command line, on a stopped switchboard and on a running one.

use std::fs;

use crate::house::{House, wait_until};
use crate::phone::Sipp;

#[test]
fn commands_work_on_a_stopped_and_on_a_running_switchboard() {
    let mut house = House::empty(&[]);
    house.extensions(&["201"]);
    assert!(house.pbx(&["extensions", "list"]).contains("201"));
    assert!(house.pbx(&["version"]).contains(env!("CARGO_PKG_VERSION")));
    let before = house.pbx(&["explain", "--from", "201", "--to", "201"]);
    house.open();
    house.extensions(&["202"]);
    let list = house.pbx(&["extensions", "list"]);
    assert!(list.contains("201") && list.contains("202"), "{list}");
    // What was created while it runs can register at once.
    Sipp::new(&house, "202").register(60);
    assert_eq!(house.pbx(&["explain", "--from", "201", "--to", "201"]), before, "stopped or running, the same engine");
    let plan = house.pbx(&["dialplan", "export", "-"]);
    let file = house.path("plan.toml");
    fs::write(&file, &plan).expect("a plan file");
    house.pbx(&["check", file.to_str().expect("a plain path")]);
    house.pbx(&["dialplan", "import", file.to_str().expect("a plain path")]);
    assert_eq!(house.pbx(&["dialplan", "export", "-"]), plan, "what is imported is what is exported");
}

#[test]
fn one_bad_row_changes_nothing() {
    let house = House::empty(&[]);
    let file = house.path("bad.csv");
    fs::write(&file, "number,name,secret,email\n201,Poste 201,,\n15,SAMU,,\n202,Poste 202,,\n201,twice,,\n").expect("a CSV file");
    let output = house.run(&["extensions", "import", file.to_str().expect("a plain path")]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success(), "{text}");
    assert!(text.contains('3') && text.contains('5'), "the bad rows are named: {text}");
    assert!(!house.pbx(&["extensions", "list"]).contains("201"), "nothing was imported");
}

#[test]
fn mistakes_end_in_a_sentence() {
    let mut house = House::start();
    let taken = house.sip_udp.to_string();
    let second = House::empty(&[("PBX_SIP_UDP", &taken)]);
    let output = second.run(&["serve"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains(&taken), "a taken port is named: {text}");
    assert!(!text.contains("panicked"), "{text}");

    let config = second.path("pbx.toml");
    fs::write(&config, "[sip]\nudp = \"127.0.0.1:0\"\nuppd = true\n").expect("a config");
    let output = second.run(&["--config", config.to_str().expect("a plain path"), "check"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success(), "{text}");
    assert!(text.contains("pbx.toml") && text.contains('3') && text.contains("uppd"), "file, line and key are named: {text}");

    let plan = second.path("plan.toml");
    fs::write(&plan, "[[rule]]\nname = \"x\"\nmatch = \"0Q\"\nto = \"nowhere\"\n").expect("a plan");
    let output = second.run(&["check", plan.to_str().expect("a plain path")]);
    assert!(!output.status.success(), "a wrong plan is refused");

    let output = house.run(&["serve"]);
    assert!(!output.status.success(), "one data directory, one switchboard");
    assert_eq!(house.stop(), Some(0));
}

#[test]
fn a_change_is_heard_within_a_second() {
    let house = House::start();
    let token = house.token("read");
    house.extensions(&["201"]);
    wait_until("the page shows 201", || {
        house.get(&token, "/api/v1/extensions")["items"].as_array()?.iter().any(|each| each["number"] == "201").then_some(())
    });
    Sipp::new(&house, "201").register(60);
}

#[test]
fn the_control_socket_and_the_secrets_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let house = House::start();
    house.extensions(&["201"]);
    let mode = fs::metadata(house.path("control.sock")).expect("a control socket").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    for entry in fs::read_dir(house.path(".")).expect("the data directory").flatten() {
        // The CSV is the test's own.
        if entry.path().is_file() && entry.file_name() != "extensions.csv" {
            let bytes = fs::read(entry.path()).unwrap_or_default();
            let leak = bytes.windows(5).any(|five| five == b"pw201");
            assert!(!leak, "{:?} holds a clear secret", entry.file_name());
        }
    }
}
