//! Every word, byte for byte against what Apache printed.

use std::net::SocketAddr;

use crate::server::{Fake, VERSION, ask, asking, golden, sizes, status, summary};
use admin::Serving;
use admin::status::{
    Bucket, ConfigView, Connection, ConnectionExpiry, DirectorySizes, EnsembleConfig, Environment,
    GlobalSessions, Mode, SessionDump, WatchSummary, ZxidDigest,
};
use admin::words::{ANSWER_BYTES_MAX, Whitelist, Word, answer};
use proto::{SessionId, Sid, Zxid};

/// The client's session of the standalone capture.
const CLIENT: SessionId = SessionId(0x0100_0015_b0c9_0000);

fn client() -> Connection {
    Connection {
        interest_ops: 1,
        received: 611,
        sent: 611,
        session: CLIENT,
        last_operation: "GETC",
        established_ms: 1_795_486_500_651,
        timeout_ms: 8000,
        last_cxid: 0x262,
        last_zxid: Zxid(0x134),
        last_response_ms: 1_423_044,
        latency_last_ms: 1,
        latency_max_ms: 12,
        ..asking("127.0.0.1:39576")
    }
}

/// The standalone server as `srvr` found it.
fn standalone() -> Fake {
    let mut status = status(Mode::Standalone, 0x134);
    status.stats.latency = summary(0, 12, 310, 611);
    status.stats.packets_received = 624;
    status.stats.packets_sent = 624;
    status.connections = 2;
    status.znode_count = 11;
    let mut server = Fake::new();
    server.status = Some(status);
    server
}

fn bucket<T>(expires_at: &str, members: Vec<T>) -> Bucket<T> {
    Bucket { expires_at: expires_at.into(), expires_at_ms: 0, members }
}

fn connection(address: &str, session: i64) -> ConnectionExpiry {
    ConnectionExpiry { address: address.parse::<SocketAddr>().unwrap(), session: SessionId(session) }
}

fn owns(session: i64, path: &str) -> (SessionId, Vec<String>) {
    (SessionId(session), vec![path.into()])
}

#[test]
fn srvr_and_stat() {
    let mut server = standalone();
    assert_eq!(ask(Word::Srvr, &mut server), golden("standalone/srvr"));

    let status = server.status.as_mut().unwrap();
    status.stats.packets_received = 625;
    status.stats.packets_sent = 625;
    server.connections = Some(vec![asking("127.0.0.1:39594"), client()]);
    assert_eq!(ask(Word::Stat, &mut server), golden("standalone/stat"));

    let status = server.status.as_mut().unwrap();
    status.stats.reset();
    status.stats.packets_received = 2;
    status.stats.packets_sent = 4;
    assert_eq!(ask(Word::Srvr, &mut server), golden("standalone/srvr-after-srst"));
}

#[test]
fn srvr_in_every_role() {
    let mut server = Fake::new();
    for (name, mode, latency, packets, outstanding) in [
        ("leader", Mode::Leader, summary(0, 12, 18, 5), (8, 6), 1),
        ("follower", Mode::Follower, summary(1, 9, 49, 21), (27, 25), 1),
        ("observer", Mode::Observer, summary(1, 7, 14, 4), (7, 5), 0),
    ] {
        let mut status = status(mode, 0x1_0000_001b);
        status.stats.latency = latency;
        (status.stats.packets_received, status.stats.packets_sent) = packets;
        status.connections = 3;
        status.outstanding = outstanding;
        status.znode_count = 9;
        status.proposals = (mode == Mode::Leader).then(|| sizes(438, 48, 438));
        server.status = Some(status);
        assert_eq!(ask(Word::Srvr, &mut server), golden(&format!("{name}/srvr")));
    }
    let mut status = status(Mode::ReadOnly, 0);
    status.stats.packets_received = 1;
    status.stats.packets_sent = 1;
    server.status = Some(status);
    assert_eq!(ask(Word::Srvr, &mut server), golden("read-only/srvr"));
}

#[test]
fn srvr_says_what_is_wrong_after_all_else() {
    let mut server = standalone();
    let status = server.status.as_mut().unwrap();
    status.fenced = Some("disk full: 0 bytes left on /data".into());
    status.unsafe_settings = vec!["forceSync=no".into(), "skipACL=yes".into()];
    status.forgotten_histories = 1;
    let trouble = "Fenced: disk full: 0 bytes left on /data\nUnsafe settings: forceSync=no, skipACL=yes\n\
                   Forgotten histories: 1\n";
    assert_eq!(ask(Word::Srvr, &mut server), golden("standalone/srvr") + trouble);
}

fn conf_of(dir: &str, port: u16, bytes: u64, server_id: i64) -> ConfigView {
    ConfigView {
        client_port: Some(port),
        secure_client_port: None,
        data_dir: format!("/tmp/apache-admin/d/{dir}/version-2"),
        data_log_dir: format!("/tmp/apache-admin/d/{dir}/version-2"),
        sizes: DirectorySizes { data_bytes: bytes, log_bytes: bytes },
        tick_time: 2000,
        max_client_cnxns: 60,
        min_session_timeout: 4000,
        max_session_timeout: 40000,
        client_port_listen_backlog: -1,
        server_id: Sid(server_id),
        ensemble: None,
    }
}

#[test]
fn conf_and_dirs() {
    let mut server = Fake::new();
    server.configuration = Some(conf_of("1", 24281, 67_109_358, 0));
    assert_eq!(ask(Word::Conf, &mut server), golden("standalone/conf"));
    server.directory_sizes = Some(DirectorySizes { data_bytes: 67_109_358, log_bytes: 67_109_358 });
    assert_eq!(ask(Word::Dirs, &mut server), golden("standalone/dirs"));

    let membership = "server.1=127.0.0.1:24401:24501:participant;127.0.0.1:24301\n\
                      server.2=127.0.0.1:24402:24502:participant;127.0.0.1:24302\n\
                      server.3=127.0.0.1:24403:24503:observer;127.0.0.1:24303\n\
                      version=0";
    for (name, id, bytes) in
        [("follower", 1, 67_109_543), ("leader", 2, 67_109_543), ("observer", 3, 67_110_204)]
    {
        let mut conf = conf_of(&format!("e{id}"), 24300 + id, bytes, id.into());
        conf.ensemble = Some(EnsembleConfig {
            init_limit: 10,
            sync_limit: 5,
            election_ports: vec![24500 + id],
            quorum_ports: vec![24400 + id],
            observer: name == "observer",
            membership: membership.into(),
        });
        server.configuration = Some(conf);
        assert_eq!(ask(Word::Conf, &mut server), golden(&format!("{name}/conf")));
    }
}

#[test]
fn cons() {
    let mut server = Fake::new();
    server.connections = Some(vec![client(), asking("127.0.0.1:39608")]);
    assert_eq!(ask(Word::Cons, &mut server), golden("standalone/cons"));

    let reset = Connection {
        received: 0,
        sent: 0,
        last_operation: "NA",
        last_cxid: -1,
        last_zxid: Zxid::NONE,
        last_response_ms: 0,
        latency_last_ms: 0,
        latency_max_ms: 0,
        ..client()
    };
    server.connections = Some(vec![asking("127.0.0.1:39732"), reset]);
    assert_eq!(ask(Word::Cons, &mut server), golden("standalone/cons-after-crst"));

    let idle = Connection {
        interest_ops: 1,
        sent: 1,
        session: SessionId(0x0200_0016_3406_0001),
        last_operation: "SESS",
        established_ms: 1_795_486_540_891,
        timeout_ms: 8000,
        last_cxid: 0,
        last_zxid: Zxid(0x1_0000_0000),
        last_response_ms: 1_462_479,
        ..asking("127.0.0.1:44764")
    };
    let busy = Connection {
        received: 5,
        sent: 5,
        session: SessionId(0x0200_0016_3406_0000),
        last_operation: "SYNC",
        established_ms: 1_795_486_540_863,
        last_cxid: 4,
        last_zxid: Zxid(0x1_0000_001b),
        last_response_ms: 1_462_977,
        latency_last_ms: 3,
        latency_avg_ms: 4,
        latency_max_ms: 12,
        address: "127.0.0.1:44748".parse().unwrap(),
        ..idle
    };
    server.connections = Some(vec![asking("127.0.0.1:44796"), idle, busy]);
    assert_eq!(ask(Word::Cons, &mut server), golden("leader/cons"));
}

#[test]
fn dump_of_a_server_alone() {
    let mut server = Fake::new();
    let sessions = bucket("Tue Nov 24 02:15:10 UTC 2026", vec![CLIENT]);
    server.sessions = Some(SessionDump { local: None, global: GlobalSessions::Tracked(vec![sessions]) });
    server.ephemerals = Some(vec![owns(CLIENT.0, "/w/eph")]);
    server.expiry = Some(vec![bucket(
        "Tue Nov 24 02:15:18 UTC 2026",
        vec![connection("127.0.0.1:39626", 0), connection("127.0.0.1:39576", CLIENT.0)],
    )]);
    assert_eq!(ask(Word::Dump, &mut server), golden("standalone/dump"));

    server.sessions = Some(SessionDump { local: None, global: GlobalSessions::Tracked(Vec::new()) });
    server.ephemerals = Some(Vec::new());
    server.expiry =
        Some(vec![bucket("Tue Nov 24 02:15:18 UTC 2026", vec![connection("127.0.0.1:39516", 0)])]);
    assert_eq!(ask(Word::Dump, &mut server), golden("fresh/dump"));
}

#[test]
fn dump_in_an_ensemble() {
    let (soon, later) = ("Tue Nov 24 02:15:50 UTC 2026", "Tue Nov 24 02:15:58 UTC 2026");
    let (one, two, three) = (0x0100_0016_3401_0000, 0x0200_0016_3406_0000, 0x0300_0016_3478_0000);
    let mut server = Fake::new();
    server.ephemerals = Some(vec![owns(two, "/w/e1"), owns(one, "/w/e0"), owns(three, "/w/e2")]);

    let local = |session| Some(vec![bucket(soon, vec![SessionId(session)])]);
    let global = vec![bucket(soon, [three, one, two].map(SessionId).to_vec())];
    server.sessions = Some(SessionDump { local: local(two + 1), global: GlobalSessions::Tracked(global) });
    let connections = [("127.0.0.1:44764", two + 1), ("127.0.0.1:44802", 0), ("127.0.0.1:44748", two)];
    server.expiry =
        Some(vec![bucket(later, connections.map(|(at, session)| connection(at, session)).to_vec())]);
    assert_eq!(ask(Word::Dump, &mut server), golden("leader/dump"));

    let known = [one, two, three].map(|session| (SessionId(session), 8000)).to_vec();
    server.sessions = Some(SessionDump { local: local(one + 1), global: GlobalSessions::Known(known) });
    let connections = [("127.0.0.1:60022", one), ("127.0.0.1:60070", 0), ("127.0.0.1:60038", one + 1)];
    server.expiry =
        Some(vec![bucket(later, connections.map(|(at, session)| connection(at, session)).to_vec())]);
    assert_eq!(ask(Word::Dump, &mut server), golden("follower/dump"));
}

#[test]
fn dump_while_read_only() {
    let mut server = Fake::new();
    server.serving = Serving::ReadOnly;
    server.sessions = Some(SessionDump { local: None, global: GlobalSessions::Known(Vec::new()) });
    server.ephemerals = Some(Vec::new());
    server.expiry = Some(vec![
        bucket("Tue Nov 24 02:27:28 UTC 2026", Vec::new()),
        bucket("Tue Nov 24 02:27:38 UTC 2026", vec![connection("127.0.0.1:44370", 0)]),
    ]);
    assert_eq!(ask(Word::Dump, &mut server), golden("read-only/dump"));
}

#[test]
fn watches() {
    let mut server = Fake::new();
    server.watch_summary = Some(WatchSummary { connections: 1, paths: 2, watches: 2 });
    assert_eq!(ask(Word::Wchs, &mut server), golden("standalone/wchs"));
    server.watches = Some(vec![(CLIENT, vec!["/w".into(), "/none".into()])]);
    assert_eq!(ask(Word::Wchc, &mut server), golden("standalone/wchc"));
    assert_eq!(ask(Word::Wchp, &mut server), golden("standalone/wchp"));
    server.watches = Some(Vec::new());
    assert_eq!(ask(Word::Wchc, &mut server), golden("fresh/wchc"));
    assert_eq!(ask(Word::Wchp, &mut server), golden("fresh/wchp"));
}

#[test]
fn hash() {
    let mut server = Fake::new();
    let digest = |zxid, digest| ZxidDigest { zxid: Zxid(zxid), digest, version: 2 };
    server.digests = Some(vec![digest(0x80, 5_103_332_932), digest(0x100, 3_055_235_081)]);
    assert_eq!(ask(Word::Hash, &mut server), golden("standalone/hash"));
    server.digests = Some(Vec::new());
    assert_eq!(ask(Word::Hash, &mut server), golden("fresh/hash"));
}

#[test]
fn envi() {
    let some = |text: &str| Some(text.into());
    let mut server = Fake::new();
    server.environment = Some(Environment {
        version: some(VERSION),
        host_name: some("localhost"),
        java_version: some("17.0.15"),
        java_vendor: some("Debian"),
        java_home: some("/usr/lib/jvm/java-17-openjdk-amd64"),
        java_class_path: some("lib/zookeeper-3.9.5.jar:lib/logback-classic-1.3.15.jar"),
        java_library_path: some(
            "/usr/java/packages/lib:/usr/lib/x86_64-linux-gnu/jni:/lib/x86_64-linux-gnu:\
             /usr/lib/x86_64-linux-gnu:/usr/lib/jni:/lib:/usr/lib",
        ),
        temporary_dir: some("/tmp"),
        java_compiler: None,
        os_name: some("Linux"),
        os_arch: some("amd64"),
        os_version: some("6.18.44-fc-v669"),
        user_name: some("root"),
        user_home: some("/root"),
        user_dir: some("/tmp/apache-admin"),
        memory_free: some("117MB"),
        memory_max: some("128MB"),
        memory_total: some("128MB"),
    });
    assert_eq!(ask(Word::Envi, &mut server), golden("standalone/envi"));
}

#[test]
fn the_short_ones() {
    let mut server = Fake::new();
    assert_eq!(ask(Word::Ruok, &mut server), golden("standalone/ruok"));
    assert_eq!(ask(Word::Isro, &mut server), golden("standalone/isro"));
    assert_eq!(ask(Word::Crst, &mut server), golden("standalone/crst"));
    assert_eq!(ask(Word::Srst, &mut server), golden("standalone/srst"));
    assert_eq!(server.resets, ["connections", "server"]);
    assert_eq!(ask(Word::TelnetClose, &mut server), golden("standalone/telnet-close"));
    server.serving = Serving::ReadOnly;
    assert_eq!(ask(Word::Isro, &mut server), golden("read-only/isro"));
}

#[test]
fn the_trace_mask() {
    let mut server = Fake::new();
    assert_eq!(ask(Word::Gtmk, &mut server), golden("standalone/gtmk"));
    server.trace_mask = 0;
    let stmk = |rest: &[u8], server: &mut Fake| answer(Word::Stmk, rest, server, ANSWER_BYTES_MAX);
    assert_eq!(stmk(&[0, 0], &mut server), golden("standalone/stmk-short"));
    assert_eq!(server.trace_mask, 0);
    assert_eq!(stmk(&[0, 0, 0, 0, 0, 0, 1, 0o62], &mut server), golden("standalone/stmk"));
    assert_eq!(server.trace_mask, 306);
}

#[test]
fn while_not_serving_nothing_is_asked_and_nothing_reset() {
    let mut server = Fake::new();
    server.serving = Serving::No;
    server.environment = Some(Environment::default());
    for &word in Word::ALL {
        if word == Word::Envi || word == Word::TelnetClose {
            assert!(!word.needs_serving());
            continue;
        }
        let expected = golden(&format!("not-serving/{}", word.name()));
        assert_eq!(
            answer(word, &[0, 0, 0, 0, 0, 0, 1, 0o62], &mut server, ANSWER_BYTES_MAX),
            expected,
            "{word:?}"
        );
    }
    assert!(server.resets.is_empty());
    assert!(ask(Word::Envi, &mut server).starts_with("Environment:\nzookeeper.version=<NA>\n"));
}

#[test]
fn refusals() {
    let whitelist = Whitelist::parse(None, false);
    assert_eq!(whitelist.refusal(Word::Srvr), None);
    assert!(whitelist.refusal(Word::TelnetClose).is_some());
    let others = Word::ALL.iter().filter(|&&word| word != Word::Srvr && word != Word::TelnetClose);
    for word in others {
        assert_eq!(whitelist.refusal(*word), Some(golden(&format!("refused/{}", word.name()))));
    }
}

#[test]
fn an_endless_answer_is_cut_after_a_line_and_not_computed_further() {
    let mut server = Fake::new();
    let paths = (0..10_000).map(|index| format!("/p{index:05}")).collect();
    server.watches = Some(vec![(CLIENT, paths)]);
    let text = answer(Word::Wchc, &[], &mut server, 1000);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.first(), Some(&"0x1000015b0c90000"));
    assert_eq!(lines[lines.len() - 2], format!("\t/p{:05}", lines.len() - 3));
    assert_eq!(lines.last(), Some(&"... cut off: the whole answer is longer than 1000 bytes"));
    assert!(text.len() < 1100, "{}", text.len());
    assert_eq!(server.handed_over, lines.len());

    server.connections = Some(vec![client(); 1000]);
    assert!(answer(Word::Cons, &[], &mut server, 1000).ends_with("than 1000 bytes\n"));
    assert!(answer(Word::Wchp, &[], &mut server, 1000).ends_with("than 1000 bytes\n"));
}
