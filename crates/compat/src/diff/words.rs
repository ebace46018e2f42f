//! The vocabulary of the generator: paths, data, access control lists, credentials. Small on purpose, so that steps collide.

use super::rng::Rng;
use super::wire::{Acl, List, Text};

/// Where most requests go.
const PATHS: [&str; 18] = [
    "/a",
    "/b",
    "/c",
    "/a/x",
    "/a/y",
    "/a/x/1",
    "/a/x/2",
    "/b/x",
    "/b/y",
    "/b/x/1",
    "/c/x",
    "/s",
    "/s/n-",
    "/a/x/1/deep",
    "/ab",
    "/a/xx",
    "/c/x/1",
    "/e",
];

/// Below `/zookeeper`, and the root itself. The quota node of the root is missing: creating it stops Apache.
const SPECIAL: [&str; 11] = [
    "/",
    "/zookeeper",
    "/zookeeper/quota",
    "/zookeeper/config",
    "/zookeeper/config/x",
    "/zookeeper/x",
    "/zookeeper/x/y",
    "/zookeeper/quota/a",
    "/zookeeper/quota/a/x",
    "/zookeeper/quota/b",
    "",
];

/// Strings that some path rule refuses, or only just accepts.
const ODD: [&str; 44] = [
    "",
    "a",
    "a/b",
    "//",
    "///",
    "/a/",
    "/a/x/",
    "/s/",
    "/nope/",
    "/a//x",
    "//a",
    "/.",
    "/..",
    "/./b",
    "/a/.",
    "/a/..",
    "/a/./x",
    "/a/../b",
    "/...",
    "/.a",
    "/a.",
    "/a/..x",
    "/a\u{0}b",
    "\u{0}",
    "/\u{0}",
    "/a\u{1}",
    "/a\u{1f}",
    "/a ",
    "/ ",
    " ",
    "/a\u{7e}",
    "/a\u{7f}",
    "/a\u{9f}",
    "/a\u{a0}",
    "/a\u{d7ff}",
    "/a\u{e000}",
    "/a\u{f8ff}",
    "/a\u{f900}",
    "/a\u{ffef}",
    "/a\u{fff0}",
    "/a\u{fffd}",
    "/a\u{ffff}",
    "/a\u{1f600}",
    "/nope/b",
];

/// Byte strings that are no UTF-8.
const BROKEN: [&[u8]; 10] = [
    b"/a\xff",
    b"/a\xc0\xaf",
    b"/a\xe2\x82",
    b"/a\xe2\x82/x",
    b"/a\xed\xa0\x80",
    b"/a\xed\xa0\xbd\xed\xb8\x80",
    b"/a\xf4\x90\x80\x80",
    b"/a\xf0\x9f\x98",
    b"/a\x80\x80",
    b"\xfe/",
];

/// Znodes whose quota is set. Not the root, and none inside another.
pub const QUOTA_SUBJECTS: [&str; 3] = ["/a", "/b", "/s"];
/// The same with one inside another.
pub const NESTED_QUOTA_SUBJECTS: [&str; 4] = ["/a", "/b", "/a/x", "/s"];

/// Texts of `zookeeper_limits` that Apache can read.
const LIMITS: [&str; 10] = [
    "count=-1,bytes=-1",
    "count=3,bytes=20",
    "count=-1,bytes=-1=;byteHardLimit=30;countHardLimit=3",
    "count=-1,bytes=-1=;countHardLimit=2",
    "count=2,bytes=10=;byteHardLimit=100;countHardLimit=6",
    "countHardLimit=4",
    "byteHardLimit=0",
    "count=1,,;bytes=9;",
    "foo=9,count==5,countHardLimit=+2,foo=-3",
    "",
];

/// Ids of `digest` entries and what stands behind them in [`LOGINS`].
const DIGESTS: [&str; 11] = [
    "u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=",
    "bob:fyVmFCwVbTJYrznoSu1koqYEYF0=",
    "super:xQJmxLMiHGwaqBvst5y6rkB6HQs=",
    "nobody:x",
    ":x",
    "x",
    "x:",
    "a:b:c",
    "a:b::",
    "",
    ":",
];

/// `user:password` of auth packets; the third is the super user.
const LOGINS: [&str; 7] = ["u:p", "bob:secret", "super:admin", "plain", "", ":x", "a:b:c"];

/// Ids of `ip` entries.
const ADDRESSES: [&str; 32] = [
    "127.0.0.1",
    "127.0.0.0/8",
    "127.0.0.1/32",
    "0.0.0.0/0",
    "10.0.0.1",
    "10.0.0.0/8",
    "128.0.0.0/1",
    "126.0.0.0/7",
    "127.0.0.1/33",
    "127.0.0.1/-1",
    "127.0.0.1/",
    "/8",
    "127.0.0.1/8/9",
    "127.0.0.1/ 8",
    "1.2.3",
    "1.2.3.4.5",
    "300.1.1.1",
    "0127.0.0.1",
    "127.0.0.01",
    "-1.0.0.1",
    "",
    "x",
    "::1",
    "::/0",
    "::1/128",
    "::1/129",
    "fe80::1/10",
    "1:2:3:4:5:6:7:8",
    "1::2::3",
    "::ffff:127.0.0.1",
    "fe80::1%lo",
    "12345::",
];

/// Other schemes with an id.
const OTHERS: [(&str, &str); 14] = [
    ("world", "someone"),
    ("world", ""),
    ("WORLD", "anyone"),
    ("auth", ""),
    ("auth", "ignored"),
    ("super", ""),
    ("super", "x"),
    ("host", "localhost"),
    ("sasl", "bob"),
    ("x509", "CN=a"),
    ("ensemble", "x"),
    ("key", "x"),
    ("", ""),
    ("junk\u{1f600}", "x"),
];

/// Any path: usually an ordinary one, sometimes below `/zookeeper`, sometimes one that no rule likes.
pub fn path(rng: &mut Rng) -> Text {
    match rng.below(100) {
        0..84 => plain_path(rng),
        84..92 => Text::of(rng.pick(&SPECIAL)),
        _ => odd_path(rng),
    }
}

/// One that can exist.
pub fn plain_path(rng: &mut Rng) -> Text {
    let path = rng.pick(&PATHS);
    match rng.below(12) {
        // What sequential creates make.
        0 => Text::of(&format!("{path}{:010}", rng.below(12))),
        1 => Text::of(&format!("/s/n-{:010}", rng.below(6))),
        _ => Text::of(path),
    }
}

fn odd_path(rng: &mut Rng) -> Text {
    match rng.below(20) {
        0 => Text::null(),
        1..5 => Text(Some(rng.pick(&BROKEN).to_vec())),
        5 => {
            let any = u32::try_from(rng.below(0x1_1000)).expect("a small number");
            Text::of(&format!("/a{}", char::from_u32(any).unwrap_or('x')))
        }
        6 => Text::of(&format!("/{}", "long".repeat(1 + rng.below(800)))),
        _ => Text::of(rng.pick(&ODD)),
    }
}

/// Data of a znode, null included, large now and then.
pub fn data(rng: &mut Rng) -> Option<Vec<u8>> {
    let length = match rng.below(300) {
        0..20 => return None,
        20..60 => 0,
        60..270 => 1 + rng.below(12),
        270..296 => rng.below(600),
        296..299 => rng.below(20_000),
        _ => rng.below(1_000_000),
    };
    Some(rng.bytes(length))
}

/// An expected version: any, right by chance, or impossible.
pub fn version(rng: &mut Rng) -> i32 {
    match rng.below(20) {
        0..11 => -1,
        11..18 => i32::try_from(rng.below(4)).expect("small"),
        18 => rng.pick(&[-2, i32::MIN, i32::MAX, 1000]),
        _ => rng.int(),
    }
}

/// An access control list, the open one most of the time.
pub fn acl(rng: &mut Rng) -> List<Acl> {
    match rng.below(100) {
        0..75 => List::Of(vec![open_entry()]),
        75..77 => List::Count(rng.pick(&[-1, -1, -2, i32::MIN])),
        77 => List::Of(Vec::new()),
        _ => {
            let mut entries: Vec<_> = (0..=rng.below(4)).map(|_index| acl_entry(rng)).collect();
            if rng.chance(15) {
                entries.extend(entries.first().cloned());
            }
            // Without this the whole tree is soon out of everybody's reach.
            if rng.chance(50) {
                entries.push(open_entry());
            }
            List::Of(entries)
        }
    }
}

/// Everything for everybody.
pub fn open_entry() -> Acl {
    entry(31, "world", "anyone")
}

fn acl_entry(rng: &mut Rng) -> Acl {
    let perms = match rng.below(10) {
        0..5 => 31,
        5..9 => i32::try_from(rng.below(32)).expect("small"),
        _ => rng.pick(&[-1, 32, 63, i32::MIN, i32::MAX]),
    };
    match rng.below(20) {
        0..4 => entry(perms, "world", "anyone"),
        4..7 => entry(perms, "auth", ""),
        7..11 => {
            // Valid ones are what most lists should have, or INVALIDACL hides everything else.
            let known = if rng.chance(80) { DIGESTS.get(..4).unwrap_or(&DIGESTS) } else { &DIGESTS };
            entry(perms, "digest", rng.pick(known))
        }
        11..16 => {
            let known = if rng.chance(70) { ADDRESSES.get(..8).unwrap_or(&ADDRESSES) } else { &ADDRESSES };
            entry(perms, "ip", rng.pick(known))
        }
        16..19 => {
            let (scheme, id) = rng.pick(&OTHERS);
            entry(perms, scheme, id)
        }
        _ => {
            let mut broken = entry(perms, rng.pick(&["world", "digest", "ip", "auth"]), "anyone");
            if rng.chance(50) {
                broken.id = Text::null();
            } else {
                broken.scheme = Text::null();
            }
            broken
        }
    }
}

fn entry(perms: i32, scheme: &str, id: &str) -> Acl {
    Acl { perms, scheme: Text::of(scheme), id: Text::of(id) }
}

/// A login that works.
pub fn good_login(rng: &mut Rng) -> Vec<u8> {
    rng.pick(LOGINS.get(..3).unwrap_or(&LOGINS)).as_bytes().to_vec()
}

/// Any scheme with any token.
pub fn odd_login(rng: &mut Rng) -> (Text, Option<Vec<u8>>) {
    let scheme = match rng.below(8) {
        0 => Text::null(),
        1 => Text::of("ip"),
        2..5 => Text::of("digest"),
        _ => Text::of(rng.pick(&["world", "auth", "super", "sasl", "x509", "junk", ""])),
    };
    let token = match rng.below(8) {
        0 => None,
        1 => Some(vec![0xff, b':', 0xfe]),
        _ => Some(rng.pick(&LOGINS).as_bytes().to_vec()),
    };
    (scheme, token)
}

/// What may stand in a `zookeeper_limits` node.
pub fn limits(rng: &mut Rng) -> Vec<u8> {
    rng.pick(&LIMITS).as_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_drawn_is_the_path_that_stops_apache() {
        let mut rng = Rng::new(1);
        for _round in 0..20_000 {
            let drawn = path(&mut rng).lossy();
            assert!(!drawn.contains("zookeeper_limits") && !drawn.contains("zookeeper_stats"), "{drawn}");
        }
    }
}
