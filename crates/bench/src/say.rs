//! Results go to standard output, everything else to standard error.

use std::io::Write;

use anyhow::Result;

/// One line of result, written at once even into a pipe.
pub(crate) fn line(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

/// One line about what is going on. A closed standard error is no reason to stop measuring.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
