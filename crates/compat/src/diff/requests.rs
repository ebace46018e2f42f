//! Single requests, drawn: what can be wrong with one is wrong now and then.

use super::op::{Create, Op};
use super::rng::Rng;
use super::wire::{List, Text};
use super::words;

pub(super) fn create(rng: &mut Rng) -> Op {
    let kind = rng.pick(&[Create::Create, Create::Create, Create::Create2, Create::Container]);
    let flags = match rng.below(20) {
        0..9 => 0,
        9..18 => i32::try_from(rng.below(5)).expect("small"),
        18 => i32::try_from(rng.below(8)).expect("small"),
        _ => rng.pick(&[-1, 7, 8, i32::MIN, i32::MAX]),
    };
    Op::Create { kind, path: words::path(rng), data: words::data(rng), acl: words::acl(rng), flags }
}

/// Items that can succeed together: most random ones fail at the first.
pub(super) fn coherent(rng: &mut Rng) -> Vec<Op> {
    let at = |path: &str, kind, flags| Op::Create {
        kind,
        path: Text::of(path),
        data: Some(b"m".to_vec()),
        acl: List::Of(vec![words::open_entry()]),
        flags,
    };
    let kind = rng.pick(&[Create::Create, Create::Create2]);
    let parent = rng.pick(&["", "/a", "/b", "/s"]);
    let path = words::plain_path(rng);
    let numbered = Text::of(&format!("{parent}/q"));
    let mut items = match rng.below(4) {
        // A sequence number is taken for each, and given back if the multi fails.
        0 => (0..=rng.below(4))
            .map(|_index| at(&format!("{parent}/q"), kind, rng.pick(&[0, 2, 2, 3])))
            .collect(),
        1 => vec![
            at(&numbered.lossy(), rng.pick(&[kind, Create::Container]), 0),
            Op::SetData { path: numbered.clone(), data: words::data(rng), version: 0 },
            Op::Check { path: numbered.clone(), version: 1 },
            at(&format!("{parent}/q/child"), kind, rng.pick(&[0, 1])),
            Op::Delete { path: Text::of(&format!("{parent}/q/child")), version: 0 },
            Op::Delete { path: numbered, version: 1 },
        ],
        2 => vec![
            Op::SetData { path: path.clone(), data: words::data(rng), version: -1 },
            Op::SetData { path: path.clone(), data: words::data(rng), version: -1 },
            Op::Check { path, version: -1 },
        ],
        _ => vec![
            Op::Delete { path: path.clone(), version: -1 },
            at(&path.lossy(), kind, rng.pick(&[0, 1])),
            Op::SetData { path, data: words::data(rng), version: 0 },
        ],
    };
    items.truncate(1 + rng.below(items.len()));
    items
}

/// Never with a negative TTL behind flags below 5: the original stops at it, and at its own log ever after.
pub(super) fn create_ttl(rng: &mut Rng) -> Op {
    let flags = match rng.below(20) {
        0..16 => rng.pick(&[5, 6]),
        16..18 => i32::try_from(rng.below(5)).expect("small"),
        _ => rng.pick(&[7, -1, i32::MAX]),
    };
    let honest = [1, 60_000, 3_600_000, 0xff_ffff_ffff, 0x100_0000_0000, i64::MAX, 0];
    let ttl = match rng.below(10) {
        0 if flags >= 5 => rng.pick(&[-1, i64::MIN]),
        0..6 => 3_600_000,
        _ => rng.pick(&honest),
    };
    Op::CreateTtl { path: words::path(rng), data: words::data(rng), acl: words::acl(rng), flags, ttl }
}

pub(super) fn reconfig(rng: &mut Rng) -> Op {
    let text = |rng: &mut Rng| {
        let some = rng.pick(&["", "1", "x", "server.2=127.0.0.1:1:2;3"]);
        if rng.chance(40) { Text::null() } else { Text::of(some) }
    };
    Op::Reconfig {
        joining: text(rng),
        leaving: text(rng),
        members: text(rng),
        config: i64::from(words::version(rng)),
    }
}

pub(super) fn watch_kind(rng: &mut Rng) -> i32 {
    if rng.chance(95) { rng.pick(&[1, 2, 3, 3, 4, 5]) } else { rng.pick(&[0, 6, -1, i32::MAX]) }
}

pub(super) fn set_watches(rng: &mut Rng, zxid: i64) -> Op {
    let relative = match rng.below(10) {
        0 => 0,
        1 => rng.pick(&[-1, i64::MIN, i64::MAX]),
        _ => zxid - i64::try_from(rng.below(20)).expect("small"),
    };
    let count = if rng.chance(50) { 3 } else { 5 };
    let lists = (0..count).map(|_index| match rng.below(60) {
        0 => List::Count(-1),
        1 => List::Count(-2),
        _ => List::Of((0..rng.below(4)).map(|_path| words::path(rng)).collect()),
    });
    Op::SetWatches { relative, lists: lists.collect() }
}
