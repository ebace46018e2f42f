//! Every seed through its function: what CI runs of all this.

use std::fs;
use std::path::PathBuf;

use oxkeeper_fuzz::TARGETS;

#[test]
fn every_target_takes_its_seeds_and_pieces_of_them() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("seeds");
    for (name, target) in TARGETS {
        let dir = root.join(name);
        let mut seeds = 0;
        for entry in fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display())) {
            let path = entry.expect("a listed entry").path();
            let seed = fs::read(&path).expect("a seed");
            seeds += 1;
            target(&seed);
            for cut in (0..seed.len()).step_by(seed.len() / 16 + 1) {
                target(&seed[..cut]);
                let mut flipped = seed.clone();
                flipped[cut] ^= 0x80;
                target(&flipped);
            }
        }
        assert!(seeds > 0, "no seeds for {name}");
    }
}
