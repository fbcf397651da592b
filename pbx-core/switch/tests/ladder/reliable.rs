//! Provisional responses that must arrive, RFC 3262: the caller's and the called phone's are two affairs.

use crate::check::check;

#[test]
fn a_phone_rings_reliably() {
    check(
        "its ringing is acknowledged, and the caller who knows nothing of it is told as ever",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE {Supported: 100rel}
        202 -> 180 {Require: 100rel} {RSeq: 7}
        202 <- PRACK {RAck: 7 1 INVITE} {To: tag=u202} {CSeq: 2 PRACK}    201 <- 180 nosdp {!RSeq} {!Require}
        202 -> 200 PRACK
        202 -> again 180    202 <- nothing
        202 -> 200    202 <- ACK {CSeq: 1 ACK}    201 <- 200 sdp    201 -> ACK    media: 201 <-> 202
        201 -> BYE    201 <- 200 BYE    202 <- BYE {CSeq: 3 BYE}    202 -> 200 BYE
        record: answered
    ",
    );
    check(
        "in order: one that comes too early waits to come again, and the answer in the first is the answer",
        "
        phones: 201 202
        201 -> INVITE 202 codecs=8,0,101    202 <- INVITE
        202 -> 183 codecs=8,101 sdp {Require: 100rel} {RSeq: 1}    202 <- PRACK {RAck: 1 1 INVITE}    202 -> 200 PRACK
        201 <- 183 codecs=8,101
        202 -> 180 {Require: 100rel} {RSeq: 3}    202 <- nothing
        202 -> 180 {Require: 100rel} {RSeq: 2}    202 <- PRACK {RAck: 2 1 INVITE}    202 -> 200 PRACK
        202 -> 180 {Require: 100rel} {RSeq: 3}    202 <- PRACK {RAck: 3 1 INVITE}    202 -> 200 PRACK
        202 -> 200 codecs=0    202 <- ACK    201 <- 200 codecs=8,101    201 -> ACK
        numbers: 202 8=PCMA 101=TELEPHONE-EVENT    media: 201 <-> 202
        201 -> BYE    201 <- 200 BYE    202 <- BYE {CSeq: 5 BYE}    202 -> 200 BYE
        record: answered
    ",
    );
    check(
        "and refuses",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE
        202 -> 180 {Require: 100rel} {RSeq: 1}    202 <- PRACK    202 -> 200 PRACK    201 <- 180
        202 -> BYE    202 <- 481
        202 -> 486    202 <- ACK    201 <- 486    201 -> ACK
        record: busy
    ",
    );
    check(
        "and several phones behind one contact, each with a dialog and a count of its own",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE
        202 -> 180 tag=one {Require: 100rel} {RSeq: 5}    202 <- PRACK {RAck: 5 1 INVITE} {To: tag=one}    202 -> 200 PRACK    201 <- 180
        202 -> 180 tag=two {Require: 100rel} {RSeq: 90}    202 <- PRACK {RAck: 90 1 INVITE} {To: tag=two}    202 -> 200 PRACK
        202 -> 200 tag=two    202 <- ACK {To: tag=two}    201 <- 200    201 -> ACK
        201 -> BYE    201 <- 200 BYE    202 <- BYE {To: tag=two} {CSeq: 3 BYE}    202 -> 200 BYE
        record: answered
    ",
    );
}

#[test]
fn a_caller_who_supports_it() {
    check(
        "hears early media reliably, and plain ringing plainly",
        "
        phones: 201 202
        201 -> INVITE 202 {Supported: 100rel}    202 <- INVITE
        202 -> 180    201 <- 180 nosdp {!RSeq}
        202 -> 183 sdp    201 <- 183 sdp {Require: 100rel} {RSeq} {Allow: UPDATE}    media: 201 <-> 202
        wait 500ms    201 <- 183 sdp    wait 1s    201 <- 183 sdp
        201 -> PRACK    201 <- 200 PRACK    wait 30s    201 <- nothing
        202 -> 200    202 <- ACK    201 <- 200 sdp    201 -> ACK    media: 201 <-> 202
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
    check(
        "is answered when it has acknowledged, not before (RFC 3262 3)",
        "
        phones: 201 202
        201 -> INVITE 202 {Supported: 100rel}    202 <- INVITE
        202 -> 183 sdp    201 <- 183 sdp
        202 -> 200    202 <- ACK    201 <- nothing    media: 201 <-> 202
        201 -> PRACK {RAck: 1 1 INVITE}    201 <- 481 PRACK
        201 -> PRACK    201 <- 200 PRACK    201 <- 200 INVITE sdp    201 -> ACK
        201 -> PRACK    201 <- 481 PRACK
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
    check(
        "and never acknowledges: turned away, and who had answered is told",
        "
        phones: 201 202
        201 -> INVITE 202 {Supported: 100rel}    202 <- INVITE
        202 -> 183 sdp    201 <- 183 sdp    202 -> 200    202 <- ACK
        wait 32s    201 <- 183 x6    201 <- 504 INVITE    201 -> ACK    202 <- BYE    202 -> 200 BYE
        record: lost
    ",
    );
    check(
        "and gives up in between",
        "
        phones: 201 202
        201 -> INVITE 202 {Supported: 100rel}    202 <- INVITE
        202 -> 183 sdp    201 <- 183 sdp    202 -> 200    202 <- ACK
        201 -> CANCEL    201 <- 200 CANCEL    201 <- 487 INVITE    201 -> ACK    202 <- BYE    202 -> 200 BYE
        record: abandoned
    ",
    );
    check(
        "another process says it again, and a PRACK on its way is not lost",
        "
        phones: 201 202
        201 -> INVITE 202 {Supported: 100rel}    202 <- INVITE
        202 -> 183 sdp    201 <- 183 sdp {RSeq}
        reborn    201 <- 183 sdp {RSeq}    media: 201 <-> 202
        201 -> PRACK    201 <- 200 PRACK
        202 -> 200    202 <- ACK    201 <- 200 sdp    201 -> ACK
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
}

#[test]
fn a_caller_who_insists_on_it() {
    check(
        "is told all reliably, one thing at a time",
        "
        phones: 201 202
        201 -> INVITE 202 {Require: 100rel}    202 <- INVITE
        202 -> 180    201 <- 180 nosdp {Require: 100rel} {RSeq}
        202 -> 183 sdp    201 <- nothing
        201 -> PRACK    201 <- 200 PRACK    201 <- 183 sdp {RSeq}
        202 -> 200    202 <- ACK    201 <- nothing
        201 -> PRACK    201 <- 200 PRACK    201 <- 200 INVITE    201 -> ACK    media: 201 <-> 202
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
    check(
        "and offers nothing: our offer goes with the ringing, the answer with its PRACK (RFC 3262 5)",
        "
        phones: 201 202
        201 -> INVITE 202 nosdp {Require: 100rel}    202 <- INVITE sdp
        202 -> 180    201 <- 180 codecs=8,0,9,101 {RSeq}
        201 -> PRACK codecs=8,101    201 <- 200 PRACK nosdp
        202 -> 200 codecs=8,101    202 <- ACK    201 <- 200 INVITE nosdp    201 -> ACK    media: 201 <-> 202
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
    check(
        "and whose PRACK answers nothing",
        "
        phones: 201 202
        201 -> INVITE 202 nosdp {Require: 100rel}    202 <- INVITE
        202 -> 180    201 <- 180 sdp
        201 -> PRACK    201 <- 488 PRACK    201 <- 488 INVITE    201 -> ACK
        202 <- CANCEL    202 -> 200 CANCEL    202 -> 487    202 <- ACK
        record: no_common_codec
    ",
    );
}
