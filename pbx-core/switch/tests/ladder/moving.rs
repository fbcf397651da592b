//! The router is given another address while people talk: phones and carriers beyond it are told, those within are not.

use crate::check::check;

#[test]
fn whoever_is_beyond_the_router_is_offered_the_same_session_at_its_new_address() {
    check(
        "the router moves",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE sdp body=[IN IP4 192.0.2.254]    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        moved 198.51.100.7
        201 <- INVITE sdp body=[IN IP4 198.51.100.7] {Via: 198.51.100.7} {Contact: 198.51.100.7}    201 -> 200 INVITE    201 <- ACK
        202 <- INVITE sdp body=[IN IP4 198.51.100.7] {Contact: 198.51.100.7}    202 -> 200 INVITE    202 <- ACK
        media: 201 <-> 202
        moved 198.51.100.7    201 <- nothing    202 <- nothing
        201 -> BYE    201 <- 200    202 <- BYE {Via: 198.51.100.7}    202 -> 200 BYE
        record: answered
    ",
    );
    check(
        "those within the house",
        "
        phones: 201 202
        own 192.0.2.0/24
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        moved 198.51.100.7    201 <- nothing    202 <- nothing
        201 -> BYE    201 <- 200    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
}

#[test]
fn a_phone_that_rings_is_told_when_it_has_answered() {
    check(
        "the router moves while it rings",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 180    201 <- 180
        moved 198.51.100.7    202 <- nothing
        202 -> 200    202 <- ACK {Via: 198.51.100.7}    201 <- 200 sdp body=[IN IP4 198.51.100.7]    201 -> ACK
        202 <- INVITE sdp body=[IN IP4 198.51.100.7]    202 -> 200 INVITE    202 <- ACK
        201 -> BYE    201 <- 200    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
}

#[test]
fn a_line_registers_anew() {
    check(
        "the router moves and a line follows",
        "
        line: a probe=0
        a <- REGISTER {Contact: 192.0.2.254}    a -> 200 REGISTER {Expires: 600}    state: a up
        moved 198.51.100.7
        a <- REGISTER {Contact: 198.51.100.7}    a -> 200 REGISTER {Expires: 600}    state: a up
        moved 198.51.100.7    a <- nothing
        off a    a <- REGISTER {Expires: 0}    a -> 200 REGISTER
    ",
    );
}
