//! The scheme `ip`: addresses, and networks written `address/bits`.
//!
//! Source: `IPAuthenticationProvider`; IPv6 since 3.9.4.

use alloc::format;
use alloc::string::{String, ToString};
use core::net::IpAddr;

/// An address as its bits, left-aligned, and how many there are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Address {
    bits: u128,
    length: u32,
}

const V4_BITS: u32 = 32;
const V6_BITS: u32 = 128;
const V6_GROUPS: u32 = 8;

impl Address {
    fn parse(text: &str) -> Option<Self> {
        if text.contains(':') {
            v6(text).map(|bits| Self { bits, length: V6_BITS })
        } else {
            v4(text).map(|bits| Self { bits: u128::from(bits) << (V6_BITS - V4_BITS), length: V4_BITS })
        }
    }

    /// The first `bits` of it, the others zero.
    fn network(self, bits: u32) -> u128 {
        // Shifting by all 128 at once is no shift at all, so /0 stands apart.
        if bits == 0 { 0 } else { self.bits & (u128::MAX << (V6_BITS - bits)) }
    }
}

/// Four decimal parts of 0 to 255, each read as Java's `Integer.parseInt` does: signs and leading zeros pass.
fn v4(text: &str) -> Option<u32> {
    let mut parts = text.split('.');
    let mut part = || u8::try_from(parts.next()?.parse::<i32>().ok()?).ok();
    let bytes = [part()?, part()?, part()?, part()?];
    parts.next().is_none().then_some(u32::from_be_bytes(bytes))
}

/// Eight groups of up to four hexadecimal digits, or fewer with `::` once. No dotted quad at the end, no zone.
fn v6(text: &str) -> Option<u128> {
    let Some((head, tail)) = text.split_once("::") else {
        let (bits, count) = groups(text)?;
        return (count == V6_GROUPS).then_some(bits);
    };
    let (head, head_count) = if head.is_empty() { (0, 0) } else { groups(head)? };
    let (tail, tail_count) = if tail.is_empty() { (0, 0) } else { groups(tail)? };
    if head_count + tail_count >= V6_GROUPS {
        return None;
    }
    // Without a head the shift is by all 128 bits, and what it gives is zero as well.
    Some(head.checked_shl(16 * (V6_GROUPS - head_count)).unwrap_or(0) | tail)
}

/// Groups from left to right, and how many. A second `::` shows as an empty group, which is none.
fn groups(text: &str) -> Option<(u128, u32)> {
    let mut bits = 0_u128;
    let mut count = 0;
    for group in text.split(':') {
        if group.is_empty() || group.len() > 4 || count == V6_GROUPS {
            return None;
        }
        let [.., high, low] = i32::from_str_radix(group, 16).ok()?.to_be_bytes();
        bits = (bits << 16) | u128::from(u16::from_be_bytes([high, low]));
        count += 1;
    }
    Some((bits, count))
}

/// An address and how many of its bits count.
fn network(text: &str) -> Option<(Address, u32)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<i32>().ok()?)),
        None => (text, None),
    };
    let address = Address::parse(address)?;
    let bits = bits.map_or(Ok(address.length), u32::try_from).ok()?;
    (bits <= address.length).then_some((address, bits))
}

/// Whether an ACL may name this id.
pub(super) fn is_valid(id: &str) -> bool {
    network(id).is_some()
}

/// Whether the peer at `address` is in the network that an ACL names.
pub(super) fn matches(address: &str, acl_id: &str) -> bool {
    match (Address::parse(address), network(acl_id)) {
        (Some(peer), Some((named, bits))) => {
            peer.length == named.length && peer.network(bits) == named.network(bits)
        }
        _ => false,
    }
}

/// An address as Java writes it, which clients see in `whoAmI` and ACLs: IPv6 as eight groups without `::`, an
/// IPv4-mapped one as IPv4. Source: `InetAddress#getHostAddress`.
#[must_use]
pub fn address_text(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, e, f, g, h] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}:{e:x}:{f:x}:{g:x}:{h:x}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_acl_may_name() {
        let good = [
            "1.2.3.4",
            "0.0.0.0/0",
            "255.255.255.255/32",
            "010.0.0.1",
            "+1.2.3.4",
            "1.2.3.4/+8",
            "::",
            "::1",
            "1::",
            "::/0",
            "fe80::1/64",
            "1:2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7::",
            "2001:DB8::/128",
        ];
        for id in good {
            assert!(is_valid(id), "{id}");
        }
        let bad = [
            "",
            "localhost",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.256",
            "1.2.3.-1",
            "1.2.3.4/33",
            "1.2.3.4/-1",
            "1.2.3.4/",
            "1.2.3.4/8/8",
            "1.2.3.",
            "1.2.3.4/x",
            "/8",
            ":::",
            "1::2::3",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "1:2:3:4::5:6:7:8",
            "::12345",
            "::g",
            "::1.2.3.4",
            "fe80::1%eth0",
            "::/129",
            ":1::",
            "1:2:3:4:5:6:7:",
        ];
        for id in bad {
            assert!(!is_valid(id), "{id}");
        }
    }

    #[test]
    fn a_peer_matches_its_networks() {
        let yes = [
            ("1.2.3.4", "1.2.3.4"),
            ("1.2.3.4", "1.2.3.0/24"),
            ("1.2.3.4", "9.9.9.9/0"),
            ("1.2.3.4", "1.2.3.5/31"),
            ("0:0:0:0:0:0:0:1", "::1"),
            ("fe80:0:0:0:1:2:3:4", "fe80::/10"),
            ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8/128"),
        ];
        for (peer, id) in yes {
            assert!(matches(peer, id), "{peer} {id}");
        }
        let no = [
            ("1.2.3.4", "1.2.3.5"),
            ("1.2.3.4", "1.2.2.0/24"),
            ("1.2.3.4", "::/0"),
            ("0:0:0:0:0:0:0:1", "0.0.0.0/0"),
            ("0:0:0:0:0:0:0:1", "::2"),
            ("fe80:0:0:0:0:0:0:1%eth0", "::/0"),
            ("1.2.3.4", "nonsense"),
        ];
        for (peer, id) in no {
            assert!(!matches(peer, id), "{peer} {id}");
        }
    }

    #[test]
    fn addresses_are_written_as_java_writes_them() {
        let text = |address: &str| address_text(address.parse().unwrap());
        assert_eq!(text("127.0.0.1"), "127.0.0.1");
        assert_eq!(text("::1"), "0:0:0:0:0:0:0:1");
        assert_eq!(text("::ffff:10.0.0.1"), "10.0.0.1");
        assert_eq!(text("2001:db8::A"), "2001:db8:0:0:0:0:0:a");
    }
}
