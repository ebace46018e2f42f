//! What is drawn for a run before it begins.

use super::SECOND_US;
use crate::client::Habits;
use crate::net::{Class, Thin};
use crate::rng::Rng;
use crate::setup::Setup;
use crate::world::World;

/// An ensemble.
///
/// * `is_thin`: its lines are; what is sent over them goes in many steps.
pub(super) fn setup(is_thin: bool, rng: &mut Rng) -> Setup {
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
        init_limit: [10, 10, 5][rng.index(3)],
        sync_limit: [4, 4, 3][rng.index(3)],
        commit_log_count: [5, 20, 100, 500][rng.index(4)],
        step_nodes: [1, 4, 4096][rng.index(if is_thin { 2 } else { 3 })],
        snap_count: pick(rng, &[0, 15, 60, 300]),
        purge_permille: pick(rng, &[0, 500]),
        log_bytes: pick(rng, &[2048, 8192, 65536]),
        ..Setup::default()
    }
}

/// The lines between one member and the others are thin in this run, or all of them: a tree takes up to seconds, and what
/// clients write still fits. Returns whose.
pub(super) fn thin_lines(world: &mut World, rng: &mut Rng) -> usize {
    let members = world.machines.len();
    let whose = rng.index(members);
    let all = rng.chance(500);
    let bytes_per_s = rng.range(8_000, 60_000);
    let longer_us = rng.range(5_000, 60_000);
    // Room is told of behind the next way back.
    let window_bytes = bytes_per_s * (longer_us + 2 * world.out.net.options.delay_max_us) / SECOND_US;
    let thin = Thin { window_bytes: usize::try_from(window_bytes).unwrap_or(0).max(100), longer_us };
    for from in 0..members {
        for to in (0..members).filter(|&to| to != from && (all || from == whose || to == whose)) {
            world.out.net.make_thin((from, to, Class::Quorum), thin);
        }
    }
    whose
}

/// How clients behave; on thin lines they ask for less.
pub(super) fn clients(is_thin: bool, rng: &mut Rng) -> Vec<Habits> {
    let large = if is_thin { [8, 16, 32, 48][rng.index(4)] } else { [0, 0, 16][rng.index(3)] };
    let hands_over_permille = [0, 0, 5][rng.index(3)];
    (0..2 + rng.below(3))
        .map(|_| Habits {
            pause_us: [60_000, 250_000, 1_000_000][if is_thin { 1 + rng.index(2) } else { rng.index(3) }],
            depth: 1 + rng.index(4),
            writes_permille: 300 + rng.below(600),
            closes_permille: rng.below(10),
            hands_over_permille,
            large,
        })
        .collect()
}
