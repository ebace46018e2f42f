//! A full disk: writes stand still, everything else goes on, and so do the writes when there is room again.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::harness::{Server, Spec, Target};
use crate::lanes::mount::Mount;
use crate::lanes::wire::{Fields, Session, create, op, read, set_data};

const PATH: &str = "/full";
/// What each write puts there: a number, and so much behind it.
const PADDING_BYTES: usize = 4000;
/// Shorter than the time without a disk is given: sessions have to live through it.
const SESSION_TIMEOUT: Duration = Duration::from_secs(4);
/// How long the fence may take to be there, and to be gone.
const FENCE_TIME_MAX: Duration = Duration::from_secs(10);
/// How long the fence is looked at.
const FENCE_LOOK: Duration = Duration::from_millis(1500);
/// Time between two looks.
const POLL: Duration = Duration::from_millis(20);
/// Writes that have to be acknowledged before and after.
const WRITES_MIN: u32 = 100;

/// Fills a small file system under a writing client.
pub(super) fn run(target: &Target) -> Result<()> {
    let mount = Mount::tmpfs("24m")?;
    let mut server = Spec::new(target.clone()).dir(mount.path()).cfg("preAllocSize", 1024).start()?;
    let mut reader = Session::open(server.port(), SESSION_TIMEOUT)?;
    reader.call(op::CREATE, &create(PATH, b"0 ", 0))?;
    let writer = Writer::start(server.port())?;
    writer.acknowledged(WRITES_MIN)?;

    let ballast = mount.path().join("ballast");
    let fenced = |server: &Server| -> Result<bool> { Ok(server.word("srvr")?.contains("\nFenced: ")) };
    let deadline = Instant::now() + FENCE_TIME_MAX;
    while !fenced(&server)? {
        ensure!(Instant::now() < deadline, "no `Fenced:` in srvr although the disk is full");
        fill(&ballast)?;
        thread::sleep(POLL);
    }
    stands_still(&server, &writer, &mut reader)?;

    fs::remove_file(&ballast)?;
    let before = writer.count();
    writer.acknowledged(before + WRITES_MIN).context("after room was made")?;
    ensure!(!fenced(&server)?, "srvr still says `Fenced:`");
    ensure!(!server.word("mntr")?.contains("zk_fenced"), "mntr still has zk_fenced");

    server.kill9()?;
    let acknowledged = writer.stop();
    server.restart()?;
    let mut session = Session::open(server.port(), SESSION_TIMEOUT)?;
    let value = value(&mut session)?;
    ensure!(
        value == acknowledged || value == acknowledged + 1,
        "{acknowledged} was acknowledged, {value} is there"
    );
    Ok(())
}

/// While the fence is up: no write, all reads, and the state in every word.
fn stands_still(server: &Server, writer: &Writer, reader: &mut Session) -> Result<()> {
    let before = writer.count();
    let end = Instant::now() + FENCE_LOOK;
    while Instant::now() < end {
        let value = value(reader).context("reading while the disk is full")?;
        ensure!(value == before, "{value} is read, {before} was acknowledged");
        thread::sleep(POLL);
    }
    ensure!(writer.count() == before, "a write was acknowledged on a full disk");
    ensure!(server.word("mntr")?.contains("\nzk_fenced\t"), "no zk_fenced in mntr");
    let log = fs::read_to_string(server.log_file())?;
    ensure!(
        log.contains("writes are fenced") && log.contains("no space left"),
        "the log says nothing:\n{log}"
    );
    Ok(())
}

/// Writes until nothing more goes into the file system.
fn fill(ballast: &Path) -> Result<()> {
    let mut file = File::options().create(true).append(true).open(ballast)?;
    let chunk = vec![1; 4096];
    loop {
        match file.write_all(&chunk) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
            Err(error) => return Err(error).context("filling the disk"),
        }
    }
}

/// The number in the znode.
fn value(session: &mut Session) -> Result<u32> {
    let body = session.call(op::GET_DATA, &read(PATH, false))?;
    let text = std::str::from_utf8(Fields(&body).bytes()?)?;
    Ok(text.split(' ').next().unwrap_or_default().parse()?)
}

/// A client that writes one number after the other.
struct Writer {
    acknowledged: Arc<AtomicU32>,
    thread: thread::JoinHandle<()>,
}

impl Writer {
    fn start(port: u16) -> Result<Self> {
        let mut session = Session::open(port, SESSION_TIMEOUT)?;
        let acknowledged = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&acknowledged);
        let thread = thread::spawn(move || {
            for number in 1_u32.. {
                let data = format!("{number} {}", "x".repeat(PADDING_BYTES));
                // The connection ends with the server.
                let done = session.call(op::SET_DATA, &set_data(PATH, data.as_bytes()));
                if done.is_err() {
                    return;
                }
                count.store(number, Ordering::SeqCst);
            }
        });
        Ok(Self { acknowledged, thread })
    }

    /// How many writes were acknowledged.
    fn count(&self) -> u32 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// Waits for so many.
    fn acknowledged(&self, count: u32) -> Result<()> {
        let deadline = Instant::now() + FENCE_TIME_MAX;
        while self.count() < count {
            ensure!(Instant::now() < deadline, "{} writes were acknowledged, not {count}", self.count());
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Ends it, when the server is gone, and gives the last number acknowledged.
    fn stop(self) -> u32 {
        self.thread.join().expect("the writer does not panic");
        self.acknowledged.load(Ordering::SeqCst)
    }
}
