//! The C client's shell, `cli_mt` of Debian's `zookeeper-bin`, with one script on Apache and on the target.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::Case;
use super::door::Door;
use super::mapping::{mask_after, name_hex, sort_runs};
use super::typed::{Reads, Typed};
use crate::harness::{Server, Spec, Target};

/// Where Debian puts it.
const PROGRAM: &str = "/usr/lib/zookeeper/bin/cli_mt";
/// How long one command may take.
const COMMAND_TIME_MAX: Duration = Duration::from_secs(15);

/// What is typed, one session per name.
const SESSIONS: [(&str, &[&str]); 6] = [
    (
        "create, get, set, delete",
        &[
            "create /c",
            "get /c",
            "set /c abc",
            "get /c",
            "exists /c",
            "ls /",
            "delete /c",
            "get /c",
            "delete /c",
        ],
    ),
    (
        "every kind of create",
        &[
            "create +e /eph",
            "create +s /seq-",
            "create +s /seq-",
            "create +es /es-",
            "create2 /two",
            "create +c /container",
            "create2 +c /container2",
            "create +t=60000 /ttl",
            "create /eph/child",
            "create /two",
            "ls2 /",
            "exists /eph",
            "ls /eph",
        ],
    ),
    (
        "watches",
        &[
            "create /watched",
            "wexists /watched",
            "set /watched one",
            "wexists /absent",
            "create /absent",
            "get /watched",
            "delete /watched",
            "wexists /absent",
            "delete /absent",
        ],
    ),
    (
        "errors",
        &[
            "create /a/b",
            "set /nothing x",
            "ls /nothing",
            "ls2 /nothing",
            "sync /nothing",
            "get relative",
            "create /zookeeper",
            "delete /zookeeper/config",
            "config",
        ],
    ),
    (
        "asynchronous calls",
        &[
            "create /async",
            "aget /async",
            "aset /async data",
            "aexists /async",
            "als /",
            "als2 /async",
            "adelete /async",
            "aget /async",
        ],
    ),
    ("authentication", &["addauth digest user:secret", "create /mine", "get /mine", "get /mine", "ls /"]),
];

/// Runs every session on both servers.
pub(crate) fn run(target: &Target) -> Result<Vec<Case>> {
    let servers = (start(&Target::apache())?, start(target)?);
    compare("", &Door::of(&servers.0), &Door::of(&servers.1))
}

/// Runs every session through both doors and compares what was printed.
///
/// * `place`: what stands before the names of the cases.
pub(crate) fn compare(place: &str, apache: &Door, ours: &Door) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (name, commands) in SESSIONS {
        let name = format!("{place}{name}");
        let wanted = session(apache, commands).with_context(|| format!("{name} on Apache"))?;
        cases.push(match session(ours, commands) {
            Ok(got) => Case::equal(name, &wanted, &got),
            Err(error) => Case::of(name, Err(error)),
        });
    }
    Ok(cases)
}

/// Starts a server that knows TTL znodes.
fn start(target: &Target) -> Result<Server> {
    Spec::new(target.clone()).property("zookeeper.extendedTypesEnabled", "true").start()
}

/// Types commands one by one and gives what was printed, with times and ids taken out.
fn session(door: &Door, commands: &[&str]) -> Result<String> {
    let mut shell = Shell::start(door)?;
    // The first marker comes back only over an open session, and the sync shows what the session before left at another member.
    shell.command("sync /")?;
    let mut printed = String::new();
    for command in commands {
        let answer = shell.command(command)?;
        printed.push_str(&format!("> {command}\n{}", plain(&answer)));
    }
    shell.quit()?;
    // It prints zxids without the sign of hexadecimal numbers.
    Ok(name_hex(&door.plain(&printed).replace("zxid=", "zxid=0x")))
}

/// Takes out what belongs to the moment. The library's log lines name its own thread and time, never an answer.
fn plain(answer: &str) -> String {
    let of_the_moment = |line: &&str| line.contains(":ZOO_") || line.starts_with("time = ");
    let lines = answer.lines().filter(|line| !of_the_moment(line) && !line.trim().is_empty());
    let text = lines.map(|line| format!("{line}\n")).collect::<String>();
    let text = sort_runs(&text, |line| line.starts_with('\t') && !line.contains('='));
    ["ctime = ", "mtime=", "mtime = ", "ctime="]
        .iter()
        .fold(text, |text, label| mask_after(&text, label, &['\t']))
}

/// The command line of `cli_mt`.
pub(crate) fn command(door: &Door) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg(door.address()).current_dir(door.dir());
    command
}

/// A running `cli_mt`.
struct Shell {
    typed: Typed,
    markers: u32,
}

impl Shell {
    /// Starts it.
    fn start(door: &Door) -> Result<Self> {
        Ok(Self { typed: Typed::start(command(door), Reads::Stderr)?, markers: 0 })
    }

    /// Types one command and gives what was printed for it.
    ///
    /// Everything here is asynchronous. So a deletion of a znode that does not exist follows, whose completion prints one line: replies
    /// come in order, and when that line is there, so is all before it.
    fn command(&mut self, command: &str) -> Result<String> {
        self.markers += 1;
        let marker = format!("/marker-{}-end", self.markers);
        self.typed.types(&format!("{command}\nadelete {marker}"))?;
        let printed = self.typed.expect(&format!("{marker}: rc = -101"), COMMAND_TIME_MAX);
        printed.with_context(|| format!("no answer to `{command}`"))
    }

    /// Ends it in order.
    fn quit(mut self) -> Result<()> {
        self.typed.types("quit")?;
        self.typed.ends()
    }
}
