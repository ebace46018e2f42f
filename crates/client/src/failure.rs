//! Why a request has no result.

use core::fmt;

use proto::{Code, DecodeError};

/// Why a request has no result.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Failure {
    /// The server refused it, or the session is over (`SessionExpired`, `AuthFailed`).
    Refused(Code),
    /// The server refused it with a code that is new to us.
    Unknown(i32),
    /// The connection went away first: a write may have happened or not.
    ConnectionLoss,
    /// No answer in the time that was set for it: a write may have happened or not.
    RequestTimeout,
    /// The user does not want to wait any longer: a write may have happened or not.
    Interrupted,
    /// The answer cannot be understood.
    Garbled,
}

impl Failure {
    /// What a number in a reply header means.
    #[must_use]
    pub fn from_number(number: i32) -> Self {
        Code::from_number(number).map_or(Self::Unknown(number), Self::Refused)
    }

    /// The number Java's client gives it, where it has one.
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            Self::Refused(code) => code.number(),
            Self::Unknown(number) => number,
            Self::ConnectionLoss => -4,
            Self::RequestTimeout => -122,
            Self::Interrupted => -1,
            Self::Garbled => Code::MarshallingError.number(),
        }
    }
}

impl From<DecodeError> for Failure {
    fn from(_: DecodeError) -> Self {
        Self::Garbled
    }
}

impl core::error::Error for Failure {}

impl fmt::Display for Failure {
    /// The name Java gives the code. Source: `KeeperException#getCodeMessage`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = match self {
            Self::Refused(code) => *code,
            Self::Unknown(number) => return write!(f, "Unknown error {number}"),
            Self::ConnectionLoss => return f.write_str("ConnectionLoss"),
            Self::RequestTimeout => return f.write_str("Unknown error -122"),
            Self::Interrupted => return f.write_str("Interrupted"),
            Self::Garbled => Code::MarshallingError,
        };
        f.write_str(match code {
            Code::Ok => "ok",
            Code::RuntimeInconsistency => "RuntimeInconsistency",
            Code::MarshallingError => "MarshallingError",
            Code::Unimplemented => "Unimplemented",
            Code::BadArguments => "BadArguments",
            Code::UnknownSession => "Unknown error -12",
            Code::NewConfigNoQuorum => "NewConfigNoQuorum",
            Code::ReconfigInProgress => "ReconfigInProgress",
            Code::NoNode => "NoNode",
            Code::NoAuth => "NoAuth",
            Code::BadVersion => "BadVersion",
            Code::NoChildrenForEphemerals => "NoChildrenForEphemerals",
            Code::NodeExists => "NodeExists",
            Code::NotEmpty => "Directory not empty",
            Code::SessionExpired => "Session expired",
            Code::InvalidAcl => "InvalidACL",
            Code::AuthFailed => "AuthFailed",
            Code::SessionMoved => "Session moved",
            Code::NotReadOnly => "Not a read-only call",
            Code::EphemeralOnLocalSession => "Ephemeral node on local session",
            Code::NoWatcher => "No such watcher",
            Code::ReconfigDisabled => "Reconfig is disabled",
            Code::SessionClosedRequireSaslAuth => "Session closed because client failed to authenticate",
            Code::QuotaExceeded => "Quota has exceeded",
            Code::ThrottledOp => "Op throttled due to high load",
        })
    }
}
