//! Requests that are refused before they are a call, each with the status that RFC 3261 asks for.

use crate::check::check;

#[test]
fn what_we_cannot_do() {
    check(
        "methods",
        "
        phones: 201
        201 -> NOTIFY pbx    201 <- 405 {Allow: INVITE}
        201 -> NEWMETHOD pbx    201 <- 501 {Allow: INVITE}
    ",
    );
    check(
        "extensions",
        "
        phones: 201 202
        201 -> INVITE 202 bare {Require: 100rel, precondition}    201 <- 420 {Unsupported: precondition} {!Unsupported: 100rel}    201 -> ACK
        201 -> OPTIONS pbx {Proxy-Require: strange}    201 <- 420 {Unsupported: strange}
        202 <- nothing
    ",
    );
    check(
        "bodies",
        "
        phones: 201 202
        201 -> INVITE 202 bare {Content-Type: application/x-strange}    201 <- 415 {Accept: application/sdp}    201 -> ACK
        201 -> INVITE 202 bare {Content-Encoding: gzip}    201 <- 415    201 -> ACK
        201 -> INVITE 202 bare {Accept: text/plain}    201 <- 406 {Accept: application/sdp}    201 -> ACK
        202 <- nothing
    ",
    );
    check(
        "schemes",
        "
        phones: 201
        201 -> OPTIONS nobodyknows:thisone    201 <- 416
    ",
    );
    check(
        "what does not fit together",
        "
        phones: 201
        201 -> OPTIONS pbx {CSeq: 1 INVITE}    201 <- 400
        201 -> OPTIONS pbx {Max-Forwards: 300}    201 <- 400
        201 -> OPTIONS pbx {From: none}    201 <- 400
        201 -> OPTIONS pbx {Via: none}    201 <- nothing
    ",
    );
}

#[test]
fn hops_and_loops() {
    check(
        "no hop is left",
        "
        phones: 201 202
        201 -> INVITE 202 bare {Max-Forwards: 0}    201 <- 483    201 -> ACK
        202 <- nothing
    ",
    );
    check(
        "hops are counted down",
        "
        phones: 201 202
        201 -> INVITE 202 {Max-Forwards: 12}    202 <- INVITE {Max-Forwards: 11}
        202 -> 486    202 <- ACK    201 <- 486    201 -> ACK
        record: busy
    ",
    );
    check(
        "the same request by a second way (RFC 3261 8.2.2.2)",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE
        201 -> again INVITE    201 <- 100    201 <- 100
        201 -> other way    201 <- 482
        202 <- nothing
        202 -> 486    202 <- ACK    201 <- 486    201 -> ACK
        record: busy
    ",
    );
}

#[test]
fn an_invite_without_a_contact() {
    check(
        "cannot begin a dialog",
        "
        phones: 201 202
        201 -> INVITE 202 {Contact: none}    201 <- 400    201 -> ACK    202 <- nothing
    ",
    );
}
