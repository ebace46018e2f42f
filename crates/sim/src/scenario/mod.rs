//! Protocol stories as text: what is done, `----`, and what is to be seen of it.
//!
//! A block is one or more lines of commands, separated by `;`. Members are counted from 1, times are in milliseconds.
//!
//! * `members 1 2 3 [observers 4] [observers-first] [groups=1,1,2] [weights=1,1,0] [memory=N] [counter-max=N]`, `elect N`, `start N`
//! * `write N /path`, `ask N /path` (a write nobody waits for); sessions of their own: see `session`
//! * `partition 1 | 2 3`, `isolate N`, `oneway N`, `block A B election|quorum|client`, `delay A B election|quorum|client MS`,
//!   `hold A B PACKET` (A's way to B is blocked when it sends that packet), `release A B`, `heal`
//! * `kill N`, `power N`, `crash N install|epoch|truncate|write|snapshot STEPS` (the power goes in the middle of that work),
//!   `pause N`, `resume N`, `clock N MS` (the wall clock steps), `rate N PERMILLE` (all its clocks run so fast)
//! * `slow N MS`, `fast N`, `full N BYTES` (so much fits yet), `room N`, `fail N read|write|sync|rename|lost|astray K` (the
//!   K-th from now), `snapshot N`, `purge N`, `ls N`
//! * at rest: `wipe N`, `backup N`, `rollback N` (to what its disk held then), `flip N log|snapshot BYTE`, `cut N log|snapshot BYTES` (the newest), `lose N log|snapshot K` (the K-th
//!   oldest, or `all`)
//! * `throw N election|quorum|client HEX`: a stranger calls, says that, and listens
//! * `wait MS`, `settle [show=N] [ms=N]`, `files`
//!
//! A script fails if a crash, a fault or a hold that it plans is never reached.

mod damage;
mod network;
mod session;

use std::collections::BTreeMap;

use proto::Zxid;

use crate::machine::{DiskSpeed, JobKind};
use crate::net::{Class, NetOptions};
use crate::setup::Setup;
use crate::world::World;
use session::Session;

const SECOND_US: u64 = 1_000_000;
/// How long anything may take.
const PATIENCE_US: u64 = 30 * SECOND_US;
/// The separator between what is done and what is seen.
const RULE: &str = "----";

/// Runs a script; what is seen is put in the place of what stood there.
///
/// # Errors
/// A command that is none, or that cannot be carried out; or a promise that was broken.
pub fn run(script: &str) -> Result<String, String> {
    let mut stage = Stage::default();
    let mut text = String::new();
    for block in script.split("\n\n").map(str::trim_end).filter(|block| !block.is_empty()) {
        let commands: Vec<&str> = block.lines().take_while(|line| line.trim() != RULE).collect();
        let is_comment = commands.iter().all(|line| line.starts_with('#'));
        if !text.is_empty() {
            text.push('\n');
        }
        for line in &commands {
            text.push_str(line);
            text.push('\n');
        }
        if is_comment {
            continue;
        }
        let mut seen = Vec::new();
        for line in commands.iter().filter(|line| !line.starts_with('#')) {
            for command in line.split(';').map(str::trim).filter(|command| !command.is_empty()) {
                stage.carry_out(command, &mut seen).map_err(|error| format!("{command}: {error}"))?;
            }
        }
        seen.push(stage.summary()?);
        text.push_str(RULE);
        text.push('\n');
        for line in seen {
            text.push_str(&line);
            text.push('\n');
        }
    }
    stage.all_reached()?;
    Ok(text)
}

#[derive(Default)]
struct Stage {
    world: Option<World>,
    /// Clients by their letter.
    sessions: BTreeMap<char, Session>,
    /// How many faults of each disk were planned.
    planned: BTreeMap<usize, u64>,
}

fn number(word: &str) -> Result<usize, String> {
    word.parse::<usize>().map_err(|_| format!("{word} is no number"))
}

/// The n-th word as a number.
fn nth(rest: &[&str], n: usize) -> Result<usize, String> {
    number(rest.get(n).copied().unwrap_or_default())
}

fn place(word: &str) -> Result<usize, String> {
    number(word)?.checked_sub(1).ok_or_else(|| "members are counted from 1".to_owned())
}

impl Stage {
    fn world(&mut self) -> Result<&mut World, String> {
        self.world.as_mut().ok_or_else(|| "the first command is `members`".to_owned())
    }

    fn carry_out(&mut self, command: &str, seen: &mut Vec<String>) -> Result<(), String> {
        let words: Vec<&str> = command.split_whitespace().collect();
        let (&verb, rest) = words.split_first().ok_or("an empty command")?;
        let first = rest.first().copied().unwrap_or_default();
        if verb == "members" {
            let mut world = World::new(setup(rest)?, net(), 1, std::env::var_os("TRACE").is_some());
            world.out.trace.keep();
            self.world = Some(world);
            return Ok(());
        }
        if self.on_network(verb, rest)?
            || self.on_damage(verb, rest, seen)?
            || self.on_session(command, seen)?
        {
            return self.nothing_broken();
        }
        match verb {
            "elect" => {
                let leader = place(first)?;
                let world = self.world()?;
                world.start_all();
                let until_us = world.out.now_us + PATIENCE_US;
                if !world
                    .run_until_holds(until_us, |world| world.leader() == Some(leader) && world.is_whole())
                {
                    return Err(format!("the leader is {:?}", world.leader().map(|at| at + 1)));
                }
            }
            "write" | "ask" => {
                let path = rest.get(1).ok_or("a path is missing")?;
                session::write(self.world()?, place(first)?, path, verb == "write")?;
            }
            "kill" | "power" => {
                let at = place(first)?;
                let world = self.world()?;
                world.machines[at].keep_permille = 0;
                world.machines[at].kill(verb == "power", &mut world.out);
                world.out.dark[at] = verb == "power";
            }
            "crash" => {
                let at = place(first)?;
                let kind = match rest.get(1).copied() {
                    Some("install") => JobKind::Install,
                    Some("epoch") => JobKind::Epoch,
                    Some("truncate") => JobKind::Truncate,
                    Some("write") => JobKind::Write,
                    Some("snapshot") => JobKind::Snapshot,
                    other => return Err(format!("{other:?} is no work of a disk")),
                };
                let steps = number(rest.get(2).copied().unwrap_or("0"))? as u64;
                self.world()?.machines[at].crash_in = Some((kind, steps));
            }
            "start" => {
                let at = place(first)?;
                let world = self.world()?;
                world.out.dark[at] = false;
                world.machines[at].start(&mut world.out);
            }
            "pause" => self.world()?.machines[place(first)?].is_paused = true,
            "resume" => {
                let at = place(first)?;
                let world = self.world()?;
                world.machines[at].resume(&mut world.out);
            }
            "slow" | "fast" => {
                let us = if verb == "slow" {
                    number(rest.get(1).copied().unwrap_or(""))? as u64 * 1000
                } else {
                    100
                };
                self.world()?.machines[place(first)?].speed = DiskSpeed { min_us: us, max_us: us };
            }
            "clock" => {
                let ms = rest.get(1).and_then(|word| word.parse::<i64>().ok()).ok_or("how far?")?;
                self.world()?.machines[place(first)?].skew.wall_ahead_ms += ms;
            }
            "rate" => {
                let (at, rate) = (place(first)?, nth(rest, 1)? as u64);
                let world = self.world()?;
                world.machines[at].set_rate(rate, &world.out);
                world.machines[at].wake(&mut world.out);
            }
            "wait" => {
                let us = number(first)? as u64 * 1000;
                let until_us = self.world()?.out.now_us + us;
                self.run_until_holds(until_us, |_| false)?;
            }
            "settle" => self.settle(rest, seen)?,
            "files" => {
                let world = self.world()?;
                for machine in &mut world.machines {
                    machine.compare_files(&mut world.out);
                }
            }
            _ => return Err("no such command".into()),
        }
        self.nothing_broken()
    }

    fn nothing_broken(&mut self) -> Result<(), String> {
        match self.world()?.broken() {
            Some(broken) => Err(broken.0.clone()),
            None => Ok(()),
        }
    }

    /// Whatever was planned came about: a script that misses its point proves nothing.
    fn all_reached(&mut self) -> Result<(), String> {
        let planned = std::mem::take(&mut self.planned);
        let Some(world) = &mut self.world else { return Ok(()) };
        if let Some(machine) = world.machines.iter().find(|machine| machine.crash_in.is_some()) {
            return Err(format!("the crash of member {} was never reached", machine.at + 1));
        }
        if let Some((from, _, packet)) = world.out.holds.first() {
            return Err(format!("no {packet} of member {} was held", from + 1));
        }
        match planned.into_iter().find(|&(at, faults)| world.machines[at].disk.hits() < faults) {
            Some((at, faults)) => {
                Err(format!("not all {faults} faults of member {}'s disk were reached", at + 1))
            }
            None => Ok(()),
        }
    }

    /// Goes on until something holds, at the latest until then; sessions give signs of life meanwhile. Whether it does.
    fn run_until_holds(&mut self, until_us: u64, holds: impl Fn(&World) -> bool) -> Result<bool, String> {
        loop {
            self.ping();
            let world = self.world()?;
            let slice_us = until_us.min(world.out.now_us + SECOND_US);
            if world.run_until_holds(slice_us, &holds) {
                return Ok(true);
            }
            self.nothing_broken()?;
            if slice_us == until_us {
                return Ok(false);
            }
        }
    }

    /// Goes on until all that run show the same behind one leader.
    fn settle(&mut self, rest: &[&str], seen: &mut Vec<String>) -> Result<(), String> {
        let value = |key: &str| rest.iter().find_map(|word| word.strip_prefix(key));
        let show = value("show=").map(number).transpose()?;
        let most_ms = value("ms=").map(number).transpose()?;
        self.world()?.out.trace.take_lines();
        let patience_us = most_ms.map_or(PATIENCE_US, |ms| ms as u64 * 1000);
        let until_us = self.world()?.out.now_us + patience_us;
        let holds = self.run_until_holds(until_us, |world| {
            let running = || world.machines.iter().filter(|machine| machine.process.is_some());
            let shows: Vec<Zxid> =
                running().map(|machine| world.out.evidence.behind(machine.shows())).collect();
            world.leader().is_some()
                && running().all(crate::machine::Machine::is_live)
                && shows.windows(2).all(|pair| pair[0] == pair[1])
        })?;
        if !holds && most_ms.is_some() {
            return Err("it takes longer".into());
        }
        // What is still under way comes through.
        let world = self.world()?;
        world.run_until(world.out.now_us + SECOND_US / 5);
        let lines = world.out.trace.take_lines();
        if let Some(show) = show {
            let of_it = |line: &&String| {
                let mut words = line.split_whitespace();
                let (from, arrow, to) = (words.next(), words.next(), words.next());
                let me = show.to_string();
                arrow == Some("->") && (from == Some(&*me) || to == Some(&*me))
            };
            seen.extend(lines.iter().filter(of_it).cloned());
        }
        Ok(())
    }

    /// Who leads, and who shows what.
    fn summary(&mut self) -> Result<String, String> {
        let world = self.world()?;
        let mut parts = Vec::new();
        match world.leader() {
            Some(at) => {
                let epoch = world.machines[at].shows().epoch();
                parts.push(format!("leader {} epoch {epoch}", at + 1));
            }
            None => parts.push("no leader".to_owned()),
        }
        let mut by_zxid: BTreeMap<Zxid, Vec<String>> = BTreeMap::new();
        for machine in world.machines.iter().filter(|machine| machine.is_live()) {
            let zxid = world.out.evidence.behind(machine.shows());
            by_zxid.entry(zxid).or_default().push((machine.at + 1).to_string());
        }
        for (zxid, members) in by_zxid {
            parts.push(format!("delivered {zxid} on {}", members.join(" ")));
        }
        let down: Vec<String> = world
            .machines
            .iter()
            .filter(|machine| machine.process.is_none())
            .map(|machine| (machine.at + 1).to_string())
            .collect();
        if !down.is_empty() {
            parts.push(format!("down {}", down.join(" ")));
        }
        let refused: Vec<String> = world
            .machines
            .iter()
            .filter(|machine| machine.refused.is_some())
            .map(|machine| (machine.at + 1).to_string())
            .collect();
        if !refused.is_empty() {
            parts.push(format!("refused by {}", refused.join(" ")));
        }
        Ok(parts.join("; "))
    }
}

fn net() -> NetOptions {
    NetOptions { delay_min_us: 200, delay_max_us: 200, ..NetOptions::default() }
}

/// What stands behind `members`.
fn setup(words: &[&str]) -> Result<Setup, String> {
    let list = |key: &str| -> Result<Option<Vec<usize>>, String> {
        let found = words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        found.map(|text| text.split(',').map(number).collect()).transpose()
    };
    let mut counts = [0, 0];
    let mut observes = 0;
    for word in words.iter().filter(|word| !word.contains('=') && **word != "observers-first") {
        if *word == "observers" {
            observes = 1;
        } else {
            place(word)?;
            counts[observes] += 1;
        }
    }
    let mut setup = Setup { voters: counts[0], observers: counts[1], ..Setup::default() };
    setup.observers_first = words.contains(&"observers-first");
    if let Some(groups) = list("groups")? {
        let weights = list("weights")?.unwrap_or_else(|| vec![1; groups.len()]);
        let group = |n: usize| i64::try_from(n).unwrap_or(0);
        setup.groups = groups.into_iter().zip(weights).map(|(n, weight)| (group(n), weight as u64)).collect();
    }
    if let Some(&[count]) = list("memory")?.as_deref() {
        setup.commit_log_count = count;
    }
    if let Some(&[counter]) = list("counter-max")?.as_deref() {
        setup.counter_max = u32::try_from(counter).map_err(|error| error.to_string())?;
    }
    Ok(setup)
}

fn class(word: Option<&&str>) -> Result<Class, String> {
    match word.copied() {
        Some("election") => Ok(Class::Election),
        Some("quorum") => Ok(Class::Quorum),
        Some("client") => Ok(Class::Client),
        other => Err(format!("{other:?} is no port")),
    }
}
