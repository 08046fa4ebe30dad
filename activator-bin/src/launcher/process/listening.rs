//! Which ports the processes of an instance listen on: one that listens on another port than it was told never becomes
//! ready, and this is how people find out.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::process::Pid;

use crate::launcher::proc::family;

/// The most processes that are looked at.
const MAX_PROCESSES: usize = 256;

/// The most open files of each.
const MAX_FILES: usize = 4096;

/// The most bytes of a list of sockets.
const MAX_LIST: u64 = 16 << 20;

/// The most addresses.
const MAX_ADDRESSES: usize = 8;

/// The addresses that the children of this process, and theirs, listen on, as far as known. Blocks.
pub(super) fn listening(supervisor: Pid) -> Vec<SocketAddr> {
    let family = family(supervisor);
    let family = family.iter().skip(1).take(MAX_PROCESSES);
    let sockets: HashSet<u64> = family.clone().flat_map(|pid| sockets(*pid)).collect();
    // They see the same network, as a rule.
    let Some(first) = family.clone().next().filter(|_| !sockets.is_empty()) else {
        return Vec::new();
    };
    let mut addresses: Vec<_> = ["tcp", "tcp6"]
        .into_iter()
        .filter_map(|list| File::open(format!("/proc/{}/net/{list}", first.as_raw_nonzero())).ok())
        .flat_map(|list| {
            BufReader::new(list.take(MAX_LIST))
                .lines()
                .map_while(Result::ok)
        })
        .filter_map(|line| listener(&line))
        .filter_map(|(address, socket)| sockets.contains(&socket).then_some(address))
        .take(MAX_ADDRESSES)
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// The numbers of the sockets that a process has open.
fn sockets(pid: Pid) -> impl Iterator<Item = u64> {
    let files = fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero()));
    let files = files.into_iter().flatten().flatten().take(MAX_FILES);
    files.filter_map(|file| {
        let target = fs::read_link(file.path()).ok()?;
        let number = target.to_str()?.strip_prefix("socket:[")?;
        number.strip_suffix(']')?.parse().ok()
    })
}

/// The address and number of a listening socket, from a line of `/proc/net/tcp` or `/proc/net/tcp6`.
fn listener(line: &str) -> Option<(SocketAddr, u64)> {
    const LISTEN: &str = "0A";
    let mut fields = line.split_ascii_whitespace();
    let (ip, port) = fields.nth(1)?.split_once(':')?;
    if fields.nth(1)? != LISTEN {
        return None;
    }
    let socket = fields.nth(5)?.parse().ok()?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some((SocketAddr::new(address(ip)?, port), socket))
}

/// An address as the kernel writes it: words of 32 bits, each in the order of this machine.
fn address(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(hex.get(at..at + 8)?, 16).ok();
    let bytes = |at: usize| Some(word(at)?.to_ne_bytes());
    match hex.len() {
        8 => Some(Ipv4Addr::from(bytes(0)?).into()),
        32 => {
            let words = [bytes(0)?, bytes(8)?, bytes(16)?, bytes(24)?];
            let bytes: Vec<u8> = words.concat();
            Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into())
        }
        _ => None,
    }
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;

    #[test]
    fn a_listening_socket_is_found_in_its_line() {
        let check = |line: &str, expected: Option<(&str, u64)>| {
            let expected = expected.map(|(address, socket)| (address.parse().unwrap(), socket));
            assert_eq!(listener(line), expected, "{line}");
        };
        check(
            "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0",
            Some(("127.0.0.1:8080", 4711)),
        );
        check(
            "   1: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A \
             00000000:00000000 00:00000000 00000000     0        0 815 1 0",
            Some(("[::1]:80", 815)),
        );
        // Connected.
        check(
            "   2: 0100007F:1F90 0100007F:A000 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0",
            None,
        );
        check(
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid",
            None,
        );
        check("", None);
        check("0: 0100007Fä:1F90 0:0 0A 0 0 0 0 0 1", None);
    }
}
