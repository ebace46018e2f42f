//! The file tools behind ZooKeeper's scripts: `oxkeeper-tools [-Dkey=value …] TOOL ARGUMENTS`.
//!
//! A program of its own, so that it can be run beside a server of any kind and knows nothing that a server needs. Each
//! tool takes the options of the Java class its script runs and prints the same, byte by byte, also about damaged files.
//! Where Java ends with a stack trace, the first line is Java's and the second says where the trouble lies.

mod archive;
mod failure;
mod java;
mod options;
mod out;
mod properties;
mod purge;
mod snapshot;
mod txn_log;

use std::process::ExitCode;

use failure::Failure;
use out::Out;
use properties::Properties;

const USAGE: &str = "\
oxkeeper-tools [-Dkey=value ...] TOOL ARGUMENTS

  txnlog    shows, repairs or chops a transaction log             (zkTxnLogToolkit.sh)
  snapshot  shows a snapshot                                      (zkSnapShotToolkit.sh)
  compare   compares two snapshots                                (zkSnapshotComparer.sh)
  summary   counts znodes and bytes below the znodes of a snapshot (zkSnapshotRecursiveSummaryToolkit.sh)
  purge     removes snapshots and logs that are not needed        (zkCleanup.sh)

Properties: jute.maxbuffer, zookeeper.jute.maxbuffer.extrasize, zookeeper.preAllocSize, user.timezone
";

fn main() -> ExitCode {
    let words: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let properties_end = words.iter().take_while(|word| word.starts_with("-D")).count();
    let (properties, words) = words.split_at(properties_end);
    let properties = Properties::parse(properties);
    let mut out = Out::new();
    let result = run(words, &properties, &mut out);
    // What was printed so far comes before the reason why there is no more.
    let written = out.close();
    match (result, written) {
        (Ok(code), Ok(())) => ExitCode::from(code),
        (Ok(_), Err(error)) => complain(&format!("writing the output: {error}"), 1),
        (Err(failure), _) => complain(&failure.to_string(), failure.exit_code()),
    }
}

/// Runs the tool that the first word names and gives the exit code.
fn run(words: &[String], properties: &Properties, out: &mut Out) -> Result<u8, Failure> {
    let Some((tool, words)) = words.split_first() else {
        return Err(Failure::told(2, USAGE.trim_end()));
    };
    match tool.as_str() {
        "txnlog" => txn_log::run(words, properties, out),
        "snapshot" => snapshot::format::run(words, properties, out),
        "compare" => snapshot::compare::run(words, properties, out),
        "summary" => snapshot::summary::run(words, properties, out),
        "purge" => purge::run(words, properties, out),
        "-h" | "--help" => {
            out.text(USAGE);
            Ok(0)
        }
        other => Err(Failure::told(2, format!("`{other}` is no tool\n\n{}", USAGE.trim_end()))),
    }
}

/// Says on stderr why the tool ends.
#[expect(clippy::print_stderr, reason = "a command line program tells its error here")]
fn complain(text: &str, code: u8) -> ExitCode {
    // Usage and the like have been printed already, and then nothing is left to say.
    if !text.is_empty() {
        eprintln!("{text}");
    }
    ExitCode::from(code)
}
