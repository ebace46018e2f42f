//! The shell before a person: a line editor with history, completion and colour.

use std::borrow::Cow;
use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use client::{Client, Interrupter};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};
use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;

use crate::complete::complete;
use crate::line::{is_open, lines};
use crate::shell::Shell;

/// How long the first prompt waits for the connection, so that it seldom says CONNECTING.
const FIRST_PROMPT_WAITS: Duration = Duration::from_millis(15);
/// How many lines the history keeps over sessions.
const HISTORY_LINES: usize = 10_000;
/// The commands whose words no file may hold.
const SECRET: &str = "addauth";

/// What the editor asks while a line is typed.
struct Typist {
    client: Rc<Client>,
    is_colored: bool,
}

impl Completer for Typist {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(complete(line.get(..pos).unwrap_or(line), &self.client))
    }
}

impl Highlighter for Typist {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        if !self.is_colored {
            return Cow::Borrowed(prompt);
        }
        let color = if prompt.contains("(CONNECTED") { "\x1b[32m" } else { "\x1b[31m" };
        Cow::Owned(format!("{color}{prompt}\x1b[0m"))
    }
}

impl Hinter for Typist {
    type Hint = String;
}

impl Validator for Typist {
    /// A line that ends inside quotes goes on.
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let is_open = is_open(context.input());
        Ok(if is_open { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

impl Helper for Typist {}

/// Reads lines until the person wants no more, and gives the exit code.
pub(crate) fn interact(shell: &mut Shell) -> i32 {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .history_ignore_space(true)
        .max_history_size(HISTORY_LINES)
        .expect("there is no limit to exceed")
        .build();
    let editor = Editor::<Typist, FileHistory>::with_config(config);
    let mut editor = match editor {
        Ok(editor) => editor,
        Err(error) => {
            shell.console.error(&format!("no line editor on this terminal: {error}"));
            return 1;
        }
    };
    shell.console.remark("Welcome to ZooKeeper!");
    shell.console.remark("JLine support is enabled");
    let file = history_file();
    if let Some(file) = &file {
        // The first time there is none.
        let _ = editor.load_history(file);
    }
    if let Ok(printer) = editor.create_external_printer() {
        shell.console.set_printer(Box::new(printer));
    }
    let interrupter = watch_interrupts(shell.client().interrupter());
    shell.client().wait_connected(FIRST_PROMPT_WAITS, true);
    let code = read_lines(shell, &mut editor, &interrupter);
    if let Some(file) = &file {
        // A history that cannot be kept is no reason to hold a person up who is about to leave.
        let _ = file.parent().map(fs::create_dir_all);
        let _ = editor.append_history(file);
    }
    code
}

fn read_lines(
    shell: &mut Shell,
    editor: &mut Editor<Typist, FileHistory>,
    interrupter: &Mutex<Interrupter>,
) -> i32 {
    let is_colored = std::env::var_os("NO_COLOR").is_none();
    loop {
        shell.console.flush();
        let client = shell.shared_client();
        client.resume();
        client.forget();
        *interrupter.lock().expect("nobody panics while holding it") = client.interrupter();
        editor.set_helper(Some(Typist { client, is_colored }));
        let typed = match editor.readline(&shell.prompt()) {
            Ok(typed) => typed,
            // Ctrl-C drops the line.
            Err(ReadlineError::Interrupted) => continue,
            // Ctrl-D, or the terminal is gone.
            Err(_) => {
                shell.close();
                return shell.exit_code();
            }
        };
        // The helper holds on to the session, which `connect` replaces.
        editor.set_helper(None);
        for line in lines(&typed) {
            if !line.trim_start().starts_with(SECRET) {
                // A line that the history does not take is a double or begins with a blank.
                let _ = editor.add_history_entry(&line);
            }
            if let ControlFlow::Break(code) = shell.execute(&line) {
                return code;
            }
        }
    }
}

/// From now on Ctrl-C ends what the session waits for, not the program.
fn watch_interrupts(interrupter: Interrupter) -> Arc<Mutex<Interrupter>> {
    let current = Arc::new(Mutex::new(interrupter));
    let watched = Arc::clone(&current);
    // Without the thread Ctrl-C ends the program, as it does by default.
    if let Ok(mut signals) = Signals::new([SIGINT]) {
        let _ = std::thread::Builder::new().name("signals".into()).spawn(move || {
            for _ in signals.forever() {
                watched.lock().expect("nobody panics while holding it").interrupt();
            }
        });
    }
    current
}

/// Where the lines of earlier sessions are: `OXKEEPER_CLI_HISTORY`, or in the folder for such things.
fn history_file() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(file) = std::env::var_os("OXKEEPER_CLI_HISTORY") {
        return Some(file).filter(|file| !file.is_empty()).map(PathBuf::from);
    }
    let state = folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/state")));
    state.map(|state| state.join("oxkeeper/cli_history"))
}
