//! The connection string: `host:port,host:port/chroot`.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::{Chroot, PathError, check_path};

/// The port of a server that names none.
const PORT: u16 = 2181;

/// A server as it was named. Its addresses are looked up at each dialling, since they change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Server {
    /// A name, or an address without brackets.
    pub host: String,
    /// The client port.
    pub port: u16,
}

/// A connection string taken apart.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConnectString {
    /// At least one.
    pub servers: Vec<Server>,
    /// Where the paths of this client begin.
    pub chroot: Chroot,
}

/// Why a text is no connection string. The texts are Java's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AddressError {
    /// The chroot is no path.
    Chroot(PathError),
    /// What stands where a port should be.
    Port(String),
    /// A bracket without its partner.
    Bracket(String),
    /// Nothing between the brackets.
    EmptyHost,
    /// Something else than a colon behind the brackets.
    NoColon(String),
    /// A colon behind the brackets and nothing more.
    NoPort(String),
    /// No server at all.
    NoServer,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chroot(error) => write!(f, "{error}"),
            Self::Port(text) => write!(f, "For input string: \"{text}\""),
            Self::Bracket(host) => write!(f, "{host} starts with '[' but has no matching ']'"),
            Self::EmptyHost => f.write_str(" is empty."),
            Self::NoColon(host) => write!(f, "{host} does not have : after ]"),
            Self::NoPort(host) => write!(f, "{host} doesn't have a port after colon."),
            Self::NoServer => f.write_str("A HostProvider may not be empty!"),
        }
    }
}

impl core::error::Error for AddressError {}

impl ConnectString {
    /// Takes `text` apart.
    ///
    /// # Errors
    /// [`AddressError`] for what Java throws an `IllegalArgumentException` for, and for ports that fit no socket.
    ///
    /// Source: `ConnectStringParser`, `NetUtils#getIPV6HostAndPort`.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (hosts, chroot) = match text.find('/') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        if chroot.len() > 1 {
            check_path(chroot).map_err(AddressError::Chroot)?;
        }
        let named = hosts.split(',').map(str::trim).filter(|host| !host.is_empty());
        let servers = named.map(server).collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() {
            return Err(AddressError::NoServer);
        }
        Ok(Self { servers, chroot: Chroot::new(chroot) })
    }
}

/// One `host`, `host:port`, `[v6]` or `[v6]:port`.
fn server(text: &str) -> Result<Server, AddressError> {
    if let Some(inner) = text.strip_prefix('[') {
        let (host, behind) = inner.rsplit_once(']').ok_or_else(|| AddressError::Bracket(text.to_owned()))?;
        if host.is_empty() {
            return Err(AddressError::EmptyHost);
        }
        let port = match behind.strip_prefix(':') {
            None if behind.is_empty() => PORT,
            None => return Err(AddressError::NoColon(text.to_owned())),
            Some("") => return Err(AddressError::NoPort(text.to_owned())),
            Some(digits) => port(digits)?,
        };
        return Ok(Server { host: host.to_owned(), port });
    }
    match text.rsplit_once(':') {
        // A colon at the end is passed over.
        Some((host, "")) => Ok(Server { host: host.to_owned(), port: PORT }),
        Some((host, digits)) => Ok(Server { host: host.to_owned(), port: port(digits)? }),
        None => Ok(Server { host: text.to_owned(), port: PORT }),
    }
}

fn port(digits: &str) -> Result<u16, AddressError> {
    digits.parse().map_err(|_| AddressError::Port(digits.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn parsed(text: &str) -> (Vec<(String, u16)>, String) {
        let string = ConnectString::parse(text).unwrap();
        let servers = string.servers.into_iter().map(|server| (server.host, server.port)).collect();
        (servers, string.chroot.server_path("/").into_owned())
    }

    #[test]
    fn servers_ports_and_chroot_are_found() {
        assert_eq!(parsed("a"), ([("a".into(), 2181)].into(), "/".into()));
        assert_eq!(parsed("a:1, b:2,c:/x/y").0, [("a".into(), 1), ("b".into(), 2), ("c".into(), 2181)]);
        assert_eq!(parsed("a:1,b:2/x/y").1, "/x/y");
        assert_eq!(parsed("a/").1, "/");
        assert_eq!(parsed("[::1]:7,[fe80::1]").0, [("::1".into(), 7), ("fe80::1".into(), 2181)]);
    }

    #[test]
    fn what_is_no_connection_string_is_told_in_words_of_java() {
        let told = |text: &str| ConnectString::parse(text).unwrap_err().to_string();
        assert_eq!(told("a:b"), "For input string: \"b\"");
        assert_eq!(told("[::1"), "[::1 starts with '[' but has no matching ']'");
        assert_eq!(told("[::1]:"), "[::1]: doesn't have a port after colon.");
        assert_eq!(told("a/x/"), "Path must not end with / character");
        assert_eq!(told("/x"), "A HostProvider may not be empty!");
    }
}
