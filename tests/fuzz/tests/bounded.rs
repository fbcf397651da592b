//! Every body with fixtures and with what a seeded hand makes of them: 20,000 inputs each, or as many as fit into `FUZZ_SECONDS`. A
//! failing input is named by its number and printed, and comes again in the next run.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pbx_fuzz::BODIES;

#[test]
fn message() {
    run("message");
}

#[test]
fn headers() {
    run("headers");
}

#[test]
fn framing() {
    run("framing");
}

#[test]
fn digest() {
    run("digest");
}

#[test]
fn stack() {
    run("stack");
}

#[test]
fn sdp() {
    run("sdp");
}

#[test]
fn rtp() {
    run("rtp");
}

#[test]
fn dialplan() {
    run("dialplan");
}

#[test]
fn presence() {
    run("presence");
}

#[test]
fn every_body_is_run() {
    let source = include_str!("bounded.rs");
    for (name, _) in BODIES {
        assert!(source.contains(&format!("run(\"{name}\")")), "{name}");
    }
}

const INPUTS: u64 = 20_000;

fn run(name: &str) {
    let (_, body) = BODIES.iter().find(|(known, _)| *known == name).expect("a body");
    let seeds = seeds(name);
    assert!(!seeds.is_empty());
    let seconds = std::env::var("FUZZ_SECONDS").ok().and_then(|text| text.parse::<u64>().ok()).map(Duration::from_secs);
    let started = Instant::now();
    let mut hand = Hand(0x9e37_79b9_7f4a_7c15);
    for number in 0u64.. {
        if seconds.map_or(number >= INPUTS, |seconds| started.elapsed() >= seconds) {
            return println!("{name}: {number} inputs");
        }
        let input = match seeds.get(usize::try_from(number).unwrap_or(usize::MAX)) {
            Some(seed) => seed.clone(),
            None => hand.changed(&seeds),
        };
        let tried = std::panic::catch_unwind(|| body(&input));
        if tried.is_err() {
            panic!("{name}, input {number}: b\"{}\"", input.escape_ascii());
        }
    }
}

/// What the bodies begin with.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let messages = || files(&repository.join("tests/fixtures/sip"), "sip");
    let values = |name: &[u8]| -> Vec<Vec<u8>> {
        let lines = |message: &Vec<u8>| message.split(|octet| *octet == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
        messages().iter().flat_map(lines).filter(|line| line.len() > 1 && line.starts_with(name)).collect()
    };
    match name {
        "dialplan" => files(&repository.join("dialplans"), "toml"),
        "headers" => {
            let behind_colon = |line: Vec<u8>| {
                let at = line.iter().position(|octet| *octet == b':').map_or(0, |at| at + 1);
                line[at..].trim_ascii().to_vec()
            };
            values(b"").into_iter().map(behind_colon).collect()
        }
        "digest" => {
            let mut found = vec![
                b"Digest username=\"201\", realm=\"pbx.example\", nonce=\"NONCE\", uri=\"sip:pbx.example\", response=\"00000000000000000000000000000000\", algorithm=MD5, cnonce=\"c\", qop=auth, nc=0000000a".to_vec(),
                b"Digest username=201,realm=pbx.example,nonce=NONCE,uri=x,response=,algorithm=SHA-256".to_vec(),
            ];
            found.extend(values(b"Authorization: ").iter().map(|line| line[15..].to_vec()));
            found
        }
        "stack" => {
            let all = messages();
            all.windows(2).map(|pair| [&pair[0][..], b"====\n", &pair[1], b"====\n", &pair[0]].concat()).collect()
        }
        "sdp" => {
            let text = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=video 5000 RTP/AVP 99\r\na=rtpmap:99 H264/90000\r\nm=audio 4000/2 RTP/AVP 96 8 101\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\na=rtpmap:101 telephone-event/8000\r\na=rtcp:5001 IN IP6 2001:db8::1\r\na=ptime:20\r\na=sendonly\r\nm=image 0 udptl t38\r\n".to_vec();
            let body = |message: &Vec<u8>| {
                let at = message.windows(4).position(|window| window == b"\r\n\r\n")?;
                message[at + 4..].starts_with(b"v=").then(|| message[at + 4..].to_vec())
            };
            messages().iter().filter_map(body).chain([text]).collect()
        }
        "presence" => {
            let said = |inside: &str| {
                format!("<presence xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" entity=\"sip:201@x\"><tuple id=\"t\"><status><basic>open</basic></status></tuple>{inside}</presence>").into_bytes()
            };
            vec![
                said("<rpid:activities><rpid:away/></rpid:activities>"),
                said("<note>Do not disturb</note>"),
                said("<a:person><rpid:busy/></a:person>"),
            ]
        }
        "rtp" => {
            let packet = [&[0x80, 0x88, 0, 1, 0, 0, 0, 160, 0, 0, 0, 7][..], &[0xd5; 28]].concat();
            let event =
                [&[0x91, 101, 0, 2, 0, 0, 1, 64, 0, 0, 0, 7, 0, 0, 0, 9, 0xbe, 0xde, 0, 1, 1, 2, 3, 4][..], &[4, 0x8a, 3, 32]]
                    .concat();
            let report = [0x81, 200, 0, 12, 0, 0, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8].to_vec();
            vec![packet.repeat(5), packet, event, report]
        }
        _ => messages(),
    }
}

fn files(folder: &Path, extension: &str) -> Vec<Vec<u8>> {
    let (mut open, mut paths): (Vec<PathBuf>, Vec<PathBuf>) = (vec![folder.to_path_buf()], Vec::new());
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a file")).collect()
}

/// A hand that changes octets, always in the same way (xorshift, so that nothing but its seed decides).
struct Hand(u64);

impl Hand {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// One of the seeds, changed one to six times.
    fn changed(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        const WORDS: &[&[u8]] = &[
            b"\r\n",
            b"\n",
            b"\r",
            b"\0",
            b" ",
            b"\t",
            b":",
            b";",
            b",",
            b"\"",
            b"\\",
            b"<",
            b">",
            b"@",
            b"%",
            b"%00",
            b"=",
            b"?",
            b"[::1]",
            b"\r\n ",
            b"\r\n\r\n",
            b"Content-Length: 5\r\n",
            b"l:0\r\n",
            b"SIP/2.0",
            b"4294967296",
            b"-1",
            b"\xff",
            b"\xc3\xa9",
            b"====\n",
            b";tag=",
            b";lr",
            b"m=audio 1 RTP/AVP 0\r\n",
            b"a=rtpmap:0 ",
            b"NONCE",
            b"[[rule]]\n",
            b"XZN[1-3].",
        ];
        let mut input = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(6) {
            let at = self.below(input.len() + 1);
            let end = (at + self.below(24)).min(input.len());
            match self.below(7) {
                0 if at < input.len() => input[at] ^= 1 << self.below(8),
                1 if at < input.len() => input[at] = self.next().to_le_bytes()[0],
                2 => drop(input.drain(at..end)),
                3 => {
                    let word = WORDS[self.below(WORDS.len())];
                    input.splice(at..at, word.iter().copied());
                }
                4 => {
                    let again = input[at..end].to_vec();
                    input.splice(at..at, again);
                }
                5 => {
                    let other = &seeds[self.below(seeds.len())];
                    let from = self.below(other.len());
                    let part = other[from..(from + self.below(200)).min(other.len())].to_vec();
                    input.splice(at..end, part);
                }
                _ => input.truncate(at.max(input.len() / 2)),
            }
        }
        input
    }
}
