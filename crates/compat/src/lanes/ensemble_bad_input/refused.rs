//! Members that must not start: their number, their list of servers or their files contradict each other.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::harness::{Ensemble, Kind, Member, Plan, Target};
use crate::lanes::Case;

/// How long a member may take to see that it cannot start. A virtual machine needs some of it.
const REFUSAL_TIME_MAX: Duration = Duration::from_secs(40);
/// How long a member with a wrong list is looked at.
const LOOK: Duration = Duration::from_secs(4);
/// What a configuration that cannot be used ends with. Source: `ExitCode.INVALID_INVOCATION`.
const INVALID: i32 = 2;

/// A way to be wrong.
struct Wrong {
    name: &'static str,
    /// What is done to member 1 before it starts.
    spoil: fn(&Member) -> Result<()>,
    /// The exit code, where Apache's tells an operator something.
    code: Option<i32>,
    /// Words that our message has to have: the cause by its name.
    words: &'static [&'static str],
}

const ALL: &[Wrong] = &[
    Wrong { name: "no myid", spoil: no_myid, code: Some(INVALID), words: &["myid"] },
    Wrong { name: "a myid that is no number", spoil: strange_myid, code: Some(INVALID), words: &["myid"] },
    Wrong {
        name: "a myid that no line of the list has",
        spoil: unlisted_myid,
        code: None,
        words: &["7", "server.7"],
    },
    Wrong { name: "a line that is none", spoil: broken_line, code: Some(INVALID), words: &["server.2"] },
    Wrong { name: "no initLimit", spoil: no_init_limit, code: Some(INVALID), words: &["initLimit"] },
    Wrong {
        name: "acceptedEpoch below currentEpoch",
        spoil: epochs_disagree,
        code: None,
        words: &["accepted epoch, 3", "current epoch, 5"],
    },
    Wrong {
        name: "a currentEpoch that is no number",
        spoil: strange_epoch,
        code: None,
        words: &["currentEpoch"],
    },
];

/// Each way with a member of its own, and a log from elsewhere.
pub(super) fn run(target: &Target) -> Vec<Case> {
    let mut cases: Vec<Case> = ALL.iter().map(|wrong| Case::of(wrong.name, refuses(target, wrong))).collect();
    cases.push(Case::of("the logs of another ensemble", foreign_log(target)));
    cases.push(Case::of("a list without one member", differing_lists(target)));
    cases
}

fn refuses(target: &Target, wrong: &Wrong) -> Result<()> {
    let plan = (0..3).fold(Plan::new(), |plan, _| plan.member(target.clone(), Kind::Voter));
    let mut ensemble = plan.make()?;
    (wrong.spoil)(ensemble.member(1))?;
    held_to(&mut ensemble, target, wrong.code, wrong.words)
}

/// Starts member 1, and holds its refusal against what it should be.
fn held_to(ensemble: &mut Ensemble, target: &Target, code: Option<i32>, words: &[&str]) -> Result<()> {
    let member = ensemble.member_mut(1);
    member.start()?;
    let status = member.ended(REFUSAL_TIME_MAX).with_context(|| member.output_tail())?;
    let output = member.output();
    ensure!(!status.success(), "it ended with 0:\n{output}");
    if let Some(code) = code {
        ensure!(status.code() == Some(code), "it ended with {status}, not {code}:\n{output}");
    }
    if *target == Target::Oxkeeper {
        for word in words {
            ensure!(output.contains(word), "the message does not say `{word}`:\n{output}");
        }
    }
    Ok(())
}

fn no_myid(member: &Member) -> Result<()> {
    Ok(fs::remove_file(member.data_dir().join("myid"))?)
}

fn strange_myid(member: &Member) -> Result<()> {
    Ok(fs::write(member.data_dir().join("myid"), "one\n")?)
}

fn unlisted_myid(member: &Member) -> Result<()> {
    Ok(fs::write(member.data_dir().join("myid"), "7\n")?)
}

/// Changes lines of the configuration.
fn change_cfg(member: &Member, change: impl Fn(&str) -> String) -> Result<()> {
    let text = fs::read_to_string(member.cfg_file())?;
    let lines: Vec<String> = text.lines().map(change).collect();
    Ok(fs::write(member.cfg_file(), lines.join("\n") + "\n")?)
}

fn broken_line(member: &Member) -> Result<()> {
    change_cfg(member, |line| match line.starts_with("server.2=") {
        true => "server.2=127.0.0.1".to_owned(),
        false => line.to_owned(),
    })
}

fn no_init_limit(member: &Member) -> Result<()> {
    change_cfg(member, |line| match line.starts_with("initLimit=") {
        true => String::new(),
        false => line.to_owned(),
    })
}

/// Writes the files of epochs.
fn epochs(member: &Member, accepted: &str, current: &str) -> Result<()> {
    let dir = member.data_dir().join("version-2");
    fs::create_dir_all(&dir)?;
    fs::write(dir.join("acceptedEpoch"), accepted)?;
    Ok(fs::write(dir.join("currentEpoch"), current)?)
}

fn epochs_disagree(member: &Member) -> Result<()> {
    epochs(member, "3", "5")
}

fn strange_epoch(member: &Member) -> Result<()> {
    epochs(member, "five", "five")
}

/// The transactions say an epoch that the member's own files have never seen.
fn foreign_log(target: &Target) -> Result<()> {
    let plan = (0..3).fold(Plan::new(), |plan, _| plan.member(target.clone(), Kind::Voter));
    let mut ensemble = plan.make()?;
    let made = ensemble.start_led_by(3, 2).and_then(|()| {
        for sid in ensemble.sids() {
            ensemble.member_mut(sid).stop()?;
        }
        // A second epoch, so that the log of the first does not hide what is missing.
        epochs(ensemble.member(1), "0", "0")
    });
    ensemble.keep_on_failure(made)?;
    held_to(&mut ensemble, target, None, &["current epoch, 0"])
}

/// Member 1 has a list without member 3, which leads: the others go on, and it does not serve.
fn differing_lists(target: &Target) -> Result<()> {
    let plan = (0..3).fold(Plan::new(), |plan, _| plan.member(target.clone(), Kind::Voter));
    let mut ensemble = plan.make()?;
    change_cfg(ensemble.member(1), |line| match line.starts_with("server.3=") {
        true => String::new(),
        false => line.to_owned(),
    })?;
    let kept = ensemble.start(&[2, 3]).and_then(|()| ensemble.serving(&[2, 3])).and_then(|()| {
        let before = ensemble.leader()?;
        ensemble.start(&[1])?;
        let end = Instant::now() + LOOK;
        while Instant::now() < end {
            let role = ensemble.member(1).role();
            ensure!(role.is_none(), "member 1 serves as {role:?} although its list lacks the leader");
            let roles = [2, 3].map(|sid| ensemble.member(sid).role());
            ensure!(roles.iter().all(Option::is_some), "members 2 and 3 are disturbed: {roles:?}");
        }
        let now = ensemble.leader()?;
        ensure!(now == before, "member {before} led before, now {now}");
        Ok(())
    });
    ensemble.keep_on_failure(kept)
}
