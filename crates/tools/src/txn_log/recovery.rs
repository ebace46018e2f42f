//! The copy of a log in which the checksums are right.
//!
//! Source: `TxnLogToolkit`, `FilePadding`.

use std::fs::File;
use std::io::{self, BufRead, Write};
use std::path::Path;

use super::entry::{Header, put};
use crate::failure::{Failure, Thrown};
use crate::out::Out;
use crate::properties::Properties;

/// What is collected before it is written.
const WRITE_BYTES: usize = 256 << 10;
/// The file grows when its end comes as near as this.
const PADDING_MARGIN: i64 = 4096;

/// A copy on its way to disk.
pub(super) struct Recovery {
    path: String,
    file: File,
    /// Repair without asking.
    fixes_all: bool,
    fixed: u64,
    /// Not yet written.
    buffer: Vec<u8>,
    /// How many bytes the copy has, those in `buffer` too.
    position: i64,
    /// How long the file is with the zeroes ahead of its end.
    padded: i64,
    pre_alloc_bytes: i64,
    /// Words of the last line of input that have not been used as answers.
    answers: Vec<String>,
}

impl Recovery {
    /// Makes the copy, which must not be there yet.
    pub(super) fn start(log: &str, fixes_all: bool, properties: &Properties) -> Result<Self, Failure> {
        let path = format!("{log}.fixed");
        if Path::new(&path).exists() {
            return Err(Failure::told(1, format!("Recovery file {path} already exists or not writable")));
        }
        let file = File::create(&path).map_err(|error| Thrown::open(&path, &error))?;
        let pre_alloc_bytes = properties.pre_alloc_bytes;
        let (buffer, answers) = (Vec::with_capacity(WRITE_BYTES * 2), Vec::new());
        Ok(Self { path, file, fixes_all, fixed: 0, buffer, position: 0, padded: 0, pre_alloc_bytes, answers })
    }

    pub(super) fn fixes_all(&self) -> bool {
        self.fixes_all
    }

    /// Counts an entry that got a new checksum.
    pub(super) fn fixed(&mut self) {
        self.fixed += 1;
    }

    pub(super) fn header(&mut self, header: &Header) -> Result<(), Failure> {
        self.push(|buffer| buffer.extend_from_slice(&header.bytes()))?;
        self.padded = self.position;
        Ok(())
    }

    pub(super) fn entry(&mut self, checksum: i64, payload: &[u8]) -> Result<(), Failure> {
        self.pad()?;
        self.push(|buffer| put(buffer, checksum, payload))
    }

    /// Asks whether to fix the entry just shown. Source: `TxnLogToolkit#askForFix`.
    pub(super) fn ask(&mut self, out: &mut Out) -> Result<bool, Failure> {
        loop {
            out.text("Would you like to fix it (Yes/No/Abort) ? ");
            out.show();
            match self.answer()?.chars().next().map(|first| first.to_ascii_uppercase()) {
                Some('Y') => return Ok(true),
                Some('N') => return Ok(false),
                Some('A') => return Err(Failure::told(0, "Recovery aborted.")),
                Some(_) | None => {}
            }
        }
    }

    /// The next word of standard input.
    fn answer(&mut self) -> Result<String, Failure> {
        while self.answers.is_empty() {
            let mut line = String::new();
            match io::stdin().lock().read_line(&mut line) {
                Ok(0) | Err(_) => {
                    return Err(Thrown::no_input(None).at(|| "the end of the answers".into()).into());
                }
                Ok(_) => self.answers.extend(line.split_whitespace().map(str::to_owned)),
            }
        }
        Ok(self.answers.remove(0))
    }

    /// Writes the rest, and says what has become of it if the log was read to its end.
    pub(super) fn finish(mut self, out: &mut Out, whole: bool) -> Result<(), Failure> {
        self.write()?;
        if whole {
            let Self { path, fixed, .. } = &self;
            out.line(format_args!("Recovery file {path} has been written with {fixed} fixed CRC error(s)"));
        }
        Ok(())
    }

    fn push(&mut self, put: impl FnOnce(&mut Vec<u8>)) -> Result<(), Failure> {
        let before = self.buffer.len();
        put(&mut self.buffer);
        self.position += i64::try_from(self.buffer.len() - before).expect("an entry is below 2 GiB");
        if self.buffer.len() >= WRITE_BYTES { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), Failure> {
        let written = self.file.write_all(&self.buffer);
        self.buffer.clear();
        written.map_err(|error| self.broken(&error))
    }

    /// Makes the file longer when its end comes near, so that a server finds zeroes there.
    fn pad(&mut self) -> Result<(), Failure> {
        let (position, step) = (self.position, self.pre_alloc_bytes);
        if step <= 0 || position + PADDING_MARGIN < self.padded {
            return Ok(());
        }
        self.padded = match position > self.padded {
            true => (position + step) / step * step,
            false => self.padded + step,
        };
        let length = u64::try_from(self.padded).expect("longer than what is written");
        self.file.set_len(length).map_err(|error| self.broken(&error))
    }

    fn broken(&self, error: &io::Error) -> Failure {
        let thrown = Thrown::io(crate::failure::reason(error));
        thrown.at(|| format!("{}, byte {}", self.path, self.position)).into()
    }
}
