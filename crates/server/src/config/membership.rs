//! The members of an ensemble as the configuration tells them: `server.N`, `group.N`, `weight.N`, `version`.
//!
//! Source: `QuorumPeer.QuorumServer`, `QuorumMaj`, `QuorumHierarchical`, `ConfigUtils#getHostAndPort`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv6Addr;

use super::error::ConfigError;
use super::place::Setting;

/// All members, with weights where there are groups.
///
/// Shown as the data of `/zookeeper/config`: a line per member, then groups and weights, last `version=<hex>`
/// without a newline.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Membership {
    /// By id, which in Java is any decimal `long`.
    pub members: BTreeMap<i64, Member>,
    /// Group of each server, by id of the server; empty for a plain majority.
    pub groups: BTreeMap<i64, i64>,
    /// Weight of each server, by id; complete for participants when there are groups.
    pub weights: BTreeMap<i64, i64>,
    /// The zxid that activated it; 0 from a static file.
    pub version: i64,
}

/// Whether a member votes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Role {
    /// Counts for the quorum.
    #[default]
    Participant,
    /// Follows without a vote.
    Observer,
}

/// One `server.N` line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Member {
    /// One, or several with `multiAddress.enabled`.
    pub addresses: Vec<MemberAddress>,
    /// Participant unless told otherwise.
    pub role: Role,
    /// Where it serves clients, if the line says so.
    pub client: Option<HostPort>,
}

/// Where other members reach a member.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct MemberAddress {
    /// Name or address, IPv6 without brackets.
    pub host: String,
    /// Followers connect here while it leads.
    pub quorum_port: u16,
    /// Votes are exchanged here.
    pub election_port: u16,
}

/// A host, as written, and a port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostPort {
    /// Name or address, IPv6 without brackets.
    pub host: String,
    /// 0 to 65535.
    pub port: u16,
}

/// What is wrong with a membership line. The texts are Java's.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MemberProblem {
    /// The id, the group or a weight is no decimal number.
    #[error("For input string: \"{0}\"")]
    NotANumber(String),
    /// Not `host:port:port[:role]`.
    #[error(
        "{0} does not have the form server_config or server_config;client_config where server_config is the pipe \
         separated list of host:port:port or host:port:port:type and client_config is port or host:port"
    )]
    WrongForm(String),
    /// A port that is no number.
    #[error("Address unresolved: {host}:{port}")]
    PortNotANumber {
        /// The host beside it.
        host: String,
        /// What stands for the port.
        port: String,
    },
    /// A port above 65535 or below 0.
    #[error("port out of range:{0}")]
    PortOutOfRange(i32),
    /// Quorum and election on one port.
    #[error("Client and election port must be different! Please update the configuration file on server.{0}")]
    SamePorts(i64),
    /// A role that is none.
    #[error("Unrecognised peertype: {0}")]
    Role(String),
    /// Several addresses without the property that allows them.
    #[error("Multiple address feature is disabled, but multiple addresses were specified for sid {0}")]
    SeveralAddresses(i64),
    /// The addresses of one member have different roles.
    #[error("Multiple addresses should have similar roles: {0} vs {1}")]
    DifferentRoles(&'static str, &'static str),
    /// `[::1` without its end.
    #[error("{0} starts with '[' but has no matching ']:'")]
    NoClosingBracket(String),
    /// `[::1]:` without a port.
    #[error("{0} doesn't have a port after colon")]
    NoPortAfterColon(String),
}

impl MemberProblem {
    /// What the operator should write instead.
    pub(crate) fn cure(&self) -> &'static str {
        match self {
            Self::NotANumber(_) => {
                "write server.<number>, group.<number>=<number>:<number> or weight.<number>=<number>"
            }
            Self::SeveralAddresses(_) => {
                "leave one address, or start with -Dzookeeper.multiAddress.enabled=true; the key in the file is not enough"
            }
            Self::WrongForm(_)
            | Self::PortNotANumber { .. }
            | Self::PortOutOfRange(_)
            | Self::SamePorts(_)
            | Self::Role(_)
            | Self::DifferentRoles(..)
            | Self::NoClosingBracket(_)
            | Self::NoPortAfterColon(_) => {
                "write server.1=host:2888:3888[:participant|:observer][;[host:]2181], IPv6 in [ ], no blank at the end"
            }
        }
    }
}

/// Whether a key belongs to the membership. Java goes by the beginning alone.
pub(crate) fn is_membership_key(key: &str) -> bool {
    key.starts_with("server.") || is_group_key(key)
}

fn is_group_key(key: &str) -> bool {
    key.starts_with("group") || key.starts_with("weight")
}

impl Membership {
    /// Reads the membership lines among `settings`; others are passed over.
    ///
    /// * `multi_address`: the property `zookeeper.multiAddress.enabled`.
    ///
    /// # Errors
    /// [`ConfigError::Member`], [`ConfigError::NotInAGroup`], [`ConfigError::InMultipleGroups`].
    pub(crate) fn read(settings: &[Setting], multi_address: bool) -> Result<Self, ConfigError> {
        let hierarchical = settings.iter().any(|setting| is_group_key(&setting.key));
        let mut membership = Self::default();
        for setting in settings {
            let at = |problem| ConfigError::Member { at: setting.clone(), problem: Box::new(problem) };
            let number = setting.key.split_once('.').map_or(setting.key.as_str(), |(_, number)| number);
            if setting.key.starts_with("server.") {
                let sid = long(number).map_err(at)?;
                let member = Member::parse(sid, &setting.value, multi_address).map_err(at)?;
                membership.members.insert(sid, member);
            } else if setting.key.starts_with("group") {
                let group = long(number).map_err(at)?;
                for sid in java_split(&setting.value, ':') {
                    let sid = long(sid).map_err(at)?;
                    if membership.groups.insert(sid, group).is_some() {
                        return Err(ConfigError::InMultipleGroups { at: setting.clone(), sid });
                    }
                }
            } else if setting.key.starts_with("weight") {
                let sid = long(number).map_err(at)?;
                membership.weights.insert(sid, long(&setting.value).map_err(at)?);
            }
        }
        if hierarchical {
            membership.complete_groups(settings)?;
        }
        Ok(membership)
    }

    /// Every participant must be in a group; who has no weight weighs 1.
    fn complete_groups(&mut self, settings: &[Setting]) -> Result<(), ConfigError> {
        for (&sid, member) in &self.members {
            if member.role == Role::Participant {
                if !self.groups.contains_key(&sid) {
                    let at = Self::line_of(settings, sid);
                    return Err(ConfigError::NotInAGroup { at, sid });
                }
                self.weights.entry(sid).or_insert(1);
            }
        }
        Ok(())
    }

    /// The setting that made member `sid`.
    pub(crate) fn line_of(settings: &[Setting], sid: i64) -> Setting {
        let is_it = |setting: &&Setting| {
            setting.key.strip_prefix("server.").is_some_and(|number| long(number) == Ok(sid))
        };
        settings.iter().rev().find(is_it).expect("a member comes from a line").clone()
    }

    /// The ids of one role, ascending.
    pub fn with_role(&self, role: Role) -> impl Iterator<Item = i64> + '_ {
        self.members.iter().filter(move |(_, member)| member.role == role).map(|(&sid, _)| sid)
    }
}

impl Member {
    /// Source: `QuorumServer#initializeWithAddressString`, with its order of checks.
    fn parse(sid: i64, text: &str, multi_address: bool) -> Result<Self, MemberProblem> {
        let wrong_form = || MemberProblem::WrongForm(text.to_owned());
        let parts = java_split(text, ';');
        let servers = java_split(parts.first().ok_or_else(wrong_form)?, '|');
        let client = match parts.get(1) {
            Some(client) if parts.len() == 2 => Some(HostPort::parse(client)?.ok_or_else(wrong_form)?),
            _ => None,
        };
        if servers.len() > 1 && !multi_address {
            return Err(MemberProblem::SeveralAddresses(sid));
        }
        if parts.len() > 2 || servers.is_empty() {
            return Err(wrong_form());
        }
        let mut member = Self { addresses: Vec::new(), role: Role::Participant, client };
        let mut role = None;
        for server in servers {
            let fields = host_and_ports(server)?;
            let [host, quorum, election, rest @ ..] = fields.as_slice() else { return Err(wrong_form()) };
            let address = MemberAddress {
                host: host.clone(),
                quorum_port: port(host, quorum)?,
                election_port: port(host, election)?,
            };
            if address.quorum_port == address.election_port {
                return Err(MemberProblem::SamePorts(sid));
            }
            member.addresses.push(address);
            match rest {
                [] => {}
                [text] => {
                    let this = Role::parse(text)?;
                    let first = *role.get_or_insert(this);
                    if first != this {
                        return Err(MemberProblem::DifferentRoles(
                            Role::Participant.java_name(),
                            this.java_name(),
                        ));
                    }
                }
                _ => return Err(wrong_form()),
            }
        }
        member.role = role.unwrap_or_default();
        Ok(member)
    }
}

impl Role {
    fn parse(text: &str) -> Result<Self, MemberProblem> {
        match text.trim().to_lowercase().as_str() {
            "participant" => Ok(Self::Participant),
            "observer" => Ok(Self::Observer),
            _ => Err(MemberProblem::Role(text.to_owned())),
        }
    }

    /// The name of Java's constant, as its log lines show it.
    pub fn java_name(self) -> &'static str {
        match self {
            Self::Participant => "PARTICIPANT",
            Self::Observer => "OBSERVER",
        }
    }
}

impl HostPort {
    /// `host:port`, or a port alone for all interfaces; `None` for more or fewer fields.
    fn parse(text: &str) -> Result<Option<Self>, MemberProblem> {
        let fields = host_and_ports(text)?;
        let (host, number) = match fields.as_slice() {
            [number] => ("0.0.0.0", number),
            [host, number] => (host.as_str(), number),
            _ => return Ok(None),
        };
        // Java has not read the host of the server yet and prints null for it.
        let port = port("null", number)?;
        Ok(Some(Self { host: host.to_owned(), port }))
    }
}

/// The fields between colons, the first one perhaps an IPv6 address in brackets, which are removed.
fn host_and_ports(text: &str) -> Result<Vec<String>, MemberProblem> {
    let Some(inside) = text.strip_prefix('[') else {
        return Ok(java_split(text, ':').into_iter().map(str::to_owned).collect());
    };
    let Some((host, rest)) = inside.split_once(']') else {
        return Err(MemberProblem::NoClosingBracket(text.to_owned()));
    };
    let mut fields = vec![host.to_owned()];
    // Java skips the character behind the bracket, whatever it is.
    let mut rest = rest.chars();
    if rest.next().is_some() {
        if rest.as_str().is_empty() {
            return Err(MemberProblem::NoPortAfterColon(text.to_owned()));
        }
        fields.extend(java_split(rest.as_str(), ':').into_iter().map(str::to_owned));
    }
    Ok(fields)
}

fn port(host: &str, text: &str) -> Result<u16, MemberProblem> {
    let unresolved = || MemberProblem::PortNotANumber { host: host.to_owned(), port: text.to_owned() };
    let number: i32 = text.parse().map_err(|_| unresolved())?;
    u16::try_from(number).map_err(|_| MemberProblem::PortOutOfRange(number))
}

fn long(text: &str) -> Result<i64, MemberProblem> {
    text.parse().map_err(|_| MemberProblem::NotANumber(text.to_owned()))
}

/// `String.split` of Java: empty pieces at the end are dropped, an empty text is one empty piece.
fn java_split(text: &str, separator: char) -> Vec<&str> {
    if text.is_empty() {
        return vec![text];
    }
    let mut pieces: Vec<_> = text.split(separator).collect();
    while pieces.last().is_some_and(|piece| piece.is_empty()) {
        pieces.pop();
    }
    pieces
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", Bracketed(&self.host), self.port)
    }
}

/// An IPv6 address in brackets, with all its zeroes, as `Inet6Address#getHostAddress` writes it.
struct Bracketed<'a>(&'a str);

impl fmt::Display for Bracketed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.parse::<Ipv6Addr>() {
            Ok(address) => {
                let [a, b, c, d, e, g, h, i] = address.segments();
                write!(f, "[{a:x}:{b:x}:{c:x}:{d:x}:{e:x}:{g:x}:{h:x}:{i:x}]")
            }
            Err(_) if self.0.contains(':') => write!(f, "[{}]", self.0),
            Err(_) => f.write_str(self.0),
        }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut addresses = self.addresses.clone();
        addresses.sort_by(|a, b| a.host.cmp(&b.host));
        for (at, address) in addresses.iter().enumerate() {
            let bar = if at == 0 { "" } else { "|" };
            write!(f, "{bar}{}:{}:{}", Bracketed(&address.host), address.quorum_port, address.election_port)?;
        }
        f.write_str(match self.role {
            Role::Participant => ":participant",
            Role::Observer => ":observer",
        })?;
        self.client.iter().try_for_each(|client| write!(f, ";{client}"))
    }
}

impl fmt::Display for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (sid, member) in &self.members {
            writeln!(f, "server.{sid}={member}")?;
        }
        if !self.groups.is_empty() {
            let mut groups: BTreeMap<i64, Vec<String>> = BTreeMap::new();
            for (sid, group) in &self.groups {
                groups.entry(*group).or_default().push(sid.to_string());
            }
            for (group, sids) in groups {
                writeln!(f, "group.{group}={}", sids.join(":"))?;
            }
            for (sid, weight) in &self.weights {
                writeln!(f, "weight.{sid}={weight}")?;
            }
        }
        write!(f, "version={:x}", self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Place;

    fn read(lines: &[(&str, &str)]) -> Membership {
        let setting = |(key, value): &(&str, &str)| Setting::from_file(key, value, Place::CommandLine);
        let settings: Vec<_> = lines.iter().map(setting).collect();
        Membership::read(&settings, true).unwrap()
    }

    #[test]
    fn the_text_is_that_of_the_config_znode() {
        let mut membership = read(&[
            ("server.2", "b:3:4:observer;2181"),
            ("server.1", "b:1:2|a:1:2;[::1]:2181"),
            ("server.10", "[fe80::1]:5:6"),
        ]);
        membership.version = 0x1_0000_0000;
        let expected = "server.1=a:1:2|b:1:2:participant;[0:0:0:0:0:0:0:1]:2181\n\
                        server.2=b:3:4:observer;0.0.0.0:2181\n\
                        server.10=[fe80:0:0:0:0:0:0:1]:5:6:participant\n\
                        version=100000000";
        assert_eq!(membership.to_string(), expected);
    }

    #[test]
    fn groups_and_weights_follow_the_members() {
        let membership = read(&[
            ("server.1", "a:1:2"),
            ("server.2", "b:1:2"),
            ("server.3", "c:1:2:observer"),
            ("group.1", "1:2"),
            ("weight.2", "5"),
        ]);
        let text = membership.to_string();
        assert!(text.ends_with("group.1=1:2\nweight.1=1\nweight.2=5\nversion=0"), "{text}");
        assert_eq!(membership.with_role(Role::Participant).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn java_splits_without_empty_ends() {
        let cases: [(&str, &[&str]); 4] = [("", &[""]), (":", &[]), ("a::", &["a"]), (":a", &["", "a"])];
        for (text, pieces) in cases {
            assert_eq!(java_split(text, ':'), pieces, "{text:?}");
        }
    }
}
