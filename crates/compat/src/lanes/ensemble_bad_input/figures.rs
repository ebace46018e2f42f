//! What a member holds.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::harness::{Member, until};

/// How long descriptors and memory may take to come back: the longest deadline of a connection, and some.
const SETTLE_TIME_MAX: Duration = Duration::from_secs(20);
/// Sockets that happen to be open at one of the two looks: clients move, members redial.
const DESCRIPTORS_MORE: usize = 8;
/// What an allocator and a growing history may keep, in KiB.
const KIB_MORE: u64 = 24 << 10;

/// One look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    descriptors: usize,
    rss_kib: u64,
}

impl Figures {
    /// Looks.
    pub(super) fn of(member: &Member) -> Result<Self> {
        let pid = member.pid().with_context(|| format!("{member} is down"))?;
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))?.count();
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        Ok(Self { descriptors, rss_kib: rss.context("no VmRSS")?.parse()? })
    }

    /// Waits until the member holds no more than before.
    pub(super) fn returned(&self, member: &Member) -> Result<()> {
        let mut last = *self;
        let returned = until("descriptors and memory to come back", SETTLE_TIME_MAX, || {
            last = Self::of(member)?;
            let fine = last.descriptors <= self.descriptors + DESCRIPTORS_MORE
                && last.rss_kib <= self.rss_kib + KIB_MORE;
            Ok(fine.then_some(()))
        });
        returned.with_context(|| format!("before {self:?}, now {last:?}"))
    }
}
