//! The door, by hand.

use super::*;

const SECOND: u64 = 1_000_000;

#[test]
fn bans_grow_with_each_time_and_are_remembered_for_a_week() {
    let mut door = Door::default();
    let mut now = Wall(0);
    for length in [600, 3_600, 6 * 3_600, 24 * 3_600, 24 * 3_600] {
        let ban = banned(&mut door, "192.0.2.1", Offence::WrongSecret, 10, now);
        assert_eq!(ban.until, now + Duration::from_secs(length));
        assert_eq!(door.lapse(Wall(ban.until.0 - 1)), []);
        now = ban.until;
        assert_eq!(door.next_lapse(), Some(now));
        assert_eq!(door.lapse(now), [BanChange::Ended(ip("192.0.2.1"))]);
    }
    now = now + REMEMBERED;
    assert_eq!(door.lapse(now), [BanChange::Forgotten(ip("192.0.2.1"))]);
    assert_eq!(banned(&mut door, "192.0.2.1", Offence::WrongSecret, 10, now).times, 1);
}

#[test]
fn each_offence_has_its_weight_and_time_forgives() {
    for (offence, count) in [(Offence::Unproven, 100), (Offence::Malformed, 25), (Offence::WrongSecret, 10)] {
        assert_eq!(banned(&mut Door::default(), "192.0.2.1", offence, count, Wall(0)).why, offence);
    }
    // A phone with a wrong secret that asks once a minute, for a day: twice each time, as phones do.
    let mut door = Door::default();
    for minute in 0..1_440 {
        let tick = Tick(minute * 60 * SECOND);
        for offence in [Offence::Unproven, Offence::WrongSecret] {
            assert_eq!(door.offended(ip("192.0.2.1"), offence, || false, tick, Wall(0)), []);
        }
    }
}

#[test]
fn phones_that_prove_themselves_are_acquitted_and_ours_are_never_banned() {
    let mut door = Door::default();
    let offend =
        |door: &mut Door, from: &str, known: bool| door.offended(ip(from), Offence::WrongSecret, || known, Tick(0), Wall(0));
    for _ in 0..1_000 {
        for _ in 0..9 {
            assert_eq!(offend(&mut door, "192.0.2.1", false), []);
        }
        door.proved(ip("192.0.2.1"), "201");
        assert_eq!(offend(&mut door, "127.0.0.1", false), [], "this machine");
        assert_eq!(offend(&mut door, "192.0.2.2", true), [], "a phone of ours is there");
    }
    door.open(vec!["198.51.100.0/24".parse().unwrap()], Vec::new(), Wall(0));
    assert!((0..1_000).all(|_| offend(&mut door, "198.51.100.7", false).is_empty()), "a network of ours");
}

#[test]
fn a_ban_is_lifted_by_hand_and_then_forgotten() {
    let mut door = Door::default();
    banned(&mut door, "192.0.2.1", Offence::Malformed, 25, Wall(0));
    let source = ip("192.0.2.1");
    assert_eq!(door.lift(source, Wall(1)), [BanChange::Ended(source), BanChange::Forgotten(source)]);
    assert_eq!((door.lift(source, Wall(1)), door.next_lapse()), (vec![], None));
    assert_eq!(banned(&mut door, "192.0.2.1", Offence::Malformed, 25, Wall(2)).times, 1);
}

#[test]
fn what_the_store_remembers_holds_again() {
    let ban =
        |source: &str, until| Ban { source: ip(source), why: Offence::WrongSecret, times: 1, since: Wall(0), until: Wall(until) };
    let (running, ended, old) = (ban("192.0.2.1", 2), ban("192.0.2.2", 1), ban("192.0.2.3", 1 - REMEMBERED.as_micros() as i64));
    let mut door = Door::default();
    let changes = door.open(Vec::new(), vec![running.clone(), ended, old.clone()], Wall(1));
    assert_eq!(changes, [BanChange::Begun(running), BanChange::Forgotten(old.source)]);
    assert_eq!(banned(&mut door, "192.0.2.2", Offence::WrongSecret, 10, Wall(1)).times, 2);
    assert_eq!(door.lapse(Wall(2)), [BanChange::Ended(ip("192.0.2.1"))]);
}

#[test]
fn who_guesses_at_an_account_waits_and_nobody_else_does() {
    let mut door = Door::default();
    let guesser = ip("203.0.113.9");
    (0..4).for_each(|_| door.guessed(guesser, "201", Tick(0)));
    assert!(!door.must_wait(guesser, "201", Tick(0)));
    door.guessed(guesser, "201", Tick(0));
    assert!(door.must_wait(guesser, "201", Tick(SECOND - 1)) && !door.must_wait(guesser, "201", Tick(SECOND)));
    (0..50).for_each(|_| door.guessed(guesser, "201", Tick(0)));
    assert!(door.must_wait(guesser, "201", Tick(899 * SECOND)) && !door.must_wait(guesser, "201", Tick(900 * SECOND)));
    assert!(!door.must_wait(guesser, "202", Tick(0)) && !door.must_wait(ip("203.0.113.8"), "201", Tick(0)));
    door.proved(guesser, "201");
    assert!(!door.must_wait(guesser, "201", Tick(0)));
}

#[test]
fn every_table_is_bounded() {
    let mut door = Door::default();
    for number in 0..3 * MOST_SOURCES as u32 {
        let source = IpAddr::from((0xc633_6400 + number).to_be_bytes());
        door.guessed(source, &"9".repeat(1_000), Tick(0));
        door.offended(source, Offence::Unproven, || false, Tick(0), Wall(0));
        for _ in 0..10 {
            door.offended(source, Offence::WrongSecret, || false, Tick(0), Wall(i64::from(number)));
        }
        let other = IpAddr::from((0x0a00_0000 + number).to_be_bytes());
        door.offended(other, Offence::Unproven, || false, Tick(0), Wall(0));
    }
    for length in [door.counted.len(), door.seen.len(), door.tries.len(), door.tried.len(), door.bans.len(), door.due.len()] {
        assert!((1..=MOST_SOURCES).contains(&length), "{length}");
    }
}

/// Offends so often, and is banned by the last time.
fn banned(door: &mut Door, source: &str, offence: Offence, count: usize, now: Wall) -> Ban {
    for _ in 1..count {
        assert_eq!(door.offended(ip(source), offence, || false, Tick(0), now), []);
    }
    match door.offended(ip(source), offence, || false, Tick(0), now).as_slice() {
        [BanChange::Begun(ban)] => ban.clone(),
        other => panic!("{other:?}"),
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}
