//! Registrations at a rate: REGISTER, 401, REGISTER with credentials, 200, counted as one.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::figures::Times;
use crate::sip::{Message, ended};
use crate::wire::{REPETITIONS, T1, receive, wait};

/// What is asked of the server.
pub struct Registrations {
    /// Where it listens.
    pub server: SocketAddr,
    /// Another one for each run of this process: a phone's Call-ID is its own.
    pub series: usize,
    /// The first user; the next ones count up.
    pub first: u32,
    /// How many users; after the last the first comes again.
    pub users: u32,
    /// How many registrations.
    pub total: usize,
    /// A second; 0: one after the other is answered.
    pub rate: f64,
}

/// What came of it.
#[derive(Default)]
pub struct Registered {
    /// Answered 200.
    pub done: usize,
    /// Refused or not answered at all.
    pub failed: usize,
    /// Requests sent again.
    pub repeated: usize,
    /// From the first REGISTER to the 200.
    pub times: Times,
}

struct Attempt {
    user: u32,
    begun: Instant,
    request: String,
    cseq: u32,
    repetitions: u32,
    over: bool,
}

/// Carries it out; `contact` is the socket that registers and that calls will come to.
pub fn run(asked: &Registrations, contact: &UdpSocket) -> io::Result<Registered> {
    let here = contact.local_addr()?;
    let run = format!("r-{}-{}", std::process::id(), asked.series);
    let mut result = Registered::default();
    let mut attempts: Vec<Attempt> = Vec::with_capacity(asked.total);
    let mut repeat: VecDeque<(Instant, usize, u32)> = VecDeque::new();
    let mut buffer = [0; 4096];
    let mut open = 0;
    let start = Instant::now();
    while attempts.len() < asked.total || open > 0 {
        let now = Instant::now();
        let begins = if asked.rate > 0.0 { start + Duration::from_secs_f64(attempts.len() as f64 / asked.rate) } else { now };
        let may_begin = attempts.len() < asked.total && (asked.rate > 0.0 || open == 0);
        if may_begin && begins <= now {
            let index = attempts.len();
            let user = asked.first + u32::try_from(index).unwrap_or(0) % asked.users.max(1);
            let request = register(asked.server, here, user, (&run, index), 1, "");
            let _ = contact.send_to(request.as_bytes(), asked.server);
            repeat.push_back((now + T1, index, 1));
            attempts.push(Attempt { user, begun: now, request, cseq: 1, repetitions: 0, over: false });
            open += 1;
            continue;
        }
        while let Some((_, index, cseq)) = repeat.pop_front_if(|(when, _, _)| *when <= now) {
            let attempt = &mut attempts[index];
            if attempt.over || attempt.cseq != cseq {
                continue;
            }
            attempt.repetitions += 1;
            if attempt.repetitions > REPETITIONS {
                (attempt.over, result.failed, open) = (true, result.failed + 1, open - 1);
                continue;
            }
            result.repeated += 1;
            let _ = contact.send_to(attempt.request.as_bytes(), asked.server);
            repeat.push_back((now + T1, index, cseq));
        }
        let next = [may_begin.then_some(begins), repeat.front().map(|(when, _, _)| *when)].into_iter().flatten().min();
        wait(&[contact], next.unwrap_or(now + T1));
        while let Some((octets, _)) = receive(contact, &mut buffer) {
            let Some(message) = Message::read(octets) else { continue };
            let known = message.header("Call-ID").strip_prefix(&format!("{run}-"));
            let Some(index) = known.and_then(|index| index.parse::<usize>().ok()) else { continue };
            let Some(attempt) = attempts.get_mut(index) else { continue };
            let (Some(status), false, true) = (message.status(), attempt.over, message.cseq().0 == attempt.cseq) else { continue };
            let uri = format!("sip:{}", asked.server.ip());
            let (user, secret) = (attempt.user.to_string(), format!("pw{}", attempt.user));
            match (status, message.credentials(&user, &secret, "REGISTER", &uri)) {
                (100..200, _) => continue,
                (401 | 407, Some((name, value))) if attempt.cseq == 1 => {
                    let credentials = format!("{name}: {value}\r\n");
                    attempt.request = register(asked.server, here, attempt.user, (&run, index), 2, &credentials);
                    (attempt.cseq, attempt.repetitions) = (2, 0);
                    let _ = contact.send_to(attempt.request.as_bytes(), asked.server);
                    repeat.push_back((Instant::now() + T1, index, 2));
                    continue;
                }
                (200..300, _) => {
                    result.done += 1;
                    result.times.add(u64::try_from(attempt.begun.elapsed().as_micros()).unwrap_or(u64::MAX));
                }
                _ => result.failed += 1,
            }
            (attempt.over, open) = (true, open - 1);
            // What is over needs no place any more.
            attempt.request = String::new();
        }
    }
    Ok(result)
}

fn register(server: SocketAddr, here: SocketAddr, user: u32, (run, index): (&str, usize), cseq: u32, credentials: &str) -> String {
    let domain = server.ip();
    let head = format!(
        "REGISTER sip:{domain} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{run}-{index}-{cseq};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:{user}@{domain}>;tag=r{index}\r\nTo: <sip:{user}@{domain}>\r\nCall-ID: {run}-{index}\r\n\
         CSeq: {cseq} REGISTER\r\nContact: <sip:{user}@{here}>\r\nExpires: 3600\r\n{credentials}"
    );
    ended(head, "")
}
