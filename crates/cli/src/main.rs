//! The interactive shell: Apache ZooKeeper's commands, texts and exit codes, and what a person wishes for beyond.

mod answer;
mod beyond;
mod commands;
mod complete;
mod configuration;
mod console;
mod editor;
mod invocation;
mod line;
mod options;
mod progress;
mod quota;
mod shell;
mod trouble;
mod walk;

use std::io::{BufRead, IsTerminal, stdin, stdout};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::Arc;

use configuration::Configuration;
use console::{Console, Look};
use invocation::{Invocation, Question, WrongValue};
use shell::Shell;
use trouble::Trouble;

/// `ZooKeeper CLI version`: the release whose behaviour this is, then ours. Source: `Version#getFullVersion`.
pub(crate) const VERSION: &str =
    concat!("3.9.5-oxkeeper-", env!("CARGO_PKG_VERSION"), ", built on ", "2026-11-25 00:00", " UTC");

/// The exit code of a wrong command line. Source: `ExitCode.INVALID_INVOCATION`.
const EXIT_INVOCATION: i32 = 2;

/// What `--help` says before the commands.
const HELP: &str = "\
zkCli.sh [options] [command [words]]: a shell on a ZooKeeper server, or a single command

  -server host:port,...[/chroot]   where to connect to; localhost:2181
  -timeout ms                      the session timeout to ask for; 30000
  -r                               content with a read-only server
  -waitforconnection               wait for the connection before anything else
  -client-configuration file       client settings from a properties file
  -Dkey=value                      one client setting
  --output text|json               how answers look; text
  --close                          end the session behind a single command, and with it its ephemeral znodes

Lines typed are kept in ~/.local/state/oxkeeper/cli_history, or where OXKEEPER_CLI_HISTORY says; addauth is not, nor
is a line that begins with a blank. NO_COLOR leaves the prompt as it is.

";

fn main() -> ExitCode {
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let code = match Invocation::parse(words) {
        Ok(invocation) => start(&invocation),
        Err(WrongValue(message)) => {
            Console::new(Look::Text).error(&message);
            EXIT_INVOCATION
        }
    };
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// Does what the command line asks for, and gives the exit code.
fn start(invocation: &Invocation) -> i32 {
    let console = Arc::new(Console::new(invocation.look));
    match invocation.question {
        Some(Question::Help) => {
            console.raw(HELP.as_bytes());
            console.raw(commands::help(None).unwrap_or_default().as_bytes());
            console.flush();
            return 0;
        }
        Some(Question::Version) => {
            console.line(VERSION);
            console.flush();
            return 0;
        }
        None => {}
    }
    for remark in &invocation.remarks {
        console.error(remark);
    }
    console.remark(&format!("Connecting to {}", invocation.server));
    console.flush();
    let configuration = match configuration(invocation, &console) {
        Ok(configuration) => configuration,
        Err(trouble) => {
            console.trouble(&trouble);
            return EXIT_INVOCATION;
        }
    };
    let is_terminal = invocation.command.is_empty() && stdin().is_terminal() && stdout().is_terminal();
    let mut shell = match Shell::open(Arc::clone(&console), invocation, configuration, is_terminal) {
        Ok(shell) => shell,
        Err(trouble) => {
            console.trouble(&trouble);
            return 1;
        }
    };
    if is_terminal {
        return editor::interact(&mut shell);
    }
    let code = if invocation.command.is_empty() {
        script(&mut shell)
    } else {
        match shell.run(invocation.command.clone()) {
            ControlFlow::Break(code) => code,
            ControlFlow::Continue(()) => shell.exit_code(),
        }
    };
    if invocation.closes {
        shell.close();
    }
    code
}

/// The settings of the file and of the command line.
fn configuration(invocation: &Invocation, console: &Console) -> Result<Configuration, Trouble> {
    let told = |error: configuration::ConfigurationError| Trouble::told(error.to_string());
    let mut configuration = invocation.properties.clone();
    if let Some(file) = &invocation.configuration_file {
        configuration.load(file).map_err(told)?;
    }
    configuration.check().map_err(told)?;
    for key in configuration.unknown() {
        console.error(&format!("Warning: {key} is no setting of this client and has no effect"));
    }
    Ok(configuration)
}

/// Carries out the lines of standard input, without a prompt. The exit code is that of the last command.
fn script(shell: &mut Shell) -> i32 {
    shell.console.remark("Welcome to ZooKeeper!");
    shell.console.remark("JLine support is disabled");
    shell.console.flush();
    let mut line = Vec::new();
    loop {
        line.clear();
        // Held for a line at a time: a command may read data from there.
        match stdin().lock().read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return shell.exit_code(),
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if let ControlFlow::Break(code) = shell.execute(text) {
            return code;
        }
    }
}
