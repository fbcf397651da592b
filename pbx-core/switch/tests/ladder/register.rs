//! Phones come, refresh and go.

use crate::check::check;

#[test]
fn a_phone_registers() {
    check(
        "a challenge of both algorithms in headers of their own, then 200",
        "
        phones: 201-
        201 -> REGISTER bare    201 <- 401 {WWW-Authenticate: algorithm=MD5} {WWW-Authenticate: algorithm=SHA-256}
        201 -> REGISTER    201 <- 200 {Contact: expires=3600}
        bindings: 201 1
        201 -> REGISTER expires=60    201 <- 200 {Contact: expires=60}
        wait 59s    bindings: 201 1
        wait 1s    bindings: 201 0
    ",
    );
    check(
        "one that gives up at an algorithm it does not know is offered MD5 alone",
        "
        phones: 201-
        201 -> REGISTER bare {User-Agent: OldPhone 1.0}    201 <- 401 {WWW-Authenticate: MD5} {!WWW-Authenticate: SHA-256}
    ",
    );
    check(
        "asking what is registered changes nothing",
        "
        phones: 201
        201 -> REGISTER contact=none    201 <- 200 {Contact: 192.0.2.1}
        bindings: 201 1
    ",
    );
}

#[test]
fn several_phones_of_one_extension() {
    check(
        "each in a REGISTER of its own, one of them with two contacts, and all are gone with *",
        "
        phones: 201 201b 201t
        bindings: 201 3
        201 -> REGISTER contact=[<sip:201@192.0.2.1:5060>, <sip:201@192.0.2.77>;q=0.2]
        201 <- 200 {Contact: 192.0.2.77}
        bindings: 201 4
        201b -> REGISTER contact=* expires=60    201b <- 400
        201b -> REGISTER contact=[*, <sip:201@192.0.2.1>] expires=0    201b <- 400
        bindings: 201 4
        201b -> REGISTER contact=* expires=0    201b <- 200 {!Contact}
        bindings: 201 0
    ",
    );
    check(
        "one of two goes",
        "
        phones: 201 201b
        201 -> REGISTER contact=[own;expires=0]    201 <- 200 {Contact: 192.0.2.2}
        bindings: 201 1
    ",
    );
    check(
        "the one that is preferred is rung too, and first",
        "
        phones: 201 202- 202b-
        202 -> REGISTER contact=[own;q=0.3]    202 <- 200
        202b -> REGISTER contact=[own;q=0.9]    202b <- 200
        201 -> INVITE 202    202b <- INVITE    202 <- INVITE
        202 -> 486    202 <- ACK    202b -> 486    202b <- ACK
        201 <- 486    201 -> ACK
        record: busy 202=busy 202=busy
    ",
    );
}

#[test]
fn the_same_phone_with_another_address() {
    check(
        "by its instance",
        "
        phones: 201-
        201 -> REGISTER contact=[own;+sip.instance=\"<urn:uuid:1>\"]    201 <- 200 {Contact: +sip.instance=\"<urn:uuid:1>\"}
        201 -> REGISTER contact=[<sip:201@192.0.2.1:6000>;+sip.instance=\"<urn:uuid:1>\"]
        201 <- 200 {Contact: 6000}
        bindings: 201 1
    ",
    );
}

#[test]
fn times_that_are_too_short_and_requests_that_come_late() {
    check(
        "423 says what would do",
        "
        phones: 201-
        201 -> REGISTER expires=5    201 <- 423 {Min-Expires: 30}
        bindings: 201 0
    ",
    );
    check(
        "an older request of the same Call-ID is refused, one of another is not",
        "
        phones: 201
        201 -> REGISTER cseq=1    201 <- 500
        201 -> REGISTER cseq=1 call_id=after-a-restart    201 <- 200
    ",
    );
    check("an eleventh contact", "
        phones: 201-
        201 -> REGISTER contact=[<sip:1@h>,<sip:2@h>,<sip:3@h>,<sip:4@h>,<sip:5@h>,<sip:6@h>,<sip:7@h>,<sip:8@h>,<sip:9@h>,<sip:10@h>,<sip:11@h>]
        201 <- 403
        bindings: 201 0
    ");
}

#[test]
fn a_new_phone_is_told_once_it_is_on_disk() {
    check(
        "and a mere refresh at once",
        "
        phones: 201-
        store waits
        201 -> REGISTER    201 <- nothing
        201 -> again    201 <- nothing
        saved    201 <- 200
        store waits
        201 -> REGISTER    201 <- 200
        saved    bindings: 201 1
    ",
    );
    check(
        "a disk that fails is told, and the next REGISTER is no mere refresh",
        "
        phones: 201-
        store fails
        201 -> REGISTER    201 <- 503 {Retry-After}
        store waits
        201 -> REGISTER    201 <- nothing
        saved    201 <- 200
        bindings: 201 1
    ",
    );
    check(
        "nor is a phone forgotten before the disk has forgotten it",
        "
        phones: 201
        store fails
        201 -> REGISTER contact=* expires=0    201 <- 503
        store waits
        201 -> REGISTER contact=* expires=0    201 <- nothing
        saved    201 <- 200
        bindings: 201 0
    ",
    );
}

#[test]
fn whoever_does_not_know_the_secret_is_answered_alike() {
    let answer = "401 {WWW-Authenticate: qop=\"auth\"} {!WWW-Authenticate: stale} {Server: pbx} {!Retry-After} {!Allow}";
    for (who, phone, how) in [
        ("a wrong secret", "201", "wrong"),
        ("an extension that does not exist", "201", "user=288"),
        ("one that is switched off, with its secret", "209", ""),
        ("one that is switched off, with another", "209", "wrong"),
    ] {
        check(
            who,
            &format!(
                "
            phones: {phone}-
            {phone} -> REGISTER bare    {phone} <- {answer}
            {phone} -> REGISTER {how}    {phone} <- {answer}
            bindings: {phone} 0
        "
            ),
        );
    }
    check(
        "with the secret of one and the address of another",
        "
        phones: 201-
        201 -> REGISTER aor=202    201 <- 403
        bindings: 202 0
    ",
    );
    check(
        "an INVITE with a wrong secret",
        "
        phones: 201 202
        201 -> INVITE 202 wrong    201 <- 401    201 -> ACK    202 <- nothing
    ",
    );
}

#[test]
fn nonces_are_used_once_a_count_and_grow_old() {
    check(
        "the same credentials in another request are a replay",
        "
        phones: 201-
        201 -> REGISTER    201 <- 200
        201 -> replay    201 <- 401 {WWW-Authenticate: stale=true}
    ",
    );
    check(
        "an old nonce is stale, and nobody is asked for the secret again",
        "
        phones: 201
        wait 301s
        201 -> REGISTER    201 <- 200
    ",
    );
}

#[test]
fn the_house_starts_again() {
    check(
        "and knows the phones that were acknowledged",
        "
        phones: 201 202t
        restart
        bindings: 201 1    bindings: 202 1
        201 -> INVITE 202    202t <- INVITE    202t -> 486    202t <- ACK    201 <- 486    201 -> ACK
        record: busy
    ",
    );
    check(
        "a connection of before is not taken for one of now",
        "
        phones: 203t 202t 201
        restart
        connected 203t    connected 203t
        201 -> INVITE 202    203t <- nothing    202t <- INVITE    202t -> 486    202t <- ACK    201 <- 486    201 -> ACK
        record: busy
    ",
    );
}

#[test]
fn a_phone_behind_a_router_is_kept_reachable() {
    check(
        "a word now and then over UDP, as long as it is registered; to nobody else",
        "
        phones: 201- 202 203t
        201 -> REGISTER contact=<sip:201@10.0.0.9:5060>    201 <- 200
        wait 51s    kept: 201 2    kept: 202 0    kept: 203t 0
        201 -> REGISTER contact=<sip:201@10.0.0.9:5060> expires=0    201 <- 200
        wait 100s    kept: 201 2
        202 -> INVITE 201    202 <- 480    202 -> ACK    record: unregistered
    ",
    );
}
