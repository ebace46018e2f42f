//! One round: two fresh servers, the same steps to both, every answer side by side, and the trees at the end.

use std::collections::VecDeque;
use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::allowed::{self, Case};
use super::compare::{Clock, normalise};
use super::generate::{Generator, View};
use super::op::{Op, Read};
use super::reply::{Body, Seen};
use super::rng::Rng;
use super::show;
use super::side::{Heard, Side};
use super::step::{Connect, Cut, Mangle, Request, Step};
use super::tally::Tally;
use super::wire::Text;
use crate::harness::{Server, Spec, Target};

/// Sessions live at least that long, in milliseconds, so that none expires while a round runs.
const SESSION_TIMEOUT_MIN: u32 = 400_000;
const SESSION_TIMEOUT_MAX: u32 = 600_000;
/// A round that takes longer ends early, before a session could expire.
const ROUND_TIME_MAX: Duration = Duration::from_secs(300);
/// `super:admin`
const SUPER_DIGEST: &str = "super:xQJmxLMiHGwaqBvst5y6rkB6HQs=";

/// Which servers, how configured.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The one that is right.
    pub a: Target,
    /// The one that has to agree.
    pub b: Target,
    /// How many client connections.
    pub slots: usize,
    /// `zookeeper.enforceQuota`
    pub quotas_enforced: bool,
    /// `zookeeper.extendedTypesEnabled`
    pub extended_types: bool,
    /// `reconfigEnabled`
    pub reconfig: bool,
}

impl Setup {
    /// Draws the switches from the seed of a round.
    pub fn draw(a: Target, b: Target, slots: usize, seed: u64) -> Self {
        let mut rng = Rng::new(!seed);
        Self {
            a,
            b,
            slots,
            quotas_enforced: rng.chance(40),
            extended_types: rng.chance(85),
            reconfig: rng.chance(50),
        }
    }

    fn start(&self, target: &Target) -> Result<Server> {
        Spec::new(target.clone())
            .cfg("minSessionTimeout", SESSION_TIMEOUT_MIN)
            .cfg("maxSessionTimeout", SESSION_TIMEOUT_MAX)
            .cfg("forceSync", "no")
            .cfg("reconfigEnabled", self.reconfig)
            .property("zookeeper.extendedTypesEnabled", self.extended_types)
            .property("zookeeper.enforceQuota", self.quotas_enforced)
            .property("zookeeper.DigestAuthenticationProvider.superDigest", SUPER_DIGEST)
            // The cleaner of containers runs on a clock; what it does is another test's business.
            .property("znode.container.checkIntervalMs", 86_400_000)
            .start()
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { a, b, slots, quotas_enforced, extended_types, reconfig } = self;
        write!(out, "{a} and {b}, {slots} sessions, enforceQuota={quotas_enforced}, ")?;
        write!(out, "extendedTypesEnabled={extended_types}, reconfigEnabled={reconfig}")
    }
}

/// Where the two servers disagreed.
#[derive(Clone, Debug)]
pub struct Difference {
    /// What was done.
    pub step: Step,
    /// On which slot it was heard.
    pub slot: usize,
    /// What the first server answered there.
    pub a: Vec<Seen>,
    /// What the second one answered.
    pub b: Vec<Seen>,
    /// What is wrong without a comparison: a time that changed, a server that died.
    pub complaints: Vec<String>,
}

/// How a round went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Every step that was done.
    pub steps: Vec<Step>,
    /// Replies and events compared.
    pub compared: usize,
    /// The first disagreement; nothing is comparable after it.
    pub difference: Option<Difference>,
    /// Names of the rules that were needed.
    pub allowed: Vec<&'static str>,
    /// Steps at which both servers gave neither an answer nor the end of the connection. Agreed, but worth a look.
    pub silences: Vec<Step>,
    /// What was touched.
    pub tally: Tally,
}

/// Draws steps from a seed and does them.
///
/// # Errors
/// When a server does not start.
pub fn generated(setup: &Setup, seed: u64, steps: usize) -> Result<Outcome> {
    let mut pair = Pair::start(setup)?;
    let mut generator = Generator::new(seed, setup.quotas_enforced);
    let mut done = Vec::new();
    let started = Instant::now();
    while done.len() < steps && started.elapsed() < ROUND_TIME_MAX {
        let step = generator.step(&pair.view());
        done.push(step.clone());
        if let Some(difference) = pair.step(&step) {
            return Ok(pair.outcome(done, Some(difference)));
        }
    }
    let difference = pair.finish();
    Ok(pair.outcome(done, difference))
}

/// Does given steps again, on fresh servers.
///
/// # Errors
/// When a server does not start.
pub fn replayed(setup: &Setup, steps: &[Step]) -> Result<Outcome> {
    let mut pair = Pair::start(setup)?;
    for (index, step) in steps.iter().enumerate() {
        if let Some(difference) = pair.step(step) {
            return Ok(pair.outcome(steps.iter().take(index + 1).cloned().collect(), Some(difference)));
        }
    }
    let difference = pair.finish();
    Ok(pair.outcome(steps.to_vec(), difference))
}

/// The two servers.
struct Pair {
    sides: [Side; 2],
    clocks: [Clock; 2],
    /// Differences may be allowed: the first is the original, the second is ours.
    rules: bool,
    compared: usize,
    allowed: Vec<&'static str>,
    silences: Vec<Step>,
    tally: Tally,
}

impl Pair {
    fn start(setup: &Setup) -> Result<Self> {
        let (a, b) = thread::scope(|scope| {
            let a = scope.spawn(|| setup.start(&setup.a));
            let b = setup.start(&setup.b);
            (a.join(), b)
        });
        let a = a.map_err(|_panic| anyhow!("starting {} panicked", setup.a))??;
        Ok(Self {
            sides: [Side::new(a, setup.slots), Side::new(b?, setup.slots)],
            clocks: [Clock::default(), Clock::default()],
            rules: setup.b == Target::Oxkeeper && setup.a != Target::Oxkeeper,
            compared: 0,
            allowed: Vec::new(),
            silences: Vec::new(),
            tally: Tally::default(),
        })
    }

    fn outcome(self, steps: Vec<Step>, difference: Option<Difference>) -> Outcome {
        let Self { compared, allowed, silences, tally, .. } = self;
        Outcome { steps, compared, difference, allowed, silences, tally }
    }

    fn view(&self) -> View {
        let [a, _] = &self.sides;
        let open = (0..a.slots()).map(|slot| a.is_open(slot)).collect();
        View { open, sessions: a.sessions.len(), zxid: a.zxid }
    }

    /// Does one step on both servers.
    fn step(&mut self, step: &Step) -> Option<Difference> {
        self.both(step).err().map(|difference| *difference)
    }

    /// The same, giving what both agreed on.
    fn both(&mut self, step: &Step) -> Result<Heard, Box<Difference>> {
        let [a, b] = &mut self.sides;
        let failed = |name: &str, error: anyhow::Error| {
            Box::new(Difference {
                step: step.clone(),
                slot: step.slot().unwrap_or(0),
                a: Vec::new(),
                b: Vec::new(),
                complaints: vec![format!("{name}: {error:#}")],
            })
        };
        let mut heard_a = a.perform(step).map_err(|error| failed("the first server", error))?;
        let mut heard_b = b.perform(step).map_err(|error| failed("the second server", error))?;
        for slot in 0..heard_a.len() {
            self.settle(step, slot, &mut heard_a[slot], &mut heard_b[slot])?;
        }
        Ok(heard_a)
    }

    /// Compares what was heard on one slot.
    fn settle(
        &mut self,
        step: &Step,
        slot: usize,
        a: &mut [Seen],
        b: &mut [Seen],
    ) -> Result<(), Box<Difference>> {
        let [side_a, side_b] = &mut self.sides;
        let [clock_a, clock_b] = &mut self.clocks;
        let closing = step.closes_session();
        let mut complaints = normalise(a, &side_a.sessions, clock_a, closing);
        complaints.extend(normalise(b, &side_b.sessions, clock_b, closing));
        self.compared += a.len();
        self.tally.add(step, step.slot() == Some(slot), a);
        if a.contains(&Seen::Silence) {
            self.silences.push(step.clone());
        }
        if self.rules && a != b && allowed::as_utf8(a) {
            self.allowed.push(allowed::CHARACTERS);
        }
        if a == b && complaints.is_empty() {
            return Ok(());
        }
        let case = Case { step, slot, apache: a, ours: b };
        let rule = allowed::rule_for(&case).filter(|_rule| self.rules && complaints.is_empty());
        let (kept_a, kept_b) = (a.to_vec(), b.to_vec());
        let mut difference =
            Box::new(Difference { step: step.clone(), slot, a: kept_a, b: kept_b, complaints });
        let Some(rule) = rule else { return Err(difference) };
        self.allowed.push(rule.name);
        for side in &mut self.sides {
            if let Err(error) = side.drop_slot(slot) {
                difference.complaints.push(error.to_string());
                return Err(difference);
            }
        }
        Ok(())
    }

    /// What a round ends with: the whole tree, and the requests ours has to refuse.
    fn finish(&mut self) -> Option<Difference> {
        self.trees()
            .and_then(|()| if self.rules { self.refusals() } else { Ok(()) })
            .err()
            .map(|difference| *difference)
    }

    /// Walks both trees from the root as super user: children, data, ACL and Stat of every znode.
    fn trees(&mut self) -> Result<(), Box<Difference>> {
        self.both(&Step::Connect { slot: 0, connect: Connect::new_session() })?;
        let auth = Some(b"super:admin".to_vec());
        self.both(&burst(vec![Op::Auth { kind: 0, scheme: Text::of("digest"), auth }]))?;
        let mut paths = VecDeque::from([String::from("/")]);
        while let Some(path) = paths.pop_front() {
            let text = Text::of(&path);
            let read = |kind| Op::Read { kind, path: text.clone(), watch: false };
            let ops = vec![read(Read::GetChildren2), read(Read::GetData), Op::GetAcl { path: text.clone() }];
            let heard = self.both(&burst(ops))?;
            let first = heard.first().and_then(|seen| seen.first());
            if let Some(Seen::Reply { body: Body::Children(Some(names), _), .. }) = first {
                let parent = path.trim_end_matches('/');
                paths.extend(names.iter().map(|name| format!("{parent}/{}", name.lossy())));
            }
        }
        let number = Op::GetAllChildrenNumber { path: Text::of("/") };
        self.both(&burst(vec![number]))?;
        Ok(())
    }

    /// Sends our server the requests that only servers make.
    fn refusals(&mut self) -> Result<(), Box<Difference>> {
        let [_, ours] = &mut self.sides;
        for code in allowed::SERVERS_ONLY {
            let connect = Step::Connect { slot: 0, connect: Connect::new_session() };
            let step = burst(vec![Op::Other { code, body: vec![0, 0, 0, 2, b'/', b'a'] }]);
            let heard = ours.perform(&connect).and_then(|_connected| ours.perform(&step));
            let (seen, complaints) = match heard {
                Ok(heard) => (heard.into_iter().next().unwrap_or_default(), Vec::new()),
                Err(error) => (Vec::new(), vec![format!("the second server: {error:#}")]),
            };
            let wanted = allowed::refused(1);
            if seen != wanted {
                return Err(Box::new(Difference { step, slot: 0, a: wanted, b: seen, complaints }));
            }
        }
        Ok(())
    }
}

/// Requests numbered from 1 on slot 0.
fn burst(ops: Vec<Op>) -> Step {
    let requests = (1..).zip(ops).map(|(xid, op)| Request { xid, op, mangle: Mangle::None }).collect();
    Step::Burst { slot: 0, requests, cut: Cut::Whole }
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "step:  {}", self.step)?;
        writeln!(out, "bytes: {}", show::hex(&self.step.bytes()))?;
        writeln!(out, "heard on slot {}:", self.slot)?;
        for index in 0..self.a.len().max(self.b.len()) {
            let (a, b) = (self.a.get(index), self.b.get(index));
            let shown = |seen: Option<&Seen>| seen.map_or_else(|| "-".to_owned(), ToString::to_string);
            if a == b {
                writeln!(out, "  both: {}", shown(a))?;
            } else {
                writeln!(out, "  A:    {}\n  B:    {}", shown(a), shown(b))?;
            }
        }
        self.complaints.iter().try_for_each(|complaint| writeln!(out, "  {complaint}"))
    }
}
