//! Runs drawn from seeds: a few, for many are run by `cargo xtask test`.

use sim::outside::Plant;
use sim::swarm::{Order, run};

fn order(seed: u64, plant: Option<Plant>) -> Order {
    Order { seed, prints: false, plant, chaos_s: 20 }
}

#[test]
fn the_same_seed_is_the_same_run() {
    let [one, two] = [1, 1].map(|seed| run(order(seed, None)));
    assert_eq!((one.hash, one.events, one.simulated_us), (two.hash, two.events, two.simulated_us));
    assert_ne!(one.hash, run(order(2, None)).hash);
}

#[test]
fn some_runs_keep_every_promise() {
    for seed in 100..104 {
        let report = run(order(seed, None));
        assert_eq!(report.broken, None, "seed {seed}");
        assert!(report.shown > 0);
    }
}

/// A check that finds no planted bug is itself a defect (reliability.md §7). All of them: `cargo xtask sim --plants`.
#[test]
fn planted_bugs_are_found() {
    for plant in [Plant::ForgetEpoch, Plant::EarlyPersisted, Plant::NeverWritten] {
        let found = (1..20).find(|&seed| {
            std::panic::catch_unwind(|| run(order(seed, Some(plant))))
                .map_or(true, |report| report.broken.is_some())
        });
        assert!(found.is_some(), "{plant:?} was not found");
    }
}
