//! From a word to its answer, never longer than the asker's limit.

use alloc::string::String;
use core::fmt::{self, Write};
use core::ops::ControlFlow;

use super::{Word, render};
use crate::source::{Serving, Source};

/// An answer longer than this serves nobody: 16 MiB.
pub const ANSWER_BYTES_MAX: usize = 16 << 20;

/// The answer to a word that the whitelist allows. An empty one is no mistake: the connection is closed without text.
///
/// * `rest`: what came with the word; only `stmk` looks at it.
/// * `limit_bytes`: longer answers end after a whole line, with a last line that says so; mostly
///   [`ANSWER_BYTES_MAX`].
#[must_use]
pub fn answer(word: Word, rest: &[u8], source: &mut dyn Source, limit_bytes: usize) -> String {
    if source.serving() == Serving::No
        && let Some(text) = word.while_not_serving()
    {
        return text.into();
    }
    let mut out = Answer::new(limit_bytes);
    match word {
        Word::Conf => render::conf(&source.configuration(), &mut out),
        Word::Cons => render::cons(source, &mut out),
        Word::Crst => {
            source.reset_connection_stats();
            out.line(format_args!("Connection stats reset."));
        }
        Word::Dirs => render::dirs(source.directory_sizes(), &mut out),
        Word::Dump => render::dump(source, &mut out),
        Word::Envi => render::envi(&source.environment(), &mut out),
        Word::Gtmk => out.bare(format_args!("{}", source.trace_mask())),
        Word::Hash => render::hash(&source.digests(), &mut out),
        Word::Isro => {
            let read_only = source.serving() == Serving::ReadOnly;
            out.bare(format_args!("{}", if read_only { "ro" } else { "rw" }));
        }
        Word::Mntr => render::mntr(source, &mut out),
        Word::Ruok => out.bare(format_args!("imok")),
        Word::Srst => {
            source.reset_server_stats();
            out.line(format_args!("Server stats reset."));
        }
        Word::Srvr => render::srvr(&source.status(), &mut out),
        Word::Stat => render::stat(source, &mut out),
        Word::Stmk => set_trace_mask(rest, source, &mut out),
        Word::TelnetClose => {}
        Word::Wchc => render::wchc(source, &mut out),
        Word::Wchp => render::wchp(source, &mut out),
        Word::Wchs => render::wchs(source.watch_summary(), &mut out),
    }
    out.text
}

/// With fewer than the eight bytes of a mask nothing happens and nothing is said, as in Apache.
fn set_trace_mask(rest: &[u8], source: &mut dyn Source, out: &mut Answer) {
    if let Some(mask) = rest.first_chunk() {
        let mask = i64::from_be_bytes(*mask);
        source.set_trace_mask(mask);
        out.bare(format_args!("{mask}"));
    }
}

/// Text in the making, of bounded size.
#[derive(Debug)]
pub(super) struct Answer {
    text: String,
    limit_bytes: usize,
    /// The last line has been written; nothing follows it.
    full: bool,
}

impl Answer {
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self { text: String::new(), limit_bytes, full: false }
    }

    /// Adds a line, if it still has room.
    pub(super) fn line(&mut self, line: fmt::Arguments<'_>) {
        self.bare(format_args!("{line}\n"));
    }

    /// Adds text that is not a whole line.
    pub(super) fn bare(&mut self, text: fmt::Arguments<'_>) {
        if self.full {
            return;
        }
        let before = self.text.len();
        self.text.write_fmt(text).expect("a String takes everything");
        if self.text.len() > self.limit_bytes {
            self.text.truncate(before);
            let limit = self.limit_bytes;
            writeln!(self.text, "... cut off: the whole answer is longer than {limit} bytes")
                .expect("a String takes everything");
            self.full = true;
        }
    }

    /// Tells a source whether it is worth going on.
    pub(super) fn room(&self) -> ControlFlow<()> {
        if self.full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
