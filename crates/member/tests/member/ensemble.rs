//! Three members on one thread, without faults: what they send each other arrives at once, and so does what they write.

use crate::common;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use member::ensemble::{
    Address, DiskJob, Done, EnsembleOptions, Incoming, LinkId, Observation, Order, PeerAddress, Port, Role,
};
use member::history::History;
use member::{ConnId, Core, CoreOptions, Front, Member, Now};
use proto::quorum::{LearnerInfo, LearnerPacket, PROTOCOL_VERSION};
use proto::{
    Acl, ConnectRequest, ConnectResponse, CreateRequest, Encode, Epoch, OpCode, PathRequest,
    PathWatchRequest, Reader, ReplyHeader, RequestHeader, SessionId, SetDataRequest, Sid, Xid, Zxid,
    session_password,
};
use store::disk::Disk as _;
use store::mem::MemDisk;
use store::snapshot::{SnapshotOptions, SnapshotWriter, load_snapshot};
use tree::auth::AuthOptions;
use tree::{Tree, TreeOptions};
use zab::Quorum;

const TICK_MS: u64 = 100;
const TREE: TreeOptions =
    TreeOptions { hash_seed: 3, extended_types: true, emulate_353_ttl: false, digest: true };

/// What a member keeps over a restart in this test: nothing but its epochs.
struct World {
    members: BTreeMap<i64, Member>,
    listening: BTreeMap<i64, bool>,
    /// Both ends of each connection.
    links: BTreeMap<(i64, LinkId), (i64, LinkId)>,
    /// What member 1 was sent since a test last emptied it.
    sent_to_1: Vec<u8>,
    /// Where logs were cut, and what was said to be committed.
    truncated: Vec<(Zxid, Zxid)>,
    /// Snapshots that are written as they come, and the digests of those that were installed.
    incoming: BTreeMap<i64, (MemDisk, SnapshotWriter<MemDisk>)>,
    installed: Vec<Option<u64>>,
    /// What is to be written of a snapshot is neither written nor given back.
    disk_hangs: bool,
    now: Now,
    conns: u16,
}

fn options(me: i64, sids: &[i64], observers: &[i64]) -> EnsembleOptions {
    let at = |sid: i64, port: u16| vec![Address { host: format!("h{sid}"), port }];
    let members = sids.iter().map(|&sid| {
        let is_observer = observers.contains(&sid);
        (Sid(sid), PeerAddress { quorum: at(sid, 2888), election: at(sid, 3888), is_observer })
    });
    let voters = sids.iter().filter(|sid| !observers.contains(sid)).map(|&sid| Sid(sid));
    EnsembleOptions::with_defaults(TICK_MS, Sid(me), members.collect(), Quorum::Majority(voters.collect()))
}

fn member(me: i64, sids: &[i64], observers: &[i64], now: Now) -> Member {
    let tree = Tree::new(TREE);
    let first_session = member::first_session(&tree, u8::try_from(me).unwrap(), now);
    let core = Core::new(tree, CoreOptions::with_defaults(TICK_MS, first_session), now);
    let front = Front::new(common::front_options(), AuthOptions::default(), 1);
    Member::in_ensemble(core, front, options(me, sids, observers), now)
}

/// Of the tree that a written snapshot makes.
fn digest_of(disk: &MemDisk, writer: SnapshotWriter<MemDisk>) -> u64 {
    let (name, _) = writer.finish(None, None).unwrap();
    let mut history = History::new(TREE);
    load_snapshot(disk, "/d", &name, &mut history).unwrap();
    history.into_tree().unwrap().digest()
}

impl World {
    fn new(sids: &[i64], observers: &[i64]) -> Self {
        let now = Now { mono_ms: 5000, wall_ms: 1_700_000_000_000 };
        Self {
            members: sids.iter().map(|&sid| (sid, member(sid, sids, observers, now))).collect(),
            listening: BTreeMap::new(),
            links: BTreeMap::new(),
            sent_to_1: Vec::new(),
            truncated: Vec::new(),
            incoming: BTreeMap::new(),
            installed: Vec::new(),
            disk_hangs: false,
            now,
            conns: 0,
        }
    }

    fn member(&mut self, sid: i64) -> &mut Member {
        self.members.get_mut(&sid).unwrap()
    }

    /// Carries out orders and hands over bytes until nothing moves.
    fn settle(&mut self) {
        let mut moved = true;
        while moved {
            moved = false;
            let sids: Vec<i64> = self.members.keys().copied().collect();
            for sid in sids {
                moved |= self.turn(sid);
            }
        }
    }

    fn turn(&mut self, sid: i64) -> bool {
        let now = self.now;
        let mut moved = false;
        while let Some(order) = self.members.get_mut(&sid).and_then(Member::next_order) {
            moved = true;
            self.carry_out(sid, order);
        }
        while let Some(batch) = self.members.get_mut(&sid).and_then(Member::take_batch) {
            moved = true;
            self.member(sid).on_persisted(batch.last().unwrap(), now);
        }
        while let Some(link) = self.members.get_mut(&sid).and_then(Member::next_dirty_link) {
            moved = true;
            self.flush(sid, link);
        }
        moved
    }

    fn carry_out(&mut self, sid: i64, order: Order) {
        let now = self.now;
        match order {
            Order::Dial { link, port, addresses, .. } => {
                let to: i64 = addresses[0].host[1..].parse().unwrap();
                let is_open = port == Port::Election || self.listening.get(&to) == Some(&true);
                let from = SocketAddr::from(([127, 0, 0, 1], 9));
                let there = self.members.get_mut(&to).filter(|_| is_open);
                match there.and_then(|there| there.link_accepted(port, from, now)) {
                    Some(other) => {
                        self.links.insert((sid, link), (to, other));
                        self.links.insert((to, other), (sid, link));
                        self.member(sid).link_opened(link, now);
                    }
                    None => self.member(sid).link_lost(link, now),
                }
            }
            Order::Close { link } => {
                if let Some((to, other)) = self.links.remove(&(sid, link)) {
                    self.links.remove(&(to, other));
                    if let Some(there) = self.members.get_mut(&to) {
                        there.link_lost(other, now);
                    }
                }
            }
            Order::Listen(is_open) => drop(self.listening.insert(sid, is_open)),
            Order::Receive(Incoming::Begin { zxid }) => {
                let disk = MemDisk::new();
                disk.create_dir("/d").unwrap();
                let options = SnapshotOptions::default();
                let writer = SnapshotWriter::receive(disk.clone(), "/d", zxid, options).unwrap();
                self.incoming.insert(sid, (disk, writer));
            }
            Order::Receive(Incoming::Bytes(_)) if self.disk_hangs => {}
            Order::Receive(Incoming::Bytes(piece)) => {
                self.incoming.get_mut(&sid).unwrap().1.push(&piece).unwrap();
                self.member(sid).snapshot_bytes_written(piece, now);
            }
            Order::Receive(Incoming::GivenUp) => drop(self.incoming.remove(&sid)),
            Order::Disk(job) => {
                if let Some(batch) = self.member(sid).take_batch() {
                    self.member(sid).on_persisted(batch.last().unwrap(), now);
                }
                let done = match job {
                    DiskJob::StoreEpoch(file, epoch) => Done::EpochStored(file, epoch),
                    DiskJob::Truncate { to, reload: false, committed } => {
                        self.truncated.push((to, committed));
                        Done::Truncated { to, tree: None }
                    }
                    DiskJob::Truncate { .. } => panic!("nothing here was applied that has to go"),
                    DiskJob::Install { is_received } => {
                        let written = self.incoming.remove(&sid).filter(|_| is_received);
                        self.installed.push(written.map(|(disk, writer)| digest_of(&disk, writer)));
                        Done::Installed
                    }
                    DiskJob::ReadLog { link, .. } => Done::LogRead { link, piece: None },
                };
                self.member(sid).on_disk(done, now);
            }
            Order::Halt(why) => panic!("{why}"),
        }
    }

    fn flush(&mut self, sid: i64, link: LinkId) {
        let now = self.now;
        let Some(out) = self.member(sid).link_output(link) else { return };
        let bytes = std::mem::take(out);
        if bytes.is_empty() {
            return;
        }
        let Some(&(to, other)) = self.links.get(&(sid, link)) else { return };
        if to == 1 {
            self.sent_to_1.extend(&bytes);
        }
        // In two pieces, so that snapshots come in halves too.
        let (front, back) = bytes.split_at(bytes.len() / 2);
        for piece in [front, back] {
            if let Some(there) = self.members.get_mut(&to) {
                there.link_receive(other, piece, now);
            }
        }
        self.member(sid).link_sent(link, now);
    }

    fn pass(&mut self, millis: u64) {
        let end = self.now.mono_ms + millis;
        loop {
            self.settle();
            let due = self.members.values().map(Member::deadline_ms).min().unwrap();
            if due > end {
                break;
            }
            let step = due.saturating_sub(self.now.mono_ms).max(1);
            self.now.mono_ms += step;
            self.now.wall_ms += i64::try_from(step).unwrap();
            let now = self.now;
            self.members.values_mut().for_each(|member| member.tick(now));
        }
        self.now.mono_ms = end;
    }

    /// The process of a member ends.
    fn kill(&mut self, sid: i64) {
        self.members.remove(&sid);
        let now = self.now;
        let gone: Vec<_> =
            self.links.iter().filter(|((at, _), _)| *at == sid).map(|(a, b)| (*a, *b)).collect();
        for (here, (to, other)) in gone {
            self.links.remove(&here);
            self.links.remove(&(to, other));
            if let Some(there) = self.members.get_mut(&to) {
                there.link_lost(other, now);
            }
        }
        self.listening.remove(&sid);
    }

    fn leader(&self) -> i64 {
        let mut leaders =
            self.members.iter().filter(|(_, member)| member.role() == Role::Leading && member.is_live());
        *leaders.next().expect("somebody leads").0
    }

    fn roles(&self) -> Vec<(i64, Role, bool)> {
        self.members.iter().map(|(&sid, member)| (sid, member.role(), member.is_serving())).collect()
    }

    fn greet(&mut self, sid: i64, session: SessionId) -> (ConnId, ConnectResponse) {
        self.conns += 1;
        let (now, peer) = (self.now, SocketAddr::from(([127, 0, 0, 1], self.conns)));
        let id = self.member(sid).accept(peer, now).unwrap();
        let mut frame = Vec::new();
        ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid::ZERO,
            timeout_ms: 4000,
            session_id: session,
            password: Some(&session_password(session)),
            read_only: Some(false),
        }
        .encode(&mut frame);
        self.member(sid).receive(id, &frame, now);
        self.settle();
        let frames = self.frames(sid, id);
        let response = Reader::new(&frames[0]).take().unwrap();
        (id, response)
    }

    fn frames(&mut self, sid: i64, id: ConnId) -> VecDeque<Vec<u8>> {
        let out = std::mem::take(self.member(sid).output(id).unwrap());
        self.member(sid).on_sent(id);
        let mut rest = out.as_slice();
        let mut frames = VecDeque::new();
        while let Some((length, behind)) = rest.split_first_chunk::<4>() {
            let (frame, behind) = behind.split_at(usize::try_from(i32::from_be_bytes(*length)).unwrap());
            frames.push_back(frame.to_vec());
            rest = behind;
        }
        frames
    }

    /// Sends a request and returns the reply's error and body.
    fn call(
        &mut self,
        sid: i64,
        id: ConnId,
        xid: i32,
        op: OpCode,
        body: &dyn Encode,
    ) -> (Zxid, i32, Vec<u8>) {
        let mut frame = Vec::new();
        RequestHeader { xid: Xid(xid), kind: op.number() }.encode(&mut frame);
        body.encode(&mut frame);
        let now = self.now;
        self.member(sid).receive(id, &frame, now);
        self.settle();
        let frames = self.frames(sid, id);
        assert_eq!(frames.len(), 1, "one reply at once");
        let mut reader = Reader::new(&frames[0]);
        let ReplyHeader { xid: got, zxid, err } = reader.take().unwrap();
        assert_eq!(got, Xid(xid));
        (zxid, err, reader.rest().to_vec())
    }

    fn create(&mut self, sid: i64, id: ConnId, xid: i32, path: &str, flags: i32) -> (Zxid, i32, Vec<u8>) {
        self.create_with(sid, id, xid, path, b"new", flags)
    }

    fn create_with(
        &mut self,
        sid: i64,
        id: ConnId,
        xid: i32,
        path: &str,
        data: &[u8],
        flags: i32,
    ) -> (Zxid, i32, Vec<u8>) {
        let acl = Some(vec![Acl::open()]);
        let request = CreateRequest { path: Some(path.into()), data: Some(data), acl, flags };
        self.call(sid, id, xid, OpCode::Create, &request)
    }

    /// Member 1 is away while 600 znodes are created, of which the first have `large` bytes; then it calls its leader
    /// again. At member 3.
    fn leave_1_behind(&mut self, id: ConnId, large: &[u8]) {
        let links: Vec<LinkId> =
            self.links.keys().filter(|(at, _)| *at == 1).map(|(_, link)| *link).collect();
        let away = self.members.remove(&1).unwrap();
        self.kill(1);
        let first = self.now;
        for number in 0..600 {
            let data = if number < 12 { large } else { b"new" };
            let path = format!("/missed-{number}");
            assert_eq!(self.create_with(3, id, 2 + number, &path, data, 0).1, 0);
        }
        assert_eq!(self.now, first, "nobody's session ends meanwhile");
        self.members.insert(1, away);
        self.sent_to_1.clear();
        self.installed.clear();
        for link in links {
            let now = self.now;
            self.member(1).link_lost(link, now);
        }
    }

    fn data(&self, sid: i64, path: &str) -> Option<Vec<u8>> {
        let tree = self.members[&sid].core().tree();
        tree.find(path).map(|id| tree.node(id).data().unwrap_or_default().to_vec())
    }

    fn same_trees(&self) {
        let digests: Vec<_> = self.members.values().map(|member| member.core().tree().digest()).collect();
        assert!(digests.windows(2).all(|pair| pair[0] == pair[1]), "{digests:?}");
    }
}

#[test]
fn they_elect_and_every_member_takes_writes() {
    let mut world = World::new(&[1, 2, 3, 4], &[4]);
    world.pass(3000);
    assert_eq!(
        world.roles(),
        [
            (1, Role::Following, true),
            (2, Role::Following, true),
            (3, Role::Leading, true),
            (4, Role::Observing, true)
        ]
    );
    for sid in 1..=4 {
        let (id, session) = world.greet(sid, SessionId::NONE);
        assert_eq!(session.session_id.0 >> 56, sid, "a session's id names who opened it");
        let path = format!("/m{sid}");
        assert_eq!(world.create(sid, id, 1, &path, 0).1, 0);
        assert_eq!(world.create(sid, id, 2, &path, 0).1, proto::Code::NodeExists.number());
        let set = SetDataRequest { path: Some(path.as_str().into()), data: Some(b"set"), version: 0 };
        assert_eq!(world.call(sid, id, 3, OpCode::SetData, &set).1, 0);
        let sync = PathRequest { path: Some("/".into()) };
        assert_eq!(world.call(sid, id, 4, OpCode::Sync, &sync).1, 0);
        let get = PathWatchRequest { path: Some(path.as_str().into()), watch: false };
        assert_eq!(world.call(sid, id, 5, OpCode::GetData, &get).1, 0);
        for other in 1..=4 {
            assert_eq!(world.data(other, &path).as_deref(), Some(b"set".as_slice()));
        }
    }
    world.same_trees();
}

#[test]
fn a_leader_dies_and_sessions_go_on_elsewhere() {
    let mut world = World::new(&[1, 2, 3], &[]);
    world.pass(3000);
    let (id, greeting) = world.greet(3, SessionId::NONE);
    assert_eq!(world.create(3, id, 1, "/e", 1).1, 0);
    world.kill(3);
    world.pass(1000);
    assert_eq!(world.leader(), 2);
    let (id, again) = world.greet(1, greeting.session_id);
    assert_eq!(again.session_id, greeting.session_id);
    let (zxid, err, _) = world.create(1, id, 2, "/after", 0);
    assert_eq!((zxid.epoch(), err), (Epoch(2), 0));
    assert!(world.data(2, "/e").is_some());
    // It comes back with nothing and gets everything.
    let now = world.now;
    world.members.insert(3, member(3, &[1, 2, 3], &[], now));
    world.pass(3000);
    assert_eq!(world.roles()[2], (3, Role::Following, true));
    world.same_trees();
    // Its client is gone for good.
    world.member(1).lost(id);
    world.pass(10_000);
    assert_eq!(world.data(3, "/e"), None, "the leader ends the session everywhere");
    world.same_trees();
}

#[test]
fn a_sync_between_two_writes_keeps_its_place() {
    let mut world = World::new(&[1, 2, 3], &[]);
    world.pass(3000);
    for sid in [1, 3] {
        let (id, _) = world.greet(sid, SessionId::NONE);
        let now = world.now;
        let set = |xid: i32| {
            let mut frame = Vec::new();
            RequestHeader { xid: Xid(xid), kind: OpCode::SetData.number() }.encode(&mut frame);
            SetDataRequest { path: Some("/zookeeper".into()), data: Some(b"x"), version: -1 }
                .encode(&mut frame);
            frame
        };
        let mut sync = Vec::new();
        RequestHeader { xid: Xid(2), kind: OpCode::Sync.number() }.encode(&mut sync);
        PathRequest { path: Some("/".into()) }.encode(&mut sync);
        for frame in [set(1), sync, set(3)] {
            world.member(sid).receive(id, &frame, now);
        }
        world.settle();
        let frames = world.frames(sid, id);
        let xids: Vec<i32> =
            frames.iter().map(|frame| Reader::new(frame).take::<ReplyHeader>().unwrap().xid.0).collect();
        assert_eq!(xids, [1, 2, 3], "at member {sid}");
    }
}

/// The log cannot be read here, so that whoever missed more than is in memory gets a snapshot, and nothing that is in it.
#[test]
fn a_snapshot_in_place_of_the_log_is_not_followed_by_what_it_holds() {
    let mut world = World::new(&[1, 2, 3], &[]);
    world.pass(3000);
    let (id, _) = world.greet(3, SessionId::NONE);
    world.create(3, id, 1, "/seen", 0);
    let mut snapshots = 0;
    world.leave_1_behind(id, b"new");
    world.pass(1000);
    while let Some(observation) = world.member(1).next_observation() {
        snapshots += usize::from(matches!(observation, Observation::SnapshotReceived { .. }));
    }
    assert_eq!(snapshots, 1, "one snapshot suffices");
    assert_eq!(world.roles()[0], (1, Role::Following, true));
    let path = b"/missed-555";
    let times = world.sent_to_1.windows(path.len()).filter(|bytes| bytes == path).count();
    assert_eq!(times, 1, "it is in the snapshot");
    world.same_trees();
    let digest = world.members[&1].core().tree().digest();
    assert_eq!(world.installed, [Some(digest)], "it was written as it came");
}

#[test]
fn a_snapshot_comes_in_though_the_disk_hangs() {
    let mut world = World::new(&[1, 2, 3], &[]);
    world.pass(3000);
    let (id, _) = world.greet(3, SessionId::NONE);
    world.create(3, id, 1, "/seen", 0);
    world.disk_hangs = true;
    world.leave_1_behind(id, &vec![7; 900_000]);
    while world.incoming.is_empty() {
        world.pass(10);
    }
    while world.member(1).next_observation().is_some() {}
    // Half of `initLimit`.
    world.pass(480);
    assert!(world.incoming.contains_key(&1), "the disk has its time");
    world.pass(30);
    assert!(world.incoming.is_empty(), "it is not waited for");
    while let Some(observation) = world.member(1).next_observation() {
        assert!(!matches!(observation, Observation::LeaderLost { .. }), "{observation:?}");
    }
    world.pass(30);
    assert_eq!(world.roles()[0], (1, Role::Following, true));
    assert_eq!(world.installed, [None], "it was written when it was there");
    world.same_trees();
}

/// A leader wrote what no other member heard of, and was replaced.
#[test]
fn a_truncation_says_what_is_committed() {
    let mut world = World::new(&[1, 2, 3], &[]);
    world.pass(3000);
    let (id, _) = world.greet(3, SessionId::NONE);
    let (committed, ..) = world.create(3, id, 1, "/kept", 0);
    let mut frame = Vec::new();
    RequestHeader { xid: Xid(2), kind: OpCode::Create.number() }.encode(&mut frame);
    let acl = Some(vec![Acl::open()]);
    CreateRequest { path: Some("/gone".into()), data: Some(b""), acl, flags: 0 }.encode(&mut frame);
    let now = world.now;
    world.member(3).receive(id, &frame, now);
    let batch = world.member(3).take_batch().unwrap();
    world.member(3).on_persisted(batch.last().unwrap(), now);
    let links: Vec<LinkId> = world.links.keys().filter(|(at, _)| *at == 3).map(|(_, link)| *link).collect();
    let away = world.members.remove(&3).unwrap();
    world.kill(3);
    world.pass(1000);
    world.members.insert(3, away);
    for link in links {
        let now = world.now;
        world.member(3).link_lost(link, now);
    }
    world.pass(3000);
    assert_eq!(world.roles()[2], (3, Role::Following, true));
    assert_eq!(world.truncated, [(committed, committed)]);
    world.same_trees();
}

#[test]
fn without_a_quorum_nobody_serves() {
    let mut world = World::new(&[1, 2, 3], &[]);
    world.pass(3000);
    world.kill(1);
    world.pass(1000);
    assert!(world.members[&2].is_serving());
    world.kill(3);
    world.pass(3000);
    assert_eq!(world.roles(), [(2, Role::Looking, false)]);
}

/// A caller of the quorum port, and whether it is hung up on when it has said `bytes`.
fn is_hung_up(world: &mut World, leader: i64, bytes: &[u8]) -> bool {
    let now = world.now;
    let from = SocketAddr::from(([10, 6, 6, 6], 666));
    let member = world.member(leader);
    let link = member.link_accepted(Port::Quorum, from, now).unwrap();
    member.link_receive(link, bytes, now);
    let mut orders = std::iter::from_fn(|| member.next_order());
    orders.any(|order| matches!(order, Order::Close { link: closed } if closed == link))
}

fn follower_info(sid: i64, accepted_epoch: Epoch) -> Vec<u8> {
    let info = LearnerInfo { sid: Sid(sid), protocol_version: PROTOCOL_VERSION, config_version: 0 };
    let mut bytes = Vec::new();
    LearnerPacket::FollowerInfo { accepted_epoch, info }.encode(&mut bytes);
    bytes
}

#[test]
fn strangers_at_the_quorum_port_disturb_no_learner() {
    let mut world = World::new(&[1, 2, 3], &[]);
    for member in world.members.values_mut() {
        for host in ["h1", "h2", "h3"] {
            member.link_resolved(host, &[[127, 0, 0, 1].into()]);
        }
    }
    world.pass(3000);
    let (leader, roles, links) = (world.leader(), world.roles(), world.links.len());
    let follower = (1..=3).find(|sid| *sid != leader).unwrap();
    assert!(is_hung_up(&mut world, leader, &follower_info(follower, Epoch(0))), "a false id");
    assert!(is_hung_up(&mut world, leader, &follower_info(77, Epoch(u32::MAX - 1))), "a false epoch");
    let long = [&1_i32.to_be_bytes()[..], &[0; 8], &2_000_000_i32.to_be_bytes()].concat();
    assert!(is_hung_up(&mut world, leader, &long), "a long packet before it is served");
    // Who is in no configuration may learn, but not too many; and the silent ones make room.
    let taken = (100..200).filter(|&sid| !is_hung_up(&mut world, leader, &follower_info(sid, Epoch(0))));
    assert_eq!(taken.count(), 64);
    let now = world.now;
    for port in 1..=100 {
        let from = SocketAddr::from(([10, 6, 6, 6], port));
        world.member(leader).link_accepted(Port::Quorum, from, now).unwrap();
    }
    let orders = std::iter::from_fn(|| world.member(leader).next_order());
    assert_eq!(orders.filter(|order| matches!(order, Order::Close { .. })).count(), 36);
    world.pass(1000);
    assert_eq!((world.roles(), world.links.len()), (roles, links));
}
