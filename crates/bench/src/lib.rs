//! The load generator for any ZooKeeper-compatible server, and the limit probes.
