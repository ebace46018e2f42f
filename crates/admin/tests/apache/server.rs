//! A server that knows only what a test has told it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use admin::status::{
    Bucket, ConfigView, Connection, ConnectionExpiry, DirectorySizes, Environment, Gauges, Mode, SessionDump,
    Status, WatchSummary, ZxidDigest,
};
use admin::words::{ANSWER_BYTES_MAX, Word};
use admin::{Item, Serving, Source};
use member::metrics::{BufferStats, Registry, ServerStats, Summary};
use proto::{SessionId, Zxid};

pub(crate) const VERSION: &str =
    "3.9.5-293c895a8d966a3ecb92872be4a1daf87d725da2, built on 2026-02-11 20:18 UTC";

/// What Apache answered.
pub(crate) fn golden(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name).with_extension("txt");
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Keys and values of a `mntr` text.
pub(crate) fn pairs(text: &str) -> BTreeMap<String, String> {
    text.lines().map(|line| line.split_once('\t').unwrap()).map(|(k, v)| (k.into(), v.into())).collect()
}

pub(crate) fn ask(word: Word, server: &mut Fake) -> String {
    admin::words::answer(word, &[], server, ANSWER_BYTES_MAX)
}

/// A summary that shows these numbers.
pub(crate) fn summary(min: i64, max: i64, sum: i64, count: i64) -> Summary {
    let mut summary = Summary::default();
    feed(min, max, sum, count, &mut |value| summary.add(value));
    summary
}

/// Values with these extremes, this sum and this count.
pub(crate) fn feed(min: i64, max: i64, sum: i64, count: i64, add: &mut dyn FnMut(i64)) {
    match count {
        0 => {}
        1 => add(sum),
        _ => {
            add(min);
            add(max);
            let (rest, others) = (sum - min - max, count - 2);
            for index in 0..others {
                add(rest / others + i64::from(index < rest % others));
            }
        }
    }
}

pub(crate) fn status(mode: Mode, zxid: i64) -> Status {
    Status {
        version: VERSION.into(),
        mode,
        stats: ServerStats::default(),
        connections: 1,
        outstanding: 0,
        zxid: Zxid(zxid),
        znode_count: 5,
        uptime: std::time::Duration::ZERO,
        proposals: None,
        fenced: None,
        unsafe_settings: Vec::new(),
        forgotten_histories: 0,
    }
}

pub(crate) fn sizes(last: i64, min: i64, max: i64) -> BufferStats {
    BufferStats { last, min, max }
}

/// A connection that has only asked a word.
pub(crate) fn asking(address: &str) -> Connection {
    Connection {
        address: address.parse().unwrap(),
        interest_ops: 0,
        secure: false,
        queued: 0,
        received: 1,
        sent: 0,
        session: SessionId::NONE,
        last_operation: "NA",
        established_ms: 0,
        timeout_ms: 0,
        last_cxid: -1,
        last_zxid: Zxid::NONE,
        last_response_ms: 0,
        latency_last_ms: 0,
        latency_min_ms: 0,
        latency_avg_ms: 0,
        latency_max_ms: 0,
    }
}

/// What a word asks for and the test has not given is a failure: the word asks too much.
pub(crate) struct Fake {
    pub(crate) serving: Serving,
    pub(crate) status: Option<Status>,
    pub(crate) gauges: Option<Gauges>,
    pub(crate) registry: Option<Registry>,
    pub(crate) configuration: Option<ConfigView>,
    pub(crate) directory_sizes: Option<DirectorySizes>,
    pub(crate) environment: Option<Environment>,
    pub(crate) connections: Option<Vec<Connection>>,
    pub(crate) sessions: Option<SessionDump>,
    pub(crate) ephemerals: Option<Vec<(SessionId, Vec<String>)>>,
    pub(crate) expiry: Option<Vec<Bucket<ConnectionExpiry>>>,
    pub(crate) watch_summary: Option<WatchSummary>,
    pub(crate) watches: Option<Vec<(SessionId, Vec<String>)>>,
    pub(crate) digests: Option<Vec<ZxidDigest>>,
    pub(crate) trace_mask: i64,
    pub(crate) resets: Vec<&'static str>,
    /// Entries handed over before the word had enough.
    pub(crate) handed_over: usize,
}

impl Fake {
    pub(crate) fn new() -> Self {
        Self {
            serving: Serving::ReadWrite,
            status: None,
            gauges: None,
            registry: None,
            configuration: None,
            directory_sizes: None,
            environment: None,
            connections: None,
            sessions: None,
            ephemerals: None,
            expiry: None,
            watch_summary: None,
            watches: None,
            digests: None,
            trace_mask: 306,
            resets: Vec::new(),
            handed_over: 0,
        }
    }

    fn grouped(
        &mut self,
        groups: &[(SessionId, Vec<String>)],
        each: &mut dyn FnMut(Item<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        for (session, paths) in groups {
            self.handed_over += 1;
            each(Item::Session(*session))?;
            for path in paths {
                self.handed_over += 1;
                each(Item::Path(path))?;
            }
        }
        ControlFlow::Continue(())
    }
}

impl Source for Fake {
    fn serving(&self) -> Serving {
        self.serving
    }

    fn status(&mut self) -> Status {
        self.status.clone().expect("status was not to be asked")
    }

    fn gauges(&mut self) -> Gauges {
        self.gauges.clone().expect("gauges were not to be asked")
    }

    fn registry(&self) -> &Registry {
        self.registry.as_ref().expect("registry was not to be asked")
    }

    fn configuration(&mut self) -> ConfigView {
        self.configuration.clone().expect("configuration was not to be asked")
    }

    fn directory_sizes(&mut self) -> DirectorySizes {
        self.directory_sizes.expect("sizes were not to be asked")
    }

    fn environment(&mut self) -> Environment {
        self.environment.clone().expect("environment was not to be asked")
    }

    fn connections(&mut self, each: &mut dyn FnMut(&Connection) -> ControlFlow<()>) {
        for connection in self.connections.as_ref().expect("connections were not to be asked") {
            self.handed_over += 1;
            if each(connection).is_break() {
                return;
            }
        }
    }

    fn sessions(&mut self) -> SessionDump {
        self.sessions.clone().expect("sessions were not to be asked")
    }

    fn sessions_with_ephemerals(&mut self) -> usize {
        self.ephemerals.as_ref().expect("ephemerals were not to be asked").len()
    }

    fn ephemerals(&mut self, each: &mut dyn FnMut(Item<'_>) -> ControlFlow<()>) {
        let groups = self.ephemerals.clone().expect("ephemerals were not to be asked");
        _ = self.grouped(&groups, each);
    }

    fn connection_expiry(&mut self) -> Option<Vec<Bucket<ConnectionExpiry>>> {
        self.expiry.clone()
    }

    fn watch_summary(&mut self) -> WatchSummary {
        self.watch_summary.expect("the watch summary was not to be asked")
    }

    fn watches_by_session(&mut self, each: &mut dyn FnMut(Item<'_>) -> ControlFlow<()>) {
        let groups = self.watches.clone().expect("watches were not to be asked");
        _ = self.grouped(&groups, each);
    }

    fn watches_by_path(&mut self, each: &mut dyn FnMut(Item<'_>) -> ControlFlow<()>) {
        for (session, paths) in self.watches.as_ref().expect("watches were not to be asked") {
            for path in paths {
                self.handed_over += 1;
                if each(Item::Path(path)).is_break() || each(Item::Session(*session)).is_break() {
                    return;
                }
            }
        }
    }

    fn digests(&mut self) -> Vec<ZxidDigest> {
        self.digests.clone().expect("digests were not to be asked")
    }

    fn trace_mask(&self) -> i64 {
        self.trace_mask
    }

    fn set_trace_mask(&mut self, mask: i64) {
        self.trace_mask = mask;
    }

    fn reset_connection_stats(&mut self) {
        self.resets.push("connections");
    }

    fn reset_server_stats(&mut self) {
        self.resets.push("server");
    }
}
