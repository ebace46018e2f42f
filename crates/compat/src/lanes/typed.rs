//! A client program that is typed at line by line while it runs.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// Which of its two outputs is read; the other one goes nowhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reads {
    Stdout,
    Stderr,
}

/// The running program. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Typed {
    name: String,
    child: Child,
    stdin: ChildStdin,
    /// What it prints, in pieces.
    printed: Receiver<Vec<u8>>,
    /// What it has printed and nobody has taken yet.
    text: String,
}

impl Typed {
    /// Starts it.
    pub(crate) fn start(mut command: Command, reads: Reads) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        match reads {
            Reads::Stdout => command.stdout(Stdio::piped()),
            Reads::Stderr => command.stderr(Stdio::piped()),
        };
        let mut child =
            command.spawn().with_context(|| format!("starting {name}; run `cargo xtask setup`"))?;
        let stdin = child.stdin.take().expect("asked for a pipe");
        let pipe: Box<dyn Read + Send> = match reads {
            Reads::Stdout => Box::new(child.stdout.take().expect("asked for a pipe")),
            Reads::Stderr => Box::new(child.stderr.take().expect("asked for a pipe")),
        };
        Ok(Self { name, child, stdin, printed: pieces(pipe), text: String::new() })
    }

    /// Types one line.
    pub(crate) fn types(&mut self, line: &str) -> Result<()> {
        self.stdin
            .write_all(format!("{line}\n").as_bytes())
            .with_context(|| format!("typing to {}", self.name))
    }

    /// Waits until `wanted` is printed, and takes all that was printed up to there.
    ///
    /// # Errors
    /// When it does not come in time, or the program ends.
    pub(crate) fn expect(&mut self, wanted: &str, time_max: Duration) -> Result<String> {
        self.wait(time_max, |text| text.contains(wanted))
            .with_context(|| format!("waiting for {wanted:?}"))?;
        let at = self.text.find(wanted).expect("it is there now");
        let rest = self.text.split_off(at);
        Ok(std::mem::replace(&mut self.text, rest.split_at(wanted.len()).1.to_owned()))
    }

    /// Waits until all of these are printed, in any order, and takes all that was printed.
    ///
    /// # Errors
    /// As [`Typed::expect`].
    pub(crate) fn expect_all(&mut self, wanted: &[&str], time_max: Duration) -> Result<String> {
        self.wait(time_max, |text| wanted.iter().all(|one| text.contains(one)))
            .with_context(|| format!("waiting for {wanted:?}"))?;
        Ok(std::mem::take(&mut self.text))
    }

    /// The next line, or `None` when the program has closed its output.
    ///
    /// # Errors
    /// When none comes in time.
    pub(crate) fn line(&mut self, time_max: Duration) -> Result<Option<String>> {
        let deadline = Instant::now() + time_max;
        while !self.text.contains('\n') {
            if !self.read_more(deadline)? {
                return Ok(None);
            }
        }
        let (line, rest) = self.text.split_once('\n').expect("it is there now");
        let (line, rest) = (line.to_owned(), rest.to_owned());
        self.text = rest;
        Ok(Some(line))
    }

    /// Reads until the text that nobody has taken yet is as it should be.
    fn wait(&mut self, time_max: Duration, is_there: impl Fn(&str) -> bool) -> Result<()> {
        let deadline = Instant::now() + time_max;
        while !is_there(&self.text) {
            ensure!(self.read_more(deadline)?, "{} ended after {:?}", self.name, self.text);
        }
        Ok(())
    }

    /// Takes in one more piece, or finds that there will be none.
    fn read_more(&mut self, deadline: Instant) -> Result<bool> {
        match self.printed.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(piece) => {
                self.text.push_str(&String::from_utf8_lossy(&piece));
                Ok(true)
            }
            Err(RecvTimeoutError::Timeout) => bail!("in time {} has printed only {:?}", self.name, self.text),
            Err(RecvTimeoutError::Disconnected) => Ok(false),
        }
    }

    /// Waits until it has ended, in order.
    pub(crate) fn ends(mut self) -> Result<()> {
        let status = self.child.wait()?;
        ensure!(status.success(), "{} ended with {status}", self.name);
        Ok(())
    }
}

/// Reads a pipe to its end on a thread of its own.
fn pieces(mut pipe: Box<dyn Read + Send>) -> Receiver<Vec<u8>> {
    let (sender, printed) = channel();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            if sender.send(buffer.get(..count).unwrap_or_default().to_vec()).is_err() {
                break;
            }
        }
    });
    printed
}

impl Drop for Typed {
    fn drop(&mut self) {
        // After `ends` it is gone already and both do nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    #[test]
    fn lines_and_texts_are_taken_in_their_order() {
        let mut command = Command::new("sh");
        command.args(["-c", "read a; echo one $a; read b; echo two $b three"]);
        let mut typed = Typed::start(command, Reads::Stdout).unwrap();
        typed.types("A").unwrap();
        assert_eq!(typed.line(SOON).unwrap().unwrap(), "one A");
        typed.types("B").unwrap();
        assert_eq!(typed.expect("B ", SOON).unwrap(), "two ");
        assert_eq!(typed.line(SOON).unwrap().unwrap(), "three");
        assert_eq!(typed.line(SOON).unwrap(), None);
        typed.ends().unwrap();
    }
}
