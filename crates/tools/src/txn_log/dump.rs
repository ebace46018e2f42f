//! Showing a log, and writing a copy with right checksums on the way.
//!
//! Source: `TxnLogToolkit#dump`.

use super::Log;
use super::entry::{Header, RawEntry, has_end};
use super::recovery::Recovery;
use super::text::Lines;
use crate::failure::{Failure, Thrown};
use crate::java::path;
use crate::out::Out;
use crate::properties::Properties;

/// One log being shown.
pub(super) struct Dump<'a> {
    file: &'a str,
    lines: Lines,
    /// Show all entries in a recovery, not only the fixed ones.
    verbose: bool,
    entry: RawEntry,
    /// The line of the entry.
    line: String,
}

impl<'a> Dump<'a> {
    pub(super) fn new(file: &'a str, properties: &Properties, verbose: bool) -> Self {
        let lines = Lines::new(properties.time_zone.clone(), properties.length_max);
        let entry = RawEntry { checksum: 0, payload: Vec::new(), offset: 0 };
        Self { file, lines, verbose, entry, line: String::new() }
    }

    /// Shows everything; with a recovery, writes the copy too.
    pub(super) fn run(
        mut self,
        mut log: Log,
        mut recovery: Option<Recovery>,
        out: &mut Out,
    ) -> Result<(), Failure> {
        let shown = self.all(&mut log, recovery.as_mut(), out);
        // What was copied stays, also when the rest cannot be read.
        let written = recovery.map_or(Ok(()), |recovery| recovery.finish(out, shown.is_ok()));
        let shown = shown.map_err(|failure| match failure {
            Failure::Thrown(thrown) => Failure::Thrown(thrown.at(|| self.place(&log))),
            told @ Failure::Told { .. } => told,
        });
        shown.and(written)
    }

    fn all(
        &mut self,
        log: &mut Log,
        mut recovery: Option<&mut Recovery>,
        out: &mut Out,
    ) -> Result<(), Failure> {
        let header = Header::read(log)?;
        if !header.is_log() {
            return Err(Failure::told(2, format!("Invalid magic number for {}", path::name(self.file))));
        }
        out.line(format_args!(
            "ZooKeeper Transactional Log File with dbid {} txnlog format version {}",
            header.dbid, header.version
        ));
        if let Some(recovery) = &mut recovery {
            recovery.header(&header)?;
        }
        let mut count = 0_u64;
        while self.entry.read(log)? {
            self.one(log, recovery.as_deref_mut(), out)?;
            count += 1;
            if recovery.is_none() && out.is_cut_off() {
                return Ok(());
            }
        }
        out.line(format_args!("EOF reached after {count} txns."));
        Ok(())
    }

    /// Shows the entry and copies it.
    fn one(
        &mut self,
        log: &mut Log,
        mut recovery: Option<&mut Recovery>,
        out: &mut Out,
    ) -> Result<(), Failure> {
        let computed = self.entry.computed();
        let mut checksum = self.entry.checksum;
        if checksum != computed {
            match &mut recovery {
                None => self.show("CRC ERROR - ", out)?,
                Some(recovery) if recovery.fixes_all() => {
                    checksum = computed;
                    self.show("CRC FIXED - ", out)?;
                    recovery.fixed();
                }
                Some(recovery) => {
                    self.show("CRC ERROR - ", out)?;
                    if recovery.ask(out)? {
                        checksum = computed;
                        recovery.fixed();
                    }
                }
            }
        }
        if recovery.is_none() || self.verbose {
            self.show("", out)?;
        }
        if !has_end(log)? {
            return Err(Failure::told(1, "Last transaction was partial."));
        }
        if let Some(recovery) = recovery {
            recovery.entry(checksum, &self.entry.payload)?;
        }
        Ok(())
    }

    fn show(&mut self, prefix: &str, out: &mut Out) -> Result<(), Thrown> {
        self.line.clear();
        self.line.push_str(prefix);
        self.lines.put(&mut self.line, &self.entry.payload)?;
        out.text(&self.line);
        Ok(())
    }

    fn place(&self, log: &Log) -> String {
        let Self { file, entry, .. } = self;
        match log.offset() {
            read if read <= entry.offset => format!("{file}, byte {read}"),
            read => format!("{file}, byte {read}, in the entry that starts at byte {}", entry.offset),
        }
    }
}
