//! `bin/zkCli.sh` finds its program and hands on its words, wherever it lies and is called from.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_oxkeeper-cli");

/// A release as it is unpacked: `bin` beside `libexec` and `conf`.
fn release() -> (TempDir, PathBuf) {
    let top = tempfile::tempdir().unwrap();
    let bin = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bin");
    for folder in ["bin", "libexec", "conf"] {
        fs::create_dir(top.path().join(folder)).unwrap();
    }
    for script in ["zkCli.sh", "zkEnv.sh"] {
        fs::copy(bin.join(script), top.path().join("bin").join(script)).unwrap();
    }
    symlink(PROGRAM, top.path().join("libexec/oxkeeper-cli")).unwrap();
    let script = top.path().join("bin/zkCli.sh");
    (top, script)
}

fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.env_remove("OXKEEPER_BIN").env_remove("JVMFLAGS").output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_script_works_through_links_and_from_other_folders() {
    let (top, script) = release();
    let (direct, by_link) = (top.path().join("direct"), top.path().join("by-link"));
    symlink(&script, &direct).unwrap();
    symlink("direct", &by_link).unwrap();
    for (folder, called) in [
        ("/", script.as_path()),
        ("/", &direct),
        ("/", &by_link),
        (top.path().to_str().unwrap(), Path::new("bin/zkCli.sh")),
        (top.path().join("bin").to_str().unwrap(), Path::new("./zkCli.sh")),
        (top.path().join("bin").to_str().unwrap(), Path::new("zkCli.sh")),
        (top.path().to_str().unwrap(), Path::new("by-link")),
    ] {
        let mut command = Command::new("bash");
        command.arg(called).arg("--version").current_dir(folder);
        let (code, stdout, stderr) = run(&mut command);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{called:?} from {folder}");
        assert!(stdout.starts_with("3.9.5-oxkeeper-"), "{stdout}");
    }
}

#[test]
fn a_checkout_is_found_too_and_a_missing_program_is_told() {
    let (top, script) = release();
    fs::create_dir_all(top.path().join("target/release")).unwrap();
    fs::rename(top.path().join("libexec/oxkeeper-cli"), top.path().join("target/release/oxkeeper-cli"))
        .unwrap();
    let (code, stdout, _) = run(Command::new("bash").arg(&script).arg("--version"));
    assert_eq!(code, Some(0), "{stdout}");
    fs::remove_file(top.path().join("target/release/oxkeeper-cli")).unwrap();
    let (code, _, stderr) = run(Command::new("bash").arg(&script).arg("--version"));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("oxkeeper-cli was not found") && stderr.contains("OXKEEPER_CLI_BIN"), "{stderr}");
}

#[test]
fn settings_come_from_the_files_and_variables_of_the_original() {
    let (top, script) = release();
    fs::write(top.path().join("conf/java.env"), "CLIENT_JVMFLAGS='-Xmx9m -Dzookeeper.client.secure=true'\n")
        .unwrap();
    let (code, stdout, stderr) =
        run(Command::new("bash").arg(&script).args(["-server", "127.0.0.1:1", "ls", "/"]));
    assert_eq!((code, stdout.as_str()), (Some(2), "Connecting to 127.0.0.1:1\n"));
    assert!(stderr.starts_with("zookeeper.client.secure asks for TLS"), "{stderr}");
    let other = top.path().join("other");
    fs::create_dir(&other).unwrap();
    let mut command = Command::new("bash");
    command.arg(&script).arg("--config").arg(&other).args(["-server", "127.0.0.1:1", "ls", "/"]);
    let (code, _, stderr) = run(&mut command);
    assert_eq!((code, stderr.as_str()), (Some(1), "KeeperErrorCode = ConnectionLoss for /\n"));
}
