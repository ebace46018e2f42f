//! The compatibility lanes: what finished clients, files on disk and crashes say about a server.
//!
//! Each lane takes the server to try as a parameter, so the same checks run against Apache's, which shows that the lane itself is right.

mod c_client;
mod disk;
mod door;
mod ensemble_bad_input;
mod ensemble_clients;
mod faults;
mod files;
mod four_letter;
mod hostile;
mod java_shell;
mod kazoo;
mod kill9;
mod mapping;
mod mixed;
mod mount;
mod process;
mod run;
mod scripts;
pub mod stand_in;
mod terminal;
mod toolkits;
mod typed;
mod wire;
mod zkcli;

use anyhow::{Result, bail};

use crate::harness::Target;

/// What a lane is to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server to try.
    pub target: Target,
    /// How often a lane that repeats itself does so; `None` for the short form that `cargo xtask test` runs.
    pub rounds: Option<u32>,
}

impl Options {
    /// Everything as `cargo xtask test` wants it.
    pub fn new(target: Target) -> Self {
        Self { target, rounds: None }
    }
}

/// One check and what became of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// What was checked, unique in its lane.
    pub name: String,
    /// What is wrong, or `None` when it held.
    pub trouble: Option<String>,
}

impl Case {
    /// A check that held, or the error it ended with.
    pub(crate) fn of(name: impl Into<String>, result: Result<()>) -> Self {
        Self { name: name.into(), trouble: result.err().map(|error| format!("{error:#}")) }
    }

    /// A check that two texts are equal; the trouble names the first lines that differ.
    pub(crate) fn equal(name: impl Into<String>, wanted: &str, got: &str) -> Self {
        Self { name: name.into(), trouble: mapping::difference(wanted, got) }
    }
}

/// Runs one lane by its name.
///
/// # Errors
/// When the name is unknown or the lane cannot be run at all. A check that does not hold is a [`Case`], not an error.
pub fn run(lane: &str, options: &Options) -> Result<Vec<Case>> {
    match lane {
        "c_client" => c_client::run(&options.target),
        "disk" => disk::run(&options.target),
        "ensemble_bad_input" => ensemble_bad_input::run(&options.target),
        "ensemble_clients" => ensemble_clients::run(&options.target),
        "faults" => faults::run(&options.target, options.rounds),
        "files" => files::run(&options.target),
        "four_letter" => four_letter::run(&options.target),
        "hostile" => hostile::run(&options.target),
        "java_shell" => java_shell::run(&options.target),
        "kazoo" => kazoo::run(&options.target),
        "kill9" => kill9::run(&options.target, options.rounds.unwrap_or(kill9::ROUNDS)),
        "mixed" => mixed::run(&options.target, options.rounds),
        "scripts" => scripts::run(),
        "toolkits" => toolkits::run(&options.target),
        "zkcli" => zkcli::run(&options.target),
        _ => bail!("`{lane}` is no lane"),
    }
}
