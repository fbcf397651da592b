//! Who is turned away.

use crate::check::check;

#[test]
fn who_guesses_is_banned_and_who_belongs_here_is_not() {
    let guess = "201 -> REGISTER wrong    201 <- 401\n";
    check(
        "ten wrong secrets, the challenges before them counted; over after ten minutes",
        &format!(
            "phones: 201-\n201 -> REGISTER bare    201 <- 401\n{}banned: nobody\n{guess}banned: 192.0.2.1\nwait 599s\nbanned: 192.0.2.1\nwait 2s\nbanned: nobody",
            guess.repeat(9)
        ),
    );
    check(
        "numbers that are tried in turn, whoever has them",
        &format!(
            "phones: 201-\n201 -> REGISTER bare    201 <- 401\n{}banned: 192.0.2.1",
            "201 -> REGISTER user=288    201 <- 401\n".repeat(10)
        ),
    );
    check("a phone that is registered there keeps its house from it", &format!("phones: 201\n{}banned: nobody", guess.repeat(30)));
    check(
        "a secret that was right in between",
        &format!(
            "phones: 201-\n201 -> REGISTER bare    201 <- 401\n{0}201 -> REGISTER    201 <- 200\n{0}banned: nobody",
            guess.repeat(4)
        ),
    );
}

#[test]
fn who_guesses_at_an_account_waits_and_its_phone_does_not() {
    let guess = "201 -> REGISTER wrong    201 <- 401\n";
    check(
        "the right secret too soon after five wrong ones is answered as they were, and taken later",
        &format!(
            "phones: 201-\n201 -> REGISTER bare    201 <- 401\n{}201 -> REGISTER    201 <- 401\nbindings: 201 0\nwait 20s\n201 -> REGISTER    201 <- 200\nbindings: 201 1",
            guess.repeat(6)
        ),
    );
    check(
        "a phone that is registered is let in at once, whoever guesses beside it",
        &format!("phones: 201\n{}201 -> REGISTER    201 <- 200\nbindings: 201 1", guess.repeat(9)),
    );
}
