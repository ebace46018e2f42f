//! The server's command line.

use std::process::ExitCode;

use std::ffi::OsString;

use server::config::membership::Role;
use server::config::{Arguments, Config, Form, Level, USAGE};
use server::driver::Handle;
use server::logging;
use server::memory;
use server::probe;
use server::start::{Server, ServerError};
use server::version::VERSION_LINE;
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

fn main() -> ExitCode {
    memory::share_one_pool();
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let [name, host, port, word] = words.as_slice()
        && name == "four-letter"
    {
        return four_letter(&host.to_string_lossy(), &port.to_string_lossy(), &word.to_string_lossy());
    }
    match Arguments::parse(words) {
        Ok(Arguments { form: Form::Help, .. }) => say(USAGE),
        Ok(Arguments { form: Form::Version, .. }) => say(VERSION_LINE),
        Ok(arguments) => serve(&arguments),
        Err(error) => complain(&error.to_string(), 2),
    }
}

#[expect(clippy::print_stdout, reason = "this is what the command was called for")]
fn say(text: &str) -> ExitCode {
    println!("{text}");
    ExitCode::SUCCESS
}

#[expect(clippy::print_stderr, reason = "logging has not started, or nobody may look at it")]
fn complain(text: &str, code: u8) -> ExitCode {
    eprintln!("{text}");
    ExitCode::from(code)
}

fn four_letter(host: &str, port: &str, word: &str) -> ExitCode {
    let Ok(number) = port.parse() else { return complain(&format!("{port} is no port"), 2) };
    match probe::four_letter(host, number, word) {
        Ok(answer) => say(answer.trim_end_matches('\n')),
        Err(error) => complain(&format!("{host}:{port} does not answer: {error}"), 1),
    }
}

fn serve(arguments: &Arguments) -> ExitCode {
    let level = logging::start();
    let (config, notes) = match Config::load(arguments) {
        Ok(loaded) => loaded,
        Err(error) => {
            tracing::error!("{error}");
            return complain("Invalid config, exiting abnormally", error.exit_code());
        }
    };
    for note in notes {
        match note.level {
            Level::Info => tracing::info!("{}", note.text),
            Level::Warn => tracing::warn!("{}", note.text),
            Level::Error => tracing::error!("{}", note.text),
        }
    }
    match run(config, &level) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(config: Config, level: &logging::Level) -> Result<(), ServerError> {
    let data_dir = config.data_dir.display().to_string();
    let role = role(&config);
    // Signals are caught before the port is open, so that nobody sees a server that cannot be stopped in order.
    let signals = Signals::new([SIGTERM, SIGINT, SIGUSR1, SIGUSR2])?;
    let server = Server::start(config)?;
    listen_to_signals(signals, server.handle(), level.clone())?;
    match server.address {
        Some(address) => {
            announce(&format!("Oxkeeper serves ZooKeeper clients on {address} as {role}, data in {data_dir}"))
        }
        None => announce(&format!("Oxkeeper runs without a client port as {role}, data in {data_dir}")),
    }
    server.run()
}

fn role(config: &Config) -> String {
    let Config { ensemble, membership, .. } = config;
    let Some(ensemble) = ensemble else { return "a standalone server".to_owned() };
    let is_observer = membership.with_role(Role::Observer).any(|sid| sid == ensemble.my_id);
    let role = if is_observer { "observer" } else { "participant" };
    format!("{role} {} of {} members", ensemble.my_id, membership.members.len())
}

#[expect(clippy::print_stdout, reason = "the one line that says where the server is")]
fn announce(text: &str) {
    println!("{text}");
}

fn listen_to_signals(mut signals: Signals, handle: Handle, level: logging::Level) -> Result<(), ServerError> {
    let listen = move || {
        for signal in signals.forever() {
            match signal {
                SIGUSR1 => level.on_signal(true),
                SIGUSR2 => level.on_signal(false),
                _ => handle.stop(),
            }
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(listen)?;
    Ok(())
}
