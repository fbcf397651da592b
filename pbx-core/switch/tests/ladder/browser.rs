//! Phones in browsers, over WebSockets (RFC 7118).

use crate::check::check;

#[test]
fn a_browser_is_reached_by_the_connection_that_it_opened() {
    check(
        "it registers under a name that nobody can look up, and is called",
        "
        phones: 201w 202    bindings: 201 1
        202 -> INVITE 201    201w <- INVITE uri=sip:201@201w.invalid;transport=ws {Via: SIP/2.0/WSS} {Contact: <sip:192.0.2.254:5060;transport=ws>}
        201w -> 200    201w <- ACK    202 <- 200    202 -> ACK
        201w -> BYE    201w <- 200 BYE    202 <- BYE    202 -> 200 BYE    record: answered
    ",
    );
    check(
        "it calls, and sips: promises nothing that is not so",
        "
        phones: 201w 202
        201w -> INVITE 202    202 <- INVITE    202 -> 486    202 <- ACK    201w <- 486    201w -> ACK    record: busy
        201w -> INVITE sips:202@pbx.test    201w <- 480    201w -> ACK    record: unregistered
    ",
    );
    check(
        "with its connection it is gone",
        "
        phones: 201w 202
        closed 201w    bindings: 201 0
        202 -> INVITE 201    202 <- 480    202 -> ACK    record: unregistered
    ",
    );
}
