//! Members of one ensemble on this machine, each with its directory, `myid` and three ports.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::compare::server::{Kind, Server, empty_dir, free_addresses};
use crate::measure::Target;
use crate::workload::Via;

/// The longest an ensemble may be without a leader.
const ELECTION_PATIENCE: Duration = Duration::from_secs(120);
/// How often members are asked who leads.
const ELECTION_STEP: Duration = Duration::from_millis(20);
/// A member that says nothing about itself for this long is asked again.
const ANSWER_PATIENCE: Duration = Duration::from_secs(1);

/// Voters first, then those observers that have been started.
pub(crate) struct Ensemble {
    members: Vec<Server>,
    voters: usize,
    kinds: Vec<Kind>,
    places: Vec<Place>,
    /// The `server.N` lines that all share.
    lines: String,
}

/// Where a member lives.
#[derive(Clone)]
struct Place {
    dir: PathBuf,
    client: SocketAddr,
    observes: bool,
}

impl Ensemble {
    /// Starts the voters on empty directories below `root` and waits until all serve.
    ///
    /// `observers` more members of the last kind are listed in every configuration, to be started later.
    pub(crate) fn start(voters: &[Kind], observers: usize, root: &Path) -> Result<Self> {
        let last = voters.last().context("an ensemble has members")?;
        let mut kinds = voters.to_vec();
        kinds.resize(voters.len() + observers, last.clone());
        let mut ensemble = Self {
            members: Vec::new(),
            voters: voters.len(),
            kinds,
            places: Vec::new(),
            // A million znodes take a Java follower longer than the usual ten ticks.
            lines: "initLimit=60\nsyncLimit=5\n".to_owned(),
        };
        let ports = free_addresses(3 * ensemble.kinds.len())?;
        for (sid, ports) in (1..).zip(ports.chunks_exact(3)) {
            let observes = sid > voters.len();
            let dir = empty_dir(root.join(sid.to_string()))?;
            fs::create_dir_all(dir.join("data"))?;
            let (client, quorum, election) = (ports[0], ports[1], ports[2].port());
            let role = if observes { ":observer" } else { "" };
            ensemble.lines += &format!("server.{sid}={quorum}:{election}{role}\n");
            ensemble.places.push(Place { dir, client, observes });
        }
        for _ in voters {
            ensemble.begin_next()?;
        }
        ensemble.members.iter_mut().try_for_each(|member| member.first_reply("/"))?;
        Ok(ensemble)
    }

    /// Starts the next member of the list.
    fn begin_next(&mut self) -> Result<()> {
        let index = self.members.len();
        let (Place { dir, client, observes }, kind) = (self.places[index].clone(), &self.kinds[index]);
        fs::write(dir.join("data").join("myid"), format!("{}\n", index + 1))?;
        let role = if observes { "peerType=observer\n" } else { "" };
        let more = format!("{}{role}", self.lines);
        self.members.push(Server::begin(kind, dir, client, &more)?);
        Ok(())
    }

    /// Brings the number of running observers to `count` and waits until all serve.
    pub(crate) fn observe(&mut self, count: usize) -> Result<()> {
        let running = self.members.len();
        while self.members.len() < self.voters + count {
            self.begin_next()?;
        }
        self.members[running..].iter_mut().try_for_each(|member| member.first_reply("/"))
    }

    /// The leader and the others of the voters, as soon as there is one and every other follows.
    pub(crate) fn leader_and_followers(&self) -> Result<(usize, Vec<usize>)> {
        let deadline = Instant::now() + ELECTION_PATIENCE;
        loop {
            let voters = self.members[..self.voters].iter();
            let modes: Vec<_> = voters.map(|member| mode(member.addr).unwrap_or_default()).collect();
            let followers: Vec<_> = (0..self.voters).filter(|&index| modes[index] == "follower").collect();
            if let Some(leader) = modes.iter().position(|mode| mode == "leader")
                && followers.len() + 1 == self.voters
            {
                return Ok((leader, followers));
            }
            ensure!(Instant::now() < deadline, "no leader with two followers: {modes:?}");
            std::thread::sleep(ELECTION_STEP);
        }
    }

    /// The member that leads.
    pub(crate) fn leader(&self) -> Result<&Server> {
        Ok(&self.members[self.leader_and_followers()?.0])
    }

    /// A member by its place in the list.
    pub(crate) fn member(&mut self, index: usize) -> &mut Server {
        &mut self.members[index]
    }

    /// All running members.
    pub(crate) fn members(&self) -> &[Server] {
        &self.members
    }

    /// The ensemble as what a load goes to: clients on voters, CPU of all.
    pub(crate) fn target(&self, via: Via) -> Result<Target> {
        let (leader, followers) = self.leader_and_followers()?;
        let chosen = match via {
            Via::All => (0..self.voters).collect(),
            Via::Leader => vec![leader],
            Via::Follower => followers[..1].to_vec(),
        };
        Ok(Target {
            addrs: chosen.into_iter().map(|index| self.members[index].addr).collect(),
            pids: self.members.iter().map(Server::pid).collect(),
        })
    }
}

/// What a member says it is: `leader`, `follower`, `observer`. Source: the word `srvr`.
fn mode(addr: SocketAddr) -> Result<String> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(ANSWER_PATIENCE))?;
    stream.write_all(b"srvr")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let mode = text.lines().find_map(|line| line.strip_prefix("Mode: "));
    Ok(mode.context("not serving")?.to_owned())
}
