//! One log file from its first entry to its end.

use proto::{Entry, Zxid};

use crate::disk::{Disk, DiskError, DiskFile};
use crate::entry::{self, Broken, ENTRY_HEAD_LEN, Head, LOG_HEADER_LEN};
use crate::window::{FileSource, Window};

/// Whether to go on after an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// Read the next one.
    Next,
    /// This one is not wanted any more.
    Stop,
}

/// How a file ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FileEnd {
    /// Behind the last intact entry, before the one at which the visitor stopped.
    pub(crate) offset: u64,
    /// What stands there instead of another entry; `None` for zeroes, nothing, or a stop on request.
    pub(crate) broken: Option<Broken>,
    /// Whether the visitor stopped.
    pub(crate) stopped: bool,
}

/// Why a file could not be read to its end.
#[derive(Debug)]
pub(crate) enum ScanError<E> {
    Disk(DiskError),
    /// It is shorter than a header.
    Short {
        bytes: u64,
    },
    /// It does not begin as a log file does.
    Magic,
    /// The visitor's own, at the entry that starts there.
    Visitor {
        offset: u64,
        error: E,
    },
}

impl<E> From<DiskError> for ScanError<E> {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

/// What comes next in a file.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    Entry { zxid: Zxid, payload: &'a [u8] },
    End(Option<Broken>),
}

/// A file being read. Memory: 1 MiB, or twice the longest entry.
pub(crate) struct Scanner<F> {
    window: Window<FileSource<F>>,
    /// The length of the entry found last, which is still in the window.
    found: usize,
}

impl<F: DiskFile> Scanner<F> {
    /// Opens the file and reads its header.
    pub(crate) fn open<D: Disk<File = F>, E>(disk: &D, path: &str) -> Result<Self, ScanError<E>> {
        let mut window = Window::new(FileSource { file: disk.open(path)?, offset: 0 }, 0);
        if !window.want(LOG_HEADER_LEN)? {
            return Err(ScanError::Short { bytes: window.bytes().len() as u64 });
        }
        if !entry::is_log_header(window.bytes()) {
            return Err(ScanError::Magic);
        }
        window.advance(LOG_HEADER_LEN);
        Ok(Self { window, found: 0 })
    }

    /// Where the entry found last starts, or the file ends.
    #[inline]
    pub(crate) fn offset(&self) -> u64 {
        self.window.offset()
    }

    /// The entry behind the one found last; at the end of the file, the end again.
    #[inline]
    pub(crate) fn find(&mut self) -> Result<Found<'_>, DiskError> {
        self.window.advance(core::mem::take(&mut self.found));
        let n = match next(&mut self.window)? {
            Ok(Some(n)) => n,
            Ok(None) => return Ok(Found::End(None)),
            Err(broken) => return Ok(Found::End(Some(broken))),
        };
        Ok(match entry::payload(&self.window.bytes()[..n]) {
            Ok(payload) => {
                self.found = n;
                let zxid = Entry::zxid(payload).expect("a payload is never shorter than a header");
                Found::Entry { zxid, payload }
            }
            Err(broken) => Found::End(Some(broken)),
        })
    }
}

/// Calls `visit` with zxid and payload of each entry.
pub(crate) fn scan<D: Disk, E>(
    disk: &D,
    path: &str,
    visit: &mut impl FnMut(Zxid, &[u8]) -> Result<Step, E>,
) -> Result<FileEnd, ScanError<E>> {
    let mut scanner = Scanner::open(disk, path)?;
    loop {
        let step = match scanner.find()? {
            Found::Entry { zxid, payload } => visit(zxid, payload),
            Found::End(broken) => {
                return Ok(FileEnd { offset: scanner.offset(), broken, stopped: false });
            }
        };
        let offset = scanner.offset();
        match step {
            Ok(Step::Next) => {}
            Ok(Step::Stop) => return Ok(FileEnd { offset, broken: None, stopped: true }),
            Err(error) => return Err(ScanError::Visitor { offset, error }),
        }
    }
}

/// The length of the entry that comes next and is now in the window; `None` at the end.
#[inline]
fn next<F: DiskFile>(window: &mut Window<FileSource<F>>) -> Result<Result<Option<usize>, Broken>, DiskError> {
    if !window.want(ENTRY_HEAD_LEN)? {
        let zeroes = window.bytes().iter().all(|&byte| byte == 0);
        return Ok(if zeroes { Ok(None) } else { Err(Broken::CutOff) });
    }
    Ok(match entry::head(window.bytes()) {
        Head::End => Ok(None),
        Head::Broken(broken) => Err(broken),
        Head::Payload(n) => {
            let n = ENTRY_HEAD_LEN + n + 1;
            if window.want(n)? { Ok(Some(n)) } else { Err(Broken::CutOff) }
        }
    })
}
