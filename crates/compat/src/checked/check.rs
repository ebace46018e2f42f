//! What has to hold of a history.

mod lifetimes;
mod order;
mod registers;
mod sessions;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use super::history::{History, Outcome, Record};
use registers::Registers;

/// How many violations are told of each kind; the rest is only counted.
const TOLD_MAX: usize = 10;

/// What is wrong.
#[derive(Debug, Default)]
struct Findings {
    told: Vec<String>,
    more: usize,
}

impl Findings {
    fn add(&mut self, text: String) {
        if self.told.len() < TOLD_MAX {
            self.told.push(text);
        } else {
            self.more += 1;
        }
    }
}

/// What may not be asked of this history.
#[derive(Clone, Debug, Default)]
pub struct Allowances {
    /// Whether a session that was not abandoned may have expired, because nobody could serve it for long enough.
    pub expiry: bool,
    /// Which members led which epochs with a loose sync: a client of Apache's leader is answered from what that leader has applied, while
    /// followers may have applied, and acknowledged, more. The sync of a client of any other member waits for the leader's answer, which
    /// goes the way of the commits before it.
    ///
    /// Source: `LeaderZooKeeperServer#setupRequestProcessors` gives its `CommitProcessor` `matchSyncs` false, so that `#needCommit` takes
    /// a sync for a read; `Leader#tryToCommit` queues COMMIT for the followers before it commits at home.
    pub loose_syncs: BTreeSet<(u64, i64)>,
}

/// Checks a whole history.
///
/// # Errors
/// With everything that is wrong, as text.
pub fn check(history: &History, allowed: &Allowances) -> Result<(), String> {
    let mut findings = Findings::default();
    let registers = Registers::of(history, &mut findings);
    registers.check(history, &mut findings);
    order::check(history, &registers, allowed, &mut findings);
    sessions::check(history, &registers, allowed, &mut findings);
    lifetimes::check(history, &mut findings);
    if findings.told.is_empty() {
        return Ok(());
    }
    let more = if findings.more == 0 { String::new() } else { format!("\nand {} more", findings.more) };
    Err(format!("{}{more}\n({})", findings.told.join("\n"), history.summary()))
}

/// A record as a finding shows it.
fn show(record: &Record) -> String {
    let Record { op, invoked, returned, zxid, outcome } = record;
    match (outcome, returned) {
        (Outcome::Nodes(nodes), _) => {
            format!("{op:?} at 0x{zxid:x} ({invoked:.3?}) -> {} nodes", nodes.len())
        }
        (_, Some(returned)) => {
            format!("{op:?} at 0x{zxid:x} ({invoked:.3?} to {returned:.3?}) -> {outcome:?}")
        }
        (_, None) => format!("{op:?} ({invoked:.3?} to never) -> {outcome:?}"),
    }
}
