//! Draws steps from a seed. It sees which slots are open, so that few steps are wasted, and otherwise only its own numbers.

use super::op::{Create, Op, Read};
use super::rng::Rng;
use super::step::{Connect, Cut, LastZxid, Mangle, Password, Request, Step, Which};
use super::wire::{List, Text};
use super::{requests, words};

/// What a round knows about itself while steps are drawn.
#[derive(Clone, Debug)]
pub struct View {
    /// Per slot, whether it has a connection.
    pub open: Vec<bool>,
    /// How many sessions were created so far.
    pub sessions: usize,
    /// The newest zxid seen.
    pub zxid: i64,
}

/// Draws one step after the other.
#[derive(Clone, Debug)]
pub struct Generator {
    rng: Rng,
    xid: i32,
    /// The servers refuse what exceeds a quota. Apache looks at the *applied* counters and ours also at what is on its way, so
    /// a write must not follow another one of the same burst or multi.
    quotas_enforced: bool,
    /// Some quotas lie inside others, and clients write into the counts. What Apache then counts after a restart depends on
    /// where its last snapshot lies: it counts there, and what lies behind is done once more. So the servers do not restart.
    quotas_odd: bool,
    /// The slot a step is being drawn for.
    slot: usize,
    /// Per slot the last paths a watch was asked for on, so that some of them are checked and removed again.
    watched: Vec<Vec<Text>>,
}

/// How many watched paths a slot is asked about again.
const WATCHED_MAX: usize = 6;

/// Kinds of requests, to be drawn by weight.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Create,
    CreateTtl,
    Delete,
    Read,
    SetData,
    GetAcl,
    SetAcl,
    Sync,
    Ping,
    Multi,
    MultiRead,
    Reconfig,
    CheckWatches,
    RemoveWatches,
    AddWatch,
    SetWatches,
    Ephemerals,
    Number,
    WhoAmI,
}

const PIPELINED: [(usize, Kind); 19] = [
    (180, Kind::Create),
    (20, Kind::CreateTtl),
    (90, Kind::Delete),
    (180, Kind::Read),
    (90, Kind::SetData),
    (30, Kind::GetAcl),
    (35, Kind::SetAcl),
    (15, Kind::Sync),
    (10, Kind::Ping),
    (90, Kind::Multi),
    (20, Kind::MultiRead),
    (5, Kind::Reconfig),
    (25, Kind::CheckWatches),
    (25, Kind::RemoveWatches),
    (50, Kind::AddWatch),
    (25, Kind::SetWatches),
    (15, Kind::Ephemerals),
    (15, Kind::Number),
    (10, Kind::WhoAmI),
];

const IN_MULTI: [(usize, Kind); 7] = [
    (40, Kind::Create),
    (6, Kind::CreateTtl),
    (20, Kind::Delete),
    (20, Kind::SetData),
    (1, Kind::Read),
    (1, Kind::SetAcl),
    (1, Kind::AddWatch),
];

impl Generator {
    /// Starts the sequence of a seed.
    pub fn new(seed: u64, quotas_enforced: bool) -> Self {
        let mut rng = Rng::new(seed);
        let quotas_odd = rng.chance(40);
        Self { rng, xid: 0, quotas_enforced, quotas_odd, slot: 0, watched: Vec::new() }
    }

    /// The next step.
    pub fn step(&mut self, view: &View) -> Step {
        let slot = self.rng.below(view.open.len());
        self.slot = slot;
        self.watched.resize(view.open.len(), Vec::new());
        if !view.open.get(slot).is_some_and(|open| *open) {
            return Step::Connect { slot, connect: self.connect(view) };
        }
        match self.rng.below(1000) {
            0..22 => Step::Connect { slot, connect: self.connect(view) },
            22..34 => Step::Drop { slot, partial: self.partial() },
            34..44 => Step::Junk { slot, bytes: self.junk() },
            44..50 => Step::First { bytes: self.first() },
            50..53 if !self.quotas_odd => Step::Restart,
            50..66 => self.alone(slot, Op::CloseSession),
            66..90 => self.auth(slot),
            90..98 => self.odd_request(slot),
            98..100 => self.frame_at_the_limit(slot),
            100..125 => self.quota(slot),
            125..230 => self.burst(slot, view),
            _ => {
                let op = self.op(view);
                self.alone_mangled(slot, op)
            }
        }
    }

    fn alone(&mut self, slot: usize, op: Op) -> Step {
        let requests = vec![Request { xid: self.xid(&op), op, mangle: Mangle::None }];
        Step::Burst { slot, requests, cut: self.cut() }
    }

    fn alone_mangled(&mut self, slot: usize, op: Op) -> Step {
        let requests = vec![self.request(op)];
        Step::Burst { slot, requests, cut: self.cut() }
    }

    fn request(&mut self, op: Op) -> Request {
        let mangle = self.mangle(&op);
        Request { xid: self.xid(&op), op, mangle }
    }

    fn xid(&mut self, op: &Op) -> i32 {
        self.xid += 1;
        let usual = if matches!(op, Op::Auth { .. }) {
            -4
        } else if matches!(op, Op::SetWatches { .. }) {
            -8
        } else if *op == Op::Ping {
            -2
        } else {
            self.xid
        };
        match self.rng.below(100) {
            0..3 => self.rng.pick(&[0, -2, -3, -4, -8, i32::MIN, i32::MAX, 1]),
            3..10 => self.xid,
            _ => usual,
        }
    }

    fn mangle(&mut self, op: &Op) -> Mangle {
        if self.rng.chance(95) {
            return Mangle::None;
        }
        // A changed byte could turn a TTL negative behind flags that are none of a TTL node's, which stops Apache.
        let flips = !matches!(op, Op::CreateTtl { .. });
        match self.rng.below(if flips { 5 } else { 3 }) {
            0 | 1 => Mangle::Truncate(1 + self.rng.below(24)),
            2 => {
                let length = 1 + self.rng.below(9);
                Mangle::Trailing(self.rng.bytes(length))
            }
            _ => Mangle::Flip(self.rng.below(64), 1 << self.rng.below(8)),
        }
    }

    fn cut(&mut self) -> Cut {
        match self.rng.below(20) {
            0 => Cut::Bytes,
            1 => Cut::Pieces(1 + self.rng.below(30)),
            _ => Cut::Whole,
        }
    }

    fn burst(&mut self, slot: usize, view: &View) -> Step {
        let mut requests = Vec::new();
        // Authentication is answered on arrival, so it goes first or its reply has no fixed place.
        if self.rng.chance(10) {
            let auth = Some(words::good_login(&mut self.rng));
            let op = Op::Auth { kind: 0, scheme: Text::of("digest"), auth };
            let xid = self.xid(&op);
            requests.push(Request { xid, op, mangle: Mangle::None });
        }
        let mut written = false;
        for _index in 0..2 + self.rng.below(10) {
            let op = tamed(self.op(view));
            let writes = is_write(&op);
            if self.quotas_enforced && writes && written {
                continue;
            }
            written |= writes;
            let mut request = self.request(op);
            if writes && matches!(request.mangle, Mangle::Flip(..)) {
                // It could undo the taming.
                request.mangle = Mangle::None;
            }
            requests.push(request);
        }
        if self.rng.chance(6) {
            requests.push(Request { xid: self.xid(&Op::Ping), op: Op::CloseSession, mangle: Mangle::None });
        }
        let cut = self.cut();
        Step::Burst { slot, requests, cut }
    }

    fn op(&mut self, view: &View) -> Op {
        let kind = self.rng.weighted(&PIPELINED);
        let op = self.op_of(kind, view);
        if let Op::Read { path, watch: true, .. } | Op::AddWatch { path, .. } = &op
            && let Some(watched) = self.watched.get_mut(self.slot)
        {
            watched.insert(0, path.clone());
            watched.truncate(WATCHED_MAX);
        }
        op
    }

    /// A path this slot may still watch, or any.
    fn watched_path(&mut self) -> Text {
        let known = self.watched.get(self.slot).filter(|known| !known.is_empty());
        match known {
            Some(known) if self.rng.chance(70) => {
                known.get(self.rng.below(known.len())).expect("below the length").clone()
            }
            Some(_) | None => words::path(&mut self.rng),
        }
    }

    fn op_of(&mut self, kind: Kind, view: &View) -> Op {
        let rng = &mut self.rng;
        match kind {
            Kind::Create => requests::create(rng),
            Kind::CreateTtl => requests::create_ttl(rng),
            Kind::Delete => Op::Delete { path: words::path(rng), version: words::version(rng) },
            Kind::Read => {
                let kind = rng.pick(&[Read::Exists, Read::GetData, Read::GetChildren, Read::GetChildren2]);
                Op::Read { kind, path: words::path(rng), watch: rng.chance(50) }
            }
            Kind::SetData => {
                Op::SetData { path: words::path(rng), data: words::data(rng), version: words::version(rng) }
            }
            Kind::GetAcl => Op::GetAcl { path: words::path(rng) },
            Kind::SetAcl => {
                Op::SetAcl { path: words::path(rng), acl: words::acl(rng), version: words::version(rng) }
            }
            Kind::Sync => Op::Sync { path: words::path(rng) },
            Kind::Ping => Op::Ping,
            Kind::Multi => self.multi(view),
            Kind::MultiRead => self.multi_read(view),
            Kind::Reconfig => requests::reconfig(rng),
            Kind::CheckWatches => {
                Op::CheckWatches { path: self.watched_path(), kind: requests::watch_kind(&mut self.rng) }
            }
            Kind::RemoveWatches => {
                Op::RemoveWatches { path: self.watched_path(), kind: requests::watch_kind(&mut self.rng) }
            }
            Kind::AddWatch => {
                let mode = if rng.chance(95) { rng.pick(&[0, 1]) } else { rng.pick(&[2, -1, i32::MAX]) };
                Op::AddWatch { path: words::path(rng), mode }
            }
            Kind::SetWatches => requests::set_watches(rng, view.zxid),
            Kind::Ephemerals if rng.chance(30) => {
                // Prefixes of text, and what is trimmed away before it is compared.
                Op::GetEphemerals {
                    prefix: Text::of(
                        rng.pick(&["/", " / ", "\t\r\n", "\u{a0}", "/\u{1f}", "/a", "/b/x", "/s/n-0", " /a"]),
                    ),
                }
            }
            Kind::Ephemerals => Op::GetEphemerals { prefix: words::path(rng) },
            Kind::Number => Op::GetAllChildrenNumber { path: words::path(rng) },
            Kind::WhoAmI => Op::WhoAmI,
        }
    }

    fn multi(&mut self, view: &View) -> Op {
        let mut op = self.any_multi(view);
        if let Op::Multi { items, .. } = &mut op
            && self.quotas_enforced
        {
            let mut written = false;
            items.retain(|item| !is_write(item) || !std::mem::replace(&mut written, true));
        }
        op
    }

    fn any_multi(&mut self, view: &View) -> Op {
        if self.rng.chance(40) {
            let mut items = requests::coherent(&mut self.rng);
            if self.rng.chance(15) {
                let kind = self.rng.weighted(&IN_MULTI);
                let failing = self.op_of(kind, view);
                items.insert(self.rng.below(items.len() + 1), failing);
            }
            return Op::Multi { read: false, items, end: self.end() };
        }
        let mut items = Vec::new();
        for _index in 0..self.rng.below(6) {
            if self.rng.chance(15) {
                let path = words::path(&mut self.rng);
                items.push(Op::Check { path, version: words::version(&mut self.rng) });
                continue;
            }
            let kind = self.rng.weighted(&IN_MULTI);
            items.push(self.op_of(kind, view));
        }
        Op::Multi { read: self.rng.chance(1), items, end: self.end() }
    }

    fn multi_read(&mut self, view: &View) -> Op {
        let mut items = Vec::new();
        for _index in 0..self.rng.below(6) {
            let kind = self.rng.pick(&[Read::GetData, Read::GetChildren]);
            items.push(Op::Read { kind, path: words::path(&mut self.rng), watch: self.rng.chance(30) });
        }
        if self.rng.chance(5) {
            items.push(self.op_of(Kind::Delete, view));
        }
        Op::Multi { read: self.rng.chance(95), items, end: self.end() }
    }

    /// The type in the last header of a multi, which nobody reads.
    fn end(&mut self) -> i32 {
        if self.rng.chance(95) { -1 } else { self.rng.pick(&[0, 1, 14, 999]) }
    }

    fn auth(&mut self, slot: usize) -> Step {
        let (scheme, auth) = if self.rng.chance(70) {
            (Text::of("digest"), Some(words::good_login(&mut self.rng)))
        } else {
            words::odd_login(&mut self.rng)
        };
        let kind = if self.rng.chance(80) { 0 } else { self.rng.int() };
        self.alone_mangled(slot, Op::Auth { kind, scheme, auth })
    }

    /// Numbers that are no request, `check` outside a multi, and SASL on a server without it.
    fn odd_request(&mut self, slot: usize) -> Step {
        let op = match self.rng.below(4) {
            0 => Op::Check { path: words::path(&mut self.rng), version: words::version(&mut self.rng) },
            1 => {
                let token = if self.rng.chance(20) { None } else { Some(self.rng.bytes(3)) };
                Op::Sasl { token }
            }
            _ => {
                let code = self.rng.pick(&[0, 10, -1, 23, 99, 108, 109, 1000, -2, -12, i32::MIN, i32::MAX]);
                let length = self.rng.below(20);
                Op::Other { code, body: self.rng.bytes(length) }
            }
        };
        self.alone(slot, op)
    }

    /// A frame of exactly the largest size, or one byte more, which ends the connection.
    fn frame_at_the_limit(&mut self, slot: usize) -> Step {
        let path = words::plain_path(&mut self.rng);
        let mut op = Op::SetData { path, data: Some(Vec::new()), version: -1 };
        let room = 1_048_575 - 8 - op.body().len();
        if let Op::SetData { data, .. } = &mut op {
            *data = Some(vec![b'.'; room]);
        }
        if self.rng.chance(60) {
            return self.alone(slot, op);
        }
        if let Op::SetData { data: Some(data), .. } = &mut op {
            data.push(b'.');
        }
        let frame = Request { xid: 1, op, mangle: Mangle::None }.frame();
        Step::Junk { slot, bytes: frame.into_iter().take(64).collect() }
    }

    /// What `setquota` and `delquota` do, and what nobody should.
    fn quota(&mut self, slot: usize) -> Step {
        let subject = if self.quotas_odd {
            self.rng.pick(&words::NESTED_QUOTA_SUBJECTS)
        } else {
            self.rng.pick(&words::QUOTA_SUBJECTS)
        };
        let limits = format!("/zookeeper/quota{subject}/zookeeper_limits");
        let stats = format!("/zookeeper/quota{subject}/zookeeper_stats");
        let delete = |path: &str| Op::Delete { path: Text::of(path), version: -1 };
        let op = match self.rng.below(10) {
            0..5 => return self.set_quota(slot, subject, &limits, &stats),
            // Not the limits alone: ours counts anew when they come back, Apache goes on from where it stopped.
            5 if self.rng.chance(50) => return self.in_order(slot, vec![delete(&limits), delete(&stats)]),
            5 => delete(&stats),
            6 => Op::SetData {
                path: Text::of(if self.quotas_odd && self.rng.chance(50) { &stats } else { &limits }),
                data: Some(words::limits(&mut self.rng)),
                version: words::version(&mut self.rng),
            },
            7 => Op::Multi { read: false, items: vec![delete(&limits), delete(&stats)], end: -1 },
            _ => Op::Read { kind: Read::GetData, path: Text::of(&stats), watch: true },
        };
        self.alone(slot, op)
    }

    fn set_quota(&mut self, slot: usize, subject: &str, limits: &str, stats: &str) -> Step {
        let mut nodes: Vec<(String, Vec<u8>)> = Vec::new();
        for (at, _) in subject.match_indices('/').skip(1).chain([(subject.len(), "")]) {
            let above = subject.get(..at).expect("at a slash or the end");
            nodes.push((format!("/zookeeper/quota{above}"), Vec::new()));
        }
        nodes.push((limits.to_owned(), words::limits(&mut self.rng)));
        nodes.push((stats.to_owned(), b"count=0,bytes=0".to_vec()));
        let ops = nodes.into_iter().map(|(path, data)| Op::Create {
            kind: Create::Create,
            path: Text::of(&path),
            data: Some(data),
            acl: List::Of(vec![words::open_entry()]),
            flags: 0,
        });
        self.in_order(slot, ops.collect())
    }

    fn in_order(&mut self, slot: usize, ops: Vec<Op>) -> Step {
        let ops = ops.into_iter();
        let requests = ops.map(|op| Request { xid: self.xid(&op), op, mangle: Mangle::None }).collect();
        Step::Burst { slot, requests, cut: Cut::Whole }
    }

    /// The beginning of a frame that never ends.
    fn partial(&mut self) -> Vec<u8> {
        if self.rng.chance(70) {
            return Vec::new();
        }
        let frame = Request { xid: 1, op: requests::create(&mut self.rng), mangle: Mangle::None }.frame();
        let length = self.rng.below(frame.len());
        frame.into_iter().take(length).collect()
    }

    /// Length bytes no server follows, and headers that are too short.
    fn junk(&mut self) -> Vec<u8> {
        let words: [&[u8]; 10] = [
            &[255; 4],
            &[255, 255, 255, 253],
            &[128, 0, 0, 0],
            &[0, 16, 0, 0],
            &[127, 255, 255, 255],
            b"ruok",
            b"GET / HTTP/1.1\r\n\r\n",
            &[0, 0, 0, 1, 7],
            &[0, 0, 0, 4, 0, 0, 0, 1],
            &[0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0],
        ];
        self.rng.pick(&words).to_vec()
    }

    /// The same in place of a `ConnectRequest`. Only frames whose end arrives: a server may wait for the rest of others.
    fn first(&mut self) -> Vec<u8> {
        let words: [&[u8]; 9] = [
            &[255; 4],
            &[255, 255, 255, 253],
            &[0, 16, 0, 0],
            b"ruok",
            b"GET / HTTP/1.1\r\n\r\n",
            b"zzzz",
            &[0, 0, 0, 0],
            &[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 11],
            &[0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ];
        self.rng.pick(&words).to_vec()
    }

    fn connect(&mut self, view: &View) -> Connect {
        let rng = &mut self.rng;
        let session = match rng.below(100) {
            0..55 => Which::New,
            55..97 if view.sessions > 0 => {
                // The last few are the ones that may still live.
                Which::Known(view.sessions - 1 - rng.below(view.sessions.min(8)))
            }
            _ => Which::Foreign(rng.pick(&[1, -1, i64::MIN, 0x0100_0000_0000_0001, 0x0500_1234_5678_9abc])),
        };
        let password = match rng.below(100) {
            0..88 => Password::Right,
            _ => {
                rng.pick(&[Password::Wrong, Password::Null, Password::Empty, Password::Long, Password::Short])
            }
        };
        let seen = match rng.below(100) {
            0..60 => LastZxid::Zero,
            60..92 => LastZxid::Newest,
            92..96 => LastZxid::Old(rng.pick(&[-1, i64::MIN])),
            _ => LastZxid::Ahead(rng.pick(&[1, 1000, i64::MAX])),
        };
        let timeout = match rng.below(4) {
            0 => rng.pick(&[0, -5, 1, 399_999, 400_000, 600_000, 600_001, i32::MAX, i32::MIN]),
            _ => 500_000,
        };
        let read_only = rng.pick(&[None, Some(0), Some(0), Some(0), Some(1), Some(7)]);
        let trailing = if rng.chance(10) { rng.bytes(5) } else { Vec::new() };
        let protocol = if rng.chance(90) { 0 } else { rng.int() };
        Connect { session, password, seen, timeout, protocol, read_only, trailing }
    }
}

/// Takes the ephemeral flag off containers that have other requests right behind them.
///
/// Until such a create is applied Apache believes the container is an ephemeral of the session: a pipelined child is refused
/// and a pipelined `closeSession` deletes it, or not, depending on which of two threads is faster.
///
/// Source: `PrepRequestProcessor#pRequest2TxnCreate` (`createMode.isContainer()` looks at the flags, not at the opcode).
fn tamed(mut op: Op) -> Op {
    if let Op::Create { kind: Create::Container, flags, .. } = &mut op
        && [1, 3].contains(flags)
    {
        *flags -= 1;
    }
    if let Op::Multi { items, .. } = &mut op {
        items.iter_mut().for_each(|item| *item = tamed(item.clone()));
    }
    op
}

/// Whether it is a transaction.
fn is_write(op: &Op) -> bool {
    matches!(
        op,
        Op::Create { .. }
            | Op::CreateTtl { .. }
            | Op::Delete { .. }
            | Op::SetData { .. }
            | Op::SetAcl { .. }
            | Op::Multi { read: false, .. }
            | Op::Reconfig { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> View {
        View { open: vec![true; 4], sessions: 9, zxid: 100 }
    }

    #[test]
    fn a_seed_is_a_sequence() {
        let draw = |seed| {
            let mut generator = Generator::new(seed, false);
            (0..500).map(|_index| generator.step(&view())).collect::<Vec<_>>()
        };
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }

    #[test]
    fn what_stops_apache_is_never_drawn() {
        let stops = |op: &Op| matches!(op, Op::CreateTtl { flags, ttl, .. } if *flags < 5 && *ttl < 0);
        let mut generator = Generator::new(11, false);
        for _index in 0..20_000 {
            let Step::Burst { requests, .. } = generator.step(&view()) else { continue };
            for Request { xid, op, .. } in requests {
                assert_ne!(xid, -1, "its reply would look like an event");
                assert!(!stops(&op), "{op}");
                assert!(![20, -10].contains(&op.code()), "{op}");
            }
        }
    }

    #[test]
    fn nested_quotas_and_restarts_exclude_each_other() {
        let (mut nested, mut restarts) = (0, 0);
        for seed in 0..20 {
            let mut generator = Generator::new(seed, false);
            let steps: Vec<_> = (0..2000).map(|_index| generator.step(&view())).collect();
            let restarted = steps.contains(&Step::Restart);
            let inside = steps.iter().any(|step| step.to_string().contains("/quota/a/x/zookeeper_limits"));
            assert!(!(inside && restarted), "seed {seed}");
            nested += usize::from(inside);
            restarts += usize::from(restarted);
        }
        assert!(nested > 3 && restarts > 3, "{nested} nested, {restarts} with restarts");
    }

    #[test]
    fn with_enforced_quotas_a_burst_writes_once() {
        let mut generator = Generator::new(12, true);
        let mut bursts = 0;
        for _index in 0..5_000 {
            let Step::Burst { requests, .. } = generator.burst(0, &view()) else { panic!("no burst") };
            assert!(requests.iter().filter(|request| is_write(&request.op)).count() <= 1);
            for Request { op, .. } in &requests {
                let Op::Multi { items, .. } = op else { continue };
                assert!(items.iter().filter(|item| is_write(item)).count() <= 1, "{op}");
            }
            bursts += usize::from(requests.len() > 3);
        }
        assert!(bursts > 1000);
    }
}
