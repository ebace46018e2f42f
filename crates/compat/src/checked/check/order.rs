//! Zxids against real time.

use std::collections::BTreeMap;

use super::registers::Registers;
use super::{Allowances, Findings, show};
use crate::checked::history::{At, Entry, History, Op, Outcome, Record, SessionLog};

/// Every zxid belongs to one write; what was finished before something else began has the smaller one; a sync shows what was finished
/// before it.
pub(super) fn check(history: &History, registers: &Registers, allowed: &Allowances, findings: &mut Findings) {
    let mut by_zxid: BTreeMap<i64, &Record> = BTreeMap::new();
    for record in history.records().filter(|record| record.op.writes()) {
        let zxid = match &record.op {
            _ if record.outcome != Outcome::Unknown => Some(record.zxid),
            Op::Set(puts) => puts.first().and_then(|put| registers.zxid_of(put.value)),
            Op::Create(..) | Op::Delete(_) | Op::Close => None,
            Op::Get(..) | Op::Exists(_) | Op::List | Op::Sync => None,
        };
        let Some(zxid) = zxid else { continue };
        if let Some(other) = by_zxid.insert(zxid, record) {
            findings.add(format!("two writes have the zxid 0x{zxid:x}: {}; {}", show(other), show(record)));
        }
    }
    real_time(&by_zxid, findings);
    syncs(history, allowed, findings);
}

/// In the order of zxids: nobody finished before one with a smaller zxid began.
fn real_time(by_zxid: &BTreeMap<i64, &Record>, findings: &mut Findings) {
    let mut latest: Option<&Record> = None;
    for record in by_zxid.values().copied() {
        if let (Some(before), Some(returned)) = (latest, record.returned)
            && returned < before.invoked
        {
            findings.add(format!("zxids against real time: {}; {}", show(record), show(before)));
        }
        if latest.is_none_or(|latest| latest.invoked < record.invoked) {
            latest = Some(record);
        }
    }
}

/// The reply to a sync, and with it everything after, shows all writes finished before the sync was sent.
fn syncs(history: &History, allowed: &Allowances, findings: &mut Findings) {
    let answered = |record: &&Record| record.returned.is_some() && record.op.writes();
    let mut writes: Vec<(At, i64)> = history
        .records()
        .filter(answered)
        .filter_map(|record| Some((record.returned?, record.zxid)))
        .collect();
    writes.sort_unstable();
    let mut syncs: Vec<(u64, &Record)> = history.sessions.iter().flat_map(syncs_of).collect();
    syncs.retain(|(member, record)| !allowed.loose_syncs.contains(&(*member, record.zxid >> 32)));
    syncs.sort_unstable_by_key(|(_, record)| record.invoked);
    let mut writes = writes.into_iter().peekable();
    let mut highest = 0;
    for (member, sync) in syncs {
        while let Some((_, zxid)) = writes.next_if(|(returned, _)| *returned < sync.invoked) {
            highest = highest.max(zxid);
        }
        if sync.zxid < highest {
            findings.add(format!(
                "a sync at member {member} does not show the write 0x{highest:x} finished before it: {}",
                show(sync)
            ));
        }
    }
}

/// The syncs of a session that were answered, with the member that did.
fn syncs_of(log: &SessionLog) -> Vec<(u64, &Record)> {
    let mut member = 0;
    let mut syncs = Vec::new();
    for entry in &log.entries {
        match entry {
            Entry::Connected(sid) => member = *sid,
            Entry::Record(record) if record.op == Op::Sync && record.outcome == Outcome::Done => {
                syncs.push((member, record));
            }
            Entry::Record(_) | Entry::Event(..) | Entry::Lost | Entry::Nonsense(_) => {}
        }
    }
    syncs
}
