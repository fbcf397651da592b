//! Session timers, RFC 4028, of each leg by itself.

use crate::check::check;

const TALK: &str = "202 -> 200    202 <- ACK    201 <- 200 {!Session-Expires}    201 -> ACK";
const END: &str = "201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE    record: answered";

#[test]
fn the_caller_refreshes() {
    check(
        "as it asked; and when it stops, the call ends a third before the time is over, with the reason",
        "
        phones: 201 202
        201 -> INVITE 202 {Supported: timer} {Session-Expires: 90}
        202 <- INVITE {Session-Expires: 1800} {Supported: timer} {!Min-SE}    202 -> 200    202 <- ACK
        201 <- 200 {Session-Expires: 90;refresher=uac} {Require: timer}    201 -> ACK
        wait 50s    201 -> UPDATE {Supported: timer} {Session-Expires: 90;refresher=uac}
        201 <- 200 UPDATE {Session-Expires: 90;refresher=uac} {Require: timer}
        wait 50s    201 -> INVITE {Supported: timer} {Session-Expires: 90;refresher=uac}
        201 <- 200 INVITE {Session-Expires: 90;refresher=uac}    201 -> ACK
        wait 59s    201 <- nothing
        wait 1s    201 <- BYE {Reason: SIP;cause=408}    201 -> 200 BYE    202 <- BYE {Reason: SIP;cause=408}    202 -> 200 BYE
        record: lost
    ",
    );
    check(
        "too short an interval is refused with the shortest that is taken, in each request that may ask",
        &format!(
            "
        phones: 201 202
        201 -> INVITE 202 {{Supported: timer}} {{Session-Expires: 89}}    201 <- 422 {{Min-SE: 90}}    201 -> ACK
        201 -> INVITE 202    202 <- INVITE    {TALK}
        201 -> INVITE {{Supported: timer}} {{Session-Expires: 60}}    201 <- 422 {{Min-SE: 90}}    201 -> ACK
        201 -> UPDATE {{Supported: timer}} {{Session-Expires: 60}}    201 <- 422 {{Min-SE: 90}}
        {END}
    "
        ),
    );
}

#[test]
fn we_refresh_for_the_caller() {
    check(
        "by UPDATE, if it takes one",
        "
        phones: 201 202
        201 -> INVITE 202 {Supported: timer} {Session-Expires: 120;refresher=uas} {Allow: INVITE, UPDATE}    202 <- INVITE
        202 -> 200    202 <- ACK    201 <- 200 {Session-Expires: 120;refresher=uas} {!Require}    201 -> ACK
        wait 59s    201 <- nothing
        wait 1s    201 <- UPDATE nosdp {Session-Expires: 120;refresher=uac} {P-Asserted-Identity: 202}
        201 -> 200 UPDATE {Session-Expires: 120;refresher=uac}
        wait 60s    201 <- UPDATE    201 -> 200 UPDATE {Session-Expires: 120;refresher=uas}
        wait 88s    201 <- BYE    201 -> 200 BYE    202 <- BYE    202 -> 200 BYE
        record: lost
    ",
    );
    check(
        "by re-INVITE with the same description otherwise, also in another process; and one that is not there any more ends the call",
        "
        phones: 201 202
        201 -> INVITE 202 codecs=8,0,101 {Supported: timer} {Session-Expires: 120;refresher=uas}    202 <- INVITE
        202 -> 200 codecs=8,101    202 <- ACK    201 <- 200 codecs=8,101    201 -> ACK
        reborn
        wait 59s    201 <- INVITE codecs=8,101 dir=sendrecv {Session-Expires: 120;refresher=uac}
        201 -> 200 codecs=8,101 {Session-Expires: 120;refresher=uac}    201 <- ACK    media: 201 <-> 202
        wait 60s    201 <- INVITE    201 -> 481    201 <- ACK    201 <- BYE    201 -> 481 BYE    202 <- BYE    202 -> 200 BYE
        record: lost
    ",
    );
    check(
        "one that knows no UPDATE after all is asked otherwise",
        &format!(
            "
        phones: 201 202
        201 -> INVITE 202 {{Supported: timer}} {{Session-Expires: 120;refresher=uas}} {{Allow: UPDATE}}    202 <- INVITE
        202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        wait 60s    201 <- UPDATE    201 -> 405 UPDATE
        201 <- INVITE sdp    201 -> 200 {{Session-Expires: 120;refresher=uac}}    201 <- ACK
        {END}
    "
        ),
    );
}

#[test]
fn the_called_phone_has_a_timer() {
    check(
        "and refreshes it itself",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE
        202 -> 200 {Session-Expires: 300;refresher=uas} {Require: timer}    202 <- ACK    201 <- 200 {!Session-Expires}    201 -> ACK
        wait 150s    202 -> UPDATE {Supported: timer} {Session-Expires: 300;refresher=uac}    202 <- 200 UPDATE {Session-Expires: 300}
        wait 268s    202 <- BYE    202 -> 200 BYE    201 <- BYE    201 -> 200 BYE
        record: lost
    ",
    );
    check(
        "and finds ours too short: asked again in the same call, with what it bears (RFC 4028 7.3)",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE {Session-Expires: 1800} {CSeq: 1 INVITE}
        202 -> 422 {Min-SE: 3600}    202 <- ACK
        202 <- INVITE sdp {Session-Expires: 3600} {Min-SE: 3600} {CSeq: 2 INVITE} {P-Asserted-Identity: 201} {From: Phone 201}
        202 -> 180    201 <- 180    202 -> 200    202 <- ACK {CSeq: 2 ACK}    201 <- 200    201 -> ACK    media: 201 <-> 202
        201 -> BYE    201 <- 200 BYE    202 <- BYE {CSeq: 3 BYE}    202 -> 200 BYE
        record: answered
    ",
    );
    check(
        "one that refuses again without a reason is not asked for ever",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 422 {Min-SE: 3600}    202 <- ACK
        202 <- INVITE    202 -> 422 {Min-SE: 7200}    202 <- ACK    201 <- 480    201 -> ACK
        record: unreachable
    ",
    );
}

#[test]
fn both_ask_at_once() {
    check(
        "491 on either side, and ours comes again after a while (RFC 3261 14.1)",
        "
        phones: 201t 202
        201t -> INVITE 202 {Supported: timer} {Session-Expires: 120;refresher=uas}    202 <- INVITE
        202 -> 200    202 <- ACK    201t <- 200    201t -> ACK
        wait 60s    201t <- INVITE
        201t -> INVITE dir=sendonly    201t <- 491    201t -> ACK
        201t -> 491    201t <- ACK
        201t -> INVITE dir=sendonly    201t <- 200    201t -> ACK    media: 201t -> 202
        wait 2s    201t <- INVITE dir=recvonly    201t -> 200 dir=sendonly {Session-Expires: 120;refresher=uac}    201t <- ACK    media: 201t -> 202
        201t -> BYE    201t <- 200 BYE    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
    check(
        "when ours may come again, theirs is not acknowledged yet: it waits for that",
        "
        phones: 201t 202
        201t -> INVITE 202 {Supported: timer} {Session-Expires: 120;refresher=uas}    202 <- INVITE
        202 -> 200    202 <- ACK    201t <- 200    201t -> ACK
        wait 60s    201t <- INVITE    201t -> 491    201t <- ACK
        201t -> INVITE dir=sendonly    201t <- 200    wait 3s    201t <- 200 x2
        201t -> ACK    201t <- INVITE dir=recvonly    201t -> 200 dir=sendonly {Session-Expires: 120;refresher=uac}    201t <- ACK
        201t -> BYE    201t <- 200 BYE    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
    check(
        "one that never lets us is not asked for ever",
        "
        phones: 201t 202
        201t -> INVITE 202 {Supported: timer} {Session-Expires: 120;refresher=uas}    202 <- INVITE
        202 -> 200    202 <- ACK    201t <- 200    201t -> ACK
        wait 60s    201t <- INVITE    201t -> 491    201t <- ACK    wait 2s    201t <- INVITE    201t -> 491    201t <- ACK
        wait 2s    201t <- INVITE    201t -> 491    201t <- ACK    wait 2s    201t <- INVITE    201t -> 491    201t <- ACK
        wait 2s    201t <- INVITE    201t -> 491    201t <- ACK    wait 2s    201t <- INVITE    201t -> 491    201t <- ACK
        wait 2s    201t <- INVITE    201t -> 491    201t <- ACK    wait 2s    201t <- INVITE    201t -> 491    201t <- ACK
        wait 2s    201t <- INVITE    201t -> 491    201t <- ACK    wait 2s    201t <- INVITE    201t -> 491    201t <- ACK
        wait 2s    201t <- INVITE    201t -> 491    201t <- ACK    wait 7s    201t <- nothing
        wait 1s    201t <- BYE {Reason: cause=408}    201t -> 200 BYE    202 <- BYE    202 -> 200 BYE
        record: lost
    ",
    );
}

#[test]
fn an_interval_that_nobody_could_keep() {
    check(
        "in a request of who knows no timer, or in an answer",
        "
        phones: 201 202
        201 -> INVITE 202 {Session-Expires: 1}    202 <- INVITE
        202 -> 200 {Session-Expires: 1;refresher=uac} {Require: timer}    202 <- ACK    201 <- 200 {!Session-Expires}    201 -> ACK
        wait 44s    202 <- nothing    wait 1s    202 <- INVITE {Session-Expires: 90;refresher=uac}
        202 -> 200    202 <- ACK    wait 200s    201 <- nothing    202 <- nothing
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
}
