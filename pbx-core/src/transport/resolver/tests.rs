//! Names are asked of a name server of the tests' own, which says what a zone says and is silent where it is told to be.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::Record;
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME};
use tokio::net::UdpSocket;

use super::*;

#[tokio::test]
async fn naptr_leads_to_srv_and_srv_to_addresses() {
    let server = NameServer::open(
        "carrier.test. NAPTR 20 10 SIP+D2U _sip._udp.carrier.test.
         carrier.test. NAPTR 10 20 SIP+D2T _sip._tcp.carrier.test.
         carrier.test. NAPTR 10 10 SIPS+D2T _sips._tcp.carrier.test.
         carrier.test. NAPTR 5 10 SIPS+D2W _sips._ws.carrier.test.
         _sips._tcp.carrier.test. SRV 1 0 5071 a.carrier.test.
         _sip._tcp.carrier.test. SRV 1 0 5070 a.carrier.test.
         _sip._udp.carrier.test. SRV 1 0 5060 a.carrier.test.
         carrier.test. A 192.0.2.9
         a.carrier.test. A 192.0.2.1",
        &[],
    )
    .await;
    // The lowest order of what we speak, and in it the lower preference first.
    server.leads("carrier.test", None, None, "TLS 192.0.2.1:5071, TCP 192.0.2.1:5070").await;
    server.leads("carrier.test", None, Some(Transport::Udp), "UDP 192.0.2.1:5060").await;
    server.leads("carrier.test", Some(5080), None, "UDP 192.0.2.9:5080").await;
    server.leads("carrier.test", Some(5080), Some(Transport::Tcp), "TCP 192.0.2.9:5080").await;
}

#[tokio::test]
async fn srv_goes_by_priority_and_without_it_the_name_itself_is_asked() {
    let server = NameServer::open(
        "_sip._udp.carrier.test. SRV 20 0 5060 c.carrier.test.
         _sip._udp.carrier.test. SRV 10 0 5062 a.carrier.test.
         _sip._tcp.carrier.test. SRV 10 0 5064 b.carrier.test.
         a.carrier.test. A 192.0.2.1
         a.carrier.test. A 192.0.2.2
         b.carrier.test. A 192.0.2.3
         c.carrier.test. CNAME b.carrier.test.
         plain.test. A 192.0.2.7
         none.test. A 192.0.2.8
         _sip._udp.none.test. SRV 0 0 0 .",
        &[],
    )
    .await;
    let hops = server.asks("carrier.test", None, None).await.unwrap();
    let shown: Vec<String> = hops.iter().map(shown).collect();
    assert_eq!(shown[2..], ["UDP 192.0.2.3:5060", "TCP 192.0.2.3:5064"]);
    let first: BTreeSet<&str> = shown[..2].iter().map(String::as_str).collect();
    assert_eq!(first, BTreeSet::from(["UDP 192.0.2.1:5062", "UDP 192.0.2.2:5062"]), "both addresses of the first server");
    server.leads("plain.test", None, None, "UDP 192.0.2.7:5060").await;
    server.leads("plain.test", None, Some(Transport::Tls), "TLS 192.0.2.7:5061").await;
    server.leads("none.test", None, None, "UDP 192.0.2.8:5060").await;
    assert_eq!(server.asks("nobody.test", None, None).await, Err(ResolveError::NoSuchName));
    assert_eq!(server.asks("no name", None, None).await, Err(ResolveError::NoSuchName));
}

#[tokio::test]
async fn weights_share_one_priority_out() {
    let zone: String = (1..=2)
        .map(|last| {
            let weight = if last == 1 { 90 } else { 10 };
            format!("_sip._udp.carrier.test. SRV 1 {weight} 5060 h{last}.carrier.test.\nh{last}.carrier.test. A 192.0.2.{last}\n")
        })
        .collect();
    let server = NameServer::open(&zone, &[]).await;
    let mut first = 0;
    for _ in 0..500 {
        let hops = server.asks("carrier.test", None, Some(Transport::Udp)).await.unwrap();
        assert_eq!(hops.len(), 2, "who is not the first is tried after it");
        first += usize::from(hops[0].remote.ip() == IpAddr::from([192, 0, 2, 1]));
    }
    // Nine of ten: by chance alone no further off than this in ten thousand years of runs.
    assert!((380..499).contains(&first), "{first} of 500");
}

#[tokio::test]
async fn addresses_of_ipv6_come_first_where_they_are_of_use() {
    let zone = "carrier.test. A 192.0.2.1\ncarrier.test. AAAA 2001:db8::1\nodd.test. A 0.0.0.0\nodd.test. A 224.0.0.1";
    let mut server = NameServer::open(zone, &[]).await;
    server.leads("carrier.test", Some(5060), None, "UDP 192.0.2.1:5060").await;
    assert_eq!(server.asks("odd.test", Some(5060), None).await, Err(ResolveError::NoSuchName), "nobody is reached there");
    server.resolver = Resolver::new(&[server.address], true).unwrap();
    server.leads("carrier.test", Some(5060), None, "UDP [2001:db8::1]:5060, UDP 192.0.2.1:5060").await;
}

#[tokio::test]
async fn a_router_that_is_silent_to_what_it_does_not_know_costs_no_line() {
    let zone = "carrier.test. A 192.0.2.1";
    let silent = ["carrier.test. NAPTR", "_sip._udp.carrier.test. SRV", "_sip._tcp.carrier.test. SRV"];
    let server = NameServer::open(zone, &silent).await;
    server.leads("carrier.test", None, None, "UDP 192.0.2.1:5060").await;
}

#[tokio::test]
async fn what_was_known_serves_while_nobody_answers() {
    let server = NameServer::open("carrier.test. A 192.0.2.1\nother.test. A 192.0.2.2", &[]).await;
    let target = Target::Name { host: "carrier.test".into(), port: Some(5060), transport: None };
    server.resolver.resolve(&target).await.unwrap();
    // The same memory of names, and a server where nobody is.
    let nobody = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let orphaned = Resolver::new(&[nobody.local_addr().unwrap()], false).unwrap();
    let orphaned = Resolver { kept: Arc::clone(&server.resolver.kept), ..orphaned };
    assert_eq!(orphaned.resolve(&target).await.unwrap().iter().map(shown).collect::<Vec<_>>(), ["UDP 192.0.2.1:5060"]);
    let other = Target::Name { host: "other.test".into(), port: Some(5060), transport: None };
    assert_eq!(orphaned.resolve(&other).await, Err(ResolveError::NoAnswer));
}

#[tokio::test]
async fn a_carrier_of_many_servers_is_bounded() {
    let zone: String = (0..24)
        .map(|number| {
            let host = format!("h{number}.carrier.test.");
            format!("_sip._udp.carrier.test. SRV {number} 0 5060 {host}\n{host} A 192.0.2.{}\n", number + 1)
        })
        .collect();
    let server = NameServer::open(&zone, &[]).await;
    let hops = server.asks("carrier.test", None, Some(Transport::Udp)).await.unwrap();
    assert_eq!((hops.len(), shown(&hops[0]).as_str()), (MOST, "UDP 192.0.2.1:5060"));
}

#[tokio::test]
async fn ways_begin_at_our_doors_and_names_are_kept_for_the_handshake() {
    let server = NameServer::open("carrier.test. A 127.0.0.9\nother.test. A 127.0.0.8", &[]).await;
    let (udp, tcp, tls) = ("0.0.0.0:5060".parse().unwrap(), "127.0.0.5:5070".parse().unwrap(), "127.0.0.5:5071".parse().unwrap());
    let outer = Outer::new(None, |_| true);
    let trust = Trust::new(Path::new("")).unwrap();
    let name = |host: &str, transport| Target::Name { host: host.into(), port: Some(5099), transport: Some(transport) };
    let targets = [
        name("carrier.test", Transport::Udp),
        name("nobody.test", Transport::Udp),
        name("carrier.test", Transport::Tcp),
        name("other.test", Transport::Tls),
    ];
    let ways = server.resolver.ways(&targets, &Doors { udp, tcp, tls, outer }, &trust).await.unwrap();
    let shown: Vec<String> = ways.iter().map(|way| format!("{} {} {}", way.transport.as_str(), way.local, way.remote)).collect();
    let expected = ["UDP 127.0.0.1:5060 127.0.0.9:5099", "TCP 127.0.0.5:5070 127.0.0.9:5099", "TLS 127.0.0.5:5071 127.0.0.8:5099"];
    assert_eq!(shown, expected, "an open door is the address from which the system would send");
    assert!(trust.expects("127.0.0.8:5099".parse().unwrap()) && !trust.expects("127.0.0.9:5099".parse().unwrap()));
}

/// Answers from a zone in lines of `name TYPE data`; to the questions in `silent`, `name TYPE`, it says nothing.
struct NameServer {
    address: SocketAddr,
    resolver: Resolver,
}

impl NameServer {
    async fn open(zone: &str, silent: &[&str]) -> NameServer {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let records: Vec<Record> = zone.lines().map(record).collect();
        let silent: BTreeSet<String> = silent.iter().map(|&question| question.to_owned()).collect();
        tokio::spawn(async move {
            let mut buffer = [0; 4_096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let asked = Message::from_vec(&buffer[..length]).unwrap();
                let query = asked.queries[0].clone();
                if !silent.contains(&format!("{} {}", query.name, query.query_type)) {
                    let _ = socket.send_to(&answer(asked, &records), from).await;
                }
            }
        });
        NameServer { address, resolver: Resolver::new(&[address], false).unwrap() }
    }

    async fn asks(&self, host: &str, port: Option<u16>, transport: Option<Transport>) -> Result<Vec<Hop>, ResolveError> {
        self.resolver.resolve(&Target::Name { host: host.into(), port, transport }).await
    }

    async fn leads(&self, host: &str, port: Option<u16>, transport: Option<Transport>, expected: &str) {
        let hops = self.asks(host, port, transport).await.unwrap();
        assert_eq!(hops.iter().map(shown).collect::<Vec<_>>().join(", "), expected, "{host} {port:?} {transport:?}");
    }
}

fn answer(asked: Message, records: &[Record]) -> Vec<u8> {
    let mut answer = Message::response(asked.metadata.id, asked.metadata.op_code);
    let query = asked.queries[0].clone();
    let mut name = query.name.clone();
    // An alias is followed, as a name server does that is asked to.
    if let Some(alias) = records.iter().find(|record| record.name == name && record.record_type() == RecordType::CNAME) {
        if let RData::CNAME(CNAME(canonical)) = &alias.data {
            name = canonical.clone();
        }
        answer.add_answer(alias.clone());
    }
    let fits = records.iter().filter(|record| record.name == name && record.record_type() == query.query_type);
    answer.add_answers(fits.cloned());
    let known = records.iter().any(|record| record.name == query.name);
    if answer.answers.is_empty() && !known {
        answer.metadata.response_code = ResponseCode::NXDomain;
    }
    answer.add_query(query);
    answer.to_vec().unwrap()
}

fn record(line: &str) -> Record {
    let words: Vec<&str> = line.split_whitespace().collect();
    let number = |at: usize| words[at].parse::<u16>().unwrap();
    let name = |text: &str| Name::from_ascii(text).unwrap();
    let data = match words[1] {
        "A" => RData::A(A(words[2].parse().unwrap())),
        "AAAA" => RData::AAAA(AAAA(words[2].parse().unwrap())),
        "CNAME" => RData::CNAME(CNAME(name(words[2]))),
        "SRV" => RData::SRV(SRV::new(number(2), number(3), number(4), name(words[5]))),
        "NAPTR" => {
            let (flags, services, regexp) = (b"s".as_slice().into(), words[4].as_bytes().into(), b"".as_slice().into());
            RData::NAPTR(NAPTR::new(number(2), number(3), flags, services, regexp, name(words[5])))
        }
        other => panic!("no record of type {other}"),
    };
    Record::from_rdata(name(words[0]), 60, data)
}

fn shown(hop: &Hop) -> String {
    format!("{} {}", hop.transport.as_str(), hop.remote)
}
