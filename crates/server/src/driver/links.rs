//! Connections with other members: one kind of socket for both ports, bytes in and bytes out.
//!
//! The member cuts packets itself and says which links have something to send; who talks to whom, and when, is its
//! business. Here are the sockets, the listeners of both ports, and the calls under way.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Read as _};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use member::ensemble::{Address, LinkId, Port};
use member::{Member, Now};
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use socket2::SockRef;

use super::calls::{Bind, Calls, News};
use super::socket::{shed, write_from};
use super::{ACCEPT_PAUSE_MS, ACCEPTS_MAX, DriverError, Handle};
use crate::low_water::set_low_water;

/// Tokens from here on are links, by their id.
const LINKS: usize = 1 << 48;
/// Tokens from here on are listeners of the election port.
const ELECTION: usize = 1 << 56;
/// Tokens from here on are listeners of the quorum port.
const QUORUM: usize = 1 << 57;
/// Tokens from here on are not of this module.
const END: usize = 1 << 58;

/// What one link may hand in or send in one turn, before the others have theirs.
const TURN_BYTES: usize = 1 << 20;

/// How much longer than it should a call may take: a name that nobody answers for is not cut short.
const CALL_SLACK_MS: u64 = 500;

/// Callers at places nobody knows have the names of all members looked up, but not more often than this.
const LOOK_UP_PAUSE_MS: u64 = 1000;

/// How often a new leader tries to get its quorum port, before it leads no more. A process that was here before and is
/// about to end has it for a moment, and the next election would be won by the same member.
const QUORUM_PORT_TRIES: u32 = 3;

/// COMMIT, PING and all else that carries no data. Source: `QuorumPacket`; quorum-protocol.md §1.
const SHORT_PACKET_BYTES: i32 = 20;

/// How long a short packet may wait.
const LULL_MS: u64 = 50;

/// What is configured about ports and sockets.
#[derive(Clone, Debug)]
pub struct LinkOptions {
    /// This member's election addresses.
    pub election: Vec<Address>,
    /// This member's quorum addresses.
    pub quorum: Vec<Address>,
    /// Where all the others are, to tell their callers from strangers.
    pub others: Vec<Address>,
    /// `quorumListenOnAllIPs`
    pub on_all: bool,
    /// `electionPortBindRetry`; `None` is for ever.
    pub election_tries: Option<u32>,
    /// `tcpKeepAlive`
    pub keep_alive: bool,
    /// `leader.nodelay`
    pub leader_nodelay: bool,
    /// `follower.nodelay`
    pub follower_nodelay: bool,
}

/// What one turn of the loop has at hand.
pub(super) struct Turn<'a> {
    pub(super) member: &'a mut Member,
    pub(super) registry: &'a Registry,
    pub(super) scratch: &'a mut [u8],
    pub(super) now: Now,
}

/// Whose event it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ear {
    Listener(Port, usize),
    Link(LinkId),
}

impl Ear {
    /// `None` is not of this module.
    pub(super) fn of(Token(token): Token) -> Option<Self> {
        match token {
            QUORUM..END => Some(Self::Listener(Port::Quorum, token - QUORUM)),
            ELECTION..QUORUM => Some(Self::Listener(Port::Election, token - ELECTION)),
            LINKS..ELECTION => Some(Self::Link(LinkId(u64::try_from(token - LINKS).ok()?))),
            _ => None,
        }
    }

    fn token(self) -> Token {
        Token(match self {
            Self::Listener(Port::Quorum, at) => QUORUM + at,
            Self::Listener(Port::Election, at) => ELECTION + at,
            Self::Link(LinkId(id)) => LINKS + usize::try_from(id).expect("a link's id fits a pointer"),
        })
    }
}

#[derive(Debug)]
struct Call {
    port: Port,
    addresses: Vec<Address>,
    /// When it is given up.
    until_ms: u64,
}

/// Addresses in a log line.
struct Shown<'a>(&'a [Address]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Address { host, port }) in self.0.iter().enumerate() {
            write!(f, "{}{host}:{port}", if at == 0 { "" } else { "|" })?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Link {
    stream: TcpStream,
    /// How much of the output was sent and still stands at its front.
    sent: usize,
    /// The kernel may hold more bytes: the last read did not exhaust it.
    readable: bool,
    /// The peer closed its sending side, or the connection broke: behind what the kernel holds comes the end.
    end_ahead: bool,
    /// It stands in the list for the next turn.
    again: bool,
    /// The kernel did not take all of the output.
    is_full: bool,
}

/// A link on which short packets wait.
#[derive(Clone, Copy, Debug)]
struct Lulled {
    link: LinkId,
    /// It is read by then.
    until_ms: u64,
}

/// See the module.
pub(super) struct Links {
    options: LinkOptions,
    calls: Calls,
    /// Calls under way.
    calling: BTreeMap<LinkId, Call>,
    /// Whom the last call did not reach.
    unreached: BTreeSet<Vec<Address>>,
    links: BTreeMap<LinkId, Link>,
    election: Vec<TcpListener>,
    quorum: Vec<TcpListener>,
    /// Counts the times the quorum port was opened or closed: what a bind before that came to is of no use.
    quorum_attempt: u64,
    /// Links that have more for the next turn.
    again: Vec<LinkId>,
    /// The link on which short packets wait.
    lulled: Option<Lulled>,
    /// When to accept again: more waited than one turn takes, or there was no descriptor.
    accept_at_ms: Option<u64>,
    /// Where members are known to be, by their names.
    places: BTreeMap<String, Vec<IpAddr>>,
    /// Names that could not be looked up the last time.
    unknown: BTreeSet<String>,
    looked_up_ms: u64,
}

impl Links {
    /// Starts to listen on the election port.
    pub(super) fn start(options: LinkOptions, handle: Handle, now: Now) -> Self {
        let calls = Calls::new(handle);
        let bind = Bind {
            addresses: options.election.clone(),
            on_all: options.on_all,
            tries: options.election_tries,
        };
        calls.listen(Port::Election, 0, bind);
        calls.look_up(options.others.clone());
        Self {
            options,
            calls,
            calling: BTreeMap::new(),
            unreached: BTreeSet::new(),
            links: BTreeMap::new(),
            election: Vec::new(),
            quorum: Vec::new(),
            quorum_attempt: 0,
            again: Vec::new(),
            lulled: None,
            accept_at_ms: None,
            places: BTreeMap::new(),
            unknown: BTreeSet::new(),
            looked_up_ms: now.mono_ms,
        }
    }

    /// Calls a member.
    pub(super) fn dial(
        &mut self,
        link: LinkId,
        port: Port,
        addresses: Vec<Address>,
        timeout_ms: u64,
        now: Now,
    ) {
        let until_ms = now.mono_ms.saturating_add(timeout_ms).saturating_add(CALL_SLACK_MS);
        self.calling.insert(link, Call { port, addresses: addresses.clone(), until_ms });
        self.calls.call(link, port, addresses, Duration::from_millis(timeout_ms));
    }

    /// Forgets a link, whatever state it is in.
    pub(super) fn close(&mut self, link: LinkId, registry: &Registry) {
        self.calling.remove(&link);
        if let Some(mut link) = self.links.remove(&link)
            && let Err(error) = registry.deregister(&mut link.stream)
        {
            tracing::debug!(%error, "a link was not registered");
        }
    }

    /// Opens the quorum port, or closes it.
    pub(super) fn listen(&mut self, open: bool) {
        self.quorum_attempt += 1;
        // Dropping a listener takes it out of the poll as well.
        self.quorum.clear();
        if open {
            let Self { quorum_attempt, options, .. } = self;
            let tries = Some(QUORUM_PORT_TRIES);
            let bind = Bind { addresses: options.quorum.clone(), on_all: options.on_all, tries };
            self.calls.listen(Port::Quorum, *quorum_attempt, bind);
        }
    }

    /// Takes in what the calling threads have found out.
    ///
    /// # Errors
    /// [`DriverError::ElectionPort`]
    pub(super) fn hear(&mut self, turn: &mut Turn<'_>) -> Result<(), DriverError> {
        while let Some(news) = self.calls.next() {
            match news {
                // Of a stranger, who is called back where it came from, nothing is remembered.
                News::Resolved { host, .. } if !self.is_member(&host) => {}
                News::Resolved { host, addresses: Ok(addresses) } => {
                    self.unknown.remove(&host);
                    turn.member.link_resolved(&host, &addresses);
                    let addresses = addresses.iter().map(IpAddr::to_canonical).collect();
                    self.places.insert(host, addresses);
                }
                News::Resolved { host, addresses: Err(error) } => {
                    // Once, and not at each attempt.
                    if self.unknown.insert(host.clone()) {
                        tracing::warn!(host, %error, "the name of a member cannot be looked up; correct it, or the DNS");
                    }
                }
                News::Called { link, stream } => self.on_called(link, stream, turn),
                News::Bound { port, attempt, listeners } => {
                    if port == Port::Election || attempt == self.quorum_attempt {
                        self.on_bound(port, listeners, turn)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn on_called(&mut self, link: LinkId, stream: io::Result<std::net::TcpStream>, turn: &mut Turn<'_>) {
        // It may have been given up meanwhile.
        let Some(Call { port, addresses, .. }) = self.calling.remove(&link) else { return };
        let nodelay = port == Port::Election || self.options.follower_nodelay;
        let taken = stream
            .and_then(|stream| self.take_in(link, port, TcpStream::from_std(stream), nodelay, turn.registry));
        match taken {
            Ok(()) => {
                if self.unreached.remove(&addresses) {
                    tracing::info!(?port, to = %Shown(&addresses), "a member is reached again");
                }
                turn.member.link_opened(link, turn.now);
            }
            Err(error) => {
                self.on_unreached(port, addresses, &error);
                turn.member.link_lost(link, turn.now);
            }
        }
    }

    /// Once, and not at each attempt.
    fn on_unreached(&mut self, port: Port, addresses: Vec<Address>, error: &io::Error) {
        let are_members = addresses.iter().all(|at| self.is_member(&at.host));
        if are_members && !self.unreached.contains(&addresses) {
            tracing::warn!(?port, to = %Shown(&addresses), %error, "a member cannot be reached; it may be down");
            self.unreached.insert(addresses);
        }
    }

    fn is_member(&self, host: &str) -> bool {
        self.options.others.iter().any(|at| at.host == host)
    }

    fn on_bound(
        &mut self,
        port: Port,
        listeners: io::Result<Vec<std::net::TcpListener>>,
        turn: &mut Turn<'_>,
    ) -> Result<(), DriverError> {
        let registered = listeners.and_then(|listeners| {
            let mut registered = Vec::new();
            for (at, listener) in listeners.into_iter().enumerate() {
                let mut listener = TcpListener::from_std(listener);
                turn.registry.register(&mut listener, Ear::Listener(port, at).token(), Interest::READABLE)?;
                tracing::info!(?port, address = ?listener.local_addr().ok(), "listening for other members");
                registered.push(listener);
            }
            Ok(registered)
        });
        match (port, registered) {
            (Port::Election, Ok(listeners)) => self.election = listeners,
            (Port::Quorum, Ok(listeners)) => self.quorum = listeners,
            (Port::Election, Err(error)) => return Err(DriverError::ElectionPort(error)),
            (Port::Quorum, Err(error)) => {
                tracing::error!(
                    at = %Shown(&self.options.quorum), %error,
                    "cannot listen on the quorum port, so another member has to lead; stop whatever uses the port, \
                     or correct this member's server line"
                );
                turn.member.quorum_port_failed(turn.now);
            }
        }
        Ok(())
    }

    /// Sees to an event.
    pub(super) fn on_event(&mut self, ear: Ear, event: &Event, turn: &mut Turn<'_>) {
        match ear {
            Ear::Listener(port, at) => self.accept(port, at, turn),
            Ear::Link(id) => {
                let Some(link) = self.links.get_mut(&id) else { return };
                if event.is_readable() || event.is_read_closed() || event.is_error() {
                    link.readable = true;
                    // No later edge tells of the end, so that a short read must not be taken for the last.
                    link.end_ahead |= event.is_read_closed() || event.is_error();
                    self.serve(id, turn);
                }
                // Else what this turn brings goes out at its end, all in one.
                if event.is_writable() && self.links.get(&id).is_some_and(|link| link.is_full) {
                    self.send(id, turn);
                }
            }
        }
    }

    /// Goes on with what was more than one turn's worth.
    pub(super) fn go_on(&mut self, turn: &mut Turn<'_>) {
        for id in std::mem::take(&mut self.again) {
            if let Some(link) = self.links.get_mut(&id) {
                link.again = false;
            }
            self.serve(id, turn);
            self.send(id, turn);
        }
    }

    /// Sends what the member has for links, and reads on where it wants to again.
    pub(super) fn flush(&mut self, turn: &mut Turn<'_>) {
        while let Some(id) = turn.member.next_dirty_link() {
            self.send(id, turn);
            self.see_to_rest(id, turn);
        }
    }

    /// Lets short packets of the leader wait while nobody here would see what they say: a COMMIT then comes with the next
    /// PROPOSAL, and this member is woken once for each write and not twice.
    pub(super) fn lull(&mut self, turn: &Turn<'_>) {
        let wanted = turn.member.link_that_may_wait();
        if wanted == self.lulled.map(|lulled| lulled.link) {
            return;
        }
        if let Some(Lulled { link: id, .. }) = self.lulled
            && let Some(link) = self.links.get(&id)
            && let Err(error) = set_low_water(&link.stream, 1)
        {
            // It stays one that is looked at now and then, and is tried again.
            return tracing::debug!(%error, "a link keeps its low-water mark");
        }
        self.lulled = None;
        if let Some(id) = wanted
            && let Some(link) = self.links.get(&id)
        {
            match set_low_water(&link.stream, SHORT_PACKET_BYTES + 1) {
                Ok(()) => self.lulled = Some(Lulled { link: id, until_ms: turn.now.mono_ms + LULL_MS }),
                Err(error) => tracing::debug!(%error, "a link keeps its low-water mark"),
            }
        }
    }

    /// Reads what waits.
    pub(super) fn rouse(&mut self, turn: &mut Turn<'_>) {
        if let Some(Lulled { link: id, .. }) = self.lulled
            && let Some(link) = self.links.get_mut(&id)
        {
            link.readable = true;
            self.serve(id, turn);
        }
    }

    /// Reads what has waited for long, and whatever waits before the member counts the time that it has heard nothing.
    pub(super) fn rouse_if_due(&mut self, turn: &mut Turn<'_>) {
        let is_due = |lulled: Lulled| turn.now.mono_ms >= lulled.until_ms.min(turn.member.deadline_ms());
        if self.lulled.is_some_and(is_due) {
            self.rouse(turn);
        }
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, turn: &mut Turn<'_>) {
        let now_ms = turn.now.mono_ms;
        if self.accept_at_ms.is_some_and(|at_ms| at_ms <= now_ms) {
            self.accept_at_ms = None;
            for port in [Port::Election, Port::Quorum] {
                for at in 0..self.listeners(port).len() {
                    self.accept(port, at, turn);
                }
            }
        }
        let due = self.calling.iter().filter(|(_, call)| call.until_ms <= now_ms);
        let due: Vec<_> = due.map(|(link, _)| *link).collect();
        for link in due {
            if let Some(Call { port, addresses, .. }) = self.calling.remove(&link) {
                self.on_unreached(port, addresses, &io::ErrorKind::TimedOut.into());
            }
            turn.member.link_lost(link, turn.now);
        }
    }

    /// When [`Self::tick`] has something to do, in monotonic milliseconds; 0 if the next turn has.
    pub(super) fn deadline_ms(&self) -> u64 {
        if !self.again.is_empty() {
            return 0;
        }
        let calls = self.calling.values().map(|call| call.until_ms).min();
        let lulled = self.lulled.map(|lulled| lulled.until_ms);
        [calls, lulled, self.accept_at_ms].into_iter().flatten().min().unwrap_or(u64::MAX)
    }

    fn listeners(&self, port: Port) -> &[TcpListener] {
        match port {
            Port::Election => &self.election,
            Port::Quorum => &self.quorum,
        }
    }

    fn accept(&mut self, port: Port, at: usize, turn: &mut Turn<'_>) {
        for _ in 0..ACCEPTS_MAX {
            let Some(listener) = self.listeners(port).get(at) else { return };
            match listener.accept() {
                Ok((stream, peer)) => self.on_caller(port, stream, peer, turn),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    tracing::warn!(%error, "a member cannot be accepted; raise the limit of open files");
                    self.accept_at_ms = Some(turn.now.mono_ms + ACCEPT_PAUSE_MS);
                    return;
                }
            }
        }
        // The edge was used up, the queue was not.
        self.accept_at_ms = Some(turn.now.mono_ms);
    }

    fn on_caller(&mut self, port: Port, stream: TcpStream, peer: SocketAddr, turn: &mut Turn<'_>) {
        let now_ms = turn.now.mono_ms;
        let place = peer.ip().to_canonical();
        let is_known = self.places.values().any(|places| places.contains(&place));
        if !is_known && now_ms >= self.looked_up_ms.saturating_add(LOOK_UP_PAUSE_MS) {
            self.looked_up_ms = now_ms;
            self.calls.look_up(self.options.others.clone());
        }
        let Some(link) = turn.member.link_accepted(port, peer, turn.now) else { return };
        let nodelay = port == Port::Election || self.options.leader_nodelay;
        match self.take_in(link, port, stream, nodelay, turn.registry) {
            // A member has spoken already. Where too many wait, the silent ones have to go.
            Ok(()) => self.serve(link, turn),
            Err(error) => {
                tracing::warn!(%peer, %error, "a connection of a member cannot be served");
                turn.member.link_lost(link, turn.now);
            }
        }
    }

    fn take_in(
        &mut self,
        link: LinkId,
        port: Port,
        mut stream: TcpStream,
        nodelay: bool,
        registry: &Registry,
    ) -> io::Result<()> {
        stream.set_nodelay(nodelay)?;
        if port == Port::Election && self.options.keep_alive {
            SockRef::from(&stream).set_keepalive(true)?;
        }
        registry.register(&mut stream, Ear::Link(link).token(), Interest::READABLE | Interest::WRITABLE)?;
        self.links.insert(
            link,
            Link { stream, sent: 0, readable: true, end_ahead: false, again: false, is_full: false },
        );
        Ok(())
    }

    /// Hands in what came, as long as the member wants it and for one turn at most.
    fn serve(&mut self, id: LinkId, turn: &mut Turn<'_>) {
        if let Some(lulled) = self.lulled.as_mut().filter(|lulled| lulled.link == id) {
            lulled.until_ms = turn.now.mono_ms + LULL_MS;
        }
        let mut taken = 0;
        while taken < TURN_BYTES && turn.member.link_wants_input(id) {
            let Some(link) = self.links.get_mut(&id).filter(|link| link.readable) else { return };
            match link.stream.read(turn.scratch) {
                Ok(0) => return self.lose(id, turn),
                Ok(n) => {
                    link.readable = n == turn.scratch.len() || link.end_ahead;
                    taken += n;
                    turn.member.link_receive(id, &turn.scratch[..n], turn.now);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => link.readable = false,
                Err(error) => {
                    tracing::debug!(%error, "a link broke");
                    return self.lose(id, turn);
                }
            }
        }
        self.see_to_rest(id, turn);
    }

    /// Sends as much as the kernel takes, and for one turn at most: a snapshot comes piece by piece as long as there
    /// is room.
    fn send(&mut self, id: LinkId, turn: &mut Turn<'_>) {
        let mut gone = 0;
        while let Some(link) = self.links.get_mut(&id)
            && let Some(out) = turn.member.link_output(id)
            && !out.is_empty()
        {
            if gone >= TURN_BYTES {
                return self.put_off(id);
            }
            let before = link.sent;
            match write_from(&mut link.stream, out, before) {
                Ok(sent) => {
                    gone += sent - before;
                    let done = sent == out.len();
                    link.sent = shed(out, sent);
                    link.is_full = !done;
                    if !done {
                        if sent > before {
                            turn.member.link_sends(id, turn.now);
                        }
                        return;
                    }
                    turn.member.link_sent(id, turn.now);
                }
                Err(error) => {
                    tracing::debug!(%error, "a link broke");
                    return self.lose(id, turn);
                }
            }
        }
    }

    fn lose(&mut self, id: LinkId, turn: &mut Turn<'_>) {
        self.close(id, turn.registry);
        turn.member.link_lost(id, turn.now);
    }

    /// Puts a link that has more to hand in off to the next turn. A paused one comes back when it is dirty.
    fn see_to_rest(&mut self, id: LinkId, turn: &mut Turn<'_>) {
        if self.links.get(&id).is_some_and(|link| link.readable) && turn.member.link_wants_input(id) {
            self.put_off(id);
        }
    }

    fn put_off(&mut self, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id).filter(|link| !link.again) {
            link.again = true;
            self.again.push(id);
        }
    }
}
