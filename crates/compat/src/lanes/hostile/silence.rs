//! Connections that come and do not get to the point.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::SESSIONLESS_MS;
use super::figures::{memory_stays, rss_kib};
use super::raw::{Raw, connect_request};
use crate::harness::{Server, Target};

/// How long a connection may be without a session.
const SESSIONLESS: Duration = Duration::from_millis(SESSIONLESS_MS as u64);
/// How much later than that it may be closed here, and how much by Apache's server, which rounds it up to steps of it.
const LATE_MAX: Duration = Duration::from_millis(1500);
const APACHE_LATE_MAX: Duration = Duration::from_millis(SESSIONLESS_MS as u64 + 3000);
/// How many are silent, and how many drip.
const SILENT: usize = 50;
const DRIPPING: usize = 20;
/// Time between two drops: the whole connect request would take longer than it may.
const DROP_EVERY: Duration = Duration::from_millis(100);
/// How many announce a frame and do not send it.
const ANNOUNCED: usize = 2000;
/// What they announce in all is 2 GB; what the server may take for them, in KiB.
const ANNOUNCED_KIB_MAX: u64 = 32 << 10;
/// A length that a connect request may have.
const FIRST_FRAME_BYTES: i32 = 16 << 10;
/// 64 KiB may wait for the rest of a first frame.
const UNPROVEN_KIB_MAX: u64 = 2000 * 64 + (32 << 10);
/// How long the memory is looked at.
const LOOK: Duration = Duration::from_millis(300);
/// How many do so in a session, and that session's timeout.
const IN_SESSIONS: usize = 100;
const SESSION_TIMEOUT: Duration = Duration::from_secs(1);

/// Connections that say nothing are closed when their time is up, and not before.
pub(super) fn silent(server: &Server) -> Result<()> {
    let late_max = if *server.target() == Target::Oxkeeper { LATE_MAX } else { APACHE_LATE_MAX };
    let began = Instant::now();
    let mut all = Vec::new();
    for _ in 0..SILENT {
        all.push(Raw::connect(server.port())?);
    }
    for raw in &mut all {
        raw.closed_within(SESSIONLESS + late_max)?;
        ensure!(began.elapsed() + DROP_EVERY >= SESSIONLESS, "closed after {:?} already", began.elapsed());
    }
    Ok(())
}

/// Connections that send their connect request a byte at a time gain nothing by it.
pub(super) fn dripping(server: &Server) -> Result<()> {
    let request = connect_request(SESSION_TIMEOUT)?;
    let began = Instant::now();
    let mut all = Vec::new();
    for _ in 0..DRIPPING {
        all.push(Raw::connect(server.port())?);
    }
    for byte in &request {
        // Sending fails once the server has closed.
        all.retain_mut(|raw| raw.send(std::slice::from_ref(byte)).is_ok());
        if all.is_empty() {
            break;
        }
        ensure!(
            began.elapsed() < SESSIONLESS + LATE_MAX,
            "{} of {DRIPPING} dripping connections are open after {:?}",
            all.len(),
            began.elapsed()
        );
        thread::sleep(DROP_EVERY);
    }
    ensure!(began.elapsed() >= SESSIONLESS, "closed after {:?} already", began.elapsed());
    Ok(())
}

/// A length costs the sender four bytes, and must not cost the server what it says.
pub(super) fn announced(server: &Server) -> Result<()> {
    let before_kib = rss_kib(server)?;
    let mut all = Vec::new();
    for number in 0..ANNOUNCED {
        let mut raw = Raw::connect(server.port())?;
        // A length any frame may have, which may end the connection at once, and one a first frame may have.
        let length: i32 = if number.is_multiple_of(2) { 0xf_ffff } else { FIRST_FRAME_BYTES };
        raw.send(&length.to_be_bytes())?;
        all.push(raw);
    }
    memory_stays(server, before_kib, ANNOUNCED_KIB_MAX, LOOK)
}

/// Who has proved nothing may not leave much either.
pub(super) fn half_sent(server: &Server) -> Result<()> {
    let before_kib = rss_kib(server)?;
    let mut all = Vec::new();
    for number in 0..ANNOUNCED {
        let mut raw = Raw::connect(server.port())?;
        raw.stream.set_nonblocking(true)?;
        let length = if number.is_multiple_of(2) { 0xf_ffff } else { FIRST_FRAME_BYTES };
        let mut bytes = vec![0; usize::try_from(length)? - 1];
        bytes.splice(..4, length.to_be_bytes());
        // As much as the kernel takes at once, if the server has not closed already.
        drop(raw.send(&bytes));
        all.push(raw);
    }
    memory_stays(server, before_kib, UNPROVEN_KIB_MAX, LOOK)
}

/// In a session a frame may be large: what has come of it is kept, until the session's time is up.
pub(super) fn half_sent_in_sessions(server: &Server) -> Result<()> {
    let mut bytes = vec![0; 500_000];
    bytes.splice(..4, 0xf_ffff_i32.to_be_bytes());
    let before_kib = rss_kib(server)?;
    let mut all = Vec::new();
    for _ in 0..IN_SESSIONS {
        let mut raw = Raw::session(server.port(), SESSION_TIMEOUT)?;
        raw.send(&bytes).context("sending half a frame")?;
        all.push(raw);
    }
    // Twice for the vectors that grow by doubling.
    let more_kib_max = 2 * 500 * u64::try_from(IN_SESSIONS)? + ANNOUNCED_KIB_MAX;
    memory_stays(server, before_kib, more_kib_max, LOOK)?;
    for raw in &mut all {
        raw.closed_within(4 * SESSION_TIMEOUT).context("a session that only ever sends half a frame")?;
    }
    Ok(())
}
