//! Several ways to one phone (RFC 5626), proxies on the way (RFC 3327), and names for one phone of an extension (RFC 5627).

use crate::check::check;

/// One phone with two connections.
const TWO_WAYS: &str = r#"phones: 202 201t- 201tb-
        201t -> REGISTER contact=own;+sip.instance="<urn:uuid:7>";reg-id=1 {Supported: outbound, path}
        201t <- 200 {Require: outbound} {Flow-Timer: 120} {Contact: reg-id=1} {Supported: outbound}
        201tb -> REGISTER contact=own;+sip.instance="<urn:uuid:7>";reg-id=2 {Supported: outbound}
        201tb <- 200 {Contact: reg-id=2}    bindings: 201 2"#;

fn climb(name: &str, ladder: &str) {
    check(name, &ladder.replace("@TWO_WAYS", TWO_WAYS));
}

#[test]
fn a_phone_with_two_ways_is_rung_once_and_by_the_other_where_one_leads_nowhere() {
    climb(
        "flow failed, says a proxy",
        "
        @TWO_WAYS
        202 -> INVITE 201    201tb <- INVITE    201t <- nothing
        201tb -> 430    201tb <- ACK    201t <- INVITE
        201t -> 200    201t <- ACK    202 <- 200    202 -> ACK    media: 202 <-> 201t
        202 -> BYE    202 <- 200    201t <- BYE    201t -> 200 BYE    record: answered 201=answered
    ",
    );
    climb(
        "flow failed, as we find",
        "
        @TWO_WAYS
        gone 201tb
        202 -> INVITE 201    201t <- INVITE    201t -> 486    201t <- ACK    202 <- 486    202 -> ACK    record: busy
    ",
    );
    climb(
        "both fail",
        "
        @TWO_WAYS
        202 -> INVITE 201    201tb <- INVITE    201tb -> 430    201tb <- ACK    201t <- INVITE    201t -> 430    201t <- ACK
        202 <- 480    202 -> ACK    record: unreachable
    ",
    );
}

#[test]
fn a_way_is_replaced_by_its_number_and_all_of_them_by_a_phone_that_has_one() {
    climb(
        "ways replaced",
        r#"
        @TWO_WAYS
        closed 201t
        201t -> REGISTER contact=own;+sip.instance="<urn:uuid:7>";reg-id=1 {Supported: outbound}    201t <- 200    bindings: 201 2
        202 -> MESSAGE sip:201@pbx.test says=[hello]    201tb <- MESSAGE    201tb -> 200 MESSAGE    202 <- 200    201t <- nothing
        restart    bindings: 201 2
        201t -> REGISTER contact=own;+sip.instance="<urn:uuid:7>"    201t <- 200 {!Require: outbound}    bindings: 201 1
    "#,
    );
}

#[test]
fn who_comes_through_a_proxy_that_keeps_no_way_is_told_so() {
    climb(
        "no outbound at the first hop",
        r#"
        phones: 201-
        201 -> REGISTER contact=own;+sip.instance="<urn:uuid:7>";reg-id=1 {Supported: outbound} {v: SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKp}
        201 <- 439    bindings: 201 0
        201 -> REGISTER contact=own;+sip.instance="<urn:uuid:7>";reg-id=1 {Supported: outbound, path} {v: SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKq} {Path: <sip:edge.test;lr;ob>}
        201 <- 200 {Require: outbound} {Path: <sip:edge.test;lr;ob>}    bindings: 201 1
    "#,
    );
}

#[test]
fn proxies_on_the_way_are_on_the_way_back() {
    climb(
        "path",
        "
        phones: 202 201-
        201 -> REGISTER {Path: <sip:edge.test;lr>}    201 <- 420 {Unsupported: path}    bindings: 201 0
        201 -> REGISTER {Supported: path} {Path: <sip:inner.test;lr>, <sip:edge.test;lr>}
        201 <- 200 {Path: <sip:inner.test;lr>, <sip:edge.test;lr>}    bindings: 201 1
        202 -> INVITE 201    201 <- INVITE {Route: <sip:inner.test;lr>} {Route: <sip:edge.test;lr>}
        201 -> 486    201 <- ACK {Route: edge.test}    202 <- 486    202 -> ACK    record: busy
        202 -> MESSAGE sip:201@pbx.test says=[hello]    201 <- MESSAGE {Route: <sip:inner.test;lr>}    201 -> 200 MESSAGE    202 <- 200
        restart
        202 -> INVITE 201    201 <- INVITE {Route: <sip:edge.test;lr>}    201 -> 486    201 <- ACK    202 <- 486    202 -> ACK    record: busy
        201 -> REGISTER {Supported: path} {Path: nonsense}    201 <- 400
    ",
    );
}

#[test]
fn one_phone_of_an_extension_has_a_name_of_its_own() {
    climb(
        "gruu",
        r#"
        phones: 202 203 201- 201b-
        201 -> REGISTER contact=own;+sip.instance="<urn:uuid:9>" {Supported: gruu}
        201 <- 200 {Contact: pub-gruu="sip:201@pbx.test;gr=urn:uuid:9"} {Contact: temp-gruu="sip:tgruu.}
        201b -> REGISTER contact=own;+sip.instance="<urn:uuid:8>"    201b <- 200 {!Contact: pub-gruu}
        202 -> INVITE sip:201@pbx.test;gr=urn:uuid:9    201 <- INVITE    201b <- nothing
        201 -> 486    201 <- ACK    202 <- 486    202 -> ACK    record: busy
        202 -> INVITE sip:201@pbx.test;gr=urn:uuid:none    202 <- 480    202 -> ACK    record: unregistered
        202 -> INVITE 203    203 <- INVITE    203 -> 200    203 <- ACK    202 <- 200    202 -> ACK
        202 -> REFER to=201@pbx.test;gr=urn:uuid:8    202 <- 202 REFER    202 <- NOTIFY    202 -> 200 NOTIFY
        201b <- INVITE    201 <- nothing    201b -> 200    201b <- ACK
        202 <- NOTIFY    202 -> 200 NOTIFY    202 <- BYE    202 -> 200 BYE    record: answered
        203 -> BYE    203 <- 200    201b <- BYE    201b -> 200 BYE    record: answered
    "#,
    );
}
