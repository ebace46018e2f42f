//! Connections that mean no good: nonsense, silence, floods and greed, while somebody else works.
//!
//! All attacks go against one server. Beside them a well-behaved session sets and gets a znode every 20 ms, which has to succeed in
//! time whatever happens (P14); after each attack connections, watches, requests and descriptors are what they were before it, and at
//! the end the server's memory is, too (P13, S6 of the reliability requirements).
//!
//! Where Apache is known to behave otherwise (`docs/compat.md`, or memory that grows with what is announced), the attack is made on
//! our server only.

mod attack;
mod figures;
mod framing;
mod greedy;
mod limits;
mod neighbour;
mod raw;
mod silence;

use std::time::Duration;

use anyhow::Result;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Case;
use crate::harness::{Server, Spec, Target};
use attack::{Attack, Who};
use figures::Figures;
use neighbour::Neighbour;

/// How long a connection may be without a session here, in milliseconds.
const SESSIONLESS_MS: u32 = 2000;
/// `tickTime` in milliseconds; the shortest session is two of them.
const TICK_MS: u32 = 500;
/// How long the figures may take to come back after an attack. Apache looks at expired connections in steps.
const SETTLE_TIME_MAX: Duration = Duration::from_secs(15);
/// By how much the server's memory may be larger at the end than at the beginning, in KiB.
const KEPT_KIB_MAX: u64 = 48 << 10;

/// Every attack, then the limits on connections, which want servers of their own.
pub(crate) fn run(target: &Target) -> Result<Vec<Case>> {
    raise_descriptor_limit()?;
    let spec = Spec::new(target.clone()).cfg("tickTime", TICK_MS).cfg("maxSessionTimeout", 20_000);
    let server = spec.property("zookeeper.nio.sessionlessCnxnTimeout", SESSIONLESS_MS).start()?;
    let ours = *target == Target::Oxkeeper;
    let mut cases = attacks(&server, ours)?;
    cases.extend(limits::run(target));
    Ok(cases)
}

/// The attacks one after the other, each with its check of the neighbour and of what it left behind.
fn attacks(server: &Server, ours: bool) -> Result<Vec<Case>> {
    greedy::prepare(server)?;
    let neighbour = Neighbour::start(server.port())?;
    let base = Figures::of(server)?;
    let mut cases = Vec::new();
    for Attack { name, who, run } in attack::ALL {
        if *who == Who::Everybody || ours {
            let result = run(server).and_then(|()| base.returned(server, SETTLE_TIME_MAX));
            cases.push(Case::of(*name, result.and(neighbour.undisturbed())));
        }
    }
    if ours {
        cases.push(Case::of("memory returns", base.memory_returned(server, KEPT_KIB_MAX, SETTLE_TIME_MAX)));
    }
    cases.push(Case::of("the neighbour's session lived all the time", neighbour.stop()));
    Ok(cases)
}

/// As many descriptors as the system allows this process: it holds thousands of connections.
fn raise_descriptor_limit() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(())
}
