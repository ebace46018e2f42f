//! Put in `java`'s place by the `kazoo` lane; see `compat::lanes::stand_in`.

use std::env;
use std::process::ExitCode;

use compat::lanes::stand_in::replace_process;

#[expect(clippy::print_stderr, reason = "a command line program tells its error here")]
fn main() -> ExitCode {
    match replace_process(env::args().skip(1)) {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("java_stand_in: {error:#}");
            ExitCode::FAILURE
        }
    }
}
