//! An INVITE that we sent: timers A, B, D and RFC 6026's M, the ACK of a failure, CANCEL.

use pbx_sip::flow::Transport::{Tcp, Udp};
use pbx_sip::message::{HeaderName, Method};

use crate::ladder::{Ladder, check};

#[test]
fn without_an_answer_timer_a_doubles_and_timer_b_gives_up() {
    check(
        Udp,
        "
           0 request INVITE
           0 -> INVITE
         500 -> INVITE
        1500 -> INVITE
        3500 -> INVITE
        7500 -> INVITE
       15500 -> INVITE
       31500 -> INVITE
       32000 heard nothing in time
       32000 over
    ",
    );
    check(
        Tcp,
        "
           0 request INVITE
           0 -> INVITE
       32000 heard nothing in time
       32000 over
    ",
    );
}

#[test]
fn a_failure_is_acknowledged_as_often_as_it_comes_until_timer_d() {
    check(
        Udp,
        "
           0 request INVITE
           0 -> INVITE
         100 <- 100
         100 heard 100
       60000 <- 180                 # a ringing phone may ring
       60000 heard 180
       60100 <- 486
       60100 -> ACK
       60100 heard 486
       60600 <- 486
       60600 -> ACK
       60700 <- 200                 # one final response
       60800 <- 180
       92100 over
       92200 <- 486
    ",
    );
    check(
        Tcp,
        "
           0 request INVITE
           0 -> INVITE
         100 <- 486
         100 -> ACK
         100 heard 486
         100 over                   # timer D is zero
    ",
    );
}

#[test]
fn each_phone_that_answers_is_heard_and_acknowledged_again_when_it_answers_again() {
    for transport in [Udp, Tcp] {
        check(
            transport,
            "
               0 request INVITE
               0 -> INVITE
             100 <- 180 tag=a
             100 heard 180
             110 <- 180 tag=b
             110 heard 180
             200 <- 200 tag=a
             200 heard 200
             210 acknowledge tag=a
             210 -> ACK
             300 <- 200 tag=b           # late: RFC 3261 13.2.2.4
             300 heard 200
             310 acknowledge tag=b at=192.0.2.50:5080
             310 -> ACK to 192.0.2.50:5080
             700 <- 200 tag=a
             700 -> ACK
             800 <- 200 tag=b
             800 -> ACK to 192.0.2.50:5080
             900 <- 180 tag=a
             950 <- 486 tag=c
           32200 over                   # timer M
           32300 <- 200 tag=a
        ",
        );
    }
}

#[test]
fn cancel_waits_for_a_provisional_response() {
    check(
        Udp,
        "
           0 request INVITE
           0 -> INVITE
         100 cancel
         500 -> INVITE
         600 <- 100
         600 -> CANCEL
         600 heard 100
         650 <- 200 CANCEL
         700 <- 487
         700 -> ACK
         700 heard 487
       32700 over
    ",
    );
    check(
        Udp,
        "
           0 request INVITE
           0 -> INVITE
         100 cancel
         500 -> INVITE
         600 <- 200                 # nobody to cancel any more: to be acknowledged and ended
         600 heard 200
       32600 over
    ",
    );
    check(
        Tcp,
        "
           0 request INVITE
           0 -> INVITE
         100 cancel
       32000 heard nothing in time
       32000 over
    ",
    );
}

#[test]
fn cancel_is_a_request_of_its_own_and_its_answer_is_nobodys_news() {
    check(
        Udp,
        "
           0 request INVITE
           0 -> INVITE
         100 <- 180
         100 heard 180
         200 cancel
         200 -> CANCEL
         250 cancel                 # once
         700 -> CANCEL              # timer E
         800 <- 200 CANCEL
         900 <- 200 CANCEL
        1000 <- 487
        1000 -> ACK
        1000 heard 487
        1100 cancel                 # too late
       33000 over
    ",
    );
    check(
        Udp,
        "
           0 request INVITE
           0 -> INVITE
         100 <- 180
         100 heard 180
         200 cancel
         200 -> CANCEL
         210 <- 200                 # they crossed
         210 heard 200
         220 <- 481 CANCEL
       32210 over
    ",
    );
}

#[test]
fn on_a_stream_the_answer_to_cancel_may_come_behind_the_487() {
    check(
        Tcp,
        "
           0 request INVITE
           0 -> INVITE
         100 <- 180
         100 heard 180
         200 cancel
         200 -> CANCEL
         300 <- 487
         300 -> ACK
         300 heard 487
         310 <- 200 CANCEL
         310 over
    ",
    );
}

#[test]
fn who_never_answers_a_cancel_is_given_up() {
    check(
        Tcp,
        "
           0 request INVITE
           0 -> INVITE
         100 <- 180
         100 heard 180
         200 cancel
         200 -> CANCEL
         300 <- 180                 # a response that crossed the CANCEL changes nothing
         300 heard 180
       32200 heard nothing in time  # 64*T1, RFC 3261 9.1
       32200 over
    ",
    );
}

#[test]
fn a_connection_that_closes_has_failed_once() {
    check(
        Tcp,
        "
           0 request INVITE
           0 -> INVITE
         100 <- 180
         100 heard 180
         200 cancel
         200 -> CANCEL
         300 close
         300 heard that the flow failed
         300 over
    ",
    );
    check(
        Tcp,
        "
           0 request INVITE
           0 -> INVITE
         100 <- 200
         100 heard 200
         200 close                  # what was answered is not undone by it
       32100 over
    ",
    );
}

#[test]
fn a_response_under_a_branch_we_did_not_draw_is_not_ours() {
    check(
        Udp,
        "
           0 request INVITE
           0 -> INVITE
          10 <- 200 branch=z9hG4bKaaaaaaaaaaaaaaaa.2
          20 <- 200 branch=z9hG4bK
          30 <- 200 branch=2
          40 <- 200 branch=z9hG4bK.ffffffffffffffffffff
         100 <- 603
         100 -> ACK
         100 heard 603
       32100 over
    ",
    );
}

#[test]
fn cancel_and_ack_say_what_their_invite_said() {
    let mut peer = Ladder::new(Udp);
    for (verb, words) in [("request", &["INVITE"][..]), ("<-", &["180"]), ("cancel", &[]), ("<-", &["487", "tag=them"])] {
        peer.step(verb, words);
    }
    let [invite, cancel, ack] = &peer.sent[..] else { panic!("{:?}", peer.sent) };
    assert_eq!((cancel.method(), ack.method()), (&Method::Cancel, &Method::Ack));
    for other in [cancel, ack] {
        assert_eq!(other.request_uri(), invite.request_uri());
        assert_eq!(other.vias().expect("Via").len(), 1);
        for name in [HeaderName::Via, HeaderName::From, HeaderName::CallId, HeaderName::Route, HeaderName::MaxForwards] {
            assert_eq!(other.header(name), invite.header(name), "{name}");
        }
        assert_eq!(other.cseq().expect("CSeq").number, invite.cseq().expect("CSeq").number);
    }
    assert_eq!(cancel.header(HeaderName::To), invite.header(HeaderName::To), "without a tag");
    assert_eq!(cancel.header(HeaderName::Reason), Some(&b"SIP;cause=200;text=\"Call completed elsewhere\""[..]));
    assert_eq!(ack.to().expect("To").tag(), Some("them"), "that of the response");
}
