//! Members of an ensemble on real sockets and disks: they find a leader, serve, lose it, and find another.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use proto::{Acl, ConnectRequest, CreateRequest, Encode, OpCode, RequestHeader, SessionId, Xid, Zxid, wire};
use server::config::membership::{Member, MemberAddress, Membership, Role};
use server::config::{Config, EnsembleConfig};
use server::driver::Handle;
use server::probe::four_letter;
use server::start::{Server, ServerError};
use tempfile::TempDir;

/// Nothing here takes long: this is for the failing test to fail.
const PATIENCE: Duration = Duration::from_secs(60);

/// Addresses nobody else has, so that all ports on them are free. The whole of 127/8 is this machine.
struct Net {
    first: [u8; 3],
    dirs: TempDir,
    members: Membership,
}

impl Net {
    fn new(roles: &[Role]) -> Self {
        let random = getrandom::u32().unwrap().to_be_bytes();
        let first = [127, random[0].max(1), random[1]];
        let members = (1..).zip(roles).map(|(sid, &role)| {
            let host = ip(first, sid).to_string();
            let address = MemberAddress { host, quorum_port: 2888, election_port: 3888 };
            (sid, Member { addresses: vec![address], role, client: None })
        });
        let members = Membership { members: members.collect(), ..Membership::default() };
        Self { first, dirs: TempDir::new().unwrap(), members }
    }

    fn ip(&self, sid: i64) -> IpAddr {
        ip(self.first, sid)
    }

    fn config(&self, sid: i64) -> Config {
        let mut config = Config::with_defaults(0, self.dirs.path().join(sid.to_string()));
        config.client_port_address = self.ip(sid);
        config.tick_time = Duration::from_millis(500);
        config.membership = self.members.clone();
        (config.my_id, config.server_id) = (Some(sid), sid);
        config.ensemble = Some(EnsembleConfig::with_defaults(sid));
        config
    }

    fn start(&self, sid: i64) -> Running {
        let server = Server::start(self.config(sid)).unwrap();
        let (address, handle) = (server.address.unwrap(), server.handle());
        Running { address, handle, thread: Some(std::thread::spawn(move || server.run())) }
    }
}

fn ip([a, b, c]: [u8; 3], sid: i64) -> IpAddr {
    Ipv4Addr::new(a, b, c, u8::try_from(sid).unwrap()).into()
}

struct Running {
    address: SocketAddr,
    handle: Handle,
    thread: Option<JoinHandle<Result<(), ServerError>>>,
}

impl Running {
    fn srvr(&self) -> String {
        four_letter(&self.address.ip().to_string(), self.address.port(), "srvr").unwrap_or_default()
    }

    fn line(&self, start: &str) -> Option<String> {
        self.srvr().lines().find_map(|line| Some(line.strip_prefix(start)?.to_owned()))
    }

    fn stop(mut self) {
        self.handle.stop();
        self.thread.take().unwrap().join().unwrap().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.stop();
    }
}

/// Asks again and again; every question is a connection, so that this leaves room for others.
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "{what} takes too long");
        std::thread::yield_now();
    }
}

/// The member that leads, when all the others follow or observe.
fn leader(running: &BTreeMap<i64, Running>) -> i64 {
    until("an election", || {
        let modes = running.iter().map(|(sid, one)| Some((*sid, one.line("Mode: ")?)));
        let modes = modes.collect::<Option<Vec<_>>>()?;
        let mut leaders = modes.iter().filter(|(_, mode)| mode == "leader");
        let leader = leaders.next()?.0;
        leaders.next().is_none().then_some(leader)
    })
}

/// Opens a session at a member and creates `path` there; the reply's zxid.
fn create(at: SocketAddr, path: &str) -> i64 {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let greeting = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid::ZERO,
        timeout_ms: 10_000,
        session_id: SessionId::NONE,
        password: None,
        read_only: Some(false),
    };
    let mut out = Vec::new();
    wire::put_frame(&mut out, |out| greeting.encode(out));
    stream.write_all(&out).unwrap();
    read_frame(&mut stream);
    let request =
        CreateRequest { path: Some(path.into()), data: Some(b"x"), acl: Some(vec![Acl::open()]), flags: 0 };
    out.clear();
    wire::put_frame(&mut out, |out| {
        RequestHeader { xid: Xid(1), kind: OpCode::Create.number() }.encode(out);
        request.encode(out);
    });
    stream.write_all(&out).unwrap();
    let reply = read_frame(&mut stream);
    assert_eq!(reply[12..16], [0; 4], "the error code");
    i64::from_be_bytes(*reply[4..].first_chunk().unwrap())
}

fn read_frame(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut frame).unwrap();
    frame
}

fn shows(running: &BTreeMap<i64, Running>, zxid: i64) {
    for (sid, one) in running {
        let expected = format!("{zxid:#x}");
        until(&format!("member {sid}"), || one.line("Zxid: ").filter(|shown| *shown == expected));
    }
}

#[test]
fn members_find_a_leader_serve_and_find_another() {
    const ROLES: [Role; 4] = [Role::Participant, Role::Participant, Role::Participant, Role::Observer];
    let net = Net::new(&ROLES);
    let mut running: BTreeMap<i64, Running> = BTreeMap::from([(1, net.start(1))]);
    let silence = "This ZooKeeper instance is not currently serving requests";
    assert!(running[&1].srvr().contains(silence), "alone it serves nobody");
    running.extend([2, 3, 4].map(|sid| (sid, net.start(sid))));
    let first = leader(&running);
    let mut last = 0;
    for (sid, one) in &running {
        last = create(one.address, &format!("/from-{sid}"));
    }
    shows(&running, last);
    assert_eq!(running[&4].line("Mode: ").unwrap(), "observer");

    running.remove(&first).unwrap().stop();
    let second = leader(&running);
    assert_ne!(first, second);
    let other = running.keys().copied().find(|sid| *sid != second).unwrap();
    let behind = create(running[&other].address, "/without-the-first");
    assert_eq!(behind >> 32, (last >> 32) + 1, "a new epoch");

    // Who comes back is brought level, also with nothing left of what it had.
    std::fs::remove_dir_all(net.dirs.path().join(first.to_string())).unwrap();
    running.insert(first, net.start(first));
    shows(&running, behind);
    for (_, one) in running {
        one.stop();
    }
}

#[test]
fn strangers_on_the_election_port_keep_nobody_from_electing() {
    let net = Net::new(&[Role::Participant; 3]);
    let mut running = BTreeMap::from([(1, net.start(1)), (2, net.start(2))]);
    let first = leader(&running);
    let mut strangers = Vec::new();
    for sid in [1, 2] {
        let port = SocketAddr::new(net.ip(sid), 3888);
        for number in 0..200_u32 {
            let mut stream = TcpStream::connect(port).unwrap();
            let sent = match number % 4 {
                // Nothing at all, nonsense, a word, and somebody else's name with a frame that never comes.
                0 => Ok(()),
                1 => stream.write_all(&[0xff; 64]),
                2 => stream.write_all(b"ruok"),
                _ => {
                    stream.write_all(&[&[0xff; 6][..], &[0, 0], &[0, 0, 0, 0, 0, 0, 0, 3], &[0, 0]].concat())
                }
            };
            // It may have been hung up on already.
            drop(sent);
            strangers.push(stream);
        }
    }
    running.insert(3, net.start(3));
    running.remove(&first).unwrap().stop();
    assert_ne!(leader(&running), first);
    create(running[&3].address, "/still-there");
}

#[test]
fn an_election_port_that_is_taken_ends_the_member() {
    let net = Net::new(&[Role::Participant; 3]);
    let _taken = TcpListener::bind((net.ip(1), 3888)).unwrap();
    let mut config = net.config(1);
    config.ensemble.as_mut().unwrap().election_port_bind_retry = Some(1);
    let error = Server::start(config).unwrap().run().unwrap_err();
    assert_eq!(error.exit_code(), 14);
    let text = error.to_string();
    assert!(
        text.contains(&format!("{}:3888", net.ip(1))) && text.contains("electionPortBindRetry"),
        "{text}"
    );
}

#[test]
fn epochs_that_do_not_fit_are_refused_with_their_cure() {
    let net = Net::new(&[Role::Participant; 3]);
    let version = net.dirs.path().join("1/version-2");
    std::fs::create_dir_all(&version).unwrap();
    for (accepted, current, expected) in [
        ("1", "2", "The accepted epoch, 1 is less than the current epoch, 2"),
        ("x", "2", "acceptedEpoch; put the epoch there as a decimal number"),
    ] {
        std::fs::write(version.join("acceptedEpoch"), accepted).unwrap();
        std::fs::write(version.join("currentEpoch"), current).unwrap();
        let Err(error) = Server::start(net.config(1)) else { panic!("{expected}") };
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.exit_code(), 1);
    }
}
