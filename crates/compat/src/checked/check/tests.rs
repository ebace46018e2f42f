//! Every rule has a planted mistake that it must find.

use std::time::Duration;

use super::{Allowances, check};
use crate::checked::history::{End, Entry, History, Lasting, Op, Outcome, Put, Record, SessionLog};

fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn record(op: Op, from: u64, to: u64, zxid: i64, outcome: Outcome) -> Entry {
    Entry::Record(Record { op, invoked: at(from), returned: Some(at(to)), zxid, outcome })
}

fn unanswered(op: Op, from: u64) -> Entry {
    Entry::Record(Record { op, invoked: at(from), returned: None, zxid: 0, outcome: Outcome::Unknown })
}

fn put(register: usize, value: u64) -> Put {
    Put { register, value, expected: -1 }
}

fn set(value: u64) -> Op {
    Op::Set(vec![put(0, value)])
}

fn holds(value: u64, version: i32, mzxid: i64) -> Outcome {
    Outcome::Holds(value, version, mzxid)
}

fn session(id: i64, end: End, entries: Vec<Entry>) -> SessionLog {
    SessionLog { id, timeout: at(1000), entries, end }
}

fn verdict(sessions: Vec<SessionLog>) -> Result<(), String> {
    check(&History { sessions }, &Allowances::default())
}

fn one(entries: Vec<Entry>) -> Result<(), String> {
    verdict(vec![session(1, End::Alive, entries)])
}

fn found(verdict: Result<(), String>, words: &str) {
    let text = verdict.expect_err(words);
    assert!(text.contains(words), "wanted `{words}`, found:\n{text}");
}

/// Two writes and a read, as they should be.
fn good() -> Vec<Entry> {
    vec![
        record(set(7), 0, 1, 10, Outcome::Versions(vec![1])),
        record(set(8), 2, 3, 11, Outcome::Versions(vec![2])),
        record(Op::Get(0, false), 4, 5, 11, holds(8, 2, 11)),
    ]
}

#[test]
fn a_good_history_passes() {
    assert_eq!(one(good()), Ok(()));
}

#[test]
fn a_lost_write_is_found_by_the_read_and_by_the_version() {
    let mut entries = good();
    entries.push(record(Op::Get(0, false), 6, 7, 12, holds(7, 1, 10)));
    found(one(entries), "misses the write 0xb");
    let mut entries = good();
    entries.push(record(set(9), 6, 7, 12, Outcome::Versions(vec![2])));
    found(one(entries), "is lost");
}

#[test]
fn versions_nobody_wrote_are_found_unless_a_result_is_unknown() {
    let mut entries = good();
    entries.push(record(set(9), 6, 7, 13, Outcome::Versions(vec![4])));
    found(one(entries.clone()), "written by nobody");
    entries.insert(3, unanswered(set(99), 5));
    assert_eq!(one(entries), Ok(()));
}

#[test]
fn values_nobody_wrote_or_that_failed_or_come_early_are_found() {
    found(one(vec![record(Op::Get(0, false), 0, 1, 5, holds(3, 1, 5))]), "nobody wrote");
    let early = vec![record(Op::Get(0, false), 0, 1, 5, holds(3, 1, 5)), unanswered(set(3), 4)];
    found(one(early), "before it was written");
    let conditional = Op::Set(vec![Put { register: 0, value: 3, expected: 9 }]);
    let failed = vec![
        record(conditional, 0, 1, 5, Outcome::Failed(-103)),
        record(Op::Get(0, false), 2, 3, 6, holds(3, 1, 5)),
    ];
    found(one(failed), "although it failed");
}

#[test]
fn half_a_multi_is_found() {
    let multi = Op::Set(vec![put(0, 3), put(1, 4)]);
    let entries = vec![
        unanswered(multi, 0),
        record(Op::Get(0, false), 2, 3, 6, holds(3, 1, 5)),
        record(Op::Get(1, false), 2, 3, 6, holds(0, 0, 1)),
    ];
    found(one(entries), "misses the write 0x5");
}

#[test]
fn zxids_against_real_time_and_doubled_ones_are_found() {
    let other = |from, to, zxid| {
        session(
            2,
            End::Alive,
            vec![record(Op::Set(vec![put(1, 77)]), from, to, zxid, Outcome::Versions(vec![1]))],
        )
    };
    let first = || session(1, End::Alive, good());
    found(verdict(vec![first(), other(20, 21, 9)]), "against real time");
    found(verdict(vec![first(), other(0, 21, 11)]), "two writes have the zxid");
    assert_eq!(verdict(vec![first(), other(0, 21, 9)]), Ok(()));
}

#[test]
fn a_sync_that_shows_too_little_is_found() {
    let other =
        session(2, End::Alive, vec![Entry::Connected(3), record(Op::Sync, 20, 21, 10, Outcome::Done)]);
    let sessions = vec![session(1, End::Alive, good()), other];
    found(verdict(sessions.clone()), "a sync at member 3 does not show");
    let verdict = |led| {
        let allowed = Allowances { loose_syncs: [led].into(), ..Allowances::default() };
        check(&History { sessions: sessions.clone() }, &allowed)
    };
    assert_eq!(verdict((3, 0)), Ok(()));
    found(verdict((3, 1)), "a sync at member 3 does not show");
    found(verdict((2, 0)), "a sync at member 3 does not show");
}

#[test]
fn a_session_that_goes_back_or_is_gone_is_found() {
    let mut entries = good();
    entries.push(record(Op::Exists(5), 6, 7, 9, Outcome::There(None)));
    found(one(entries), "goes back from 0xb");
    found(verdict(vec![session(1, End::Expired, good())]), "is gone although");
    let two = vec![session(1, End::Alive, good()), session(1, End::Alive, Vec::new())];
    found(verdict(two), "two sessions have the id");
    let mut entries = good();
    entries.push(record(set(9), 6, 7, 12, Outcome::Failed(-112)));
    found(one(entries), "an error to a client");
}

#[test]
fn events_that_are_late_doubled_or_missing_are_found() {
    let watch = |event_at: Option<usize>| {
        let mut entries = vec![
            record(Op::Get(0, true), 0, 1, 5, holds(0, 0, 1)),
            record(set(7), 2, 3, 10, Outcome::Versions(vec![1])),
        ];
        if let Some(index) = event_at {
            entries.insert(index, Entry::Event(0, 10));
        }
        entries
    };
    assert_eq!(one(watch(Some(1))), Ok(()));
    found(one(watch(None)), "no event for 0xa");
    found(one(watch(Some(2))), "no event for 0xa");
    let mut doubled = watch(Some(1));
    doubled.insert(1, Entry::Event(0, 10));
    found(one(doubled), "unwatched");
}

#[test]
fn nodes_that_vanish_or_stay_are_found() {
    let create = |lasting| record(Op::Create(5, lasting), 0, 1, 10, Outcome::Done);
    let gone = |zxid| record(Op::Exists(5), 1500, 1501, zxid, Outcome::There(None));
    let there = |zxid| record(Op::Exists(5), 1500, 1501, zxid, Outcome::There(Some(10)));
    found(one(vec![create(Lasting::Persistent), gone(12)]), "is lost");
    let deleted = || vec![create(Lasting::Persistent), record(Op::Delete(5), 2, 3, 11, Outcome::Done)];
    found(one([deleted(), vec![there(12)]].concat()), "after its end");
    assert_eq!(one([deleted(), vec![gone(12)]].concat()), Ok(()));

    let ephemeral = |end, looks| {
        verdict(vec![session(1, end, vec![create(Lasting::Ephemeral)]), session(2, End::Alive, looks)])
    };
    found(ephemeral(End::Closed(Some(11)), vec![there(12)]), "after its end");
    found(ephemeral(End::Alive, vec![gone(12)]), "is lost");
    assert_eq!(ephemeral(End::Abandoned(at(0)), vec![gone(12)]), Ok(()));
    found(ephemeral(End::Abandoned(at(600)), vec![gone(12)]), "expired early");
    found(ephemeral(End::Abandoned(at(0)), vec![gone(12), there(13)]), "was gone at 0xc and there at 0xd");
}
