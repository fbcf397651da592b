//! Transfer: REFER, without a question and after one, and what its partners see of it (RFC 3515, RFC 5589); taking over a call by
//! INVITE with Replaces (RFC 3891).

use crate::check::check;

/// 201 and 202 talk; then what is given.
fn talking(name: &str, ladder: &str) {
    check(
        name,
        &format!(
            "
        phones: 201 202 203
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK    media: 201 <-> 202
        {ladder}
    "
        ),
    );
}

#[test]
fn without_a_question() {
    for reborn in ["", "reborn"] {
        talking(
            &format!("the caller sends the called one on, and hears how it goes {reborn}"),
            &format!(
                "
            201 -> REFER to=203@pbx.test    201 <- 202 REFER {{Contact: sip:}} {{!Refer-Sub}}
            201 <- NOTIFY body=[SIP/2.0 100 Trying] {{Event: refer}} {{!Event: id}} {{Subscription-State: active;expires=}} {{Content-Type: message/sipfrag}}
            201 -> 200 NOTIFY    media: none
            203 <- INVITE {{From: \"Phone 202\" <sip:202@pbx.test>}} {{P-Asserted-Identity: Phone 202}} {{Max-Forwards: 68}}
            {reborn}
            203 -> 180    201 <- NOTIFY body=[SIP/2.0 180 Ringing] {{Subscription-State: active}}    201 -> 200 NOTIFY
            203 -> 200    203 <- ACK    media: 202 <-> 203
            201 <- NOTIFY body=[SIP/2.0 200 OK] {{Subscription-State: terminated;reason=noresource}}    201 -> 200 NOTIFY
            201 <- BYE    201 -> 200 BYE    202 <- nothing
            record: answered 202=transferred    trace: extension transferred    caller: 201
            202 -> BYE    202 <- 200 BYE    203 <- BYE    203 -> 200 BYE
            record: answered 203=answered    trace: transferred extension    caller: 202
        "
            ),
        );
    }
    talking(
        "the called one sends the caller on",
        "
        202 -> REFER to=203@pbx.test    202 <- 202 REFER    202 <- NOTIFY    202 -> 200 NOTIFY
        203 <- INVITE {From: \"Phone 201\"}    203 -> 200    203 <- ACK    media: 201 <-> 203
        202 <- NOTIFY body=[200 OK]    202 -> 200 NOTIFY    202 <- BYE    202 -> 200 BYE
        record: answered 202=answered
        203 -> BYE    203 <- 200 BYE    201 <- BYE    201 -> 200 BYE
        record: answered 203=answered    caller: 201
    ",
    );
    talking(
        "a caller who hides is hidden from the third one too",
        "
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE    record: answered
        201 -> INVITE 202 {Privacy: id}    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        202 -> REFER to=203@pbx.test    202 <- 202 REFER    202 <- NOTIFY    202 -> 200 NOTIFY
        203 <- INVITE {From: anonymous.invalid} {!From: 201} {!P-Asserted-Identity}
        203 -> 200    203 <- ACK    202 <- NOTIFY body=[200 OK]    202 -> 200 NOTIFY    202 <- BYE    202 -> 200 BYE
        record: answered
        203 -> BYE    203 <- 200 BYE    201 <- BYE    201 -> 200 BYE    record: answered
    ",
    );
    talking(
        "the one who was sent on learns whom they talk to, and in which codec",
        "
        202 -> UPDATE {Allow: INVITE, UPDATE}    202 <- 200 UPDATE
        201 -> REFER to=203@pbx.test    201 <- 202 REFER    201 <- NOTIFY    201 -> 200 NOTIFY
        203 <- INVITE codecs=8,0,101    203 -> 200 codecs=0,101    203 <- ACK
        202 <- INVITE codecs=0,101 dir=sendrecv {P-Asserted-Identity: \"Phone 203\"}    202 -> 200 codecs=0,101    202 <- ACK
        numbers: 202 0=PCMU 101=TELEPHONE-EVENT    media: 202 <-> 203
        201 <- NOTIFY body=[200 OK]    201 -> 200 NOTIFY    201 <- BYE    201 -> 200 BYE    record: answered
        202 -> BYE    202 <- 200 BYE    203 <- BYE    203 -> 200 BYE    record: answered
    ",
    );
    talking(
        "and by UPDATE, if nothing but the name has changed",
        "
        202 -> UPDATE {Allow: INVITE, UPDATE}    202 <- 200 UPDATE
        201 -> REFER to=203@pbx.test    201 <- 202 REFER    201 <- NOTIFY    201 -> 200 NOTIFY
        203 <- INVITE    203 -> 200    203 <- ACK
        202 <- UPDATE nosdp {P-Asserted-Identity: \"Phone 203\" <sip:203@pbx.test>}    202 -> 200 UPDATE
        201 <- NOTIFY body=[200 OK]    201 -> 200 NOTIFY    201 <- BYE    201 -> 200 BYE    record: answered
        202 -> BYE    202 <- 200 BYE    203 <- BYE    203 -> 200 BYE    record: answered
    ",
    );
}

#[test]
fn whoever_is_sent_on_in_vain_comes_back() {
    for (said, told, outcome) in [("486", "486 Busy Here", "busy"), ("603", "603 Decline", "declined")] {
        talking(
            &format!("the third one says {said}"),
            &format!(
                "
            201 -> INVITE dir=sendonly    201 <- 200    201 -> ACK
            201 -> REFER to=203@pbx.test    201 <- 202 REFER    201 <- NOTIFY    201 -> 200 NOTIFY
            203 <- INVITE    203 -> {said}    203 <- ACK
            201 <- NOTIFY body=[SIP/2.0 {told}] {{Subscription-State: terminated}}    201 -> 200 NOTIFY
            media: 201 -> 202    202 <- nothing    record: {outcome} 203={outcome}
            201 -> INVITE    201 <- 200    201 -> ACK    media: 201 <-> 202
            201 -> REFER to=203@pbx.test    201 <- 202 REFER    201 <- NOTIFY {{Event: refer;id=7}}    201 -> 200 NOTIFY
            203 <- INVITE    203 -> 200    203 <- ACK    media: 202 <-> 203
            201 <- NOTIFY body=[200 OK] {{Event: refer;id=7}}    201 -> 200 NOTIFY    201 <- BYE    201 -> 200 BYE
            record: answered 202=transferred
            203 -> BYE    203 <- 200 BYE    202 <- BYE    202 -> 200 BYE    record: answered
        "
            ),
        );
    }
    talking(
        "nobody comes",
        "
        201 -> REFER to=203@pbx.test    201 <- 202 REFER    201 <- NOTIFY    201 -> 200 NOTIFY
        203 <- INVITE    203 -> 180    201 <- NOTIFY body=[180 Ringing]    201 -> 200 NOTIFY
        wait 60s    203 <- CANCEL    203 -> 200 CANCEL    203 -> 487    203 <- ACK
        201 <- NOTIFY body=[480 Temporarily Unavailable]    201 -> 200 NOTIFY    media: 201 <-> 202    record: no_answer
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE    record: answered 202=answered
    ",
    );
    for (number, told, code) in
        [("288", "404 Not Found", "no_extension"), ("0899000000", "403 Forbidden", "to_refusal"), ("204", "480", "extension")]
    {
        talking(
            &format!("{number} is not to be had, by the rights of who asks"),
            &format!(
                "
            201 -> REFER to={number}@pbx.test    201 <- 202 REFER    201 <- NOTIFY body=[100]    201 -> 200 NOTIFY
            201 <- NOTIFY body=[{told}]    201 -> 200 NOTIFY    media: 201 <-> 202    202 <- nothing
            record: {0}    trace: transferred {code} turned
            201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE    record: answered
        ",
                match number {
                    "288" => "unknown_number",
                    "204" => "unregistered",
                    _ => "premium",
                }
            ),
        );
    }
}

#[test]
fn somebody_leaves_in_between() {
    talking(
        "who asked hangs up at once: it goes on without them",
        "
        201 -> REFER to=203@pbx.test    201 <- 202 REFER    201 <- NOTIFY    201 -> 200 NOTIFY    203 <- INVITE
        201 -> BYE    201 <- 200 BYE    201 <- NOTIFY body=[100 Trying] {Subscription-State: terminated}    201 -> 481 NOTIFY
        record: answered 202=transferred
        203 -> 180    203 -> 200    203 <- ACK    media: 202 <-> 203
        202 -> BYE    202 <- 200 BYE    203 <- BYE    203 -> 200 BYE    record: answered
    ",
    );
    talking(
        "and the third one refuses then: nobody is left to go back to",
        "
        201 -> REFER to=203@pbx.test    201 <- 202 REFER    201 <- NOTIFY    201 -> 200 NOTIFY    203 <- INVITE
        201 -> BYE    201 <- 200 BYE    201 <- NOTIFY    201 -> 200 NOTIFY    record: answered
        203 -> 486    203 <- ACK    202 <- BYE    202 -> 200 BYE    record: busy
    ",
    );
    talking(
        "who was sent on hangs up while it rings",
        "
        201 -> REFER to=203@pbx.test    201 <- 202 REFER    201 <- NOTIFY    201 -> 200 NOTIFY    203 <- INVITE
        203 -> 180    201 <- NOTIFY body=[180]    201 -> 200 NOTIFY
        202 -> BYE    202 <- 200 BYE    203 <- CANCEL    203 -> 200 CANCEL    203 -> 487    203 <- ACK
        201 <- NOTIFY body=[487]    201 -> 200 NOTIFY    201 <- BYE    201 -> 200 BYE
        record: abandoned    record: answered
    ",
    );
}

#[test]
fn who_wishes_to_hear_nothing_of_it() {
    for wish in ["{Refer-Sub: false}", "{Require: norefersub}"] {
        talking(
            wish,
            &format!(
                "
            201 -> REFER to=203@pbx.test {wish}    201 <- 202 REFER {{Refer-Sub: false}}    201 <- nothing
            203 <- INVITE    203 -> 200    203 <- ACK    201 <- BYE    201 -> 200 BYE    record: answered
            202 -> BYE    202 <- 200 BYE    203 <- BYE    203 -> 200 BYE    record: answered
        "
            ),
        );
    }
}

#[test]
fn what_is_no_transfer() {
    talking(
        "requests that lead nowhere are refused, and the call goes on",
        "
        201 -> REFER    201 <- 400    201 -> REFER to=pbx.test    201 <- 400
        201 -> REFER {Refer-To: <http://pbx.test/>}    201 <- 416
        201 -> REFER {Refer-To: <sip:203@pbx.test;method=SUBSCRIBE>}    201 <- 501
        201 -> REFER {Refer-To: <sip:pbx.test?Replaces=nobody%3Bto-tag%3Da%3Bfrom-tag%3Db>}    201 <- 202 REFER    201 <- NOTIFY    201 -> 200 NOTIFY
        201 <- NOTIFY body=[SIP/2.0 481] {Subscription-State: terminated}    201 -> 200 NOTIFY    media: 201 <-> 202
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE    record: answered
        201 -> REFER pbx to=203@pbx.test    201 <- 481
    ",
    );
    check(
        "nobody is connected yet; a second one while the first goes on; somebody who does not say who it is, or may not call any more",
        "
        phones: 201 202 203
        201 -> INVITE 202    202 <- INVITE    202 -> 180    201 <- 180
        201 -> REFER to=203@pbx.test    201 <- 603
        202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        201 -> REFER to=203@pbx.test    201 <- 202 REFER    201 <- NOTIFY    201 -> 200 NOTIFY    203 <- INVITE
        201 -> REFER to=203@pbx.test    201 <- 491    202 -> REFER to=203@pbx.test    202 <- 491
        203 -> 486    203 <- ACK    201 <- NOTIFY    201 -> 200 NOTIFY    record: busy
        201 -> REFER to=203@pbx.test bare    201 <- 401    disable 201    201 -> REFER to=203@pbx.test bare    201 <- 401
        202 -> BYE    202 <- 200 BYE    201 <- BYE    201 -> 200 BYE    record: answered
    ",
    );
}

/// 201 has put 202 on hold and talks to 203.
fn after_a_question(name: &str, ladder: &str) {
    talking(
        name,
        &format!(
            "
        201 -> INVITE dir=sendonly    201 <- 200    201 -> ACK
        201 -> INVITE 203    203 <- INVITE    203 -> 200    203 <- ACK    201 <- 200    201 -> ACK    media: 201 -> 202, 201 <-> 203
        {ladder}
    "
        ),
    );
}

#[test]
fn after_having_asked() {
    for reborn in ["", "reborn"] {
        after_a_question(
            &format!("the two others are connected, and both calls of who asked end {reborn}"),
            &format!(
                "
            {reborn}
            201 -> REFER call=1 replaces=2    201 <- 202 REFER    201 <- NOTIFY body=[100]    201 -> 200 NOTIFY
            201 <- BYE    201 -> 200 BYE    201 <- NOTIFY body=[200 OK] {{Subscription-State: terminated}}    201 -> 200 NOTIFY
            201 <- BYE    201 -> 200 BYE    media: 202 <-> 203    202 <- nothing    203 <- nothing
            record: answered 202=transferred    trace: extension transferred
            203 -> BYE    203 <- 200 BYE    202 <- BYE    202 -> 200 BYE
            record: answered 203=answered 202=answered    trace: extension transferred    caller: 201
        "
            ),
        );
    }
    after_a_question(
        "from the other of the two calls it comes to the same",
        "
        201 -> REFER call=2 replaces=1    201 <- 202 REFER    201 <- NOTIFY    201 -> 200 NOTIFY
        201 <- BYE    201 -> 200 BYE    201 <- NOTIFY body=[200 OK]    201 -> 200 NOTIFY    201 <- BYE    201 -> 200 BYE
        media: 202 <-> 203    record: answered 203=transferred
        202 -> BYE    202 <- 200 BYE    203 <- BYE    203 -> 200 BYE    record: answered
    ",
    );
    after_a_question(
        "who takes UPDATE learns whom they talk to now",
        "
        202 -> UPDATE {Allow: UPDATE}    202 <- 200 UPDATE    203 -> UPDATE {Allow: UPDATE}    203 <- 200 UPDATE
        201 -> REFER call=1 replaces=2    201 <- 202 REFER    201 <- NOTIFY    201 -> 200 NOTIFY
        202 <- UPDATE nosdp {P-Asserted-Identity: \"Phone 203\"}    202 -> 200 UPDATE
        203 <- UPDATE nosdp {P-Asserted-Identity: \"Phone 202\"}    203 -> 200 UPDATE
        201 <- BYE    201 -> 200 BYE    201 <- NOTIFY    201 -> 200 NOTIFY    201 <- BYE    201 -> 200 BYE    record: answered
        203 -> BYE    203 <- 200 BYE    202 <- BYE    202 -> 200 BYE    record: answered
    ",
    );
    check(
        "what only one of them speaks is spoken no more",
        "
        phones: 201 202 203
        201 -> INVITE 202 codecs=8,0,101    202 <- INVITE    202 -> 200 codecs=8,0,101    202 <- ACK    201 <- 200    201 -> ACK
        201 -> INVITE 203 codecs=8,0,101    203 <- INVITE    203 -> 200 codecs=0,101    203 <- ACK    201 <- 200    201 -> ACK
        201 -> REFER call=1 replaces=2    201 <- 202 REFER    201 <- NOTIFY    201 -> 200 NOTIFY
        202 <- INVITE codecs=0,101    202 -> 200 codecs=0,101    202 <- ACK    203 <- nothing
        numbers: 202 0=PCMU 101=TELEPHONE-EVENT    media: 202 <-> 203
        201 <- BYE    201 -> 200 BYE    201 <- NOTIFY    201 -> 200 NOTIFY    201 <- BYE    201 -> 200 BYE    record: answered
        203 -> BYE    203 <- 200 BYE    202 <- BYE    202 -> 200 BYE    record: answered
    ",
    );
    check(
        "nothing in common: all stays as it was",
        "
        phones: 201 202 203
        201 -> INVITE 202 codecs=8,101    202 <- INVITE    202 -> 200 codecs=8,101    202 <- ACK    201 <- 200    201 -> ACK
        201 -> INVITE 203 codecs=0,101    203 <- INVITE    203 -> 200 codecs=0,101    203 <- ACK    201 <- 200    201 -> ACK
        201 -> REFER call=1 replaces=2    201 <- 202 REFER    201 <- NOTIFY    201 -> 200 NOTIFY
        201 <- NOTIFY body=[488]    201 -> 200 NOTIFY    media: 201 <-> 202, 201 <-> 203
        201 -> BYE call=1    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE    record: answered
        201 -> BYE call=2    201 <- 200 BYE    203 <- BYE    203 -> 200 BYE    record: answered
    ",
    );
}

#[test]
fn while_it_still_rings() {
    let ringing = "201 -> INVITE 203    203 <- INVITE    203 -> 180    201 <- 180    201 -> REFER call=1 replaces=2
        201 <- 202 REFER    201 <- NOTIFY body=[100]    201 -> 200 NOTIFY    201 <- 487 INVITE    201 -> ACK call=2
        201 <- NOTIFY body=[180]    201 -> 200 NOTIFY    203 <- nothing    media: none";
    talking(
        "who waited takes the place of who asked, and is answered",
        &format!(
            "{ringing}
        203 -> 200    203 <- ACK    media: 202 <-> 203
        201 <- NOTIFY body=[200 OK]    201 -> 200 NOTIFY    201 <- BYE    201 -> 200 BYE    record: answered 202=transferred
        203 -> BYE    203 <- 200 BYE    202 <- BYE    202 -> 200 BYE    record: answered 203=answered 202=answered    caller: 201
    "
        ),
    );
    talking(
        "or is not, and goes back",
        &format!(
            "{ringing}
        203 -> 486    203 <- ACK    201 <- NOTIFY body=[486]    201 -> 200 NOTIFY    media: 201 <-> 202    record: busy
        201 -> BYE call=1    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE    record: answered
    "
        ),
    );
}

#[test]
fn whose_call_it_is() {
    check(
        "nobody disposes of another's call",
        "
        phones: 201 202 203 204
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        203 -> INVITE 204    204 <- INVITE    204 -> 200    204 <- ACK    203 <- 200    203 -> ACK
        201 -> REFER named=203/1    201 <- 202 REFER    201 <- NOTIFY    201 -> 200 NOTIFY    201 <- NOTIFY body=[403]    201 -> 200 NOTIFY
        201 -> INVITE 203 place=203/1    201 <- 403    201 -> ACK call=2
        media: 201 <-> 202, 203 <-> 204
        201 -> BYE call=1    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE    record: answered
        203 -> BYE    203 <- 200 BYE    204 <- BYE    204 -> 200 BYE    record: answered
    ",
    );
}

#[test]
fn a_call_goes_on_on_another_phone() {
    for reborn in ["", "reborn"] {
        check(
            &format!("of the same extension; the first one is told goodbye {reborn}"),
            &format!(
                "
            phones: 201 201b 202
            202 -> INVITE 201    201b <- INVITE    201 <- INVITE    201 -> 200    201 <- ACK    202 <- 200    202 -> ACK    201b <- nothing
            201b -> 180    201b <- CANCEL    201b -> 200 CANCEL    201b -> 487    201b <- ACK
            {reborn}
            201b -> INVITE 202 place=201/1 codecs=8,101    201b <- 200 codecs=8,101 {{P-Asserted-Identity: 202}}    201b -> ACK
            201 <- BYE    201 -> 200 BYE    202 <- INVITE codecs=8,101    202 -> 200 codecs=8,101    202 <- ACK    media: 202 <-> 201b
            202 -> BYE    202 <- 200 BYE    201b <- BYE    201b -> 200 BYE
            record: answered    trace: extension taken_over
        "
            ),
        );
    }
    check(
        "not if only one that rings was meant; and not one that is over",
        "
        phones: 201 201b 202
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        201b -> INVITE 202 place=201/1 early    201b <- 486    201b -> ACK
        201b -> INVITE 202 place=201/1 codecs=18    201b <- 488    201b -> ACK    media: 201 <-> 202    ports: 2
        201b -> INVITE 202 {Replaces: x}    201b <- 400    201b -> ACK
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE    record: answered
        201b -> INVITE 202 place=201/1    201b <- 481    201b -> ACK
    ",
    );
}

#[test]
fn a_call_that_rings_elsewhere_is_picked_up() {
    check(
        "by who was shown its dialog",
        "
        phones: 201 202 202b 203
        201 -> INVITE 202    202b <- INVITE    202 <- INVITE    202 -> 180    202b -> 180    201 <- 180
        203 -> INVITE 202 place=202/1 early    203 <- 200 codecs=8,0,101 {P-Asserted-Identity: 201}    203 -> ACK
        202 <- CANCEL {Reason: cause=200}    202 -> 200 CANCEL    202 -> 487    202 <- ACK
        202b <- CANCEL    202b -> 200 CANCEL    202b -> 487    202b <- ACK
        201 <- 200 {P-Asserted-Identity: \"Phone 203\"}    201 -> ACK    media: 201 <-> 203
        201 -> BYE    201 <- 200 BYE    203 <- BYE    203 -> 200 BYE
        record: answered 202=elsewhere 202=elsewhere 203=answered    trace: extension taken_over
    ",
    );
    check(
        "not that of the caller, and not without a codec in common",
        "
        phones: 201 202 203
        201 -> INVITE 202    202 <- INVITE    202 -> 180    201 <- 180
        203 -> INVITE 202 place=201/1    203 <- 481    203 -> ACK
        203 -> INVITE 202 place=202/1 codecs=18    203 <- 488    203 -> ACK    ports: 2
        202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE    record: answered
    ",
    );
}
