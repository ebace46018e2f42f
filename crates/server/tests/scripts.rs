//! `bin/zkServer.sh` with a stand-in for the server: its words, texts, exit codes and variables.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Writes its arguments down, then plays a server, a probe, or one that does not start.
const STAND_IN: &str = r#"#!/usr/bin/env bash
printf '%s\n' "$@" > "$RECORD"
echo "JVMFLAGS=${JVMFLAGS-}" >> "$RECORD"
case $1 in
  four-letter) cat "$ANSWER" 2>/dev/null ;;
  --version) echo 'Oxkeeper, compatible with Apache ZooKeeper, version x' ;;
  *)
    for last; do :; done
    grep -q '^broken' "$last" && { echo 'Invalid config'; exit 2; }
    grep -q '^short' "$last" && exit 7
    exec sleep 600
    ;;
esac
"#;

/// An installation: `bin`, `conf/zoo.cfg`, `libexec/oxkeeper`, in a folder with a blank in its name.
struct Installation {
    folder: TempDir,
}

impl Installation {
    fn with(config: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("with blank ").tempdir().unwrap();
        let installation = Self { folder };
        for name in ["bin", "conf", "libexec", "logs"] {
            fs::create_dir(installation.path(name)).unwrap();
        }
        let source = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../bin"));
        for name in ["zkServer.sh", "zkEnv.sh"] {
            install(&source.join(name), &installation.path("bin").join(name));
        }
        let text = installation.path("stand-in");
        fs::write(&text, STAND_IN).unwrap();
        install(&text, &installation.path("libexec/oxkeeper"));
        installation.configure("conf/zoo.cfg", config);
        installation
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `@` in `text` stands for the folder.
    fn configure(&self, name: &str, text: &str) {
        fs::write(self.path(name), text.replace('@', self.folder.path().to_str().unwrap())).unwrap();
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(self.path("bin/zkServer.sh"));
        command.args(words).current_dir("/").env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.env("RECORD", self.path("record")).env("ANSWER", self.path("answer"));
        command.env("USER", "u").env("HOSTNAME", "h");
        command
    }

    fn run(&self, words: &[&str]) -> (String, String, i32) {
        texts(self.command(words).output().unwrap())
    }

    fn record(&self) -> Vec<String> {
        fs::read_to_string(self.path("record")).unwrap().lines().map(str::to_owned).collect()
    }

    fn pid_file(&self) -> PathBuf {
        self.path("data/zookeeper_server.pid")
    }

    fn process_is_there(&self, pid: &str) -> bool {
        let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // A killed child nobody waits for stays as a zombie.
        !state.is_empty() && !state.contains(") Z ")
    }
}

impl Drop for Installation {
    /// A failed test must not leave its stand-in behind.
    fn drop(&mut self) {
        if let Ok(pid) = fs::read_to_string(self.pid_file()) {
            let _ = Command::new("kill").arg(pid.trim()).output();
        }
    }
}

/// Copies a program. Written by this process it could not be started as long as a child that another test has just forked
/// still holds the descriptor.
fn install(from: &Path, to: &Path) {
    let status = Command::new("install").args(["-m", "755"]).args([from, to]).status().unwrap();
    assert!(status.success(), "{status}");
}

fn texts(output: Output) -> (String, String, i32) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

const CONFIG: &str = "dataDir=@/data \nclientPort=2181\n";

#[test]
fn start_and_stop_have_the_texts_of_the_original() {
    let installation = Installation::with(CONFIG);
    let (out, err, code) = installation.run(&["start"]);
    let config = installation.path("bin/../conf/zoo.cfg");
    assert_eq!((out.as_str(), code), ("Starting zookeeper ... STARTED\n", 0), "{err}");
    assert_eq!(err, format!("Using config: {}\n", config.display()));
    let pid = fs::read_to_string(installation.pid_file()).unwrap();
    assert!(pid.bytes().all(|byte| byte.is_ascii_digit()), "no newline in {pid:?}");
    assert!(installation.path("logs/zookeeper-u-server-h.out").is_file());
    assert_eq!(installation.record(), [config.to_str().unwrap(), "JVMFLAGS="]);

    let (out, _, code) = installation.run(&["start"]);
    assert_eq!((out, code), (format!("Starting zookeeper ... already running as process {pid}.\n"), 1));

    let (out, _, code) = installation.run(&["stop"]);
    assert_eq!((out.as_str(), code), ("Stopping zookeeper ... STOPPED\n", 0));
    let deadline = Instant::now() + Duration::from_secs(10);
    while installation.process_is_there(&pid) {
        assert!(Instant::now() < deadline, "the stand-in lives on");
        std::thread::yield_now();
    }
    let (out, _, code) = installation.run(&["stop"]);
    let pid_file = installation.pid_file();
    let expected =
        format!("Stopping zookeeper ... no zookeeper to stop (could not find file {})\n", pid_file.display());
    assert_eq!((out, code), (expected, 0));
}

#[test]
fn a_server_that_does_not_stay_is_told() {
    let installation = Installation::with("dataDir=@/data\nbroken=1\n");
    let (out, _, code) = installation.run(&["start"]);
    assert_eq!((out.as_str(), code), ("Starting zookeeper ... FAILED TO START\n", 1));
    let log = fs::read_to_string(installation.path("logs/zookeeper-u-server-h.out")).unwrap();
    assert_eq!(log, "Invalid config\n");
}

#[test]
fn start_foreground_is_the_server() {
    let installation = Installation::with("dataDir=@/data\nshort=1\n");
    assert_eq!(installation.run(&["start-foreground"]).2, 7);
    assert_eq!(
        texts(installation.command(&["start-foreground"]).env("ZOO_NOEXEC", "1").output().unwrap()).2,
        7
    );
    // Flags: -D words become arguments, server's first; the others stay where the server finds them.
    let mut command = installation.command(&["start-foreground"]);
    command.env("SERVER_JVMFLAGS", "-Xmx1g -Da=1").env("JVMFLAGS", "-Db=2");
    assert_eq!(texts(command.output().unwrap()).2, 7);
    let config = installation.path("bin/../conf/zoo.cfg");
    assert_eq!(installation.record(), ["-Da=1", "-Db=2", config.to_str().unwrap(), "JVMFLAGS=-Xmx1g"]);
}

#[test]
fn the_configuration_is_found_by_name_path_folder_and_variable() {
    let installation = Installation::with("dataDir=@/data\nshort=1\n");
    fs::create_dir(installation.path("other")).unwrap();
    for name in ["conf/b.cfg", "other/zoo.cfg", "other/c.cfg"] {
        installation.configure(name, "dataDir=@/data\nshort=1\n");
    }
    let other = installation.path("other");
    let other = other.to_str().unwrap();
    let path = |name: &str| installation.path(name).to_str().unwrap().to_owned();
    type Case<'a> = (&'a [&'a str], Option<(&'a str, &'a str)>, String);
    let cases: [Case<'_>; 6] = [
        (&["start-foreground"], None, path("bin/../conf/zoo.cfg")),
        (&["start-foreground", "b.cfg"], None, path("bin/../conf/b.cfg")),
        (&["--config", other, "start-foreground"], None, path("other/zoo.cfg")),
        (&["--config", other, "start-foreground", "c.cfg"], None, path("other/c.cfg")),
        (&["start-foreground"], Some(("ZOOCFGDIR", other)), path("other/zoo.cfg")),
        (&["start-foreground"], Some(("ZOOCFG", "b.cfg")), path("bin/../conf/b.cfg")),
    ];
    for (words, variable, expected) in cases {
        let (_, err, code) = texts(installation.command(words).envs(variable).output().unwrap());
        assert_eq!((err, code), (format!("Using config: {expected}\n"), 7), "{words:?} {variable:?}");
    }
    // A path relative to the folder of the caller, and the script behind a chain of links.
    symlink(installation.path("bin/zkServer.sh"), installation.path("first")).unwrap();
    symlink("first", installation.path("second")).unwrap();
    let mut linked = Command::new(installation.path("second"));
    linked.args(["start-foreground", "./other/c.cfg"]).current_dir(installation.folder.path());
    linked.env("RECORD", installation.path("record")).env("JVMFLAGS", "").env_remove("OXKEEPER_BIN");
    assert_eq!(texts(linked.output().unwrap()).2, 7);
    assert_eq!(installation.record(), ["./other/c.cfg", "JVMFLAGS="]);
}

#[test]
fn env_files_are_read() {
    let installation = Installation::with("dataDir=@/data\nshort=1\n");
    installation.configure("conf/java.env", "SERVER_JVMFLAGS=-Djute.maxbuffer=9\n");
    installation.configure("conf/zookeeper-env.sh", "ZOOPIDFILE='@/run/my.pid'\nZOO_LOG_DIR='@/mylogs'\n");
    let (out, _, code) = installation.run(&["print-cmd"]);
    let expected = format!(
        "\"{0}/bin/../libexec/oxkeeper\" \"-Djute.maxbuffer=9\" \"{0}/bin/../conf/zoo.cfg\" > \
         \"{0}/mylogs/zookeeper-u-server-h.out\" 2>&1 < /dev/null\n",
        installation.folder.path().display()
    );
    assert_eq!((out, code), (expected, 0));
    assert!(installation.path("run").is_dir());
}

#[test]
fn folders_are_not_made_when_that_is_switched_off() {
    let installation = Installation::with("dataDir=@/data\ndataLogDir=@/log\nshort=1\n");
    let run = || {
        let mut command = installation.command(&["start-foreground"]);
        texts(command.env("ZOO_DATADIR_AUTOCREATE_DISABLE", "1").output().unwrap())
    };
    let missing = |kind: &str, folder: &str| {
        let folder = installation.path(folder);
        format!(
            "ZooKeeper {kind} directory is missing at {} fix the path or run initialize\n",
            folder.display()
        )
    };
    let (out, _, code) = run();
    assert_eq!((out, code), (missing("data", "data"), 1));
    fs::create_dir_all(installation.path("data/version-2")).unwrap();
    let (out, _, code) = run();
    assert_eq!((out, code), (missing("txnlog", "log"), 1));
    fs::create_dir_all(installation.path("log/version-2")).unwrap();
    assert_eq!(run().2, 7);
    assert_eq!(installation.record()[0], "-Dzookeeper.datadir.autocreate=false");
}

/// Every way to the client port, with what is printed on the way.
#[test]
fn status_finds_the_client_port_as_the_original_does() {
    let found = |port: &str, address: &str| {
        format!("Client port found: {port}. Client address: {address}. Client SSL: false.\n")
    };
    let no_id = "myid could not be determined, will not able to locate clientPort in the server configs.\n";
    let look_dynamic = "Client port not found in static config file. Looking in dynamic config file.\n";
    let look_secure = "Client port not found. Looking for secureClientPort in the static config.\n";
    let none = "Unable to find either secure or unsecure client port in any configs. Terminating.\n";
    let cases = [
        ("clientPort=2181", found("2181", "localhost"), Some(["localhost", "2181"])),
        (" clientPort = x=5\nclientPortAddress= 10.0.0.1", found("5", "10.0.0.1"), Some(["10.0.0.1", "5"])),
        ("server.4=h:1:2;77", found("77", "localhost"), Some(["localhost", "77"])),
        ("server.4=h:1:2;a.b:77", found("77", "a.b"), Some(["a.b", "77"])),
        ("server.4=h:1:2;[::1]:77", found("77", "::1"), Some(["::1", "77"])),
        (
            "dynamicConfigFile=@/dynamic",
            format!("{look_dynamic}{}", found("99", "localhost")),
            Some(["localhost", "99"]),
        ),
        (
            "server.5=h:1:2;77",
            format!("{look_dynamic}Client port not found in the server configs\n{look_secure}{none}"),
            None,
        ),
    ];
    let installation = Installation::with("");
    fs::create_dir(installation.path("data")).unwrap();
    installation.configure("data/myid", "4\n");
    installation.configure("dynamic", "server.4=h:1:2;99\n");
    installation.configure("answer", "Zookeeper version: 3.9.5\nMode: standalone\nNode count: 5\n");
    for (lines, expected, probed) in cases {
        installation.configure("conf/zoo.cfg", &format!("dataDir=@/data\n{lines}\n"));
        let (out, err, code) = installation.run(&["status"]);
        let Some([address, port]) = probed else {
            assert_eq!((out, code), (expected, 1), "{lines}: {err}");
            continue;
        };
        assert_eq!((out, code), (format!("{expected}Mode: standalone\n"), 0), "{lines}: {err}");
        assert_eq!(installation.record()[..4], ["four-letter", address, port, "srvr"], "{lines}");
    }
    fs::remove_file(installation.path("data/myid")).unwrap();
    let (out, _, code) = installation.run(&["status"]);
    assert_eq!((out, code), (format!("{no_id}{look_secure}{none}"), 1));

    fs::remove_file(installation.path("answer")).unwrap();
    installation.configure("conf/zoo.cfg", CONFIG);
    let (out, _, code) = installation.run(&["status"]);
    let silent = "Error contacting service. It is probably not running.\n";
    assert_eq!((out, code), (format!("{}{silent}", found("2181", "localhost")), 1));
}

#[test]
fn other_words() {
    let installation = Installation::with(CONFIG);
    let (out, _, code) = installation.run(&["version"]);
    assert_eq!((out.as_str(), code), ("Oxkeeper, compatible with Apache ZooKeeper, version x\n", 0));
    for words in [&["upgrade"][..], &[]] {
        let (out, err, code) = installation.run(words);
        let usage = "[--config <conf-dir>] {start|start-foreground|stop|version|restart|status|print-cmd}\n";
        assert!(out.is_empty() && code == 0 && err.ends_with(usage) && err.contains("Usage: "), "{err}");
    }
    let missing = texts(installation.command(&["status"]).env("OXKEEPER_BIN", "/nowhere").output().unwrap());
    assert_eq!(missing.2, 1);
    assert!(missing.1.contains("/nowhere"), "{}", missing.1);
}

#[test]
fn restart_is_stop_and_start() {
    let installation = Installation::with(CONFIG);
    let (out, err, code) = installation.run(&["restart"]);
    let pid_file = installation.pid_file();
    let stopped = format!("no zookeeper to stop (could not find file {})", pid_file.display());
    let expected = format!("Stopping zookeeper ... {stopped}\nStarting zookeeper ... STARTED\n");
    assert_eq!((out, code), (expected, 0));
    assert_eq!(err.matches("Using config: ").count(), 3);
    assert_eq!(installation.run(&["stop"]).2, 0);
}
