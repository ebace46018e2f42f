//! The thread of a connection: tells the session what happened and does what it wants.

use core::time::Duration;
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Instant;
use std::vec::Vec;

use mio::{Events, Poll, Token};

use super::link::Link;
use super::{HELD, Order, Shared};
use crate::{Effect, Event, Server, Session, Settings};

/// The token of the waker. Connections count upwards from the next one, so that an event of a dropped one is known as such.
pub(crate) const WAKE: Token = Token(0);
/// How long a server that is asked aside may take.
const PROBE_TIME_MAX: Duration = Duration::from_secs(1);

/// All the thread owns.
pub(crate) struct Thread<O> {
    poll: Poll,
    shared: Arc<Shared>,
    servers: Vec<Server>,
    session: Session,
    observer: O,
    began: Instant,
    link: Option<Link>,
    token: Token,
    /// The addresses of the server being dialled that are left to try.
    addresses: VecDeque<SocketAddr>,
    server: Option<usize>,
    is_stopping: bool,
}

impl<O: FnMut(Event)> Thread<O> {
    pub(crate) fn new(
        poll: Poll,
        shared: Arc<Shared>,
        servers: Vec<Server>,
        mut settings: Settings,
        observer: O,
    ) -> Self {
        settings.seed = RandomState::new().hash_one(std::process::id());
        Self {
            poll,
            shared,
            servers,
            session: Session::new(settings, Duration::ZERO),
            observer,
            began: Instant::now(),
            link: None,
            token: WAKE,
            addresses: VecDeque::new(),
            server: None,
            is_stopping: false,
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Turns until it is told to stop.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(16);
        while !self.is_stopping {
            self.take_orders();
            let now = self.now();
            self.session.on_time(now);
            self.carry_out();
            self.send();
            let wait = self.session.deadline().map(|deadline| deadline.saturating_sub(self.now()));
            // A poll that fails was interrupted by a signal; the next turn asks again.
            if self.poll.poll(&mut events, wait).is_err() {
                continue;
            }
            let is_ours = events.iter().any(|event| event.token() == self.token && event.token() != WAKE);
            if is_ours {
                self.on_ready();
            }
        }
    }

    fn take_orders(&mut self) {
        let orders = core::mem::take(&mut *self.shared.orders.lock().expect(HELD));
        let now = self.now();
        for order in orders {
            match order {
                Order::Submit(ticket, request) => self.session.submit(now, ticket, request),
                Order::Authenticate(scheme, credential) => {
                    self.session.authenticate(now, &scheme, credential.as_deref());
                }
                Order::Close(ticket) => self.session.close(now, ticket),
                Order::HangUp => self.session.hang_up(now),
                Order::Writer(server) => self.session.on_probe(now, server),
                Order::Stop => self.is_stopping = true,
            }
        }
    }

    /// Does what the session wants until it wants nothing more, then shows the answers.
    fn carry_out(&mut self) {
        let mut answers = VecDeque::new();
        while let Some(effect) = self.session.next_effect() {
            match effect {
                Effect::Dial(server) => {
                    self.server = Some(server);
                    self.addresses = addresses(&self.servers[server]);
                    self.dial_next();
                }
                Effect::HangUp => self.link = None,
                Effect::Probe(server) => self.probe(server),
                // Told before anybody who waits can see it: a program that ends then has told it all.
                Effect::Tell(event) => (self.observer)(event),
                Effect::Answer(ticket, answer) => answers.push_back((ticket, answer)),
            }
        }
        let mut mailbox = self.shared.mailbox.lock().expect(HELD);
        mailbox.answers.append(&mut answers);
        mailbox.state = self.session.state();
        mailbox.session = self.session.id();
        mailbox.server = self.server;
        self.shared.arrived.notify_all();
    }

    /// Dials the next address of the server; when there is none left the dialling has failed.
    fn dial_next(&mut self) {
        self.link = None;
        while let Some(address) = self.addresses.pop_front() {
            self.token = Token(self.token.0.wrapping_add(1).max(1));
            if let Ok(link) = Link::dial(address, self.poll.registry(), self.token) {
                self.link = Some(link);
                return;
            }
        }
        let now = self.now();
        self.session.on_link_lost(now);
    }

    /// The socket has something to say.
    fn on_ready(&mut self) {
        let Some(link) = &mut self.link else { return };
        if !link.is_open {
            match link.finish_dialling() {
                Ok(true) => {
                    let now = self.now();
                    self.session.on_dialed(now);
                }
                Ok(false) => return,
                Err(_) => return self.dial_next(),
            }
        }
        self.receive();
    }

    fn receive(&mut self) {
        // What a frame leads to may drop the link.
        while let Some(link) = &mut self.link {
            match link.read() {
                Ok(true) => {}
                Ok(false) => return,
                Err(_) => return self.lose(),
            }
            let now = self.began.elapsed();
            loop {
                match link.next_frame() {
                    Ok(Some(frame)) => self.session.on_frame(now, frame),
                    Ok(None) => break,
                    Err(_) => return self.lose(),
                }
            }
            self.carry_out();
            self.take_orders();
            self.send();
        }
    }

    fn lose(&mut self) {
        self.link = None;
        let now = self.now();
        self.session.on_link_lost(now);
    }

    fn send(&mut self) {
        let Some(link) = self.link.as_mut().filter(|link| link.is_open) else { return };
        if link.write(self.session.output(), self.poll.registry()).is_err() {
            self.lose();
            self.carry_out();
        }
    }

    /// Asks a server aside whether it takes writes. Source: `ClientCnxn.SendThread#pingRwServer`.
    fn probe(&self, server: usize) {
        let (named, shared) = (self.servers[server].clone(), Arc::clone(&self.shared));
        let asking = std::thread::Builder::new().name("probe".into()).spawn(move || {
            let takes_writes =
                addresses(&named).into_iter().any(|address| is_writer(address).unwrap_or(false));
            if takes_writes {
                shared.order(Order::Writer(server));
            }
        });
        // Without a thread for it the next probe will find out.
        drop(asking);
    }
}

fn is_writer(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&address, PROBE_TIME_MAX)?;
    stream.set_read_timeout(Some(PROBE_TIME_MAX))?;
    stream.write_all(b"isro")?;
    let mut answer = [0; 2];
    stream.read_exact(&mut answer)?;
    Ok(&answer == b"rw")
}

/// Where a server is now, IPv4 first as in Java. Nowhere, when its name is not known.
fn addresses(server: &Server) -> VecDeque<SocketAddr> {
    let found = (server.host.as_str(), server.port).to_socket_addrs();
    let mut found: Vec<SocketAddr> = found.map(Iterator::collect).unwrap_or_default();
    found.sort_by_key(SocketAddr::is_ipv6);
    found.into()
}
