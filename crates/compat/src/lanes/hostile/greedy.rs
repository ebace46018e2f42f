//! Proven sessions that ask for more than is good.

use std::io::{Read, Write};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::figures::{memory_stays, rss_kib};
use super::raw::{Raw, request};
use crate::harness::Server;
use crate::lanes::wire::{Body, Fields, Session, create, delete, op, read, set_data};

/// Operation codes of this file alone. Source: `ZooDefs.OpCode`.
const MULTI: i32 = 14;
const MULTI_READ: i32 = 22;
const SET_WATCHES: i32 = 101;
const ADD_WATCH: i32 = 106;
/// `addWatch`'s persistent, recursive mode.
const RECURSIVE: i32 = 1;

/// The shortest session, for those that shall be gone soon, and one for those that shall not.
const SHORT: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(20);

/// A znode of almost `jute.maxbuffer`.
const BIG: &str = "/big";
const BIG_BYTES: usize = 1_000_000;
/// Connections that never read, and what each asks for.
const NEVER_READ: u64 = 4;
const NEVER_READ_REQUESTS: i32 = 5000;
/// What one of them may cost, in KiB: 1 MiB of replies, one reply more, and vectors that double.
const PER_READER_KIB: u64 = 5 << 10;
/// What the allocator may add, in KiB.
const SLACK_KIB: u64 = 32 << 10;
/// How long the memory is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Large replies asked for at once.
const AT_ONCE: i32 = 400;

/// Readers of events, events, and the length of the path in each.
const SLOW_READERS: usize = 8;
const EVENTS: usize = 4000;
const EVENT_PATH_BYTES: usize = 900;
/// Requests kept on the way while the events are made.
const WINDOW: usize = 200;

/// Paths in one `setWatches`, operations in one `multi`, components of a deep path, levels of a deep tree.
const WATCHES: i32 = 50_000;
const LONG_NAME_BYTES: usize = 50;
const OPERATIONS: usize = 12_000;
const COMPONENTS: usize = 250_000;
const LEVELS: usize = 400;
/// Sessions that are dropped with ephemerals.
const DROPPED: usize = 300;

/// Makes the large znode.
pub(super) fn prepare(server: &Server) -> Result<()> {
    let mut session = Session::open(server.port(), LONG)?;
    session.call(op::CREATE, &create(BIG, &vec![7; BIG_BYTES], 0))?;
    session.close()
}

/// Clients that ask for gigabytes in a pipeline and read nothing are not read from any more, and end with their session.
pub(super) fn never_reads(server: &Server) -> Result<()> {
    let before_kib = rss_kib(server)?;
    let requests: Vec<u8> = (1..=NEVER_READ_REQUESTS).flat_map(get_big).collect();
    let mut all = Vec::new();
    for _ in 0..NEVER_READ {
        let raw = Raw::session(server.port(), SHORT)?;
        raw.stream.set_nonblocking(true)?;
        // As much as the kernel takes; the rest does not matter.
        drop((&raw.stream).write_all(&requests));
        all.push(raw);
    }
    memory_stays(server, before_kib, NEVER_READ * PER_READER_KIB + SLACK_KIB, LOOK)?;
    gone(server, &all)
}

/// Reads that wait behind a write are answered when it is done, and no more of them than there is room for.
pub(super) fn behind_a_write(server: &Server) -> Result<()> {
    let before_kib = rss_kib(server)?;
    let mut raw = Raw::session(server.port(), SHORT)?;
    let mut bytes = request(1, op::CREATE, create("/before-reads", b"", 0).as_bytes());
    bytes.extend((2..AT_ONCE).flat_map(get_big));
    raw.send(&bytes)?;
    memory_stays(server, before_kib, PER_READER_KIB + SLACK_KIB, LOOK)?;
    // Whoever reads after all gets everything.
    for xid in 1..AT_ONCE {
        let reply = raw.frame().with_context(|| format!("the reply to {xid}"))?;
        ensure!(Fields(&reply).int()? == xid, "the reply to {xid} is another one's");
    }
    Ok(())
}

/// One frame of a few kilobytes that asks for hundreds of megabytes.
pub(super) fn multi_read(server: &Server) -> Result<()> {
    let before_kib = rss_kib(server)?;
    let operations = (0..AT_ONCE).map(|_| (op::GET_DATA, Body::default().bytes(BIG.as_bytes()).flag(false)));
    let mut raw = Raw::session(server.port(), SHORT)?;
    raw.send(&request(1, MULTI_READ, &multi_body(operations)))?;
    memory_stays(server, before_kib, (64 << 10) + SLACK_KIB, LOOK)
}

/// A long answer to a four-letter word, which nobody reads.
pub(super) fn unread_word(server: &Server) -> Result<()> {
    let mut watching = Raw::session(server.port(), SHORT)?;
    // More than the kernel takes off the server's hands.
    for part in 0..12 {
        let name = format!("{part}-{}", "w".repeat(LONG_NAME_BYTES));
        watching.send(&request(part, SET_WATCHES, &set_watches(&name, WATCHES / 4)))?;
        while Fields(&watching.frame()?).int()? == -1 {}
    }
    let mut asking = Raw::connect(server.port())?;
    asking.send(b"wchp")?;
    drop(watching);
    // It stays open here and is never read.
    gone(server, &[asking])
}

/// Waits until the server has given up connections that are not read from.
fn gone(server: &Server, all: &[Raw]) -> Result<()> {
    let known = || -> Result<usize> {
        let text = server.word("cons")?;
        let mut open = 0;
        for raw in all {
            let address = raw.stream.local_addr()?.to_string();
            open += text.lines().filter(|line| line.trim().starts_with(&format!("/{address}["))).count();
        }
        Ok(open)
    };
    let deadline = std::time::Instant::now() + Duration::from_secs(15);
    while known()? > 0 {
        ensure!(std::time::Instant::now() < deadline, "the server still holds connections that never read");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Clients that watch a busy znode and read late get every event all the same, in order.
pub(super) fn slow_readers(server: &Server) -> Result<()> {
    let path = format!("/{}", "e".repeat(EVENT_PATH_BYTES));
    let mut writer = Session::open(server.port(), LONG)?;
    writer.call(op::CREATE, &create(&path, b"", 0))?;
    let mut readers = Vec::new();
    for _ in 0..SLOW_READERS {
        let mut raw = Raw::session(server.port(), LONG)?;
        let body = Body::default().bytes(path.as_bytes()).int(RECURSIVE);
        raw.send(&request(1, ADD_WATCH, body.as_bytes()))?;
        raw.frame().context("the reply to addWatch")?;
        readers.push(raw);
    }
    for _ in 0..EVENTS / WINDOW {
        for _ in 0..WINDOW {
            writer.send(op::SET_DATA, &set_data(&path, b"x"))?;
        }
        for _ in 0..WINDOW {
            writer.receive()?;
        }
    }
    for raw in &mut readers {
        let mut last = 0;
        for number in 0..EVENTS {
            let event = raw.frame().with_context(|| format!("event {number}"))?;
            let mut fields = Fields(&event);
            let (xid, zxid) = (fields.int()?, fields.long()?);
            ensure!(xid == -1 && zxid > last, "event {number}: xid {xid}, zxid {zxid:#x} after {last:#x}");
            last = zxid;
        }
        raw.send(&request(2, op::CLOSE, b""))?;
    }
    writer.call(op::DELETE, &delete(&path))?;
    writer.close()
}

/// As many watches as fit into one frame, and another frame of them, and then their client is gone.
pub(super) fn giant_set_watches(server: &Server) -> Result<()> {
    let mut raw = Raw::session(server.port(), SHORT)?;
    for xid in 1..=2 {
        raw.send(&request(xid, SET_WATCHES, &set_watches("watched", WATCHES)))?;
        while Fields(&raw.frame()?).int()? == -1 {}
    }
    Ok(())
}

/// A `multi` that fails at its very end changes nothing; one that succeeds makes thousands of znodes.
pub(super) fn giant_multi(server: &Server) -> Result<()> {
    let mut session = Session::open(server.port(), LONG)?;
    session.call(op::CREATE, &create("/giant", b"", 0))?;
    let path = |number: usize| format!("/giant/{number}");
    let creates = || (0..OPERATIONS).map(|number| (op::CREATE, create(&path(number), b"", 0)));
    let failing = creates().chain([(op::DELETE, delete("/nobody/is/here"))]);
    session.send(MULTI, &Body::from_bytes(&multi_body(failing)))?;
    session.receive()?;
    ensure!(children(&mut session, "/giant")? == 0, "a failed multi left znodes behind");
    session.call(MULTI, &Body::from_bytes(&multi_body(creates())))?;
    ensure!(children(&mut session, "/giant")? == i32::try_from(OPERATIONS)?, "a multi made too few znodes");
    let deletes = (0..OPERATIONS).map(|number| (op::DELETE, delete(&path(number))));
    session.call(MULTI, &Body::from_bytes(&multi_body(deletes)))?;
    session.call(op::DELETE, &delete("/giant"))?;
    session.close()
}

/// Paths of half a megabyte, and a tree hundreds of levels deep under a recursive watch.
pub(super) fn giant_paths(server: &Server) -> Result<()> {
    let mut session = Session::open(server.port(), LONG)?;
    let long = format!("/{}", "p".repeat(2 * COMPONENTS));
    let deep = "/d".repeat(COMPONENTS);
    for path in [&long, &deep] {
        session.send(op::EXISTS, &read(path, true))?;
        session.send(op::GET_DATA, &read(path, true))?;
        session.send(op::CREATE, &create(&format!("{path}/x"), b"", 0))?;
        session.send(ADD_WATCH, &Body::default().bytes(path.as_bytes()).int(RECURSIVE))?;
        session.send(op::SET_DATA, &set_data(path, b""))?;
        for _ in 0..5 {
            session.receive()?;
        }
    }
    session.call(ADD_WATCH, &Body::default().bytes(b"/d").int(RECURSIVE))?;
    for level in 1..=LEVELS {
        session.call(op::CREATE, &create(&"/d".repeat(level), b"", 0))?;
    }
    for level in (1..=LEVELS).rev() {
        session.call(op::DELETE, &delete(&"/d".repeat(level)))?;
    }
    session.close()
}

/// Sessions that make ephemerals and break off: nothing of them is left when their time is up.
pub(super) fn dropped_sessions(server: &Server) -> Result<()> {
    for number in 0..DROPPED {
        let mut raw = Raw::session(server.port(), SHORT)?;
        for child in 0..3 {
            let path = format!("/dropped-{number}-{child}");
            raw.send(&request(child, op::CREATE, create(&path, b"", 1).as_bytes()))?;
        }
        let mut reply = [0; 4];
        raw.stream.read_exact(&mut reply).context("the first reply")?;
    }
    Ok(())
}

/// The frame that asks for the large znode.
fn get_big(xid: i32) -> Vec<u8> {
    request(xid, op::GET_DATA, read(BIG, false).as_bytes())
}

/// `setWatches` with watches on znodes that do not exist, as a client has them that waits for their creation.
fn set_watches(name: &str, count: i32) -> Vec<u8> {
    let mut body = Body::default().long(0).int(0).int(count);
    for number in 0..count {
        body = body.bytes(format!("/{name}{number}").as_bytes());
    }
    body.int(0).as_bytes().to_vec()
}

/// The body of `multi` and `multiRead`.
fn multi_body(operations: impl Iterator<Item = (i32, Body)>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (op, body) in operations {
        bytes.extend(Body::default().int(op).flag(false).int(-1).as_bytes());
        bytes.extend(body.as_bytes());
    }
    bytes.extend(Body::default().int(-1).flag(true).int(-1).as_bytes());
    bytes
}

/// How many children a znode has.
fn children(session: &mut Session, path: &str) -> Result<i32> {
    let body = session.call(op::GET_CHILDREN, &read(path, false))?;
    Fields(&body).int()
}
