use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::{format, vec};

use super::*;

/// Member `n` lives at 10.0.0.n.
fn home(sid: i64) -> IpAddr {
    format!("10.0.0.{sid}").parse().unwrap()
}

fn address(sid: i64) -> Address {
    Address { host: home(sid).to_string(), port: 3888 }
}

fn options(me: i64, members: &[i64]) -> MeshOptions {
    MeshOptions {
        me: Sid(me),
        own_addresses: vec![address(me)],
        members: members.iter().map(|&sid| (Sid(sid), vec![address(sid)])).collect(),
        multi_address: false,
        connect_timeout_ms: 5000,
        first_message_ms: 5000,
        pending_max: 6,
        per_address_max: 3,
    }
}

fn greeting(sid: i64, host: &str) -> Vec<u8> {
    let addresses = vec![HostPort { host, port: 3888 }];
    let mut bytes = Vec::new();
    Greeting::Addressed { form: AddressForm::One, sid: Sid(sid), addresses }.encode(&mut bytes);
    bytes
}

fn frame(message: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    i32::try_from(message.len()).unwrap().encode(&mut bytes);
    bytes.extend_from_slice(message);
    bytes
}

/// A mesh and what its driver does for it.
struct Rig {
    mesh: Mesh,
    ids: LinkIds,
    orders: VecDeque<Order>,
    now: Now,
}

impl Rig {
    fn new(me: i64, members: &[i64]) -> Self {
        Self::of(options(me, members))
    }

    fn of(options: MeshOptions) -> Self {
        let now = Now { mono_ms: 1_000_000, wall_ms: 0 };
        Self { mesh: Mesh::new(options), ids: LinkIds::default(), orders: VecDeque::new(), now }
    }

    fn send(&mut self, to: i64, message: &[u8]) {
        self.mesh.send(Sid(to), message.to_vec(), self.now, &mut self.ids, &mut self.orders);
    }

    fn accept(&mut self, from: IpAddr) -> LinkId {
        let link = self.ids.give();
        self.mesh.accepted(link, SocketAddr::new(from, 40_000), self.now, &mut self.orders);
        link
    }

    fn receive(&mut self, link: LinkId, bytes: &[u8]) {
        self.mesh.receive(link, bytes, self.now, &mut self.ids, &mut self.orders);
    }

    /// Somebody calls and says who it is.
    fn called_by(&mut self, sid: i64, from: IpAddr) -> LinkId {
        let link = self.accept(from);
        self.receive(link, &greeting(sid, &home(sid).to_string()));
        link
    }

    /// The one order there has to be.
    fn dial(&mut self) -> (LinkId, Vec<Address>) {
        let order = self.orders.pop_front();
        let Some(Order::Dial { link, port: Port::Election, addresses, timeout_ms: 5000 }) = order else {
            panic!("no call but {order:?}")
        };
        (link, addresses)
    }

    fn closed(&mut self) -> Vec<LinkId> {
        let mut closed = Vec::new();
        while let Some(order) = self.orders.pop_front_if(|order| matches!(order, Order::Close { .. })) {
            let Order::Close { link } = order else { unreachable!() };
            closed.push(link);
        }
        closed
    }

    /// Sends what is there on a link, all of it.
    fn flush(&mut self, link: LinkId) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let Some(out) = self.mesh.output(link) else { return all };
            if out.is_empty() {
                return all;
            }
            all.append(out);
            self.mesh.sent(link, self.now, &mut self.orders);
        }
    }

    fn events(&mut self) -> Vec<MeshEvent> {
        core::iter::from_fn(|| self.mesh.next_event()).collect()
    }

    /// Past the moment in which calls may cross.
    fn later(&mut self) {
        self.now.mono_ms += CROSSING_MS;
    }
}

#[test]
fn the_larger_id_calls_and_keeps_the_line() {
    let mut rig = Rig::new(2, &[1, 2, 3]);
    rig.send(1, b"vote");
    let (link, addresses) = rig.dial();
    assert_eq!(addresses, [address(1)]);
    rig.send(1, b"newer vote");
    assert!(rig.orders.is_empty(), "one call at a time");
    rig.mesh.opened(link, rig.now, &mut rig.orders);
    assert_eq!(rig.events(), [MeshEvent::Linked(Sid(1))]);
    assert_eq!(rig.mesh.next_dirty(), Some(link));
    // The greeting goes out in one piece, and the message that was overtaken never does.
    assert_eq!(rig.mesh.output(link).unwrap(), &greeting(2, "10.0.0.2"));
    assert_eq!(rig.flush(link), [greeting(2, "10.0.0.2"), frame(b"newer vote")].concat());
    rig.receive(link, &[frame(b"a"), frame(b"bc")].concat());
    let message = |bytes: &[u8]| MeshEvent::Message { from: Sid(1), bytes: bytes.to_vec() };
    assert_eq!(rig.events(), [message(b"a"), message(b"bc")]);
    assert!(rig.mesh.is_linked(Sid(1)) && rig.mesh.deadline_ms() == u64::MAX);
}

#[test]
fn the_smaller_id_says_who_it_is_and_is_called_back() {
    let mut rig = Rig::new(2, &[1, 2, 3]);
    rig.send(3, b"vote");
    let (link, addresses) = rig.dial();
    assert_eq!(addresses, [address(3)]);
    rig.mesh.opened(link, rig.now, &mut rig.orders);
    assert_eq!(rig.flush(link), greeting(2, "10.0.0.2"));
    assert_eq!(rig.closed(), [link]);
    // It does not ask again before the other side had time to call.
    rig.send(3, b"vote 2");
    assert!(rig.orders.is_empty() && rig.events().is_empty());

    let back = rig.called_by(3, home(3));
    assert_eq!(rig.events(), [MeshEvent::Linked(Sid(3))]);
    assert_eq!(rig.flush(back), frame(b"vote 2"));

    // Not called back at all: it asks again.
    rig.mesh.lost(back);
    assert_eq!(rig.events(), [MeshEvent::Unlinked(Sid(3))]);
    rig.later();
    rig.send(3, b"vote 3");
    rig.dial();
}

#[test]
fn a_smaller_caller_is_called_back_where_it_is_configured() {
    let mut rig = Rig::new(2, &[1, 2, 3]);
    let caller = rig.accept(home(1));
    rig.receive(caller, &greeting(1, "6.6.6.6"));
    assert_eq!(rig.closed(), [caller]);
    assert_eq!(rig.dial().1, [address(1)]);
    // However often it asks, there is one call.
    rig.called_by(1, home(1));
    assert_eq!(rig.closed().len(), 1);
    assert!(rig.orders.is_empty());
}

#[test]
fn a_caller_in_no_configuration_is_called_back_where_it_came_from() {
    let mut rig = Rig::new(20, &[1, 20, 30]);
    let caller = rig.accept(home(7));
    rig.receive(caller, &greeting(7, "6.6.6.6"));
    assert_eq!(rig.closed(), [caller]);
    let (link, addresses) = rig.dial();
    assert_eq!(addresses, [address(7)]);
    rig.mesh.opened(link, rig.now, &mut rig.orders);
    rig.send(7, b"vote");
    assert!(rig.flush(link).ends_with(&frame(b"vote")));
    assert_eq!(rig.events(), [MeshEvent::Linked(Sid(7))]);
    rig.mesh.lost(link);
    assert_eq!(rig.events(), [MeshEvent::Unlinked(Sid(7))]);
    // It is forgotten; what is for it is dropped.
    rig.send(7, b"vote");
    assert!(rig.orders.is_empty());

    // A larger one keeps the line it called on.
    let larger = rig.called_by(31, home(31));
    rig.send(31, b"vote");
    assert_eq!(rig.flush(larger), frame(b"vote"));
}

#[test]
fn versions_of_the_greeting() {
    let own = vec![address(3), Address { host: "zk3.other".into(), port: 3889 }];
    for (multi_address, form, count) in [(false, AddressForm::One, 1), (true, AddressForm::Many, 2)] {
        let options = MeshOptions { multi_address, own_addresses: own.clone(), ..options(3, &[1, 2, 3]) };
        let mut rig = Rig::of(options);
        rig.send(1, b"vote");
        let (link, _) = rig.dial();
        rig.mesh.opened(link, rig.now, &mut rig.orders);
        let out = rig.mesh.output(link).unwrap().clone();
        let Ok(Greeting::Addressed { form: sent, addresses, .. }) = Greeting::decode(&mut Reader::new(&out))
        else {
            panic!("{out:?}")
        };
        assert_eq!((sent, addresses.len()), (form, count));
    }
    // One with nothing but an id, before 3.5: a member is called where it is configured, others cannot be.
    let mut rig = Rig::new(3, &[1, 2, 3]);
    for (sid, calls) in [(1_i64, 1), (0, 0), (i64::MAX, 0)] {
        let caller = rig.accept(home(1));
        rig.receive(caller, &sid.to_be_bytes());
        assert_eq!(rig.closed(), [caller]);
        assert_eq!(core::mem::take(&mut rig.orders).len(), calls, "{sid}");
    }
}

#[test]
fn a_message_that_may_not_have_arrived_is_sent_again() {
    let mut rig = Rig::new(1, &[1, 2]);
    let first = rig.called_by(2, home(2));
    rig.send(2, b"vote");
    assert_eq!(rig.flush(first), frame(b"vote"));
    rig.mesh.lost(first);
    let second = rig.called_by(2, home(2));
    assert_eq!(rig.flush(second), frame(b"vote"));
    assert_eq!(rig.flush(second), b"");
}

#[test]
fn what_waits_behind_a_half_sent_message_is_the_latest() {
    let mut rig = Rig::new(1, &[1, 2]);
    let link = rig.called_by(2, home(2));
    rig.send(2, b"one");
    rig.mesh.output(link).unwrap().drain(..3);
    rig.send(2, b"two");
    rig.send(2, b"three");
    assert_eq!(rig.flush(link), [&frame(b"one")[3..], &frame(b"three")].concat());
}

#[test]
fn a_connection_that_works_is_replaced_only_from_the_right_place() {
    let mut rig = Rig::new(2, &[1, 2, 3]);
    let real = rig.called_by(3, home(3));
    rig.events();
    let thief = rig.called_by(3, home(66));
    assert_eq!(rig.closed(), [thief]);
    assert!(rig.events().is_empty());
    // The member itself called again, since its connection broke without a word.
    rig.called_by(3, home(3));
    assert_eq!(rig.closed(), [real]);
    assert_eq!(rig.events(), [MeshEvent::Linked(Sid(3))]);
    // A smaller one likewise.
    rig.send(1, b"vote");
    let (one, _) = rig.dial();
    rig.mesh.opened(one, rig.now, &mut rig.orders);
    rig.later();
    let thief = rig.called_by(1, home(66));
    assert_eq!(rig.closed(), [thief]);
    let caller = rig.called_by(1, home(1));
    assert_eq!(rig.closed(), [caller, one]);
    assert_eq!(rig.dial().1, [address(1)]);
    assert!(rig.mesh.is_linked(Sid(3)) && !rig.mesh.is_linked(Sid(1)));
}

#[test]
fn who_came_from_elsewhere_yields_to_the_member() {
    let mut rig = Rig::new(2, &[1, 2, 3]);
    let thief = rig.called_by(3, home(66));
    let real = rig.called_by(3, home(3));
    assert_eq!(rig.closed(), [thief]);
    let thief = rig.called_by(3, home(66));
    assert_eq!(rig.closed(), [thief]);
    assert!(rig.mesh.output(real).is_some());
}

#[test]
fn names_mean_what_they_meant_when_last_looked_up() {
    let mut options = options(2, &[1, 2]);
    options.members.insert(Sid(3), vec![Address { host: "zk3".into(), port: 3888 }]);
    let mut rig = Rig::of(options);
    rig.mesh.resolved("zk3", &[home(3), "::ffff:10.0.0.33".parse().unwrap()]);
    rig.mesh.resolved("unknown", &[home(66)]);
    let first = rig.called_by(3, home(3));
    let second = rig.called_by(3, home(33));
    assert_eq!(rig.closed(), [first]);
    // It moved; the old place is remembered until there is a new answer.
    let third = rig.called_by(3, home(34));
    assert_eq!(rig.closed(), [third]);
    rig.mesh.resolved("zk3", &[]);
    rig.mesh.resolved("zk3", &[home(34)]);
    rig.called_by(3, home(34));
    assert_eq!(rig.closed(), [second]);
}

#[test]
fn a_call_to_itself_is_hung_up() {
    let mut rig = Rig::new(2, &[1, 2, 3]);
    let link = rig.called_by(2, home(2));
    assert_eq!(rig.closed(), [link]);
    rig.send(2, b"vote");
    assert!(rig.orders.is_empty() && rig.events().is_empty());
}

#[test]
fn nonsense_costs_only_its_connection() {
    let mut rig = Rig::new(2, &[1, 2, 3]);
    for bytes in [&[0xff; 8][..], b"GET / HTTP/1.1\r\nHost: x", &[&greeting(3, "x")[..16], &[0; 8]].concat()]
    {
        let link = rig.accept(home(66));
        rig.receive(link, bytes);
        assert_eq!(rig.closed(), [link], "{bytes:?}");
        assert!(rig.events().is_empty());
    }
    for bytes in [&[0_u8; 4][..], &[0x80, 0, 0, 0], &(524_289_i32).to_be_bytes()] {
        let link = rig.called_by(3, home(3));
        rig.closed();
        rig.receive(link, bytes);
        assert_eq!(rig.closed(), [link]);
        assert_eq!(rig.events().last(), Some(&MeshEvent::Unlinked(Sid(3))));
    }
    // Piece by piece is as good as at once, behind the greeting too.
    let link = rig.accept(home(3));
    let long = vec![7; NOTIFICATION_BYTES_MAX];
    let bytes = [greeting(3, "10.0.0.3"), frame(&long)].concat();
    bytes.chunks(1000).for_each(|piece| rig.receive(link, piece));
    assert_eq!(rig.events(), [MeshEvent::Linked(Sid(3)), MeshEvent::Message { from: Sid(3), bytes: long }]);
    // Who is not known to be a member has less room.
    let stranger = rig.called_by(9, home(9));
    rig.receive(stranger, &frame(&vec![7; STRANGER_FRAME_BYTES_MAX + 1])[..4]);
    assert_eq!(rig.closed(), [stranger]);
}

#[test]
fn who_says_nothing_goes() {
    let mut rig = Rig::new(2, &[1, 2, 3]);
    let silent = rig.accept(home(66));
    rig.receive(silent, &greeting(3, "x")[..19]);
    let asked = rig.now.mono_ms + 5000;
    assert_eq!(rig.mesh.deadline_ms(), asked);
    rig.now.mono_ms = asked - 1;
    rig.mesh.tick(rig.now, &mut rig.orders);
    assert!(rig.closed().is_empty());
    rig.now.mono_ms = asked;
    rig.mesh.tick(rig.now, &mut rig.orders);
    assert_eq!(rig.closed(), [silent]);
    // And so does who is called but does not take the greeting.
    rig.send(3, b"vote");
    let (link, _) = rig.dial();
    rig.mesh.opened(link, rig.now, &mut rig.orders);
    rig.now.mono_ms += 5000;
    rig.mesh.tick(rig.now, &mut rig.orders);
    assert_eq!(rig.closed(), [link]);
    assert_eq!(rig.events(), [MeshEvent::Unlinked(Sid(3))]);
}

#[test]
fn too_many_callers_make_the_oldest_go() {
    let mut rig = Rig::new(2, &[1, 2, 3]);
    let member = rig.accept(home(3));
    let one: Vec<_> = (0..4).map(|_| rig.accept(home(66))).collect();
    assert_eq!(rig.closed(), [one[0]], "three of one address");
    rig.accept(home(67));
    rig.accept(home(68));
    assert!(rig.closed().is_empty());
    rig.accept(home(69));
    assert_eq!(rig.closed(), [one[1]], "six in all, and a member's address is spared");
    rig.receive(member, &greeting(3, "x"));
    assert!(rig.mesh.is_linked(Sid(3)));
}

#[test]
fn strangers_that_stay_are_counted() {
    let mut rig = Rig::new(2, &[1, 2, 3]);
    for sid in 10..13 {
        rig.called_by(sid, home(66));
    }
    assert!(rig.closed().is_empty());
    let link = rig.called_by(13, home(66));
    assert_eq!(rig.closed(), [link], "three of one address");
    for sid in 20..23 {
        rig.called_by(sid, home(67));
    }
    assert!(rig.closed().is_empty());
    let link = rig.called_by(30, home(68));
    assert_eq!(rig.closed(), [link], "six in all");
    rig.called_by(3, home(3));
    assert!(rig.mesh.is_linked(Sid(3)), "members are not counted");
}

#[test]
fn a_failed_call_is_told_and_may_be_tried_again() {
    let mut rig = Rig::new(2, &[1, 2, 3]);
    rig.send(1, b"vote");
    let (link, _) = rig.dial();
    rig.mesh.lost(link);
    assert_eq!(rig.events(), [MeshEvent::Unlinked(Sid(1))]);
    rig.mesh.connect(Sid(1), rig.now, &mut rig.ids, &mut rig.orders);
    let (link, _) = rig.dial();
    rig.mesh.opened(link, rig.now, &mut rig.orders);
    assert!(rig.flush(link).ends_with(&frame(b"vote")));
    rig.mesh.connect(Sid(1), rig.now, &mut rig.ids, &mut rig.orders);
    assert!(rig.orders.is_empty());
}

/// All members send to all at once, and what they order happens in one of many sequences.
#[test]
fn crossing_calls_end_with_one_line_each() {
    const SIDS: [i64; 4] = [1, 2, 3, 4];
    for seed in 0..100_u32 {
        let mut random = seed.wrapping_mul(2_654_435_761) | 1;
        let mut pick = |n: usize| {
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;
            usize::try_from(random).unwrap() % n
        };
        let mut rigs: BTreeMap<i64, Rig> = SIDS.map(|sid| (sid, Rig::new(sid, &SIDS))).into();
        // Both ends of each connection, and whether the end has hung up.
        let mut wires: BTreeMap<(i64, LinkId), (i64, LinkId)> = BTreeMap::new();
        let mut calls = Vec::new();
        for (from, to) in SIDS.iter().flat_map(|from| SIDS.map(|to| (*from, to))).filter(|(a, b)| a != b) {
            rigs.get_mut(&from).unwrap().send(to, &[u8::try_from(from).unwrap()]);
        }
        for _ in 0..10_000 {
            for (&sid, rig) in &mut rigs {
                while let Some(order) = rig.orders.pop_front() {
                    match order {
                        Order::Dial { link, addresses, .. } => calls.push((sid, link, addresses[0].clone())),
                        Order::Close { link } => calls.push((sid, link, address(0))),
                        other @ (Order::Listen(_) | Order::Receive(_) | Order::Disk(_) | Order::Halt(_)) => {
                            panic!("{other:?}")
                        }
                    }
                }
            }
            // A call connects, or somebody hears that the other end hung up.
            if !calls.is_empty() && pick(3) == 0 {
                let (sid, link, to) = calls.remove(pick(calls.len()));
                let Some(&peer) = SIDS.iter().find(|&&peer| address(peer) == to) else {
                    if let Some((peer, end)) = wires.remove(&(sid, link)) {
                        wires.remove(&(peer, end));
                        rigs.get_mut(&peer).unwrap().mesh.lost(end);
                    }
                    continue;
                };
                let end = rigs.get_mut(&peer).unwrap().accept(home(sid));
                wires.insert((sid, link), (peer, end));
                wires.insert((peer, end), (sid, link));
                let rig = rigs.get_mut(&sid).unwrap();
                rig.mesh.opened(link, rig.now, &mut rig.orders);
                continue;
            }
            let sid = SIDS[pick(SIDS.len())];
            let rig = rigs.get_mut(&sid).unwrap();
            let Some(link) = rig.mesh.next_dirty() else { continue };
            let bytes = rig.flush(link);
            if let Some(&(peer, end)) = wires.get(&(sid, link)) {
                rigs.get_mut(&peer).unwrap().receive(end, &bytes);
            }
        }
        for (&sid, rig) in &mut rigs {
            assert_eq!(rig.mesh.links.len(), SIDS.len() - 1, "seed {seed}: {:?}", rig.mesh.links);
            let events = rig.events();
            for peer in SIDS.iter().filter(|&&peer| peer != sid) {
                assert!(rig.mesh.is_linked(Sid(*peer)), "seed {seed}: {sid} and {peer}");
                let bytes = vec![u8::try_from(*peer).unwrap()];
                let message = MeshEvent::Message { from: Sid(*peer), bytes };
                assert!(events.contains(&message), "seed {seed}: {sid} heard nothing of {peer}");
            }
        }
        assert_eq!(wires.len(), SIDS.len() * (SIDS.len() - 1), "seed {seed}");
    }
}
