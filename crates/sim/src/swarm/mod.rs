//! A run from its seed: an ensemble and some kinds of faults are drawn, then things break, then everything heals and must go
//! on.
//!
//! Each run draws its own subset of faults, for all of them together hide each other (reliability.md §3).

mod chaos;
mod draw;
mod kind;

use std::collections::BTreeSet;

use crate::client::Client;
use crate::invariants::Broken;
use crate::net::NetOptions;
use crate::outside::Event;
use crate::rng::Rng;
use crate::world::{Step, World};
use chaos::Chaos;
use kind::{KINDS, Kind};

const SECOND_US: u64 = 1_000_000;

/// How long a healed ensemble may take to serve everywhere.
const HEAL_US: u64 = 40 * SECOND_US;

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
    let is_thin = rng.chance(400);
    let setup = draw::setup(is_thin, &mut rng);
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
    let thin = is_thin.then(|| draw::thin_lines(&mut world, &mut rng));
    for habits in draw::clients(is_thin, &mut rng) {
        world.add_client(habits);
    }
    if is_thin {
        world.out.evidence.hit("thin line");
        // Without what takes long to send, a thin line is as good as any.
        kinds.extend(rng.chance(500).then_some(Kind::Wipe));
    }
    let mut chaos = Chaos::new(kinds, net, by_groups, thin, &mut rng);
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
    // A client may just be on its way from one member to another.
    let at_rest = |world: &World| world.is_level() && world.clients.iter().all(Client::is_open);
    if !world.run_until_holds(world.out.now_us + HEAL_US, at_rest) {
        return fail(world, "not every client is connected (L3)");
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
