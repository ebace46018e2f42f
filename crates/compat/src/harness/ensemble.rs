//! Several members with one list of servers.
//!
//! A [`Plan`] says who they are; [`Plan::make`] gives each its directories, ports and configuration, and starts nothing. Members are
//! then started, killed, paused, wiped and replaced one by one, by their numbers, and every wait is for a condition.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::member::{Kind, Member, Place, Role, Seat};
use super::target::Target;
use super::until::until;

/// How long members may take to agree and to serve. Several Java virtual machines start at once on a busy machine.
pub const SERVING_TIME_MAX: Duration = Duration::from_secs(60);

/// Who is to be in an ensemble, and what all members are configured with.
#[derive(Clone, Debug)]
pub struct Plan {
    seats: Vec<Seat>,
    cfg: Vec<(String, String)>,
    properties: Vec<(String, String)>,
}

impl Plan {
    /// Nobody yet. The clock ticks every half second, so that what takes ticks does not take long; the limits are wide enough for
    /// virtual machines that share two cores.
    pub fn new() -> Self {
        let defaults = [
            ("tickTime", "500"),
            ("initLimit", "40"),
            ("syncLimit", "8"),
            ("maxSessionTimeout", "60000"),
            ("maxClientCnxns", "0"),
            ("4lw.commands.whitelist", "*"),
            ("admin.enableServer", "false"),
        ];
        let cfg = defaults.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        Self { seats: Vec::new(), cfg, properties: Vec::new() }
    }

    /// One more member on the loopback address. Numbers are given from 1 on.
    #[must_use]
    pub fn member(self, target: Target, kind: Kind) -> Self {
        self.member_at(target, kind, Place::loopback())
    }

    /// One more member somewhere else.
    #[must_use]
    pub fn member_at(mut self, target: Target, kind: Kind, place: Place) -> Self {
        self.seats.push(Seat { target, kind, place, files: None });
        self
    }

    /// Sets one key of every `zoo.cfg`, in place of an earlier value.
    #[must_use]
    pub fn cfg(mut self, key: &str, value: impl ToString) -> Self {
        self.cfg.retain(|(known, _)| known != key);
        self.cfg.push((key.to_owned(), value.to_string()));
        self
    }

    /// Gives every member a Java system property, without its `-D`.
    #[must_use]
    pub fn property(mut self, key: &str, value: impl ToString) -> Self {
        self.properties.push((key.to_owned(), value.to_string()));
        self
    }

    /// The member named last keeps its data and logs below `dir`, which is the caller's.
    #[must_use]
    pub fn keeps_files_in(mut self, dir: impl Into<PathBuf>) -> Self {
        if let Some(seat) = self.seats.last_mut() {
            seat.files = Some(dir.into());
        }
        self
    }

    /// Gives everybody directories, ports and a configuration file.
    ///
    /// # Errors
    /// When files cannot be written or ports cannot be had.
    pub fn make(self) -> Result<Ensemble> {
        let temporary = tempfile::Builder::new().prefix("compat-ensemble-").tempdir()?;
        let mut members = BTreeMap::new();
        for (sid, seat) in (1..).zip(self.seats) {
            let dir = temporary.path().join(format!("member{sid}"));
            members.insert(sid, Member::new(sid, seat, dir, self.properties.clone())?);
        }
        let mut common: String = self.cfg.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
        common.extend(members.values().map(Member::line));
        for member in members.values() {
            member.write_cfg(&common)?;
        }
        Ok(Ensemble { members, temporary })
    }
}

impl Default for Plan {
    fn default() -> Self {
        Self::new()
    }
}

/// The members by their numbers. Dropping it kills those that run.
#[derive(Debug)]
pub struct Ensemble {
    members: BTreeMap<u64, Member>,
    /// Removed last.
    temporary: TempDir,
}

impl Ensemble {
    /// The numbers of all members.
    pub fn sids(&self) -> Vec<u64> {
        self.members.keys().copied().collect()
    }

    /// All members.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// One member.
    ///
    /// # Panics
    /// When there is none with this number.
    pub fn member(&self, sid: u64) -> &Member {
        self.members.get(&sid).expect("a lane asks for the members it planned")
    }

    /// One member, to do something to it.
    ///
    /// # Panics
    /// When there is none with this number.
    pub fn member_mut(&mut self, sid: u64) -> &mut Member {
        self.members.get_mut(&sid).expect("a lane asks for the members it planned")
    }

    /// Starts these members one after the other, without waiting for any.
    ///
    /// # Errors
    /// As [`Member::start`].
    pub fn start(&mut self, sids: &[u64]) -> Result<()> {
        sids.iter().try_for_each(|sid| self.member_mut(*sid).start())
    }

    /// Starts a voting pair, waits until the member with the larger number leads, and then starts all others: among members that know
    /// equally much the larger number wins, and whoever comes later joins.
    ///
    /// # Errors
    /// When somebody ends by itself, or another one leads.
    pub fn start_led_by(&mut self, leader: u64, partner: u64) -> Result<()> {
        self.start(&[partner, leader])?;
        self.serving(&[leader, partner])?;
        let found = self.leader()?;
        anyhow::ensure!(found == leader, "{} leads, not member {leader}", self.member(found));
        let others: Vec<u64> =
            self.sids().into_iter().filter(|sid| ![leader, partner].contains(sid)).collect();
        self.start(&others)?;
        self.serving(&others)
    }

    /// Waits until all these members serve, each in a role that fits its place.
    ///
    /// # Errors
    /// When somebody ends by itself, or it takes longer than a minute.
    pub fn serving(&mut self, sids: &[u64]) -> Result<()> {
        for sid in sids {
            let member = self.member_mut(*sid);
            let shown = format!("{member} to serve");
            until(&shown, SERVING_TIME_MAX, || {
                member.check_running()?;
                Ok(member.role())
            })
            .with_context(|| member.output_tail())?;
        }
        Ok(())
    }

    /// Waits until one of the running members says it leads, and gives its number.
    ///
    /// # Errors
    /// When somebody ends by itself, or it takes longer than a minute.
    pub fn leader(&mut self) -> Result<u64> {
        let members = &mut self.members;
        until("a leader", SERVING_TIME_MAX, || {
            members.values_mut().try_for_each(Member::check_running)?;
            let leader = members.values().find(|member| member.role() == Some(Role::Leader));
            Ok(leader.map(Member::sid))
        })
    }

    /// Waits until one running member leads and all other running ones follow or observe, and gives the leader's number.
    ///
    /// # Errors
    /// When somebody ends by itself, or it takes longer than a minute.
    pub fn settled(&mut self) -> Result<u64> {
        let members = &mut self.members;
        until("one leader that all others follow", SERVING_TIME_MAX, || {
            members.values_mut().try_for_each(Member::check_running)?;
            let running = members.values().filter(|member| member.pid().is_some());
            let roles: Vec<_> = running.map(|member| (member.sid(), member.role())).collect();
            let leaders: Vec<u64> =
                roles.iter().filter(|(_, role)| *role == Some(Role::Leader)).map(|(sid, _)| *sid).collect();
            let all = roles.iter().all(|(_, role)| role.is_some());
            Ok(leaders.first().copied().filter(|_| all && leaders.len() == 1))
        })
    }

    /// What stands in the logs of all members, each under its name.
    pub fn tails(&self) -> String {
        let tails = self.members.values().map(|member| format!("--- {member}\n{}\n", member.output_tail()));
        tails.collect()
    }

    /// Keeps the directories of all members when something went wrong, and says where they are.
    ///
    /// # Errors
    /// The one it is given.
    pub fn keep_on_failure<T>(&mut self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            self.temporary.disable_cleanup(true);
        }
        result.with_context(|| {
            format!("the members' directories are kept in {}", self.temporary.path().display())
        })
    }
}
