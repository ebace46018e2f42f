//! A machine with one member on it: its disk, its clock, its process, and what a driver does for the process.
//!
//! The driver is that of `server` without sockets and threads: batches and other work on the files go to one line, each with
//! a completion later; links and clients are read while the member wants input; nothing is sent beyond what fits.

mod compare;
mod files;
mod lines;
mod process;
mod rest;
mod turn;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use member::ensemble::{EpochFile, Role};
use member::history::History;
use member::{Core, Front, Member, Now};
use mutants::mutant;
use proto::{Epoch, Sid, Zxid};
use store::epoch;
use store::log::LogWriter;
use store::mem::{Fault, MemDisk};
use store::{Dirs, RecoverOptions, SESSIONS_NAME, claim_session_ids, recover};

use crate::heard::Heard;
use crate::invariants::{Broken, Seen};
use crate::net::{Class, Host, Key, Side};
use crate::outside::{Event, Outside};
use crate::rng::Rng;
use crate::setup::Setup;
pub use files::JobKind;
use files::{Half, Replay, digest_of, half_of, picture, write_snapshot};
pub use process::Process;
use process::side_of;

/// What a true wall clock shows at the beginning.
const WALL_MS: i64 = 1_700_000_000_000;

/// What a clock shows while true time goes on.
#[derive(Clone, Copy, Debug)]
pub struct Skew {
    /// When the machine was started, by true time.
    pub since_us: u64,
    /// What its monotonic clock showed then.
    pub mono_ms: u64,
    /// How many of its milliseconds are in a second.
    pub rate: u64,
    /// Its wall clock is ahead by so much.
    pub wall_ahead_ms: i64,
}

impl Skew {
    fn now(&self, now_us: u64) -> Now {
        let gone_ms = now_us.saturating_sub(self.since_us) * self.rate / 1_000_000;
        let wall_ms = WALL_MS + i64::try_from(self.since_us / 1000 + gone_ms).unwrap_or(0);
        Now { mono_ms: self.mono_ms + gone_ms, wall_ms: wall_ms + self.wall_ahead_ms }
    }

    fn until_us(&self, mono_ms: u64) -> u64 {
        self.since_us + (mono_ms.saturating_sub(self.mono_ms) * 1_000_000).div_ceil(self.rate)
    }
}

/// How slow and how sound a disk is.
#[derive(Clone, Copy, Debug)]
pub struct DiskSpeed {
    /// The shortest job.
    pub min_us: u64,
    /// The longest.
    pub max_us: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Machine {
    /// Its place; its sid is one more.
    pub at: usize,
    /// Its files.
    pub disk: MemDisk,
    /// An earlier state of them.
    backup: Option<MemDisk>,
    dirs: Dirs,
    /// The process, if it runs.
    pub process: Option<Process>,
    /// Counts starts: what was meant for an earlier process does not reach a later one.
    pub incarnation: u64,
    /// It stands still, and what comes waits.
    pub is_paused: bool,
    /// Its clock.
    pub skew: Skew,
    /// How fast its disk is.
    pub speed: DiskSpeed,
    setup: Rc<Setup>,
    rng: Rng,
    /// Calls that the kernel took and the process has not.
    backlog: Vec<(Class, Key, Host)>,
    /// See there.
    half_done: Option<Half>,
    /// The power goes in the middle of the next job of this kind, after so many steps of it.
    pub crash_in: Option<(JobKind, u64)>,
    /// What `power_cut` keeps, of 1000.
    pub keep_permille: u64,
    /// The file `initialize` is put there before the first start.
    is_first_start: bool,
    /// The latest that its wall clock showed at a start.
    started_wall_ms: i64,
    /// Its disk changed what it held, or lost it: a start may say so and refuse.
    pub is_damaged: bool,
    /// Why it does not start.
    pub refused: Option<String>,
}

impl Machine {
    /// A machine with an empty disk.
    #[must_use]
    pub fn new(at: usize, setup: Rc<Setup>, mut rng: Rng) -> Self {
        let mono_ms = 5000 + rng.below(1_000_000);
        Self {
            at,
            disk: MemDisk::new(),
            backup: None,
            dirs: Dirs::new("/data", "/data"),
            process: None,
            incarnation: 0,
            is_paused: false,
            skew: Skew { since_us: 0, mono_ms, rate: 1000, wall_ahead_ms: 0 },
            speed: DiskSpeed { min_us: 100, max_us: 3000 },
            setup,
            rng,
            backlog: Vec::new(),
            half_done: None,
            crash_in: None,
            keep_permille: 500,
            is_first_start: true,
            started_wall_ms: 0,
            is_damaged: false,
            refused: None,
        }
    }

    /// Who lives here.
    #[must_use]
    pub fn sid(&self) -> Sid {
        Sid(i64::try_from(self.at).unwrap_or(0) + 1)
    }

    /// What its clock shows.
    #[must_use]
    pub fn now(&self, out: &Outside) -> Now {
        self.skew.now(out.now_us)
    }

    /// Changes the speed of its clock from now on.
    pub fn set_rate(&mut self, rate: u64, out: &Outside) {
        let Now { mono_ms, wall_ms } = self.now(out);
        self.skew = Skew { since_us: out.now_us, mono_ms, rate, wall_ahead_ms: 0 };
        self.skew.wall_ahead_ms = wall_ms - self.now(out).wall_ms;
    }

    /// When a process is started on a new disk, its wall clock shows more than at any start before: with the old disk went
    /// what keeps ids of sessions that ended from coming again.
    fn set_wall(&mut self, out: &Outside) {
        if self.disk.contents(&format!("{}/{SESSIONS_NAME}", self.dirs.snap)).is_none() {
            let behind_ms = self.started_wall_ms - self.now(out).wall_ms;
            self.skew.wall_ahead_ms += (behind_ms + 1).max(0);
        }
        self.started_wall_ms = self.started_wall_ms.max(self.now(out).wall_ms);
    }

    /// Its wall clock jumps.
    pub fn jump(&mut self, ms: i64) {
        self.skew.wall_ahead_ms += ms;
        if mutant!(WallForMonotonic) {
            self.skew.mono_ms += ms.max(0).unsigned_abs();
        }
    }

    /// Its monotonic clock counts from a new start of the machine on, which took a while.
    fn reboot(&mut self, out: &Outside) {
        let wall_ms = self.now(out).wall_ms;
        let mono_ms = 5000 + self.rng.below(200);
        self.skew = Skew { since_us: out.now_us, mono_ms, ..self.skew };
        self.skew.wall_ahead_ms += wall_ms - self.now(out).wall_ms;
    }

    // Start and end.

    /// Starts the process from the files.
    pub fn start(&mut self, out: &mut Outside) {
        if self.process.is_some() {
            return;
        }
        self.incarnation += 1;
        self.refused = None;
        if out.dark.get(self.at) == Some(&true) {
            self.reboot(out);
        }
        self.set_wall(out);
        let outcome = self.try_start(out);
        if let Err(text) = outcome {
            if text.starts_with("no space") || text.contains("Input/output error") {
                // An operator makes room, or mends the disk.
                out.after(1_000_000, Event::Start { machine: self.at });
                return;
            }
            if !self.is_damaged {
                out.evidence.fail(Broken(format!("member {} does not start: {text}", self.sid().0)));
                return;
            }
            out.line(format_args!("member {} refuses to start: {text}", self.sid().0));
            out.evidence.hit("damage refused");
            self.refused = Some(text);
            if self.setup.has_operator {
                // R8: the files are moved aside.
                self.wipe(out);
                out.after(1_000_000, Event::Start { machine: self.at });
            }
            return;
        }
        out.line(format_args!("member {} starts at {}", self.sid().0, self.last()));
        self.settle(out);
    }

    fn last(&self) -> Zxid {
        self.process.as_ref().map_or(Zxid::ZERO, |process| process.member.logged())
    }

    fn try_start(&mut self, out: &mut Outside) -> Result<(), String> {
        let setup = Rc::clone(&self.setup);
        let (disk, dirs) = (self.disk.clone(), self.dirs.clone());
        dirs.prepare(&disk, true).map_err(|error| error.to_string())?;
        let lock = dirs.lock(&disk).map_err(|error| error.to_string())?;
        let mut sink = Replay { history: History::new(setup.tree()), entries: Vec::new() };
        let recovered =
            recover(&disk, &dirs, RecoverOptions::default(), &mut sink).map_err(|error| error.to_string())?;
        for note in &recovered.notes {
            out.line(format_args!("member {}: {note}", self.at + 1));
        }
        let from = recovered.snapshot.as_ref().map_or(Zxid::ZERO, |(zxid, _)| *zxid);
        out.line(format_args!("member {} replays from {from}", self.at + 1));
        if sink.history.digest_mismatches() > 0 {
            return Err(format!("{:?}", sink.history.first_mismatch()));
        }
        let Replay { history, entries } = sink;
        let mut tree = history.into_tree().map_err(|error| error.to_string())?;
        let last = recovered.last.max(Zxid::ZERO);
        let epochs = epoch::load_epochs(&disk, &dirs.snap, last).map_err(|error| error.to_string())?;
        let whole_from = recovered.snapshot.as_ref().map_or(Zxid::ZERO, |(zxid, _)| *zxid);
        self.compare_with_durable(whole_from, last, &entries, epochs.accepted, epochs.current, out);
        if recovered.snapshot.is_none() {
            let picture = picture(&mut tree);
            write_snapshot(&disk, &dirs, &picture)
                .and_then(|writer| writer.finish(digest_of(&picture), Some(picture.zxid)))
                .map_err(|error| error.to_string())?;
        }
        let now = self.now(out);
        let by_clock = member::first_session(&tree, u8::try_from(self.at + 1).unwrap_or(0), now);
        let claimed = claim_session_ids(&disk, &dirs.snap, by_clock).map_err(|error| error.to_string())?;
        let log = LogWriter::new(disk, &dirs.log, setup.log(), last);
        let options = setup.member(self.at, epochs.accepted, epochs.current, whole_from, self.is_first_start);
        self.is_first_start = false;
        let core = Core::new(tree, setup.core(claimed.first), now);
        let front = Front::new(setup.front(), tree::auth::AuthOptions::default(), self.rng.draw());
        let mut member = Member::in_ensemble(core, front, options, now);
        for at in 0..setup.members() {
            member.link_resolved(&Setup::host_name(at), &[Setup::ip(at)]);
        }
        self.backlog.clear();
        self.process = Some(Process {
            at: self.at,
            member,
            log,
            _lock: lock,
            jobs: VecDeque::new(),
            busy: false,
            busy_since: (0, None),
            batches: 0,
            keys: BTreeMap::new(),
            links: BTreeMap::new(),
            conns: BTreeMap::new(),
            frames: BTreeMap::new(),
            taps: BTreeMap::new(),
            accents: BTreeMap::new(),
            dialing: BTreeMap::new(),
            listens: false,
            wake_at_us: u64::MAX,
            writing: None,
            incoming: None,
            heard: Heard::default(),
            logged_since_snapshot: 0,
            is_live: false,
            shows: Zxid::ZERO,
        });
        Ok(())
    }

    /// What was durable must be there; more may be, for a write that was not confirmed may have reached the disk.
    fn compare_with_durable(
        &mut self,
        whole_from: Zxid,
        last: Zxid,
        entries: &[(Zxid, u64)],
        accepted: Epoch,
        current: Epoch,
        out: &mut Outside,
    ) {
        let sid = self.sid();
        let half_done = self.half_done.take();
        if let Some(Half::Installed(zxid)) = half_done
            && whole_from == zxid
        {
            out.evidence.installed(self.at, sid, zxid);
        }
        let durable = &mut out.evidence.durable[self.at];
        match half_done {
            Some(Half::Cut(to)) if last <= to => durable.cut(to),
            Some(Half::Installed(zxid)) if whole_from == zxid => durable.install(zxid),
            Some(Half::Epoch(EpochFile::Accepted, epoch)) if accepted == epoch => durable.accepted = epoch,
            Some(Half::Epoch(EpochFile::Current, epoch)) if current == epoch => durable.current = epoch,
            Some(_) | None => {}
        }
        let found =
            |zxid: Zxid, hash: u64| zxid <= whole_from || entries.binary_search(&(zxid, hash)).is_ok();
        let lacks = durable.entries.iter().find(|(zxid, hash)| !found(*zxid, *hash)).map(|(zxid, _)| *zxid);
        let lacks = lacks.or((durable.base > last).then_some(durable.base));
        let epochs_kept = accepted >= durable.accepted && current >= durable.current;
        // Up to there a snapshot has everything, also what the log had lost or never had.
        durable.base = whole_from;
        durable.entries = entries.to_vec();
        if durable.last() < last {
            durable.install(last);
        }
        (durable.accepted, durable.current) = (accepted, current);
        out.evidence.see(&Seen::Recovered { sid, last, lacks, epochs_kept });
        out.evidence.recovered(self.at, last, entries.iter().map(|(zxid, _)| *zxid));
    }

    /// The process ends in the middle of whatever it does. With `power`, the machine goes dark, and of what was not durable
    /// any part is lost.
    pub fn kill(&mut self, power: bool, out: &mut Outside) {
        let Some(mut process) = self.process.take() else { return };
        out.line(format_args!("member {} {}", self.sid().0, if power { "loses power" } else { "is killed" }));
        self.incarnation += 1;
        // What the disk was doing is half done.
        if process.busy
            && let Some(job) = process.jobs.pop_front()
        {
            self.half_done = half_of(&job);
            if self.rng.chance(700) {
                self.disk.plan(Fault::Power(self.rng.below(24)));
                // Whatever it says, nobody is left to hear it.
                let _ = self.try_job(&mut process, &job);
            }
        }
        for (&key, handle) in &process.keys {
            let side = side_of(&process, key, *handle);
            if power {
                out.net.vanish(key, side);
            } else {
                out.close(key, side);
            }
        }
        for (_, key, _) in self.backlog.drain(..) {
            out.close(key, Side::Called);
        }
        drop(process);
        if power {
            let keep = self.keep_permille;
            let rng = &mut self.rng;
            self.disk.power_cut(|| rng.chance(keep));
        } else {
            self.disk.kill();
        }
        self.is_paused = false;
    }

    /// The disk is replaced by an empty one. Only while no process runs.
    pub fn wipe(&mut self, out: &mut Outside) {
        if self.process.is_some() {
            return;
        }
        out.line(format_args!("member {} loses its disk", self.sid().0));
        self.disk = MemDisk::new();
        self.half_done = None;
        (self.is_damaged, self.refused) = (false, None);
        let sid = self.sid();
        out.evidence.wiped(self.at, sid);
    }

    /// Keeps a copy of the disk. Only while no process runs.
    pub fn back_up(&mut self) {
        if self.process.is_none() {
            self.backup = Some(self.disk.copy());
        }
    }

    /// The disk is replaced by the copy that was kept. Only while no process runs.
    pub fn roll_back(&mut self, out: &mut Outside) {
        if let Some(backup) = self.backup.as_ref().filter(|_| self.process.is_none()) {
            let backup = backup.copy();
            self.wipe(out);
            self.disk = backup;
        }
    }

    /// The files are read into a second tree and compared with the one in memory. Only while nothing is on its way to them.
    pub fn compare_files(&mut self, out: &mut Outside) {
        let setup = Rc::clone(&self.setup);
        let Some(process) = &self.process else { return };
        let tree = process.member.core().tree();
        let is_still = process.jobs.is_empty() && process.member.core().in_flight() == 0;
        if !is_still || !process.member.is_live() {
            return;
        }
        let (zxid, live) = (tree.last_zxid(), tree.digest());
        let sid = self.sid();
        let copy = self.disk.copy();
        let mut history = History::new(setup.tree());
        let replayed = recover(&copy, &self.dirs, RecoverOptions::default(), &mut history)
            .map_err(|error| error.to_string())
            .and_then(|_| history.into_tree().map_err(|error| error.to_string()));
        match replayed {
            Ok(tree) => out.evidence.see(&Seen::Replayed { sid, zxid, live, replayed: tree.digest() }),
            Err(_) if self.is_damaged => out.evidence.hit("damage told at rest"),
            Err(text) => {
                out.evidence.fail(Broken(format!("the files of member {} cannot be read: {text}", sid.0)))
            }
        }
    }

    /// What it does, for those who wait for it.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        self.process.as_ref().map(|process| process.member.role())
    }

    /// How far it is, for the table of what was hit when.
    #[must_use]
    pub fn phase(&self) -> &'static str {
        match (self.role(), self.is_live()) {
            (None, _) => "down",
            (Some(Role::Looking), _) => "looking",
            (Some(Role::Leading), false) => "about to lead",
            (Some(Role::Leading), true) => "leading",
            (Some(Role::Following | Role::Observing | Role::Standalone), false) => "being brought level",
            (Some(Role::Following | Role::Observing | Role::Standalone), true) => "following",
        }
    }

    /// Whether it serves behind an established leader.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.member.is_live())
    }

    /// The last transaction that it shows.
    #[must_use]
    pub fn shows(&self) -> Zxid {
        self.process.as_ref().map_or(Zxid::ZERO, |process| process.member.core().tree().last_zxid())
    }
}
