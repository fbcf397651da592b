//! What calls to the outside may cost: countries, ceilings, who is told, and who may go on.

use crate::check::check;

/// Two extensions, and a line that neither registers nor is asked after.
const HOUSE: &str = "phones: 201 202   line: a mode=static probe=0   line: b mode=static probe=0 priority=20";
const OFF: &str = "off a   off b";
/// A call to a mobile that is answered.
const CALL: &str = "201 -> INVITE 0639981234   a <- INVITE   a -> 200   a <- ACK   201 <- 200   201 -> ACK";
/// It is cut off on both sides.
const CUT: &str = "201 <- BYE   201 -> 200 BYE   a <- BYE   a -> 200 BYE   record: ceiling_reached   trace: ceiling_reached";
/// 201 does not get outside any more.
const STOPPED: &str = "201 -> INVITE 0639981234   201 <- 403   201 -> ACK   record: ceiling_reached";

fn climb(name: &str, ladder: &str) {
    let words = [("@HOUSE", HOUSE), ("@OFF", OFF), ("@CALL", CALL), ("@CUT", CUT), ("@STOPPED", STOPPED)];
    check(name, &words.into_iter().fold(ladder.to_owned(), |ladder, (word, steps)| ladder.replace(word, steps)));
}

#[test]
fn whoever_reaches_a_ceiling_is_cut_off_and_calls_nobody_outside_but_for_help_and_free_of_charge() {
    climb(
        "ceiling of an extension",
        "
        @HOUSE
        toll: minutes_of_hour=1
        @CALL
        wait 30s   calls: 1   spent: 201 0
        wait 30s   @CUT   spent: 201 1 minutes_of_hour
        @STOPPED
        201 -> INVITE 202   202 <- INVITE   202 -> 486   202 <- ACK   201 <- 486   201 -> ACK   record: busy
        201 -> INVITE 0800123456   a <- INVITE   a -> 486   a <- ACK   201 <- 486   201 -> ACK   record: busy
        202 -> INVITE 0639981234   a <- INVITE   a -> 486   a <- ACK   202 <- 486   202 -> ACK   record: busy
        201 -> INVITE 112   a <- INVITE   a -> 200   a <- ACK   201 <- 200   201 -> ACK
        wait 70s   calls: 1
        201 -> BYE   201 <- 200   a <- BYE   a -> 200 BYE   record: answered
        spent: 201 1 minutes_of_hour
        wait 3600s   spent: 201 0
        201 -> INVITE 0639981234   a <- INVITE   a -> 486   a <- ACK   201 <- 486   201 -> ACK   record: busy
        @OFF
    ",
    );
}

#[test]
fn a_ceiling_of_cost_counts_what_the_minutes_cost() {
    // A mobile costs ten cents a minute by the usual rates.
    climb(
        "ceiling of cost",
        "
        @HOUSE
        toll: cost_of_hour=0.05
        @CALL
        wait 25s   calls: 1
        wait 5s   @CUT   spent: 201 0 cost_of_hour
        @STOPPED
        @OFF
    ",
    );
}

#[test]
fn when_the_house_has_spent_enough_everybody_is_cut_off_and_two_people_are_told_whatever_line_they_have() {
    climb(
        "ceiling of the house",
        "
        phones: 203 204
        @HOUSE
        toll: house.minutes_of_hour=2 alerted=203,204
        @CALL
        202 -> INVITE 0639981234   a <- INVITE   a -> 200   a <- ACK   202 <- 200   202 -> ACK
        wait 60s
        201 <- BYE   201 -> 200 BYE   a <- BYE   a -> 200 BYE   a <- BYE   a -> 200 BYE   202 <- BYE   202 -> 200 BYE
        record: ceiling_reached   trace: ceiling_reached   record: ceiling_reached   trace: ceiling_reached
        203 <- MESSAGE body=[house:] body=[minutes_of_hour]   203 -> 200 MESSAGE
        204 <- MESSAGE body=[house:] body=[minutes_of_hour]   204 -> 200 MESSAGE
        spent: house 2 minutes_of_hour   spent: 201 1
        @STOPPED
        @OFF
    ",
    );
}

#[test]
fn an_administrator_lets_somebody_go_on_for_an_hour() {
    climb(
        "allowance",
        "
        @HOUSE
        toll: minutes_of_day=1
        @CALL
        wait 60s   @CUT
        @STOPPED
        allow 201   spent: 201 1
        201 -> INVITE 0639981234   a <- INVITE   a -> 486   a <- ACK   201 <- 486   201 -> ACK   record: busy
        wait 3610s
        @STOPPED
        @OFF
    ",
    );
}

#[test]
fn what_was_spent_is_known_after_a_kill() {
    climb(
        "ceiling and kill",
        "
        @HOUSE
        toll: minutes_of_hour=1
        @CALL
        wait 60s   @CUT
        restart
        201 -> INVITE 0639981234   201 <- 403   201 -> ACK   record: ceiling_reached
        @OFF
    ",
    );
}

#[test]
fn whoever_sends_a_caller_outside_pays_for_it() {
    climb(
        "ceiling and transfer",
        "
        @HOUSE
        toll: minutes_of_hour=1
        202 -> INVITE 201   201 <- INVITE   201 -> 200   201 <- ACK   202 <- 200   202 -> ACK
        201 -> REFER to=0639981234@pbx.test   201 <- 202 REFER   201 <- NOTIFY   201 -> 200 NOTIFY
        a <- INVITE   a -> 200   a <- ACK
        201 <- NOTIFY   201 -> 200 NOTIFY   201 <- BYE   201 -> 200 BYE   record: answered
        wait 60s
        202 <- BYE   202 -> 200 BYE   a <- BYE   a -> 200 BYE   record: ceiling_reached
        spent: 201 1 minutes_of_hour   spent: 202 0
        @OFF
    ",
    );
}

#[test]
fn countries_are_closed_until_they_are_opened() {
    climb(
        "countries",
        "
        @HOUSE
        201 -> INVITE 0041223456789   201 <- 403   201 -> ACK   record: abroad
        201 -> INVITE +8821612345678   201 <- 403   201 -> ACK   record: premium
        toll: countries=CH
        201 -> INVITE 0041223456789   a <- INVITE   a -> 486   a <- ACK   201 <- 486   201 -> ACK   record: busy
        201 -> INVITE 003221234567   201 <- 403   201 -> ACK   record: abroad
        @OFF
    ",
    );
}
