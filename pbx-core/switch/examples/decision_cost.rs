//! What a decision among 1,000 rules costs, its trace included: `cargo run --release -p pbx-switch --example decision_cost`. Prints
//! microseconds; each decision is timed by itself, and the number dialled is another each time.

use std::hint::black_box;
use std::time::Instant;

use pbx_sip::auth::Ha1;
use pbx_sip::clock::Wall;
use pbx_switch::dialplan::{CallFacts, Caller, Dialplan, decide};
use pbx_switch::directory::{Access, Directory, Extension, ExtensionNumber, Site, SiteKey};

const RULES: usize = 1_000;
const DECISIONS: usize = 20_000;

fn main() {
    // Every rule stays a candidate to its last digit, and every third asks for the hour as well.
    let rules = (0..RULES).map(|rule| {
        let hours = if rule % 3 == 0 { "days = \"mon-fri\"\nhours = \"09:00-18:30\"\n" } else { "" };
        format!("[[rule]]\nname = \"Rule {rule}\"\nmatch = \"0[1-5]XXXX{rule:04}\"\n{hours}to = \"outside\"\n")
    });
    let plan = Dialplan::parse(&rules.collect::<String>()).expect("the plan is right");
    let site = Site::new(SiteKey("main".to_owned()), "Salle", "Europe/Paris").expect("a time zone");
    let number = ExtensionNumber::new("201").expect("a number");
    let extension = Extension {
        number: number.clone(),
        name: "Accueil".to_owned(),
        site: site.key.clone(),
        email: None,
        enabled: true,
        ha1: Ha1::of("201", "pbx", "secret"),
        access: Access::default(),
    };
    let directory = Directory {
        sites: [(site.key.clone(), site)].into(),
        extensions: [(number.clone(), extension)].into(),
        ..Directory::default()
    };
    let mut nanoseconds: Vec<u128> = (0..DECISIONS)
        .map(|decision| {
            // A third of them fits no rule at all: the longest way.
            let last = decision * 7 % (RULES + RULES / 2);
            let dialled = format!("019900{last:04}");
            let at = Wall(1_800_000_000_000_000 + decision as i64 * 3_600_000_000);
            let facts = CallFacts { caller: Caller::Extension(number.clone()), dialled, at };
            let begun = Instant::now();
            black_box(decide(&plan, &directory, black_box(&facts)));
            begun.elapsed().as_nanos()
        })
        .collect();
    nanoseconds.sort_unstable();
    let at = |thousandths: usize| nanoseconds[nanoseconds.len() * thousandths / 1000] as f64 / 1000.0;
    println!("{{\"p50_us\": {:.2}, \"p99_us\": {:.2}, \"p999_us\": {:.2}}}", at(500), at(990), at(999));
}
