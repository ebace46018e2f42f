//! Protocol stories as text: what is done, `----`, and what is to be seen of it.
//!
//! A block is one or more lines of commands, separated by `;`:
//! `members 1 2 3 [observers 4]`, `elect N`, `write N /path`, `ask N /path` (a write nobody waits for), `partition 1 | 2 3`,
//! `isolate N`, `oneway N`, `heal`, `kill N`, `power N`, `crash N install|epoch|truncate|write STEPS`, `start N`, `wipe N`,
//! `pause N`, `resume N`, `slow N MS`, `fast N`, `wait MS`, `settle [show=N]`, `files`.

use std::collections::BTreeMap;

use proto::wire::put_frame;
use proto::{
    Acl, ConnectRequest, ConnectResponse, CreateRequest, Encode, OpCode, Reader, ReplyHeader, RequestHeader,
    SessionId, Xid, Zxid,
};

use crate::machine::{DiskSpeed, JobKind};
use crate::net::{Class, Key, NetOptions, Side};
use crate::setup::Setup;
use crate::world::World;

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
    let mut stage = Stage { world: None };
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
    Ok(text)
}

struct Stage {
    world: Option<World>,
}

fn number(word: &str) -> Result<usize, String> {
    word.parse::<usize>().map_err(|_| format!("{word} is no number"))
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
            let voters = rest.iter().take_while(|word| **word != "observers").count();
            let observers = rest.len().saturating_sub(voters + 1);
            let setup = Setup { voters, observers, ..Setup::default() };
            let mut world = World::new(setup, net(), 1, std::env::var_os("TRACE").is_some());
            world.out.trace.keep();
            self.world = Some(world);
            return Ok(());
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
                write(self.world()?, place(first)?, path, verb == "write")?;
            }
            "partition" => {
                let sides: Vec<Vec<usize>> = rest
                    .split(|word| *word == "|")
                    .map(|side| side.iter().map(|word| place(word)).collect())
                    .collect::<Result<_, _>>()?;
                let world = self.world()?;
                for (i, a) in sides.iter().enumerate() {
                    for (j, b) in sides.iter().enumerate() {
                        for (from, to) in
                            a.iter().flat_map(|a| b.iter().map(move |b| (*a, *b))).filter(|_| i != j)
                        {
                            world.out.net.block(from, to, Class::Election);
                            world.out.net.block(from, to, Class::Quorum);
                        }
                    }
                }
            }
            "isolate" | "oneway" => {
                let at = place(first)?;
                let world = self.world()?;
                for other in (0..world.machines.len()).filter(|other| *other != at) {
                    for class in [Class::Election, Class::Quorum] {
                        world.out.net.block(at, other, class);
                        if verb == "isolate" {
                            world.out.net.block(other, at, class);
                        }
                    }
                }
            }
            "heal" => self.world()?.unblock(),
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
            "wipe" => {
                let at = place(first)?;
                let world = self.world()?;
                world.machines[at].kill(true, &mut world.out);
                world.machines[at].wipe(&mut world.out);
                world.out.dark[at] = true;
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
            "wait" => {
                let us = number(first)? as u64 * 1000;
                let world = self.world()?;
                world.run_until(world.out.now_us + us);
            }
            "settle" => {
                let show = first.strip_prefix("show=").map(number).transpose()?;
                let world = self.world()?;
                world.out.trace.take_lines();
                let runs = |world: &World| {
                    world.machines.iter().all(|machine| machine.process.is_none() || machine.is_live())
                };
                let until_us = world.out.now_us + PATIENCE_US;
                world.run_until_holds(until_us, |world| {
                    let shows: Vec<Zxid> = world
                        .machines
                        .iter()
                        .filter(|machine| machine.process.is_some())
                        .map(|machine| world.out.evidence.behind(machine.shows()))
                        .collect();
                    world.leader().is_some() && runs(world) && shows.windows(2).all(|pair| pair[0] == pair[1])
                });
                // What is still under way comes through.
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
            }
            "files" => {
                let world = self.world()?;
                for machine in &mut world.machines {
                    machine.compare_files(&mut world.out);
                }
            }
            _ => return Err("no such command".into()),
        }
        let world = self.world()?;
        match world.broken() {
            Some(broken) => Err(broken.0.clone()),
            None => Ok(()),
        }
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
        Ok(parts.join("; "))
    }
}

fn net() -> NetOptions {
    NetOptions { delay_min_us: 200, delay_max_us: 200, ..NetOptions::default() }
}

/// A client at a host of its own, which connects, creates a znode, and keeps its session.
fn write(world: &mut World, at: usize, path: &str, waits: bool) -> Result<(), String> {
    let host = crate::setup::CLIENTS + 50;
    let key = world.out.net.connect(host, at, Class::Client);
    world.machines[at].on_call(Class::Client, key, host, &mut world.out);
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid::ZERO,
        timeout_ms: 10_000,
        session_id: SessionId::NONE,
        password: Some(&[0; 16]),
        read_only: Some(false),
    };
    send(world, key, &request);
    let patience_us = if waits { PATIENCE_US } else { SECOND_US / 20 };
    let frame = match answer(world, key, patience_us) {
        Ok(frame) => frame,
        // The session itself is a transaction, and may be the one that is not committed.
        Err(_) if !waits && world.broken().is_none() => return Ok(()),
        Err(error) => return Err(error),
    };
    let response: ConnectResponse = Reader::new(&frame).take().map_err(|error| error.to_string())?;
    let asked =
        crate::model::Write::Create { path: path.into(), value: 0, ephemeral: false, sequential: false };
    world.out.evidence.model.ask(response.session_id, 1, asked);
    let mut body = Vec::new();
    RequestHeader { xid: Xid(1), kind: OpCode::Create.number() }.encode(&mut body);
    let acl = Some(vec![Acl::open()]);
    CreateRequest { path: Some(path.into()), data: Some(&[0; 8]), acl, flags: 0 }.encode(&mut body);
    send(world, key, &Raw(body));
    if !waits {
        return Ok(());
    }
    let frame = answer(world, key, PATIENCE_US)?;
    let header: ReplyHeader = Reader::new(&frame).take().map_err(|error| error.to_string())?;
    if header.err == 0 { Ok(()) } else { Err(format!("the answer is {}", header.err)) }
}

struct Raw(Vec<u8>);

impl Encode for Raw {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

fn send(world: &mut World, key: Key, what: &impl Encode) {
    let mut frame = Vec::new();
    put_frame(&mut frame, |out| what.encode(out));
    world.out.send(key, Side::Caller, frame);
}

/// The next frame.
fn answer(world: &mut World, key: Key, patience_us: u64) -> Result<Vec<u8>, String> {
    let until_us = world.out.now_us + patience_us;
    let came = world.run_until_holds(until_us, |world| {
        let (bytes, ended) = world.out.net.peek(key, Side::Caller);
        bytes >= 4 || ended
    });
    let frame = world.out.read(key, Side::Caller);
    if !came || frame.len() < 4 {
        return Err(format!("there is no answer; {:?}", world.broken()));
    }
    Ok(frame[4..].to_vec())
}
