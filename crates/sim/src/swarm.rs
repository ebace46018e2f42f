//! A run from its seed: an ensemble and some kinds of faults are drawn, then things break, then everything heals and must go
//! on.
//!
//! Each run draws its own subset of faults, for all of them together hide each other (reliability.md §3).

use std::collections::BTreeSet;

use store::mem::Fault;

use crate::client::Habits;
use crate::invariants::Broken;
use crate::machine::DiskSpeed;
use crate::net::{Class, NetOptions};
use crate::outside::Event;
use crate::rng::Rng;
use crate::setup::Setup;
use crate::world::{Step, World};

const SECOND_US: u64 = 1_000_000;

/// How long a healed ensemble may take to serve everywhere.
const HEAL_US: u64 = 40 * SECOND_US;

/// A kind of fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Kill,
    Power,
    Blackout,
    Pause,
    Partition,
    OneWay,
    Pair,
    OneClass,
    Leader,
    Reset,
    SlowDisk,
    SickDisk,
    FullDisk,
    WallJump,
    ClockRate,
    LateNet,
    Bits,
    Wipe,
    SmallWindow,
    KillMany,
    Accents,
    Rot,
    LostWrite,
    LongWay,
}

const KINDS: [Kind; 24] = [
    Kind::Kill,
    Kind::Power,
    Kind::Blackout,
    Kind::Pause,
    Kind::Partition,
    Kind::OneWay,
    Kind::Pair,
    Kind::OneClass,
    Kind::Leader,
    Kind::Reset,
    Kind::SlowDisk,
    Kind::SickDisk,
    Kind::FullDisk,
    Kind::WallJump,
    Kind::ClockRate,
    Kind::LateNet,
    Kind::Bits,
    Kind::Wipe,
    Kind::SmallWindow,
    Kind::KillMany,
    Kind::Accents,
    Kind::Rot,
    Kind::LostWrite,
    Kind::LongWay,
];

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Power => "power loss",
            Self::Blackout => "blackout",
            Self::Pause => "pause",
            Self::Partition => "partition",
            Self::OneWay => "one-way partition",
            Self::Pair => "partial partition",
            Self::OneClass => "partition of one port",
            Self::Leader => "leader isolated",
            Self::Reset => "reset",
            Self::SlowDisk => "slow disk",
            Self::SickDisk => "disk error",
            Self::FullDisk => "disk full",
            Self::WallJump => "wall clock steps",
            Self::ClockRate => "clock drifts",
            Self::LateNet => "late packets",
            Self::Bits => "reads in bits",
            Self::Wipe => "disk lost",
            Self::SmallWindow => "small windows",
            Self::KillMany => "all killed",
            Self::Accents => "as Java's members",
            Self::Rot => "flipped bit",
            Self::LostWrite => "lost or misdirected write",
            Self::LongWay => "longer way",
        }
    }

    /// Whether it concerns one machine.
    fn is_of_one(self) -> bool {
        match self {
            Self::Kill
            | Self::Power
            | Self::Pause
            | Self::OneWay
            | Self::Pair
            | Self::OneClass
            | Self::Leader
            | Self::SlowDisk
            | Self::SickDisk
            | Self::FullDisk
            | Self::WallJump
            | Self::ClockRate
            | Self::Wipe
            | Self::Rot
            | Self::LostWrite
            | Self::LongWay => true,
            Self::Blackout
            | Self::Partition
            | Self::Reset
            | Self::LateNet
            | Self::Bits
            | Self::SmallWindow
            | Self::KillMany
            | Self::Accents => false,
        }
    }
}

/// How many cells the table of faults and phases has.
pub const CELLS: usize = KINDS.len() * 6;

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// Everything follows from it.
    pub seed: u64,
    /// One line per state change goes to stdout.
    pub prints: bool,
    /// How long things break, in simulated seconds, on average; half to one and a half times that.
    pub chaos_s: u64,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// As asked.
    pub seed: u64,
    /// Time that went by in it.
    pub simulated_us: u64,
    /// Steps.
    pub events: u64,
    /// Transactions that clients could see.
    pub shown: usize,
    /// Requests answered.
    pub answered: u64,
    /// How often a role began.
    pub changes: u64,
    /// How many faults there were.
    pub faults: u64,
    /// Stands for everything that happened.
    pub hash: u64,
    /// What was hit.
    pub kinds: BTreeSet<&'static str>,
    /// Which faults met a member in which phase.
    pub cells: BTreeSet<(&'static str, &'static str)>,
    /// What is wrong.
    pub broken: Option<String>,
}

impl Report {
    /// Of a run that ended with a panic.
    fn panicked(seed: u64, text: String) -> Self {
        Self {
            seed,
            simulated_us: 0,
            events: 0,
            shown: 0,
            answered: 0,
            changes: 0,
            faults: 0,
            hash: 0,
            kinds: BTreeSet::new(),
            cells: BTreeSet::new(),
            broken: Some(format!("panic: {text}")),
        }
    }
}

struct Chaos {
    kinds: Vec<Kind>,
    pause_us: u64,
    faults: u64,
    /// When the next one is due.
    next_us: u64,
    /// A disk was lost, or may be: no other is. By groups, one disk may be all that two quorums have in common.
    wiped: bool,
    /// When blocks are lifted.
    heals_at_us: u64,
    /// The next fault hits whoever begins a role next, within the moments in which he is brought level or begins to lead.
    lurks: bool,
    /// How many roles had begun.
    changes: u64,
    prey: Option<usize>,
    cells: BTreeSet<(&'static str, &'static str)>,
    rng: Rng,
    net: NetOptions,
}

fn draw_setup(rng: &mut Rng) -> Setup {
    let voters = if rng.chance(650) { 3 } else { 5 };
    let mut groups = Vec::new();
    if rng.chance(200) {
        groups.resize_with(voters, || (i64::try_from(rng.below(3)).unwrap_or(0), [0, 1, 1, 2][rng.index(4)]));
        groups[0].1 += 1;
    }
    let pick = |rng: &mut Rng, of: &[u64]| of[rng.index(of.len())];
    Setup {
        voters,
        observers: [0, 0, 1, 2][rng.index(4)],
        observers_first: rng.chance(300),
        groups,
        has_operator: true,
        commit_log_count: [5, 20, 100, 500][rng.index(4)],
        snap_count: pick(rng, &[0, 15, 60, 300]),
        purge_permille: pick(rng, &[0, 500]),
        log_bytes: pick(rng, &[2048, 8192, 65536]),
        ..Setup::default()
    }
}

/// Runs it. A panic of a member or an assertion in it is a broken promise like any other.
#[must_use]
pub fn try_run(order: Order) -> Report {
    std::panic::catch_unwind(|| run(order)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_default();
        Report::panicked(order.seed, text)
    })
}

/// Runs it.
#[must_use]
pub fn run(order: Order) -> Report {
    let mut rng = Rng::new(order.seed);
    let setup = draw_setup(&mut rng);
    let net = NetOptions { delay_max_us: [300, 2000, 20_000][rng.index(3)], ..NetOptions::default() };
    let by_groups = !setup.groups.is_empty();
    let mut world = World::new(setup, net, rng.draw(), order.prints);
    if by_groups {
        world.out.evidence.hit("groups and weights");
    }
    for machine in &mut world.machines {
        machine.keep_permille = rng.below(1001);
    }
    let mut kinds: Vec<Kind> = KINDS.into_iter().filter(|_| rng.chance(350)).collect();
    if kinds.is_empty() {
        kinds.push(Kind::Kill);
    }
    if kinds.contains(&Kind::ClockRate) || kinds.contains(&Kind::LateNet) {
        world.distrust_clocks();
    }
    world.out.lulls = rng.chance(800);
    world.start_all();
    let clients = 2 + rng.below(3);
    let large = [0, 0, 16][rng.index(3)];
    for _ in 0..clients {
        let pause_us = [60_000, 250_000, 1_000_000][rng.index(3)];
        let depth = 1 + rng.index(4);
        let habits = Habits {
            pause_us,
            depth,
            writes_permille: 300 + rng.below(600),
            closes_permille: rng.below(10),
            large,
        };
        world.add_client(habits);
    }
    let pause_us = rng.range(SECOND_US / 2, 8 * SECOND_US);
    let mut chaos = Chaos {
        kinds,
        pause_us,
        faults: 0,
        next_us: 0,
        wiped: by_groups,
        heals_at_us: 0,
        lurks: false,
        changes: 0,
        prey: None,
        cells: BTreeSet::new(),
        rng: rng.fork(),
        net,
    };
    let end_us = (order.chaos_s / 2 + rng.below(order.chaos_s + 1)) * SECOND_US;
    world.out.after(SECOND_US, Event::Fault);
    while world.broken().is_none() {
        match world.step(end_us) {
            Step::Done => chaos.lurk(&mut world),
            Step::Still => break,
            Step::Fault => chaos.strike(&mut world),
        }
    }
    if world.broken().is_none() {
        heal(&mut world, &chaos);
    }
    let simulated_us = world.out.now_us;
    let answered = world.clients.iter().map(|client| client.answered).sum();
    Report {
        seed: order.seed,
        simulated_us,
        events: world.out.events,
        shown: world.out.evidence.shown(),
        answered,
        changes: world.out.changes,
        faults: chaos.faults,
        hash: world.out.trace.hash(),
        kinds: world.out.evidence.kinds().clone(),
        cells: chaos.cells,
        broken: world.broken().map(|broken| broken.0.clone()),
    }
}

/// Everything heals, and must go on.
fn heal(world: &mut World, chaos: &Chaos) {
    let net = NetOptions { window_bytes: 256 * 1024, late_permille: 0, ..chaos.net };
    world.heal(net);
    let until_us = world.out.now_us + HEAL_US;
    let fail = |world: &mut World, text: &str| {
        let roles: Vec<_> = world
            .machines
            .iter()
            .map(|machine| (machine.sid().0, machine.role(), machine.is_live(), machine.shows()))
            .collect();
        world.out.evidence.fail(Broken(format!("{text}: {roles:?}")));
    };
    if !world.run_until_holds(until_us, World::is_whole) {
        return fail(world, "not every member serves again (L1, L2)");
    }
    let before: Vec<u64> = world.clients.iter().map(|client| client.answered).collect();
    let goes_on = |world: &World| {
        world.clients.iter().zip(&before).all(|(client, before)| client.answered > *before + 2)
    };
    if !world.run_until_holds(world.out.now_us + HEAL_US, goes_on) {
        return fail(world, "not every client is answered again (L3)");
    }
    // A disk that was slow may still be at work.
    world.run_until(world.out.now_us + 12 * SECOND_US);
    if !world.run_until_holds(world.out.now_us + HEAL_US, World::is_whole) {
        return fail(world, "not every member serves any more (L4)");
    }
    if !world.run_until_holds(world.out.now_us + HEAL_US, World::has_no_lost_session) {
        return fail(world, "a session without a client does not end (C9)");
    }
    let changes = world.out.changes;
    for client in &mut world.clients {
        client.is_quiet = true;
    }
    world.run_until(world.out.now_us + 5 * SECOND_US);
    if world.out.changes != changes {
        return fail(world, "there was another election (L4)");
    }
    if !world.is_level() {
        return fail(world, "not all members show the same (L2)");
    }
    for machine in &mut world.machines {
        machine.compare_files(&mut world.out);
    }
    world.see_to_resources();
    let (first, others) = world.machines.split_at(1);
    for machine in &world.machines {
        machine.compare_oldest(&mut world.out);
    }
    for other in others {
        first[0].compare_with(other, &mut world.out);
    }
    let orphans = world.out.evidence.model.orphans().join(" ");
    if !orphans.is_empty() {
        fail(world, &format!("ephemerals without a session: {orphans} (C10)"));
    }
}

impl Chaos {
    /// Somebody begins a role: the fault that waited for that comes soon.
    fn lurk(&mut self, world: &mut World) {
        if !self.lurks || world.out.changes == self.changes {
            return;
        }
        self.lurks = false;
        self.prey = Some(world.out.changed);
        let us = self.rng.below(60_000);
        self.next_us = world.out.now_us + us;
        world.out.after(us, Event::Fault);
    }

    fn strike(&mut self, world: &mut World) {
        let now_us = world.out.now_us;
        if self.heals_at_us > 0 && now_us >= self.heals_at_us {
            self.heals_at_us = 0;
            world.out.line(format_args!("partitions heal"));
            world.unblock();
            world.out.net.shorten();
        }
        if now_us < self.next_us {
            return;
        }
        let kind = self.kinds[self.rng.index(self.kinds.len())];
        self.faults += 1;
        world.out.evidence.hit(kind.name());
        world.out.line(format_args!("fault: {}", kind.name()));
        self.inflict(kind, world);
        // Sometimes several at once.
        let pause_us = if self.rng.chance(200) { 1000 } else { self.rng.range(1000, 2 * self.pause_us) };
        self.next_us = now_us + pause_us;
        world.out.after(pause_us, Event::Fault);
        self.lurks = self.rng.chance(250);
        self.changes = world.out.changes;
    }

    fn machine(&mut self, world: &World) -> usize {
        if let Some(prey) = self.prey.take() {
            return prey;
        }
        // Leaders are where most can go wrong.
        match world.leader() {
            Some(leader) if self.rng.chance(400) => leader,
            _ => self.rng.index(world.machines.len()),
        }
    }

    fn kill(&mut self, at: usize, power: bool, world: &mut World) {
        let down_us =
            if self.rng.chance(300) { self.rng.below(50_000) } else { self.rng.below(8 * SECOND_US) };
        world.machines[at].kill(power, &mut world.out);
        world.out.dark[at] = power;
        world.out.after(down_us, Event::Start { machine: at });
    }

    fn inflict(&mut self, kind: Kind, world: &mut World) {
        let at = self.machine(world);
        let members = world.machines.len();
        let hit = if kind.is_of_one() { at..at + 1 } else { 0..members };
        self.cells.extend(world.machines[hit].iter().map(|machine| (kind.name(), machine.phase())));
        match kind {
            Kind::Kill => self.kill(at, false, world),
            Kind::Power => self.kill(at, true, world),
            Kind::Blackout => (0..members).for_each(|at| self.kill(at, true, world)),
            Kind::KillMany => (0..members).for_each(|at| self.kill(at, false, world)),
            Kind::Pause => {
                let longest_s = if self.rng.chance(100) { 60 } else { 5 };
                let us = self.rng.range(10_000, longest_s * SECOND_US);
                if world.machines[at].process.is_some() && !world.machines[at].is_paused {
                    world.out.line(format_args!("member {} stands still for {us} us", at + 1));
                    world.machines[at].is_paused = true;
                    world.out.after(us, Event::Resume { machine: at });
                }
            }
            Kind::Partition | Kind::OneWay | Kind::Pair | Kind::OneClass | Kind::Leader => {
                self.partition(kind, at, world);
                let us = self.rng.range(SECOND_US / 5, 12 * SECOND_US);
                self.heals_at_us = world.out.now_us + us;
                world.out.after(us, Event::Fault);
            }
            Kind::Reset => {
                let keys = world.out.net.keys();
                for key in keys {
                    if self.rng.chance(300) {
                        world.reset(key);
                    }
                }
            }
            Kind::SlowDisk => {
                let min_us = self.rng.range(100, 20_000);
                let spread_us = if self.rng.chance(100) { 10_000_000 } else { 300_000 };
                let max_us = min_us + self.rng.below(spread_us);
                world.machines[at].speed = DiskSpeed { min_us, max_us };
            }
            Kind::SickDisk => {
                let n = self.rng.below(20);
                let faults = [Fault::Sync(n), Fault::Write(n), Fault::Read(n), Fault::Rename(n / 4)];
                let fault = faults[self.rng.index(faults.len())];
                world.machines[at].disk.plan(fault);
            }
            Kind::FullDisk => {
                let disk = &world.machines[at].disk;
                let room = if self.rng.chance(500) {
                    Some(disk.used_bytes() + self.rng.below(20_000))
                } else {
                    None
                };
                disk.set_capacity(room);
            }
            Kind::WallJump => {
                const TENTH_OF_A_DAY_MS: i64 = 8_640_000;
                let tenths = i64::try_from(self.rng.below(21)).unwrap_or(0) - 10;
                let (machine, out) = (&mut world.machines[at], &mut world.out);
                // Whatever is due now is not due for the jump.
                machine.wake(out);
                let was_live = machine.is_live();
                machine.jump(tenths * TENTH_OF_A_DAY_MS);
                machine.wake(out);
                if was_live && !machine.is_live() {
                    let text = format!("a step of the wall clock ends the role of member {} (R16)", at + 1);
                    out.evidence.fail(Broken(text));
                }
            }
            Kind::ClockRate => {
                let rate = self.rng.range(800, 1300);
                world.machines[at].set_rate(rate, &world.out);
                // Its alarm was set by the old rate.
                world.machines[at].wake(&mut world.out);
            }
            Kind::LateNet => {
                let late_us = self.rng.range(100_000, 3 * SECOND_US);
                let late_permille = if self.rng.chance(500) { self.rng.below(50) } else { 0 };
                world.out.net.options = NetOptions { late_us, late_permille, ..world.out.net.options };
            }
            Kind::Accents => world.out.accents = self.rng.chance(700),
            Kind::Bits => world.out.reads_in_bits = self.rng.chance(500),
            Kind::SmallWindow => {
                world.out.net.options.window_bytes = [300, 2000, 256 * 1024][self.rng.index(3)];
            }
            Kind::LongWay => {
                for other in (0..members).filter(|other| *other != at) {
                    let class = [Class::Election, Class::Quorum, Class::Quorum][self.rng.index(3)];
                    let way = if self.rng.chance(500) { (at, other, class) } else { (other, at, class) };
                    world.out.net.lengthen(way, self.rng.range(1000, 600_000));
                }
                let us = self.rng.range(SECOND_US / 5, 12 * SECOND_US);
                self.heals_at_us = world.out.now_us + us;
                world.out.after(us, Event::Fault);
            }
            // What is found to be damaged is a disk lost.
            Kind::Rot => {
                if !self.wiped
                    && world.out.evidence.shown() > 20
                    && let Some(place) = world.machines[at].rot(&mut self.rng)
                {
                    self.wiped = true;
                    world.out.line(format_args!("{place} of member {} is another", at + 1));
                }
            }
            // Behind a sync, the log has nothing that tells a lost write from one that was never made: we assume there are
            // none. A snapshot has.
            Kind::LostWrite => {
                if !self.wiped && world.out.evidence.shown() > 20 {
                    self.wiped = true;
                    let n = self.rng.below(6);
                    let lost = self.rng.chance(500);
                    let fault =
                        if lost { Fault::Lost(n, "snapshot.") } else { Fault::Astray(n, "snapshot.") };
                    world.machines[at].disk.plan(fault);
                    world.machines[at].is_damaged = true;
                }
            }
            Kind::Wipe => {
                // One voter's disk may go for good: more is beyond what an ensemble survives.
                if !self.wiped && world.out.evidence.shown() > 20 {
                    self.wiped = true;
                    world.machines[at].kill(true, &mut world.out);
                    world.machines[at].wipe(&mut world.out);
                    world.out.dark[at] = true;
                    let down_us = self.rng.below(8 * SECOND_US);
                    world.out.after(down_us, Event::Start { machine: at });
                }
            }
        }
    }

    fn partition(&mut self, kind: Kind, at: usize, world: &mut World) {
        let members = world.machines.len();
        let all = [Class::Election, Class::Quorum, Class::Client];
        let members_only = [Class::Election, Class::Quorum];
        let net = &mut world.out.net;
        let mut block = |from: usize, to: usize, classes: &[Class]| {
            for &class in classes {
                net.block(from, to, class);
            }
        };
        match kind {
            Kind::Partition => {
                let cut = 1 + self.rng.index(members - 1);
                let turn = self.rng.index(members);
                for a in 0..members {
                    for b in 0..members {
                        let side = |m: usize| (m + turn) % members < cut;
                        if side(a) != side(b) {
                            block(a, b, &all);
                        }
                    }
                }
            }
            Kind::OneWay => {
                for other in (0..members).filter(|other| *other != at) {
                    block(at, other, &members_only);
                }
            }
            Kind::Pair => {
                let other = self.rng.index(members);
                block(at, other, &members_only);
                block(other, at, &members_only);
            }
            Kind::OneClass => {
                let class = all[self.rng.index(3)];
                for other in (0..members).chain(crate::setup::CLIENTS..crate::setup::CLIENTS + 4) {
                    block(at, other, &[class]);
                    block(other, at, &[class]);
                }
            }
            Kind::Leader => {
                for other in (0..members).filter(|other| *other != at) {
                    block(at, other, &members_only);
                    block(other, at, &members_only);
                }
            }
            Kind::Kill
            | Kind::Power
            | Kind::Blackout
            | Kind::Pause
            | Kind::Reset
            | Kind::SlowDisk
            | Kind::SickDisk
            | Kind::FullDisk
            | Kind::WallJump
            | Kind::ClockRate
            | Kind::LateNet
            | Kind::Bits
            | Kind::Wipe
            | Kind::SmallWindow
            | Kind::KillMany
            | Kind::Accents
            | Kind::Rot
            | Kind::LostWrite
            | Kind::LongWay => {}
        }
    }
}
