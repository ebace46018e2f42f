//! Black-box comparison with Apache ZooKeeper.
//!
//! [`harness`] starts one standalone server, Apache's or Oxkeeper, as the finished program an operator would start;
//! [`lanes`] hold the checks that foreign clients, file formats and crashes put both of them through. Nothing here knows the
//! inside of any other crate: what is compared is bytes on a socket, files in a directory and text on a terminal.
//!
//! The lanes need programs that `cargo xtask setup` installs below `target/compat`, so they run from
//! `cargo xtask test` and `cargo xtask compat`, not from plain `cargo test`.

pub mod checked;
pub mod diff;
pub mod harness;
pub mod lanes;
