//! The C client's shell, `cli_mt` of Debian's `zookeeper-bin`, with one script on Apache and on the target.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Case;
use super::mapping::{mask_after, name_hex, sort_runs};
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
            "wget /watched",
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
    let (apache, ours) = (start(&Target::apache())?, start(target)?);
    let mut cases = Vec::new();
    for (name, commands) in SESSIONS {
        let wanted = session(&apache, commands).with_context(|| format!("{name} on Apache"))?;
        cases.push(match session(&ours, commands) {
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
fn session(server: &Server, commands: &[&str]) -> Result<String> {
    let mut shell = Shell::start(server)?;
    // The first marker comes back only over an open session.
    shell.command("")?;
    let mut printed = String::new();
    for command in commands {
        let answer = shell.command(command)?;
        printed.push_str(&format!("> {command}\n{}", plain(&answer)));
    }
    shell.quit()?;
    Ok(name_hex(&printed))
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

/// A running `cli_mt`.
struct Shell {
    child: Child,
    stdin: ChildStdin,
    /// What both of its outputs print, in pieces.
    printed: Receiver<Vec<u8>>,
    markers: u32,
}

impl Shell {
    /// Starts it.
    fn start(server: &Server) -> Result<Self> {
        let mut command = Command::new(PROGRAM);
        command.arg(server.address()).current_dir(server.dir());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child =
            command.spawn().with_context(|| format!("starting {PROGRAM}; run `cargo xtask setup`"))?;
        let stdin = child.stdin.take().expect("asked for a pipe");
        let mut pipe = child.stderr.take().expect("asked for a pipe");
        let (sender, printed) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                if sender.send(buffer.get(..count).unwrap_or_default().to_vec()).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, stdin, printed, markers: 0 })
    }

    /// Types one command and gives what was printed for it.
    ///
    /// Everything here is asynchronous. So a deletion of a znode that does not exist follows, whose completion prints one line: replies
    /// come in order, and when that line is there, so is all before it.
    fn command(&mut self, command: &str) -> Result<String> {
        self.markers += 1;
        let marker = format!("/marker-{}-end", self.markers);
        let typed = if command.is_empty() { String::new() } else { format!("{command}\n") };
        self.stdin.write_all(format!("{typed}adelete {marker}\n").as_bytes())?;
        let wanted = format!("{marker}: rc = -101");
        let mut text = String::new();
        let deadline = Instant::now() + COMMAND_TIME_MAX;
        loop {
            if let Some(at) = text.find(&wanted) {
                text.truncate(at);
                return Ok(text);
            }
            match self.printed.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(piece) => text.push_str(&String::from_utf8_lossy(&piece)),
                Err(RecvTimeoutError::Timeout) => bail!("no answer to `{command}`, only {text:?}"),
                Err(RecvTimeoutError::Disconnected) => bail!("cli_mt ended at `{command}` after {text:?}"),
            }
        }
    }

    /// Ends it in order.
    fn quit(mut self) -> Result<()> {
        self.stdin.write_all(b"quit\n")?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // After `quit` it is gone already and both do nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
