//! A network of our own: every station a network namespace, every wire to be cut, slowed and made lossy in each direction.
//!
//! The packets are carried by `scripts/network.py` between TUN devices, because that works on kernels without `netem`. It takes root.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::{fs, process};

use anyhow::{Context, Result, ensure};

use super::member::Place;
use super::paths::{script, venv_program};

/// Where the kernel keeps named namespaces.
const NAMESPACES: &str = "/run/netns";
/// What the names of ours begin with; the process id follows.
const PREFIX: &str = "compat-";
/// The last part of this process's own address.
const HERE: u8 = 254;

/// Who sends or receives: a member by its number, or this process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Station {
    /// A member.
    Member(u64),
    /// The clients, which run in this process.
    Clients,
}

/// What becomes of packets in one direction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Wire {
    /// How long each takes, in milliseconds.
    pub delay_ms: u32,
    /// How many of a hundred are lost.
    pub loss_percent: u32,
}

impl Wire {
    /// Nothing comes through, and nobody is told.
    pub const CUT: Self = Self { delay_ms: 0, loss_percent: 100 };
}

/// A running network. Dropping it takes it away.
#[derive(Debug)]
pub struct Network {
    switch: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    namespaces: Vec<String>,
    /// The first three parts of all addresses.
    subnet: [u8; 3],
}

impl Network {
    /// Makes one with `members` stations and this process's own.
    ///
    /// # Errors
    /// When the machine does not permit it: it takes root and `/dev/net/tun`.
    pub fn new(members: u64) -> Result<Self> {
        remove_left_over()?;
        let id = process::id();
        let [_, _, high, low] = id.to_be_bytes();
        // Two runs side by side have different process ids, and so different networks.
        let subnet = [10, 64 | (high & 63), low];
        let namespaces: Vec<String> = (1..=members).map(|sid| format!("{PREFIX}{id}-{sid}")).collect();
        for namespace in &namespaces {
            ip(&["netns", "add", namespace])?;
        }
        let mut switch = Command::new(venv_program("python")?);
        switch.arg(script("network.py"));
        for (namespace, sid) in namespaces.iter().zip(1..) {
            switch.arg(format!("{namespace}={}", address(subnet, sid)));
        }
        switch.arg(format!("-={}", address(subnet, HERE)));
        let mut switch =
            switch.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("starting network.py")?;
        let commands = switch.stdin.take();
        let answers = BufReader::new(switch.stdout.take().expect("asked for a pipe"));
        let mut network = Self { switch, commands, answers, namespaces, subnet };
        network.acknowledged().context("the network did not start, which takes root and /dev/net/tun")?;
        Ok(network)
    }

    /// Where a member is to run.
    pub fn place(&self, sid: u64) -> Place {
        let index = usize::try_from(sid - 1).expect("few members");
        let namespace = self.namespaces.get(index).cloned();
        Place { host: IpAddr::V4(self.address(Station::Member(sid))), namespace }
    }

    /// Makes a wire what it says, in this direction only.
    ///
    /// # Errors
    /// When the network has ended.
    pub fn set(&mut self, from: Station, to: Station, wire: Wire) -> Result<()> {
        self.link(from, to, wire, None)
    }

    /// As [`Network::set`], but only for packets from or to a TCP port.
    ///
    /// # Errors
    /// When the network has ended.
    pub fn set_port(&mut self, from: Station, to: Station, wire: Wire, port: u16) -> Result<()> {
        self.link(from, to, wire, Some(port))
    }

    /// Cuts both directions.
    ///
    /// # Errors
    /// When the network has ended.
    pub fn cut(&mut self, one: Station, other: Station) -> Result<()> {
        self.set(one, other, Wire::CUT)?;
        self.set(other, one, Wire::CUT)
    }

    /// Every wire is perfect again.
    ///
    /// # Errors
    /// When the network has ended.
    pub fn heal(&mut self) -> Result<()> {
        self.command("heal\n")
    }

    fn link(&mut self, from: Station, to: Station, wire: Wire, port: Option<u16>) -> Result<()> {
        let Wire { delay_ms, loss_percent } = wire;
        let (from, to) = (self.address(from), self.address(to));
        let port = port.map_or_else(String::new, |port| format!(" {port}"));
        self.command(&format!("link {from} {to} {delay_ms} {loss_percent}{port}\n"))
    }

    /// Tells the switch, and waits until it has done it.
    fn command(&mut self, line: &str) -> Result<()> {
        let commands = self.commands.as_mut().context("the network has ended")?;
        commands.write_all(line.as_bytes())?;
        self.acknowledged()
    }

    fn acknowledged(&mut self) -> Result<()> {
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        ensure!(answer.trim_end() == "ok", "network.py answered `{}`", answer.trim_end());
        Ok(())
    }

    fn address(&self, station: Station) -> Ipv4Addr {
        let last = match station {
            Station::Member(sid) => u8::try_from(sid).expect("few members"),
            Station::Clients => HERE,
        };
        address(self.subnet, last)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // The end of its input ends the switch; its devices go with it.
        drop(self.commands.take());
        let _ = self.switch.wait();
        for namespace in &self.namespaces {
            // Whoever still runs in it keeps it; the name is gone in any case.
            let _ = ip(&["netns", "del", namespace]);
        }
    }
}

/// An address of the network.
fn address([first, second, third]: [u8; 3], last: u8) -> Ipv4Addr {
    Ipv4Addr::new(first, second, third, last)
}

/// Removes what runs that were killed left behind.
fn remove_left_over() -> Result<()> {
    let Ok(entries) = fs::read_dir(NAMESPACES) else { return Ok(()) };
    for entry in entries {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            ip(&["netns", "del", &name])?;
        }
    }
    Ok(())
}

/// Runs ip(8).
fn ip(arguments: &[&str]) -> Result<()> {
    let output =
        Command::new("ip").args(arguments).output().context("starting ip; run `cargo xtask setup`")?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip {}: {}", arguments.join(" "), error.trim());
    Ok(())
}
