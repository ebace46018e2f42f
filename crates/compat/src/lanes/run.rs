//! An ensemble under a checked load, from its start to the verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::checked::{
    Allowances, Auditor, Identity, Lasting, Load, LoadPlan, Node, Op, Outcome, Put, REGISTERS, SessionLog,
    Value, check, equal_trees,
};
use crate::harness::{Ensemble, Plan, Target, until};

/// How long writes may stand still: an election and a start of a virtual machine among other work.
pub(super) const PROGRESS_TIME_MAX: Duration = Duration::from_secs(60);
/// Longer than any trouble of a lane.
const SESSION_TIMEOUT: Duration = Duration::from_secs(60);
/// What guests ask for who go away without a word.
const SHORT_TIMEOUT: Duration = Duration::from_secs(3);
/// The longest a worker waits between two batches: the servers under test share the machine with each other.
const PACE: Duration = Duration::from_millis(20);
/// How long the last ephemerals and sessions may take to go: a worker whose connection breaks before it hears of its session
/// opens another, and the first lasts as long as it was asked for.
const EXPIRY_TIME_MAX: Duration = SESSION_TIMEOUT.saturating_add(Duration::from_secs(30));
/// The values of writes that a lane makes itself start here; the workers' are smaller.
const OWN_VALUES: Value = 1 << 50;

/// What is running.
pub(super) struct Run {
    pub(super) ensemble: Ensemble,
    pub(super) load: Load,
    /// Sessions of the lane itself.
    own: Vec<SessionLog>,
    own_values: Value,
}

impl Run {
    /// Starts the ensemble with this leader, and a worker at every member.
    pub(super) fn start(plan: Plan, leader: u64, partner: u64, seed: u64) -> Result<Self> {
        let mut ensemble = plan.make()?;
        let started = ensemble.start_led_by(leader, partner);
        Self::load(ensemble, started, seed)
    }

    /// Starts all members at once, and a worker at every one.
    pub(super) fn start_together(plan: Plan, seed: u64) -> Result<Self> {
        let mut ensemble = plan.make()?;
        let sids = ensemble.sids();
        let started = ensemble.start(&sids).and_then(|()| ensemble.serving(&sids));
        Self::load(ensemble, started, seed)
    }

    /// Starts the load when the ensemble has started.
    fn load(mut ensemble: Ensemble, started: Result<()>, seed: u64) -> Result<Self> {
        let members = ensemble.members().map(|member| (member.sid(), member.client_address())).collect();
        let pace = PACE;
        let plan = LoadPlan { timeout: SESSION_TIMEOUT, short_timeout: SHORT_TIMEOUT, pace, seed };
        let load =
            started.context("the cold start").and_then(|()| Load::start(members, plan).context("the load"));
        let load = ensemble.keep_on_failure(load)?;
        Ok(Self { ensemble, load, own: Vec::new(), own_values: OWN_VALUES })
    }

    /// Waits until every worker has so many more writes acknowledged.
    pub(super) fn each_written(&mut self, count: u64) -> Result<()> {
        let written = self.load.each_written(count, PROGRESS_TIME_MAX);
        written.with_context(|| self.ensemble.tails())
    }

    /// Waits until the workers together have so many more writes acknowledged.
    pub(super) fn written(&mut self, count: u64) -> Result<()> {
        let written = self.load.written(count, PROGRESS_TIME_MAX);
        written.with_context(|| self.ensemble.tails())
    }

    /// Waits until only the workers' sessions are left, and one of the lane itself.
    pub(super) fn guests_gone(&self, sid: u64) -> Result<()> {
        let member = self.ensemble.member(sid);
        let wanted = i64::try_from(self.ensemble.sids().len())? + 1;
        until("the guests' sessions to end", EXPIRY_TIME_MAX, || {
            Ok((member.metric("zk_global_sessions")? <= wanted).then_some(()))
        })
    }

    /// Sends a write to a member that will not be answered, and waits until the member has it in its log.
    pub(super) fn leave_a_tail(&mut self, sid: u64, auditor: &mut Auditor) -> Result<()> {
        let value = self.own_value();
        auditor.send_and_forget(Op::Set(vec![Put { register: 0, value, expected: -1 }]))?;
        let member = self.ensemble.member(sid);
        let text = value.to_string();
        until("the proposal in the leader's log", PROGRESS_TIME_MAX, || {
            Ok(member.has_logged(text.as_bytes())?.then_some(()))
        })
    }

    /// A value nobody else writes.
    fn own_value(&mut self) -> Value {
        self.own_values += 1;
        self.own_values
    }

    /// A session of the lane itself at a member.
    pub(super) fn auditor(&self, sid: u64) -> Result<Auditor> {
        let address = self.ensemble.member(sid).client_address();
        Auditor::open(sid, address, &Identity::fresh(SESSION_TIMEOUT), self.load.began())
    }

    /// Adds what a session of the lane itself saw.
    pub(super) fn add(&mut self, log: SessionLog) {
        self.own.push(log);
    }

    /// Ends the load, looks at what every member shows, and checks the history. No session may have expired.
    pub(super) fn close(mut self) -> Result<String> {
        let sids = self.ensemble.sids();
        let serving = self.ensemble.serving(&sids).context("in the end");
        self.ensemble.keep_on_failure(serving)?;
        let Self { mut ensemble, load, own, .. } = self;
        let closed = verdict(&mut ensemble, load, own);
        ensemble.keep_on_failure(closed)
    }
}

/// What every member shows in the end, and the history.
fn verdict(ensemble: &mut Ensemble, load: Load, own: Vec<SessionLog>) -> Result<String> {
    let finished = load.finish();
    let mut history = finished.history;
    history.sessions.extend(own);
    let ephemerals: BTreeSet<Node> = history
        .records()
        .filter_map(|record| match record.op {
            Op::Create(node, Lasting::Ephemeral) => Some(node),
            Op::Create(_, Lasting::Persistent) | Op::Set(_) | Op::Delete(_) | Op::Close => None,
            Op::Get(..) | Op::Exists(_) | Op::List | Op::Sync => None,
        })
        .collect();
    let mut auditors = Vec::new();
    for member in ensemble.members() {
        let identity = Identity::fresh(SESSION_TIMEOUT);
        let auditor = Auditor::open(member.sid(), member.client_address(), &identity, finished.began);
        auditors.push((member.sid(), auditor.with_context(|| format!("a last session at {member}"))?));
    }
    for (sid, auditor) in &mut auditors {
        until(&format!("all ephemerals to be gone at member {sid}"), EXPIRY_TIME_MAX, || {
            auditor.call(Op::Sync)?;
            let Outcome::Nodes(nodes) = auditor.call(Op::List)? else { bail!("the list was refused") };
            Ok(nodes.iter().all(|node| !ephemerals.contains(node)).then_some(()))
        })?;
        for register in 0..REGISTERS {
            auditor.call(Op::Get(register, false))?;
        }
    }
    let znodes = equal_trees(&mut auditors)?;
    digests(ensemble)?;
    for (_, auditor) in auditors {
        history.sessions.push(auditor.close()?);
    }
    let allowed = Allowances { expiry: false, loose_syncs: led_by_apache(ensemble)? };
    check(&history, &allowed).map_err(|findings| anyhow!(findings))?;
    Ok(format!("{znodes} equal znodes; {}", history.summary()))
}

/// Which member led which epoch with Apache's program, as its log tells. Source: `Leader#startZkServer`.
fn led_by_apache(ensemble: &Ensemble) -> Result<BTreeSet<(u64, i64)>> {
    const STARTED: &str = "starting up and setting last processed zxid: 0x";
    let mut led = BTreeSet::new();
    for member in ensemble.members() {
        for line in member.output().lines() {
            let Some((_, zxid)) = line.split_once(STARTED) else { continue };
            let zxid =
                i64::from_str_radix(zxid.trim(), 16).with_context(|| format!("{member} logs: {line}"))?;
            led.insert((member.sid(), zxid >> 32));
        }
    }
    Ok(led)
}

/// Digests of equal zxids are equal, and where all members are ours nobody has counted a difference.
fn digests(ensemble: &Ensemble) -> Result<()> {
    let mut known: BTreeMap<String, (u64, String)> = BTreeMap::new();
    let all_ours = ensemble.members().all(|member| *member.target() == Target::Oxkeeper);
    for member in ensemble.members() {
        // Apache's snapshots are fuzzy: differences are counted while what they hold already is applied.
        if all_ours {
            let mismatches = member.metric("zk_digest_mismatches_count")?;
            ensure!(mismatches == 0, "{member} counts {mismatches} digests that did not match");
        }
        let answer = member.word("hash")?;
        for (zxid, digest) in answer.lines().filter_map(|line| line.split_once(": ")) {
            let (sid, first) =
                known.entry(zxid.to_owned()).or_insert_with(|| (member.sid(), digest.to_owned()));
            ensure!(first == digest, "digest of {zxid}: {first} at member {sid}, {digest} at {member}");
        }
    }
    Ok(())
}

/// Which way a learner was brought level.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sync {
    Diff,
    Trunc,
    Snap,
}

impl Sync {
    /// What a learner prints, and where it leaves it to its leader to tell. Source: `Learner#syncWithLeader`.
    fn of_learner(self, learner: &Target) -> Option<&'static str> {
        match (self, learner) {
            (Self::Diff, Target::Apache { .. }) => Some("Getting a diff from the leader"),
            (Self::Trunc, Target::Apache { .. }) => Some("Truncating log to get in sync with the leader"),
            (Self::Snap, Target::Apache { .. }) => Some("Getting a snapshot from leader"),
            (Self::Diff, Target::Oxkeeper) => None,
            (Self::Trunc, Target::Oxkeeper) => Some("the log was truncated to what the leader has"),
            (Self::Snap, Target::Oxkeeper) => Some("a snapshot came from the leader"),
        }
    }
}

/// What a leader prints that sends a DIFF. Source: `LearnerHandler#syncFollower`.
fn diff_of_leader(leader: &Target) -> &'static str {
    match leader {
        Target::Apache { .. } => "Sending DIFF zxid=",
        Target::Oxkeeper => "Synchronizing with Learner: DIFF",
    }
}

/// How often a learner was brought level in one way, as its own log tells, or else those of all leaders.
pub(super) fn syncs(ensemble: &Ensemble, learner: u64, way: Sync) -> usize {
    let learner = ensemble.member(learner);
    if let Some(text) = way.of_learner(learner.target()) {
        return learner.output().matches(text).count();
    }
    ensemble.members().map(|leader| leader.output().matches(diff_of_leader(leader.target())).count()).sum()
}
