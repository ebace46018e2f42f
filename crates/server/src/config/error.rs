//! Why a configuration cannot be used. Every message has Java's sentence, the place, and the cure.

use std::io;
use std::path::PathBuf;

use super::membership::MemberProblem;
use super::place::Setting;

/// Why the server does not start. The process leaves with [`ConfigError::exit_code`].
///
/// Source: `QuorumPeerConfig`, `QuorumPeer.QuorumServer`, `AuthenticationHelper`; the sentences before the brackets are
/// theirs, because operators search for them.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Too many words, or an unknown option. Source: `QuorumPeerMain#main`.
    #[error("{USAGE}\n({problem})")]
    Usage {
        /// What is wrong with the words.
        problem: String,
    },
    /// The file named on the command line or in `dynamicConfigFile` does not exist.
    #[error("{} file is missing (name a file that exists; conf/zoo_sample.cfg is one to start from)", path.display())]
    FileMissing {
        /// As it was named.
        path: PathBuf,
    },
    /// It exists and cannot be read.
    #[error("Error processing {}: {source} (make it readable for the user of the server)", path.display())]
    FileUnreadable {
        /// As it was named.
        path: PathBuf,
        /// The answer of the system.
        source: io::Error,
    },
    /// A `\u` without four hexadecimal digits.
    #[error(
        "Error processing {}: Malformed \\uxxxx encoding. (line {line}: write \\\\ for a backslash)", path.display()
    )]
    MalformedUnicode {
        /// As it was named.
        path: PathBuf,
        /// From 1.
        line: u32,
    },
    /// A key that wants a whole number of 32 bits (64 for some) has something else.
    #[error("For input string: \"{}\" ({at}; write a decimal number)", at.value)]
    NotANumber {
        /// The key.
        at: Setting,
    },
    /// A key that wants `true` or `false` has something else.
    #[error("Invalid option {} for {}. Choose 'true' or 'false.' ({at})", at.value, at.key)]
    NotABoolean {
        /// The key.
        at: Setting,
    },
    /// `electionAlg` other than 3.
    #[error("Invalid electionAlg value. Only 3 is supported. ({at}; remove the line)")]
    ElectionAlg {
        /// The key.
        at: Setting,
    },
    /// `peerType` other than observer and participant.
    #[error("Unrecognised peertype: {} ({at}; write participant or observer)", at.value)]
    PeerType {
        /// The key.
        at: Setting,
    },
    /// Membership in a static file that names a dynamic one.
    #[error(
        "parameter: {} must be in a separate dynamic config file ({at}; move the line to the file that \
         dynamicConfigFile names)", at.key
    )]
    MustBeInDynamicFile {
        /// The key.
        at: Setting,
    },
    /// `quorum.auth.serverRequireSasl` or `learnerRequireSasl` without what they build on.
    #[error("{needs} is disabled, so cannot enable {} ({at}; write {needs}=true too, or remove this line)", at.key)]
    QuorumSasl {
        /// The key that is on.
        at: Setting,
        /// The key that is off.
        needs: &'static str,
    },
    /// No `dataDir`.
    #[error("dataDir is not set ({file}: add a line dataDir=<folder>)")]
    DataDirNotSet {
        /// Where it was looked for.
        file: String,
    },
    /// `clientPortAddress` without `clientPort`, or the same with `secure`.
    #[error("{} is set but {port_key} is not set ({at}; add {port_key}, or remove this line)", at.key)]
    AddressWithoutPort {
        /// The address.
        at: Setting,
        /// The key of its port.
        port_key: &'static str,
    },
    /// A port that is no port.
    #[error("port out of range:{} ({at}; ports are 0 to 65535)", at.value)]
    PortOutOfRange {
        /// The key.
        at: Setting,
    },
    /// A host name without an address.
    #[error(
        "{host}: Name or service not known ({at}; write an address of this machine, or correct the name)"
    )]
    AddressUnknown {
        /// The key.
        at: Setting,
        /// The name.
        host: String,
    },
    /// `ssl.authProvider` without an `authProvider.<scheme>`.
    #[error(
        "No auth provider configured for the SSL authentication scheme '{}'. ({at}; remove the line, or name the \
         class in authProvider.{})", at.value, at.value
    )]
    NoSslAuthProvider {
        /// The key.
        at: Setting,
    },
    /// `tickTime=0`.
    #[error("tickTime is not set ({at}; write the milliseconds of one tick, 2000 is usual)")]
    TickTimeNotSet {
        /// The key.
        at: Setting,
    },
    /// A time below zero where Java checks nothing and then misbehaves.
    #[error("{} must not be negative ({at})", at.key)]
    NegativeTime {
        /// The key.
        at: Setting,
    },
    /// The negotiation bounds are crossed.
    #[error(
        "minSessionTimeout must not be larger than maxSessionTimeout ({file}: {min_ms} ms and {max_ms} ms; they are \
         2 and 20 ticks unless set)"
    )]
    SessionTimeoutsCrossed {
        /// Where they come from.
        file: String,
        /// The lower bound in milliseconds.
        min_ms: i64,
        /// The upper bound in milliseconds.
        max_ms: i64,
    },
    /// A metrics provider that does not exist.
    #[error("metrics provider class was not found ({at}; remove the line)")]
    MetricsProvider {
        /// The key.
        at: Setting,
    },
    /// A membership line that cannot be read.
    #[error("{problem} ({at}; {})", problem.cure())]
    Member {
        /// The key.
        at: Setting,
        /// What is wrong with it.
        problem: Box<MemberProblem>,
    },
    /// A participant without a group where there are groups.
    #[error("Server {sid}is not in a group ({at}; add {sid} to one of the group lines)")]
    NotInAGroup {
        /// The line of the server.
        at: Setting,
        /// Its id.
        sid: i64,
    },
    /// A server in two groups.
    #[error("Server {sid}is in multiple groups ({at}; leave it in one)")]
    InMultipleGroups {
        /// The second group.
        at: Setting,
        /// The id of the server.
        sid: i64,
    },
    /// A key in the dynamic file that is no membership.
    #[error("Unrecognised parameter: {} ({at}; only server, group and weight lines may stand here)", at.key)]
    UnrecognisedParameter {
        /// The key.
        at: Setting,
    },
    /// `version` in the dynamic file; its name has the version.
    #[error("dynamic file shouldn't have version inside ({at}; remove the line)")]
    VersionInside {
        /// The key.
        at: Setting,
    },
    /// Static and dynamic client address of this server differ.
    #[error(
        "client address for this server (id = {sid}) in static config file is {fixed} is different from client \
         address found in dynamic file: {member} ({at}; make them equal, or remove clientPort)"
    )]
    ClientAddressDiffers {
        /// The line of the server.
        at: Box<Setting>,
        /// Its id.
        sid: i64,
        /// From `clientPort` and `clientPortAddress`.
        fixed: String,
        /// From the line.
        member: String,
    },
    /// `standaloneEnabled=false` without participants.
    #[error(
        "standaloneEnabled = false then number of participants should be >0 ({at}; add server lines, or remove it)"
    )]
    NoParticipants {
        /// The key.
        at: Setting,
    },
    /// Only observers.
    #[error("Observers w/o participants is an invalid configuration ({at}; add participants)")]
    ObserversWithoutParticipants {
        /// The first observer.
        at: Setting,
    },
    /// Observers of one participant.
    #[error(
        "Observers w/o quorum is an invalid configuration ({at}; add participants, or write standaloneEnabled=false)"
    )]
    ObserversWithoutQuorum {
        /// The first observer.
        at: Setting,
    },
    /// `initLimit` or `syncLimit` missing in an ensemble.
    #[error(
        "{key} is not set ({file}: an ensemble needs it; 10 for initLimit and 5 for syncLimit are usual)"
    )]
    LimitNotSet {
        /// Which one.
        key: &'static str,
        /// Where it was looked for.
        file: String,
    },
    /// An ensemble without `myid`.
    #[error("myid file is missing (write the id of this server into {})", path.display())]
    MyIdMissing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The first line of `myid` is no decimal number.
    #[error("serverid {text} is not a number ({}: write the id alone, without blanks)", path.display())]
    MyIdNotANumber {
        /// The file.
        path: PathBuf,
        /// Its first line; `null` for an empty file, as in Java.
        text: String,
    },
    /// The id of this server has no line. Source: `QuorumPeer#start`.
    #[error(
        "My id {sid} not in the peer list ({}: correct the id, or add a line server.{sid}= on every member)",
        path.display()
    )]
    NotInMembership {
        /// The file of the id.
        path: PathBuf,
        /// The id.
        sid: i64,
    },
    /// A session id has one byte for the member that opened it. Source: `EphemeralType#validateServerId`.
    #[error(
        "Server ID is too large. Cannot be larger than {max} ({}: give this member an id from 0 to {max}; with \
         extendedTypesEnabled the largest is 254, else 255)", path.display()
    )]
    MyIdTooLarge {
        /// The file of the id.
        path: PathBuf,
        /// The largest that can be.
        max: i64,
    },
    /// A key that asks for something that is not built, where ignoring it would change safety, security or results.
    #[error("{} is not part of this build ({at}; {cure})", at.key)]
    Refused {
        /// The key.
        at: Setting,
        /// What to do instead.
        cure: &'static str,
    },
    /// The same in an ensemble; a standalone server may have the key.
    #[error("{} is not part of this build's ensembles ({at}; {cure})", at.key)]
    RefusedInEnsemble {
        /// The key.
        at: Setting,
        /// What to do instead.
        cure: &'static str,
    },
    /// `enforce.auth.enabled` without schemes.
    #[error(
        "zookeeper.enforce.auth.enabled is true zookeeper.enforce.auth.schemes must be  configured. ({at}; add \
         enforce.auth.schemes=digest, for instance)"
    )]
    NoAuthSchemes {
        /// The key.
        at: Setting,
    },
    /// `enforce.auth.schemes` names a scheme that is not registered.
    #[error(
        "Authentication scheme {scheme} is not available. ({at}; name schemes that are, such as digest or ip)"
    )]
    AuthSchemeUnavailable {
        /// The key.
        at: Setting,
        /// The scheme.
        scheme: String,
    },
    /// `DigestAuthenticationProvider.digestAlg` is unknown.
    #[error(
        "don't support this ACL digest algorithm: {} in the current environment ({at}; SHA1 is the default, SHA-256, \
         SHA-384, SHA-512, SHA3-256 and MD5 are known too)", at.value
    )]
    DigestAlgorithm {
        /// The key.
        at: Setting,
    },
}

/// What a wrong command line is answered with. Source: `ZooKeeperServerMain`.
pub const USAGE: &str = "Usage: ZooKeeperServerMain configfile | port datadir [ticktime] [maxcnxns]";

impl ConfigError {
    /// Java's exit code: 2 for invalid arguments or configuration, 1 for what only the start finds.
    ///
    /// Source: `ExitCode.INVALID_INVOCATION`, `ExitCode.UNEXPECTED_ERROR`.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if matches!(self, Self::NotInMembership { .. } | Self::MyIdTooLarge { .. }) { 1 } else { 2 }
    }
}
