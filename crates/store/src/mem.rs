//! A disk in memory that can lose power, run full and fail.
//!
//! It keeps two states: what processes see, and what is durable. A file's bytes become durable by its own sync, a
//! name by the sync of its directory. [`MemDisk::power_cut`] keeps of everything else any subset: writes sector
//! by sector, names one by one (reliability.md §3). The simulator runs whole servers on it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::RefCell;

use crate::disk::{self, Disk, DiskError, DiskFile};

/// What a write reaches the disk in, whole or not at all.
const SECTOR: usize = 512;

/// The disk; clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct MemDisk {
    state: Rc<RefCell<State>>,
}

/// An open file of a [`MemDisk`].
#[derive(Clone, Debug)]
pub struct MemFile {
    state: Rc<RefCell<State>>,
    inode: usize,
    path: String,
    /// Files opened before a power cut are of no use after it.
    powered: u64,
}

/// A lock of a [`MemDisk`].
#[derive(Debug)]
pub struct MemLock {
    state: Rc<RefCell<State>>,
    path: String,
    powered: u64,
}

/// Which operation fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The n-th operation from now, counted from 0, and all behind it: the power is about to be cut.
    Power(u64),
    /// The n-th read from now, once.
    Read(u64),
    /// The n-th write from now, once; half of it reaches the file.
    Write(u64),
    /// The n-th sync of a file from now, once; what it should have written is dropped, and the next sync is
    /// successful, as Linux does.
    Sync(u64),
    /// The n-th change of a name from now, once.
    Rename(u64),
    /// The n-th write from now to a file whose name begins so is said to be done, and never reaches the disk; until the
    /// power goes it can be read back.
    Lost(u64, &'static str),
    /// The same, and it lands 4 KiB behind its place.
    Astray(u64, &'static str),
}

/// How far a misdirected write goes wrong.
const ASTRAY: usize = 4096;

/// What a disk does behind everybody's back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Trick {
    Lost,
    Astray,
}

#[derive(Clone, Debug, Default)]
struct Inode {
    now: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Pending>,
}

#[derive(Clone, Debug)]
enum Pending {
    Sector { at: usize, bytes: Vec<u8> },
    Length(usize),
}

#[derive(Clone, Debug)]
enum NameChange {
    Bind { path: String, inode: usize },
    Unbind { path: String, inode: usize },
    Move { from: String, to: String, inode: usize },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Doing {
    Read,
    Write,
    Sync,
    Name,
    Rename,
}

impl Doing {
    fn word(self) -> &'static str {
        match self {
            Self::Read => "reading",
            Self::Write => "writing",
            Self::Sync => "syncing",
            Self::Name => "looking up",
            Self::Rename => "renaming",
        }
    }
}

#[derive(Debug, Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    pending_names: Vec<NameChange>,
    dirs: BTreeSet<String>,
    locks: BTreeSet<String>,
    capacity_bytes: Option<u64>,
    faults: Vec<Fault>,
    trick: Option<Trick>,
    /// How many planned faults came about.
    hits: u64,
    dead: bool,
    powered: u64,
    operations: u64,
}

impl MemDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many operations there were, failed ones too.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state.borrow().operations
    }

    /// How many of the planned faults came about.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.state.borrow().hits
    }

    /// Plans a fault.
    pub fn plan(&self, fault: Fault) {
        self.state.borrow_mut().faults.push(fault);
    }

    /// No fault that was planned comes about any more.
    pub fn mend(&self) {
        self.state.borrow_mut().faults.clear();
    }

    /// Limits the sum of all file lengths; `None` takes the limit away.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state.borrow_mut().capacity_bytes = bytes;
    }

    /// The sum of all file lengths.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.state.borrow().used_bytes()
    }

    /// The power goes and comes back. Of what was not durable `keep` decides piece by piece; all open files and
    /// locks are gone, planned faults too.
    pub fn power_cut(&self, mut keep: impl FnMut() -> bool) {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        for change in core::mem::take(&mut state.pending_names) {
            if keep() {
                apply(&mut state.durable_names, change);
            }
        }
        for inode in &mut state.inodes {
            for pending in core::mem::take(&mut inode.pending) {
                if keep() {
                    pending.apply(&mut inode.durable);
                }
            }
            inode.now.clone_from(&inode.durable);
        }
        state.names.clone_from(&state.durable_names);
        state.restart();
    }

    /// The process ends, the power stays: nothing is lost but open files and locks.
    pub fn kill(&self) {
        self.state.borrow_mut().restart();
    }

    /// A disk with the same files, all of them durable, and no faults.
    #[must_use]
    pub fn copy(&self) -> Self {
        let state = self.state.borrow();
        // What was removed keeps its place and takes no room.
        let mut inodes: Vec<Inode> = state.inodes.iter().map(|_| Inode::default()).collect();
        for &named in state.names.values() {
            let now = &state.inodes[named].now;
            inodes[named] = Inode { now: now.clone(), durable: now.clone(), pending: Vec::new() };
        }
        let copy = State {
            inodes,
            names: state.names.clone(),
            durable_names: state.names.clone(),
            dirs: state.dirs.clone(),
            ..State::default()
        };
        Self { state: Rc::new(RefCell::new(copy)) }
    }

    /// The bytes of a file as processes see them.
    #[must_use]
    pub fn contents(&self, path: &str) -> Option<Vec<u8>> {
        let state = self.state.borrow();
        state.names.get(path).map(|&inode| state.inodes[inode].now.clone())
    }

    /// What the disk holds of a file, whatever the system has in its memory.
    #[must_use]
    pub fn durable(&self, path: &str) -> Option<Vec<u8>> {
        let state = self.state.borrow();
        state.durable_names.get(path).map(|&inode| state.inodes[inode].durable.clone())
    }

    /// A bit of a file at rest is turned over, for whoever has it open too. Nothing happens beyond its end.
    pub fn flip(&self, path: &str, at: usize, bit: u8) {
        let mut state = self.state.borrow_mut();
        let Some(&inode) = state.names.get(path) else { return };
        let Inode { now, durable, .. } = &mut state.inodes[inode];
        for byte in [now.get_mut(at), durable.get_mut(at)].into_iter().flatten() {
            *byte ^= 1 << (bit % 8);
        }
    }

    /// A file ends earlier from now on, durably.
    pub fn cut(&self, path: &str, length: usize) {
        let mut state = self.state.borrow_mut();
        let Some(&inode) = state.names.get(path) else { return };
        let Inode { now, durable, pending } = &mut state.inodes[inode];
        now.truncate(length);
        durable.clone_from(now);
        pending.clear();
    }

    /// A file is gone, durably.
    pub fn lose(&self, path: &str) {
        let mut state = self.state.borrow_mut();
        state.names.remove(path);
        state.durable_names.remove(path);
    }

    /// Puts a file there, durable at once, in the place of any other.
    pub fn put(&self, path: &str, bytes: &[u8]) {
        let mut state = self.state.borrow_mut();
        let inode = state.inodes.len();
        state.inodes.push(Inode { now: bytes.to_vec(), durable: bytes.to_vec(), pending: Vec::new() });
        state.names.insert(path.into(), inode);
        state.durable_names.insert(path.into(), inode);
    }

    /// The paths of all files, sorted.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        self.state.borrow().names.keys().cloned().collect()
    }

    fn file(&self, path: &str, inode: usize, powered: u64) -> MemFile {
        MemFile { state: Rc::clone(&self.state), inode, path: path.into(), powered }
    }

    fn find(&self, path: &str, doing: Doing) -> Result<MemFile, DiskError> {
        let mut state = self.state.borrow_mut();
        state.operation(doing, path)?;
        let inode = *state.names.get(path).ok_or_else(|| DiskError::NotFound { path: path.into() })?;
        let powered = state.powered;
        drop(state);
        Ok(self.file(path, inode, powered))
    }
}

fn apply(names: &mut BTreeMap<String, usize>, change: NameChange) {
    match change {
        NameChange::Bind { path, inode } => {
            names.insert(path, inode);
        }
        NameChange::Unbind { path, inode } => {
            if names.get(&path) == Some(&inode) {
                names.remove(&path);
            }
        }
        NameChange::Move { from, to, inode } => {
            if names.get(&from) == Some(&inode) {
                names.remove(&from);
            }
            names.insert(to, inode);
        }
    }
}

impl NameChange {
    fn is_in(&self, dir: &str) -> bool {
        match self {
            Self::Bind { path, .. } | Self::Unbind { path, .. } | Self::Move { to: path, .. } => {
                disk::parent(path) == dir
            }
        }
    }
}

impl Pending {
    fn apply(self, bytes: &mut Vec<u8>) {
        match self {
            Self::Sector { at, bytes: sector } => {
                if bytes.len() < at + sector.len() {
                    bytes.resize(at + sector.len(), 0);
                }
                bytes[at..at + sector.len()].copy_from_slice(&sector);
            }
            Self::Length(length) => bytes.resize(length, 0),
        }
    }
}

impl Inode {
    fn write(&mut self, bytes: &[u8], offset: usize) {
        let mut at = offset;
        let mut rest = bytes;
        while !rest.is_empty() {
            let n = rest.len().min(SECTOR - at % SECTOR);
            let (sector, behind) = rest.split_at(n);
            let pending = Pending::Sector { at, bytes: sector.to_vec() };
            pending.clone().apply(&mut self.now);
            self.pending.push(pending);
            (at, rest) = (at + n, behind);
        }
    }
}

impl State {
    fn restart(&mut self) {
        self.locks.clear();
        self.faults.clear();
        self.trick = None;
        self.dead = false;
        self.powered += 1;
    }

    fn used_bytes(&self) -> u64 {
        self.names.values().map(|&inode| self.inodes[inode].now.len() as u64).sum()
    }

    /// Counts an operation and lets it fail if that was planned.
    fn operation(&mut self, doing: Doing, path: &str) -> Result<(), DiskError> {
        self.operations += 1;
        let mut hit = false;
        for fault in &mut self.faults {
            let (n, concerned) = match fault {
                Fault::Power(n) => (n, true),
                Fault::Read(n) => (n, doing == Doing::Read),
                Fault::Write(n) => (n, doing == Doing::Write),
                Fault::Sync(n) => (n, doing == Doing::Sync),
                Fault::Rename(n) => (n, doing == Doing::Rename),
                Fault::Lost(n, front) | Fault::Astray(n, front) => {
                    (n, doing == Doing::Write && disk::file_name(path).starts_with(*front))
                }
            };
            if concerned && *n == 0 {
                *n = u64::MAX;
                self.hits += 1;
                match fault {
                    Fault::Lost(..) => self.trick = Some(Trick::Lost),
                    Fault::Astray(..) => self.trick = Some(Trick::Astray),
                    Fault::Power(_) => (hit, self.dead) = (true, true),
                    Fault::Read(_) | Fault::Write(_) | Fault::Sync(_) | Fault::Rename(_) => hit = true,
                }
            } else if concerned {
                *n = n.saturating_sub(1);
            }
        }
        if hit || self.dead { Err(failure(doing, path)) } else { Ok(()) }
    }

    fn change(&mut self, change: NameChange) {
        apply(&mut self.names, change.clone());
        self.pending_names.push(change);
    }
}

fn failure(doing: Doing, path: &str) -> DiskError {
    DiskError::Io { path: path.into(), doing: doing.word(), code: Some(5), text: "Input/output error".into() }
}

fn size(n: u64) -> usize {
    usize::try_from(n).expect("a file in memory fits into memory")
}

impl Disk for MemDisk {
    type File = MemFile;
    type Lock = MemLock;

    fn create(&self, path: &str) -> Result<MemFile, DiskError> {
        let mut state = self.state.borrow_mut();
        state.operation(Doing::Name, path)?;
        if state.names.contains_key(path) {
            return Err(DiskError::Exists { path: path.into() });
        }
        if !state.dirs.contains(disk::parent(path)) {
            return Err(DiskError::NotFound { path: path.into() });
        }
        let inode = state.inodes.len();
        state.inodes.push(Inode::default());
        state.change(NameChange::Bind { path: path.into(), inode });
        let powered = state.powered;
        drop(state);
        Ok(self.file(path, inode, powered))
    }

    fn open(&self, path: &str) -> Result<MemFile, DiskError> {
        self.find(path, Doing::Name)
    }

    fn open_to_write(&self, path: &str) -> Result<MemFile, DiskError> {
        self.find(path, Doing::Name)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        let mut state = self.state.borrow_mut();
        state.operation(Doing::Rename, from)?;
        let inode = *state.names.get(from).ok_or_else(|| DiskError::NotFound { path: from.into() })?;
        state.change(NameChange::Move { from: from.into(), to: to.into(), inode });
        Ok(())
    }

    fn remove(&self, path: &str) -> Result<(), DiskError> {
        let mut state = self.state.borrow_mut();
        state.operation(Doing::Name, path)?;
        let inode = *state.names.get(path).ok_or_else(|| DiskError::NotFound { path: path.into() })?;
        state.change(NameChange::Unbind { path: path.into(), inode });
        Ok(())
    }

    /// Directories are durable at once: a server makes them before it holds anything.
    fn create_dir(&self, path: &str) -> Result<(), DiskError> {
        let mut state = self.state.borrow_mut();
        state.operation(Doing::Name, path)?;
        let mut dir = path;
        while dir != "/" && dir != "." {
            state.dirs.insert(dir.to_string());
            dir = disk::parent(dir);
        }
        Ok(())
    }

    fn sync_dir(&self, path: &str) -> Result<(), DiskError> {
        let mut state = self.state.borrow_mut();
        state.operation(Doing::Sync, path)?;
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            core::mem::take(&mut state.pending_names).into_iter().partition(|change| change.is_in(path));
        for change in here {
            apply(&mut state.durable_names, change);
        }
        state.pending_names = elsewhere;
        Ok(())
    }

    fn list(&self, path: &str) -> Result<Vec<String>, DiskError> {
        let mut state = self.state.borrow_mut();
        state.operation(Doing::Name, path)?;
        if !state.dirs.contains(path) {
            return Err(DiskError::NotFound { path: path.into() });
        }
        let here = state.names.keys().filter(|name| disk::parent(name) == path);
        Ok(here.map(|name| disk::file_name(name).to_string()).collect())
    }

    fn exists(&self, path: &str) -> Result<bool, DiskError> {
        let mut state = self.state.borrow_mut();
        state.operation(Doing::Name, path)?;
        Ok(state.names.contains_key(path) || state.dirs.contains(path))
    }

    fn is_writable(&self, path: &str) -> Result<bool, DiskError> {
        Ok(self.state.borrow().dirs.contains(path))
    }

    fn free_bytes(&self, _: &str) -> Result<u64, DiskError> {
        let state = self.state.borrow();
        Ok(state.capacity_bytes.map_or(u64::MAX, |capacity| capacity.saturating_sub(state.used_bytes())))
    }

    /// There is no clock here.
    fn modified_ms(&self, _: &str) -> Result<i64, DiskError> {
        Ok(0)
    }

    fn lock(&self, path: &str) -> Result<MemLock, DiskError> {
        let mut state = self.state.borrow_mut();
        if !state.locks.insert(path.into()) {
            return Err(DiskError::Locked { path: path.into() });
        }
        Ok(MemLock { state: Rc::clone(&self.state), path: path.into(), powered: state.powered })
    }
}

impl Drop for MemLock {
    fn drop(&mut self) {
        let mut state = self.state.borrow_mut();
        if state.powered == self.powered {
            state.locks.remove(&self.path);
        }
    }
}

impl MemFile {
    fn begin(&self, doing: Doing) -> Result<core::cell::RefMut<'_, State>, DiskError> {
        let mut state = self.state.borrow_mut();
        if state.powered != self.powered {
            return Err(failure(doing, &self.path));
        }
        // It may have got another name since it was opened, which only those who plan faults ask for.
        let named = if state.faults.is_empty() {
            None
        } else {
            state.names.iter().find(|(_, inode)| **inode == self.inode).map(|(path, _)| path.clone())
        };
        state.operation(doing, named.as_deref().unwrap_or(&self.path))?;
        Ok(state)
    }

    fn make_durable(&self) -> Result<(), DiskError> {
        let started = self.begin(Doing::Sync).map(|mut state| {
            let inode = &mut state.inodes[self.inode];
            // What an earlier sync dropped is not written by this one, though it can still be read.
            for pending in core::mem::take(&mut inode.pending) {
                pending.apply(&mut inode.durable);
            }
        });
        if started.is_err() && !self.state.borrow().dead {
            // The pages are clean now, and on disk is what was there before.
            self.state.borrow_mut().inodes[self.inode].pending.clear();
        }
        started
    }
}

impl DiskFile for MemFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize, DiskError> {
        let state = self.begin(Doing::Read)?;
        let bytes = &state.inodes[self.inode].now;
        let rest = bytes.get(size(offset)..).unwrap_or_default();
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), DiskError> {
        let offset = size(offset);
        let mut state = match self.begin(Doing::Write) {
            Ok(state) => state,
            Err(error) => {
                let mut state = self.state.borrow_mut();
                if state.powered == self.powered {
                    state.inodes[self.inode].write(&bytes[..bytes.len() / 2], offset);
                }
                return Err(error);
            }
        };
        let length = state.inodes[self.inode].now.len();
        let room = state.capacity_bytes.map_or(usize::MAX, |capacity| {
            (length - offset.min(length)).saturating_add(size(capacity.saturating_sub(state.used_bytes())))
        });
        let fits = bytes.len().min(room);
        let trick = state.trick.take();
        let inode = &mut state.inodes[self.inode];
        let pending = inode.pending.len();
        inode.write(&bytes[..fits], if trick == Some(Trick::Astray) { offset + ASTRAY } else { offset });
        if trick == Some(Trick::Lost) {
            inode.pending.truncate(pending);
        }
        if fits < bytes.len() { Err(DiskError::NoSpace { path: self.path.clone() }) } else { Ok(()) }
    }

    fn set_length(&self, length: u64) -> Result<(), DiskError> {
        let mut state = self.begin(Doing::Name)?;
        let inode = &mut state.inodes[self.inode];
        inode.now.resize(size(length), 0);
        inode.pending.push(Pending::Length(size(length)));
        Ok(())
    }

    fn length(&self) -> Result<u64, DiskError> {
        let state = self.begin(Doing::Name)?;
        Ok(state.inodes[self.inode].now.len() as u64)
    }

    fn datasync(&self) -> Result<(), DiskError> {
        self.make_durable()
    }

    fn sync(&self) -> Result<(), DiskError> {
        self.make_durable()
    }
}
