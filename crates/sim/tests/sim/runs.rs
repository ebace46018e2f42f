//! Runs drawn from seeds: a few, for many are run by `cargo xtask test`.

use sim::swarm::{Order, run};

fn order(seed: u64) -> Order {
    Order { seed, prints: false, chaos_s: 20 }
}

#[test]
fn the_same_seed_is_the_same_run() {
    let [one, two] = [1, 1].map(|seed| run(order(seed)));
    assert_eq!((one.hash, one.events, one.simulated_us), (two.hash, two.events, two.simulated_us));
    assert_ne!(one.hash, run(order(2)).hash);
}

#[test]
fn some_runs_keep_every_promise() {
    for seed in 100..104 {
        let report = run(order(seed));
        assert_eq!(report.broken, None, "seed {seed}");
        assert!(report.shown > 0);
    }
}
