//! An INVITE that was sent to us: timers G, H, I and RFC 6026's L, CANCEL, the two kinds of ACK.

use pbx_sip::flow::Transport::{Tcp, Udp};

use crate::ladder::check;

#[test]
fn a_failure_is_sent_until_its_ack_and_what_comes_again_is_absorbed() {
    check(
        Udp,
        "
           0 <- INVITE
           0 -> 100 INVITE
           0 heard INVITE
          10 <- INVITE
          10 -> 100 INVITE
         100 respond 180
         100 -> 180 INVITE
         150 <- INVITE
         150 -> 180 INVITE
         200 respond 486
         200 -> 486 INVITE
         210 respond 200        # one final response
         700 -> 486 INVITE      # timer G
        1700 -> 486 INVITE
        1750 <- INVITE
        1750 -> 486 INVITE
        1800 <- ACK
        1900 <- ACK
        2000 <- INVITE
        6800 over               # timer I
    ",
    );
}

#[test]
fn a_failure_that_nobody_acknowledges_ends_with_timer_h() {
    check(
        Udp,
        "
           0 <- INVITE
           0 -> 100 INVITE
           0 heard INVITE
           0 respond 603
           0 -> 603 INVITE
         500 -> 603 INVITE
        1500 -> 603 INVITE
        3500 -> 603 INVITE
        7500 -> 603 INVITE      # from here on every T2
       11500 -> 603 INVITE
       15500 -> 603 INVITE
       19500 -> 603 INVITE
       23500 -> 603 INVITE
       27500 -> 603 INVITE
       31500 -> 603 INVITE
       32000 over
    ",
    );
}

#[test]
fn on_a_stream_a_failure_is_sent_once_and_timer_i_is_zero() {
    check(
        Tcp,
        "
           0 <- INVITE
           0 -> 100 INVITE
           0 heard INVITE
          20 respond 486
          20 -> 486 INVITE
        9000 <- ACK
        9000 over
       10000 <- INVITE branch=z9hG4bKb cseq=2
       10000 -> 100 INVITE
       10000 heard INVITE
       10020 respond 486
       10020 -> 486 INVITE
       42020 over               # timer H
    ",
    );
}

#[test]
fn a_2xx_is_sent_until_its_ack_on_streams_too() {
    for transport in [Udp, Tcp] {
        check(
            transport,
            "
               0 <- INVITE
               0 -> 100 INVITE
               0 heard INVITE
             100 respond 200
             100 -> 200 INVITE
             600 -> 200 INVITE
             700 <- INVITE          # RFC 6026: absorbed
            1600 -> 200 INVITE
            1700 <- ACK ok          # a transaction of its own, found by its dialog
            1700 heard ACK
            1800 <- ACK ok
            1900 <- INVITE
           32100 over               # timer L
           33000 <- ACK ok          # belongs to nothing any more
        ",
        );
    }
}

#[test]
fn an_ack_under_the_branch_of_its_invite_is_taken_too() {
    check(
        Udp,
        "
           0 <- INVITE
           0 -> 100 INVITE
           0 heard INVITE
           0 respond 200
           0 -> 200 INVITE
          50 <- ACK
          50 heard ACK
       32000 over
    ",
    );
}

#[test]
fn an_ack_of_another_dialog_stops_nothing() {
    check(
        Udp,
        "
           0 <- INVITE
           0 -> 100 INVITE
           0 heard INVITE
           0 respond 200
           0 -> 200 INVITE
          10 <- ACK ok tag=another
          20 <- ACK ok call=another
          30 <- ACK ok cseq=2
         500 -> 200 INVITE
         600 <- ACK ok
         600 heard ACK
       32000 over
    ",
    );
}

#[test]
fn a_2xx_that_nobody_acknowledges_is_told() {
    check(
        Udp,
        "
           0 <- INVITE
           0 -> 100 INVITE
           0 heard INVITE
           0 respond 200
           0 -> 200 INVITE
         500 -> 200 INVITE
        1500 -> 200 INVITE
        3500 -> 200 INVITE
        7500 -> 200 INVITE
       11500 -> 200 INVITE
       15500 -> 200 INVITE
       19500 -> 200 INVITE
       23500 -> 200 INVITE
       27500 -> 200 INVITE
       31500 -> 200 INVITE
       32000 heard that nobody acknowledged
       32000 over
    ",
    );
}

#[test]
fn cancel_is_answered_and_told_while_there_is_no_final_response() {
    check(
        Udp,
        "
           0 <- INVITE
           0 -> 100 INVITE
           0 heard INVITE
         100 <- CANCEL
         100 -> 200 CANCEL
         100 heard CANCEL
         110 respond 487
         110 -> 487 INVITE
         120 <- CANCEL              # the same again: answered, and nothing more
         120 -> 200 CANCEL
         150 <- ACK
        5150 over
    ",
    );
}

#[test]
fn cancel_comes_too_late_for_a_final_response() {
    check(
        Udp,
        "
           0 <- INVITE
           0 -> 100 INVITE
           0 heard INVITE
          10 respond 200
          10 -> 200 INVITE
          20 <- CANCEL
          20 -> 200 CANCEL
          30 <- ACK ok
          30 heard ACK
       32010 over
    ",
    );
}

#[test]
fn cancel_of_what_we_do_not_know_is_481() {
    check(
        Udp,
        "
           0 <- CANCEL
           0 -> 481 CANCEL
          10 <- OPTIONS
          10 heard OPTIONS
          20 <- CANCEL              # only an INVITE can be cancelled
          20 -> 481 CANCEL
          30 respond 200
          30 -> 200 OPTIONS
          40 <- INVITE cseq=2
          40 -> 100 INVITE
          40 heard INVITE
          50 <- CANCEL branch=z9hG4bKother cseq=2
          50 -> 481 CANCEL
          60 <- CANCEL via=192.0.2.66:5062 cseq=2     # the same branch by somebody else
          60 -> 481 CANCEL
          70 respond 404          
          70 -> 404 INVITE
          80 <- ACK cseq=2
       32030 over
    ",
    );
}

#[test]
fn the_same_request_by_two_ways_is_a_loop_to_us() {
    check(
        Udp,
        "
           0 <- INVITE
           0 -> 100 INVITE
           0 heard INVITE
          10 <- INVITE branch=z9hG4bKb              # merged
          10 -> 482 INVITE
          20 <- ACK branch=z9hG4bKb                 # of the 482, which nothing keeps
          30 <- INVITE branch=z9hG4bKc tag=ours     # within a dialog it is none
          30 -> 100 INVITE
          30 heard INVITE
          40 respond 491 branch=z9hG4bKc
          40 -> 491 INVITE
          50 <- ACK branch=z9hG4bKc
          60 <- INVITE branch=z9hG4bKd from=another # nor is it one of another caller
          60 -> 100 INVITE
          60 heard INVITE
          70 respond 486 branch=z9hG4bKd
          70 -> 486 INVITE
          80 <- ACK branch=z9hG4bKd from=another
         100 respond 486 branch=z9hG4bKa
         100 -> 486 INVITE
         110 <- ACK
        5110 over
        6000 <- INVITE branch=z9hG4bKe              # the first is over, so this is another
        6000 -> 100 INVITE
        6000 heard INVITE
        6010 respond 486
        6010 -> 486 INVITE
        6020 <- ACK branch=z9hG4bKe
       11020 over
    ",
    );
}

#[test]
fn a_peer_of_rfc_2543_is_matched_by_what_that_document_compares() {
    check(
        Udp,
        "
           0 <- INVITE branch=none from=none
           0 -> 100 INVITE
           0 heard INVITE
          10 <- INVITE branch=none from=none
          10 -> 100 INVITE
          20 <- INVITE branch=none from=none call=c2
          20 -> 100 INVITE
          20 heard INVITE
          30 respond 486 call=c2
          30 -> 486 INVITE
          40 <- ACK branch=none from=none call=c2
          50 <- CANCEL branch=none from=none
          50 -> 200 CANCEL
          50 heard CANCEL
          60 respond 487 call=c1
          60 -> 487 INVITE
          70 <- ACK branch=none from=none
        5070 over
        6000 <- OPTIONS branch=1 call=c3            # a branch without the cookie says nothing
        6000 heard OPTIONS
        6010 <- OPTIONS branch=1 call=c4
        6010 heard OPTIONS
        6020 <- OPTIONS branch=z9hG4bK call=c5      # nor does the cookie alone
        6020 heard OPTIONS
        6030 <- OPTIONS branch=z9hG4bK call=c6
        6030 heard OPTIONS
        6040 <- OPTIONS branch=z9hG4bK call=c6
        6050 respond 401 call=c3
        6050 -> 401 OPTIONS
        6050 respond 401 call=c4
        6050 -> 401 OPTIONS
        6050 respond 401 call=c5
        6050 -> 401 OPTIONS
        6050 respond 401 call=c6
        6050 -> 401 OPTIONS
        6050 over
    ",
    );
}
