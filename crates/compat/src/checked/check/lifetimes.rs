//! Nodes: there from creation to deletion, ephemeral ones as long as their session.

use std::collections::{BTreeMap, BTreeSet};

use super::{Findings, show};
use crate::checked::history::{At, End, History, Lasting, Node, Op, Outcome, Record, SessionLog};

/// What is known of a node.
#[derive(Debug)]
struct Life {
    /// When its creation was asked for.
    asked: At,
    /// The zxid of its creation, once known.
    birth: Option<i64>,
    /// The zxid from which on it is gone, once known.
    death: Option<i64>,
    /// Whether it may be gone without anybody knowing since when.
    may_die: bool,
    /// It is gone at the earliest at this time, unless it is deleted by request.
    not_gone_before: Option<At>,
    /// The highest zxid at which it was there, or its session proved to be alive.
    there: i64,
    /// The lowest zxid at which it was not.
    gone: Option<i64>,
}

pub(super) fn check(history: &History, findings: &mut Findings) {
    let mut lives: BTreeMap<Node, Life> = BTreeMap::new();
    for log in &history.sessions {
        for record in log.records() {
            if let Op::Create(node, lasting) = record.op {
                lives.insert(node, born(log, record, lasting));
            }
        }
    }
    for record in history.records() {
        if let Op::Delete(node) = record.op
            && let Some(life) = lives.get_mut(&node)
        {
            match record.outcome {
                Outcome::Unknown => life.may_die = true,
                Outcome::Done => life.death = Some(record.zxid),
                // An error; `sessions` tells it.
                Outcome::Failed(_)
                | Outcome::Versions(_)
                | Outcome::Holds(..)
                | Outcome::There(_)
                | Outcome::Nodes(_) => {}
            }
        }
    }
    // First all sightings, because one tells the birth of a node that another missed.
    for record in history.records() {
        sightings(record, &mut lives, findings);
    }
    for record in history.records() {
        absences(record, &mut lives, findings);
    }
    for (node, life) in &lives {
        if let Some(gone) = life.gone.filter(|gone| *gone <= life.there) {
            findings
                .add(format!("node {node} was gone at 0x{gone:x} and there at 0x{:x}: {life:?}", life.there));
        }
    }
}

/// What the creation and the end of the session say.
fn born(log: &SessionLog, record: &Record, lasting: Lasting) -> Life {
    let mut life = Life {
        asked: record.invoked,
        birth: (record.outcome == Outcome::Done).then_some(record.zxid),
        death: None,
        may_die: false,
        not_gone_before: None,
        there: 0,
        gone: None,
    };
    if lasting == Lasting::Ephemeral {
        match log.end {
            End::Closed(Some(zxid)) => life.death = Some(zxid),
            End::Closed(None) | End::Expired => life.may_die = true,
            End::Abandoned(heard_of) => {
                life.may_die = true;
                life.not_gone_before = Some(heard_of + log.timeout);
            }
            End::Alive => {}
        }
        // Whatever the session was answered, other than its end, it was answered while it lived.
        let alive = log.records().filter(|record| record.returned.is_some() && record.op != Op::Close);
        if life.birth.is_some() {
            life.there = alive.map(|record| record.zxid).max().unwrap_or(0);
        }
    }
    life
}

/// Takes in what a read saw.
fn sightings(record: &Record, lives: &mut BTreeMap<Node, Life>, findings: &mut Findings) {
    let mut saw = |node: Node, birth: Option<i64>| {
        let Some(life) = lives.get_mut(&node) else {
            findings.add(format!("node {node}, which nobody created, is seen: {}", show(record)));
            return;
        };
        if record.returned.is_some_and(|returned| returned < life.asked) {
            findings.add(format!("node {node} is seen before it was created: {}", show(record)));
        }
        if let Some(birth) = birth
            && life.birth.replace(birth).is_some_and(|known| known != birth)
        {
            findings.add(format!("node {node} was created twice: {}", show(record)));
        }
        if life.birth.is_some_and(|birth| record.zxid < birth) {
            findings.add(format!("node {node} is seen before its zxid: {}", show(record)));
        }
        if life.death.is_some_and(|death| record.zxid >= death) {
            findings.add(format!("node {node} is seen after its end: {}; {life:?}", show(record)));
        }
        life.there = life.there.max(record.zxid);
    };
    match (&record.op, &record.outcome) {
        (Op::Exists(node), Outcome::There(Some(czxid))) => saw(*node, Some(*czxid)),
        (Op::List, Outcome::Nodes(nodes)) => nodes.iter().for_each(|node| saw(*node, None)),
        _ => {}
    }
}

/// Takes in what a read did not see.
fn absences(record: &Record, lives: &mut BTreeMap<Node, Life>, findings: &mut Findings) {
    let mut missed = |node: Node, life: &mut Life| {
        let Some(birth) = life.birth.filter(|birth| *birth <= record.zxid) else { return };
        match life.death {
            Some(death) if death <= record.zxid => return,
            Some(_) => {
                findings.add(format!("node {node}, created by 0x{birth:x}, is missed: {}", show(record)))
            }
            None if life.may_die => {}
            None => findings.add(format!("node {node}, created by 0x{birth:x}, is lost: {}", show(record))),
        }
        if let (Some(earliest), Some(returned)) = (life.not_gone_before, record.returned)
            && returned < earliest
        {
            findings.add(format!(
                "node {node}: its session expired early, before {earliest:.3?}: {}",
                show(record)
            ));
        }
        life.gone = Some(life.gone.unwrap_or(record.zxid).min(record.zxid));
    };
    match (&record.op, &record.outcome) {
        (Op::Exists(node), Outcome::There(None)) => {
            if let Some(life) = lives.get_mut(node) {
                missed(*node, life);
            }
        }
        (Op::List, Outcome::Nodes(nodes)) => {
            let nodes: BTreeSet<Node> = nodes.iter().copied().collect();
            for (node, life) in lives.iter_mut().filter(|(node, _)| !nodes.contains(node)) {
                missed(*node, life);
            }
        }
        _ => {}
    }
}
