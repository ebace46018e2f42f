//! Registers: every write happened once, wholly or not at all, and every read shows the last one.

use std::collections::BTreeMap;

use super::{Findings, show};
use crate::checked::history::{History, Op, Outcome, Put, REGISTERS, Record, Register, Value};

/// What a register was set to by the write with some zxid.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Point {
    value: Value,
    /// `None` when only another part of the same multi was seen.
    version: Option<i32>,
}

/// The states of all registers that anybody saw.
#[derive(Debug)]
pub(super) struct Registers {
    /// By register and zxid.
    points: Vec<BTreeMap<i64, Point>>,
    /// Which write each value belongs to, and the zxid that is known for it.
    writes: BTreeMap<Value, Write>,
}

/// A write, as far as it is known.
#[derive(Debug)]
struct Write {
    record: Record,
    zxid: Option<i64>,
}

impl Registers {
    /// Puts together what replies say of the registers.
    pub(super) fn of(history: &History, findings: &mut Findings) -> Self {
        let mut this = Self { points: vec![BTreeMap::new(); REGISTERS], writes: BTreeMap::new() };
        for record in history.records() {
            if let Op::Set(puts) = &record.op {
                for put in puts {
                    let write = Write { record: record.clone(), zxid: None };
                    this.writes.insert(put.value, write);
                }
            }
        }
        for record in history.records() {
            match (&record.op, &record.outcome) {
                (Op::Set(puts), Outcome::Versions(versions)) => {
                    for (put, version) in puts.iter().zip(versions) {
                        let point = Point { value: put.value, version: Some(*version) };
                        this.see(put.register, record.zxid, point, record, findings);
                    }
                }
                (Op::Get(register, _), Outcome::Holds(value, version, mzxid)) => {
                    let point = Point { value: *value, version: Some(*version) };
                    this.see(*register, *mzxid, point, record, findings);
                }
                _ => {}
            }
        }
        this.complete_multis(findings);
        this
    }

    /// Takes in one state.
    fn see(&mut self, register: Register, zxid: i64, point: Point, record: &Record, findings: &mut Findings) {
        let Some(points) = self.points.get_mut(register) else { return };
        match points.insert(zxid, point) {
            Some(known) if known != point => findings.add(format!(
                "register {register} was {known:?} and {point:?} by the same zxid 0x{zxid:x}: {}",
                show(record)
            )),
            _ => {}
        }
        if point.value == 0 {
            return;
        }
        let Some(write) = self.writes.get_mut(&point.value) else {
            findings.add(format!("{} is a value that nobody wrote: {}", point.value, show(record)));
            return;
        };
        if write.record.outcome != Outcome::Unknown && matches!(write.record.outcome, Outcome::Failed(_)) {
            findings.add(format!("seen although it failed: {}; {}", show(&write.record), show(record)));
        }
        if record.returned.is_some_and(|returned| returned < write.record.invoked) {
            findings.add(format!("seen before it was written: {}; {}", show(&write.record), show(record)));
        }
        match write.zxid.replace(zxid) {
            Some(other) if other != zxid => findings.add(format!(
                "one write has two zxids, 0x{other:x} and 0x{zxid:x}: {}; {}",
                show(&write.record),
                show(record)
            )),
            _ => {}
        }
    }

    /// A multi with an unknown result of which one part was seen happened wholly.
    fn complete_multis(&mut self, findings: &mut Findings) {
        let mut parts: Vec<(Put, i64)> = Vec::new();
        for write in self.writes.values() {
            if let (Op::Set(puts), Some(zxid)) = (&write.record.op, write.zxid) {
                parts.extend(puts.iter().map(|put| (*put, zxid)));
            }
        }
        for (put, zxid) in parts {
            if let Some(write) = self.writes.get_mut(&put.value) {
                write.zxid = Some(zxid);
            }
            let Some(points) = self.points.get_mut(put.register) else { continue };
            let point = points.entry(zxid).or_insert(Point { value: put.value, version: None });
            if point.value != put.value {
                let found = point.value;
                findings.add(format!(
                    "a multi happened in part: 0x{zxid:x} set register {} to {found}, not to {}",
                    put.register, put.value
                ));
            }
        }
    }

    /// The first known write of a register after a zxid.
    pub(super) fn next_write(&self, register: Register, after: i64) -> Option<i64> {
        let points = self.points.get(register)?;
        points.range(after.checked_add(1)?..).next().map(|(zxid, _)| *zxid)
    }

    /// The zxid of a write, when it is known.
    pub(super) fn zxid_of(&self, value: Value) -> Option<i64> {
        self.writes.get(&value)?.zxid
    }

    /// Whether versions rise without an unexplained hole, and reads show the state at their zxid.
    pub(super) fn check(&self, history: &History, findings: &mut Findings) {
        for (register, points) in self.points.iter().enumerate() {
            self.check_versions(register, points, findings);
        }
        for record in history.records() {
            match (&record.op, &record.outcome) {
                (Op::Get(register, _), Outcome::Holds(_, _, mzxid)) => {
                    let next = self.next_write(*register, *mzxid);
                    if let Some(next) = next.filter(|next| *next <= record.zxid) {
                        findings.add(format!("a read misses the write 0x{next:x}: {}", show(record)));
                    }
                    if *mzxid > record.zxid {
                        findings.add(format!("a read shows more than its zxid: {}", show(record)));
                    }
                }
                (Op::Set(puts), Outcome::Versions(versions)) => {
                    for (put, version) in puts.iter().zip(versions) {
                        if put.expected != -1 && put.expected + 1 != *version {
                            findings.add(format!("the version was not {}: {}", put.expected, show(record)));
                        }
                    }
                }
                (Op::Set(puts), Outcome::Failed(_)) => self.check_failed(puts, record, findings),
                _ => {}
            }
        }
    }

    /// A hole in the versions of a register needs as many writes whose result nobody knows.
    fn check_versions(&self, register: Register, points: &BTreeMap<i64, Point>, findings: &mut Findings) {
        let unknown = self.writes.values().filter(|write| {
            write.zxid.is_none()
                && write.record.outcome == Outcome::Unknown
                && matches!(&write.record.op, Op::Set(puts) if puts.iter().any(|put| put.register == register))
        });
        let unknown = i32::try_from(unknown.count()).expect("few writes");
        let mut missing = 0;
        let mut last = (0_i64, 0_i32);
        let mut nameless = 0;
        for (zxid, point) in points {
            let Some(version) = point.version else {
                nameless += 1;
                continue;
            };
            if point.value == 0 {
                last = (*zxid, version);
                continue;
            }
            let hole = version - last.1 - 1 - nameless;
            if hole < 0 {
                findings.add(format!(
                    "register {register} had version {} after 0x{:x}, {nameless} more writes, and version {version} \
                     after 0x{zxid:x}: something that was written is lost",
                    last.1, last.0
                ));
            }
            missing += hole.max(0);
            last = (*zxid, version);
            nameless = 0;
        }
        if missing > unknown {
            findings.add(format!(
                "register {register}: {missing} versions were written by nobody, only {unknown} results are unknown"
            ));
        }
    }

    /// A conditional write may fail only where the version was not the expected one.
    fn check_failed(&self, puts: &[Put], record: &Record, findings: &mut Findings) {
        let [put] = puts else { return };
        let Some(points) = self.points.get(put.register) else { return };
        let before = points.range(..record.zxid).next_back().and_then(|(_, point)| point.version);
        let after = points.range(record.zxid..).next().and_then(|(_, point)| point.version);
        // Only when both neighbours are known and adjacent is the version in between certain.
        if let (Some(before), Some(after)) = (before, after)
            && after == before + 1
            && before == put.expected
        {
            findings.add(format!("refused although the version was {before}: {}", show(record)));
        }
    }
}
