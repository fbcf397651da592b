//! UPDATE, RFC 3311, and offers that cross.

use crate::check::check;

#[test]
fn before_the_answer() {
    check(
        "the caller changes its offer once the first was answered reliably; not before",
        "
        phones: 201 202
        201 -> INVITE 202 {Supported: 100rel}    202 <- INVITE
        201 -> UPDATE dir=sendonly    201 <- 481 UPDATE
        202 -> 183 sdp    201 <- 183 sdp
        201 -> UPDATE dir=sendonly    201 <- 500 UPDATE {Retry-After}
        201 -> PRACK    201 <- 200 PRACK
        201 -> UPDATE dir=sendonly    201 <- 200 UPDATE dir=recvonly {Contact: sip:}    media: 201 -> 202
        201 -> UPDATE    201 <- 200 UPDATE nosdp
        202 -> 200    202 <- ACK    201 <- 200 INVITE dir=recvonly    201 -> ACK
        201 -> UPDATE dir=sendrecv    201 <- 200 UPDATE dir=sendrecv    media: 201 <-> 202
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
    check(
        "a PRACK may carry an offer too",
        "
        phones: 201 202
        201 -> INVITE 202 {Supported: 100rel}    202 <- INVITE    202 -> 183 sdp    201 <- 183 sdp
        201 -> PRACK codecs=0,101    201 <- 200 PRACK codecs=0,101    numbers: 201 0=PCMU 101=TELEPHONE-EVENT
        202 -> 200    202 <- ACK    201 <- 200 INVITE    201 -> ACK
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
    check(
        "the called phone changes what it answered",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE
        202 -> 180 {Require: 100rel} {RSeq: 1}    202 <- PRACK    202 -> 200 PRACK    201 <- 180
        202 -> UPDATE codecs=8,101    202 <- 491 UPDATE
        202 -> 183 codecs=8,0,101 sdp {Require: 100rel} {RSeq: 2}    202 <- PRACK    202 -> 200 PRACK    201 <- 183
        202 -> UPDATE codecs=0,101    202 <- 200 UPDATE codecs=0,101    numbers: 202 0=PCMU 101=TELEPHONE-EVENT
        202 -> 200 codecs=8    202 <- ACK    201 <- 200    201 -> ACK    numbers: 202 0=PCMU 101=TELEPHONE-EVENT
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
}

#[test]
fn while_they_talk() {
    for reborn in ["", "reborn"] {
        for (one, other) in [("201", "202"), ("202", "201")] {
            check(
                &format!("{one} holds and resumes by UPDATE {reborn}"),
                &format!(
                    "
                phones: 201 202
                201 -> INVITE 202    202 <- INVITE {{Allow: UPDATE}}    202 -> 200    202 <- ACK    201 <- 200 {{Allow: UPDATE}}    201 -> ACK
                {one} -> UPDATE dir=sendonly    {one} <- 200 UPDATE dir=recvonly    media: {one} -> {other}
                {reborn}    {one} -> UPDATE dir=inactive    {one} <- 200 UPDATE dir=inactive    media: none
                {one} -> UPDATE zero    {one} <- 200 UPDATE dir=recvonly
                {one} -> UPDATE sdp    {one} <- 200 UPDATE dir=sendrecv    media: 201 <-> 202    {other} <- nothing
                201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE
                record: answered
            "
                ),
            );
        }
    }
    check(
        "what cannot be agreed to leaves all as it was",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        201 -> UPDATE codecs=18    201 <- 488 UPDATE    201 -> UPDATE badsdp    201 <- 400 UPDATE
        201 -> UPDATE cseq=1 dir=inactive    201 <- 500    media: 201 <-> 202
        201 -> UPDATE to_tag=strange    201 <- 481
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
    check(
        "an offer of ours is open: 491",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        202 -> INVITE nosdp    202 <- 200 sdp    202 -> UPDATE dir=sendonly    202 <- 491 UPDATE
        202 -> ACK cseq=101 codecs=8,101    media: 201 <-> 202
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
    check(
        "the phone moves by UPDATE",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        202 -> UPDATE {Contact: <sip:202@192.0.2.2:7000>}    202 <- 200 UPDATE
        201 -> BYE    201 <- 200 BYE    202 <- BYE uri=sip:202@192.0.2.2:7000    202 -> 200 BYE
        record: answered
    ",
    );
}

#[test]
fn a_stream_that_is_refused() {
    check(
        "a re-INVITE whose sound is on port 0 leaves all as it was",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        201 -> INVITE shut    201 <- 488    201 -> ACK    media: 201 <-> 202
        201 -> UPDATE shut    201 <- 488 UPDATE    media: 201 <-> 202
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
    check(
        "an answer whose sound is on port 0 is none",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200 shut    202 <- ACK    202 <- BYE    202 -> 200 BYE
        201 <- 488    201 -> ACK
        record: no_common_codec
    ",
    );
}
