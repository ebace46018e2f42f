//! `kill -9` under load loses nothing that was acknowledged.
//!
//! Several writers, each with a session and a subtree of its own, keep many requests on the way. What a writer sends is a fixed
//! sequence, so everything it may have left behind after `k` carried-out requests is known beforehand. Requests of one session are
//! carried out in order: after the crash its subtree has to look exactly as after some `k`, no smaller than the number of
//! acknowledgements received and no larger than the number of requests sent.

use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};

use super::Case;
use super::wire::{Body, Fields, NODE_EXISTS, Session, create, delete, op, read, set_data};
use crate::harness::{Server, Spec, Target};

/// How many crashes there are when nobody says.
pub(super) const ROUNDS: u32 = 20;
/// Writers at a time.
const WRITERS: u64 = 6;
/// Requests one writer keeps on the way.
const ON_THE_WAY_MAX: usize = 32;
/// Longer than any restart: the sessions have to be there afterwards.
const SESSION_TIMEOUT: Duration = Duration::from_secs(40);
/// How old a round's load is when the server is killed, at most.
const LOAD_MS_MAX: u64 = 600;
/// A small start of ours has to be quick even after a crash; Java gets the time its virtual machine needs.
const OUR_START_MAX: Duration = Duration::from_secs(2);
const JAVA_START_MAX: Duration = Duration::from_secs(30);
/// A created znode is deleted this many requests later, so that a subtree stays small.
const DELETED_AFTER: u64 = 32;

/// Loads, kills and checks `rounds` times; then lets Apache read what is left.
pub(crate) fn run(target: &Target, rounds: u32) -> Result<Vec<Case>> {
    // Small files: snapshots and new log files fall into the crashes as well.
    let spec = Spec::new(target.clone()).cfg("snapCount", 2000).cfg("preAllocSize", 256);
    let mut server =
        spec.property("zookeeper.snapCount", 2000).property("zookeeper.preAllocSize", 256).start()?;
    let mut session = Session::open(server.port(), SESSION_TIMEOUT)?;
    session.call(op::CREATE, &create("/kill9", b"", 0))?;
    session.close()?;
    let seed = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    let mut random = Random(u64::try_from(seed & u128::from(u64::MAX))? | 1);
    let mut writers: Vec<Model> = (0..WRITERS).map(Model::new).collect();
    let mut cases = Vec::new();
    for number in 1..=rounds {
        let load = Duration::from_millis(random.below(LOAD_MS_MAX));
        let result = round(&mut server, &mut writers, load);
        let broken = result.is_err();
        cases.push(Case::of(format!("round {number}, killed after {load:?}"), result));
        if broken {
            return Ok(cases);
        }
    }
    if *target == Target::Oxkeeper {
        cases.push(Case::of("Apache finds the same", apache_finds_the_same(&mut server, &mut writers)));
    }
    Ok(cases)
}

/// One crash: load, kill, restart, compare.
fn round(server: &mut Server, writers: &mut Vec<Model>, load: Duration) -> Result<()> {
    let port = server.port();
    let running: Vec<_> =
        writers.drain(..).map(|model| thread::spawn(move || write_until_killed(port, model))).collect();
    // Not a wait for something: it chooses the moment of the crash.
    thread::sleep(load);
    server.kill9()?;
    let mut written = Vec::new();
    for writer in running {
        written.push(writer.join().expect("a writer does not panic")?);
    }
    server.restart()?;
    let took = server.start_took();
    let allowed = if *server.target() == Target::Oxkeeper { OUR_START_MAX } else { JAVA_START_MAX };
    ensure!(took <= allowed, "the restart took {took:?}, more than {allowed:?}");
    for Written { mut model, session, sent } in written {
        let mut session = match session {
            Some(session) => session.resume(port, SESSION_TIMEOUT).context("taking a session up again")?,
            None => Session::open(port, SESSION_TIMEOUT)?,
        };
        model.find(&mut session, sent)?;
        session.close()?;
        writers.push(model);
    }
    Ok(())
}

/// Stops our server with one more crash and compares what Apache reads from the same directory.
fn apache_finds_the_same(server: &mut Server, writers: &mut [Model]) -> Result<()> {
    server.kill9()?;
    let apache = Spec::new(Target::apache()).dir(server.dir()).start()?;
    let mut session = Session::open(apache.port(), SESSION_TIMEOUT)?;
    for model in writers {
        let acknowledged = model.done;
        model.find(&mut session, acknowledged)?;
    }
    session.close()
}

/// What a writer knows when its connection broke.
struct Written {
    /// As after the last acknowledgement.
    model: Model,
    /// `None` when the crash came before the session was there.
    session: Option<Session>,
    /// How many requests it had sent in all rounds.
    sent: u64,
}

/// Writes until the connection breaks, which is the end that is wanted.
fn write_until_killed(port: u16, mut model: Model) -> Result<Written> {
    let Ok(mut session) = Session::open(port, SESSION_TIMEOUT) else {
        let sent = model.done;
        return Ok(Written { model, session: None, sent });
    };
    let mut sent = model.done;
    let mut on_the_way = VecDeque::new();
    loop {
        while on_the_way.len() < ON_THE_WAY_MAX {
            let (op, body) = model.request(sent);
            // Even a request whose sending failed may have arrived.
            sent += 1;
            match session.send(op, &body) {
                Ok(xid) => on_the_way.push_back(xid),
                Err(_) => return Ok(Written { model, session: Some(session), sent }),
            }
        }
        let Ok(reply) = session.receive() else {
            return Ok(Written { model, session: Some(session), sent });
        };
        ensure!(Some(reply.xid) == on_the_way.pop_front(), "a reply out of order: {}", reply.xid);
        let known_root = model.done == 0 && reply.error == NODE_EXISTS;
        ensure!(reply.error == 0 || known_root, "request {} was refused with {}", model.done, reply.error);
        model.carry_out();
    }
}

/// One writer's subtree after a number of its requests.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Model {
    writer: u64,
    /// How many requests of its sequence have been carried out.
    done: u64,
    /// The subtree's root: how often its data was set, and the number of the request that did it last.
    version: i32,
    data: u64,
    /// Its children, by the number of the request that created them.
    children: BTreeSet<u64>,
}

/// A step of a writer's sequence.
enum Step {
    CreateRoot,
    Create(u64),
    Delete(u64),
    Set,
}

impl Model {
    /// Nothing done yet.
    fn new(writer: u64) -> Self {
        Self { writer, done: 0, version: 0, data: 0, children: BTreeSet::new() }
    }

    /// The step with this number: the same in every run.
    fn step(number: u64) -> Step {
        match number.checked_sub(DELETED_AFTER) {
            _ if number == 0 => Step::CreateRoot,
            _ if number % 3 == 1 => Step::Create(number),
            // 32 leaves 2 when divided by 3: what is deleted here was created 32 steps before.
            Some(created) if number.is_multiple_of(3) && created > 0 => Step::Delete(created),
            _ => Step::Set,
        }
    }

    /// The root of the subtree.
    fn root(&self) -> String {
        format!("/kill9/w{}", self.writer)
    }

    /// The request of a step.
    fn request(&self, number: u64) -> (i32, Body) {
        let root = self.root();
        let data = number.to_string();
        match Self::step(number) {
            Step::CreateRoot => (op::CREATE, create(&root, data.as_bytes(), 0)),
            Step::Create(child) => (op::CREATE, create(&format!("{root}/c{child}"), data.as_bytes(), 0)),
            Step::Delete(child) => (op::DELETE, delete(&format!("{root}/c{child}"))),
            Step::Set => (op::SET_DATA, set_data(&root, data.as_bytes())),
        }
    }

    /// Carries out the next step.
    fn carry_out(&mut self) {
        match Self::step(self.done) {
            Step::CreateRoot => {}
            Step::Create(child) => drop(self.children.insert(child)),
            Step::Delete(child) => drop(self.children.remove(&child)),
            Step::Set => {
                self.version += 1;
                self.data = self.done;
            }
        }
        self.done += 1;
    }

    /// Reads the subtree and moves on to the number of steps that explains it.
    ///
    /// * `sent`: how many steps may have been carried out at most; `self.done` is how many must have been.
    ///
    /// # Errors
    /// When no number explains what is there.
    fn find(&mut self, session: &mut Session, sent: u64) -> Result<()> {
        let acknowledged = self.done;
        let Some((version, data, children)) = read_subtree(session, &self.root())? else {
            ensure!(acknowledged == 0, "{} is gone; {acknowledged} requests were acknowledged", self.root());
            return Ok(());
        };
        while self.done == 0 || (self.version, self.data) != (version, data) || self.children != children {
            if self.done >= sent {
                bail!(
                    "{}: {acknowledged} requests were acknowledged and {sent} sent, but version {version}, \
                     data {data} and {} children are the outcome of none of these",
                    self.root(),
                    children.len()
                );
            }
            self.carry_out();
        }
        Ok(())
    }
}

/// Version and data of a root and its children's numbers, or `None` when it does not exist.
fn read_subtree(session: &mut Session, root: &str) -> Result<Option<(i32, u64, BTreeSet<u64>)>> {
    session.send(op::EXISTS, &read(root, false))?;
    if session.receive()?.error != 0 {
        return Ok(None);
    }
    let body = session.call(op::GET_DATA, &read(root, false))?;
    let mut fields = Fields(&body);
    let data = std::str::from_utf8(fields.bytes()?)?.parse()?;
    let version = fields.stat_version()?;
    let body = session.call(op::GET_CHILDREN, &read(root, false))?;
    let mut fields = Fields(&body);
    let mut children = BTreeSet::new();
    for _ in 0..fields.int()? {
        let name = std::str::from_utf8(fields.bytes()?)?;
        children.insert(name.strip_prefix('c').context("a child nobody created")?.parse()?);
    }
    Ok(Some((version, data, children)))
}

/// Marsaglia's xorshift: good enough to choose moments.
struct Random(u64);

impl Random {
    /// A number below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writers_sequence_deletes_only_what_it_created() {
        let mut model = Model::new(0);
        for _ in 0..10_000 {
            if let Step::Delete(child) = Model::step(model.done) {
                assert!(model.children.contains(&child), "step {}", model.done);
            }
            model.carry_out();
        }
        assert!(model.children.len() < 20);
        assert!(model.version > 3000);
    }
}
