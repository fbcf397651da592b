//! The process ends, and another goes on with what was written down. Talking and held calls are in `hold.rs`.

use crate::check::check;

#[test]
fn a_ringing_call_rings_on() {
    check(
        "and is answered",
        "
        phones: 201 202t
        201 -> INVITE 202    202t <- INVITE    202t -> 180    201 <- 180
        reborn    201 <- 100    calls: 1    202t <- nothing
        202t -> 200    202t <- ACK    201 <- 200    201 -> ACK    media: 201 <-> 202t
        201 -> BYE    201 <- 200    202t <- BYE    202t -> 200 BYE
        record: answered
    ",
    );
    check(
        "or refused",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 180    201 <- 180
        reborn    202 -> 486    202 <- ACK    201 <- 486    201 -> ACK
        record: busy
    ",
    );
    check(
        "or given up",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 180    201 <- 180
        reborn    201 -> again INVITE    201 -> CANCEL    201 <- 200 CANCEL    201 <- 487    201 -> ACK
        202 <- CANCEL    202 -> 200 CANCEL    202 -> 487    202 <- ACK
        record: abandoned
    ",
    );
    check(
        "or nobody comes, at the time when nobody would have come",
        "
        house: ring=20s
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 180    201 <- 180
        wait 10s    reborn    wait 8s    202 <- nothing
        wait 1s    202 <- CANCEL    202 -> 200 CANCEL    202 -> 487    202 <- ACK    201 <- 480    201 -> ACK
        record: no_answer
    ",
    );
    check(
        "a phone that had not reacted is asked again, and given up if it never does",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE
        reborn    wait 500ms    202 <- INVITE
        wait 31s    202 <- INVITE x5
        wait 500ms    201 <- 480    201 -> ACK
        record: unreachable
    ",
    );
    check(
        "with early media",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 183 sdp    201 <- 183    media: 201 <-> 202
        reborn    media: 201 <-> 202
        202 -> 200 nosdp    202 <- ACK    201 <- 200 sdp    201 -> ACK    media: 201 <-> 202
        201 -> BYE    201 <- 200    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
}

#[test]
fn an_answer_that_was_not_acknowledged_is_sent_again() {
    check(
        "and found by its ACK",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200
        reborn    201 <- 200 sdp    201 -> ACK    wait 10s    201 <- nothing
        202 -> BYE    202 <- 200    201 <- BYE    201 -> 200 BYE
        record: answered
    ",
    );
    check(
        "an offer of ours with it",
        "
        phones: 201 202
        201 -> INVITE 202 nosdp    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200 sdp
        reborn    201 <- 200 sdp    201 -> ACK codecs=8,0,101    media: 201 <-> 202
        202 -> BYE    202 <- 200    201 <- BYE    201 -> 200 BYE
        record: answered
    ",
    );
    check(
        "that of a re-INVITE too",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        202 -> INVITE dir=sendonly    202 <- 200 dir=recvonly
        reborn    202 <- 200 dir=recvonly    202 -> ACK    media: 202 -> 201
        202 -> BYE    202 <- 200    201 <- BYE    201 -> 200 BYE
        record: answered
    ",
    );
}

#[test]
fn one_that_was_cancelled_is_cancelled_again() {
    check(
        "because it was taken elsewhere",
        "
        phones: 201 202 202b
        201 -> INVITE 202    202b <- INVITE    202 <- INVITE    202 -> 180    202b -> 180    201 <- 180
        202 -> 200    202 <- ACK    201 <- 200    201 -> ACK    202b <- CANCEL
        reborn    202b <- CANCEL    202b -> 200 CANCEL    202b -> 487    202b <- ACK
        202 -> BYE    202 <- 200    201 <- BYE    201 -> 200 BYE
        record: answered 202=elsewhere 202=answered
    ",
    );
}

#[test]
fn what_is_not_written_down() {
    check(
        "an INFO on its way has no answer, and is out of order when it comes again",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        201 -> INFO    202 <- INFO
        reborn    202 -> 200 INFO    201 <- nothing    201 -> again INFO    201 <- 500
        201 -> BYE    201 <- 200    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
    check(
        "a BYE that comes again belongs to nothing",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        201 -> BYE    201 <- 200    202 <- BYE    record: answered
        reborn    202 <- BYE    202 -> 200 BYE    201 -> again BYE    201 <- 481    wait 20s    202 <- nothing
    ",
    );
}

#[test]
fn a_bye_without_an_answer_is_said_again() {
    check(
        "goodbye that was lost",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        201 -> BYE    201 <- 200    202 <- BYE    record: answered
        reborn    202 <- BYE    202 -> 200 BYE    wait 40s    202 <- nothing
    ",
    );
}
