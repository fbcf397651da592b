//! Calls of phones on TLS, and what `sips:` promises.

use crate::check::check;

#[test]
fn a_phone_on_tls_and_one_on_udp() {
    check(
        "each is told how to come back to us",
        "
        phones: 201 202s
        201 -> INVITE 202
        202s <- INVITE {Via: SIP/2.0/TLS 192.0.2.254:5061} {Contact: <sip:192.0.2.254:5061;transport=tls>}
        202s -> 200    202s <- ACK {Via: SIP/2.0/TLS}    201 <- 200 {Contact: <sip:192.0.2.254:5060>}    201 -> ACK
        media: 201 <-> 202s
        202s -> BYE    202s <- 200    201 <- BYE    201 -> 200 BYE
        record: answered
    ",
    );
}

#[test]
fn a_binding_ends_with_its_tls_connection() {
    check(
        "one on TCP that listens at its Contact is looked for there, one on TLS comes back by itself",
        "
        phones: 202s 202t
        bindings: 202 2
        closed 202s    bindings: 202 1
        closed 202t    bindings: 202 1
        202s -> REGISTER    202s <- 200
        bindings: 202 2
    ",
    );
    check(
        "after a start it is there until that connection is known to be gone",
        "
        phones: 201 202s
        restart
        bindings: 202 1
        gone 202s
        201 -> INVITE 202    201 <- 480    201 -> ACK
        bindings: 202 0
        record: unregistered
    ",
    );
}

#[test]
fn what_sips_promises_is_kept_or_refused() {
    check(
        "only the phone on TLS is rung, and every Contact of ours says the same",
        "
        phones: 201s 202 202s
        201s -> INVITE sips:202@pbx.test
        202s <- INVITE    202 <- nothing
        202s -> 200    202s <- ACK    201s <- 200 {Contact: <sips:192.0.2.254:5061>}    201s -> ACK
        201s -> BYE    201s <- 200    202s <- BYE    202s -> 200 BYE
        record: answered
    ",
    );
    check(
        "nobody has a phone on TLS",
        "
        phones: 201s 202 203t
        201s -> INVITE sips:202@pbx.test    201s <- 480    201s -> ACK
        record: unregistered
        201s -> INVITE sips:203@pbx.test    201s <- 480    201s -> ACK
        record: unregistered
    ",
    );
    check(
        "a promise that is broken before it reaches us",
        "
        phones: 201 201t 202s
        201 -> INVITE sips:202@pbx.test    201 <- 416    201 -> ACK
        201t -> INVITE sips:202@pbx.test    201t <- 416    201t -> ACK
        202s <- nothing
    ",
    );
    check(
        "a phone that registered a sips Contact hears one from us",
        "
        phones: 201 202s-
        202s -> REGISTER contact=<sips:202@192.0.2.2:5061>    202s <- 200
        201 -> INVITE 202    202s <- INVITE {Contact: <sips:192.0.2.254:5061>}
        202s -> 486    202s <- ACK    201 <- 486    201 -> ACK
        record: busy 202=busy
    ",
    );
}
