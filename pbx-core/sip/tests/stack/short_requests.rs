//! Requests other than INVITE, either way: timers E, F, J and K.

use pbx_sip::flow::Transport::{Tcp, Udp};

use crate::ladder::check;

#[test]
fn what_was_answered_is_answered_again_until_timer_j() {
    check(
        Udp,
        "
           0 <- OPTIONS
           0 heard OPTIONS
         100 <- OPTIONS             # nothing to say yet
         200 respond 200
         200 -> 200 OPTIONS
         300 <- OPTIONS
         300 -> 200 OPTIONS
         400 respond 500
       32200 over
       32300 <- OPTIONS             # as if it had never come
       32300 heard OPTIONS
       32300 respond 200
       32300 -> 200 OPTIONS
       64300 over
    ",
    );
    check(
        Tcp,
        "
           0 <- OPTIONS
           0 heard OPTIONS
         200 respond 200
         200 -> 200 OPTIONS
         200 over                   # timer J is zero
    ",
    );
}

#[test]
fn a_provisional_response_is_repeated_until_the_final_one() {
    check(
        Udp,
        "
           0 <- BYE tag=ours
           0 heard BYE
         200 respond 100
         200 -> 100 BYE
         300 <- BYE tag=ours
         300 -> 100 BYE
         400 respond 200
         400 -> 200 BYE
       32400 over
    ",
    );
}

#[test]
fn a_challenge_is_forgotten_at_once_and_made_anew() {
    check(
        Udp,
        "
           0 <- REGISTER
           0 heard REGISTER
           0 respond 401
           0 -> 401 REGISTER
           0 over
         500 <- REGISTER
         500 heard REGISTER
         500 respond 401
         500 -> 401 REGISTER
         500 over
    ",
    );
}

#[test]
fn without_an_answer_timer_e_doubles_up_to_t2_and_timer_f_gives_up() {
    check(
        Udp,
        "
           0 request OPTIONS
           0 -> OPTIONS
         500 -> OPTIONS
        1500 -> OPTIONS
        3500 -> OPTIONS
        7500 -> OPTIONS
       11500 -> OPTIONS
       15500 -> OPTIONS
       19500 -> OPTIONS
       23500 -> OPTIONS
       27500 -> OPTIONS
       31500 -> OPTIONS
       32000 heard nothing in time
       32000 over
    ",
    );
    check(
        Tcp,
        "
           0 request OPTIONS
           0 -> OPTIONS
       32000 heard nothing in time
       32000 over
    ",
    );
}

#[test]
fn a_provisional_response_slows_timer_e_and_does_not_stop_timer_f() {
    check(
        Udp,
        "
           0 request OPTIONS
           0 -> OPTIONS
         500 -> OPTIONS
         600 <- 100
         600 heard 100
        1500 -> OPTIONS
        5500 -> OPTIONS
        9500 -> OPTIONS
       13500 -> OPTIONS
       17500 -> OPTIONS
       21500 -> OPTIONS
       25500 -> OPTIONS
       29500 -> OPTIONS
       32000 heard nothing in time
       32000 over
    ",
    );
}

#[test]
fn a_final_response_is_heard_once_and_timer_k_absorbs_the_rest() {
    check(
        Udp,
        "
           0 request OPTIONS
           0 -> OPTIONS
         100 <- 200
         100 heard 200
         200 <- 200
         300 <- 100
         400 <- 500
         500 cancel                 # nothing to cancel
        5100 over
    ",
    );
    check(
        Tcp,
        "
           0 request OPTIONS
           0 -> OPTIONS
         100 <- 404
         100 heard 404
         100 over                   # timer K is zero
    ",
    );
    check(
        Tcp,
        "
           0 request OPTIONS
           0 -> OPTIONS
         100 close
         100 heard that the flow failed
         100 over
    ",
    );
}
