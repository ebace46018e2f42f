//! kazoo at every member: `scripts/members.py` on both ensembles at once, its transcripts compared story by story.

use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::harness::{Ensemble, script, venv_program};
use crate::lanes::Case;
use crate::lanes::typed::{Reads, Typed};

/// How long the script may print nothing; it gives up by itself before.
const SILENCE_MAX: Duration = Duration::from_secs(150);

/// What stands in a transcript where a story broke off.
const BROKEN: &str = "Traceback";

/// Runs the script on both and compares.
pub(super) fn compare(apache: &mut Ensemble, ours: &mut Ensemble) -> Result<Vec<Case>> {
    let (wanted, got) = thread::scope(|scope| {
        let wanted = scope.spawn(|| transcript(apache));
        let got = transcript(ours);
        (wanted.join().expect("a conversation does not panic"), got)
    });
    let wanted = wanted.context("kazoo's stories on Apache")?;
    ensure!(!wanted.contains(BROKEN), "kazoo's stories on Apache:\n{wanted}");
    let got = got.context("kazoo's stories")?;
    let mut told = stories(&got);
    let cases = stories(&wanted).map(|(name, wanted)| {
        let got = told.next().filter(|(found, _)| *found == name).map_or("", |(_, text)| text);
        Case::equal(format!("kazoo at all members: {name}"), wanted, got)
    });
    Ok(cases.collect())
}

/// The stories by name.
fn stories(transcript: &str) -> impl Iterator<Item = (&str, &str)> {
    transcript.split("== ").skip(1).filter_map(|part| part.split_once('\n'))
}

/// Talks to the script until it ends: it prints, and it has members killed and started.
fn transcript(ensemble: &mut Ensemble) -> Result<String> {
    let mut python = Command::new(venv_program("python")?);
    python.arg(script("members.py"));
    python.args(ensemble.members().map(|member| format!("{}={}", member.sid(), member.client_address())));
    let mut typed = Typed::start(python, Reads::Stdout)?;
    let mut transcript = String::new();
    while let Some(line) = typed.line(SILENCE_MAX).with_context(|| transcript.clone())? {
        transcript.push_str(&line);
        transcript.push('\n');
        match line.split_once(' ') {
            Some(("kill", sid)) => ensemble.member_mut(sid.parse()?).kill9()?,
            Some(("start", sid)) => {
                let sid = sid.parse()?;
                ensemble.start(&[sid])?;
                ensemble.serving(&[sid])?;
            }
            _ => continue,
        }
        typed.types("ok")?;
    }
    if let Err(error) = typed.ends() {
        bail!("{transcript}{error:#}");
    }
    Ok(transcript)
}
