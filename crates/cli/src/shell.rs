//! The shell: one session, the commands typed so far, and what becomes of the next.
//!
//! Source: `org.apache.zookeeper.ZooKeeperMain`.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use client::{AddressError, Client, ConnectString, Event, Settings};

use crate::answer::Answer;
use crate::commands::{self, Input};
use crate::configuration::Configuration;
use crate::console::Console;
use crate::invocation::Invocation;
use crate::line::words;
use crate::options::parse;
use crate::trouble::{Trouble, no_number};

/// How long the end of a session may take.
pub(crate) const CLOSE_TIME_MAX: Duration = Duration::from_secs(3);
/// How many lines `history` shows besides itself.
const HISTORY_SHOWN: usize = 10;

/// What a session needs to be opened.
#[derive(Clone, Debug)]
struct Wishes {
    timeout: String,
    read_only: bool,
    waits: bool,
    configuration: Configuration,
}

/// The shell.
pub(crate) struct Shell {
    pub(crate) console: Arc<Console>,
    wishes: Wishes,
    host: String,
    client: Rc<Client>,
    /// What `addauth` has added to the session.
    identities: RefCell<Vec<(String, Option<Vec<u8>>)>>,
    history: Vec<String>,
    exit_code: i32,
    /// Whether a person sits before it, whom one mistake does not throw out.
    pub(crate) is_terminal: bool,
}

impl Shell {
    /// Starts to connect.
    pub(crate) fn open(
        console: Arc<Console>,
        invocation: &Invocation,
        configuration: Configuration,
        is_terminal: bool,
    ) -> Result<Self, Trouble> {
        let wishes = Wishes {
            timeout: invocation.timeout.clone(),
            read_only: invocation.read_only,
            waits: invocation.waits,
            configuration,
        };
        let host = invocation.server.clone();
        let told = Arc::clone(&console);
        let client = Rc::new(connect(&wishes, &host, move |event| told.event(&event))?);
        let identities = RefCell::default();
        Ok(Self { console, wishes, host, client, identities, history: Vec::new(), exit_code: 0, is_terminal })
    }

    /// The session.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The same for somebody who needs it between commands.
    pub(crate) fn shared_client(&self) -> Rc<Client> {
        Rc::clone(&self.client)
    }

    /// Adds an identity to the session.
    pub(crate) fn authenticate(&self, scheme: &str, credential: Option<&[u8]>) {
        self.client.authenticate(scheme, credential);
        self.identities.borrow_mut().push((scheme.to_owned(), credential.map(<[u8]>::to_vec)));
    }

    /// A session on another server, with the identities of this one. Its events are nobody's concern.
    pub(crate) fn open_other(&self, server: &str) -> Result<Client, Trouble> {
        let other = connect(&self.wishes, server, |_| {})?;
        for (scheme, credential) in self.identities.borrow().iter() {
            other.authenticate(scheme, credential.as_deref());
        }
        Ok(other)
    }

    /// The exit code of the last command.
    pub(crate) fn exit_code(&self) -> i32 {
        self.exit_code
    }

    /// What stands before the next line.
    pub(crate) fn prompt(&self) -> String {
        format!("[zk: {}({}) {}] ", self.host, self.client.state().name(), self.history.len())
    }

    /// Ends the session.
    pub(crate) fn close(&self) {
        self.client.resume();
        self.client.close(CLOSE_TIME_MAX);
    }

    /// Carries out one line. Breaks when the program is to end, with its exit code.
    pub(crate) fn execute(&mut self, line: &str) -> ControlFlow<i32> {
        let words = words(line);
        // The original takes a line of blanks for the line before, or for a command without a name.
        if words.iter().all(|word| word.trim().is_empty()) {
            return ControlFlow::Continue(());
        }
        self.history.push(line.to_owned());
        self.run(words)
    }

    /// Carries out one command, and tells what went wrong with it.
    pub(crate) fn run(&mut self, words: Vec<String>) -> ControlFlow<i32> {
        self.client.resume();
        self.client.forget();
        let outcome = self.dispatch(words);
        self.exit_code = match outcome {
            Ok(ControlFlow::Break(())) => return ControlFlow::Break(self.exit_code),
            Ok(ControlFlow::Continue(())) => 0,
            Err(trouble) => {
                self.console.trouble(&trouble);
                match trouble {
                    Trouble::Told { exit_code, .. } => exit_code,
                    Trouble::Uncaught(_) if !self.is_terminal => return ControlFlow::Break(1),
                    Trouble::Uncaught(_) | Trouble::Interrupted => 1,
                }
            }
        };
        self.console.flush();
        ControlFlow::Continue(())
    }

    /// Source: `ZooKeeperMain#processZKCmd`.
    fn dispatch(&mut self, words: Vec<String>) -> Result<ControlFlow<()>, Trouble> {
        let name = words.first().map(String::as_str).unwrap_or_default();
        let argument = words.get(1).map(String::as_str);
        match (name, argument) {
            ("quit", _) => {
                self.close();
                return Ok(ControlFlow::Break(()));
            }
            ("redo", Some(number)) => self.redo(number)?,
            ("redo", None) => {}
            ("history", _) => self.show_history(),
            ("printwatches", None) => {
                let how = if self.console.tells_watches() { "on" } else { "off" };
                self.console.answer(&Answer::Line(format!("printwatches is {how}")));
            }
            ("printwatches", Some(how)) => self.console.set_tells_watches(how == "on"),
            ("connect", server) => {
                let server = server.unwrap_or(&self.host).to_owned();
                self.reconnect(&server)?;
            }
            ("help", topic) => {
                let text = commands::help(topic)?;
                self.console.answer(&Answer::Line(text.trim_end_matches('\n').to_owned()));
                return Ok(ControlFlow::Continue(()));
            }
            _ => return self.command(words),
        }
        if !self.client.state().is_alive() {
            self.console.answer(&Answer::Line("Not connected".to_owned()));
        }
        Ok(ControlFlow::Continue(()))
    }

    /// One of the commands that need a session.
    fn command(&self, words: Vec<String>) -> Result<ControlFlow<()>, Trouble> {
        let name = words.first().map(String::as_str).unwrap_or_default();
        let Some(command) = commands::find(name) else {
            self.console.error(commands::usage().trim_end_matches('\n'));
            let message = format!("Command not found: Command not found {name}");
            return Err(Trouble::Told { message, exit_code: 127 });
        };
        if !self.client.state().is_alive() {
            self.console.answer(&Answer::Line("Not connected".to_owned()));
            return Ok(ControlFlow::Continue(()));
        }
        let parsed = parse(&words, command.options, command.choice)?;
        let input = Input { command, words, parsed };
        let answer = (command.run)(self, input)?;
        self.console.answer(&answer);
        Ok(ControlFlow::Continue(()))
    }

    fn show_history(&self) {
        let last = self.history.len().saturating_sub(1);
        for (number, line) in self.history.iter().enumerate().skip(last.saturating_sub(HISTORY_SHOWN)) {
            self.console.answer(&Answer::Line(format!("{number} - {line}")));
        }
    }

    /// Carries out a line once more. What that ends with is told, and does not count. Source: as `dispatch`.
    fn redo(&mut self, number: &str) -> Result<(), Trouble> {
        let number = decode(number).ok_or_else(|| Trouble::number(number))?;
        let current = self.history.len().saturating_sub(1);
        let line = usize::try_from(number).ok().filter(|&number| number < current);
        let Some(line) = line.and_then(|number| self.history.get(number)).cloned() else {
            return Err(Trouble::told("Command index out of range"));
        };
        let words = words(&line);
        if words.first().is_some_and(|name| name == "redo") {
            return Err(Trouble::told("No redoing redos"));
        }
        self.history[current].clone_from(&line);
        if let Err(trouble) = self.dispatch(words) {
            if matches!(trouble, Trouble::Uncaught(_)) {
                return Err(trouble);
            }
            self.console.trouble(&trouble);
        }
        Ok(())
    }

    fn reconnect(&mut self, server: &str) -> Result<(), Trouble> {
        if self.client.state().is_alive() {
            self.close();
        }
        server.clone_into(&mut self.host);
        let told = Arc::clone(&self.console);
        self.client = Rc::new(connect(&self.wishes, server, move |event| told.event(&event))?);
        self.identities.borrow_mut().clear();
        Ok(())
    }
}

/// `Integer.decode`: decimal, or hexadecimal or octal by its first signs.
fn decode(text: &str) -> Option<i32> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let (digits, radix) = match hexadecimal.or_else(|| digits.strip_prefix('#')) {
        Some(digits) => (digits, 16),
        None => match digits.strip_prefix('0').filter(|rest| !rest.is_empty()) {
            Some(digits) => (digits, 8),
            None => (digits, 10),
        },
    };
    i32::from_str_radix(&format!("{sign}{digits}"), radix).ok()
}

/// Opens a session, and waits for it when that is wished for. Source: `ZooKeeperMain#connectToZK`.
fn connect(
    wishes: &Wishes,
    server: &str,
    observer: impl FnMut(Event) + Send + 'static,
) -> Result<Client, Trouble> {
    let to = ConnectString::parse(server).map_err(|error| {
        let exception = match &error {
            AddressError::Port(text) => format!("NumberFormatException: {}", no_number(text)),
            AddressError::Chroot(_)
            | AddressError::Bracket(_)
            | AddressError::EmptyHost
            | AddressError::NoColon(_)
            | AddressError::NoPort(_)
            | AddressError::NoServer => format!("IllegalArgumentException: {error}"),
        };
        Trouble::Uncaught(format!("java.lang.{exception}"))
    })?;
    let timeout_ms: i32 = wishes.timeout.parse().map_err(|_| Trouble::number(&wishes.timeout))?;
    let timeout = Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
    let request_timeout =
        wishes.configuration.request_timeout().map_err(|error| Trouble::told(error.to_string()))?;
    let mut settings = Settings::new(to.servers.len());
    settings.timeout = timeout;
    settings.read_only = wishes.read_only;
    settings.keeps_watches = wishes.configuration.keeps_watches();
    let client = Client::open(&to, settings, request_timeout, observer)
        .map_err(|error| Trouble::told(format!("cannot start a session: {error}")))?;
    if wishes.waits && !client.wait_connected(timeout, false) {
        client.close(CLOSE_TIME_MAX);
        let cause =
            "org.apache.zookeeper.KeeperException$ConnectionLossException: KeeperErrorCode = ConnectionLoss";
        return Err(Trouble::Uncaught(format!("java.io.IOException: {cause}\nCaused by: {cause}")));
    }
    Ok(client)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_redo_are_decoded_like_java() {
        for (text, number) in
            [("7", 7), ("0x10", 16), ("#f", 15), ("010", 8), ("0", 0), ("-3", -3), ("+3", 3)]
        {
            assert_eq!(decode(text), Some(number), "{text}");
        }
        assert_eq!(decode("x"), None);
        assert_eq!(decode("08"), None);
    }
}
