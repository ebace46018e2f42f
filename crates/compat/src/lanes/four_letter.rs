//! Every four-letter word on Apache and on the target, in the same state.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Case;
use super::mapping::{mask_after, name_hex};
use super::wire::{Session, create, op, read};
use crate::harness::{Server, Spec, Target, four_letter, repository};

const SESSION_TIMEOUT: Duration = Duration::from_secs(30);

/// A word, and which values in its answer belong to the moment or the machine: a label and the characters that end the value.
type Word = (&'static str, &'static [(&'static str, &'static [char])]);

const LINE: &[char] = &[];
const FIELD: &[char] = &[',', ')'];

/// Words whose whole answer has to agree. `wchs` to `dump` look at two open sessions.
const WORDS: [Word; 17] = [
    ("ruok", &[]),
    ("isro", &[]),
    ("gtmk", &[]),
    ("srvr", &[("Zookeeper version:", LINE), ("Latency min/avg/max:", LINE)]),
    ("stat", &[("Zookeeper version:", LINE), ("Latency min/avg/max:", LINE), ("127.0.0.1:", &['['])]),
    ("conf", &[("clientPort=", LINE), ("ataDir=", LINE), ("dataLogDir=", LINE), ("Size=", LINE)]),
    (
        "cons",
        &[
            ("127.0.0.1:", &['[']),
            ("est=", FIELD),
            ("lresp=", FIELD),
            ("llat=", FIELD),
            ("minlat=", FIELD),
            ("avglat=", FIELD),
            ("maxlat=", FIELD),
        ],
    ),
    ("dirs", &[("_size:", LINE)]),
    ("wchs", &[]),
    ("wchc", &[]),
    ("wchp", &[]),
    ("dump", &[("127.0.0.1:", &[' ']), ("Sets (", &[')'])]),
    ("hash", &[]),
    ("crst", &[]),
    ("srst", &[]),
    // Not a word at all: taken for a length, and the connection is closed without an answer.
    ("abcd", &[]),
    ("envi", &[("=", LINE)]),
];

/// Metrics whose value is decided by what the lane did, not by the machine or the moment.
const EQUAL_METRICS: [&str; 11] = [
    "zk_server_state",
    "zk_znode_count",
    "zk_watch_count",
    "zk_ephemerals_count",
    "zk_num_alive_connections",
    "zk_outstanding_requests",
    "zk_approximate_data_size",
    "zk_global_sessions",
    "zk_local_sessions",
    "zk_auth_failed_count",
    "zk_max_client_response_size",
];

/// Compares all words with Apache's newest release.
pub(crate) fn run(target: &Target) -> Result<Vec<Case>> {
    let (apache, ours) = (Stage::build(Target::apache())?, Stage::build(target.clone())?);
    let mut cases = Vec::new();
    for (word, masks) in WORDS {
        let (wanted, got) = (apache.answer(word, masks), ours.answer(word, masks));
        cases.push(match (wanted, got) {
            (Ok(wanted), Ok(got)) if word == "envi" => Case::equal(word, &keys(&wanted), &keys(&got)),
            (Ok(wanted), Ok(got)) => Case::equal(word, &wanted, &got),
            (wanted, got) => Case::of(word, wanted.and(got).map(drop)),
        });
    }
    cases.push(set_trace_mask(&apache, &ours)?);
    cases.extend(metrics(&apache, &ours)?);
    cases.extend(whitelist(target)?);
    Ok(cases)
}

/// A server with two open sessions: an ephemeral znode and watches of every kind.
struct Stage {
    server: Server,
    _sessions: [Session; 2],
}

impl Stage {
    /// Starts a server and brings it into the state the words are asked in.
    fn build(target: Target) -> Result<Self> {
        let server = Spec::new(target).start()?;
        let mut one = Session::open(server.port(), SESSION_TIMEOUT)?;
        one.call(op::CREATE, &create("/w", b"data", 0))?;
        one.call(op::CREATE, &create("/w/eph", b"", 1))?;
        one.call(op::GET_DATA, &read("/w", true))?;
        one.call(op::GET_CHILDREN, &read("/w", true))?;
        let mut two = Session::open(server.port(), SESSION_TIMEOUT)?;
        two.call(op::GET_DATA, &read("/w", true))?;
        two.call(op::EXISTS, &read("/w/eph", true))?;
        let stage = Self { server, _sessions: [one, two] };
        // Forgets how often the harness had to ask until the server answered.
        stage.server.word("srst")?;
        Ok(stage)
    }

    /// A word's answer with the moment and the machine taken out. Lists that have no order of their own are sorted.
    fn answer(&self, word: &str, masks: &[(&str, &[char])]) -> Result<String> {
        let mut text = self.server.word(word)?;
        for (label, ends) in masks {
            text = mask_after(&text, label, ends);
        }
        Ok(match word {
            "cons" | "stat" => name_hex(&sort_connections(&text)),
            "dump" => sort_blocks(&without_buckets(&text)),
            "wchc" | "wchp" => sort_blocks(&text),
            _ => text,
        })
    }
}

/// Takes out the headers of expiry buckets: into how many of them the same sessions fall is a matter of the moment.
fn without_buckets(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| !line.contains(" expire at ")).collect()
}

/// Sorts the lines of connections, which a server lists in any order, and leaves all others in their place.
///
/// Session ids and zxids do not count: they say which connection comes first by chance, and get their names afterwards.
fn sort_connections(text: &str) -> String {
    let is_connection = |line: &&str| line.starts_with(" /");
    let mut connections: Vec<&str> = text.lines().filter(is_connection).collect();
    connections.sort_by_cached_key(|line| mask_after(line, "0x", &[',', ')']));
    let mut connections = connections.into_iter();
    let lines = text.split('\n');
    let placed =
        lines.map(|line| if is_connection(&line) { connections.next().unwrap_or(line) } else { line });
    placed.collect::<Vec<_>>().join("\n")
}

/// Sorts blocks (a line and the lines after it that begin with a tab) between lines that are no part of a block, with the session ids
/// named in the order of their values: ids grow with time, so the first session is the first on both servers.
fn sort_blocks(text: &str) -> String {
    let mut ids: Vec<&str> = text
        .split(|sign: char| !sign.is_ascii_alphanumeric())
        .filter(|word| word.starts_with("0x") && *word != "0x0")
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let mut text = text.to_owned();
    for (at, id) in ids.iter().enumerate() {
        text = text.replace(id, &format!("session-{}", at + 1));
    }
    let mut blocks: Vec<Vec<&str>> = Vec::new();
    for line in text.lines() {
        match blocks.last_mut() {
            Some(block) if line.starts_with('\t') => block.push(line),
            _ => blocks.push(vec![line]),
        }
    }
    for block in &mut blocks {
        if let Some((_, members)) = block.split_first_mut() {
            members.sort_unstable();
        }
    }
    // Headers stay where they are: only runs of blocks with members are sorted.
    for run in blocks.split_mut(|block| block.len() == 1) {
        run.sort();
    }
    blocks.concat().join("\n")
}

/// The keys of `key=value` lines.
fn keys(text: &str) -> String {
    text.lines().map(|line| line.split('=').next().unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// `stmk` carries its mask in the same write.
fn set_trace_mask(apache: &Stage, ours: &Stage) -> Result<Case> {
    let request = [b"stmk".as_slice(), &256_i64.to_be_bytes()].concat();
    let wanted = four_letter(apache.server.port(), &request)?;
    let got = four_letter(ours.server.port(), &request);
    Ok(match got {
        Ok(got) => Case::equal("stmk", &wanted, &got),
        Err(error) => Case::of("stmk", Err(error)),
    })
}

/// `mntr`: every metric of Apache's has to be there, and those the lane decides have to agree.
fn metrics(apache: &Stage, ours: &Stage) -> Result<Vec<Case>> {
    let wanted = read_metrics(&apache.server.word("mntr")?)?;
    let got = read_metrics(&ours.server.word("mntr")?)?;
    let file = repository().join("crates/compat/data/mntr-java-only.txt");
    let listed = std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    let java_only: Vec<&str> = listed.lines().filter(|line| !line.starts_with('#')).collect();
    let missing = wanted.keys().filter(|key| !got.contains_key(*key) && !java_only.contains(&key.as_str()));
    let missing: Vec<&str> = missing.map(String::as_str).collect();
    let complete = match missing.as_slice() {
        [] => Ok(()),
        missing => {
            Err(anyhow::anyhow!("{} of {} are missing: {}", missing.len(), wanted.len(), missing.join(" ")))
        }
    };
    let mut cases = vec![Case::of("mntr has all keys", complete)];
    for key in EQUAL_METRICS {
        let of =
            |metrics: &BTreeMap<String, String>| metrics.get(key).cloned().unwrap_or("nothing".to_owned());
        cases.push(Case::equal(format!("mntr {key}"), &of(&wanted), &of(&got)));
    }
    Ok(cases)
}

/// Reads `key TAB value` lines.
fn read_metrics(text: &str) -> Result<BTreeMap<String, String>> {
    let pairs = text.lines().map(|line| {
        let pair = line.split_once('\t').with_context(|| format!("`{line}` is no metric"))?;
        Ok((pair.0.to_owned(), pair.1.to_owned()))
    });
    let metrics: BTreeMap<String, String> = pairs.collect::<Result<_>>()?;
    ensure!(!metrics.is_empty(), "mntr answered nothing");
    Ok(metrics)
}

/// With the default whitelist only `srvr` answers; everything else says why it does not.
fn whitelist(target: &Target) -> Result<Vec<Case>> {
    let start =
        |target: &Target| Spec::new(target.clone()).cfg("4lw.commands.whitelist", "srvr, ruok").start();
    let (apache, ours) = (start(&Target::apache())?, start(target)?);
    let words = ["ruok", "stat", "mntr", "isro", "dump"];
    let ask = |server: &Server, word: &str| server.word(word).unwrap_or_else(|error| format!("{error:#}"));
    let compare =
        |word| Case::equal(format!("{word} with a whitelist"), &ask(&apache, word), &ask(&ours, word));
    Ok(words.into_iter().map(compare).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_sorted_but_headers_stay() {
        let text = "Sessions (2):\n0x20:\n\t/b\n\t/a\n0x10:\n\t/c\nend\n";
        assert_eq!(sort_blocks(text), "Sessions (2):\nsession-1:\n\t/c\nsession-2:\n\t/a\n\t/b\nend");
    }

    #[test]
    fn connections_are_sorted_in_their_places() {
        assert_eq!(sort_connections("Clients:\n /b\n /a\n\nMode"), "Clients:\n /a\n /b\n\nMode");
        let one = " /1(sid=0x2,lop=EXIS)\n /1(sid=0x1,lop=GETC)";
        let other = " /1(sid=0x1,lop=GETC)\n /1(sid=0x2,lop=EXIS)";
        assert_eq!(name_hex(&sort_connections(one)), name_hex(&sort_connections(other)));
    }
}
