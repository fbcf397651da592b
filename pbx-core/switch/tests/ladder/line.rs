//! Lines to the outside: registered and kept, called by and called from, failing, full, and in an emergency.

use crate::check::check;

/// A line that registers without a question.
const UP: &str = "a <- REGISTER   a -> 200 REGISTER {Expires: 600}   state: a up";
/// And is given up at the end.
const OFF: &str = "off a   a <- REGISTER {Expires: 0}   a -> 200 REGISTER";

fn climb(name: &str, ladder: &str) {
    check(name, &ladder.replace("@UP", UP).replace("@OFF", OFF));
}

#[test]
fn a_line_registers_answers_its_challenge_and_refreshes_with_the_nonce_it_has() {
    climb(
        "line registers",
        "
        line: a probe=0
        a <- REGISTER uri=sip:192.0.2.1:5060 {From: <sip:account@192.0.2.1:5060>} {!Authorization: Digest}
        a -> 401 REGISTER {WWW-Authenticate: Digest realm=\"carrier\", nonce=\"one\", qop=\"auth\"}
        a <- REGISTER {Authorization: username=\"account\"} {Authorization: nc=00000001}
        a -> 200 REGISTER {Expires: 100}
        state: a up
        until a
        a <- REGISTER {Authorization: nc=00000002}   a -> 401 REGISTER {WWW-Authenticate: Digest realm=\"carrier\", nonce=\"two\", qop=\"auth\", stale=true}
        a <- REGISTER {Authorization: nonce=\"two\"}   a -> 200 REGISTER {Expires: 600}
        state: a up
        @OFF
        state: a gone
    ",
    );
}

#[test]
fn a_secret_that_is_refused_is_not_tried_over_and_over() {
    climb(
        "line wrong secret",
        "
        line: a
        a <- REGISTER   a -> 401 REGISTER {WWW-Authenticate: Digest realm=\"c\", nonce=\"n\"}
        a <- REGISTER {Authorization: response}   a -> 401 REGISTER {WWW-Authenticate: Digest realm=\"c\", nonce=\"m\"}
        state: a down credentials
        wait 200s
        a <- nothing
        until a
        a <- REGISTER   a -> 200 REGISTER {Expires: 600}
        state: a up
        @OFF
    ",
    );
}

#[test]
fn a_carrier_that_says_nothing_is_asked_again_for_ever_with_longer_pauses() {
    climb(
        "line silent",
        "
        line: a server=nowhere.test
        state: a down no_such_name
        wait 3600s
        state: a down no_such_name
        off a
        line: b mode=static
        wait 32s
        b <- OPTIONS x11
        state: b down no_answer
        off b
    ",
    );
}

#[test]
fn the_interval_that_the_carrier_wants_is_taken() {
    climb(
        "line interval",
        "
        line: a
        a <- REGISTER {Expires: 600}   a -> 423 REGISTER {Min-Expires: 1800}
        a <- REGISTER {Expires: 1800}   a -> 200 REGISTER {Expires: 1800}
        state: a up
        @OFF
    ",
    );
}

#[test]
fn a_call_goes_out_in_the_shape_of_the_line_with_a_number_of_ours() {
    climb(
        "line out",
        "
        phones: 201
        line: a shape=zeros
        @UP
        201 -> INVITE 0639981234
        a <- INVITE uri=sip:0033639981234@192.0.2.2:5060 {From: <sip:0033199001234@192.0.2.2:5060>} {P-Asserted-Identity: <sip:0033199001234@} {!Privacy: id} {Contact: account@}
        a -> 183 sdp   201 <- 183 sdp
        state: a up calls=1
        a -> 200   a <- ACK   201 <- 200   201 -> ACK
        media: 201 <-> a
        201 -> BYE   201 <- 200   a <- BYE   a -> 200 BYE
        record: answered +33639981234=answered
        trace: to_outside by_line
        state: a up calls=0
        @OFF
    ",
    );
}

#[test]
fn the_extensions_own_number_is_shown_and_a_hidden_one_is_known_to_the_carrier_alone() {
    climb(
        "line own number",
        "
        phones: 201
        line: a
        number: +33199001299 201
        @UP
        201 -> INVITE 0639981234   a <- INVITE {From: <sip:+33199001299@}   201 -> CANCEL   201 <- 200 CANCEL
        a -> 180   a <- CANCEL   a -> 200 CANCEL   a -> 487   a <- ACK   201 <- 487   201 -> ACK
        record: abandoned
        201 -> INVITE 0639981234 {Privacy: id}
        a <- INVITE {From: anonymous.invalid} {P-Asserted-Identity: +33199001299} {Privacy: id}
        a -> 486   a <- ACK   201 <- 486   201 -> ACK
        record: busy
        @OFF
    ",
    );
}

#[test]
fn a_challenge_to_a_call_is_answered_once() {
    climb(
        "line challenges a call",
        "
        phones: 201
        line: a
        @UP
        201 -> INVITE 0639981234
        a <- INVITE   a -> 407 {Proxy-Authenticate: Digest realm=\"c\", nonce=\"n\", qop=\"auth\"}   a <- ACK
        a <- INVITE {Proxy-Authorization: username=\"account\"}
        a -> 407 {Proxy-Authenticate: Digest realm=\"c\", nonce=\"m\", qop=\"auth\"}   a <- ACK
        201 <- 503   201 -> ACK
        record: line_refused
        state: a up credentials
        @OFF
    ",
    );
}

#[test]
fn a_challenge_in_the_middle_of_a_call_is_answered_too() {
    climb(
        "line challenges within a call",
        "
        phones: 201
        line: a
        @UP
        201 -> INVITE 0639981234
        a <- INVITE   a -> 200 {Allow: INVITE, ACK, BYE, CANCEL, INFO} {Supported: timer} {Session-Expires: 90;refresher=uac}
        a <- ACK   201 <- 200   201 -> ACK
        201 -> INFO   a <- INFO
        a -> 407 INFO {Proxy-Authenticate: Digest realm=\"c\", nonce=\"n\", qop=\"auth\"}
        201 <- nothing
        a <- INFO {Proxy-Authorization: username=\"account\"}   a -> 200 INFO   201 <- 200 INFO
        wait 45s
        a <- INVITE   a -> 401 INVITE {WWW-Authenticate: Digest realm=\"c\", nonce=\"m\", qop=\"auth\"}   a <- ACK
        a <- INVITE {Authorization: uri=\"sip:}   a -> 200 INVITE {Session-Expires: 90;refresher=uac}   a <- ACK
        201 -> BYE   201 <- 200
        a <- BYE   a -> 401 BYE {WWW-Authenticate: Digest realm=\"c\", nonce=\"o\", qop=\"auth\"}
        a <- BYE {Authorization: nonce=\"o\"}
        a -> 401 BYE {WWW-Authenticate: Digest realm=\"c\", nonce=\"p\", qop=\"auth\"}
        a <- nothing
        record: answered
        @OFF
    ",
    );
}

#[test]
fn a_line_that_fails_gives_way_to_the_next_and_a_number_that_is_busy_does_not() {
    climb(
        "line failover",
        "
        phones: 201
        line: a priority=1
        @UP
        line: b priority=2 mode=static
        b <- OPTIONS   b -> 200 OPTIONS   state: b up
        201 -> INVITE 0639981234
        a <- INVITE   a -> 503   a <- ACK
        b <- INVITE   b -> 404   b <- ACK
        201 <- 404   201 -> ACK
        record: unknown_number +33639981234=unreachable +33639981234=unknown_number
        201 -> INVITE 0639981234
        a <- INVITE   a -> 486   a <- ACK
        201 <- 486   201 -> ACK
        record: busy
        off b
        @OFF
    ",
    );
}

#[test]
fn what_a_line_refuses_is_not_asked_of_the_next_and_its_page_says_why() {
    for (status, told, outcome, failure) in [
        (302, 503, "line_refused", "moved"),
        (402, 503, "line_refused", "payment_required"),
        (403, 403, "not_allowed", "call_refused"),
        (438, 503, "line_refused", "identity_refused"),
        (482, 503, "line_refused", "loop"),
        (484, 404, "unknown_number", "number_refused"),
        (488, 488, "no_common_codec", "codecs_refused"),
    ] {
        let answers = format!("a -> {status}   a <- ACK   201 <- {told}   201 -> ACK   record: {outcome}   state: a up {failure}");
        climb(
            "line refuses a call",
            &"
            phones: 201
            line: a priority=1
            @UP
            line: b priority=2 mode=static
            b <- OPTIONS   b -> 200 OPTIONS
            201 -> INVITE 0639981234
            a <- INVITE   @ANSWERS
            off b
            @OFF
        "
            .replace("@ANSWERS", &answers),
        );
    }
}

#[test]
fn help_is_sought_by_every_line_whatever_one_of_them_says() {
    climb(
        "line refuses help",
        "
        phones: 201
        line: a priority=1
        @UP
        line: b priority=2 mode=static
        b <- OPTIONS   b -> 200 OPTIONS
        201 -> INVITE 112
        a <- INVITE   a -> 404   a <- ACK
        b <- INVITE   b -> 200   b <- ACK   201 <- 200   201 -> ACK
        201 -> BYE   201 <- 200   b <- BYE   b -> 200 BYE
        record: answered
        off b
        @OFF
    ",
    );
}

#[test]
fn a_line_that_says_nothing_within_four_seconds_gives_way_and_is_asked_whether_it_is_there() {
    climb(
        "line silent in a call",
        "
        phones: 201
        line: a priority=1 mode=static
        a <- OPTIONS   a -> 200 OPTIONS
        line: b priority=2 mode=static
        b <- OPTIONS   b -> 200 OPTIONS
        201 -> INVITE 0639981234
        a <- INVITE
        wait 4s
        a <- INVITE x3   a <- OPTIONS
        b <- INVITE   b -> 200   b <- ACK
        201 <- 200   201 -> ACK
        a -> 200 OPTIONS
        wait 33s
        a <- INVITE x3
        201 -> BYE   201 <- 200   b <- BYE   b -> 200 BYE
        record: answered
        off a   off b
    ",
    );
}

#[test]
fn without_a_line_and_with_every_line_taken_the_caller_is_told_which() {
    climb(
        "line full",
        "
        phones: 201 202
        201 -> INVITE 0639981234   201 <- 503   201 -> ACK
        record: no_outside_line
        line: a channels=1
        @UP
        201 -> INVITE 0639981234   a <- INVITE   a -> 200   a <- ACK   201 <- 200   201 -> ACK
        202 -> INVITE 0639980001   202 <- 503   202 -> ACK
        record: lines_busy
        202 -> INVITE 112
        a <- BYE {!Reason: x}   201 <- BYE   a -> 200 BYE   201 -> 200 BYE
        record: hung_up
        trace: made_way
        a <- INVITE uri=sip:112@192.0.2.3:5060   a -> 200   a <- ACK   202 <- 200   202 -> ACK
        202 -> BYE   202 <- 200   a <- BYE   a -> 200 BYE
        record: answered
        trace: emergency by_line
        @OFF
    ",
    );
}

#[test]
fn calls_for_help_leave_by_the_line_of_the_callers_site_even_if_it_is_thought_down() {
    climb(
        "line of the site",
        "
        phones: 201
        line: a site=elsewhere priority=1 mode=static
        a <- OPTIONS   a -> 200 OPTIONS
        line: b site=main priority=9 mode=static
        b <- OPTIONS   b -> 503 OPTIONS
        state: b down overloaded
        201 -> INVITE 15
        a <- INVITE   a -> 503   a <- ACK
        b <- INVITE   b -> 200   b <- ACK   201 <- 200   201 -> ACK
        201 -> BYE   201 <- 200   b <- BYE   b -> 200 BYE
        record: answered
        off a   off b
    ",
    );
}

#[test]
fn a_call_from_outside_reaches_whom_its_number_leads_to() {
    climb(
        "line in",
        "
        phones: 201
        line: a
        number: +33199001234 201
        @UP
        a -> INVITE 0199001234 {P-Asserted-Identity: <sip:0639981234@c>}
        a <- 100
        201 <- INVITE {From: <sip:+33639981234@pbx.test>} {P-Asserted-Identity: +33639981234}
        201 -> 180   a <- 180 {!P-Asserted-Identity: 201}   201 -> 200   201 <- ACK   a <- 200   a -> ACK
        state: a up calls=1
        media: a <-> 201
        a -> BYE   a <- 200   201 <- BYE   201 -> 200 BYE
        record: answered 201=answered
        caller: +33639981234
        trace: arrived extension
        @OFF
    ",
    );
}

#[test]
fn nobody_outside_is_sent_outside_again_or_to_help_and_unknown_numbers_are_told_so() {
    climb(
        "line in and out",
        "
        phones: 201
        line: a
        number: +33199001235 0639981234
        number: +33199001236 112
        @UP
        a -> INVITE +33199001235   a <- 403   a -> ACK
        record: not_allowed
        trace: arrived to_refusal
        a -> INVITE +33199001236   a <- 403   a -> ACK
        record: not_allowed
        a -> INVITE +33199009999   a <- 404   a -> ACK
        record: unknown_number
        @OFF
    ",
    );
}

#[test]
fn whoever_called_for_help_is_called_back_and_not_the_reception() {
    climb(
        "line call back",
        "
        phones: 201 202
        line: a probe=0
        number: +33199001234 201
        @UP
        202 -> INVITE 112   a <- INVITE {From: <sip:+33199001234@}   a -> 200   a <- ACK   202 <- 200   202 -> ACK
        202 -> BYE   202 <- 200   a <- BYE   a -> 200 BYE
        record: answered
        wait 60s
        a -> INVITE +33199001234   202 <- INVITE   202 -> 486   202 <- ACK   a <- 486   a -> ACK
        record: busy
        trace: called_back
        @OFF
    ",
    );
}

#[test]
fn a_stranger_who_pretends_to_be_a_line_is_asked_for_a_secret() {
    climb(
        "line forged",
        "
        phones: 201 209-
        line: a
        number: +33199001234 201
        @UP
        209 -> INVITE +33199001234 bare {P-Asserted-Identity: <sip:+33639981234@c>}
        209 <- 401   209 -> ACK
        @OFF
    ",
    );
}

#[test]
fn a_carriers_address_is_not_banned_whatever_seems_to_come_from_there() {
    let noise = |who: &str| format!("{who} -> raw noise\n").repeat(200);
    climb(
        "line noise",
        &format!("phones: 209-\nline: a\n@UP\n{}banned: nobody\n{}banned: 192.0.2.1\n@OFF", noise("a"), noise("209")),
    );
    climb(
        "line at an address that was banned before",
        &format!(
            "phones: 209-\n{}banned: 192.0.2.1\nline: a server=192.0.2.1 mode=static\nbanned: nobody\n209 <- OPTIONS   209 -> 200 OPTIONS   state: a up\noff a",
            noise("209")
        ),
    );
}

#[test]
fn after_a_restart_a_line_registers_by_itself() {
    climb(
        "line restart",
        "
        line: a
        @UP
        restart
        @UP
        @OFF
    ",
    );
}

#[test]
fn a_test_call_shows_another_number_once_and_says_what_came_of_it() {
    climb(
        "test call",
        "
        phones: 201 202
        line: a mode=static probe=0   line: b mode=static probe=0 priority=20
        test b 201 +33639981234 +33199005678   tested: b waiting
        202 -> INVITE 0639981234   a <- INVITE {From: +33199001234}   a -> 486   a <- ACK   202 <- 486   202 -> ACK   record: busy
        201 -> INVITE 0639980002   a <- INVITE {From: +33199001234}   a -> 486   a <- ACK   201 <- 486   201 -> ACK   record: busy
        201 -> INVITE 0639981234   b <- INVITE {From: <sip:+33199005678@} {P-Asserted-Identity: +33199001234}   tested: b calling
        b -> 200   b <- ACK   201 <- 200   201 -> ACK   tested: b answered
        201 -> BYE   201 <- 200   b <- BYE   b -> 200 BYE   record: answered   tested: b answered
        201 -> INVITE 0639981234   a <- INVITE {From: +33199001234}   a -> 486   a <- ACK   201 <- 486   201 -> ACK   record: busy
        test b 201 +33639981234 +33199005678
        201 -> INVITE 0639981234   b <- INVITE   b -> 438   b <- ACK   201 <- 503   201 -> ACK   record: line_refused   tested: b failed
        test b 201 +33639981234 +33199005678   wait 301s
        201 -> INVITE 0639981234   a <- INVITE   a -> 486   a <- ACK   201 <- 486   201 -> ACK   record: busy   tested: b waiting
        off a   off b
    ",
    );
}

#[test]
fn a_phone_on_the_machine_of_a_carrier_is_a_phone() {
    check(
        "what it dials goes where it dialled, under its own rights",
        "
        phones: 201 202
        line: a mode=static probe=0 server=192.0.2.1:5080
        number: +33199001234 201
        201 -> INVITE 202    202 <- INVITE {From: <sip:201@pbx.test>}    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        201 -> BYE    201 <- 200    202 <- BYE    202 -> 200 BYE    record: answered
        201 -> INVITE 202 bare    201 <- 401    201 -> ACK
    ",
    );
}

#[test]
fn a_line_says_goodbye_with_what_it_was_asked_for() {
    check(
        "line goodbye",
        "
        line: a probe=0
        a <- REGISTER    a -> 401 REGISTER {WWW-Authenticate: Digest realm=\"carrier\", nonce=\"one\", qop=\"auth\"}
        a <- REGISTER    a -> 200 REGISTER {Expires: 600}    state: a up
        off a    a <- REGISTER {Expires: 0} {Authorization: nc=00000002}    a -> 200 REGISTER
        state: a gone
    ",
    );
}
