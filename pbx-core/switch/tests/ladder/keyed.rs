//! Sound that is protected: keys in descriptions (RFC 4568), offered where nobody else reads them (RFC 8643), demanded where a house or
//! a carrier wants it.

use crate::check::check;

#[test]
fn a_phone_that_asks_for_it_is_answered() {
    check(
        "whatever the other one does",
        "
        phones: 201 202
        201 -> INVITE 202 keys=savp    202 <- INVITE keys=none
        202 -> 200    202 <- ACK    201 <- 200 keys=savp    201 -> ACK
        media: 201 <-> 202    keys: 201
        201 -> BYE    201 <- 200    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
    check(
        "by the first of its suites that we know",
        "
        phones: 201 202
        201 -> INVITE 202 keys=avp:AEAD_AES_128_GCM    202 <- INVITE
        202 -> 200    202 <- ACK    201 <- 200 keys=avp    201 -> ACK
        media: 201 <-> 202    keys: 201
        201 -> BYE    201 <- 200    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
    check(
        "but not where we know none of them",
        "
        phones: 201 202
        201 -> INVITE 202 keys=savp:F8_128_HMAC_SHA1_80    201 <- 488    201 -> ACK
        201 -> INVITE 202 keys=avp:F8_128_HMAC_SHA1_80    202 <- INVITE
        202 -> 200    202 <- ACK    201 <- 200 keys=none    201 -> ACK    keys: none
        201 -> BYE    201 <- 200    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
}

#[test]
fn a_phone_on_tls_is_offered_keys_and_need_not_take_them() {
    check(
        "it does",
        "
        phones: 201 202s
        201 -> INVITE 202    202s <- INVITE keys=avp
        202s -> 200 keys=avp    202s <- ACK    201 <- 200 keys=none    201 -> ACK
        media: 201 <-> 202s    keys: 202s
        201 -> BYE    201 <- 200    202s <- BYE    202s -> 200 BYE
        record: answered
    ",
    );
    check(
        "it does not",
        "
        phones: 201 202s
        201 -> INVITE 202    202s <- INVITE keys=avp
        202s -> 200    202s <- ACK    201 <- 200    201 -> ACK    keys: none
        201 -> BYE    201 <- 200    202s <- BYE    202s -> 200 BYE
        record: answered
    ",
    );
    check(
        "a caller who lets us offer",
        "
        phones: 201s 202
        201s -> INVITE 202 nosdp    202 <- INVITE keys=none
        202 -> 200    202 <- ACK    201s <- 200 keys=avp
        201s -> ACK keys=avp sdp    media: 201s <-> 202    keys: 201s
        201s -> BYE    201s <- 200    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
}

#[test]
fn a_phone_that_takes_nothing_plain_is_asked_again() {
    check(
        "and answers then",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE keys=none
        202 -> 488    202 <- ACK    202 <- INVITE keys=savp {CSeq: 2 INVITE}
        202 -> 180    201 <- 180    202 -> 200 keys=savp    202 <- ACK    201 <- 200 keys=none    201 -> ACK
        media: 201 <-> 202    keys: 202
        201 -> BYE    201 <- 200    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
    check(
        "once",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE
        202 -> 488    202 <- ACK    202 <- INVITE keys=savp
        202 -> 488    202 <- ACK    201 <- 488    201 -> ACK
        record: no_common_codec 202=no_common_codec
    ",
    );
}

#[test]
fn a_house_that_speaks_nothing_plain() {
    check(
        "with a phone that it wants encrypted",
        "
        phones: 201s 202s 203
        access: 201 encryption=always sound=yes
        access: 202 encryption=always sound=yes
        201s -> INVITE 202    201s <- 488    201s -> ACK
        201s -> INVITE 202 keys=savp    202s <- INVITE keys=savp
        202s -> 200 keys=savp    202s <- ACK    201s <- 200 keys=savp    201s -> ACK
        media: 201s <-> 202s    keys: 201s 202s
        201s -> INVITE dir=sendonly    201s <- 488    201s -> ACK
        201s -> INVITE dir=sendonly keys=savp    201s <- 200 dir=recvonly keys=savp    201s -> ACK    keys: 201s 202s
        201s -> UPDATE sdp    201s <- 488 UPDATE
        201s -> BYE    201s <- 200    202s <- BYE    202s -> 200 BYE
        record: answered
    ",
    );
    check(
        "an answer in clear is none",
        "
        phones: 201 202s
        access: 202 encryption=always sound=yes
        201 -> INVITE 202    202s <- INVITE keys=savp
        202s -> 200    202s <- ACK    202s <- BYE    202s -> 200 BYE    201 <- 488    201 -> ACK
        record: no_common_codec 202=no_common_codec
    ",
    );
}

#[test]
fn a_carrier_whose_sound_is_protected() {
    check(
        "both ways",
        "
        line: a mode=static probe=0 keys=savp
        phones: 201
        number: +33199001234 201
        201 -> INVITE 0199001235    a <- INVITE keys=savp
        a -> 200 keys=savp    a <- ACK    201 <- 200 keys=none    201 -> ACK    keys: a
        201 -> BYE    201 <- 200    a <- BYE    a -> 200 BYE
        record: answered
        a -> INVITE sip:+33199001234@pbx.test    a <- 488    a -> ACK
        a -> INVITE sip:+33199001234@pbx.test keys=savp    201 <- INVITE keys=none
        201 -> 200    201 <- ACK    a <- 200 keys=savp    a -> ACK    keys: a
        a -> BYE    a <- 200    201 <- BYE    201 -> 200 BYE
        record: answered
    ",
    );
}

#[test]
fn another_process_offers_another_key() {
    check(
        "and speaks under it once it is taken",
        "
        phones: 201s 202
        201s -> INVITE 202 keys=savp    202 <- INVITE
        202 -> 200    202 <- ACK    201s <- 200    201s -> ACK    keys: 201s
        reborn
        connected 201s
        201s <- INVITE keys=savp    201s -> 200 keys=savp    201s <- ACK    keys: 201s
        201s -> BYE    201s <- 200    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
}
