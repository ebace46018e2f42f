//! The scripts as they are found and called: in a release, through links, from other folders, with relative paths.
//!
//! Apache's scripts are not among what `cargo xtask setup` installs; what they print is written down here.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::history::Histories;
use crate::harness::{repository, tools_binary};
use crate::lanes::Case;
use crate::lanes::process::{Output, run as run_program};

/// One script.
const SCRIPT_TIME_MAX: Duration = Duration::from_secs(20);
/// What tells a program's place; a release and a checkout need none of it.
const PLACES: [&str; 2] = ["OXKEEPER_BIN", "OXKEEPER_TOOLS_BIN"];
/// What a script may find in the environment of whoever runs the lane.
const VARIABLES: [&str; 5] = ["ZOOCFG", "ZOOCFGDIR", "ZOO_LOG_DIR", "JVMFLAGS", "SERVER_JVMFLAGS"];

/// A script of the checkout, told where the program is.
pub(super) fn script_command(script: &str) -> Result<Command> {
    let mut command = bare(&repository().join("bin").join(script));
    command.env("OXKEEPER_TOOLS_BIN", tools_binary()?);
    Ok(command)
}

/// A script in an environment that says nothing.
fn bare(script: &Path) -> Command {
    let mut command = Command::new(script);
    for variable in PLACES.iter().chain(&VARIABLES) {
        command.env_remove(variable);
    }
    command.env("TZ", "UTC");
    command
}

/// Every way to call them.
pub(super) fn run(histories: &Histories) -> Result<Vec<Case>> {
    let dir = tempfile::Builder::new().prefix("compat-scripts-").tempdir()?;
    let place = Place { dir: dir.path().to_path_buf() };
    fs::copy(histories.all[0].newest("log.", "")?, place.dir.join("log.1"))?;
    let direct = output(script_command("zkTxnLogToolkit.sh")?.arg("log.1").current_dir(&place.dir))?;
    ensure!(direct.code == 0 && direct.stdout.contains("EOF reached after"), "{direct:?}");
    Ok(vec![
        Case::of("through links from another folder", place.links(&direct)),
        Case::of("in a release", place.release(&direct, &["libexec/oxkeeper-tools"], false)),
        Case::of(
            "in a release with the program beside",
            place.release(&direct, &["bin/oxkeeper-tools"], false),
        ),
        Case::of(
            "in a release with zkEnv.sh in libexec",
            place.release(&direct, &["libexec/oxkeeper-tools"], true),
        ),
        Case::of("without the program", place.without_program()),
        Case::of("zkCleanup.sh with relative paths", place.cleanup(histories)),
        Case::of("zkServer-initialize.sh", place.initialize()),
    ])
}

fn output(command: &mut Command) -> Result<Output> {
    run_program(command, "", SCRIPT_TIME_MAX)
}

/// Where all of it happens.
struct Place {
    dir: PathBuf,
}

impl Place {
    fn links(&self, direct: &Output) -> Result<()> {
        let (links, elsewhere) = (self.dir.join("links"), self.dir.join("else where"));
        fs::create_dir_all(&links)?;
        fs::create_dir_all(&elsewhere)?;
        symlink(repository().join("bin/zkTxnLogToolkit.sh"), links.join("absolute"))?;
        symlink("absolute", links.join("relative"))?;
        symlink("../links/relative", elsewhere.join("far"))?;
        let mut command = bare(Path::new("./far"));
        command.env("OXKEEPER_TOOLS_BIN", tools_binary()?).arg("../log.1").current_dir(&elsewhere);
        same(direct, &output(&mut command)?)
    }

    /// Copies the scripts, and the program to each of `programs`.
    fn release(&self, direct: &Output, programs: &[&str], env_in_libexec: bool) -> Result<()> {
        let release = tempfile::Builder::new().prefix("a release ").tempdir_in(&self.dir)?;
        for folder in ["bin", "libexec", "conf"] {
            fs::create_dir_all(release.path().join(folder))?;
        }
        for entry in fs::read_dir(repository().join("bin"))? {
            let entry = entry?;
            let folder = match entry.file_name().to_str() {
                Some("zkEnv.sh") if env_in_libexec => "libexec",
                _ => "bin",
            };
            fs::copy(entry.path(), release.path().join(folder).join(entry.file_name()))?;
        }
        for program in programs {
            fs::copy(tools_binary()?, release.path().join(program))?;
        }
        let mut command = bare(&release.path().join("bin/zkTxnLogToolkit.sh"));
        same(direct, &output(command.arg("log.1").current_dir(&self.dir))?)
    }

    fn without_program(&self) -> Result<()> {
        let mut command = bare(&repository().join("bin/zkTxnLogToolkit.sh"));
        let none = self.dir.join("none");
        let got = output(command.env("OXKEEPER_TOOLS_BIN", &none).arg("log.1").current_dir(&self.dir))?;
        let named =
            got.stderr.contains("oxkeeper-tools was not found") && got.stderr.contains("OXKEEPER_TOOLS_BIN");
        ensure!(got.code == 1 && named, "{got:?}");
        Ok(())
    }

    fn cleanup(&self, histories: &Histories) -> Result<()> {
        let snapshot = histories.all[0].newest("snapshot.", "")?;
        let (data, logs) = (self.dir.join("here/data/version-2"), self.dir.join("here/logs/version-2"));
        let conf = self.dir.join("here/conf");
        for folder in [&data, &logs, &conf] {
            fs::create_dir_all(folder)?;
        }
        for zxid in ["1", "2", "3", "4"] {
            fs::copy(&snapshot, data.join(format!("snapshot.{zxid}")))?;
            fs::write(logs.join(format!("log.{zxid}")), "")?;
        }
        fs::write(conf.join("other.cfg"), "dataDir=data\n dataLogDir=logs\nclientPort=1\n")?;
        let mut command = bare(&repository().join("bin/zkCleanup.sh"));
        command.env("OXKEEPER_TOOLS_BIN", tools_binary()?).env("ZOOCFG", "other.cfg");
        command.args(["--config", "conf", "-n", "3"]).current_dir(self.dir.join("here"));
        let got = output(&mut command)?;
        let removed: Vec<&str> = got
            .stdout
            .lines()
            .filter_map(|line| line.strip_prefix("Removing file: ")?.split('\t').nth(1))
            .collect();
        ensure!(got.code == 0 && removed == ["data/version-2/snapshot.1", "logs/version-2/log.1"], "{got:?}");
        let left = fs::read_dir(&data)?.count() + fs::read_dir(&logs)?.count();
        ensure!(left == 6, "{left} files are left");
        Ok(())
    }

    fn initialize(&self) -> Result<()> {
        let here = self.dir.join("new");
        fs::create_dir_all(here.join("conf"))?;
        fs::write(here.join("conf/zoo.cfg"), "dataDir=d\ndataLogDir=l\n")?;
        fs::write(here.join("conf/none.cfg"), "clientPort=1\n")?;
        let exists = "(or use --force to force re-initialization)";
        let steps = [
            ("--myid=7", 0, "Using myid of 7\n".to_owned()),
            ("--myid 8", 1, format!("ZooKeeper data directory already exists at d {exists}\n")),
            (
                "--force",
                0,
                "Force enabled, data/txnlog directories will be re-initialized\nNo myid provided, be sure to specify it in \
                 d/myid if using non-standalone\n"
                    .to_owned(),
            ),
            ("--configfile=conf/none.cfg", 1, "Unable to determine dataDir from conf/none.cfg\n".to_owned()),
            ("--configfile conf/no.cfg", 1, "Unable to find config file at conf/no.cfg\n".to_owned()),
            ("--what", 1, "Unknown option: --what\nusage: ".to_owned()),
            ("-h", 1, "usage: ".to_owned()),
        ];
        for (line, code, wanted) in steps {
            let mut command = bare(&repository().join("bin/zkServer-initialize.sh"));
            command.args(["--config", "conf"]).args(line.split(' ')).current_dir(&here);
            let got = output(&mut command)?;
            let shown = if wanted.ends_with("usage: ") {
                got.stdout.starts_with(&wanted)
            } else {
                got.stdout == wanted
            };
            ensure!(shown && got.code == code && got.stderr.is_empty(), "{line}: {got:?}");
            if line == "--myid=7" {
                ensure!(fs::read_to_string(here.join("d/myid"))? == "7\n", "d/myid");
                fs::write(here.join("l/version-2/log.1"), "")?;
            }
        }
        for (path, there) in [
            ("d/myid", false),
            ("d/version-2", true),
            ("d/initialize", true),
            ("l/version-2", true),
            ("l/version-2/log.1", false),
        ] {
            ensure!(here.join(path).exists() == there, "{path} is there: {}", !there);
        }
        fs::remove_dir_all(here.join("d"))?;
        let mut command = bare(&repository().join("bin/zkServer-initialize.sh"));
        let got = output(command.args(["--config", "conf"]).current_dir(&here))?;
        let wanted = format!("ZooKeeper txnlog directory already exists at l {exists}\n");
        ensure!(got.stdout == wanted && got.code == 1, "{got:?}");
        Ok(())
    }
}

fn same(wanted: &Output, got: &Output) -> Result<()> {
    ensure!(wanted.stdout == got.stdout && wanted.stderr == got.stderr && wanted.code == got.code, "{got:?}");
    Ok(())
}
