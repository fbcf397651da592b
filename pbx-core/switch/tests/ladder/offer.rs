//! Offers and answers: each leg negotiates for itself.

use crate::check::check;

#[test]
fn a_late_offer() {
    check(
        "the caller has ours in the 200, and answers it in its ACK",
        "
        phones: 201 202
        201 -> INVITE 202 nosdp    202 <- INVITE codecs=8,0,9,101
        202 -> 200 codecs=8,101    202 <- ACK    201 <- 200 codecs=8,101
        media: none
        201 -> ACK sdp codecs=8,101    media: 201 <-> 202
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
    for (what, ack) in
        [("is missing", "ACK"), ("has nothing in common with it", "ACK codecs=18"), ("is no description", "ACK sdp badsdp")]
    {
        check(
            &format!("an answer that {what} ends the call"),
            &format!(
                "
            phones: 201 202
            201 -> INVITE 202 nosdp    202 <- INVITE sdp
            202 -> 200 codecs=8,101    202 <- ACK    201 <- 200 sdp
            201 -> {ack}    201 <- BYE    201 -> 200 BYE    202 <- BYE    202 -> 200 BYE
            record: lost
        "
            ),
        );
    }
}

#[test]
fn early_media() {
    check(
        "passes when one phone rings",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE
        202 -> 183 sdp    201 <- 183 sdp dir=sendrecv    media: 201 <-> 202
        202 -> 180    201 <- nothing
        202 -> 200    202 <- ACK    201 <- 200 sdp    201 -> ACK    media: 201 <-> 202
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
    check(
        "and the answer may stand in it alone",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE
        202 -> 183 sdp    201 <- 183 sdp
        202 -> 200 nosdp    202 <- ACK    201 <- 200 sdp    201 -> ACK    media: 201 <-> 202
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
    check(
        "with several phones the caller hears its own ringing",
        "
        phones: 201 202 202b
        201 -> INVITE 202    202b <- INVITE    202 <- INVITE
        202 -> 183 sdp    201 <- 180 nosdp    media: none
        202b -> 180    202b -> 486    202b <- ACK
        202 -> 183 sdp    201 <- 183 sdp    media: 201 <-> 202
        202 -> 486    202 <- ACK    201 <- 486    201 -> ACK    media: none
        record: busy 202=busy 202=busy
    ",
    );
    check(
        "what the caller was answered early is its answer: another codec later is asked of it when it has acknowledged",
        "
        phones: 201 202
        201 -> INVITE 202 codecs=8,0,101    202 <- INVITE
        202 -> 183 codecs=8 sdp    201 <- 183 codecs=8
        202 -> 200 codecs=0    202 <- ACK    201 <- 200 codecs=8    201 -> ACK
        201 <- INVITE codecs=0 dir=sendrecv {CSeq: 1 INVITE} {P-Asserted-Identity: 202}    201 -> 200 codecs=0    201 <- ACK {CSeq: 1 ACK}
        numbers: 201 0=PCMU    numbers: 202 0=PCMU    media: 201 <-> 202
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
    check(
        "and one that it never offered ends the attempt",
        "
        phones: 201 202
        201 -> INVITE 202 codecs=8,0,101    202 <- INVITE
        202 -> 183 codecs=8 sdp    201 <- 183 codecs=8
        202 -> 200 codecs=18    202 <- ACK    202 <- BYE    202 -> 200 BYE
        201 <- 488    201 -> ACK
        record: no_common_codec
    ",
    );
    check(
        "fewer of the same codecs do not",
        "
        phones: 201 202
        201 -> INVITE 202 codecs=8,0,101    202 <- INVITE
        202 -> 183 codecs=8,0,101 sdp    201 <- 183 codecs=8,0,101
        202 -> 200 codecs=8,101    202 <- ACK    201 <- 200 codecs=8,0,101    201 -> ACK    media: 201 <-> 202
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
}

#[test]
fn the_legs_number_a_codec_differently() {
    check(
        "each phone is sent its own numbers",
        "
        phones: 201 202
        201 -> INVITE 202 codecs=96:opus/48000/2,8,101    202 <- INVITE codecs=96,8,101
        202 -> 200 codecs=111:opus/48000/2,100:telephone-event/8000    202 <- ACK
        201 <- 200 codecs=96,101    201 -> ACK
        numbers: 201 96=OPUS 101=TELEPHONE-EVENT    numbers: 202 111=OPUS 100=TELEPHONE-EVENT
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
}

#[test]
fn no_codec_in_common() {
    check(
        "a phone answers with what was not offered",
        "
        phones: 201 202
        201 -> INVITE 202 codecs=8    202 <- INVITE codecs=8
        202 -> 200 codecs=0    202 <- ACK    202 <- BYE    202 -> 200 BYE
        201 <- 488    201 -> ACK
        record: no_common_codec 202=no_common_codec
    ",
    );
    check(
        "a phone answers with nothing at all",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE
        202 -> 200 nosdp    202 <- ACK    202 <- BYE    202 -> 200 BYE
        201 <- 488    201 -> ACK
        record: no_common_codec
    ",
    );
    check(
        "an offer that no call can be built on",
        "
        phones: 201 202
        201 -> INVITE 202 badsdp    201 <- 400    201 -> ACK
        201 -> INVITE 202 codecs=101    201 <- 488    201 -> ACK
        202 <- nothing
    ",
    );
}
