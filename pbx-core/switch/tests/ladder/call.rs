//! Two phones: calls that are answered, refused and given up.

use crate::check::check;

#[test]
fn two_people_talk() {
    check(
        "the caller hangs up",
        "
        phones: 201 202
        201 -> INVITE 202    201 <- 100
        202 <- INVITE sdp {From: Phone 201}
        202 -> 180    201 <- 180 nosdp {Contact: sip:}
        202 -> 200    202 <- ACK    201 <- 200 sdp dir=sendrecv {Allow: INFO}
        media: 201 <-> 202    calls: 1
        201 -> ACK
        201 -> BYE    201 <- 200 BYE
        202 <- BYE    202 -> 200 BYE
        ports: 0
        record: answered 202=answered
    ",
    );
    check(
        "the called one hangs up",
        "
        phones: 201 202t
        201 -> INVITE 202    202t <- INVITE
        202t -> 200    202t <- ACK    201 <- 200
        201 -> ACK
        202t -> BYE    202t <- 200 BYE
        201 <- BYE    201 -> 200 BYE
        record: answered 202=answered
    ",
    );
}

#[test]
fn an_answer_is_acknowledged_before_the_caller_is_told_goodbye() {
    check(
        "RFC 3261 15: no BYE from the side that answered until its 2xx is acknowledged",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200
        202 -> BYE    202 <- 200 BYE    201 <- nothing
        wait 500ms    201 <- 200 INVITE
        201 -> ACK    201 <- BYE    201 -> 200 BYE
        record: answered
    ",
    );
    check(
        "a caller that never acknowledges",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200
        wait 31s    201 <- 200 INVITE x9    media: 201 <-> 202
        wait 1s     201 <- 200 INVITE    201 <- BYE    201 -> 200 BYE    201 <- nothing
        202 <- BYE    202 -> 200 BYE
        record: lost
    ",
    );
    check(
        "one that hung up and will not be acknowledged",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200
        202 -> BYE    202 <- 200 BYE
        wait 31s    201 <- 200 INVITE x9
        wait 1s     201 <- 200 INVITE    201 <- BYE    201 -> 200 BYE
        record: answered
    ",
    );
}

#[test]
fn a_call_that_is_refused() {
    for (said, told, outcome) in [
        ("486", "486", "busy"),
        ("600", "486", "busy"),
        ("603", "603", "declined"),
        ("480", "480", "no_answer"),
        ("404", "404", "unknown_number"),
        ("403", "403", "not_allowed"),
        ("488", "488", "no_common_codec"),
        ("302", "480", "unreachable"),
        ("401", "480", "unreachable"),
        ("500", "480", "unreachable"),
    ] {
        check(
            &format!("a phone says {said}"),
            &format!(
                "
            phones: 201 202
            201 -> INVITE 202    202 <- INVITE
            202 -> 180    201 <- 180
            202 -> {said}    202 <- ACK    201 <- {told}
            201 -> ACK
            record: {outcome} 202={outcome}    trace: extension turned
        "
            ),
        );
    }
}

#[test]
fn nobody_is_there() {
    check(
        "it rings, and nobody comes",
        "
        house: ring=20s
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE
        202 -> 180    201 <- 180
        wait 19s    202 <- nothing
        wait 1s    202 <- CANCEL    202 -> 200 CANCEL    202 -> 487    202 <- ACK
        201 <- 480    201 -> ACK
        record: no_answer 202=no_answer
    ",
    );
    check(
        "an extension without a phone",
        "
        phones: 201
        201 -> INVITE 202    201 <- 480    201 -> ACK
        record: unregistered    trace: extension turned
    ",
    );
    check(
        "a number that nobody has, one that is switched off, one that costs",
        "
        phones: 201
        201 -> INVITE 288    201 <- 404    201 -> ACK    record: unknown_number    trace: no_extension turned
        201 -> INVITE 209    201 <- 404    201 -> ACK    record: disabled    trace: extension_disabled turned
        201 -> INVITE 0899000000    201 <- 403    201 -> ACK    record: premium    trace: rule_matched to_refusal turned
    ",
    );
}

#[test]
fn outside_and_emergency_numbers_have_no_line_yet() {
    check(
        "an outside number",
        "
        phones: 201
        201 -> INVITE 0199001234    201 <- 503 {Retry-After}    201 -> ACK
        record: no_outside_line    trace: rule_matched to_outside turned
        201 -> INVITE tel:+33199001234    201 <- 503    201 -> ACK
        record: no_outside_line    trace: to_outside turned
    ",
    );
    check(
        "an emergency number",
        "
        phones: 201
        201 -> INVITE 112    201 <- 503    201 -> ACK
        record: no_outside_line    trace: emergency turned
    ",
    );
}

#[test]
fn the_caller_gives_up() {
    check(
        "before the phone has said anything: CANCEL waits for its first response (RFC 3261 9.1)",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE
        201 -> CANCEL    201 <- 200 CANCEL    201 <- 487    201 -> ACK
        202 <- nothing
        202 -> 180    202 <- CANCEL    202 -> 200 CANCEL    202 -> 487    202 <- ACK
        record: abandoned 202=abandoned
    ",
    );
    check(
        "while it rings",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 180    201 <- 180
        201 -> CANCEL    201 <- 200 CANCEL    201 <- 487    201 -> ACK
        202 <- CANCEL    202 -> 200 CANCEL    202 -> 487    202 <- ACK
        record: abandoned 202=abandoned
    ",
    );
    check(
        "and the phone was answered at the same moment",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 180    201 <- 180
        201 -> CANCEL    201 <- 200 CANCEL    201 <- 487    201 -> ACK
        202 <- CANCEL    202 -> 200    202 <- ACK    202 <- BYE    202 -> 200 BYE    202 -> 200 CANCEL
        record: abandoned 202=abandoned    media: none
    ",
    );
    check(
        "a CANCEL that comes after the answer changes nothing",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK
        201 -> CANCEL    201 <- 200 INVITE    201 <- 200 CANCEL
        201 -> ACK    media: 201 <-> 202
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
    check(
        "a CANCEL of nothing",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 486    202 <- ACK    201 <- 486    201 -> ACK
        record: busy
        wait 6s
        201 -> CANCEL    201 <- 481 CANCEL
    ",
    );
}

#[test]
fn bye_before_the_answer() {
    check(
        "a caller that says BYE to a ringing phone: its INVITE has 487 in the same dialog (RFC 3261 15.1.2)",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 180    201 <- 180
        201 -> BYE    201 <- 200 BYE    201 <- 487 INVITE {To: tag=}    201 -> ACK
        202 <- CANCEL    202 -> 200 CANCEL    202 -> 487    202 <- ACK
        record: abandoned 202=abandoned
    ",
    );
    check(
        "BYE and CANCEL cross",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 180    201 <- 180
        201 -> CANCEL    201 -> BYE
        201 <- 200 CANCEL    201 <- 487 INVITE    201 <- 481 BYE    201 -> ACK
        202 <- CANCEL    202 -> 200 CANCEL    202 -> 487    202 <- ACK
        record: abandoned
    ",
    );
    check(
        "both hang up at once",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        201 -> BYE    202 -> BYE
        201 <- 200 BYE    202 <- BYE    202 <- 481 BYE    202 -> 200 BYE
        record: answered
    ",
    );
}

#[test]
fn an_extension_calls_itself() {
    check(
        "its other phone rings, and so does its own",
        "
        phones: 201 201b
        201 -> INVITE 201
        201b <- INVITE    201 <- INVITE
        201 -> 486    201 <- ACK
        201b -> 180    201 <- 180
        201b -> 486    201b <- ACK
        201 <- 486    201 -> ACK
        record: busy 201=busy 201=busy
    ",
    );
}

#[test]
fn an_administrator_ends_a_call() {
    check(
        "that is talking",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        hang up
        201 <- BYE    201 -> 200 BYE    202 <- BYE    202 -> 200 BYE
        record: hung_up 202=hung_up
    ",
    );
    check(
        "that is ringing",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 180    201 <- 180
        hang up
        201 <- 480    201 -> ACK    202 <- CANCEL    202 -> 200 CANCEL    202 -> 487    202 <- ACK
        record: hung_up 202=hung_up
    ",
    );
}

#[test]
fn a_phone_is_switched_off_while_it_talks() {
    check(
        "its call goes on, and it makes no other",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        disable 202    bindings: 202 0
        202 -> INVITE dir=sendonly    202 <- 200 dir=recvonly    202 -> ACK
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE
        record: answered
        202 -> INVITE 201 bare    202 <- 401    202 -> ACK
        201 -> INVITE 202    201 <- 404    201 -> ACK    record: disabled
    ",
    );
}
