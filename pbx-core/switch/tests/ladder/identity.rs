//! What two people learn of each other, and why a call ended.

use crate::check::check;

#[test]
fn caller_and_callee_know_each_other() {
    check(
        "by name and number, in the form that networks believe",
        "
        phones: 201 202
        201 -> INVITE 202
        202 <- INVITE {From: \"Phone 201\" <sip:201@pbx.test>} {P-Asserted-Identity: \"Phone 201\" <sip:201@pbx.test>} {!Privacy} {!Remote-Party-ID}
        202 -> 180    201 <- 180 {P-Asserted-Identity: \"Phone 202\" <sip:202@pbx.test>} {!Remote-Party-ID}
        202 -> 200    202 <- ACK    201 <- 200 {P-Asserted-Identity: \"Phone 202\" <sip:202@pbx.test>}    201 -> ACK
        201 -> BYE    201 <- 200 BYE    202 <- BYE {!P-Asserted-Identity}    202 -> 200 BYE
        record: answered
    ",
    );
    check(
        "what a phone says of itself in From is not believed",
        "
        phones: 201 202
        201 -> INVITE 202 {P-Asserted-Identity: <sip:203@pbx.test>} {P-Preferred-Identity: <sip:203@pbx.test>} {Diversion: <sip:204@pbx.test>}
        202 <- INVITE {From: sip:201@pbx.test} {P-Asserted-Identity: sip:201@pbx.test} {!P-Asserted-Identity: 203} {!Diversion}
        202 -> 486    202 <- ACK    201 <- 486    201 -> ACK
        record: busy
    ",
    );
    check(
        "phones that look in Remote-Party-ID find it there",
        "
        phones: 201 202-
        202 -> REGISTER {User-Agent: Cisco/SPA525G-7.6.2}    202 <- 200
        201 -> INVITE 202
        202 <- INVITE {Remote-Party-ID: \"Phone 201\" <sip:201@pbx.test>;party=calling;screen=yes;privacy=off} {P-Asserted-Identity: 201}
        202 -> 486    202 <- ACK    201 <- 486    201 -> ACK
        record: busy
        202 -> INVITE 201 {User-Agent: Cisco/SPA525G-7.6.2}    201 <- INVITE {!Remote-Party-ID}
        201 -> 180    202 <- 180 {Remote-Party-ID: \"Phone 201\" <sip:201@pbx.test>;party=called}
        201 -> 486    201 <- ACK    202 <- 486    202 -> ACK
        record: busy
    ",
    );
}

#[test]
fn a_caller_who_hides() {
    for asks in [
        "{Privacy: id}",
        "{Privacy: user;id}",
        "{Remote-Party-ID: <sip:201@pbx.test>;party=calling;privacy=full}",
        "{From: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=t4-201}",
    ] {
        check(
            &format!("{asks}: nothing that reaches the other side says who it is, and the house knows"),
            &format!(
                "
            phones: 201 202-
            202 -> REGISTER {{User-Agent: Cisco/SPA525G-7.6.2}}    202 <- 200
            201 -> INVITE 202 {asks}
            202 <- INVITE {{From: \"Anonymous\" <sip:anonymous@anonymous.invalid>}} {{Privacy: id}} {{!From: 201}} {{!Contact: 201}} {{!Call-ID: 201}} {{!P-Asserted-Identity}} {{!Remote-Party-ID}} {{!Diversion}}
            202 -> 200    202 <- ACK {{From: anonymous.invalid}} {{!From: 201}}    201 <- 200 {{P-Asserted-Identity: 202}}    201 -> ACK
            201 -> BYE    201 <- 200 BYE    202 <- BYE {{From: anonymous.invalid}} {{!From: 201}}    202 -> 200 BYE
            record: answered    caller: 201
        "
            ),
        );
    }
}

#[test]
fn a_callee_who_hides() {
    check(
        "the caller is told so, and nothing else",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE
        202 -> 180 {Privacy: id}    201 <- 180 {Privacy: id} {!P-Asserted-Identity} {!Contact: 202}
        202 -> 200 {Privacy: id}    202 <- ACK    201 <- 200 {Privacy: id} {!P-Asserted-Identity}    201 -> ACK
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE
        record: answered
    ",
    );
}

#[test]
fn a_phone_that_is_to_answer_by_itself() {
    for (asks, user_agent, told) in [
        ("{Call-Info: <sip:pbx.test>;answer-after=0}", "Linphone/3.12", "{Call-Info: ;answer-after=0} {!Alert-Info}"),
        ("{Alert-Info: <http://x>;info=alert-autoanswer}", "Yealink SIP-T46U", "{Alert-Info: ;info=alert-autoanswer} {!Call-Info}"),
        ("{Answer-Mode: Auto}", "Grandstream GXP2170", "{Alert-Info: ;info=alert-autoanswer} {!Call-Info}"),
        ("{Alert-Info: <http://x/ring.wav>}", "Yealink SIP-T46U", "{!Alert-Info} {!Call-Info}"),
    ] {
        check(
            &format!("{asks} to {user_agent}"),
            &format!(
                "
            phones: 201 202-
            202 -> REGISTER {{User-Agent: {user_agent}}}    202 <- 200
            201 -> INVITE 202 {asks}    202 <- INVITE {told}
            202 -> 486    202 <- ACK    201 <- 486    201 -> ACK
            record: busy
        "
            ),
        );
    }
}

#[test]
fn why_it_ended_is_passed_on() {
    check(
        "of a CANCEL",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 180    201 <- 180
        201 -> CANCEL {Reason: SIP;cause=200;text=\"Call completed elsewhere\"}    201 <- 200 CANCEL    201 <- 487    201 -> ACK
        202 <- CANCEL {Reason: SIP;cause=200;text=\"Call completed elsewhere\"}    202 -> 200 CANCEL    202 -> 487    202 <- ACK
        record: abandoned
    ",
    );
    check(
        "of a BYE, if it means something on the other side",
        "
        phones: 201 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        202 -> BYE {Reason: Q.850;cause=31;text=\"normal\", my-phone;cause=77}
        202 <- 200 BYE    201 <- BYE {Reason: Q.850;cause=31;text=\"normal\"} {!Reason: 77}    201 -> 200 BYE
        record: answered
    ",
    );
}
