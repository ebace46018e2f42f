//! The command line of the program.

use std::path::PathBuf;

use crate::configuration::Configuration;
use crate::console::Look;

/// What the program was called with.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// Where to connect to.
    pub(crate) server: String,
    /// As given; read as a number when it is used, as in the original.
    pub(crate) timeout: String,
    pub(crate) read_only: bool,
    pub(crate) waits: bool,
    pub(crate) configuration_file: Option<PathBuf>,
    pub(crate) look: Look,
    /// Whether a session is ended after a single command.
    pub(crate) closes: bool,
    /// Settings given as `-Dkey=value`.
    pub(crate) properties: Configuration,
    /// The single command; none for a shell.
    pub(crate) command: Vec<String>,
    /// What to tell before anything else: an option without its argument, options nobody knows.
    pub(crate) remarks: Vec<String>,
    /// What to answer and end, instead of anything else.
    pub(crate) question: Option<Question>,
}

/// What the program can be asked about itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Question {
    Help,
    Version,
}

impl Default for Invocation {
    fn default() -> Self {
        Self {
            server: "localhost:2181".to_owned(),
            timeout: "30000".to_owned(),
            read_only: false,
            waits: false,
            configuration_file: None,
            look: Look::Text,
            closes: false,
            properties: Configuration::default(),
            command: Vec::new(),
            remarks: Vec::new(),
            question: None,
        }
    }
}

/// An option of ours was given what it does not know.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct WrongValue(pub(crate) String);

impl Invocation {
    /// Reads the words behind the program's name: options, then the command with all of its words.
    ///
    /// Options that the original does not know are passed over as it does, but told. Source: `MyCommandOptions#parseOptions`.
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, WrongValue> {
        let mut invocation = Self::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            if !word.starts_with('-') {
                invocation.command.push(word);
                invocation.command.extend(words);
                break;
            }
            if let Some(property) = word.strip_prefix("-D") {
                let (key, value) = property.split_once('=').unwrap_or((property, ""));
                invocation.properties.set(key, value);
                continue;
            }
            match word.as_str() {
                "-r" => invocation.read_only = true,
                "-waitforconnection" => invocation.waits = true,
                "--close" => invocation.closes = true,
                "--help" | "-h" => invocation.question = Some(Question::Help),
                "--version" => invocation.question = Some(Question::Version),
                "-server" | "-timeout" | "-client-configuration" | "--output" => {
                    let Some(value) = words.next() else {
                        invocation.remarks.push(format!("Error: no argument found for option {word}"));
                        break;
                    };
                    invocation.take(&word, value)?;
                }
                _ => invocation
                    .remarks
                    .push(format!("Warning: {word} is no option of this shell and has no effect")),
            }
        }
        Ok(invocation)
    }

    fn take(&mut self, option: &str, value: String) -> Result<(), WrongValue> {
        match option {
            "-server" => self.server = value,
            "-timeout" => self.timeout = value,
            "-client-configuration" => self.configuration_file = Some(value.into()),
            _ => {
                self.look = match value.as_str() {
                    "text" => Look::Text,
                    "json" => Look::Json,
                    _ => return Err(WrongValue(format!("--output is text or json, not {value}"))),
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Invocation {
        Invocation::parse(line.split(' ').map(str::to_owned)).unwrap()
    }

    #[test]
    fn the_first_word_without_a_dash_is_the_command() {
        let invocation = read("-server a:1/x -timeout 5 -r -waitforconnection get -s /a -server b");
        assert_eq!((invocation.server.as_str(), invocation.timeout.as_str()), ("a:1/x", "5"));
        assert!(invocation.read_only && invocation.waits);
        assert_eq!(invocation.command, ["get", "-s", "/a", "-server", "b"]);
        assert!(invocation.remarks.is_empty());
    }

    #[test]
    fn what_is_no_option_is_told_and_passed_over() {
        let invocation = read("-cmd --output json ls /");
        assert_eq!(invocation.remarks.len(), 1);
        assert_eq!(
            (invocation.look, invocation.command),
            (Look::Json, vec!["ls".to_owned(), "/".to_owned()])
        );
        assert_eq!(read("-r -server").remarks, ["Error: no argument found for option -server"]);
        assert!(Invocation::parse(["--output".to_owned(), "xml".to_owned()]).is_err());
    }
}
