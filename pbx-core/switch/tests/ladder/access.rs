//! From where an extension's phones may come, and how: whoever comes in another way hears what a wrong secret hears.

use crate::check::check;

#[test]
fn a_phone_from_another_network_is_answered_as_if_its_secret_were_wrong() {
    check(
        "access by network",
        "
        phones: 202 201-
        access: 201 networks=10.0.0.0/8
        201 -> REGISTER   201 <- 401   bindings: 201 0   turned away: 201 network
        201 -> INVITE 202   201 <- 401   201 -> ACK
        access: 201 networks=192.0.2.0/24
        turned away: 201
        201 -> REGISTER   201 <- 200   bindings: 201 1
    ",
    );
}

#[test]
fn a_phone_that_must_come_encrypted_does() {
    check(
        "access by encryption",
        "
        phones: 202 201- 201s-
        access: 201 encryption=beyond_own_networks
        201 -> REGISTER   201 <- 401   turned away: 201 encryption
        201s -> REGISTER   201s <- 200   bindings: 201 1
        turned away: 201 encryption
        201s -> INVITE 202   202 <- INVITE   202 -> 486   202 <- ACK   201s <- 486   201s -> ACK   record: busy
        own 192.0.2.0/24
        201 -> REGISTER   201 <- 200   bindings: 201 2   turned away: 201
        access: 201 encryption=always
        bindings: 201 1
        201 -> REGISTER   201 <- 401
    ",
    );
}

#[test]
fn phones_that_may_not_come_any_more_are_gone_at_once_and_after_a_restart() {
    check(
        "access is changed",
        "
        phones: 201 202
        202 -> INVITE 201   201 <- INVITE   201 -> 486   201 <- ACK   202 <- 486   202 -> ACK   record: busy
        access: 201 networks=10.0.0.0/8
        bindings: 201 0
        202 -> INVITE 201   202 <- 480   202 -> ACK   record: unregistered
        restart   bindings: 201 0
    ",
    );
}

#[test]
fn another_secret_puts_out_who_knew_the_old_one() {
    check(
        "its phones are gone, and see nothing any more",
        "
        phones: 201 202
        202 -> SUBSCRIBE dialog of=201    202 <- 200    202 <- NOTIFY    202 -> 200 NOTIFY    subscriptions: 1
        renew 202
        202 <- NOTIFY {Subscription-State: terminated;reason=deactivated}    202 -> 200 NOTIFY    subscriptions: 0
        bindings: 202 0    bindings: 201 1
        201 -> INVITE 202    201 <- 480    201 -> ACK    record: unregistered
    ",
    );
}

#[test]
fn who_is_switched_off_talks_to_nobody_outside() {
    check(
        "a call to the outside ends at once",
        "
        line: a mode=static probe=0
        phones: 201
        201 -> INVITE 0155512345    a <- INVITE    a -> 200    a <- ACK    201 <- 200    201 -> ACK
        disable 201    201 <- BYE    201 -> 200 BYE    a <- BYE    a -> 200 BYE    record: hung_up
    ",
    );
}
