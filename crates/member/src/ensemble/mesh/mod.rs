//! The election port's connections: one between any two members, and on each only the latest message.
//!
//! The member with the larger id is the one that calls. A smaller one that wants to talk sends its greeting, hangs up
//! and is called back. Who calls here has proved nothing (S3): what it says of itself costs bounded work, and a
//! connection that works is replaced only for a caller from where that member is configured to be (S4).
//!
//! Source: `QuorumCnxManager`; quorum-protocol.md §2.1, §2.2.

mod link;
#[cfg(test)]
mod tests;

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use mutants::mutant;
use proto::quorum::{AddressForm, Greeting, GreetingError, HostPort, NOTIFICATION_BYTES_MAX};
use proto::{DecodeError, Encode, Reader, Sid};

use crate::Now;
use crate::ensemble::order::{Address, LinkId, Order, Port};
use link::{Caller, Link, Other, State};

/// The longest frame taken from a caller that is not known to be who it says. Its notifications have a few hundred
/// bytes. Source: reliability.md §6, "memory".
const STRANGER_FRAME_BYTES_MAX: usize = 64 * 1024;

/// A call that was under way when the other side asked to be called answers that wish, if it came about so shortly
/// before; and who asked to be called does not ask again so soon.
const CROSSING_MS: u64 = 200;

/// An observer without an id, before 3.5. Source: `QuorumPeer.OBSERVER_ID`.
const ANONYMOUS: Sid = Sid(i64::MAX);

/// Gives links their names.
#[derive(Debug, Default)]
pub struct LinkIds(u64);

impl LinkIds {
    /// A name that was never given.
    pub fn give(&mut self) -> LinkId {
        self.0 += 1;
        LinkId(self.0)
    }
}

/// What a mesh has to know.
#[derive(Clone, Debug)]
pub struct MeshOptions {
    /// This member.
    pub me: Sid,
    /// Its own election addresses, for others to call back. At least one.
    pub own_addresses: Vec<Address>,
    /// The election addresses of all members. This one's among them are not looked at.
    pub members: BTreeMap<Sid, Vec<Address>>,
    /// `multiAddress.enabled`: the greeting names all of `own_addresses`, which 3.5 does not understand.
    pub multi_address: bool,
    /// `cnxTimeout`, in milliseconds.
    pub connect_timeout_ms: u64,
    /// How long a caller may take to say who it is.
    pub first_message_ms: u64,
    /// How many callers that have not said it may be there; the oldest has to go for a new one. As many callers that
    /// are in no configuration may stay.
    pub pending_max: usize,
    /// How many of each kind may come from one address.
    pub per_address_max: usize,
}

/// What happened among the connections.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MeshEvent {
    /// There is a connection, or a new one in place of the old. The last message is sent again on it unless a newer
    /// one is given at once.
    Linked(Sid),
    /// There is none any more, or a call failed.
    Unlinked(Sid),
    /// A message came, without its length.
    Message {
        /// Whom the connection belongs to.
        from: Sid,
        /// At least one byte.
        bytes: Vec<u8>,
    },
}

/// See the module.
#[derive(Debug)]
pub struct Mesh {
    options: MeshOptions,
    others: BTreeMap<Sid, Other>,
    /// In the order in which they came about.
    links: BTreeMap<LinkId, Link>,
    dirty: VecDeque<LinkId>,
    events: VecDeque<MeshEvent>,
    /// What the members' names meant when they were last looked up.
    names: BTreeMap<String, Vec<IpAddr>>,
}

impl Mesh {
    /// Without any connection.
    #[must_use]
    pub fn new(options: MeshOptions) -> Self {
        assert!(!options.own_addresses.is_empty(), "a member has an election address");
        let me = options.me;
        let others = options.members.iter().filter(|(sid, _)| **sid != me);
        let others = others.map(|(&sid, addresses)| (sid, Other::new(addresses.clone(), None))).collect();
        let (links, names) = (BTreeMap::new(), BTreeMap::new());
        Self { options, others, links, dirty: VecDeque::new(), events: VecDeque::new(), names }
    }

    /// Sends a message, a frame without its length, in place of one that was not sent yet. Calls that member if there
    /// is no connection. What is for nobody known is dropped.
    pub fn send(
        &mut self,
        to: Sid,
        message: Vec<u8>,
        now: Now,
        links: &mut LinkIds,
        orders: &mut VecDeque<Order>,
    ) {
        debug_assert!((1..=NOTIFICATION_BYTES_MAX).contains(&message.len()), "no such frame");
        let Some(other) = self.others.get_mut(&to) else { return };
        other.last = Some(message);
        other.unsent = true;
        match other.live {
            Some(link) => self.touch(link),
            None => self.connect(to, now, links, orders),
        }
    }

    /// Calls a member if there is no connection with it and none is coming about.
    pub fn connect(&mut self, sid: Sid, now: Now, links: &mut LinkIds, orders: &mut VecDeque<Order>) {
        let Some(other) = self.others.get(&sid) else { return };
        if other.live.is_none() && now.mono_ms >= other.asked_until_ms {
            self.dial(sid, links, orders);
        }
    }

    /// Whether there is a connection with that member.
    #[must_use]
    pub fn is_linked(&self, sid: Sid) -> bool {
        self.others.get(&sid).is_some_and(|other| other.live.is_some())
    }

    /// A name was looked up, for a call or because an unknown caller came. What it meant before is forgotten.
    pub fn resolved(&mut self, host: &str, addresses: &[IpAddr]) {
        let is_ours = |other: &Other| other.is_member() && other.addresses.iter().any(|at| at.host == host);
        // The last good answer is kept (R14).
        if !addresses.is_empty() && self.others.values().any(is_ours) {
            self.names.insert(host.to_owned(), addresses.iter().map(IpAddr::to_canonical).collect());
        }
    }

    /// Somebody called. It is always taken in; when there are too many, the oldest that has said nothing goes.
    pub fn accepted(&mut self, link: LinkId, peer: SocketAddr, now: Now, orders: &mut VecDeque<Order>) {
        let from = peer.ip().to_canonical();
        if let Some(victim) = self.one_too_many(from) {
            self.close(victim, orders);
        }
        let deadline_ms = now.mono_ms.saturating_add(self.options.first_message_ms);
        self.links.insert(link, Link::new(State::Pending { deadline_ms }, Some(from), false));
    }

    /// A call came through.
    pub fn opened(&mut self, link: LinkId, now: Now, orders: &mut VecDeque<Order>) {
        let Some(&Link { state: State::Dialling(sid), .. }) = self.links.get(&link) else { return };
        let greeting = self.greeting();
        let other = self.others.get_mut(&sid).expect("who is called is known");
        other.dialling = None;
        if other.live.is_some() {
            return self.close(link, orders);
        }
        // What is configured is believed, however it was found.
        let is_proven = other.is_member();
        let deadline_ms = now.mono_ms.saturating_add(self.options.connect_timeout_ms);
        let entry = self.links.get_mut(&link).expect("it was just there");
        entry.output = greeting;
        entry.proven = is_proven;
        if sid > self.options.me {
            entry.state = State::Greeting { to: sid, deadline_ms };
            self.touch(link);
        } else {
            self.go_live(sid, link, now);
        }
    }

    /// A connection is gone, or a call failed.
    pub fn lost(&mut self, link: LinkId) {
        let Some(entry) = self.links.remove(&link) else { return };
        match entry.state {
            State::Pending { .. } => {}
            State::Dialling(sid) | State::Greeting { to: sid, .. } | State::Live(sid) => {
                self.cut_off(sid, link)
            }
        }
    }

    /// Bytes came. Cuts them into messages and finds out who speaks.
    pub fn receive(
        &mut self,
        link: LinkId,
        bytes: &[u8],
        now: Now,
        links: &mut LinkIds,
        orders: &mut VecDeque<Order>,
    ) {
        let Some(entry) = self.links.get_mut(&link) else { return };
        match entry.state {
            // Nobody speaks before it is connected, or to one who hangs up.
            State::Dialling(_) | State::Greeting { .. } => {}
            State::Live(sid) => {
                entry.input.extend_from_slice(bytes);
                self.cut(sid, link, orders);
            }
            State::Pending { .. } => {
                entry.input.extend_from_slice(bytes);
                let input = core::mem::take(&mut entry.input);
                let mut reader = Reader::new(&input);
                match Greeting::decode(&mut reader) {
                    Ok(greeting) => {
                        let rest = reader.rest().to_vec();
                        let who = Caller::of(&greeting);
                        self.greeted(link, who, rest, now, links, orders);
                    }
                    Err(GreetingError::Malformed(DecodeError::Truncated)) => entry.input = input,
                    Err(_) => self.close(link, orders),
                }
            }
        }
    }

    /// What is to be sent on a connection; remove what was sent. `None`: there is no such connection.
    pub fn output(&mut self, link: LinkId) -> Option<&mut Vec<u8>> {
        let entry = self.links.get_mut(&link)?;
        entry.dirty = false;
        if let State::Live(sid) = entry.state
            && entry.output.is_empty()
            && let Some(other) = self.others.get_mut(&sid).filter(|other| other.unsent)
            && let Some(message) = &other.last
        {
            other.unsent = false;
            let length = i32::try_from(message.len()).expect("send takes no such frame");
            length.encode(&mut entry.output);
            entry.output.extend_from_slice(message);
        }
        Some(&mut entry.output)
    }

    /// All output of a connection is sent.
    pub fn sent(&mut self, link: LinkId, now: Now, orders: &mut VecDeque<Order>) {
        let Some(entry) = self.links.get(&link) else { return };
        match entry.state {
            State::Greeting { to, .. } => {
                let other = self.others.get_mut(&to).expect("who is greeted is known");
                other.asked_until_ms = now.mono_ms.saturating_add(CROSSING_MS);
                self.close(link, orders);
                self.forget_stranger(to);
            }
            State::Live(sid) if self.others.get(&sid).is_some_and(|other| other.unsent) => self.touch(link),
            State::Live(_) | State::Pending { .. } | State::Dialling(_) => {}
        }
    }

    /// The next connection that has something to send.
    pub fn next_dirty(&mut self) -> Option<LinkId> {
        while let Some(link) = self.dirty.pop_front() {
            if self.links.get(&link).is_some_and(|entry| entry.dirty) {
                return Some(link);
            }
        }
        None
    }

    /// What happened since the last time, in order.
    pub fn next_event(&mut self) -> Option<MeshEvent> {
        self.events.pop_front()
    }

    /// When [`Self::tick`] has something to do, in monotonic milliseconds.
    #[must_use]
    pub fn deadline_ms(&self) -> u64 {
        self.links.values().filter_map(Link::deadline_ms).min().unwrap_or(u64::MAX)
    }

    /// Time has passed: who has not said who it is goes, and so does who does not take a greeting.
    pub fn tick(&mut self, now: Now, orders: &mut VecDeque<Order>) {
        let is_due = |entry: &Link| entry.deadline_ms().is_some_and(|at_ms| at_ms <= now.mono_ms);
        let due: Vec<_> = self.links.iter().filter(|(_, entry)| is_due(entry)).map(|(id, _)| *id).collect();
        for link in due {
            let state = self.links[&link].state;
            self.close(link, orders);
            if let State::Greeting { to, .. } = state {
                self.cut_off(to, link);
            }
        }
    }

    fn touch(&mut self, link: LinkId) {
        let entry = self.links.get_mut(&link).expect("only a link that is there is touched");
        if !entry.dirty {
            entry.dirty = true;
            self.dirty.push_back(link);
        }
    }

    fn close(&mut self, link: LinkId, orders: &mut VecDeque<Order>) {
        if self.links.remove(&link).is_some() {
            orders.push_back(Order::Close { link });
        }
    }

    /// A connection or call of `sid` came to its end.
    fn cut_off(&mut self, sid: Sid, link: LinkId) {
        let Some(other) = self.others.get_mut(&sid) else { return };
        other.live.take_if(|live| *live == link);
        other.dialling.take_if(|dialling| *dialling == link);
        if other.live.is_none() {
            self.events.push_back(MeshEvent::Unlinked(sid));
        }
        self.forget_stranger(sid);
    }

    fn forget_stranger(&mut self, sid: Sid) {
        let is_over = |other: &Other| !other.is_member() && other.live.is_none() && other.dialling.is_none();
        if self.others.get(&sid).is_some_and(is_over) {
            self.others.remove(&sid);
        }
    }

    fn dial(&mut self, sid: Sid, links: &mut LinkIds, orders: &mut VecDeque<Order>) {
        let Some(other) = self.others.get_mut(&sid).filter(|other| other.dialling.is_none()) else { return };
        let link = links.give();
        other.dialling = Some(link);
        let (addresses, timeout_ms) = (other.addresses.clone(), self.options.connect_timeout_ms);
        self.links.insert(link, Link::new(State::Dialling(sid), None, false));
        orders.push_back(Order::Dial { link, port: Port::Election, addresses, timeout_ms });
    }

    fn go_live(&mut self, sid: Sid, link: LinkId, now: Now) {
        let entry = self.links.get_mut(&link).expect("only a link that is there goes live");
        entry.state = State::Live(sid);
        entry.live_ms = now.mono_ms;
        let other = self.others.get_mut(&sid).expect("who is linked is known");
        other.live = Some(link);
        // What was sent on a connection before may not have arrived. It may also be stale, which does no harm.
        other.unsent = other.last.is_some() && !mutant!(VotesToldOnce);
        self.events.push_back(MeshEvent::Linked(sid));
        self.touch(link);
    }

    fn greeting(&self) -> Vec<u8> {
        let own = &self.options.own_addresses;
        let (form, own) = if self.options.multi_address {
            (AddressForm::Many, &own[..])
        } else {
            (AddressForm::One, &own[..1])
        };
        let addresses = own.iter().map(|at| HostPort { host: &at.host, port: at.port }).collect();
        let mut bytes = Vec::new();
        Greeting::Addressed { form, sid: self.options.me, addresses }.encode(&mut bytes);
        bytes
    }

    /// A caller has said who it is; `rest` came behind that.
    fn greeted(
        &mut self,
        link: LinkId,
        caller: Caller,
        rest: Vec<u8>,
        now: Now,
        links: &mut LinkIds,
        orders: &mut VecDeque<Order>,
    ) {
        let from = self.links[&link].from.expect("a caller comes from somewhere");
        let Caller { sid, ports } = caller;
        let is_welcome = sid != self.options.me && sid != ANONYMOUS && self.make_room_for(sid, from, &ports);
        if !is_welcome || !self.may_replace_live(sid, from) {
            self.close(link, orders);
            return self.forget_stranger(sid);
        }
        let live = self.others[&sid].live;
        if sid < self.options.me {
            self.close(link, orders);
            if let Some(live) = live {
                // It was called already while it asked for it.
                if now.mono_ms < self.links[&live].live_ms.saturating_add(CROSSING_MS) {
                    return;
                }
                self.close(live, orders);
                self.others.get_mut(&sid).expect("it was just there").live = None;
            }
            return self.dial(sid, links, orders);
        }
        if let Some(live) = live {
            self.close(live, orders);
        }
        let is_proven = self.is_configured(sid, from);
        let entry = self.links.get_mut(&link).expect("it was just there");
        entry.proven = is_proven;
        entry.input = rest;
        self.go_live(sid, link, now);
        self.cut(sid, link, orders);
    }

    /// Sees to it that `sid` is among the others. Who is in no configuration is called where it came from (S4), and
    /// only so many are kept.
    fn make_room_for(&mut self, sid: Sid, from: IpAddr, ports: &[u16]) -> bool {
        if let Some(other) = self.others.get_mut(&sid) {
            if !other.is_member() && other.live.is_none() {
                other.addresses = link::called_back(from, ports);
            }
            return true;
        }
        let (mut all, mut of_address) = (0, 0);
        for home in self.others.values().filter_map(|other| other.stranger_from) {
            all += 1;
            of_address += usize::from(home == from);
        }
        let is_full = all >= self.options.pending_max || of_address >= self.options.per_address_max;
        if is_full || ports.is_empty() {
            return false;
        }
        self.others.insert(sid, Other::new(link::called_back(from, ports), Some(from)));
        true
    }

    /// Whether a caller from there may end a connection that works (S3).
    fn may_replace_live(&self, sid: Sid, from: IpAddr) -> bool {
        let Some(live) = self.others.get(&sid).and_then(|other| other.live) else { return true };
        let live = &self.links[&live];
        !live.proven || live.from == Some(from) || self.is_configured(sid, from)
    }

    /// Whether member `sid` is configured to be at this address.
    #[must_use]
    pub fn is_at(&self, sid: Sid, address: IpAddr) -> bool {
        self.is_configured(sid, address.to_canonical())
    }

    /// The same of an address that is in its plain form.
    fn is_configured(&self, sid: Sid, address: IpAddr) -> bool {
        let Some(other) = self.others.get(&sid).filter(|other| other.is_member()) else { return false };
        other.addresses.iter().any(|at| match at.host.parse::<IpAddr>() {
            Ok(literal) => literal.to_canonical() == address,
            Err(_) => self.names.get(&at.host).is_some_and(|known| known.contains(&address)),
        })
    }

    /// The caller that has to go because there are too many.
    ///
    /// Not the newest: a member says who it is as soon as it is connected, so that the old ones are those who will not.
    fn one_too_many(&self, from: IpAddr) -> Option<LinkId> {
        let pending = || self.links.iter().filter(|(_, entry)| entry.is_pending());
        let mut same = pending().filter(|(_, entry)| entry.from == Some(from)).map(|(link, _)| *link);
        let oldest_same = same.next();
        if oldest_same.is_some() && 1 + same.count() >= self.options.per_address_max {
            return oldest_same;
        }
        if pending().count() < self.options.pending_max {
            return None;
        }
        let is_member_at = |address| self.others.keys().any(|&sid| self.is_configured(sid, address));
        let strange = pending().find(|(_, entry)| !entry.from.is_some_and(is_member_at));
        strange.or_else(|| pending().next()).map(|(link, _)| *link)
    }

    /// Cuts what came on a live connection into messages.
    fn cut(&mut self, sid: Sid, link: LinkId, orders: &mut VecDeque<Order>) {
        let entry = self.links.get_mut(&link).expect("only a link that is there is read");
        let longest = if entry.proven { NOTIFICATION_BYTES_MAX } else { STRANGER_FRAME_BYTES_MAX };
        let mut taken = 0;
        let is_sane = loop {
            let Some((length, rest)) = entry.input[taken..].split_first_chunk::<4>() else { break true };
            let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
            if !(1..=longest).contains(&length) {
                break false;
            }
            let Some(frame) = rest.get(..length) else { break true };
            self.events.push_back(MeshEvent::Message { from: sid, bytes: frame.to_vec() });
            taken += 4 + length;
        };
        entry.input.drain(..taken);
        if entry.input.is_empty() {
            // A burst's memory is not kept by a connection that is silent for hours.
            entry.input = Vec::new();
        }
        if !is_sane {
            self.close(link, orders);
            self.cut_off(sid, link);
        }
    }
}
