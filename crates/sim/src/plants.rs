//! The mistakes of `mutants`, one after the other: does the workload come upon them, and do the checks see them?
//!
//! One that is not found is a hole in the one or the other (reliability.md §7).

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use mutants::Mutant;

use crate::swarm::{self, Order};

/// Whom to look for, and how long.
#[derive(Clone, Debug)]
pub struct Search {
    /// The name of one of them; all, if there is none.
    pub name: Option<String>,
    /// In which seeds.
    pub seeds: Range<u64>,
    /// See [`Order`].
    pub chaos_s: u64,
    /// How many look.
    pub threads: u64,
}

fn named(name: Option<&str>) -> Vec<Mutant> {
    Mutant::ALL.iter().copied().filter(|mutant| name.is_none_or(|name| name == mutant.name())).collect()
}

/// Switches a mistake on in this thread; whether there is one of that name.
#[must_use]
pub fn plant(name: &str) -> bool {
    let mutant = named(Some(name)).pop();
    mutants::switch(mutant);
    mutant.is_some()
}

impl Search {
    /// Says of each mistake in which seed it was found, and by what. Whether all were.
    #[must_use]
    pub fn run(&self) -> bool {
        let all = named(self.name.as_deref());
        let (next, found) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..self.threads {
                scope.spawn(|| {
                    while let Some(&mutant) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                        found.fetch_add(usize::from(self.finds(mutant)), Ordering::Relaxed);
                    }
                });
            }
        });
        let found = found.into_inner();
        say(format_args!("mistakes found: {found} passed, {} failed", all.len() - found));
        found == all.len()
    }

    fn finds(&self, mutant: Mutant) -> bool {
        mutants::switch(Some(mutant));
        let began = Instant::now();
        let runs = self
            .seeds
            .clone()
            .map(|seed| swarm::try_run(Order { seed, prints: false, chaos_s: self.chaos_s }));
        let report = runs.into_iter().find(|report| report.broken.is_some());
        let (name, issues, took_s) = (mutant.name(), mutant.issues(), began.elapsed().as_secs_f64());
        match &report {
            Some(report) => {
                let broken = report.broken.as_deref().unwrap_or_default();
                say(format_args!("{name} ({issues}): seed {}, {took_s:.1} s: {broken}", report.seed));
            }
            None => say(format_args!("{name} ({issues}): not found in {:?}, {took_s:.1} s", self.seeds)),
        }
        report.is_some()
    }
}

#[expect(clippy::print_stdout, reason = "what a command line program is asked for")]
fn say(line: core::fmt::Arguments<'_>) {
    println!("{line}");
}
