//! A whole ensemble with its clients on one thread: takes the next event and hands it to whom it concerns.

use std::rc::Rc;

use member::ensemble::Role;
use proto::Zxid;

use crate::client::{Client, Habits};
use crate::evidence::Evidence;
use crate::invariants::{Broken, Seen};
use crate::machine::Machine;
use crate::net::{Arrival, Class, Host, Key, Net, NetOptions, Side, Way};
use crate::outside::{Caller, Event, Outside};
use crate::rng::Rng;
use crate::setup::Setup;
use crate::trace::Trace;

/// See the module.
#[derive(Debug)]
pub struct World {
    /// The machines of the members.
    pub machines: Vec<Machine>,
    /// The clients.
    pub clients: Vec<Client>,
    /// What lies between.
    pub out: Outside,
    /// What the ensemble is like.
    pub setup: Rc<Setup>,
    /// What faults are drawn from.
    pub rng: Rng,
    /// How much earlier than that a session may end, unless clocks are not to be trusted.
    slack_us: Option<u64>,
}

/// Something [`World::step`] leaves to its caller.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// Go on.
    Done,
    /// It is time for a fault.
    Fault,
    /// Nothing happens before the given time.
    Still,
}

impl World {
    /// Machines without power, no clients.
    #[must_use]
    pub fn new(setup: Setup, net: NetOptions, seed: u64, prints: bool) -> Self {
        let mut rng = Rng::new(seed);
        let setup = Rc::new(setup);
        let members = setup.members();
        let machines = (0..members).map(|at| Machine::new(at, Rc::clone(&setup), rng.fork())).collect();
        let net = Net::new(net, rng.fork());
        let evidence = Evidence::new(members, setup.quorum());
        let mut out = Outside::new(net, evidence, Trace::new(prints), members, rng.fork());
        out.snap_count = setup.snap_count;
        let slack_ms = setup.tick_ms * (u64::from(setup.sync_limit) + 3);
        Self { machines, clients: Vec::new(), out, setup, rng, slack_us: Some(slack_ms * 1000) }
    }

    /// Clocks do not run true, so that how long a session lasted says nothing.
    pub fn distrust_clocks(&mut self) {
        self.slack_us = None;
    }

    /// Starts every member.
    pub fn start_all(&mut self) {
        for machine in &mut self.machines {
            machine.start(&mut self.out);
        }
    }

    /// Adds a client, which connects at once.
    pub fn add_client(&mut self, habits: Habits) {
        let at = self.clients.len();
        let rng = self.rng.fork();
        self.clients.push(Client::new(at, self.machines.len(), habits, rng));
        self.out.after(1000, Event::Client { client: at });
    }

    /// The first promise that was broken.
    #[must_use]
    pub fn broken(&self) -> Option<&Broken> {
        self.out.evidence.broken.as_ref()
    }

    /// The next event, unless it is later than `until_us`.
    pub fn step(&mut self, until_us: u64) -> Step {
        let Some(event) = self.out.next(until_us) else { return Step::Still };
        match event {
            Event::Arrive { key, from } => self.on_arrival(key, from),
            Event::Room { key, side } => {
                if let Some((caller, called)) = self.out.net.hosts(key) {
                    let host = if side == Side::Caller { caller } else { called };
                    if let Some(machine) = self.machines.get_mut(host) {
                        machine.on_room(key, &mut self.out);
                    }
                }
            }
            Event::Call { caller, from, to, class } => self.on_call(caller, from, to, class),
            Event::Dialed { caller: Caller::Member(what), key } => {
                let machine = &mut self.machines[what.machine];
                if machine.incarnation == what.incarnation && machine.process.is_some() {
                    machine.on_dialed(what.link, key, &mut self.out);
                } else if let Some((key, _)) = key {
                    self.out.close(key, Side::Caller);
                }
            }
            Event::Dialed { caller: Caller::Client(client, attempt), key } => {
                self.clients[client].on_dialed(attempt, key.map(|(key, _)| key), &mut self.out);
            }
            Event::Wake { machine, incarnation } => {
                if let Some(machine) = self.living(machine, incarnation) {
                    self.machines[machine].wake(&mut self.out);
                }
            }
            Event::Disk { machine, incarnation } => {
                if let Some(machine) = self.living(machine, incarnation) {
                    self.machines[machine].on_disk(&mut self.out);
                }
            }
            Event::Snapshot { machine, incarnation } => {
                if let Some(machine) = self.living(machine, incarnation) {
                    self.machines[machine].on_snapshot_step(&mut self.out);
                }
            }
            Event::LogRead { machine, incarnation, link, piece } => {
                if let Some(at) = self.living(machine, incarnation) {
                    let machine = &mut self.machines[at];
                    let now = machine.now(&self.out);
                    if let Some(process) = &mut machine.process {
                        process.on_log_read(link, piece, now);
                    }
                    machine.settle(&mut self.out);
                }
            }
            Event::Start { machine } => {
                self.machines[machine].start(&mut self.out);
                self.out.dark[machine] = false;
            }
            Event::Resume { machine } => self.machines[machine].resume(&mut self.out),
            Event::Client { client } => self.clients[client].wake(&mut self.out),
            Event::Fault => return Step::Fault,
        }
        self.see_to_sessions();
        Step::Done
    }

    fn living(&self, machine: usize, incarnation: u64) -> Option<usize> {
        let of = &self.machines[machine];
        (of.incarnation == incarnation && of.process.is_some()).then_some(machine)
    }

    fn on_arrival(&mut self, key: Key, from: Side) {
        let Some((caller, called)) = self.out.net.hosts(key) else { return };
        let (reader, sender) = if from == Side::Caller { (called, caller) } else { (caller, called) };
        match self.out.net.arrive(key, from) {
            Arrival::Readable => self.read(reader, key),
            Arrival::Nothing => {}
            Arrival::NobodyThere => {
                // A machine that works says so; a dark one says nothing.
                if !self.out.dark.get(reader).copied().unwrap_or(false) {
                    self.out.net.reset(key);
                    self.read(sender, key);
                }
            }
        }
    }

    fn read(&mut self, host: Host, key: Key) {
        if let Some(machine) = self.machines.get_mut(host) {
            machine.on_readable(key, &mut self.out);
        } else if let Some(client) =
            host.checked_sub(crate::setup::CLIENTS).and_then(|at| self.clients.get_mut(at))
        {
            client.on_readable(key, &mut self.out);
        }
    }

    fn on_call(&mut self, caller: Caller, from: Host, to: Host, class: Class) {
        let us = self.out.net.delay_us();
        let machine = &mut self.machines[to];
        if !machine.listens(class) {
            return self.out.after(us, Event::Dialed { caller, key: None });
        }
        let key = self.out.net.connect(from, to, class);
        machine.on_call(class, key, from, &mut self.out);
        self.out.after(us, Event::Dialed { caller, key: Some((key, class)) });
    }

    /// C9: no session ends while its client is heard of.
    fn see_to_sessions(&mut self) {
        if self.out.evidence.model.ended.is_empty() {
            return;
        }
        let ended = std::mem::take(&mut self.out.evidence.model.ended);
        let Some(slack_us) = self.slack_us else { return };
        for session in ended {
            let now_us = self.out.now_us;
            let owner = self.clients.iter().find(|client| client.session == session);
            // What was said just now is not told to the leader yet.
            let lag_us = 3 * self.setup.tick_ms * 1000;
            let sure = owner.and_then(|client| Some((client, client.sure_by(now_us.checked_sub(lag_us)?)?)));
            let Some((client, sure_us)) = sure else { continue };
            if sure_us + client.timeout_us() > now_us + slack_us {
                let text = format!(
                    "session {session} ends at {now_us} us, though its client was heard of at {sure_us} us (C9)"
                );
                self.out.evidence.fail(Broken(text));
            }
        }
    }

    /// Whether every open session is that of a client.
    #[must_use]
    pub fn has_no_lost_session(&self) -> bool {
        let is_owned = |session| self.clients.iter().any(|client| client.session == session);
        self.out.evidence.model.open_sessions().all(is_owned)
    }

    /// Goes on until then, or until a promise is broken. Faults that were planned are passed over.
    pub fn run_until(&mut self, until_us: u64) {
        while self.broken().is_none() && self.step(until_us) != Step::Still {}
    }

    /// Goes on until something holds, at the latest until then. Whether it does.
    pub fn run_until_holds(&mut self, until_us: u64, holds: impl Fn(&Self) -> bool) -> bool {
        while self.broken().is_none() {
            if holds(self) {
                return true;
            }
            if self.step(until_us) == Step::Still {
                return holds(self);
            }
        }
        false
    }

    /// The place of the established leader, the newest if there are several.
    #[must_use]
    pub fn leader(&self) -> Option<usize> {
        self.machines
            .iter()
            .filter(|machine| machine.is_live() && machine.role() == Some(Role::Leading))
            .max_by_key(|machine| machine.shows().epoch())
            .map(|machine| machine.at)
    }

    /// Whether every member that runs serves, all behind one leader.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.leader().is_some() && self.machines.iter().all(Machine::is_live)
    }

    /// Whether all members show the same.
    #[must_use]
    pub fn is_level(&self) -> bool {
        let shows: Vec<Zxid> = self.machines.iter().map(Machine::shows).collect();
        shows.iter().all(|&zxid| zxid == shows[0])
    }

    /// Nothing is under way: members hold what clients have, and no more.
    pub fn see_to_resources(&mut self) {
        for machine in &self.machines {
            let Some(process) = &machine.process else { continue };
            let mut ought = [0; 3];
            for client in &self.clients {
                let hosts = client.open_on().and_then(|key| self.out.net.hosts(key));
                if hosts.is_some_and(|(_, member)| member == machine.at) {
                    ought[0] += 1;
                    ought[1] += client.registrations();
                }
            }
            let front = process.member.front();
            let holds = [front.connections(), front.watch_count(), front.outstanding()];
            self.out.evidence.see(&Seen::Rested { sid: machine.sid(), holds, ought });
        }
    }

    /// Ends every partition, restarts and resumes every machine, and makes clocks and disks well.
    pub fn heal(&mut self, net: NetOptions) {
        self.out.line(format_args!("everything heals"));
        self.out.net.options = net;
        self.unblock();
        self.out.net.shorten();
        self.out.reads_in_bits = false;
        for at in 0..self.machines.len() {
            let machine = &mut self.machines[at];
            machine.disk.set_capacity(None);
            machine.disk.mend();
            machine.set_rate(1000, &self.out);
            machine.speed = crate::machine::DiskSpeed { min_us: 100, max_us: 3000 };
            machine.resume(&mut self.out);
            machine.start(&mut self.out);
            self.out.dark[at] = false;
        }
    }

    /// A connection breaks.
    pub fn reset(&mut self, key: Key) {
        let Some((caller, called)) = self.out.net.hosts(key) else { return };
        self.out.net.reset(key);
        self.read(caller, key);
        self.read(called, key);
    }

    /// Ends every partition.
    pub fn unblock(&mut self) {
        self.unblock_where(|_| true);
    }

    /// Ends the partitions of some ways.
    pub fn unblock_where(&mut self, ends: impl Fn(Way) -> bool) {
        for (at_us, key, from) in self.out.net.unblock(self.out.now_us, ends) {
            self.out.at(at_us, Event::Arrive { key, from });
        }
    }
}
