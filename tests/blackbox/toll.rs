//! A ceiling of what calls may cost: the call is cut off, somebody is told on their phone, a kill does not open it, and an administrator
//! does.

use serde_json::json;

use crate::house::{House, wait_until};
use crate::line::{is_up, line};
use crate::phone::Sipp;

#[test]
fn a_call_that_costs_too_much_is_cut_off_and_somebody_is_told() {
    let mut house = House::start();
    house.extensions(&["201", "203"]);
    let token = house.token("admin");
    let mut toll = house.get(&token, "/api/v1/toll");
    // A mobile costs ten cents a minute: two seconds.
    toll["extension"]["cost_of_hour"] = json!(0.003);
    toll["alerted"] = json!(["203"]);
    house.put(&token, "/api/v1/toll", &toll);
    let (watch, carrier) = (Sipp::new(&house, "203"), Sipp::new(&house, "carrier"));
    watch.register(600);
    let told = watch.start("take_text", "", &[]);
    let id = line(&house, &token, "Opérateur", carrier.port, &json!({ "registers": false, "probe_s": 0 }));
    is_up(&house, &token, &id);
    let answering = carrier.start("answer", "", &[]);
    Sipp::new(&house, "201").start("call_cut", "0639981234", &[]).succeeds();
    answering.succeeds();
    told.sees(" 201 ");
    told.succeeds();
    let record = house.record(&token, |record| record["dialled"] == "0639981234");
    let cut = record["trace"].as_array().expect("a trace").iter().any(|step| step["code"] == "ceiling_reached");
    assert!(record["outcome"] == "ceiling_reached" && cut, "{record}");
    stopped(&house, &token, "cost_of_hour");
    house.kill();
    house.open();
    stopped(&house, &token, "cost_of_hour");
    house.order(&token, "/api/v1/spendings/201/allowance");
    wait_until("201 may go on", || of_201(&house, &token)?["reached"].is_null().then_some(()));
}

fn stopped(house: &House, token: &str, ceiling: &str) {
    wait_until("201 is stopped", || (of_201(house, token)?["reached"] == ceiling).then_some(()));
}

fn of_201(house: &House, token: &str) -> Option<serde_json::Value> {
    house.get(token, "/api/v1/spendings")["items"].as_array()?.iter().find(|one| one["id"] == "201").cloned()
}
