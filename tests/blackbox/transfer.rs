//! A real phone sends others on, by a key alone and after having asked; and a session that is refreshed.

use tempfile::TempDir;

use crate::house::{House, wait_until};
use crate::phone::{Baresip, Linphone, Over, Sipp};
use crate::sound;

/// Tones by which two phones are known.
const OF_202: f64 = 600.0;
const OF_203: f64 = 1000.0;

/// 202 and 203, which answer by themselves.
struct Two {
    house: House,
    token: String,
    folder: TempDir,
    one: Baresip,
    other: Baresip,
}

fn two() -> Two {
    let house = House::start();
    house.extensions(&["201", "202", "203"]);
    let token = house.token("read");
    let folder = TempDir::new().expect("a folder for tones");
    let one = Baresip::start(&house, "202", &sound::tone(folder.path(), OF_202, -6.0, 60), true, Over::Udp);
    let other = Baresip::start(&house, "203", &sound::tone(folder.path(), OF_203, -6.0, 60), true, Over::Udp);
    Two { house, token, folder, one, other }
}

impl Two {
    fn registered(&self) {
        wait_until("three phones are registered", || {
            ["201", "202", "203"].iter().all(|number| self.house.registered(&self.token, number) == 1).then_some(())
        });
    }

    /// Each hears the other, and then one of them hangs up.
    fn hear_each_other(&mut self, dialled: &str) -> serde_json::Value {
        let (at_one, at_other) = (self.one.heard(2), self.other.heard(2));
        wait_until("each hears the other", || {
            let hears = |path, hertz: f64| (sound::listen(path).hertz - hertz).abs() <= 2.0;
            (hears(&at_one, OF_203) && hears(&at_other, OF_202)).then_some(())
        });
        self.other.types("/hangup");
        let record = self.house.record(&self.token, |record| record["dialled"] == dialled && record["ended_at"].is_string());
        self.one.stop();
        self.other.stop();
        record
    }
}

fn steps(record: &serde_json::Value) -> Vec<&str> {
    record["trace"].as_array().expect("a trace").iter().filter_map(|step| step["code"].as_str()).collect()
}

#[test]
fn who_has_heard_one_hears_the_next() {
    let mut two = two();
    let quiet = sound::tone(two.folder.path(), 440.0, -26.0, 60);
    let mut phone = Baresip::start(&two.house, "201", &quiet, false, Over::Udp);
    two.registered();
    phone.types(&format!("/dial sip:202@{}", two.house.sip_udp));
    two.one.heard(1);
    phone.types(&format!("/transfer sip:203@{}", two.house.sip_udp));
    let record = two.hear_each_other("203");
    assert_eq!((&record["caller"], &record["outcome"]), (&"202".into(), &"answered".into()), "{record}");
}

#[test]
fn linphone_sends_whom_it_has_called_on() {
    let mut two = two();
    let mut phone = Linphone::start(&two.house, "201", Over::Udp);
    two.registered();
    phone.types("soundcard use files");
    phone.types(&format!("call sip:202@{}", two.house.sip_udp));
    phone.shows("Media streams established with sip:202");
    phone.types(&format!("transfer sip:203@{}", two.house.sip_udp));
    let record = two.hear_each_other("203");
    assert_eq!((&record["caller"], &record["outcome"]), (&"202".into(), &"answered".into()), "{record}");
    assert_eq!(steps(&record)[0], "transferred", "{record}");
    let first = two.house.record(&two.token, |record| record["dialled"] == "202");
    assert_eq!((&first["outcome"], &first["legs"][1]["end"]), (&"answered".into(), &"transferred".into()), "{first}");
}

#[test]
fn linphone_connects_two_whom_it_has_called() {
    let mut two = two();
    let mut phone = Linphone::start(&two.house, "201", Over::Udp);
    two.registered();
    phone.types("soundcard use files");
    phone.types(&format!("call sip:202@{}", two.house.sip_udp));
    phone.shows("Media streams established with sip:202");
    phone.types("pause");
    phone.shows("is now paused");
    phone.types(&format!("call sip:203@{}", two.house.sip_udp));
    phone.shows("Media streams established with sip:203");
    phone.types("transfer 1 --to-call 2");
    let record = two.hear_each_other("203");
    assert_eq!((&record["caller"], &record["outcome"]), (&"201".into(), &"answered".into()), "{record}");
    assert_eq!(record["legs"].as_array().map(Vec::len), Some(3), "{record}");
    assert!(steps(&record).contains(&"transferred"), "{record}");
}

#[test]
fn a_session_is_refreshed() {
    let house = House::start();
    house.extensions(&["201", "202"]);
    let callee = Sipp::new(&house, "202");
    callee.register(60);
    let answering = callee.start("answer", "", &[]);
    Sipp::new(&house, "201").start("call_timed", "202", &[]).succeeds();
    answering.succeeds();
}
