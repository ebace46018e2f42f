//! The table of workloads: what is sent, to which tree, and the bars a result is held to.
//!
//! A bar compares with Apache ZooKeeper or with the limit probe of the same run; never with a figure of another day.

use crate::load::{Pick, Step};
use crate::wire::{Call, EPHEMERAL_SEQUENTIAL, STAT};

/// What a server must hold before a workload makes sense.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Tree {
    /// A thousand znodes of 100 B under `/b`, and the lists.
    Small,
    /// The same with a million under `/b`.
    Large,
}

/// Which probe says what this machine could do at best.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Limit {
    /// Echo with equal framing and reply size.
    Echo,
    /// Echo that has each batch of writes on disk before it answers.
    LogEcho,
    /// The same with two followers, one of which must have the batch on disk, too.
    QuorumEcho,
}

impl Limit {
    /// The probe's id.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Echo => "L1",
            Self::LogEcho => "L3",
            Self::QuorumEcho => "L4",
        }
    }
}

/// Which members of an ensemble the connections go to; one server alone is all of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Via {
    All,
    Leader,
    Follower,
}

/// A figure of merit: ours divided by Apache's or by the probe's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Measure {
    /// Operations per second, of Apache's.
    OpsOfJava,
    /// Server CPU per operation, of Apache's.
    CpuOfJava,
    /// Median latency, of Apache's.
    P50OfJava,
    /// Operations per second, of the probe's.
    OpsOfLimit,
    /// Server CPU per operation, of the probe's.
    CpuOfLimit,
    /// Median latency, of the probe's.
    P50OfLimit,
}

impl Measure {
    /// Whether more is better.
    pub(crate) fn rises(self) -> bool {
        matches!(self, Self::OpsOfJava | Self::OpsOfLimit)
    }
}

/// What a figure must reach, and what it should.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bar {
    pub(crate) measure: Measure,
    pub(crate) must: Option<f64>,
    pub(crate) aim: Option<f64>,
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workload {
    pub(crate) id: &'static str,
    pub(crate) what: &'static str,
    pub(crate) steps: &'static [Step],
    pub(crate) conns: usize,
    pub(crate) depth: u32,
    pub(crate) tree: Tree,
    pub(crate) via: Via,
    pub(crate) limit: Limit,
    pub(crate) bars: &'static [Bar],
}

impl Workload {
    /// The workload of this id, capital or small.
    pub(crate) fn find(id: &str) -> Option<&'static Self> {
        WORKLOADS.iter().chain(ENSEMBLE_WORKLOADS).find(|workload| workload.id.eq_ignore_ascii_case(id))
    }

    /// Bytes behind the reply header for each opcode of the mix.
    pub(crate) fn replies(&self) -> impl Iterator<Item = (i32, usize)> {
        self.steps.iter().map(|step| (step.call.opcode(), step.reply))
    }
}

/// A set of znodes to create before measuring: `count` of them, `size` bytes each.
pub(crate) struct Fill {
    pub(crate) path: &'static str,
    pub(crate) count: u64,
    pub(crate) size: usize,
}

/// Znodes under `/b` in each tree.
pub(crate) fn nodes(tree: Tree) -> u64 {
    match tree {
        Tree::Small => 1_000,
        Tree::Large => 1_000_000,
    }
}

/// The main part of the tree: what memory per znode is measured on.
pub(crate) fn main_fill(tree: Tree) -> Fill {
    Fill { path: "/b/########", count: nodes(tree), size: 100 }
}

/// Parents that must exist before the fills.
pub(crate) const PARENTS: [&str; 9] = ["/b", "/k", "/p", "/q", "/x", "/c", "/l100", "/l1k", "/l10k"];

/// Everything beside the main part.
pub(crate) const FILLS: [Fill; 17] = [
    Fill { path: "/k/########", count: 1_000, size: 1_000 },
    Fill { path: "/q/########", count: 1_000, size: 0 },
    Fill { path: "/x/########", count: 1_000, size: 100 },
    Fill { path: "/l100/########", count: 100, size: 50 },
    Fill { path: "/l1k/########", count: 1_000, size: 0 },
    Fill { path: "/l10k/########", count: 10_000, size: 0 },
    Fill { path: "/p/########", count: 1_000, size: 0 },
    Fill { path: "/p/########/child-00", count: 1_000, size: 0 },
    Fill { path: "/p/########/child-01", count: 1_000, size: 0 },
    Fill { path: "/p/########/child-02", count: 1_000, size: 0 },
    Fill { path: "/p/########/child-03", count: 1_000, size: 0 },
    Fill { path: "/p/########/child-04", count: 1_000, size: 0 },
    Fill { path: "/p/########/child-05", count: 1_000, size: 0 },
    Fill { path: "/p/########/child-06", count: 1_000, size: 0 },
    Fill { path: "/p/########/child-07", count: 1_000, size: 0 },
    Fill { path: "/p/########/child-08", count: 1_000, size: 0 },
    Fill { path: "/p/########/child-09", count: 1_000, size: 0 },
];

/// A `getData` reply's body with this much data.
const fn got(size: usize) -> usize {
    4 + size + STAT
}

/// A `getChildren2` reply's body for this many children with eight-letter names.
const fn list(children: usize) -> usize {
    4 + children * 12 + STAT
}

/// A reply to the multi of four: header and result of check, setData, create, delete, and the end mark.
const fn multi_reply(path: usize) -> usize {
    9 + (9 + STAT) + (9 + 4 + path) + 9 + 9
}

const fn get(path: &'static str, count: u32, size: usize, weight: u16) -> Step {
    let call = Call::Get { watch: false };
    Step { call, path, pick: Pick::Uniform(count), weight, reply: got(size) }
}

const fn set(weight: u16) -> Step {
    let call = Call::Set { size: 100 };
    Step { call, path: "/b/########", pick: Pick::Uniform(1_000), weight, reply: STAT }
}

const fn create(path: &'static str, weight: u16) -> Step {
    let call = Call::Create { size: 100, flags: 0 };
    Step { call, path, pick: Pick::Own, weight, reply: 4 + path.len() }
}

const fn delete(path: &'static str, weight: u16) -> Step {
    Step { call: Call::Delete, path, pick: Pick::Own, weight, reply: 0 }
}

const fn children(path: &'static str, pick: Pick, count: usize, weight: u16) -> Step {
    Step { call: Call::Children2, path, pick, weight, reply: list(count) }
}

const GET: &[Step] = &[get("/b/########", 1_000, 100, 1)];
const GET_OF_MILLION: &[Step] = &[get("/b/########", 1_000_000, 100, 1)];
const GET_1K: &[Step] = &[get("/k/########", 1_000, 1_000, 1)];
const EXISTS: &[Step] = &[Step {
    call: Call::Exists,
    path: "/b/########",
    pick: Pick::Uniform(1_000_000),
    weight: 1,
    reply: STAT,
}];
const LIST_10: &[Step] = &[children("/p/########", Pick::Uniform(1_000), 10, 1)];
const LIST_1K: &[Step] = &[children("/l1k", Pick::Fixed, 1_000, 1)];
const LIST_10K: &[Step] = &[children("/l10k", Pick::Fixed, 10_000, 1)];
const LIST_1M: &[Step] = &[children("/b", Pick::Fixed, 1_000_000, 1)];
const SET: &[Step] = &[set(1)];
const CREATE_DELETE: &[Step] = &[create("/b/########", 1), delete("/b/########", 1)];
const SEQUENCE_AND_MULTI: &[Step] = &[
    Step {
        call: Call::Create { size: 100, flags: EPHEMERAL_SEQUENTIAL },
        path: "/q/########/s-",
        pick: Pick::OwnSequence,
        weight: 1,
        reply: 4 + 24,
    },
    Step {
        call: Call::MultiOfFour { size: 100 },
        path: "/x/########",
        pick: Pick::Connection,
        weight: 1,
        reply: multi_reply(13),
    },
    Step {
        call: Call::Delete,
        path: "/q/########/s-@@@@@@@@@@",
        pick: Pick::OwnSequence,
        weight: 1,
        reply: 0,
    },
];
const GET_90_SET_10: &[Step] = &[get("/b/########", 1_000, 100, 9), set(1)];
const GET_50_SET_50: &[Step] = &[get("/b/########", 1_000, 100, 1), set(1)];
/// RaftKeeper's own benchmark: 1 % create, 8 % set, 45 % get, 45 % list, 1 % delete.
const RAFTKEEPER: &[Step] = &[
    create("/c/########", 1),
    set(8),
    get("/b/########", 1_000, 100, 45),
    children("/l100", Pick::Fixed, 100, 45),
    delete("/c/########", 1),
];
/// In the manner of ClickHouse's keeper-bench: one third writes and deletes, two thirds reads.
const KEEPER: &[Step] = &[
    set(2),
    create("/c/########", 1),
    delete("/c/########", 1),
    get("/b/########", 1_000, 100, 6),
    children("/p/########", Pick::Uniform(1_000), 10, 2),
];

const fn bar(measure: Measure, must: f64, aim: f64) -> Bar {
    Bar { measure, must: Some(must), aim: Some(aim) }
}

const fn must(measure: Measure, must: f64) -> Bar {
    Bar { measure, must: Some(must), aim: None }
}

const fn aim(measure: Measure, aim: f64) -> Bar {
    Bar { measure, must: None, aim: Some(aim) }
}

use Measure::{CpuOfJava, CpuOfLimit, OpsOfJava, OpsOfLimit, P50OfJava, P50OfLimit};

const K2_BARS: &[Bar] = &[bar(OpsOfLimit, 0.7, 0.9)];
const K2_MANY_BARS: &[Bar] = &[bar(OpsOfLimit, 0.7, 0.9), must(CpuOfJava, 1.0 / 4.0)];
const R4_BARS: &[Bar] = &[must(OpsOfJava, 1.5), must(CpuOfJava, 1.0 / 3.0), aim(OpsOfLimit, 0.9)];
const R6_BARS: &[Bar] = &[bar(OpsOfJava, 4.0, 8.0)];
const AT_LIMIT_BARS: &[Bar] = &[bar(OpsOfLimit, 0.8, 0.95)];
const MIX_BARS: &[Bar] = &[bar(OpsOfJava, 8.0, 12.0)];

/// One line; the order of the arguments is that of the columns.
const fn line(
    id: &'static str,
    what: &'static str,
    steps: &'static [Step],
    shape: (usize, u32),
    tree: Tree,
    limit: Limit,
    bars: &'static [Bar],
) -> Workload {
    Workload { id, what, steps, conns: shape.0, depth: shape.1, tree, via: Via::All, limit, bars }
}

/// As [`line()`], for three members with the small tree.
const fn ensemble(
    id: &'static str,
    what: &'static str,
    steps: &'static [Step],
    shape: (usize, u32),
    via: Via,
    limit: Limit,
    bars: &'static [Bar],
) -> Workload {
    Workload { id, what, steps, conns: shape.0, depth: shape.1, tree: Small, via, limit, bars }
}

use Limit::{Echo, LogEcho, QuorumEcho};
use Tree::{Large, Small};

/// All that one server alone is measured with.
#[rustfmt::skip]
pub(crate) const WORKLOADS: &[Workload] = &[
    line("R1", "getData 100 B", GET, (10, 50), Small, Echo,
        &[must(OpsOfJava, 10.0), must(CpuOfJava, 1.0 / 15.0), aim(OpsOfLimit, 0.6)]),
    line("R1k", "getData 1 KB", GET_1K, (10, 50), Small, Echo, &[bar(OpsOfJava, 8.0, 15.0)]),
    line("R2", "getData 100 B", GET, (1, 1), Small, Echo, &[bar(P50OfLimit, 1.25, 1.1)]),
    line("R3", "getData 100 B", GET, (32, 1), Small, Echo, &[bar(OpsOfLimit, 0.8, 0.95), must(CpuOfLimit, 1.4)]),
    line("R6-1k", "getChildren2 of 1 k", LIST_1K, (4, 8), Small, Echo, R6_BARS),
    line("R6-10k", "getChildren2 of 10 k", LIST_10K, (1, 1), Small, Echo, R6_BARS),
    line("W1", "setData 100 B", SET, (1, 1), Small, LogEcho,
        &[bar(P50OfLimit, 1.3, 1.1), bar(CpuOfLimit, 1.3, 1.1)]),
    line("W2", "setData 100 B", SET, (32, 1), Small, LogEcho, &[bar(OpsOfLimit, 0.8, 0.95), must(CpuOfLimit, 1.5)]),
    line("W3", "setData 100 B", SET, (10, 100), Small, LogEcho,
        &[bar(OpsOfJava, 6.0, 12.0), must(CpuOfJava, 1.0 / 10.0), aim(OpsOfLimit, 0.6)]),
    line("C2", "create -s -e, delete, multi of 4", SEQUENCE_AND_MULTI, (10, 50), Small, LogEcho,
        &[bar(OpsOfJava, 5.0, 10.0)]),
    line("M1", "get 90 %, set 10 %", GET_90_SET_10, (10, 50), Small, LogEcho, MIX_BARS),
    line("M1-50", "get 50 %, set 50 %", GET_50_SET_50, (10, 50), Small, LogEcho, MIX_BARS),
    line("M2", "get 90 %, set 10 %", GET_90_SET_10, (32, 1), Small, LogEcho, AT_LIMIT_BARS),
    line("M2-50", "get 50 %, set 50 %", GET_50_SET_50, (32, 1), Small, LogEcho, AT_LIMIT_BARS),
    line("K1-100", "RaftKeeper's mix", RAFTKEEPER, (100, 1), Small, LogEcho, &[must(OpsOfJava, 4.0)]),
    line("K1-400", "RaftKeeper's mix", RAFTKEEPER, (400, 1), Small, LogEcho, &[must(OpsOfJava, 4.0)]),
    line("K2-3", "1/3 writes, 2/3 reads", KEEPER, (3, 1), Small, LogEcho, K2_BARS),
    line("K2-10", "1/3 writes, 2/3 reads", KEEPER, (10, 1), Small, LogEcho, K2_BARS),
    line("K2-100", "1/3 writes, 2/3 reads", KEEPER, (100, 1), Small, LogEcho, K2_MANY_BARS),
    line("K2-1000", "1/3 writes, 2/3 reads", KEEPER, (1_000, 1), Small, LogEcho, K2_MANY_BARS),
    line("R1-1M", "getData 100 B of 1 M", GET_OF_MILLION, (10, 50), Large, Echo,
        &[must(OpsOfJava, 10.0), must(CpuOfJava, 1.0 / 15.0), aim(OpsOfLimit, 0.6)]),
    line("R4-500", "getData 100 B of 1 M", GET_OF_MILLION, (500, 1), Large, Echo, R4_BARS),
    line("R4-5000", "getData 100 B of 1 M", GET_OF_MILLION, (5_000, 1), Large, Echo, R4_BARS),
    line("R5-exists", "exists of 1 M", EXISTS, (10, 50), Large, Echo, &[bar(OpsOfJava, 8.0, 15.0)]),
    line("R5-list", "getChildren2 of 10", LIST_10, (10, 50), Large, Echo, &[bar(OpsOfJava, 8.0, 15.0)]),
    line("R6-1M", "getChildren2 of 1 M", LIST_1M, (1, 1), Large, Echo, R6_BARS),
    line("C1", "create, delete 100 B among 1 M", CREATE_DELETE, (10, 100), Large, LogEcho,
        &[bar(OpsOfJava, 5.0, 10.0), must(CpuOfJava, 1.0 / 10.0)]),
];

const E_W1_BARS: &[Bar] = &[must(P50OfJava, 0.7), must(CpuOfJava, 1.0 / 3.0), aim(P50OfLimit, 1.2)];

/// All that three members are measured with.
#[rustfmt::skip]
pub(crate) const ENSEMBLE_WORKLOADS: &[Workload] = &[
    ensemble("E-R", "getData 100 B", GET, (12, 50), Via::All, Echo, &[bar(OpsOfJava, 10.0, 20.0)]),
    ensemble("E-W1-leader", "setData 100 B on the leader", SET, (1, 1), Via::Leader, QuorumEcho, E_W1_BARS),
    ensemble("E-W1-follower", "setData 100 B on a follower", SET, (1, 1), Via::Follower, QuorumEcho, E_W1_BARS),
    ensemble("E-W2", "setData 100 B", SET, (33, 1), Via::All, QuorumEcho,
        &[must(OpsOfJava, 3.0), must(CpuOfJava, 1.0 / 5.0), aim(OpsOfLimit, 0.8)]),
    ensemble("E-W3", "setData 100 B", SET, (12, 100), Via::All, QuorumEcho,
        &[bar(OpsOfJava, 6.0, 12.0), must(CpuOfJava, 1.0 / 12.0)]),
    ensemble("E-M-12x50", "get 90 %, set 10 %", GET_90_SET_10, (12, 50), Via::All, QuorumEcho, &[must(OpsOfJava, 8.0)]),
    ensemble("E-M-33x1", "get 90 %, set 10 %", GET_90_SET_10, (33, 1), Via::All, QuorumEcho, &[must(OpsOfJava, 3.0)]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_are_unique_and_found_in_any_case() {
        let all = || WORKLOADS.iter().chain(ENSEMBLE_WORKLOADS);
        let ids: BTreeSet<_> = all().map(|workload| workload.id).collect();
        assert_eq!(ids.len(), all().count());
        assert_eq!(Workload::find("r1K").unwrap().id, "R1k");
    }

    #[test]
    fn a_must_is_never_harder_than_its_aim() {
        for bar in WORKLOADS.iter().chain(ENSEMBLE_WORKLOADS).flat_map(|workload| workload.bars) {
            if let (Some(must), Some(aim)) = (bar.must, bar.aim) {
                assert!(if bar.measure.rises() { must < aim } else { must > aim });
            }
        }
    }
}
