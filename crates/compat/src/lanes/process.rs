//! Running a client program with a script on its standard input, never longer than it may take.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Time between two looks at a running program.
const POLL: Duration = Duration::from_millis(10);

/// What a program printed and how it ended.
#[derive(Debug)]
pub(crate) struct Output {
    /// The exit code; -1 for a signal.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `command` with `input` on its standard input until it ends.
///
/// # Errors
/// When it cannot be started, or is still running after `time_max` (then it has been killed).
pub(crate) fn run(command: &mut Command, input: &str, time_max: Duration) -> Result<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("starting {name}"))?;
    let mut stdin = child.stdin.take().expect("asked for a pipe");
    let input = input.to_owned();
    // A program that ends early closes the pipe; its output tells why.
    let writer = thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let stdout = read_all(child.stdout.take().expect("asked for a pipe"));
    let stderr = read_all(child.stderr.take().expect("asked for a pipe"));
    let deadline = Instant::now() + time_max;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            let (stdout, stderr) = (stdout.join(), stderr.join());
            bail!(
                "{name} was still running after {time_max:?}\n{}\n{}",
                stdout.unwrap_or_default(),
                stderr.unwrap_or_default()
            );
        }
        thread::sleep(POLL);
    };
    writer.join().expect("writing does not panic");
    Ok(Output {
        code: status.code().unwrap_or(-1),
        stdout: stdout.join().expect("reading does not panic"),
        stderr: stderr.join().expect("reading does not panic"),
    })
}

/// Reads a pipe to its end on a thread of its own, so that neither pipe can fill up and block the program.
fn read_all(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // A broken pipe ends the text like its end does.
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
