//! One session over all its connections, as a state machine.

use alloc::borrow::{Cow, ToOwned};
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use proto::wire::put_frame;
use proto::{
    AuthPacket, Code, ConnectRequest, ConnectResponse, Encode, OpCode, PASSWORD_LEN, Reader, ReplyHeader,
    RequestHeader, SessionId, WatcherEvent, Xid, Zxid,
};

use crate::chance::Chance;
use crate::request::WatchChange;
use crate::watches::Watches;
use crate::{Effect, Event, EventType, Failure, KeeperState, Reply, Request, Settings, State};

/// The xid of every authentication, and of its answer.
const XID_AUTH: Xid = Xid(-4);
/// The xid of every request that sets watches again.
const XID_SET_WATCHES: Xid = Xid(-8);
/// A dial that follows a loss waits up to this long, so that not all clients come at once.
const DIAL_SPREAD_MS: u64 = 1000;
/// Between two rounds through all servers.
const ROUND_PAUSE: Duration = Duration::from_secs(1);
/// An idle connection is heard of at least this often.
const PING_AFTER_MAX: Duration = Duration::from_secs(10);
/// How often a client of a read-only server looks for a better one: at first, and at last.
const PROBE_AFTER: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(60));

/// Where the connection stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Link {
    Down { dial_at: Duration },
    Dialing { since: Duration },
    Greeting { since: Duration },
    Open,
}

/// A request on its way.
#[derive(Debug)]
struct Sent {
    ticket: u64,
    xid: Xid,
    closes: bool,
    watch: Option<WatchChange>,
}

/// One session over all its connections. Time is the driver's, from any beginning.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    chance: Chance,
    state: State,
    link: Link,
    /// The servers in the order they are tried.
    order: Vec<usize>,
    /// The place in `order` that is dialled next.
    next: usize,
    /// Dials since one led to a session.
    tried: usize,
    has_met_a_server: bool,
    has_met_a_writer: bool,
    id: SessionId,
    password: [u8; PASSWORD_LEN],
    last_zxid: Zxid,
    /// As agreed on, or as wished for.
    timeout: Duration,
    last_sent: Duration,
    last_heard: Duration,
    xid: i32,
    waiting: VecDeque<(u64, Request)>,
    sent: VecDeque<Sent>,
    auth: Vec<(String, Option<Vec<u8>>)>,
    watches: Watches,
    out: Vec<u8>,
    effects: VecDeque<Effect>,
    /// The state last told, so that none is told twice.
    told: KeeperState,
    probe_at: Duration,
    probe_after: Duration,
    /// A server that was found to be better than the read-only one.
    better: Option<usize>,
}

impl Session {
    /// A session that dials at the first [`on_time`](Self::on_time).
    ///
    /// # Panics
    /// When there is no server.
    #[must_use]
    pub fn new(settings: Settings, now: Duration) -> Self {
        assert!(settings.servers > 0, "a session needs a server to dial");
        let mut chance = Chance::new(settings.seed);
        let order = chance.shuffled(settings.servers);
        Self {
            timeout: settings.timeout,
            settings,
            chance,
            state: State::Connecting,
            link: Link::Down { dial_at: now },
            order,
            next: 0,
            tried: 0,
            has_met_a_server: false,
            has_met_a_writer: false,
            id: SessionId::NONE,
            password: [0; PASSWORD_LEN],
            last_zxid: Zxid::ZERO,
            last_sent: now,
            last_heard: now,
            xid: 0,
            waiting: VecDeque::new(),
            sent: VecDeque::new(),
            auth: Vec::new(),
            watches: Watches::default(),
            out: Vec::new(),
            effects: VecDeque::new(),
            told: KeeperState::Disconnected,
            probe_at: now,
            probe_after: PROBE_AFTER.0,
            better: None,
        }
    }

    /// How the session stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Its id; [`SessionId::NONE`] before the first server has given one.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// The newest transaction that a reply has shown.
    #[must_use]
    pub fn last_zxid(&self) -> Zxid {
        self.last_zxid
    }

    /// What is to be sent over the connection.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// What the driver has to do next, in order.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When [`on_time`](Self::on_time) has to be called at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        if !self.state.is_alive() {
            return None;
        }
        let own = match self.link {
            Link::Down { dial_at } => dial_at,
            Link::Dialing { since } | Link::Greeting { since } => since + self.dial_timeout(),
            Link::Open => {
                let silence = (self.last_heard + self.read_timeout()).min(self.ping_at());
                if self.state == State::ConnectedReadOnly { silence.min(self.probe_at) } else { silence }
            }
        };
        Some(self.gone_at().map_or(own, |gone_at| own.min(gone_at)))
    }

    /// Source: `ClientCnxn.connectTimeout`.
    fn dial_timeout(&self) -> Duration {
        self.timeout / u32::try_from(self.settings.servers).unwrap_or(u32::MAX)
    }

    /// Source: `ClientCnxn.readTimeout`.
    fn read_timeout(&self) -> Duration {
        self.timeout * 2 / 3
    }

    /// Half the silence the server bears, a second earlier when nothing has gone out for a second.
    fn ping_at(&self) -> Duration {
        let half = self.read_timeout() / 2;
        let second = Duration::from_secs(1);
        self.last_sent + if half > second * 2 { (half - second).min(PING_AFTER_MAX) } else { half }
    }

    /// When the servers must have ended the session, whatever they say. Source: `ClientCnxn.expirationTimeout`.
    fn gone_at(&self) -> Option<Duration> {
        (self.id != SessionId::NONE).then(|| self.last_heard + self.timeout * 4 / 3)
    }

    /// Asks for something. The answer comes as [`Effect::Answer`], in the order of submission.
    pub fn submit(&mut self, now: Duration, ticket: u64, request: Request) {
        if !self.state.is_alive() {
            let failure = self.loss();
            self.answer(ticket, request.watch, Err(failure));
        } else if self.link == Link::Open {
            self.send(now, ticket, request);
        } else {
            self.waiting.push_back((ticket, request));
        }
    }

    /// Ends the session: the answer with this ticket is the last that comes.
    pub fn close(&mut self, now: Duration, ticket: u64) {
        let request = Request { op: OpCode::CloseSession, body: Vec::new(), watch: None };
        if self.state.is_alive() && self.link == Link::Open {
            return self.send(now, ticket, request);
        }
        if self.state.is_alive() {
            // Nobody can be told; the servers will find out.
            self.effects.push_back(Effect::HangUp);
            self.end(State::Closed, KeeperState::Closed);
        }
        self.answer(ticket, None, Ok(Reply { zxid: Zxid::NONE, body: Vec::new() }));
    }

    /// Adds an identity, now and at every reconnect. A refusal comes as an event and ends the session.
    pub fn authenticate(&mut self, now: Duration, scheme: &str, credential: Option<&[u8]>) {
        if !self.state.is_alive() {
            return;
        }
        if self.link == Link::Open {
            put_auth(&mut self.out, scheme, credential);
            self.last_sent = now;
        }
        self.auth.push((scheme.to_owned(), credential.map(<[u8]>::to_vec)));
    }

    /// The connection that was dialled is there.
    pub fn on_dialed(&mut self, now: Duration) {
        self.link = Link::Greeting { since: now };
        self.has_met_a_server = true;
        (self.last_sent, self.last_heard) = (now, now.max(self.last_heard));
        let greeting = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.last_zxid,
            timeout_ms: i32::try_from(self.settings.timeout.as_millis()).unwrap_or(i32::MAX),
            session_id: if self.has_met_a_writer { self.id } else { SessionId::NONE },
            password: Some(&self.password),
            read_only: Some(self.settings.read_only),
        };
        put_frame(&mut self.out, |out| greeting.encode(out));
    }

    /// The connection, or the dialling, has ended.
    pub fn on_link_lost(&mut self, now: Duration) {
        let was_open = self.link == Link::Open;
        self.out.clear();
        if !self.state.is_alive() {
            return;
        }
        self.state = State::Connecting;
        let spread = if self.has_met_a_server { self.chance.below(DIAL_SPREAD_MS) } else { 0 };
        let mut dial_at = now + Duration::from_millis(spread);
        if self.tried >= self.order.len() {
            self.tried = 0;
            dial_at += ROUND_PAUSE;
        }
        self.link = Link::Down { dial_at };
        self.fail_all();
        if was_open {
            self.tell(KeeperState::Disconnected);
        }
    }

    /// Hangs up, and goes on like after a loss. For a driver whose user has waited too long.
    pub fn hang_up(&mut self, now: Duration) {
        self.effects.push_back(Effect::HangUp);
        self.on_link_lost(now);
    }

    /// The server that was probed takes writes.
    pub fn on_probe(&mut self, now: Duration, server: usize) {
        if self.state == State::ConnectedReadOnly {
            self.better = Some(server);
            self.probe_after = PROBE_AFTER.0;
            self.hang_up(now);
        }
    }

    /// What is due by now.
    pub fn on_time(&mut self, now: Duration) {
        if !self.state.is_alive() {
            return;
        }
        if self.gone_at().is_some_and(|gone_at| now >= gone_at) {
            self.effects.push_back(Effect::HangUp);
            return self.end(State::Closed, KeeperState::Expired);
        }
        match self.link {
            Link::Down { dial_at } if now >= dial_at => self.dial(now),
            Link::Dialing { since } | Link::Greeting { since } if now >= since + self.dial_timeout() => {
                self.hang_up(now);
            }
            Link::Open if now >= self.last_heard + self.read_timeout() => self.hang_up(now),
            Link::Open => {
                if now >= self.ping_at() {
                    let header = RequestHeader { xid: Xid::PING, kind: OpCode::Ping.number() };
                    put_frame(&mut self.out, |out| header.encode(out));
                    self.last_sent = now;
                }
                if self.state == State::ConnectedReadOnly && now >= self.probe_at {
                    let server = self.next_server();
                    self.effects.push_back(Effect::Probe(server));
                    self.probe_after = (self.probe_after * 2).min(PROBE_AFTER.1);
                    self.probe_at = now + self.probe_after;
                }
            }
            Link::Down { .. } | Link::Dialing { .. } | Link::Greeting { .. } => {}
        }
    }

    fn dial(&mut self, now: Duration) {
        self.link = Link::Dialing { since: now };
        self.tried += 1;
        let server = self.better.take().unwrap_or_else(|| self.next_server());
        self.effects.push_back(Effect::Dial(server));
    }

    fn next_server(&mut self) -> usize {
        let server = self.order[self.next];
        self.next = (self.next + 1) % self.order.len();
        server
    }

    /// One frame of the connection, without its length.
    pub fn on_frame(&mut self, now: Duration, frame: &[u8]) {
        self.last_heard = now;
        let understood = match self.link {
            Link::Greeting { .. } => self.on_greeting(now, frame),
            Link::Open => self.on_reply(frame),
            // What was on its way when we hung up.
            Link::Down { .. } | Link::Dialing { .. } => Some(()),
        };
        if understood.is_none() {
            self.hang_up(now);
        }
    }

    /// The session is there, or gone. `None`: not a greeting.
    fn on_greeting(&mut self, now: Duration, frame: &[u8]) -> Option<()> {
        let greeting: ConnectResponse = Reader::new(frame).take().ok()?;
        let Some(timeout_ms) = u64::try_from(greeting.timeout_ms).ok().filter(|&timeout| timeout > 0) else {
            self.effects.push_back(Effect::HangUp);
            self.end(State::Closed, KeeperState::Expired);
            return Some(());
        };
        self.timeout = Duration::from_millis(timeout_ms);
        (self.id, self.password) = (greeting.session_id, greeting.password);
        (self.link, self.tried) = (Link::Open, 0);
        for (scheme, credential) in &self.auth {
            put_auth(&mut self.out, scheme, credential.as_deref());
        }
        for (op, body) in self.watches.again(self.last_zxid) {
            put_request(&mut self.out, XID_SET_WATCHES, op, &body);
        }
        if greeting.read_only == Some(true) {
            self.state = State::ConnectedReadOnly;
            self.probe_at = now + self.probe_after;
            self.tell(KeeperState::ConnectedReadOnly);
        } else {
            self.state = State::Connected;
            self.has_met_a_writer = true;
            self.tell(KeeperState::SyncConnected);
        }
        for (ticket, request) in core::mem::take(&mut self.waiting) {
            self.send(now, ticket, request);
        }
        Some(())
    }

    /// An answer or a notification. `None`: it breaks the protocol.
    fn on_reply(&mut self, frame: &[u8]) -> Option<()> {
        let mut reader = Reader::new(frame);
        let header: ReplyHeader = reader.take().ok()?;
        match header.xid {
            Xid::PING | XID_SET_WATCHES => return Some(()),
            XID_AUTH => {
                if header.err == Code::AuthFailed.number() {
                    self.effects.push_back(Effect::HangUp);
                    self.end(State::AuthFailed, KeeperState::AuthFailed);
                }
                return Some(());
            }
            Xid::NOTIFICATION => return self.on_notification(header.zxid, &mut reader),
            _ => {}
        }
        let sent = self.sent.pop_front_if(|sent| sent.xid == header.xid)?;
        if header.zxid > Zxid::ZERO {
            self.last_zxid = header.zxid;
        }
        let answer = match header.err {
            0 => Ok(Reply { zxid: header.zxid, body: reader.rest().to_vec() }),
            number => Err(Failure::from_number(number)),
        };
        if sent.closes {
            self.effects.push_back(Effect::HangUp);
            self.tell(KeeperState::Closed);
        }
        self.answer(sent.ticket, sent.watch, answer);
        if sent.closes {
            self.end(State::Closed, KeeperState::Closed);
        }
        Some(())
    }

    fn on_notification(&mut self, zxid: Zxid, reader: &mut Reader<'_>) -> Option<()> {
        let event: WatcherEvent<'_> = reader.take().ok()?;
        let kind = EventType::from_number(event.kind)?;
        let path = event.path?;
        if self.watches.on_event(kind, &path) {
            let path = Some(self.settings.chroot.client_path(&path).to_owned());
            self.effects.push_back(Effect::Tell(Event {
                state: KeeperState::SyncConnected,
                kind,
                path,
                zxid,
            }));
        }
        Some(())
    }

    fn send(&mut self, now: Duration, ticket: u64, request: Request) {
        self.xid = self.xid.checked_add(1).unwrap_or(1);
        let xid = Xid(self.xid);
        put_request(&mut self.out, xid, request.op, &request.body);
        self.last_sent = now;
        let closes = request.op == OpCode::CloseSession;
        self.sent.push_back(Sent { ticket, xid, closes, watch: request.watch });
    }

    /// Ends one request, with what its answer means for the watches.
    fn answer(&mut self, ticket: u64, watch: Option<WatchChange>, answer: Result<Reply, Failure>) {
        let Some(change) = watch else {
            return self.effects.push_back(Effect::Answer(ticket, answer));
        };
        let path = match &change {
            WatchChange::Remove { path, .. } => Some(self.settings.chroot.client_path(path).to_owned()),
            WatchChange::Add(..) | WatchChange::AddExist(_) => None,
        };
        let (reply, outcome) = match answer {
            Ok(reply) => (reply, Ok(())),
            Err(failure) => (Reply { zxid: Zxid::NONE, body: Vec::new() }, Err(failure)),
        };
        // Source: `ClientCnxn#queueEvent`.
        let is_lost = |failure: &Failure| {
            matches!(failure, Failure::ConnectionLoss | Failure::Refused(Code::SessionExpired))
        };
        let is_lost = outcome.as_ref().is_err_and(is_lost);
        let state = if is_lost { KeeperState::Disconnected } else { KeeperState::SyncConnected };
        let told = self.watches.on_answer(change, outcome);
        for &kind in told.iter().flatten() {
            let path = path.clone();
            self.effects.push_back(Effect::Tell(Event { state, kind, path, zxid: Zxid::NONE }));
        }
        self.effects.push_back(Effect::Answer(ticket, told.map(|_| reply)));
    }

    /// What a request without an answer ends with. Source: `ClientCnxn#conLossPacket`.
    fn loss(&self) -> Failure {
        match self.state {
            State::AuthFailed => Failure::Refused(Code::AuthFailed),
            State::Closed => Failure::Refused(Code::SessionExpired),
            State::Connecting | State::Connected | State::ConnectedReadOnly => Failure::ConnectionLoss,
        }
    }

    fn fail_all(&mut self) {
        let failure = self.loss();
        for sent in core::mem::take(&mut self.sent) {
            self.answer(sent.ticket, sent.watch, Err(failure));
        }
        for (ticket, request) in core::mem::take(&mut self.waiting) {
            self.answer(ticket, request.watch, Err(failure));
        }
    }

    fn end(&mut self, state: State, told: KeeperState) {
        self.state = state;
        self.out.clear();
        self.tell(told);
        self.fail_all();
    }

    fn tell(&mut self, state: KeeperState) {
        if self.told == state {
            return;
        }
        self.told = state;
        if !self.settings.keeps_watches && state != KeeperState::SyncConnected {
            self.watches.drop_one_time();
        }
        self.effects.push_back(Effect::Tell(Event::session(state)));
    }
}

fn put_request(out: &mut Vec<u8>, xid: Xid, op: OpCode, body: &[u8]) {
    put_frame(out, |out| {
        RequestHeader { xid, kind: op.number() }.encode(out);
        out.extend_from_slice(body);
    });
}

fn put_auth(out: &mut Vec<u8>, scheme: &str, credential: Option<&[u8]>) {
    put_frame(out, |out| {
        RequestHeader { xid: XID_AUTH, kind: OpCode::Auth.number() }.encode(out);
        AuthPacket { kind: 0, scheme: Some(Cow::Borrowed(scheme)), auth: credential }.encode(out);
    });
}
