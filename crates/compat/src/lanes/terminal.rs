//! Our shell at a terminal, typed at as a person types: completion, history, events in the middle of a line, Ctrl-C.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::Case;
use crate::harness::{Server, Spec, Target, cli_binary};

/// How long anything may take to appear.
const APPEARS: Duration = Duration::from_secs(20);

const TAB: &str = "\t";
const ENTER: &str = "\r";
const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";
const CTRL_R: &str = "\x12";

/// Types everything.
pub(crate) fn run(server: &Server) -> Result<Vec<Case>> {
    let dir = tempfile::Builder::new().prefix("terminal-").tempdir()?;
    let history = dir.path().join("history");
    Ok(vec![
        Case::of("at a terminal: completion", completion(server, &history)),
        Case::of("at a terminal: an event while typing", event_while_typing(server, &history)),
        Case::of("at a terminal: Ctrl-C and a mistake", interrupts(server, &history)),
        Case::of("at a terminal: quoted lines and history", history_over_sessions(server, &history)),
        Case::of("at a terminal: another server", reconnect(server, &history)),
        Case::of("at a terminal: a server that dies and comes back", restart(server.target(), &history)),
    ])
}

/// Commands, options and paths that are there.
fn completion(server: &Server, history: &Path) -> Result<()> {
    let mut shell = Terminal::start(server, history)?;
    shell.enter("create /terminal-one data")?;
    shell.expect("Created /terminal-one")?;
    shell.expect("1] ")?;
    shell.types("sta")?;
    shell.types(TAB)?;
    shell.expect("stat ")?;
    shell.types("/termi")?;
    shell.types(TAB)?;
    shell.expect("/terminal-one")?;
    shell.enter("")?;
    shell.expect("numChildren = 0")?;
    shell.expect("2] ")?;
    shell.types("get -")?;
    shell.types(TAB)?;
    shell.types(TAB)?;
    shell.expect("-s")?;
    shell.expect("-x")?;
    shell.expect("get -")?;
    shell.types(CTRL_C)?;
    shell.expect("\n")?;
    shell.expect("2] ")?;
    shell.enter("delete /terminal-one")?;
    shell.expect("3] ")?;
    shell.leave()
}

/// The event stands above the line, and the line is still there to be finished.
fn event_while_typing(server: &Server, history: &Path) -> Result<()> {
    let mut shell = Terminal::start(server, history)?;
    shell.enter("create /event one")?;
    shell.expect("1] ")?;
    shell.enter("get -w /event")?;
    shell.expect("2] ")?;
    shell.types("set /ev")?;
    shell.expect("set /ev")?;
    let changed =
        Command::new(cli_binary()?).args(["-server", &server.address(), "set", "/event", "two"]).output()?;
    ensure!(changed.status.success(), "{}", String::from_utf8_lossy(&changed.stderr));
    shell.expect("WatchedEvent state:SyncConnected type:NodeDataChanged path:/event")?;
    // The prompt and the half-typed line come again below it.
    shell.expect("2] ")?;
    shell.expect("set /ev")?;
    shell.enter("ent three")?;
    shell.expect("3] ")?;
    shell.enter("get /event")?;
    shell.expect("three")?;
    shell.enter("delete /event")?;
    shell.expect("5] ")?;
    shell.leave()
}

/// Ctrl-C drops a line or ends a command that waits, and neither it nor what ends the original ends the shell.
fn interrupts(server: &Server, history: &Path) -> Result<()> {
    let mut shell = Terminal::start(server, history)?;
    shell.drops("delete /not/this")?;
    shell.expect("0] ")?;
    shell.enter("set -v abc /a x")?;
    shell.expect("NumberFormatException")?;
    shell.expect("1] ")?;
    shell.enter("watch /")?;
    shell.expect("Watching / and below")?;
    let made =
        Command::new(cli_binary()?).args(["-server", &server.address(), "create", "/interrupts"]).output()?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    shell.expect("NodeCreated /interrupts zxid")?;
    shell.types(CTRL_C)?;
    shell.expect("2] ")?;
    shell.enter("delete /interrupts")?;
    shell.expect("3] ")?;
    shell.leave()
}

/// A word over two lines; the history is kept, searched, and holds no secrets.
fn history_over_sessions(server: &Server, history: &Path) -> Result<()> {
    let mut shell = Terminal::start(server, history)?;
    shell.enter("create /quoted 'one")?;
    shell.enter("two'")?;
    shell.expect("Created /quoted")?;
    shell.expect("1] ")?;
    shell.enter("get /quoted")?;
    shell.expect("one\r\ntwo")?;
    shell.expect("2] ")?;
    shell.enter("addauth digest terminal:secret")?;
    shell.expect("3] ")?;
    shell.leave()?;
    ensure!(!fs::read_to_string(history)?.contains("secret"), "a password is in the history");

    let mut shell = Terminal::start(server, history)?;
    shell.types(CTRL_R)?;
    shell.types("get /quo")?;
    shell.expect("get /quoted")?;
    shell.enter("")?;
    shell.expect("one\r\ntwo")?;
    shell.expect("1] ")?;
    shell.enter("delete /quoted")?;
    shell.expect("2] ")?;
    shell.leave()
}

/// The prompt says how the session stands.
fn reconnect(server: &Server, history: &Path) -> Result<()> {
    let mut shell = Terminal::start(server, history)?;
    shell.enter("connect 127.0.0.1:1")?;
    shell.expect("state:Closed")?;
    shell.expect("(CONNECTING) 1] ")?;
    shell.enter("ls /")?;
    shell.expect("KeeperErrorCode = ConnectionLoss for /")?;
    shell.expect("2] ")?;
    shell.enter(&format!("connect {}", server.address()))?;
    shell.expect("state:SyncConnected")?;
    shell.enter("ls /")?;
    shell.expect("zookeeper")?;
    shell.expect("4] ")?;
    shell.leave()
}

/// The session goes on with its watches and ephemeral znodes when the server is there again.
fn restart(target: &Target, history: &Path) -> Result<()> {
    let mut server = Spec::new(target.clone()).start()?;
    let mut shell = Terminal::start(&server, history)?;
    shell.enter("create -e /mine")?;
    shell.expect("1] ")?;
    shell.enter("get -w /mine")?;
    shell.expect("2] ")?;
    server.kill9()?;
    shell.expect("state:Disconnected")?;
    shell.enter("ls /")?;
    shell.expect("KeeperErrorCode = ConnectionLoss for /")?;
    shell.expect("3] ")?;
    server.restart()?;
    shell.expect("state:SyncConnected")?;
    shell.enter("set /mine again")?;
    shell.expect("type:NodeDataChanged path:/mine")?;
    shell.enter("getEphemerals")?;
    shell.expect("[/mine]")?;
    shell.expect("5] ")?;
    shell.leave()
}

/// A shell on a pseudo-terminal.
struct Terminal {
    child: Child,
    keys: File,
    shown: Receiver<Vec<u8>>,
    /// What was shown and has not been looked at yet, without the codes for colours and the cursor.
    screen: String,
    /// Bytes of a code or letter that is not complete.
    rest: Vec<u8>,
}

impl Terminal {
    /// Starts a shell and waits for its session and its prompt.
    fn start(server: &Server, history: &Path) -> Result<Self> {
        let main = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).context("opening a pseudo-terminal")?;
        grantpt(&main)?;
        unlockpt(&main)?;
        let size = Winsize { ws_row: 50, ws_col: 160, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&main, size)?;
        let name = ptsname(&main, Vec::new())?;
        let side = OpenOptions::new().read(true).write(true).open(name.to_str()?)?;
        // The program needs the terminal as its own, so that Ctrl-C reaches it.
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait"]).arg(cli_binary()?).args(["-server", &server.address()]);
        command.env("OXKEEPER_CLI_HISTORY", history).env("TERM", "xterm");
        command.stdin(side.try_clone()?).stdout(side.try_clone()?).stderr(Stdio::from(side));
        let child = command.spawn().context("starting setsid")?;
        drop(command);
        let main = File::from(main);
        let mut reader = main.try_clone()?;
        let (sender, shown) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer.get(..count).unwrap_or_default().to_vec()).is_err() {
                    break;
                }
            }
        });
        let mut shell = Self { child, keys: main, shown, screen: String::new(), rest: Vec::new() };
        // The prompt comes behind this event, or once more behind it.
        shell.expect("state:SyncConnected")?;
        shell.expect("0] ")?;
        Ok(shell)
    }

    fn types(&mut self, keys: &str) -> Result<()> {
        self.keys.write_all(keys.as_bytes()).context("typing")
    }

    fn enter(&mut self, line: &str) -> Result<()> {
        self.types(line)?;
        self.types(ENTER)
    }

    /// Types a line and drops it, and waits until it stands there no more.
    fn drops(&mut self, line: &str) -> Result<()> {
        self.types(line)?;
        self.expect(line)?;
        self.types(CTRL_C)?;
        self.expect("\n")
    }

    /// Waits until `text` is shown behind all that was expected before.
    fn expect(&mut self, text: &str) -> Result<()> {
        let deadline = Instant::now() + APPEARS;
        loop {
            if let Some(at) = self.screen.find(text) {
                self.screen.drain(..at + text.len());
                return Ok(());
            }
            match self.shown.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => {
                    self.rest.extend(bytes);
                    self.screen.push_str(&plain(&mut self.rest));
                }
                Err(RecvTimeoutError::Timeout) => bail!("{text:?} did not appear, only {:?}", self.screen),
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("the shell ended before {text:?}: {:?}", self.screen)
                }
            }
        }
    }

    /// Ctrl-D on an empty line ends the session and the shell, in order. The prompt has to be there: a Ctrl-D before it is lost.
    fn leave(mut self) -> Result<()> {
        self.types(CTRL_D)?;
        self.expect("state:Closed")?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the shell ended with {status}");
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // After `leave` it is gone already and both do nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Takes what is complete off `bytes`, without the codes that begin with ESC.
fn plain(bytes: &mut Vec<u8>) -> String {
    let mut text = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte != 0x1b {
            text.push(byte);
            at += 1;
            continue;
        }
        let Some(code) = bytes.get(at + 1) else { break };
        let length = match code {
            b'[' => bytes[at + 2..].iter().position(|byte| (0x40..0x7f).contains(byte)).map(|end| end + 3),
            _ => Some(2),
        };
        let Some(length) = length else { break };
        at += length;
    }
    bytes.drain(..at);
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_taken_out_even_in_pieces() {
        let mut bytes = b"\x1b[32ma\x1b[0m b\x1b[".to_vec();
        assert_eq!(plain(&mut bytes), "a b");
        bytes.extend(b"2Kc\x1b7d");
        assert_eq!(plain(&mut bytes), "cd");
        assert!(bytes.is_empty());
    }
}
