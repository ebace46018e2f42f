//! Ports that nothing listens on.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Result, bail};

/// The first port tried. Below Linux's ephemeral range (32768 and up) on purpose: a client that reconnects to a server that is
/// down could otherwise be given that very port as its own and connect to itself, and the restarted server could not bind.
const FIRST: u16 = 20_000;
/// How many ports there are to try.
const COUNT: u16 = 12_000;

/// How many ports this process has looked at.
static LOOKED_AT: AtomicU16 = AtomicU16::new(0);

/// A loopback port nothing listens on now. Two calls in one process never give the same one; another process may still be
/// faster, which [`Spec::start`](super::Spec::start) answers by trying again.
///
/// # Errors
/// When every port of the range is taken.
pub fn free_port() -> Result<u16> {
    // Each process starts elsewhere, so that lanes side by side seldom meet.
    let offset = std::process::id().wrapping_mul(97) % u32::from(COUNT);
    let offset = u16::try_from(offset).expect("smaller than COUNT");
    for _ in 0..COUNT {
        let step = LOOKED_AT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let port = FIRST + (offset + step) % COUNT;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port from {FIRST} to {}", FIRST + COUNT - 1)
}

/// The first of several such ports in a row.
///
/// # Errors
/// As [`free_port`].
pub fn free_ports(count: u16) -> Result<u16> {
    let mut first = free_port()?;
    let mut found = 1;
    while found < count {
        let next = free_port()?;
        if first.checked_add(found) == Some(next) {
            found += 1;
        } else {
            (first, found) = (next, 1);
        }
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_calls_give_two_ports_outside_the_ephemeral_range() {
        let (one, other) = (free_port().unwrap(), free_port().unwrap());
        assert_ne!(one, other);
        assert!(one < 32_768 && other < 32_768);
        assert!(free_ports(30).unwrap() <= 32_768 - 30);
    }
}
