//! Starts that cannot be: each ends with the right exit code and a line that names the cause.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::history::{expect_refusal, refusal};
use crate::harness::{Spec, Target, free_port};
use crate::lanes::Case;
use crate::lanes::mount::Mount;

/// Every reason.
pub(super) fn run(target: &Target) -> Vec<Case> {
    vec![
        Case::of("a second server on one data directory", second_server(target)),
        Case::of("a read-only data directory", read_only(target)),
        Case::of("a data directory that is a file", a_file(target)),
        Case::of("a client port in use", port_in_use(target)),
        Case::of("a broken configuration", broken_configuration(target)),
    ]
}

fn second_server(target: &Target) -> Result<()> {
    let server = Spec::new(target.clone()).start()?;
    let dir = tempfile::tempdir()?;
    let cfg = configuration(dir.path(), &server.data_dir(), free_port()?)?;
    expect_refusal(&refusal(target, &cfg)?, 1, &[".oxkeeper.lock"])?;
    ensure!(server.word("srvr")?.contains("Mode: standalone"), "the first server does not answer any more");
    Ok(())
}

fn read_only(target: &Target) -> Result<()> {
    let mount = Mount::tmpfs("1m")?;
    let data = mount.path().join("data");
    fs::create_dir(&data)?;
    mount.make_read_only()?;
    let dir = tempfile::tempdir()?;
    let cfg = configuration(dir.path(), &data, free_port()?)?;
    expect_refusal(&refusal(target, &cfg)?, 3, &["Unable to access datadir", &data.display().to_string()])
}

fn a_file(target: &Target) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    fs::write(&data, "not a directory")?;
    let cfg = configuration(dir.path(), &data, free_port()?)?;
    expect_refusal(&refusal(target, &cfg)?, 3, &["Unable to access datadir", &data.display().to_string()])
}

fn port_in_use(target: &Target) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let taken = TcpListener::bind(("127.0.0.1", 0))?;
    let port = taken.local_addr()?.port();
    let cfg = configuration(dir.path(), &dir.path().join("data"), port)?;
    expect_refusal(&refusal(target, &cfg)?, 1, &[&port.to_string(), "Address already in use", "clientPort"])
}

fn broken_configuration(target: &Target) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let cfg = dir.path().join("zoo.cfg");
    fs::write(&cfg, format!("dataDir={}\nclientPort=many\n", dir.path().display()))?;
    expect_refusal(&refusal(target, &cfg)?, 2, &["Invalid config", "clientPort", "many", "zoo.cfg"])
        .context("clientPort=many")?;
    expect_refusal(&refusal(target, &dir.path().join("nowhere.cfg"))?, 2, &["nowhere.cfg"])
        .context("a missing file")
}

/// Writes a small `zoo.cfg` and says where.
fn configuration(dir: &Path, data: &Path, port: u16) -> Result<std::path::PathBuf> {
    let cfg = dir.join("zoo.cfg");
    fs::write(&cfg, format!("dataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\n", data.display()))?;
    Ok(cfg)
}
