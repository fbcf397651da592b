//! Short texts, RFC 3428.

use crate::check::check;

#[test]
fn a_text_reaches_its_reader() {
    check(
        "from whom the house knows it to be, and the sender learns that it was taken",
        "
        phones: 201 202
        201 -> MESSAGE sip:202@pbx.test says=[Doors open at eight] {Subject: tonight} {P-Asserted-Identity: <sip:203@pbx.test>}    201 <- nothing
        202 <- MESSAGE uri=sip:202@192.0.2.2:5060 body=[Doors open at eight] {Content-Type: text/plain} {From: \"Phone 201\" <sip:201@pbx.test>} {P-Asserted-Identity: 201} {!P-Asserted-Identity: 203} {Subject: tonight} {Max-Forwards: 69} {!Contact}
        202 -> 200 MESSAGE    201 <- 200 MESSAGE
        201 -> MESSAGE sip:202@pbx.test says=[again]    202 <- MESSAGE    202 -> 202 MESSAGE    201 <- 202 MESSAGE
    ",
    );
    check(
        "every phone has it; one that takes it is enough",
        "
        phones: 201 202 202b
        201 -> MESSAGE sip:202@pbx.test says=[hello]    202b <- MESSAGE    202 <- MESSAGE
        202 -> 415 MESSAGE    201 <- nothing    202b -> 200 MESSAGE    201 <- 200
        201 -> MESSAGE sip:202@pbx.test says=[hello]    202b <- MESSAGE    202 <- MESSAGE
        202b -> 200 MESSAGE    201 <- 200    202 -> 200 MESSAGE    201 <- nothing
    ",
    );
    check(
        "a sender who hides",
        "
        phones: 201 202
        201 -> MESSAGE sip:202@pbx.test says=[guess] {Privacy: id}
        202 <- MESSAGE {From: anonymous.invalid} {!From: 201} {!P-Asserted-Identity} {Privacy: id}    202 -> 200 MESSAGE    201 <- 200
    ",
    );
    check(
        "within a call it goes to the other side of it",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        201 -> MESSAGE says=[listen]    202 <- MESSAGE body=[listen] {Content-Type: text/plain}    202 -> 200 MESSAGE    201 <- 200 MESSAGE
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE    record: answered
    ",
    );
}

#[test]
fn a_text_that_reaches_nobody() {
    check(
        "a number that nobody has, one that is switched off, one without a phone",
        "
        phones: 201
        201 -> MESSAGE sip:288@pbx.test says=[hello]    201 <- 404
        201 -> MESSAGE sip:209@pbx.test says=[hello]    201 <- 404
        201 -> MESSAGE sip:0199001234@pbx.test says=[hello]    201 <- 404
        201 -> MESSAGE sip:202@pbx.test says=[hello]    201 <- 480
    ",
    );
    check(
        "without the secret nothing is passed on, whoever it is for",
        "
        phones: 201 202
        201 -> MESSAGE sip:202@pbx.test says=[hello] bare    201 <- 401
        201 -> MESSAGE sip:288@pbx.test says=[hello] bare    201 <- 401    202 <- nothing
    ",
    );
    check(
        "one that is too long, has no type, or has gone too far",
        "
        phones: 201 202
        201 -> MESSAGE sip:202@pbx.test says=[8193 letters]    201 <- 413
        201 -> MESSAGE sip:202@pbx.test says=[8192 letters]    202 <- MESSAGE    202 -> 200 MESSAGE    201 <- 200
        201 -> MESSAGE sip:202@pbx.test says=[hello] {Content-Type: none}    201 <- 400
        201 -> MESSAGE sip:202@pbx.test says=[hello] {Max-Forwards: 0}    201 <- 483
        201 -> MESSAGE sips:202@pbx.test says=[hello]    201 <- 416
    ",
    );
    check(
        "a phone that does not take it, or says nothing",
        "
        phones: 201 202 203t
        201 -> MESSAGE sip:202@pbx.test says=[hello]    202 <- MESSAGE    202 -> 415 MESSAGE    201 <- 415
        201 -> MESSAGE sip:202@pbx.test says=[hello]    202 <- MESSAGE    202 -> 401 MESSAGE    201 <- 480
        201 -> MESSAGE sip:202@pbx.test says=[hello]    202 <- MESSAGE    wait 32s    202 <- MESSAGE x10    201 <- 480
        201 -> MESSAGE sip:203@pbx.test says=[hello]    203t <- MESSAGE    gone 203t    201 <- 480
    ",
    );
}

#[test]
fn a_text_too_large_for_a_datagram_gets_there_all_the_same() {
    let text = "long ".repeat(280);
    check(
        "a large text",
        &"
        phones: 201t 202
        201t -> MESSAGE sip:202@pbx.test says=[@TEXT]    202 <- MESSAGE body=[@TEXT] {Via: SIP/2.0/UDP}
        202 -> 200 MESSAGE    201t <- 200
    "
        .replace("@TEXT", text.trim()),
    );
}
