//! Why a command did not do what it should, in the original's words.

use std::fmt;

use client::{Failure, PathError};
use proto::Code;

/// Why a command did not do what it should.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Something to tell on standard error, and the exit code when it was the last command.
    Told {
        /// The original's text.
        message: String,
        /// 1, or 127 for a command that does not exist.
        exit_code: i32,
    },
    /// Where the original dies with an uncaught exception: ends a script, but not a person's session.
    Uncaught(String),
    /// The person does not want to wait any longer.
    Interrupted,
}

impl Trouble {
    /// Something to tell; exit code 1.
    pub(crate) fn told(message: impl Into<String>) -> Self {
        Self::Told { message: message.into(), exit_code: 1 }
    }

    /// A number that is none where the original does not catch that.
    pub(crate) fn number(text: &str) -> Self {
        Self::Uncaught(format!("java.lang.NumberFormatException: {}", no_number(text)))
    }

    /// What a request about `path` ended with. Source: `CliWrapperException#getMessage`.
    pub(crate) fn request(failure: Failure, path: &str) -> Self {
        Self::of(failure, Some(path))
    }

    /// What a request without a path ended with.
    pub(crate) fn of(failure: Failure, path: Option<&str>) -> Self {
        if failure == Failure::Interrupted {
            return Self::Interrupted;
        }
        let shown = path.unwrap_or("null");
        let Failure::Refused(code) = failure else { return Self::told(keeper_message(failure, path)) };
        #[expect(clippy::wildcard_enum_match_arm, reason = "only these have a text of their own")]
        Self::told(match code {
            Code::NoNode => format!("Node does not exist: {shown}"),
            Code::NoChildrenForEphemerals => format!("Ephemerals cannot have children: {shown}"),
            Code::NodeExists => format!("Node already exists: {shown}"),
            Code::NotEmpty => format!("Node not empty: {shown}"),
            Code::NotReadOnly => format!("Not a read-only call: {shown}"),
            Code::InvalidAcl => format!("Acl is not valid : {shown}"),
            Code::NoAuth => format!("Insufficient permission : {shown}"),
            Code::BadArguments => format!("Arguments are not valid : {shown}"),
            Code::BadVersion => format!("version No is not valid : {shown}"),
            Code::ReconfigInProgress => {
                "Another reconfiguration is in progress -- concurrent reconfigs not supported (yet)".to_owned()
            }
            Code::NewConfigNoQuorum => "No quorum of new config is connected and up-to-date with the leader of last \
                                        commmitted config - try invoking reconfiguration after new servers are \
                                        connected and synced"
                .to_owned(),
            Code::QuotaExceeded => format!("Quota has exceeded : {shown}"),
            _ => keeper_message(failure, path),
        })
    }
}

/// The message of the exception itself. Source: `KeeperException#getMessage`.
pub(crate) fn keeper_message(failure: Failure, path: Option<&str>) -> String {
    match path.filter(|path| !path.is_empty()) {
        Some(path) => format!("KeeperErrorCode = {failure} for {path}"),
        None => format!("KeeperErrorCode = {failure}"),
    }
}

/// The message of `NumberFormatException`.
pub(crate) fn no_number(text: &str) -> String {
    format!("For input string: \"{text}\"")
}

impl From<PathError> for Trouble {
    fn from(error: PathError) -> Self {
        Self::told(error.to_string())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told { message, exit_code: _ } => f.write_str(message),
            Self::Uncaught(exception) => write!(f, "Exception in thread \"main\" {exception}"),
            Self::Interrupted => f.write_str("Interrupted"),
        }
    }
}
