//! The four-letter words, their whitelist, and a server that answers anything.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::Duration;

use admin::status::{
    Bucket, ConfigView, Connection, ConnectionExpiry, DirectorySizes, EnsembleConfig, Environment, Gauges,
    GlobalSessions, Mode, NamespaceQuota, SessionDump, Status, WatchSummary, ZxidDigest,
};
use admin::words::{Whitelist, Word, answer};
use admin::{Item, Serving, Source};
use member::metrics::{Registry, ServerStats};
use proto::{SessionId, Sid, Zxid};

/// A whitelist up to the first zero byte, then words with what comes behind them. The rest of the bytes are also what
/// the server says about itself.
pub fn four_letter(data: &[u8]) {
    let (names, data) = match data.iter().position(|byte| *byte == 0) {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &[][..]),
    };
    let whitelist = Whitelist::parse(Some(&String::from_utf8_lossy(names)), data.len() % 2 == 0);
    let mut server = Anything { data, at: 0, registry: Registry::default(), mask: 0 };
    for first in data.chunks_exact(4) {
        let first = first.try_into().expect("four bytes");
        let word = Word::parse(first).unwrap_or(Word::ALL[usize::from(first[0]) % Word::ALL.len()]);
        if let Some(sentence) = whitelist.refusal(word) {
            assert!(sentence.ends_with('\n'));
        }
        let limit = usize::from(first[1]) * 8;
        let text = answer(word, data, &mut server, limit);
        // The sentence that says that something is missing comes on top.
        assert!(
            word == Word::Conf || text.len() <= limit + 1024,
            "{} bytes for a limit of {limit}",
            text.len()
        );
    }
}

/// A server whose every answer comes out of the input.
struct Anything<'a> {
    data: &'a [u8],
    at: usize,
    registry: Registry,
    mask: i64,
}

impl Anything<'_> {
    fn byte(&mut self) -> u8 {
        let byte = self.data.get(self.at % self.data.len().max(1)).copied().unwrap_or_default();
        self.at += 1;
        byte
    }

    fn number(&mut self) -> u64 {
        u64::from_be_bytes(std::array::from_fn(|_| self.byte()))
    }

    fn signed(&mut self) -> i64 {
        self.number().cast_signed()
    }

    fn text(&mut self) -> String {
        let length = usize::from(self.byte() % 16);
        let bytes: Vec<u8> = (0..length).map(|_| self.byte()).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn some<T>(&mut self, one: impl Fn(&mut Self) -> T) -> Vec<T> {
        (0..self.byte() % 4).map(|_| one(self)).collect()
    }

    fn address(&mut self) -> SocketAddr {
        let port = u16::from(self.byte());
        if self.byte() % 2 == 0 {
            SocketAddr::from((std::array::from_fn::<u8, 4, _>(|_| self.byte()), port))
        } else {
            SocketAddr::from((std::array::from_fn::<u8, 16, _>(|_| self.byte()), port))
        }
    }

    fn session(&mut self) -> SessionId {
        SessionId(self.signed())
    }

    fn bucket<T>(&mut self, one: impl Fn(&mut Self) -> T) -> Bucket<T> {
        Bucket { expires_at: self.text(), expires_at_ms: self.signed(), members: self.some(one) }
    }

    fn items(&mut self, each: &mut dyn FnMut(Item<'_>) -> ControlFlow<()>) {
        for _ in 0..self.byte() % 8 {
            let flow = if self.byte() % 2 == 0 {
                each(Item::Session(self.session()))
            } else {
                each(Item::Path(&self.text()))
            };
            if flow.is_break() {
                return;
            }
        }
    }
}

impl Source for Anything<'_> {
    fn serving(&self) -> Serving {
        match self.at % 8 {
            0 => Serving::No,
            1 => Serving::ReadOnly,
            _ => Serving::ReadWrite,
        }
    }

    fn status(&mut self) -> Status {
        let modes = [Mode::Standalone, Mode::Leader, Mode::Follower, Mode::Observer, Mode::ReadOnly];
        let stats = ServerStats {
            packets_received: self.number(),
            packets_sent: self.number(),
            auth_failed_count: self.number(),
            ..ServerStats::default()
        };
        Status {
            version: self.text(),
            mode: modes[usize::from(self.byte()) % modes.len()],
            stats,
            connections: self.number(),
            outstanding: self.number(),
            zxid: Zxid(self.signed()),
            znode_count: self.number(),
            uptime: Duration::from_millis(self.number()),
            proposals: None,
            fenced: if self.byte() % 2 == 0 { Some(self.text()) } else { None },
            unsafe_settings: self.some(Self::text),
            forgotten_histories: self.number(),
        }
    }

    fn gauges(&mut self) -> Gauges {
        Gauges {
            watch_count: self.number(),
            approximate_data_size: self.number(),
            open_file_descriptor_count: Some(self.number()),
            connection_drop_probability: f64::from_bits(self.number()),
            quotas: self.some(|server| NamespaceQuota {
                namespace: server.text(),
                count_limit: server.signed(),
                bytes_limit: server.signed(),
                count_usage: server.signed(),
                bytes_usage: server.signed(),
            }),
            ..Gauges::default()
        }
    }

    fn registry(&self) -> &Registry {
        &self.registry
    }

    fn configuration(&mut self) -> ConfigView {
        ConfigView {
            client_port: Some(u16::from(self.byte())),
            secure_client_port: None,
            data_dir: self.text(),
            data_log_dir: self.text(),
            sizes: self.directory_sizes(),
            tick_time: u32::from(self.byte()),
            max_client_cnxns: u32::from(self.byte()),
            min_session_timeout: u32::from(self.byte()),
            max_session_timeout: u32::from(self.byte()),
            client_port_listen_backlog: -1,
            server_id: Sid(self.signed()),
            ensemble: (self.byte() % 2 == 0).then(|| EnsembleConfig {
                init_limit: 10,
                sync_limit: 5,
                election_ports: self.some(|server| u16::from(server.byte())),
                quorum_ports: self.some(|server| u16::from(server.byte())),
                observer: self.byte() % 2 == 0,
                membership: self.text(),
            }),
        }
    }

    fn directory_sizes(&mut self) -> DirectorySizes {
        DirectorySizes { data_bytes: self.number(), log_bytes: self.number() }
    }

    fn environment(&mut self) -> Environment {
        Environment { version: Some(self.text()), host_name: Some(self.text()), ..Environment::default() }
    }

    fn connections(&mut self, each: &mut dyn FnMut(&Connection) -> ControlFlow<()>) {
        for _ in 0..self.byte() % 8 {
            let connection = Connection {
                address: self.address(),
                interest_ops: self.byte(),
                secure: self.byte() % 2 == 0,
                queued: self.number(),
                received: self.number(),
                sent: self.number(),
                session: self.session(),
                last_operation: "PING",
                established_ms: self.signed(),
                timeout_ms: u32::from(self.byte()),
                last_cxid: self.signed(),
                last_zxid: Zxid(self.signed()),
                last_response_ms: self.signed(),
                latency_last_ms: self.signed(),
                latency_min_ms: self.signed(),
                latency_avg_ms: self.signed(),
                latency_max_ms: self.signed(),
            };
            if each(&connection).is_break() {
                return;
            }
        }
    }

    fn sessions(&mut self) -> SessionDump {
        let global = if self.byte() % 2 == 0 {
            GlobalSessions::Tracked(self.some(|server| server.bucket(Self::session)))
        } else {
            GlobalSessions::Known(self.some(|server| (server.session(), u32::from(server.byte()))))
        };
        SessionDump { local: None, global }
    }

    fn sessions_with_ephemerals(&mut self) -> usize {
        usize::from(self.byte())
    }

    fn ephemerals(&mut self, each: &mut dyn FnMut(Item<'_>) -> ControlFlow<()>) {
        self.items(each);
    }

    fn connection_expiry(&mut self) -> Option<Vec<Bucket<ConnectionExpiry>>> {
        let one =
            |server: &mut Self| ConnectionExpiry { address: server.address(), session: server.session() };
        (self.byte() % 2 == 0).then(|| self.some(|server| server.bucket(one)))
    }

    fn watch_summary(&mut self) -> WatchSummary {
        WatchSummary { connections: self.number(), paths: self.number(), watches: self.number() }
    }

    fn watches_by_session(&mut self, each: &mut dyn FnMut(Item<'_>) -> ControlFlow<()>) {
        self.items(each);
    }

    fn watches_by_path(&mut self, each: &mut dyn FnMut(Item<'_>) -> ControlFlow<()>) {
        self.items(each);
    }

    fn digests(&mut self) -> Vec<ZxidDigest> {
        self.some(|server| ZxidDigest { zxid: Zxid(server.signed()), digest: server.signed(), version: 2 })
    }

    fn trace_mask(&self) -> i64 {
        self.mask
    }

    fn set_trace_mask(&mut self, mask: i64) {
        self.mask = mask;
    }

    fn reset_connection_stats(&mut self) {}

    fn reset_server_stats(&mut self) {
        self.registry.reset();
    }
}
