//! Standard output, as fast as it goes and with Java's patience.

use std::fmt;
use std::io::{self, BufWriter, ErrorKind, StdoutLock, Write};

/// What is collected before it is handed to the system.
const BUFFER_BYTES: usize = 256 << 10;

/// Where a tool prints. As with Java's `System.out` printing itself never fails: a recovery goes on when its output was
/// cut off by `head`. Unlike there, an output that could not be written makes the exit code 1 in the end.
pub(crate) struct Out {
    writer: BufWriter<StdoutLock<'static>>,
    trouble: Option<io::Error>,
}

impl Out {
    /// Takes standard output.
    pub(crate) fn new() -> Self {
        let writer = BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock());
        Self { writer, trouble: None }
    }

    /// Prints bytes.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        if self.trouble.is_none() {
            self.trouble = self.writer.write_all(bytes).err();
        }
    }

    /// Prints a text.
    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Prints a text and ends the line.
    pub(crate) fn line(&mut self, text: fmt::Arguments<'_>) {
        if self.trouble.is_none() {
            self.trouble = self.writer.write_fmt(text).and_then(|()| self.writer.write_all(b"\n")).err();
        }
    }

    /// Shows everything printed so far: a question follows.
    pub(crate) fn show(&mut self) {
        if self.trouble.is_none() {
            self.trouble = self.writer.flush().err();
        }
    }

    /// Whether nobody will see what is printed from now on.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.trouble.is_some()
    }

    /// Writes the rest.
    ///
    /// # Errors
    /// When something was not written. A reader that went away is none: it had seen enough.
    pub(crate) fn close(mut self) -> io::Result<()> {
        self.show();
        match self.trouble.take() {
            Some(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }
}
