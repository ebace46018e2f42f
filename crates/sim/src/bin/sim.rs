//! Runs simulations: many seeds on two threads, or one to look at.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sim::swarm::{self, Order, Report};

const USAGE: &str = "\
sim [--seeds N] [--from S] [--seconds T] [--chaos C] [--threads K]   runs seeds S.. until N are done or T seconds have gone by
sim --seed S [--trace] [--chaos C]                                   runs one seed; with --trace one line per state change
sim --script FILE                                                    runs a scenario and prints what is seen
sim --plants [--seeds N] [--chaos C] [--plant NAME]       makes each mistake of `mutants` (or one) and looks for it in N seeds
sim --seed S --plant NAME [--trace]                                  runs one seed with a mistake
";

struct Words {
    seeds: Option<u64>,
    from: u64,
    seconds: u64,
    chaos_s: Option<u64>,
    threads: u64,
    seed: Option<u64>,
    trace: bool,
    plants: bool,
    /// Which one, or all.
    plant: Option<String>,
}

fn words() -> Result<Words, String> {
    let mut words = Words {
        seeds: None,
        from: 1,
        seconds: u64::MAX,
        chaos_s: None,
        threads: 2,
        seed: None,
        trace: false,
        plants: false,
        plant: None,
    };
    let mut rest = std::env::args().skip(1);
    while let Some(word) = rest.next() {
        match word.as_str() {
            "--trace" => words.trace = true,
            "--plants" => words.plants = true,
            _ => {}
        }
        if matches!(word.as_str(), "--trace" | "--plants") {
            continue;
        }
        let value = rest.next();
        if word == "--plant" {
            words.plant = value;
            continue;
        }
        let value = value.and_then(|value| value.parse().ok());
        let value: u64 = value.ok_or_else(|| format!("{word} wants a number\n{USAGE}"))?;
        match word.as_str() {
            "--seeds" => words.seeds = Some(value),
            "--from" => words.from = value,
            "--seconds" => words.seconds = value,
            "--chaos" => words.chaos_s = Some(value),
            "--threads" => words.threads = value.max(1),
            "--seed" => words.seed = Some(value),
            _ => return Err(format!("{word} is no word of this program\n{USAGE}")),
        }
    }
    Ok(words)
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program")]
fn main() -> ExitCode {
    if let Some(file) = std::env::args().skip_while(|word| word != "--script").nth(1) {
        let script = std::fs::read_to_string(&file).map_err(|error| error.to_string());
        return match script.and_then(|script| sim::scenario::run(&script)) {
            Ok(text) => {
                println!("{text}");
                ExitCode::SUCCESS
            }
            Err(text) => {
                eprintln!("{text}");
                ExitCode::FAILURE
            }
        };
    }
    let words = match words() {
        Ok(words) => words,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::FAILURE;
        }
    };
    if words.plants {
        return if search(&words) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let (seeds, chaos_s) = (words.seeds.unwrap_or(100), words.chaos_s.unwrap_or(360));
    if let Some(seed) = words.seed {
        if words.plant.as_deref().is_some_and(|name| !plant(name)) {
            return ExitCode::FAILURE;
        }
        let report = swarm::try_run(Order { seed, prints: words.trace, chaos_s });
        println!("{report:?}");
        return if report.broken.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let started = Instant::now();
    let next = AtomicU64::new(words.from);
    let stop = AtomicBool::new(false);
    let total = Mutex::new(Total::default());
    std::thread::scope(|scope| {
        for _ in 0..words.threads {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) && started.elapsed() < Duration::from_secs(words.seconds)
                {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= words.from + seeds {
                        return;
                    }
                    let report = swarm::try_run(Order { seed, prints: false, chaos_s });
                    let mut total = total.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                    if let Some(broken) = &report.broken {
                        println!("seed {seed}: {broken}\n  again: cargo xtask sim --seed {seed} --trace");
                        total.broken += 1;
                        stop.store(total.broken >= 20, Ordering::Relaxed);
                    }
                    total.add(&report);
                }
            });
        }
    });
    let total = total.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    println!("{}", total.text(started.elapsed()));
    if total.broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Looks for the mistakes that the build can make.
#[cfg(mutants)]
fn search(words: &Words) -> bool {
    std::panic::set_hook(Box::new(|_| {}));
    let seeds = words.from..words.from + words.seeds.unwrap_or(10_000);
    let (chaos_s, threads) = (words.chaos_s.unwrap_or(120), words.threads);
    sim::plants::Search { name: words.plant.clone(), seeds, chaos_s, threads }.run()
}

#[cfg(mutants)]
fn plant(name: &str) -> bool {
    sim::plants::plant(name)
}

#[cfg(not(mutants))]
fn search(_: &Words) -> bool {
    plant("")
}

/// Switches a mistake on.
#[cfg(not(mutants))]
#[expect(clippy::print_stderr, reason = "a command line program")]
fn plant(_: &str) -> bool {
    eprintln!("this build makes no mistakes; `cargo xtask sim --plants` makes one that does");
    false
}

#[derive(Default)]
struct Total {
    seeds: u64,
    broken: u64,
    simulated_us: u64,
    events: u64,
    shown: usize,
    answered: u64,
    changes: u64,
    faults: u64,
    kinds: BTreeMap<&'static str, u64>,
    cells: BTreeSet<(&'static str, &'static str)>,
}

impl Total {
    fn add(&mut self, report: &Report) {
        self.seeds += 1;
        self.simulated_us += report.simulated_us;
        self.events += report.events;
        self.shown += report.shown;
        self.answered += report.answered;
        self.changes += report.changes;
        self.faults += report.faults;
        self.cells.extend(&report.cells);
        for kind in &report.kinds {
            *self.kinds.entry(kind).or_default() += 1;
        }
    }

    fn text(&self, elapsed: Duration) -> String {
        let simulated = Duration::from_micros(self.simulated_us);
        let hours = simulated.as_secs_f64() / 3600.0;
        let speed = simulated.as_secs_f64() / elapsed.as_secs_f64().max(0.001);
        let kinds: Vec<String> = self.kinds.iter().map(|(kind, seeds)| format!("{kind} {seeds}")).collect();
        format!(
            "sim: {} passed, {} failed; {hours:.1} simulated hours in {:.1} s ({speed:.0} simulated seconds per second), \
             {} steps, {} faults, {} roles begun, {} transactions, {} requests answered\nseeds that hit: {}\nfaults in phases: {} of {}",
            self.seeds - self.broken,
            self.broken,
            elapsed.as_secs_f64(),
            self.events,
            self.faults,
            self.changes,
            self.shown,
            self.answered,
            kinds.join(", "),
            self.cells.len(),
            swarm::CELLS,
        )
    }
}
