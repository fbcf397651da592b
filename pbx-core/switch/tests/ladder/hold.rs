//! re-INVITE: hold, resume, and everything that can cross.

use crate::check::check;

/// Two people talk; then what is given; then the caller hangs up. And all of it once more with another process from there on, which has
/// read what the first one wrote.
fn talking(name: &str, ladder: &str) {
    for reborn in ["", "reborn"] {
        check(
            &format!("{name} {reborn}"),
            &format!(
                "
            phones: 201 202
            201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
            {reborn}    media: 201 <-> 202
            {ladder}
            201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE
            record: answered
        "
            ),
        );
    }
}

#[test]
fn hold_and_resume() {
    for (one, other) in [("201", "202"), ("202", "201")] {
        talking(
            &format!("{one} holds with sendonly"),
            &format!(
                "
            {one} -> INVITE dir=sendonly    {one} <- 200 dir=recvonly    {one} -> ACK
            media: {one} -> {other}    {other} <- nothing
            {one} -> INVITE dir=sendrecv    {one} <- 200 dir=sendrecv    {one} -> ACK
            media: 201 <-> 202
        "
            ),
        );
        talking(
            &format!("{one} holds with inactive"),
            &format!(
                "
            {one} -> INVITE dir=inactive    {one} <- 200 dir=inactive    {one} -> ACK    media: none
            {one} -> INVITE    {one} <- 200 dir=sendrecv    {one} -> ACK    media: 201 <-> 202
        "
            ),
        );
        talking(
            &format!("{one} holds as RFC 2543 did"),
            &format!(
                "
            {one} -> INVITE zero    {one} <- 200 dir=recvonly    {one} -> ACK
            {one} -> INVITE    {one} <- 200 dir=sendrecv    {one} -> ACK    media: 201 <-> 202
        "
            ),
        );
    }
    talking(
        "both hold, one after the other",
        "
        201 -> INVITE dir=sendonly    201 <- 200    201 -> ACK
        202 -> INVITE dir=sendonly    202 <- 200    202 -> ACK    media: none
        201 -> INVITE    201 <- 200    201 -> ACK    media: 202 -> 201
        202 -> INVITE    202 <- 200    202 -> ACK    media: 201 <-> 202
    ",
    );
}

#[test]
fn one_offer_at_a_time() {
    talking(
        "a second re-INVITE before the first is acknowledged: 491",
        "
        201 -> INVITE dir=sendonly    201 <- 200
        201 -> INVITE dir=sendrecv    201 <- 491    201 -> ACK
        wait 500ms    201 <- 200 {CSeq: 2 INVITE}    201 -> ACK cseq=2
        wait 10s    201 <- nothing    media: 201 -> 202
    ",
    );
    talking(
        "an offer of ours is open: 491, and it is answered all the same",
        "
        202 -> INVITE nosdp    202 <- 200 sdp
        202 -> INVITE dir=sendonly    202 <- 491    202 -> ACK
        wait 500ms    202 <- 200 {CSeq: 101 INVITE}    202 -> ACK cseq=101 codecs=8,101
        media: 201 <-> 202
    ",
    );
    check(
        "before the call is answered: 500, and a time to come back (RFC 3261 14.2)",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 180    201 <- 180
        201 -> INVITE dir=sendonly    201 <- 500 {Retry-After}    201 -> ACK
        hang up    201 <- 480 INVITE
        202 <- CANCEL    202 -> 200 CANCEL    202 -> 487    202 <- ACK
        record: hung_up
        wait 500ms    201 <- 480    201 -> ACK cseq=1
        wait 40s    201 <- 480 x9
    ",
    );
}

#[test]
fn a_reinvite_without_a_description() {
    talking(
        "asks what we can do, and answers it in its ACK",
        "
        202 -> INVITE nosdp    202 <- 200 codecs=8,0,101 dir=sendrecv    202 -> ACK codecs=8,101
        media: 201 <-> 202
        201 -> INVITE nosdp    201 <- 200 codecs=8,0,101    201 -> ACK codecs=8,0,101 dir=sendonly
        media: 201 -> 202
        201 -> INVITE    201 <- 200    201 -> ACK    media: 201 <-> 202
    ",
    );
    check(
        "whose ACK has no answer: the call ends",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        202 -> INVITE nosdp    202 <- 200 sdp    202 -> ACK
        202 <- BYE    202 -> 200 BYE    201 <- BYE    201 -> 200 BYE
        record: lost
    ",
    );
}

#[test]
fn a_reinvite_that_cannot_be_agreed_to() {
    talking(
        "no codec in common: 488, and the call stays as it was",
        "
        202 -> INVITE codecs=18    202 <- 488    202 -> ACK    media: 201 <-> 202
        202 -> INVITE badsdp    202 <- 400    202 -> ACK    media: 201 <-> 202
        202 -> INVITE dir=sendonly    202 <- 200    202 -> ACK    media: 202 -> 201
        202 -> INVITE codecs=8    202 <- 200 codecs=8    202 -> ACK    media: 201 <-> 202
    ",
    );
    talking(
        "one that comes out of order: 500, and the call stays",
        "
        201 -> INVITE cseq=1 dir=sendonly    201 <- 500    201 -> ACK    media: 201 <-> 202
    ",
    );
}

#[test]
fn a_phone_moves() {
    talking(
        "requests go to the Contact of its re-INVITE",
        "
        202 -> INVITE {Contact: <sip:202@192.0.2.2:7000>}    202 <- 200    202 -> ACK
        201 -> INFO    202 <- INFO uri=sip:202@192.0.2.2:7000    202 -> 200 INFO    201 <- 200 INFO
    ",
    );
}

#[test]
fn a_reinvite_that_is_never_acknowledged_ends_the_call() {
    check(
        "after 64*T1",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        202 -> INVITE dir=sendonly    202 <- 200
        wait 31s    202 <- 200 INVITE x9
        wait 1s    202 <- 200    202 <- BYE    202 -> 200 BYE    201 <- BYE    201 -> 200 BYE
        record: lost
    ",
    );
}
