//! Messages that are lost, connections that break, phones that fall silent, a house that is full or closing.

use crate::check::check;

#[test]
fn what_is_sent_again_is_answered_again() {
    check(
        "an INVITE, a 200 and a BYE",
        "
        phones: 201 202
        201 -> INVITE 202    201 <- 100
        201 -> again INVITE    201 <- 100    202 <- INVITE    202 <- nothing
        202 -> 180    201 <- 180
        201 -> again INVITE    201 <- 180
        202 -> 200    202 <- ACK    201 <- 200
        202 -> again INVITE    202 <- ACK
        201 -> again INVITE    201 <- nothing
        201 -> ACK    201 -> again ACK
        201 -> BYE    201 <- 200 BYE    202 <- BYE
        201 -> again BYE    201 <- 200 BYE
        wait 500ms    202 <- BYE    202 -> 200 BYE    202 -> again BYE
        record: answered
    ",
    );
    check(
        "a refusal is sent until its ACK",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 486    202 <- ACK    201 <- 486
        202 -> again INVITE    202 <- ACK
        wait 500ms    201 <- 486    wait 1s    201 <- 486    201 -> ACK
        wait 10s    201 <- nothing
        record: busy
    ",
    );
    check(
        "an ACK that is lost",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200
        wait 500ms    201 <- 200    wait 1s    201 <- 200    201 -> ACK    wait 10s    201 <- nothing
        201 -> BYE    201 <- 200    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
    check(
        "a BYE that nobody answers",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        201 -> BYE    201 <- 200    202 <- BYE
        wait 32s    202 <- BYE x10
        record: answered
    ",
    );
}

#[test]
fn a_phone_that_never_says_anything() {
    check(
        "timer B gives it up",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE
        wait 31s    202 <- INVITE x5    201 <- nothing
        wait 1s    202 <- INVITE    201 <- 480    201 -> ACK
        record: unreachable 202=unreachable
    ",
    );
    check(
        "and a caller that gives up meanwhile",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE
        201 -> CANCEL    201 <- 200 CANCEL    201 <- 487    201 -> ACK
        record: abandoned
        wait 32s    202 <- INVITE x6
    ",
    );
    check(
        "one that never ends a cancelled INVITE",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 180    201 <- 180
        201 -> CANCEL    201 <- 200 CANCEL    201 <- 487    201 -> ACK    202 <- CANCEL    202 -> 200 CANCEL
        wait 33s    202 <- nothing
        record: abandoned
    ",
    );
}

#[test]
fn a_connection_breaks() {
    check(
        "of the phone that rings: it cannot be reached",
        "
        phones: 201 202t
        201 -> INVITE 202    202t <- INVITE    202t -> 180    201 <- 180
        closed 202t    201 <- 480    201 -> ACK
        record: unreachable 202=unreachable
    ",
    );
    check(
        "of the caller while it rings: what it is told goes over its next one",
        "
        phones: 201t 202
        201t -> INVITE 202    202 <- INVITE    202 -> 180    201t <- 180
        closed 201t
        202 -> 200    202 <- ACK    201t <- 200    201t -> ACK    media: 201t <-> 202
        202 -> BYE    202 <- 200    201t <- BYE    201t -> 200 BYE
        record: answered
    ",
    );
    check(
        "while they talk: the call goes on, and goodbye goes over the next one",
        "
        phones: 201 202t
        201 -> INVITE 202    202t <- INVITE    202t -> 200    202t <- ACK    201 <- 200    201 -> ACK
        closed 202t    media: 201 <-> 202t
        201 -> BYE    201 <- 200    202t <- BYE    202t -> 200 BYE
        record: answered
    ",
    );
    check(
        "and the phone is gone with it",
        "
        phones: 201 202t
        201 -> INVITE 202    202t <- INVITE    202t -> 200    202t <- ACK    201 <- 200    201 -> ACK
        gone 202t
        201 -> BYE    201 <- 200
        record: answered
    ",
    );
}

#[test]
fn the_house_is_full() {
    check(
        "no port is left for a second call",
        "
        house: ports=2
        phones: 201 202 203 204
        201 -> INVITE 202    202 <- INVITE    202 -> 180    201 <- 180
        203 -> INVITE 204    203 <- 503 {Retry-After}    203 -> ACK    204 <- nothing
        record: too_many_calls
        202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        201 -> BYE    201 <- 200    202 <- BYE    202 -> 200 BYE
        record: answered
        203 -> INVITE 204    203 <- 503    203 -> ACK    record: too_many_calls
        wait 61s
        203 -> INVITE 204    204 <- INVITE    204 -> 486    204 <- ACK    203 <- 486    203 -> ACK
        record: busy
    ",
    );
    check(
        "one port is no call: nobody is rung whose answer could not be taken",
        "
        house: ports=1
        phones: 201 202
        201 -> INVITE 202    201 <- 503    201 -> ACK    202 <- nothing
        record: too_many_calls
    ",
    );
    check(
        "as many calls as it takes",
        "
        house: most_calls=1
        phones: 201 202 203 204
        201 -> INVITE 202    202 <- INVITE    202 -> 180    201 <- 180
        203 -> INVITE 204    203 <- 503 {Retry-After}    203 -> ACK    204 <- nothing
        202 -> 486    202 <- ACK    201 <- 486    201 -> ACK    record: busy
        203 -> INVITE 204    204 <- INVITE    204 -> 486    204 <- ACK    203 <- 486    203 -> ACK    record: busy
    ",
    );
    check(
        "as many calls as one extension may begin; those that come to it are not counted",
        "
        house: calls_each=1
        phones: 201 202 203
        201 -> INVITE 202    202 <- INVITE    202 -> 180    201 <- 180
        201 -> INVITE 203    201 <- 503 {Retry-After}    201 -> ACK    203 <- nothing
        203 -> INVITE 201    201 <- INVITE    201 -> 486    201 <- ACK    203 <- 486    203 -> ACK    record: busy
        202 -> 486    202 <- ACK    201 <- 486 call=1    record: busy
    ",
    );
    check(
        "help is sought also when the house is full, or closing",
        "
        house: most_calls=1 calls_each=1
        line: a mode=static probe=0
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 180    201 <- 180
        202 -> INVITE 112    a <- INVITE    a -> 486    a <- ACK    202 <- 486    202 -> ACK    record: busy
        drain
        202 -> INVITE 112    a <- INVITE    a -> 486    a <- ACK    202 <- 486    202 -> ACK    record: busy
        201 -> CANCEL    201 <- 200    201 <- 487    201 -> ACK    202 <- CANCEL    202 -> 200 CANCEL    202 -> 487    202 <- ACK    record: abandoned
        drained
    ",
    );
}

#[test]
fn the_house_closes() {
    check(
        "no new calls, the running one ends in peace",
        "
        phones: 201 202 203
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        drain
        203 -> INVITE 202    203 <- 503 {Retry-After}    203 -> ACK
        201 -> INVITE dir=sendonly    201 <- 200    201 -> ACK
        201 -> BYE    201 <- 200    202 <- BYE    202 -> 200 BYE
        record: answered    drained
    ",
    );
    check(
        "and one that does not end is ended",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        drain    end
        201 <- BYE    202 <- BYE    201 -> 200 BYE    202 -> 200 BYE
        record: hung_up    drained
    ",
    );
}

#[test]
fn a_call_from_which_both_have_gone() {
    check(
        "is ended when nothing was heard for so long",
        "
        house: dead=60s
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        wait 60s    calls: 1
        wait 10s    201 <- BYE    201 -> 200 BYE    202 <- BYE    202 -> 200 BYE
        record: lost 202=lost
    ",
    );
    check(
        "one that is on hold is silent, and asked whether it is still there",
        "
        house: dead=60s
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        201 -> INVITE dir=inactive    201 <- 200    201 -> ACK
        wait 70s    201 <- OPTIONS    201 -> 200 OPTIONS
        wait 60s    201 <- nothing    calls: 1
        wait 10s    201 <- OPTIONS
        wait 31s    201 <- OPTIONS x9    202 <- nothing
        wait 1s    201 <- OPTIONS    201 <- BYE    201 -> 200 BYE    202 <- BYE    202 -> 200 BYE
        record: lost 202=lost
    ",
    );
    check(
        "and if it knows nothing of the call any more, it is over at once",
        "
        house: dead=60s
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        202 -> INVITE dir=inactive    202 <- 200    202 -> ACK
        wait 70s    202 <- OPTIONS    202 -> 481 OPTIONS
        202 <- BYE    202 -> 481 BYE    201 <- BYE    201 -> 200 BYE
        record: lost
    ",
    );
}
