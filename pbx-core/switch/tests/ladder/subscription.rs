//! Events (RFC 6665): the lamps of desk phones, waiting messages, how somebody is, one's own phones.

use crate::check::check;

#[test]
fn a_lamp_follows_the_calls_of_a_colleague() {
    check(
        "trying, ringing, talking, over; each change once, and a refresh tells everything anew",
        r#"
        phones: 201 202 203
        203 -> SUBSCRIBE dialog of=202 expires=600
        203 <- 200 SUBSCRIBE {Expires: 600} {Contact: sip:192.0.2.254}
        203 <- NOTIFY {Event: dialog} {Subscription-State: active;expires=600} {Content-Type: application/dialog-info+xml} body=[version="0" state="full" entity="sip:202@pbx.test"] without=[<dialog ]
        203 -> 200 NOTIFY
        201 -> INVITE 202    202 <- INVITE
        203 <- NOTIFY body=[version="1" state="partial"] body=[direction="recipient"] body=[<state>trying</state>]    203 -> 200 NOTIFY
        202 -> 180    201 <- 180
        203 <- NOTIFY body=[<state>early</state>] body=[call-id=] body=[local-tag="u202"] body=[<identity display="Phone 201">sip:201@pbx.test</identity>]    203 -> 200 NOTIFY
        202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        203 <- NOTIFY body=[<state>confirmed</state>] body=[pval="yes"] without=[call-id=]    203 -> 200 NOTIFY
        203 -> SUBSCRIBE dialog of=202 expires=600    203 <- 200
        203 <- NOTIFY body=[state="full"] body=[<state>confirmed</state>]    203 -> 200 NOTIFY
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE
        203 <- NOTIFY body=[version="5" state="partial"] body=[<state>terminated</state>]    203 -> 200 NOTIFY
        record: answered
        203 -> SUBSCRIBE dialog of=202 expires=0    203 <- 200 {Expires: 0}
        203 <- NOTIFY {Subscription-State: terminated;reason=timeout} body=[state="full"]    203 -> 200 NOTIFY
        subscriptions: 0
    "#,
    );
    check(
        "whoever calls, and whom: the other direction",
        r#"
        phones: 201 202 203
        203 -> SUBSCRIBE dialog of=201    203 <- 200 {Expires: 3600}    203 <- NOTIFY    203 -> 200 NOTIFY
        201 -> INVITE 202    202 <- INVITE    203 <- NOTIFY body=[direction="initiator"] body=[<state>trying</state>]    203 -> 200 NOTIFY
        202 -> 180    201 <- 180    203 <- NOTIFY body=[<state>early</state>] body=[sip:202@pbx.test] without=[call-id=]    203 -> 200 NOTIFY
        202 -> 486    202 <- ACK    201 <- 486    201 -> ACK    203 <- NOTIFY body=[terminated]    203 -> 200 NOTIFY
        record: busy
        203 -> SUBSCRIBE dialog of=201 expires=0    203 <- 200    203 <- NOTIFY    203 -> 200 NOTIFY
    "#,
    );
    check(
        "somebody on hold is not heard",
        r#"
        phones: 201 202 203
        203 -> SUBSCRIBE dialog of=201    203 <- 200    203 <- NOTIFY    203 -> 200 NOTIFY
        201 -> INVITE 202    202 <- INVITE    202 -> 200    202 <- ACK    201 <- 200    201 -> ACK
        203 <- NOTIFY    203 -> 200 NOTIFY    203 <- NOTIFY body=[pval="yes"]    203 -> 200 NOTIFY
        201 -> INVITE dir=sendonly    201 <- 200    201 -> ACK    203 <- NOTIFY body=[pval="no"]    203 -> 200 NOTIFY
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE    203 <- NOTIFY    203 -> 200 NOTIFY    record: answered
        203 -> SUBSCRIBE dialog of=201 expires=0    203 <- 200    203 <- NOTIFY    203 -> 200 NOTIFY
    "#,
    );
}

#[test]
fn one_notify_at_a_time() {
    check(
        "what changes while a phone has not answered is in the next one",
        r#"
        phones: 201 202 203
        203 -> SUBSCRIBE dialog of=202    203 <- 200    203 <- NOTIFY
        201 -> INVITE 202    202 <- INVITE    202 -> 180    201 <- 180    203 <- nothing
        203 -> 200 NOTIFY    203 <- NOTIFY body=[version="1"] body=[early]
        202 -> 200    202 <- ACK    201 <- 200    201 -> ACK    201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE    203 <- nothing
        203 -> 200 NOTIFY    203 <- NOTIFY body=[version="2"] body=[terminated]    203 -> 200 NOTIFY    record: answered
        203 -> SUBSCRIBE dialog of=202 expires=0    203 <- 200    203 <- NOTIFY    203 -> 200 NOTIFY
    "#,
    );
    check(
        "that it is over is told after what was told before",
        r#"
        phones: 201 202 203
        203 -> SUBSCRIBE dialog of=202    203 <- 200    203 <- NOTIFY {Subscription-State: active}
        disable 202    203 <- nothing    subscriptions: 1    203 -> SUBSCRIBE dialog of=202    203 <- 481
        203 -> 200 NOTIFY    203 <- NOTIFY {Subscription-State: terminated;reason=noresource}    203 -> 200 NOTIFY
        201 -> SUBSCRIBE dialog of=203    201 <- 200    201 <- NOTIFY    201 -> SUBSCRIBE dialog of=203 expires=0    201 <- 200 {Expires: 0}    201 <- nothing
        201 -> 481 NOTIFY    201 <- nothing    subscriptions: 0
    "#,
    );
    check(
        "a phone that does not know its subscription, or never answers, has none",
        r#"
        phones: 201 202 203
        203 -> SUBSCRIBE dialog of=202    203 <- 200    203 <- NOTIFY    203 -> 481 NOTIFY    subscriptions: 0
        203 -> SUBSCRIBE dialog of=202 anew    203 <- 200    203 <- NOTIFY    subscriptions: 1
        wait 33s    203 <- NOTIFY x10    subscriptions: 0
    "#,
    );
    check(
        "one that cannot take this one is told the next",
        r#"
        phones: 201 202
        202 -> SUBSCRIBE presence of=201    202 <- 200    202 <- NOTIFY body=[<basic>open</basic>]    202 -> 500 NOTIFY
        201 -> REGISTER expires=0    201 <- 200    202 <- NOTIFY body=[<basic>closed</basic>]    202 -> 200 NOTIFY
        202 -> SUBSCRIBE presence of=201 expires=0    202 <- 200    202 <- NOTIFY    202 -> 200 NOTIFY
    "#,
    );
}

#[test]
fn who_may_watch_and_what() {
    check(
        "who does not prove itself learns nothing; known and unknown are answered alike",
        "
        phones: 201 202
        201 -> SUBSCRIBE dialog of=202 bare    201 <- 401
        201 -> SUBSCRIBE dialog of=999 bare anew    201 <- 401
        201 -> SUBSCRIBE dialog of=999 anew    201 <- 404
        201 -> SUBSCRIBE dialog of=209 anew    201 <- 404
    ",
    );
    check(
        "one's own messages and phones, and nobody else's",
        "
        phones: 201 202
        201 -> SUBSCRIBE message-summary of=202    201 <- 403
        201 -> SUBSCRIBE reg of=202    201 <- 403
    ",
    );
    check(
        "packages, documents and times that we do not have",
        "
        phones: 201 202
        201 -> SUBSCRIBE conference of=202    201 <- 489 {Allow-Events: dialog, message-summary, presence, reg}
        201 -> SUBSCRIBE dialog of=202 {Accept: text/plain} anew    201 <- 406 {Accept: application/dialog-info+xml}
        201 -> SUBSCRIBE dialog of=202 anew {Contact: <mailto:a@h>}    201 <- 400
        201 -> SUBSCRIBE dialog of=202 expires=5 anew    201 <- 423 {Min-Expires: 60}
        201 -> SUBSCRIBE dialog of=202 anew {Contact: none}    201 <- 400
        201 -> SUBSCRIBE dialog of=202 expires=99999 anew    201 <- 200 {Expires: 7200}    201 <- NOTIFY    201 -> 200 NOTIFY
        201 -> SUBSCRIBE dialog of=202 expires=5    201 <- 423
        201 -> SUBSCRIBE dialog of=202 event=presence    201 <- 489
        201 -> SUBSCRIBE dialog of=202 expires=0    201 <- 200    201 <- NOTIFY    201 -> 200 NOTIFY
        201 -> OPTIONS pbx    201 <- 200 {Allow-Events: dialog} {Allow: SUBSCRIBE}
    ",
    );
    check(
        "a question without a subscription is answered once",
        "
        phones: 201 202
        201 -> SUBSCRIBE presence of=202 expires=0    201 <- 200 {Expires: 0}
        201 <- NOTIFY {Subscription-State: terminated;reason=timeout} body=[<basic>open</basic>]    201 -> 200 NOTIFY
        subscriptions: 0
    ",
    );
    check(
        "somebody else's calls from outside are theirs; whoever hides is hidden",
        r#"
        line: a mode=static probe=0
        number: +33199001234 202
        phones: 202 203 202b
        203 -> SUBSCRIBE dialog of=202    203 <- 200    203 <- NOTIFY    203 -> 200 NOTIFY
        202b -> SUBSCRIBE dialog of=202    202b <- 200    202b <- NOTIFY    202b -> 200 NOTIFY
        a -> INVITE +33199001234 {From: <sip:+33639981234@carrier.test>;tag=c}    202 <- INVITE    202b <- INVITE
        203 <- NOTIFY without=[639981234]    203 -> 200 NOTIFY
        202b <- NOTIFY body=[+33639981234]    202b -> 200 NOTIFY
        202 -> 486    202 <- ACK    203 <- NOTIFY    203 -> 200 NOTIFY    202b <- NOTIFY    202b -> 200 NOTIFY
        202b -> 486    202b <- ACK    a <- 486    a -> ACK    203 <- NOTIFY    203 -> 200 NOTIFY    202b <- NOTIFY    202b -> 200 NOTIFY    record: busy
        203 -> SUBSCRIBE dialog of=202 expires=0    203 <- 200    203 <- NOTIFY    203 -> 200 NOTIFY
        202b -> SUBSCRIBE dialog of=202 expires=0    202b <- 200    202b <- NOTIFY    202b -> 200 NOTIFY
    "#,
    );
}

#[test]
fn a_colleague_takes_a_call_that_a_lamp_shows() {
    check(
        "Replaces, with the tags of the lamp",
        "
        phones: 201 202 203
        203 -> SUBSCRIBE dialog of=202    203 <- 200    203 <- NOTIFY    203 -> 200 NOTIFY
        201 -> INVITE 202    202 <- INVITE    202 -> 180    201 <- 180
        203 <- NOTIFY body=[trying]    203 -> 200 NOTIFY    203 <- NOTIFY body=[early] body=[remote-tag=]    203 -> 200 NOTIFY
        203 -> INVITE 202 place=202/1    202 <- CANCEL    202 -> 200 CANCEL    202 -> 487    202 <- ACK    203 <- 200    203 -> ACK    201 <- 200    201 -> ACK
        203 <- NOTIFY body=[terminated]    203 -> 200 NOTIFY
        201 -> BYE    201 <- 200 BYE    203 <- BYE    203 -> 200 BYE    record: answered
        203 -> SUBSCRIBE dialog of=202 expires=0    203 <- 200    203 <- NOTIFY    203 -> 200 NOTIFY
    ",
    );
}

#[test]
fn messages_wait() {
    check(
        "a phone that asks is told now and when it changes",
        "
        phones: 201
        201 -> SUBSCRIBE message-summary    201 <- 200
        201 <- NOTIFY {Event: message-summary} {Content-Type: application/simple-message-summary} body=[Messages-Waiting: no] body=[Message-Account: sip:201@pbx.test]    201 -> 200 NOTIFY
        messages 201 2/1    201 <- NOTIFY body=[Messages-Waiting: yes] body=[Voice-Message: 2/1 (0/0)]    201 -> 200 NOTIFY
        messages 201 2/1    201 <- nothing
        messages 201 0/3    201 <- NOTIFY body=[Messages-Waiting: no]    201 -> 200 NOTIFY
        201 -> SUBSCRIBE message-summary expires=0    201 <- 200    201 <- NOTIFY    201 -> 200 NOTIFY
    ",
    );
    check(
        "one that does not say whose, as the SPA of Linksys and Cisco: its own",
        "
        phones: 201
        201 -> SUBSCRIBE message-summary of=pbx.test expires=2147483647    201 <- 200 {Expires: 7200}
        201 <- NOTIFY body=[Message-Account: sip:201@pbx.test]    201 -> 200 NOTIFY
        201 -> SUBSCRIBE dialog of=pbx.test    201 <- 404
        201 -> SUBSCRIBE message-summary of=pbx.test expires=0    201 <- 200    201 <- NOTIFY    201 -> 200 NOTIFY
    ",
    );
    check(
        "one that does not ask is told too, and when it comes",
        "
        phones: 201 202
        messages 201 1/0    201 <- NOTIFY {Event: message-summary} body=[Messages-Waiting: yes]    201 -> 200 NOTIFY
        phones: 201b    201b <- NOTIFY body=[Voice-Message: 1/0]    201b -> 481 NOTIFY
        201 -> REGISTER    201 <- 200    201 <- nothing
        messages 201 0/1    201 <- NOTIFY body=[no]    201 -> 200 NOTIFY    201b <- NOTIFY body=[no]    201b -> 200 NOTIFY
    ",
    );
}

#[test]
fn how_somebody_is() {
    check(
        "there, on the phone, away by their own word, and gone",
        "
        phones: 201 202 203
        203 -> SUBSCRIBE presence of=202 {Accept: application/pidf+xml}    203 <- 200
        203 <- NOTIFY {Content-Type: application/pidf+xml} body=[<basic>open</basic>] without=[activities>]    203 -> 200 NOTIFY
        201 -> INVITE 202    202 <- INVITE    202 -> 180    201 <- 180    203 <- nothing
        202 -> 200    202 <- ACK    201 <- 200    201 -> ACK    203 <- NOTIFY body=[<rpid:on-the-phone/>]    203 -> 200 NOTIFY
        201 -> BYE    201 <- 200 BYE    202 <- BYE    202 -> 200 BYE    203 <- NOTIFY without=[on-the-phone]    203 -> 200 NOTIFY    record: answered
        202 -> PUBLISH away    202 <- 200 {SIP-ETag} {Expires: 600}    203 <- NOTIFY body=[<rpid:away/>]    203 -> 200 NOTIFY
        202 -> PUBLISH again    202 <- 200    203 <- nothing
        202 -> PUBLISH instead    202 <- 200    203 <- NOTIFY without=[away]    203 -> 200 NOTIFY
        202 -> PUBLISH gone    202 <- 200    203 <- nothing
        202 -> PUBLISH do-not-disturb    202 <- 200    203 <- NOTIFY body=[Do not disturb]    203 -> 200 NOTIFY
        wait 599s    until 203    203 <- NOTIFY without=[disturb]    203 -> 200 NOTIFY
        202 -> REGISTER expires=0    202 <- 200    203 <- NOTIFY body=[<basic>closed</basic>]    203 -> 200 NOTIFY
        203 -> SUBSCRIBE presence of=202 expires=0    203 <- 200    203 <- NOTIFY    203 -> 200 NOTIFY
    ",
    );
    check(
        "nobody speaks for another, or in a document that is none",
        "
        phones: 201 202
        201 -> PUBLISH away of=202    201 <- 403
        201 -> PUBLISH away type=text/plain    201 <- 415 {Accept: application/pidf+xml}
        201 -> PUBLISH away {Event: dialog}    201 <- 489
        201 -> PUBLISH away expires=1    201 <- 423
        201 -> PUBLISH away {SIP-If-Match: unknown}    201 <- 412
        201 -> PUBLISH again    201 <- 400
        201 -> PUBLISH bare    201 <- 401
    ",
    );
}

#[test]
fn ones_own_phones() {
    check(
        "come and go",
        r#"
        phones: 201
        201 -> SUBSCRIBE reg    201 <- 200    201 <- NOTIFY {Content-Type: application/reginfo+xml} body=[state="active"] body=[<uri>sip:201@192.0.2.1:5060</uri>]    201 -> 200 NOTIFY
        201 -> REGISTER    201 <- 200    201 <- nothing
        phones: 201b    201 <- NOTIFY body=[<uri>sip:201@192.0.2.2:5060</uri>]    201 -> 200 NOTIFY
        201b -> REGISTER expires=0    201b <- 200    201 <- NOTIFY body=[id="sip:201@192.0.2.2:5060" state="terminated" event="unregistered"] body=[state="active"]    201 -> 200 NOTIFY
        201 -> SUBSCRIBE reg expires=0    201 <- 200    201 <- NOTIFY    201 -> 200 NOTIFY
    "#,
    );
}

#[test]
fn subscriptions_outlive_the_process_and_end() {
    check(
        "after a kill phones are told everything, under numbers above all that were used",
        r#"
        phones: 201 202 203
        203 -> SUBSCRIBE dialog of=202    203 <- 200    203 <- NOTIFY {CSeq: 1 NOTIFY}    203 -> 200 NOTIFY
        restart    until 203    203 <- NOTIFY {CSeq: 201 NOTIFY} body=[version="200" state="full"]    203 -> 200 NOTIFY
        201 -> INVITE 202    202 <- INVITE    203 <- NOTIFY body=[version="201" state="partial"]    203 -> 200 NOTIFY
        202 -> 486    202 <- ACK    201 <- 486    201 -> ACK    203 <- NOTIFY    203 -> 200 NOTIFY    record: busy
        203 -> SUBSCRIBE dialog of=202 expires=0    203 <- 200    203 <- NOTIFY    203 -> 200 NOTIFY    subscriptions: 0
    "#,
    );
    check(
        "it is on disk before it is answered, and if it cannot be, its phone is told so",
        "
        phones: 201 202
        store waits    201 -> SUBSCRIBE dialog of=202    201 <- nothing    saved    201 <- 200    201 <- NOTIFY    201 -> 200 NOTIFY
        store fails    201 -> SUBSCRIBE presence of=202    201 <- 503 {Retry-After: 30}    201 <- nothing    subscriptions: 1
        store works    201 -> SUBSCRIBE dialog of=202 expires=0    201 <- 200    201 <- NOTIFY    201 -> 200 NOTIFY    subscriptions: 0
    ",
    );
    check(
        "after a start numbers are used that are on disk first",
        "
        phones: 201 202
        201 -> SUBSCRIBE dialog of=202    201 <- 200    201 <- NOTIFY    201 -> 200 NOTIFY
        store waits    restart    wait 10s    201 <- nothing    restart    saved    store works    until 201    201 <- NOTIFY {CSeq: 201 NOTIFY}    201 -> 200 NOTIFY
        restart    until 201    201 <- NOTIFY {CSeq: 401 NOTIFY}    201 -> 200 NOTIFY
        201 -> SUBSCRIBE dialog of=202 expires=0    201 <- 200    201 <- NOTIFY    201 -> 200 NOTIFY
    ",
    );
    check(
        "what a phone says of its owner outlives the process too",
        "
        phones: 201 202
        201 -> SUBSCRIBE presence of=202    201 <- 200    201 <- NOTIFY    201 -> 200 NOTIFY
        202 -> PUBLISH do-not-disturb    202 <- 200    201 <- NOTIFY body=[Do not disturb]    201 -> 200 NOTIFY    publications: 1
        restart    until 201    201 <- NOTIFY body=[Do not disturb]    201 -> 200 NOTIFY
        202 -> PUBLISH gone    202 <- 200    201 <- NOTIFY without=[disturb]    201 -> 200 NOTIFY    publications: 0
        202 -> PUBLISH away    202 <- 200    201 <- NOTIFY    201 -> 200 NOTIFY    wait 600s    until 201    201 <- NOTIFY without=[away]    201 -> 200 NOTIFY    publications: 0
        202 -> PUBLISH away    202 <- 200    201 <- NOTIFY    201 -> 200 NOTIFY    disable 202    201 <- NOTIFY    201 -> 200 NOTIFY    publications: 0
    ",
    );
    check(
        "who says nothing more is told that it is over",
        "
        phones: 201 202
        201 -> SUBSCRIBE dialog of=202 expires=60    201 <- 200    201 <- NOTIFY    201 -> 200 NOTIFY    subscriptions: 1
        wait 59s    until 201    201 <- NOTIFY {Subscription-State: terminated;reason=timeout}    201 -> 200 NOTIFY    subscriptions: 0
    ",
    );
    check(
        "switched off while a phone is being told, and a process that ends before it has had the last word",
        "
        phones: 201 202 203
        203 -> SUBSCRIBE dialog of=202    203 <- 200    203 <- NOTIFY    disable 202    203 <- nothing    subscriptions: 1
        restart    until 203    203 <- NOTIFY {Subscription-State: terminated;reason=noresource}    203 -> 200 NOTIFY    subscriptions: 0
    ",
    );
    check(
        "switched off, and a process that ends before the last word is answered",
        "
        phones: 201 202 203
        203 -> SUBSCRIBE dialog of=202    203 <- 200    203 <- NOTIFY    203 -> 200 NOTIFY
        disable 202    203 <- NOTIFY {Subscription-State: terminated;reason=noresource}    subscriptions: 1
        restart    until 203    203 <- NOTIFY {Subscription-State: terminated;reason=noresource}    203 -> 200 NOTIFY    subscriptions: 0
    ",
    );
    check(
        "an extension that is switched off watches nobody and is watched by nobody",
        "
        phones: 201 202
        201 -> SUBSCRIBE dialog of=202    201 <- 200    201 <- NOTIFY    201 -> 200 NOTIFY
        202 -> SUBSCRIBE presence of=201    202 <- 200    202 <- NOTIFY    202 -> 200 NOTIFY
        disable 202    201 <- NOTIFY {Subscription-State: terminated;reason=noresource}    201 -> 200 NOTIFY
        202 <- NOTIFY {Subscription-State: terminated;reason=noresource}    202 -> 200 NOTIFY    subscriptions: 0
    ",
    );
    check(
        "a connection that breaks, and the next one",
        r#"
        phones: 201 202t 203
        202t -> SUBSCRIBE dialog of=203    202t <- 200 {Contact: transport=tcp}    202t <- NOTIFY    202t -> 200 NOTIFY
        gone 202t
        201 -> INVITE 203    203 <- INVITE    203 -> 180    201 <- 180    202t <- nothing    subscriptions: 1
        connected 202t    202t -> REGISTER    202t <- NOTIFY body=[state="full"] body=[early]    202t <- 200    202t -> 200 NOTIFY
        203 -> 486    203 <- ACK    201 <- 486    201 -> ACK    202t <- NOTIFY body=[terminated]    202t -> 200 NOTIFY    record: busy
        202t -> SUBSCRIBE dialog of=203 expires=0    202t <- 200    202t <- NOTIFY    202t -> 200 NOTIFY
    "#,
    );
    check(
        "a phone behind another port is told where it is registered now",
        "
        phones: 201 202 203
        202 -> SUBSCRIBE dialog of=203    202 <- 200    202 <- NOTIFY    202 -> 200 NOTIFY
        rebound 202    202 -> REGISTER contact=[<sip:202@192.0.2.2:5060>]    202 <- 200
        201 -> INVITE 203    203 <- INVITE    202 <- NOTIFY body=[trying]    202 -> 200 NOTIFY
        203 -> 486    203 <- ACK    201 <- 486    201 -> ACK    202 <- NOTIFY body=[terminated]    202 -> 200 NOTIFY    record: busy
        202 -> SUBSCRIBE dialog of=203 expires=0    202 <- 200    202 <- NOTIFY    202 -> 200 NOTIFY
    ",
    );
    check(
        "a phone that begins anew has one subscription, not two",
        "
        phones: 201 202
        201 -> SUBSCRIBE dialog of=202    201 <- 200    201 <- NOTIFY    201 -> 200 NOTIFY
        201 -> SUBSCRIBE dialog of=202 anew    201 <- 200    201 <- NOTIFY    201 -> 200 NOTIFY    subscriptions: 1
        201 -> SUBSCRIBE dialog of=202 expires=0    201 <- 200    201 <- NOTIFY    201 -> 200 NOTIFY
    ",
    );
}

#[test]
fn bounded() {
    let one = |id: usize| {
        format!("201 -> SUBSCRIBE dialog of=202 anew event=[dialog;id={id}]    201 <- 200    201 <- NOTIFY    201 -> 200 NOTIFY\n")
    };
    let hundred: String = (0..100).map(one).collect();
    check(
        "a hundred of one extension, whatever its phones",
        &format!(
            "
        phones: 201 202 201b
        {hundred}
        subscriptions: 100
        201 -> SUBSCRIBE dialog of=202 anew event=[dialog;id=100]    201 <- 403    201b -> SUBSCRIBE presence of=202    201b <- 403
        {}201b -> SUBSCRIBE presence of=202 anew    201b <- 403    subscriptions: 100
        202 -> SUBSCRIBE presence of=201    202 <- 200    202 <- NOTIFY    202 -> 200 NOTIFY    subscriptions: 101
    ",
            one(7)
        ),
    );
}

#[test]
fn the_house_is_full_of_watchers() {
    let watchers: Vec<String> = (210..=260).map(|number: u16| number.to_string()).collect();
    let hundred = |watcher: &String| {
        let one = |id: usize| {
            format!(
                "{watcher} -> SUBSCRIBE presence of=201 anew event=[presence;id={id}]    {watcher} <- 200    {watcher} <- NOTIFY    {watcher} -> 200 NOTIFY\n"
            )
        };
        (0..100).map(one).collect::<String>()
    };
    check(
        "five thousand in a house; an end makes place for another",
        &format!(
            "
        house: last=260
        phones: 201 {}
        {}
        subscriptions: 5000
        260 -> SUBSCRIBE presence of=201    260 <- 503 {{Retry-After: 60}}
        210 -> SUBSCRIBE presence of=201 event=[presence;id=99] expires=0    210 <- 200    210 <- NOTIFY    210 -> 200 NOTIFY
        260 -> SUBSCRIBE presence of=201 anew    260 <- 200    260 <- NOTIFY    260 -> 200 NOTIFY    subscriptions: 5000
    ",
            watchers.join(" "),
            watchers[..50].iter().map(hundred).collect::<String>()
        ),
    );
}
