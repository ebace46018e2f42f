//! What this server says about itself, in the forms clients and tools parse.

/// The version of this program.
pub const OXKEEPER_VERSION: &str = env!("CARGO_PKG_VERSION");

/// `Zookeeper version:` of `srvr`, `zookeeper.version` of `envi`, `zk_version` of `mntr`.
///
/// It starts with the ZooKeeper release whose behaviour this server has, because kazoo takes the leading digits and
/// dots of `envi` as the version, and tools compare it with `>=`. The rest has Java's shape
/// `<version>-<revision>, built on <yyyy-MM-dd HH:mm> UTC`.
///
/// Source: `org.apache.zookeeper.Version#getFullVersion`.
pub const ZOOKEEPER_VERSION: &str =
    concat!("3.9.5-oxkeeper-", env!("CARGO_PKG_VERSION"), ", built on ", "2026-11-24 00:00", " UTC");

/// The line of `zkServer.sh version` and of `oxkeeper --version`.
///
/// Tools look for `ZooKeeper, version <version> <build time>`. Source: `VersionInfoMain`.
pub const VERSION_LINE: &str = concat!(
    "Oxkeeper, compatible with Apache ZooKeeper, version 3.9.5-oxkeeper-",
    env!("CARGO_PKG_VERSION"),
    " 2026-11-24 00:00 UTC"
);

#[cfg(test)]
mod tests {
    use super::*;

    /// What kazoo's `server_version` does: the leading digits and dots, split at the dots, must all be numbers.
    #[test]
    fn kazoo_reads_three_numbers() {
        let end = ZOOKEEPER_VERSION.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap();
        let numbers: Vec<u32> = ZOOKEEPER_VERSION[..end].split('.').map(|n| n.parse().unwrap()).collect();
        assert_eq!(numbers, [3, 9, 5]);
    }
}
