//! What `conf` and `dirs` show.

use alloc::string::String;
use alloc::vec::Vec;

use proto::Sid;

/// The configuration in effect, by an allow-list: no secret can come out here. Source: `ZooKeeperServer#dumpConf`.
#[derive(Clone, Debug)]
pub struct ConfigView {
    /// Plain client port.
    pub client_port: Option<u16>,
    /// TLS client port.
    pub secure_client_port: Option<u16>,
    /// Absolute path of the snapshots, `version-2` included.
    pub data_dir: String,
    /// Absolute path of the logs, `version-2` included.
    pub data_log_dir: String,
    /// Sizes of the two.
    pub sizes: DirectorySizes,
    /// Milliseconds.
    pub tick_time: u32,
    /// Connections per address; 0 is no limit.
    pub max_client_cnxns: u32,
    /// Milliseconds.
    pub min_session_timeout: u32,
    /// Milliseconds.
    pub max_session_timeout: u32,
    /// -1 is the system's choice.
    pub client_port_listen_backlog: i32,
    /// 0 when standalone.
    pub server_id: Sid,
    /// Members of an ensemble of servers only.
    pub ensemble: Option<EnsembleConfig>,
}

/// What `conf` adds on a member of an ensemble of servers. Source: `QuorumZooKeeperServer#dumpConf`.
#[derive(Clone, Debug)]
pub struct EnsembleConfig {
    /// Ticks.
    pub init_limit: u32,
    /// Ticks.
    pub sync_limit: u32,
    /// One for each of this member's addresses.
    pub election_ports: Vec<u16>,
    /// One for each of this member's addresses.
    pub quorum_ports: Vec<u16>,
    /// No vote.
    pub observer: bool,
    /// The ensemble's configuration as text, without a final newline.
    pub membership: String,
}

/// What the files take up, bytes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DirectorySizes {
    /// Of the directory with the snapshots.
    pub data_bytes: u64,
    /// Of the directory with the logs; the same when it is one directory.
    pub log_bytes: u64,
}
