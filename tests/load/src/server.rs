//! What the server under load has used, from `/proc`: itself and all its children, since Kamailio is many processes.

use std::fs;

/// The processes of a server.
pub struct Server {
    processes: Vec<u32>,
}

impl Server {
    /// A process and its descendants; an empty list measures nothing.
    pub fn of(roots: &[u32]) -> Server {
        let mut processes = roots.to_vec();
        let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter_map(|process| Some((process, field(process, 1)?.try_into().ok()?)))
            .collect();
        let mut at = 0;
        while at < processes.len() {
            let children = parents.iter().filter(|(child, parent)| *parent == processes[at] && !processes.contains(child));
            let children: Vec<u32> = children.map(|(child, _)| *child).collect();
            processes.extend(children);
            at += 1;
        }
        Server { processes }
    }

    /// Seconds of processor so far, of user and system; the kernel counts them in steps of 10 ms.
    pub fn processor_s(&self) -> f64 {
        let ticks = |process: &u32| field(*process, 11).unwrap_or(0) + field(*process, 12).unwrap_or(0);
        let per_second = rustix::param::clock_ticks_per_second().max(1);
        self.processes.iter().map(ticks).sum::<u64>() as f64 / per_second as f64
    }

    /// Memory that is its own or its share of what is shared, in KiB.
    pub fn memory_kib(&self) -> u64 {
        self.processes.iter().filter_map(|process| line(&format!("/proc/{process}/smaps_rollup"), "Pss:")).sum()
    }

    /// Open descriptors.
    pub fn descriptors(&self) -> usize {
        self.processes.iter().map(|process| fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count)).sum()
    }

    /// UDP ports that it holds.
    pub fn ports(&self) -> usize {
        let tables = ["/proc/net/udp", "/proc/net/udp6"].map(|table| fs::read_to_string(table).unwrap_or_default());
        let inode = |line: &str| line.split_whitespace().nth(9).map(str::to_owned);
        let bound: std::collections::HashSet<String> =
            tables.iter().flat_map(|table| table.lines().skip(1)).filter_map(inode).collect();
        let folders = self.processes.iter().filter_map(|process| fs::read_dir(format!("/proc/{process}/fd")).ok());
        let links = folders.flatten().flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
        let inodes = links.filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.trim_end_matches(']').to_owned()));
        inodes.filter(|inode| bound.contains(inode)).count()
    }

    /// Still there?
    pub fn lives(&self) -> bool {
        self.processes.first().is_some_and(|process| field(*process, 1).is_some())
    }
}

/// A number of `/proc/PID/stat`, counted after the name in brackets, which may hold anything.
fn field(process: u32, place: usize) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    text.rsplit_once(')')?.1.split_whitespace().nth(place)?.parse().ok()
}

fn line(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_sees_its_own_use() {
        let before = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let own = Server::of(&[std::process::id()]);
        let ports = own.ports();
        let more = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(own.lives() && own.memory_kib() > 100 && own.descriptors() > 3);
        assert_eq!(own.ports(), ports + 1);
        drop((before, more));
        assert_eq!(own.ports(), ports - 1);
        assert!(!Server::of(&[u32::MAX]).lives());
    }
}
