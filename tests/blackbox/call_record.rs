//! Calls that are over: looked for, turned page by page, and taken away as a table.

use serde_json::Value;

use crate::house::{House, wait_until};
use crate::phone::Sipp;

/// Two answered calls, a busy one and one to nobody, the callee's name one that a spreadsheet would work out.
fn house() -> (House, String) {
    let house = House::start();
    let list = house.path("names.csv");
    std::fs::write(&list, "number,name,secret,email\n201,\"=HYPERLINK(\"\"http://198.51.100.1\"\")\",pw201,\n202,Loge é,pw202,\n")
        .expect("a list");
    house.pbx(&["extensions", "import", list.to_str().expect("a plain path")]);
    let token = house.token("read");
    let callee = Sipp::new(&house, "202");
    callee.register(60);
    for (answers, hears, dialled) in
        [("answer", "call", "202"), ("answer_busy", "call_busy", "202"), ("", "call_unknown", "555"), ("answer", "call", "202")]
    {
        let answering = (!answers.is_empty()).then(|| callee.start(answers, "", &[]));
        Sipp::new(&house, "201").start(hears, dialled, &[]).succeeds();
        if let Some(answering) = answering {
            answering.succeeds();
        }
    }
    wait_until("four records are written", || (found(&house, &token, "").len() == 4).then_some(()));
    (house, token)
}

#[test]
fn records_are_found_by_outcome_party_period_and_page() {
    let (house, token) = house();
    let outcomes = |query: &str| -> Vec<String> {
        found(&house, &token, query).iter().map(|record| record["outcome"].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(outcomes(""), ["answered", "unknown_number", "busy", "answered"]);
    assert_eq!(outcomes("outcome=busy"), ["busy"]);
    assert_eq!(outcomes("answered=true"), ["answered", "answered"]);
    assert_eq!(outcomes("answered=false"), ["unknown_number", "busy"]);
    assert_eq!(outcomes("party=555"), ["unknown_number"]);
    assert_eq!(outcomes("party=202&answered=true&q=HYPER"), ["answered", "answered"]);
    assert_eq!(outcomes("party=20"), [] as [&str; 0], "an extension is meant whole");
    let began = found(&house, &token, "outcome=busy")[0]["started_at"].as_str().expect("a moment").to_owned();
    assert_eq!(outcomes(&format!("from={began}")), ["answered", "unknown_number", "busy"]);
    assert_eq!(outcomes(&format!("until={began}")), ["answered"]);
    let mut turned = Vec::new();
    let mut before = String::new();
    loop {
        let page = house.get(&token, &format!("/api/v1/call_records?limit=3{before}"));
        turned.push(page["items"].as_array().map_or(0, Vec::len));
        let Some(next) = page["next"].as_str() else { break };
        before = format!("&before={next}");
    }
    assert_eq!(turned, [3, 1]);
    for nonsense in ["from=yesterday", "before=1", "outcom=busy", "answered=maybe"] {
        let answer = ask(&house, &token, &format!("/api/v1/call_records?{nonsense}"));
        assert!(matches!(answer.status().as_u16(), 400 | 422), "{nonsense}: {}", answer.status());
    }
}

#[test]
fn the_table_is_one_that_a_spreadsheet_reads_and_does_not_obey() {
    let (house, token) = house();
    let mut answer = ask(&house, &token, "/api/v1/call_records.csv?lang=fr&answered=true");
    assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
    assert_eq!(answer.headers()["content-disposition"], "attachment; filename=\"appels.csv\"");
    // Not as text: reading as text would take the mark away.
    let octets = answer.body_mut().read_to_vec().expect("a table");
    let table = String::from_utf8(octets).expect("UTF-8");
    let lines: Vec<&str> = table.strip_prefix('\u{feff}').expect("the mark").split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert!(lines[0].starts_with("Appel;Début;De;"), "{table}");
    for line in &lines[1..] {
        assert!(line.contains(";201;\"'=HYPERLINK(\"\"http://198.51.100.1\"\")\";202;202;répondu;"), "{line}");
    }
    let english = ask(&house, &token, "/api/v1/call_records.csv?lang=en").body_mut().read_to_string().expect("a table");
    assert!(english.contains("Call,Started,From,") && english.contains(",busy,"), "{english}");
    assert_eq!(english.lines().count(), 5);
    assert_eq!(ask(&house, "nonsense", "/api/v1/call_records.csv").status().as_u16(), 401);
    assert_eq!(ask(&house, &token, "/api/v1/call_records.csv?until=tomorrow").status().as_u16(), 422);
}

fn found(house: &House, token: &str, query: &str) -> Vec<Value> {
    house.get(token, &format!("/api/v1/call_records?{query}"))["items"].as_array().cloned().unwrap_or_default()
}

fn ask(house: &House, token: &str, path: &str) -> ureq::http::Response<ureq::Body> {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let url = format!("http://{}{path}", house.http);
    agent.get(&url).header("authorization", format!("Bearer {token}")).call().unwrap_or_else(|error| panic!("GET {path}: {error}"))
}
