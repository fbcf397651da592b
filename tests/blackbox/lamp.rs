//! Who is told of whom: the lamp of a desk phone over a kill, waiting messages and presence on a real phone.

use crate::house::{House, free_port, wait_until};
use crate::phone::{Baresip, Over, Sipp};

#[test]
fn a_lamp_goes_on_after_a_kill_without_its_phone_doing_anything() {
    let port = free_port();
    let mut house = House::start_with(&[("PBX_SIP_UDP", &format!("127.0.0.1:{port}"))]);
    house.extensions(&["201", "202", "203"]);
    let (phone, lamp) = (Sipp::new(&house, "202"), Sipp::new(&house, "203"));
    phone.register(600);
    lamp.register(600);
    let shows = lamp.start("lamp", "202", &[]);
    shows.sees("version=\"0\" state=\"full\"");
    let (phone_port, number) = (phone.port, phone.number.clone());
    house.kill();
    house.open();
    shows.sees("version=\"200\" state=\"full\"");
    let answering = Sipp { house: &house, number, port: phone_port, over: Over::Udp, six: false }.start("answer", "", &[]);
    Sipp::new(&house, "201").start("call", "202", &[]).succeeds();
    answering.succeeds();
    shows.succeeds();
}

#[test]
fn baresip_shows_how_a_colleague_is_and_that_no_messages_wait() {
    let house = House::start();
    house.extensions(&["201", "202"]);
    let token = house.token("read");
    let mut watching = Baresip::watching(&house, "202", "201");
    wait_until("baresip has registered", || (house.registered(&token, "202") == 1).then_some(()));
    watching.shows("Messages-Waiting: no");
    let watched = Sipp::new(&house, "201");
    watched.register(600);
    lists(&mut watching, "Online");
    watched.register(0);
    lists(&mut watching, "Offline");
}

#[test]
fn what_a_phone_says_of_its_owner_is_so_after_a_restart() {
    let mut house = House::start();
    house.extensions(&["201", "202"]);
    let watched = Sipp::new(&house, "201");
    watched.register(600);
    watched.start("publish", "", &[]).succeeds();
    house.stop();
    house.open();
    let mut watching = Baresip::watching(&house, "202", "201");
    lists(&mut watching, "Busy");
}

/// Waits until it shows that its colleague is so.
fn lists(watching: &mut Baresip, status: &str) {
    wait_until(&format!("baresip lists its colleague as {status}"), || {
        watching.types("/contacts");
        let screen = watching.screen();
        screen.rsplit("Contacts:").next().is_some_and(|list| list.contains(status)).then_some(())
    });
}
