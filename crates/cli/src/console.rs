//! What is printed: answers, errors and events, as text or as JSON.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Mutex, MutexGuard};

use client::{Event, EventType};
use rustyline::ExternalPrinter;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::trouble::Trouble;

/// The exit code of a program that was writing to a reader that had gone: 128 + SIGPIPE.
const EXIT_NO_READER: i32 = 141;
/// How much is collected before it is written.
const BUFFER_BYTES: usize = 64 * 1024;

/// How answers look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Look {
    /// As the original's.
    Text,
    /// One JSON value a line.
    Json,
}

/// Standard output and error. Shared with the thread that tells events.
pub(crate) struct Console {
    pub(crate) look: Look,
    out: Mutex<BufWriter<Stdout>>,
    /// Prints above the line being edited, while there is one.
    printer: Mutex<Option<Box<dyn ExternalPrinter + Send>>>,
    tells_watches: AtomicBool,
    progress: Shown,
    /// Who gets events instead of the reader, while somebody does.
    follower: Mutex<Option<Sender<Event>>>,
}

const HELD: &str = "nobody panics while printing";

/// The line that says how far long work has come.
#[derive(Default)]
struct Shown {
    /// Whether it stands on the terminal.
    stands: AtomicBool,
    /// Whether something was printed since somebody last wanted to show it.
    is_unwanted: AtomicBool,
}

impl Console {
    pub(crate) fn new(look: Look) -> Self {
        Self {
            look,
            out: Mutex::new(BufWriter::with_capacity(BUFFER_BYTES, io::stdout())),
            printer: Mutex::new(None),
            tells_watches: AtomicBool::new(true),
            progress: Shown::default(),
            follower: Mutex::new(None),
        }
    }

    /// From now on events are printed by the line editor.
    pub(crate) fn set_printer(&self, printer: Box<dyn ExternalPrinter + Send>) {
        *self.printer.lock().expect(HELD) = Some(printer);
    }

    /// From now on events go to `follower`; without one they are printed again.
    pub(crate) fn set_follower(&self, follower: Option<Sender<Event>>) {
        *self.follower.lock().expect(HELD) = follower;
    }

    /// Whether events are printed.
    pub(crate) fn tells_watches(&self) -> bool {
        self.tells_watches.load(Ordering::SeqCst)
    }

    /// `printwatches`.
    pub(crate) fn set_tells_watches(&self, tells: bool) {
        self.tells_watches.store(tells, Ordering::SeqCst);
    }

    fn out(&self) -> MutexGuard<'_, BufWriter<Stdout>> {
        self.progress.is_unwanted.store(true, Ordering::Relaxed);
        self.clear_progress();
        self.out.lock().expect(HELD)
    }

    /// Says how far long work has come, on standard error. Only where a person sees it, and not among lines that come one after the
    /// other anyway.
    pub(crate) fn show_progress(&self, text: &str) {
        if !io::stderr().is_terminal() {
            return;
        }
        if io::stdout().is_terminal() && self.progress.is_unwanted.swap(false, Ordering::Relaxed) {
            hold(self.out.lock().expect(HELD).flush());
            return;
        }
        self.progress.stands.store(true, Ordering::Relaxed);
        let _ = write!(io::stderr(), "\r{text}\x1b[K");
    }

    /// Takes it away again.
    pub(crate) fn clear_progress(&self) {
        if self.progress.stands.swap(false, Ordering::Relaxed) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }

    /// Prints to standard output as it is.
    pub(crate) fn raw(&self, bytes: &[u8]) {
        hold(self.out().write_all(bytes));
    }

    /// Prints one line to standard output.
    pub(crate) fn line(&self, line: &str) {
        let mut out = self.out();
        hold(out.write_all(line.as_bytes()));
        hold(out.write_all(b"\n"));
    }

    /// Prints a line of the original's that is no answer, such as its welcome; JSON has none.
    pub(crate) fn remark(&self, line: &str) {
        if self.look == Look::Text {
            self.line(line);
        }
    }

    /// Prints a warning that the original prints among the answers.
    pub(crate) fn warning(&self, text: &str) {
        match self.look {
            Look::Text => self.line(&format!("[Warning]: {text}")),
            Look::Json => self.value(&json!({ "warning": text })),
        }
    }

    /// Prints one path of many, as a line.
    pub(crate) fn path_line(&self, path: &str) {
        match self.look {
            Look::Text => self.line(path),
            Look::Json => self.value(&json!({ "path": path })),
        }
    }

    /// Prints one value as a line of JSON.
    pub(crate) fn value(&self, value: &Value) {
        self.line(&value.to_string());
    }

    /// Prints one line to standard error, behind what went to standard output before.
    pub(crate) fn error(&self, line: &str) {
        self.flush();
        // Without a standard error there is nobody to tell.
        let _ = writeln!(io::stderr().lock(), "{line}");
    }

    /// Writes what was collected.
    pub(crate) fn flush(&self) {
        self.clear_progress();
        hold(self.out.lock().expect(HELD).flush());
    }

    /// Prints the answer to a command.
    pub(crate) fn answer(&self, answer: &Answer) {
        match self.look {
            Look::Text => {
                if let Some(line) = answer.aside() {
                    self.error(&line);
                }
                self.raw(answer.text().as_bytes());
            }
            Look::Json => {
                if let Some(value) = answer.json() {
                    self.value(&value);
                }
            }
        }
        self.flush();
    }

    /// Prints why a command did not do what it should.
    pub(crate) fn trouble(&self, trouble: &Trouble) {
        match self.look {
            Look::Text => self.error(&trouble.to_string()),
            Look::Json => self.error(&json!({ "error": trouble.to_string() }).to_string()),
        }
    }

    /// Prints an event. Source: `ZooKeeperMain.MyWatcher`.
    pub(crate) fn event(&self, event: &Event) {
        if let Some(follower) = &*self.follower.lock().expect(HELD) {
            // One that has gone wants no more.
            let _ = follower.send(event.clone());
            return;
        }
        if !self.tells_watches() {
            return;
        }
        let text = match self.look {
            Look::Text => format!("\nWATCHER::\n\n{event}\n"),
            // The state of the session is no answer to anything.
            Look::Json if event.kind == EventType::None => return,
            Look::Json => format!("{}\n", event_json(event)),
        };
        if let Some(printer) = self.printer.lock().expect(HELD).as_mut() {
            self.flush();
            // The terminal is gone: the next line that is read will say so.
            let _ = printer.print(text);
            return;
        }
        self.raw(text.as_bytes());
        self.flush();
    }
}

/// An event as JSON.
pub(crate) fn event_json(event: &Event) -> Value {
    json!({ "event": {
        "type": format!("{:?}", event.kind),
        "state": format!("{:?}", event.state),
        "path": event.path,
        "zxid": event.zxid.0,
    } })
}

/// A reader that has gone wants no more: the program ends like others do. Other errors leave nobody to tell.
fn hold(result: io::Result<()>) {
    if result.is_err() {
        std::process::exit(EXIT_NO_READER);
    }
}
