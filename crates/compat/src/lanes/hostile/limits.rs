//! `maxClientCnxns` and `maxCnxns`: who is one too many is closed without a byte.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::raw::Raw;
use crate::harness::{Spec, Target};
use crate::lanes::Case;

/// How many connections each key allows here.
const ALLOWED: usize = 5;
/// How many more are tried.
const EXCESS: usize = 20;
const SESSION_TIMEOUT: Duration = Duration::from_secs(10);
/// How soon somebody is turned away, and how soon a place that became free is given again.
const TIME_MAX: Duration = Duration::from_secs(5);

/// Both keys.
pub(super) fn run(target: &Target) -> Vec<Case> {
    ["maxClientCnxns", "maxCnxns"].map(|key| Case::of(key, honoured(target, key))).into()
}

/// Fills the places, tries more, frees one and takes it.
fn honoured(target: &Target, key: &str) -> Result<()> {
    let server = Spec::new(target.clone()).cfg(key, ALLOWED).start()?;
    // The connections that asked whether the server is up may still be there.
    let mut inside = Vec::new();
    while inside.len() < ALLOWED {
        inside.push(enter(server.port()).with_context(|| format!("connection {}", inside.len() + 1))?);
    }
    for number in 0..EXCESS {
        let mut raw = Raw::connect(server.port())?;
        let (received, _) = raw.closed_within(TIME_MAX).with_context(|| format!("excess {number}"))?;
        ensure!(received == 0, "excess {number} was answered with {received} bytes");
    }
    drop(inside.pop());
    inside.push(enter(server.port()).context("the place that became free")?);
    Ok(())
}

/// Opens a session, again and again until there is room for it.
fn enter(port: u16) -> Result<Raw> {
    let deadline = Instant::now() + TIME_MAX;
    loop {
        match Raw::session(port, SESSION_TIMEOUT) {
            Ok(raw) => return Ok(raw),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => {}
        }
    }
}
