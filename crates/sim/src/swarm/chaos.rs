//! When which fault strikes whom, and what it does.

use std::collections::BTreeSet;

use proto::Zxid;
use store::mem::Fault;

use super::SECOND_US;
use super::kind::Kind;
use crate::invariants::Broken;
use crate::machine::DiskSpeed;
use crate::net::{Class, Key, NetOptions};
use crate::outside::{Event, Moment};
use crate::rng::Rng;
use crate::world::World;

/// What faults wait for.
const MOMENTS: [Moment; 6] =
    [Moment::Role, Moment::Sent, Moment::Sent, Moment::Received, Moment::Received, Moment::Installed];

/// See the module.
pub(super) struct Chaos {
    kinds: Vec<Kind>,
    pause_us: u64,
    pub(super) faults: u64,
    /// When the next one is due.
    next_us: u64,
    /// No voter's disk may be lost. By groups, one disk may be all that two quorums have in common.
    keeps_disks: bool,
    /// The voter whose disk was lost, or may be: no other's is.
    wiped: Option<usize>,
    /// Whose disk is lost rather than another's.
    weak: Option<usize>,
    /// When blocks are lifted.
    heals_at_us: u64,
    /// What the next fault waits for, to strike within the next moments.
    lurks: Option<Moment>,
    /// What faults wait for in all of this run.
    ambush: Option<Moment>,
    /// The last one left somebody behind a tree on its way.
    leaves_behind: bool,
    prey: Option<usize>,
    pub(super) cells: BTreeSet<(&'static str, &'static str)>,
    rng: Rng,
    pub(super) net: NetOptions,
}

impl Chaos {
    /// Nothing has broken yet.
    ///
    /// * `keeps_disks`: no disk may be lost.
    /// * `weak`: whose disk is lost, if one is.
    pub(super) fn new(
        kinds: Vec<Kind>,
        net: NetOptions,
        keeps_disks: bool,
        weak: Option<usize>,
        rng: &mut Rng,
    ) -> Self {
        Self {
            kinds,
            pause_us: rng.range(SECOND_US / 2, 8 * SECOND_US),
            faults: 0,
            next_us: 0,
            ambush: rng
                .chance(if weak.is_some() { 800 } else { 300 })
                .then(|| MOMENTS[rng.index(MOMENTS.len())]),
            keeps_disks,
            wiped: None,
            weak,
            heals_at_us: 0,
            lurks: None,
            leaves_behind: false,
            prey: None,
            cells: BTreeSet::new(),
            rng: rng.fork(),
            net,
        }
    }

    /// The moment has come that a fault waited for: it strikes at once or soon.
    pub(super) fn lurk(&mut self, world: &mut World) {
        let Some((moment, who)) = world.out.moment.take() else { return };
        let is_ambush = self.ambush == Some(moment) && self.rng.chance(500);
        if self.lurks != Some(moment) && !is_ambush {
            return;
        }
        self.lurks = None;
        self.leaves_behind = moment == Moment::Sent;
        let leader = world.leader();
        self.prey = match moment {
            Moment::Role => Some(who),
            // Somebody else is left behind while the tree is on its way.
            Moment::Sent => {
                let others = (0..world.machines.len()).filter(|&at| at != who && Some(at) != leader);
                let others: Vec<usize> = others.collect();
                others.get(self.rng.index(others.len().max(1))).copied()
            }
            Moment::Received => leader.filter(|_| self.rng.chance(700)).or(Some(who)),
            // Whoever was brought level may be the next to lead.
            Moment::Installed => leader,
        };
        let us = match moment {
            Moment::Sent => self.rng.below(2 * SECOND_US),
            Moment::Role | Moment::Received | Moment::Installed if self.rng.chance(300) => 0,
            Moment::Role | Moment::Received | Moment::Installed => self.rng.below(60_000),
        };
        self.next_us = world.out.now_us + us;
        world.out.after(us, Event::Fault);
    }

    /// The next fault, if it is time.
    pub(super) fn strike(&mut self, world: &mut World) {
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
        let mut kind = self.kinds[self.rng.index(self.kinds.len())];
        let cutting: Vec<Kind> = self.kinds.iter().copied().filter(|kind| kind.cuts()).collect();
        if self.prey.is_some() && !cutting.is_empty() && self.rng.chance(700) {
            kind = cutting[self.rng.index(cutting.len())];
        }
        self.faults += 1;
        world.out.evidence.hit(kind.name());
        world.out.line(format_args!("fault: {}", kind.name()));
        self.inflict(kind, world);
        // Sometimes several at once.
        let pause_us = if self.rng.chance(200) { 1000 } else { self.rng.range(1000, 2 * self.pause_us) };
        self.next_us = now_us + pause_us;
        world.out.after(pause_us, Event::Fault);
        let was_left_behind = std::mem::take(&mut self.leaves_behind);
        self.lurks = if was_left_behind {
            Some(Moment::Installed)
        } else {
            self.rng.chance(300).then(|| MOMENTS[self.rng.index(MOMENTS.len())])
        };
        world.out.moment = None;
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
            Kind::Cut => {
                let keys = world.out.net.keys();
                let is_of = |key: Key| {
                    let class = world.out.net.class(key).is_some_and(|class| class != Class::Client);
                    class && world.out.net.hosts(key).is_some_and(|(a, b)| a == at || b == at)
                };
                let cut: Vec<Key> = keys.into_iter().filter(|&key| is_of(key)).collect();
                for key in cut {
                    world.reset(key);
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
                if self.may_lose(at, world)
                    && let Some(place) = world.machines[at].rot(&mut self.rng)
                {
                    self.loses(at, world);
                    world.out.line(format_args!("{place} of member {} is another", at + 1));
                }
            }
            // Behind a sync, the log has nothing that tells a lost write from one that was never made: we assume there are
            // none. A snapshot has.
            Kind::LostWrite => {
                if self.may_lose(at, world) {
                    self.loses(at, world);
                    let n = self.rng.below(6);
                    let lost = self.rng.chance(500);
                    let fault =
                        if lost { Fault::Lost(n, "snapshot.") } else { Fault::Astray(n, "snapshot.") };
                    world.machines[at].disk.plan(fault);
                    world.machines[at].is_damaged = true;
                }
            }
            Kind::Wipe => {
                let at = self.wiped.or(self.weak).filter(|_| self.rng.chance(700)).unwrap_or(at);
                if self.may_lose(at, world) {
                    self.loses(at, world);
                    world.machines[at].kill(true, &mut world.out);
                    world.machines[at].wipe(&mut world.out);
                    world.out.dark[at] = true;
                    let down_us = self.rng.below(8 * SECOND_US);
                    world.out.after(down_us, Event::Start { machine: at });
                }
            }
        }
    }

    /// One voter's disk may go, as often as it likes: more is beyond what an ensemble survives. Observers hold nothing that
    /// others need.
    fn may_lose(&self, at: usize, world: &World) -> bool {
        let is_spare = self.wiped.is_none_or(|wiped| wiped == at) && !self.keeps_disks;
        // Who never had anything keeps silent, like who lost it: others have to be enough.
        let mut others =
            (0..world.machines.len()).filter(|&other| other != at && !world.setup.observes(other));
        let is_spare = is_spare && others.all(|other| world.out.evidence.durable[other].last() > Zxid::ZERO);
        world.out.evidence.shown() > 20 && (is_spare || world.setup.observes(at))
    }

    fn loses(&mut self, at: usize, world: &World) {
        if !world.setup.observes(at) {
            self.wiped = Some(at);
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
            | Kind::LongWay
            | Kind::Cut => {}
        }
    }
}
