//! Three members elect, write, lose their leader, and go on.

use sim::client::Habits;
use sim::net::NetOptions;
use sim::setup::Setup;
use sim::world::World;

const SECOND: u64 = 1_000_000;

fn habits() -> Habits {
    Habits {
        pause_us: 60_000,
        depth: 3,
        writes_permille: 500,
        closes_permille: 5,
        hands_over_permille: 0,
        large: 0,
    }
}

fn run(seed: u64, prints: bool) -> u64 {
    let mut world = World::new(Setup::default(), NetOptions::default(), seed, prints);
    world.start_all();
    for _ in 0..3 {
        world.add_client(habits());
    }
    assert!(world.run_until_holds(10 * SECOND, World::is_whole), "nobody leads: {:?}", world.broken());
    world.run_until(4 * SECOND);
    assert_eq!(world.broken(), None);
    let before = world.out.evidence.shown();
    assert!(before > 50, "only {before} transactions");
    let leader = world.leader().expect("somebody leads");
    world.machines[leader].kill(false, &mut world.out);
    assert!(
        world.run_until_holds(9 * SECOND, |world| world.leader().is_some_and(|now| now != leader)),
        "nobody leads again: {:?}",
        world.broken()
    );
    world.run_until(10 * SECOND);
    world.machines[leader].start(&mut world.out);
    assert!(world.run_until_holds(14 * SECOND, World::is_whole), "{:?}", world.broken());
    world.run_until(15 * SECOND);
    assert_eq!(world.broken(), None);
    assert!(world.out.evidence.shown() > before + 50);
    for client in &mut world.clients {
        client.is_quiet = true;
    }
    world.run_until(17 * SECOND);
    assert!(world.is_level());
    for machine in &mut world.machines {
        machine.compare_files(&mut world.out);
    }
    assert_eq!(world.broken(), None);
    world.out.trace.hash()
}

#[test]
fn three_members_lose_their_leader_and_go_on() {
    let hash = run(1, std::env::var_os("TRACE").is_some());
    assert_eq!(hash, run(1, false), "same seed, same run");
    assert_ne!(hash, run(2, false));
}
