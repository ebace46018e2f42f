//! The commands: a table, and one function each.

mod acl;
mod ensemble;
mod quota;
mod session;
mod table;
mod watch;
mod znode;

use std::fmt::Write;

use proto::{Acl, AclList};

use crate::answer::Answer;
use crate::options::{Choice, Opt, Parsed, listed};
use crate::shell::Shell;
use crate::trouble::Trouble;

pub(crate) use table::COMMANDS;

/// One command.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    /// The words behind the name, in the original's form.
    pub(crate) usage: &'static str,
    /// All options, those of ours included.
    pub(crate) options: &'static [Opt],
    /// How many of them the usage lists: `get` and `set` alone do.
    pub(crate) listed: usize,
    pub(crate) choice: Choice,
    pub(crate) run: fn(&Shell, Input) -> Result<Answer, Trouble>,
    /// What it does, for commands that the original does not have.
    pub(crate) ours: Option<&'static str>,
}

/// The words of a command.
pub(crate) struct Input {
    pub(crate) command: &'static Command,
    /// As typed.
    pub(crate) words: Vec<String>,
    pub(crate) parsed: Parsed,
}

impl Input {
    /// The word at this place behind the command, options not counted; the usage as trouble when it is missing.
    pub(crate) fn arg(&self, place: usize) -> Result<&str, Trouble> {
        self.parsed.args.get(place).map(String::as_str).ok_or_else(|| self.usage_error())
    }

    /// The same where it may be missing.
    pub(crate) fn arg_if_any(&self, place: usize) -> Option<&str> {
        self.parsed.args.get(place).map(String::as_str)
    }

    /// The usage as trouble.
    pub(crate) fn usage_error(&self) -> Trouble {
        Trouble::told(self.command.usage_text())
    }

    /// A number that the original parses without catching what goes wrong.
    pub(crate) fn version(&self) -> Result<i32, Trouble> {
        match self.parsed.value("v") {
            Some(text) => text.parse().map_err(|_| Trouble::number(text)),
            None => Ok(-1),
        }
    }

    /// The form before 3.5, `get path watch`: the third word as typed becomes `-w`, whichever word it is.
    pub(crate) fn accept_watch_word(mut self, shell: &Shell, now: &str) -> Result<Self, Trouble> {
        if self.parsed.args.len() > 2 {
            let name = self.command.name;
            shell.console.error(&format!(
                "'{name} path [watch]' has been deprecated. Please use '{name} {now} path' instead."
            ));
            self.words[2] = "-w".to_owned();
            self.parsed = crate::options::parse(&self.words, self.command.options, self.command.choice)?;
        }
        Ok(self)
    }
}

impl Command {
    /// Source: `CommandUsageHelper#getUsage`.
    fn usage_text(&self) -> String {
        let mut text = format!("{} {}", self.name, self.usage);
        if self.listed > 0 {
            text.push('\n');
            text.push_str(&listed(&self.options[..self.listed]));
        }
        text
    }
}

/// Commands that need no session: their name and the words behind it.
const WITHOUT_SESSION: [(&str, &str); 5] =
    [("connect", "host:port"), ("history", ""), ("printwatches", "on|off"), ("quit", ""), ("redo", "cmdno")];

/// The command of this name.
pub(crate) fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// The names of all commands, sorted.
pub(crate) fn names() -> Vec<&'static str> {
    let others = WITHOUT_SESSION.iter().map(|(name, _)| *name).chain(["help"]);
    let mut names: Vec<&str> = COMMANDS.iter().map(|command| command.name).chain(others).collect();
    names.sort_unstable();
    names
}

/// What the original prints for a command it does not know. Source: `ZooKeeperMain#usage`.
pub(crate) fn usage() -> String {
    let theirs = COMMANDS.iter().filter(|command| command.ours.is_none());
    let mut all: Vec<(&str, &str)> = theirs.map(|command| (command.name, command.usage)).collect();
    all.extend(WITHOUT_SESSION);
    all.sort_unstable();
    let first = "ZooKeeper -server host:port -client-configuration properties-file cmd args\n".to_owned();
    all.into_iter().fold(first, |mut text, (name, words)| {
        let _ = writeln!(text, "\t{name} {words}");
        text
    })
}

/// `help`, which the original does not have.
pub(crate) fn help(topic: Option<&str>) -> Result<String, Trouble> {
    if let Some(topic) = topic {
        let command = find(topic).ok_or_else(|| Trouble::told(format!("there is no command {topic}")))?;
        let about = command.ours.map(|about| format!("{about}\n")).unwrap_or_default();
        return Ok(format!("{} {}\n{about}{}", command.name, command.usage, listed(command.options)));
    }
    let mut text = usage();
    let ours = COMMANDS.iter().filter_map(|command| command.ours.map(|about| (command, about)));
    text.push_str(
        "Beyond the original (`help COMMAND` lists all options of any command):\n\thelp [command]\n",
    );
    for (command, about) in ours {
        let _ = writeln!(text, "\t{} {}\n\t\t{about}", command.name, command.usage);
    }
    Ok(text)
}

/// An access control list as typed. What is wrong in it is told and left out. Source: `AclParser`.
pub(crate) fn parse_acl(shell: &Shell, text: &str) -> AclList {
    let mut entries: Vec<&str> = text.split(',').collect();
    while entries.len() > 1 && entries.last().is_some_and(|last| last.is_empty()) {
        entries.pop();
    }
    let mut acl = AclList::new();
    for entry in entries {
        let parts = entry
            .split_once(':')
            .and_then(|(scheme, rest)| rest.rsplit_once(':').map(|(id, perms)| (scheme, id, perms)));
        let Some((scheme, id, perms)) = parts else {
            shell.console.error(&format!("{entry} does not have the form scheme:id:perm"));
            continue;
        };
        let perms = perms.chars().fold(0, |perms, letter| perms | perm(shell, letter));
        acl.push(Acl { perms, id: proto::Id::new(scheme, id) }.into_owned());
    }
    acl
}

fn perm(shell: &Shell, letter: char) -> i32 {
    use proto::Perms;
    match letter {
        'r' => Perms::READ.0,
        'w' => Perms::WRITE.0,
        'c' => Perms::CREATE.0,
        'd' => Perms::DELETE.0,
        'a' => Perms::ADMIN.0,
        _ => {
            shell.console.error(&format!("Unknown perm type: {letter}"));
            0
        }
    }
}
