//! Every run: which tool, on which files, with which arguments and answers.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use super::history::{Histories, History};
use crate::diff::rng::Rng;

/// How many logs and snapshots are damaged at places drawn by lot, for each history.
const DRAWN: u64 = 25;
/// Header of a log; and checksum, length and end mark around a payload.
const LOG_HEADER: usize = 16;
const ENTRY_HEAD: usize = 12;
/// How many entries the damaged logs have.
const ENTRIES: usize = 40;

/// One of the tools.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tool {
    TxnLog,
    Snapshot,
    Comparer,
    Summary,
    Purge,
}

impl Tool {
    fn class(self) -> &'static str {
        match self {
            Self::TxnLog => "org.apache.zookeeper.server.persistence.TxnLogToolkit",
            Self::Snapshot => "org.apache.zookeeper.server.SnapshotFormatter",
            Self::Comparer => "org.apache.zookeeper.server.SnapshotComparer",
            Self::Summary => "org.apache.zookeeper.server.SnapshotRecursiveSummary",
            Self::Purge => "org.apache.zookeeper.server.PurgeTxnLog",
        }
    }

    /// The script that runs ours; that of the purge takes its directories from a configuration.
    pub(super) fn script(self) -> Option<&'static str> {
        match self {
            Self::TxnLog => Some("zkTxnLogToolkit.sh"),
            Self::Snapshot => Some("zkSnapShotToolkit.sh"),
            Self::Comparer => Some("zkSnapshotComparer.sh"),
            Self::Summary => Some("zkSnapshotRecursiveSummaryToolkit.sh"),
            Self::Purge => None,
        }
    }
}

/// A file that a run starts with.
#[derive(Debug)]
enum Given {
    /// A copy of another.
    Copy(PathBuf),
    /// These bytes.
    Bytes(Vec<u8>),
}

/// One run of one tool.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) name: String,
    pub(super) tool: Tool,
    pub(super) arguments: Vec<String>,
    pub(super) input: String,
    /// Its folder; the files are in `work`.
    pub(super) dir: PathBuf,
    files: Vec<(String, Given)>,
}

/// All runs.
#[derive(Debug)]
pub(super) struct Plan {
    dir: PathBuf,
    runs: Vec<Run>,
}

impl Plan {
    /// Thinks all of them out.
    pub(super) fn new(histories: &Histories, dir: &Path) -> Result<Self> {
        let mut plan = Self { dir: dir.to_path_buf(), runs: Vec::new() };
        for history in &histories.all {
            plan.logs(history)?;
            plan.snapshots(history)?;
            plan.purges(history)?;
            plan.drawn(history)?;
        }
        plan.command_lines(&histories.all[0])?;
        Ok(plan)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Puts all files where they are wanted, as if nothing had run.
    pub(super) fn lay_out(&self) -> Result<()> {
        if self.dir.exists() {
            fs::remove_dir_all(&self.dir)?;
        }
        for run in &self.runs {
            let work = run.dir.join("work");
            fs::create_dir_all(&work)?;
            for (name, given) in &run.files {
                let file = work.join(name);
                fs::create_dir_all(file.parent().context("a file lies in a folder")?)?;
                match given {
                    Given::Copy(from) => drop(fs::copy(from, &file)?),
                    Given::Bytes(bytes) => fs::write(&file, bytes)?,
                }
                // The purge shows it.
                File::options()
                    .write(true)
                    .open(&file)?
                    .set_modified(UNIX_EPOCH + Duration::from_secs(86_399))?;
            }
            let mut lines = vec![run.tool.class().to_owned()];
            lines.extend(run.arguments.iter().cloned());
            fs::write(run.dir.join("arguments"), lines.join("\n"))?;
            fs::write(run.dir.join("input"), &run.input)?;
        }
        Ok(())
    }

    /// Adds a run. In `line`, words are split at blanks, `@` stands for the folder with the files and `''` for an empty word.
    fn add(&mut self, name: String, tool: Tool, line: &str, files: Vec<(String, Given)>) -> &mut Run {
        let dir = self.dir.join(format!("{:04}", self.runs.len()));
        let work = dir.join("work").display().to_string();
        let word = |word: &str| if word == "''" { String::new() } else { word.replace('@', &work) };
        let arguments = line.split_whitespace().map(word).collect();
        self.runs.push(Run { name, tool, arguments, input: String::new(), dir, files });
        self.runs.last_mut().expect("just pushed")
    }

    /// Whole logs, and logs damaged at places that mean something.
    fn logs(&mut self, history: &History) -> Result<()> {
        let writer = &history.writer;
        for file in history.files("log.", "")? {
            let name = format!("{writer}: dump of {}", file_name(&file));
            self.add(name, Tool::TxnLog, "@/log.1", vec![("log.1".into(), Given::Copy(file))]);
        }
        let log = Log::of(history)?;
        let (first, second) = (log.entry(0), log.entry(1));
        let last = log.entry(ENTRIES - 1);
        let middle = log.entry(ENTRIES / 2);
        let flipped = |places: &[usize]| {
            let mut bytes = log.bytes.clone();
            for &place in places {
                bytes[place] ^= 0x01;
            }
            bytes
        };
        let damaged: Vec<(&str, Vec<u8>)> = vec![
            ("whole", log.bytes.clone()),
            ("a checksum", flipped(&[first + 7])),
            ("three checksums", flipped(&[first + 7, middle + 6, last + 5])),
            ("data", flipped(&[middle + ENTRY_HEAD + 45])),
            ("a type", flipped(&[second + ENTRY_HEAD + 31])),
            ("a time", flipped(&[second + ENTRY_HEAD + 20])),
            ("a length", flipped(&[second + 11])),
            ("a giant length", flipped(&[second + 8])),
            ("an end mark", flipped(&[middle - 1])),
            ("the magic", flipped(&[0])),
            ("the version", flipped(&[7])),
            ("cut in a head", log.bytes[..middle + 5].to_vec()),
            ("cut in a payload", log.bytes[..middle + 30].to_vec()),
            ("cut before an end mark", log.bytes[..middle - 1].to_vec()),
            ("cut between entries", log.bytes[..middle].to_vec()),
            ("header alone", log.bytes[..LOG_HEADER].to_vec()),
            ("cut in the header", log.bytes[..7].to_vec()),
            ("empty", Vec::new()),
        ];
        let zxid = log.zxid(ENTRIES / 4);
        let chops = [format!("-c -z {zxid} @/log.1"), format!("--chop --zxid=0x{zxid:x} @/log.1")];
        for (what, bytes) in damaged {
            let files = || vec![("log.1".to_owned(), Given::Bytes(bytes.clone()))];
            for (line, input) in [
                ("@/log.1", ""),
                ("-r -y @/log.1", ""),
                ("-ryv @/log.1", ""),
                ("--recover @/log.1", "maybe yes\nNo\n Y\n"),
                ("-r @/log.1", "y\nabort\n"),
                ("-r -v @/log.1", ""),
                (&chops[0], ""),
                (&chops[1], ""),
            ] {
                let run = self.add(format!("{writer}: {what} with {line}"), Tool::TxnLog, line, files());
                run.input = input.to_owned();
            }
        }
        let whole = || vec![("log.1".to_owned(), Given::Bytes(log.bytes.clone()))];
        for line in ["-c -z 0 @/log.1", "-c -z 0x7fffffffffffffff @/log.1", "-c -z 0xffff @/log.1"] {
            self.add(format!("{writer}: {line}"), Tool::TxnLog, line, whole());
        }
        let mut files = whole();
        files.push(("log.1.fixed".into(), Given::Bytes(Vec::new())));
        self.add(format!("{writer}: a recovered log is there"), Tool::TxnLog, "-r -y @/log.1", files);
        Ok(())
    }

    fn snapshots(&mut self, history: &History) -> Result<()> {
        let writer = &history.writer;
        let newest = history.newest("snapshot.", "")?;
        let oldest = history.files("snapshot.", "")?.into_iter().next().context("there is one")?;
        for end in ["", ".gz", ".snappy"] {
            let file = history.newest("snapshot.", end)?;
            let name = file_name(&file);
            for (tool, line) in [
                (Tool::Snapshot, "@/NAME"),
                (Tool::Snapshot, "-d @/NAME"),
                (Tool::Snapshot, "-json @/NAME"),
                (Tool::Summary, "@/NAME / 0"),
            ] {
                let line = line.replace("NAME", &name);
                let files = vec![(name.clone(), Given::Copy(file.clone()))];
                self.add(format!("{writer}: {line}"), tool, &line, files);
            }
            // Half of it: the two compressed forms end in words of their own, of which the first line is compared.
            let mut bytes = fs::read(&file)?;
            bytes.truncate(bytes.len() / 2);
            if end.is_empty() {
                let files = vec![(name.clone(), Given::Bytes(bytes))];
                self.add(format!("{writer}: half of {name}"), Tool::Snapshot, &format!("@/{name}"), files);
            }
        }
        let name = file_name(&newest);
        for line in ["/load1 1", "/load1 2", "/load1/plain 0", "/load1/empty 0", "'' 1", "/ -1", "/nothing 0"]
        {
            let files = vec![(name.clone(), Given::Copy(newest.clone()))];
            self.add(format!("{writer}: summary {line}"), Tool::Summary, &format!("@/{name} {line}"), files);
        }
        for (options, input) in [
            ("-b 0 -n 0", ""),
            ("-b 100 -n 10 -d", ""),
            ("--bytes 1000000 --nodes=1000000 --debug", ""),
            ("-b 5 -n 5 -i", "\n2\n/load1\n/nothing\n99\n-1\nwhat\n\n/\n\n4\n\n"),
            (
                "-b 5 -n 5 -di",
                "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n",
            ),
        ] {
            for (left, right) in [(&oldest, &newest), (&newest, &oldest), (&newest, &newest)] {
                let files = vec![
                    ("l.1".to_owned(), Given::Copy(left.clone())),
                    ("r.1".to_owned(), Given::Copy(right.clone())),
                ];
                let name = format!("{writer}: {} against {} {options}", file_name(left), file_name(right));
                let run = self.add(name, Tool::Comparer, &format!("-l @/l.1 -r @/r.1 {options}"), files);
                run.input = input.to_owned();
            }
        }
        Ok(())
    }

    /// Directories that are cleaned up.
    fn purges(&mut self, history: &History) -> Result<()> {
        let snapshot = history.newest("snapshot.", "")?;
        let log = history.newest("log.", "")?;
        let snapshots = |dir: &str, zxids: &[&str]| -> Vec<(String, Given)> {
            let name =
                |zxid: &&str| (format!("{dir}/version-2/snapshot.{zxid}"), Given::Copy(snapshot.clone()));
            zxids.iter().map(name).collect()
        };
        let logs = |dir: &str, zxids: &[&str]| -> Vec<(String, Given)> {
            let name = |zxid: &&str| (format!("{dir}/version-2/log.{zxid}"), Given::Copy(log.clone()));
            zxids.iter().map(name).collect()
        };
        let writer = &history.writer;
        // The example of the format's description: a broken newest snapshot does not count, but stays.
        let zxids = ["10", "20", "30", "40", "50"];
        let mut files = snapshots("data", &zxids);
        files.push(("data/version-2/snapshot.5.gz".into(), Given::Copy(history.newest("snapshot.", ".gz")?)));
        files.push(("data/version-2/snapshot.60".into(), Given::Bytes(vec![0; 100])));
        files.extend(logs("data", &["1", "f", "15", "25", "35", "45"]));
        self.add(format!("{writer}: purge"), Tool::Purge, "@/data -n 3", files);
        for (line, kept) in [("@/logs @/data -n 4", 6), ("@/logs @/data -n 5", 6), ("@/logs @/data -n 30", 6)]
        {
            let zxids = ["a", "1f", "20", "100000001", "2000000ff", "30000000a"];
            let mut files = snapshots("data", &zxids[..kept]);
            files.extend(logs("logs", &["1", "b", "20", "21", "100000001", "100000002", "300000001"]));
            self.add(format!("{writer}: purge {line}"), Tool::Purge, line, files);
        }
        let mut files = snapshots("data", &["1", "2", "3", "4"]);
        files.push(("data/version-2/log.1".into(), Given::Copy(log.clone())));
        files.push(("logs/version-2/log.2".into(), Given::Copy(log.clone())));
        self.add(
            format!("{writer}: purge of a log among snapshots"),
            Tool::Purge,
            "@/logs @/data -n 3",
            files,
        );
        let mut files = logs("logs", &["1", "2"]);
        files.push(("logs/version-2/snapshot.1".into(), Given::Copy(snapshot.clone())));
        files.extend(snapshots("data", &["1"]));
        self.add(
            format!("{writer}: purge of a snapshot among logs"),
            Tool::Purge,
            "@/logs @/data -n 3",
            files,
        );
        Ok(())
    }

    /// Bytes changed anywhere.
    fn drawn(&mut self, history: &History) -> Result<()> {
        let writer = &history.writer;
        let log = Log::of(history)?;
        let mut snapshot = Vec::new();
        File::open(history.newest("snapshot.", "")?)?.read_to_end(&mut snapshot)?;
        for seed in 0..DRAWN {
            let mut rng = Rng::new(seed);
            let lines = ["@/log.1", "-ry @/log.1", "-r @/log.1"];
            let damaged = damage(&log.bytes, &mut rng);
            let line = rng.pick(&lines);
            let name = format!("{writer}: log damaged by lot {seed}");
            let run = self.add(name, Tool::TxnLog, line, vec![("log.1".into(), Given::Bytes(damaged))]);
            run.input = "y\nn\n".repeat(50);
            let lines = ["@/snapshot.1", "-d @/snapshot.1", "-json @/snapshot.1"];
            let damaged = damage(&snapshot, &mut rng);
            let line = rng.pick(&lines);
            let name = format!("{writer}: snapshot damaged by lot {seed}");
            self.add(name, Tool::Snapshot, line, vec![("snapshot.1".into(), Given::Bytes(damaged))]);
        }
        Ok(())
    }

    /// What is wrong with the words alone, and what needs no file.
    fn command_lines(&mut self, history: &History) -> Result<()> {
        for line in [
            "",
            "-h",
            "--help",
            "-q",
            "-rq @/l",
            "--ver --nope",
            "-z",
            "-c -z x @/log.1",
            "@/none",
            "-z 5 -q=1",
        ] {
            self.add(
                format!("txnlog {line}"),
                Tool::TxnLog,
                line,
                vec![("log.1".into(), Given::Bytes(vec![0; 20]))],
            );
        }
        for line in
            ["", "-d", "-json -d", "@/none", "-d -json @/snapshot.1", "@/snapshot.1 -d", "@", "@/short"]
        {
            let files = vec![
                ("snapshot.1".into(), Given::Copy(history.newest("snapshot.", "")?)),
                ("short".into(), Given::Bytes(b"ZKSN".to_vec())),
            ];
            self.add(format!("snapshot {line}"), Tool::Snapshot, line, files);
        }
        for line in [
            "",
            "-l a",
            "-l a -r b -b 1",
            "-l a -r b -b x -n 1",
            "-l @/none -r @/none -b 1 -n 1",
            "-l a -r b -n 1 -b",
            "-l @/log.1 -r @/log.1 -b 1 -n 1",
            "--wrong",
        ] {
            let files = vec![("log.1".into(), Given::Bytes(b"ZKLG............".to_vec()))];
            self.add(format!("compare {line}"), Tool::Comparer, line, files);
        }
        for line in [
            "",
            "@ -n",
            "@ -n 2",
            "@ -n x",
            "@/none -n 3",
            "@ @/none -n 3",
            "@ -m 3",
            "@ @ @ -n 3",
            "@/new -n 3",
        ] {
            let files = vec![("new/keep".into(), Given::Bytes(Vec::new()))];
            self.add(format!("purge {line}"), Tool::Purge, line, files);
        }
        Ok(())
    }
}

/// Changes some bytes, and now and then the length.
fn damage(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=rng.below(4) {
        let place = if rng.chance(40) { rng.below(400.min(bytes.len())) } else { rng.below(bytes.len()) };
        bytes[place] ^= 1 << rng.below(8);
    }
    if rng.chance(20) {
        bytes.truncate(rng.below(bytes.len()));
    }
    bytes
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The first entries of a log, and some of its zeroes.
struct Log {
    bytes: Vec<u8>,
    /// Where each starts.
    entries: Vec<usize>,
}

impl Log {
    /// The newest log that is long enough. A server snapshots when it likes, and may just have begun a new one.
    fn of(history: &History) -> Result<Self> {
        for path in history.files("log.", "")?.iter().rev() {
            if let Some(log) = Self::read(path)? {
                return Ok(log);
            }
        }
        bail!("no log of {} in {} has {ENTRIES} entries", history.writer, history.dir.display())
    }

    fn read(path: &Path) -> Result<Option<Self>> {
        let file = File::open(path)?;
        let mut entries = Vec::new();
        let mut at = LOG_HEADER;
        while entries.len() < ENTRIES {
            let mut length = [0; 4];
            let read = file.read_exact_at(&mut length, u64::try_from(at + 8)?);
            if read.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::UnexpectedEof) {
                return Ok(None);
            }
            read?;
            let length = usize::try_from(i32::from_be_bytes(length))?;
            if length == 0 {
                return Ok(None);
            }
            entries.push(at);
            at += ENTRY_HEAD + length + 1;
        }
        let mut bytes = vec![0; at];
        file.read_exact_at(&mut bytes, 0)?;
        bytes.resize(at + 500, 0);
        Ok(Some(Self { bytes, entries }))
    }

    fn entry(&self, number: usize) -> usize {
        self.entries[number]
    }

    fn zxid(&self, number: usize) -> i64 {
        let at = self.entries[number] + ENTRY_HEAD + 12;
        i64::from_be_bytes(self.bytes[at..at + 8].try_into().expect("eight bytes"))
    }
}
