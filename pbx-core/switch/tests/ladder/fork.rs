//! An extension with several phones: all ring, one is answered.

use crate::check::check;

#[test]
fn the_first_answer_wins() {
    check(
        "the others are told that it was taken elsewhere",
        "
        phones: 201 202 202b 202t
        201 -> INVITE 202
        202t <- INVITE    202b <- INVITE    202 <- INVITE
        202 -> 180    201 <- 180    202b -> 180    201 <- nothing
        202b -> 200    202b <- ACK
        202 <- CANCEL {Reason: cause=200}    202 -> 200 CANCEL    202 -> 487    202 <- ACK
        201 <- 200    201 -> ACK
        202t <- nothing
        202t -> 180    202t <- CANCEL {Reason: cause=200}    202t -> 200 CANCEL    202t -> 487    202t <- ACK
        media: 201 <-> 202b    ports: 2
        201 -> BYE    201 <- 200 BYE    202b <- BYE    202b -> 200 BYE
        record: answered 202=elsewhere 202=answered 202=elsewhere
    ",
    );
}

#[test]
fn two_answers_cross() {
    check(
        "the second is acknowledged and sent home",
        "
        phones: 201 202 202b
        201 -> INVITE 202    202b <- INVITE    202 <- INVITE
        202 -> 180    202b -> 180    201 <- 180
        202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        202b <- CANCEL
        202b -> 200    202b <- ACK    202b <- BYE    202b -> 200 BYE    202b -> 200 CANCEL
        202b -> again INVITE    202b <- ACK
        media: 201 <-> 202
        202 -> BYE    202 <- 200 BYE    201 <- BYE    201 -> 200 BYE
        record: answered 202=elsewhere 202=answered
    ",
    );
    check(
        "a second answer within one INVITE, from another phone behind the same contact",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE
        202 -> 200 tag=one    202 <- ACK    201 <- 200    201 -> ACK
        202 -> 200 tag=two    202 <- ACK {To: tag=two}    202 <- BYE {To: tag=two}    202 -> 200 BYE
        201 -> BYE    201 <- 200 BYE    202 <- BYE {To: tag=one}    202 -> 200 BYE
        record: answered
    ",
    );
    check(
        "and one that comes when the call is over",
        "
        phones: 201 202 202b
        201 -> INVITE 202    202b <- INVITE    202 <- INVITE
        202 -> 180    202b -> 180    201 <- 180
        202 -> 200    202 <- ACK    201 <- 200    201 -> ACK    202b <- CANCEL
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE
        202b -> 200    202b <- ACK    202b <- BYE    202b -> 200 BYE    202b -> 200 CANCEL
        record: answered
    ",
    );
}

#[test]
fn all_refuse() {
    check(
        "the best of their reasons is told, when the last has spoken",
        "
        phones: 201 202 202b
        201 -> INVITE 202    202b <- INVITE    202 <- INVITE
        202 -> 603    202 <- ACK    201 <- nothing
        202b -> 486    202b <- ACK    201 <- 603    201 -> ACK
        record: declined 202=busy 202=declined
    ",
    );
    check(
        "one refuses, the other is answered",
        "
        phones: 201 202 202b
        201 -> INVITE 202    202b <- INVITE    202 <- INVITE
        202 -> 486    202 <- ACK    202b -> 180    201 <- 180
        202b -> 200    202b <- ACK    201 <- 200    201 -> ACK
        201 -> BYE    201 <- 200 BYE    202b <- BYE    202b -> 200 BYE
        record: answered 202=answered 202=busy
    ",
    );
}

#[test]
fn one_of_them_is_dead() {
    check(
        "and does not hold up the others",
        "
        phones: 201 202 202b
        201 -> INVITE 202    202b <- INVITE    202 <- INVITE
        202 -> 486    202 <- ACK
        wait 32s    202b <- INVITE x6
        201 <- 486    201 -> ACK
        record: busy 202=unreachable 202=busy
    ",
    );
}
