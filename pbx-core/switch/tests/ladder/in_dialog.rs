//! Requests within a call, and along its route.

use crate::check::check;

#[test]
fn info_is_passed_on() {
    check(
        "in either direction, with its body, and its answer comes back",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        201 -> INFO    201 <- nothing
        202 <- INFO {Content-Type: application/dtmf-relay}    202 -> 200 INFO    201 <- 200 INFO
        202 -> INFO    201 <- INFO {Content-Length: 24}    201 -> 415 INFO    202 <- 415 INFO
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
    check(
        "a key in the other of the two forms",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        201 -> INFO {Content-Type: application/dtmf}    202 <- INFO {Content-Type: application/dtmf}    202 -> 200 INFO    201 <- 200 INFO
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE    record: answered
    ",
    );
    check(
        "one that is never answered, and one that waits when the call ends",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        201 -> INFO    202 <- INFO
        wait 32s    202 <- INFO x10    201 <- 408 INFO
        201 -> INFO    202 <- INFO
        202 -> BYE    202 <- 200 BYE    201 <- 481 INFO    201 <- BYE    201 -> 200 BYE
        202 -> 200 INFO
        record: answered
    ",
    );
    check(
        "before anybody has answered: nobody to pass it to",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 180    201 <- 180
        201 -> INFO    201 <- 480 INFO
        202 -> 486    202 <- ACK    201 <- 486    201 -> ACK
        record: busy
    ",
    );
}

#[test]
fn options() {
    check(
        "outside a dialog, without a secret",
        "
        phones: 201
        201 -> OPTIONS pbx    201 <- 200 {Allow: INVITE} {Accept: application/sdp}
    ",
    );
    check(
        "within one, and of one that is unknown",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        202 -> OPTIONS    202 <- 200 {Allow: INVITE} {Accept: application/sdp}
        202 -> OPTIONS to_tag=strange    202 <- 481
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE
        201 -> OPTIONS    201 <- 481
        record: answered
    ",
    );
}

#[test]
fn requests_of_no_call() {
    check(
        "BYE and INFO of a dialog that is not there, or is over",
        "
        phones: 201 202
        201 -> BYE pbx    201 <- 481    201 -> INFO pbx    201 <- 481
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        202 -> BYE to_tag=strange    202 <- 481
        202 -> BYE cseq=4    202 <- 200    201 <- BYE    201 -> 200 BYE
        202 -> BYE    202 <- 481
        record: answered
    ",
    );
    check(
        "requests come in order",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        202 -> INFO cseq=300    201 <- INFO    201 -> 200 INFO    202 <- 200
        202 -> BYE cseq=300    202 <- 500
        202 -> BYE cseq=301    202 <- 200    201 <- BYE    201 -> 200 BYE
        record: answered
    ",
    );
}

#[test]
fn routes() {
    check(
        "what proxies recorded is gone back along, on both legs",
        "
        phones: 201 202
        201 -> INVITE 202 {Record-Route: <sip:a1.test;lr>, <sip:a2.test;lr>}
        202 <- INVITE {!Record-Route}
        202 -> 200 {Record-Route: <sip:b1.test;lr>, <sip:b2.test;lr>}
        202 <- ACK {Route: <sip:b2.test;lr>}
        201 <- 200 {Record-Route: <sip:a1.test;lr>, <sip:a2.test;lr>}    201 -> ACK
        202 -> INFO    201 <- INFO {Route: <sip:a1.test;lr>}    201 -> 200 INFO    202 <- 200
        201 -> INFO    202 <- INFO {Route: <sip:b1.test;lr>}    202 -> 200 INFO    201 <- 200
        202 -> BYE    202 <- 200    201 <- BYE {Route: <sip:a2.test;lr>}    201 -> 200 BYE
        record: answered
    ",
    );
    check(
        "a strict router stands in the Request-URI",
        "
        phones: 201 202
        201 -> INVITE 202 {Record-Route: <sip:old.test>}
        202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        202 -> BYE    202 <- 200    201 <- BYE uri=sip:old.test {Route: <sip:201@192.0.2.1:5060>}    201 -> 200 BYE
        record: answered
    ",
    );
    check(
        "a phone that forgets its Contact in the 200 is reached all the same",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE
        202 -> 200 nocontact    202 <- ACK uri=sip:202@192.0.2.2:5060    201 <- 200    201 -> ACK
        201 -> BYE    201 <- 200    202 <- BYE uri=sip:202@192.0.2.2:5060    202 -> 200 BYE
        record: answered
    ",
    );
}
