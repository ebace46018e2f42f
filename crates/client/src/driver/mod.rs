//! A session on a thread of its own, and calls that wait for their answers.

mod calls;
mod link;
mod thread;

use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::collections::VecDeque;
use std::io;
use std::string::String;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Instant;
use std::vec::Vec;

use hashbrown::HashMap;
use mio::{Poll, Waker};
use proto::SessionId;

use self::thread::{Thread, WAKE};
use crate::{Chroot, ConnectString, Event, Failure, Reply, Request, Server, Settings, State};

/// What a caller holds for an answer that has not come yet.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Ticket(u64);

/// The tickets of requests that were sent together.
pub type Tickets = core::iter::Map<core::ops::Range<u64>, fn(u64) -> Ticket>;

/// A word to the thread.
enum Order {
    Submit(u64, Request),
    Authenticate(String, Option<Vec<u8>>),
    Close(u64),
    HangUp,
    /// This server was asked aside and takes writes.
    Writer(usize),
    Stop,
}

/// What the thread has to say.
struct Mailbox {
    answers: VecDeque<(u64, Result<Reply, Failure>)>,
    state: State,
    session: SessionId,
    /// The server dialled last.
    server: Option<usize>,
}

/// What both sides reach.
struct Shared {
    orders: Mutex<Vec<Order>>,
    waker: Waker,
    mailbox: Mutex<Mailbox>,
    arrived: Condvar,
    interrupted: AtomicBool,
}

const HELD: &str = "nobody panics while holding it";

impl Shared {
    fn order(&self, order: Order) {
        self.order_all([order]);
    }

    fn order_all(&self, more: impl IntoIterator<Item = Order>) {
        let mut orders = self.orders.lock().expect(HELD);
        let was_empty = orders.is_empty();
        orders.extend(more);
        if was_empty && !orders.is_empty() {
            // Only fails when the poll is gone, and the thread with it: then nobody listens any more.
            let _ = self.waker.wake();
        }
    }
}

/// Ends the waiting of a [`Client`] from any thread, for example at Ctrl-C.
#[derive(Clone)]
pub struct Interrupter(Arc<Shared>);

impl Interrupter {
    /// Ends what waits now with [`Failure::Interrupted`], and what will wait until [`Client::resume`].
    pub fn interrupt(&self) {
        self.0.interrupted.store(true, Ordering::SeqCst);
        let _mailbox = self.0.mailbox.lock().expect(HELD);
        self.0.arrived.notify_all();
    }
}

/// A session with its connection, and calls that wait.
///
/// An answer stays here until it is redeemed or [forgotten](Self::forget). Dropping the client leaves the session to its timeout;
/// [`close`](Self::close) ends it.
pub struct Client {
    shared: Arc<Shared>,
    next_ticket: Cell<u64>,
    /// Taken from the mailbox and not yet redeemed.
    got: RefCell<HashMap<u64, Result<Reply, Failure>>>,
    /// Answers to tickets before this one are dropped.
    first_awaited: Cell<u64>,
    chroot: Chroot,
    servers: Vec<Server>,
    request_timeout: Option<Duration>,
}

impl core::fmt::Debug for Client {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Client").field("servers", &self.servers).finish_non_exhaustive()
    }
}

impl Client {
    /// Starts to connect, and comes back at once.
    ///
    /// * `settings`: number of servers and chroot are taken from `to`.
    /// * `request_timeout`: how long an answer may take; `None` for as long as the connection lives.
    /// * `observer`: is told of every event, on the thread of the connection: it must not wait for this client.
    ///
    /// # Errors
    /// When the system gives no poll or no thread.
    pub fn open(
        to: &ConnectString,
        mut settings: Settings,
        request_timeout: Option<Duration>,
        observer: impl FnMut(Event) + Send + 'static,
    ) -> io::Result<Self> {
        settings.servers = to.servers.len();
        settings.chroot = to.chroot.clone();
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let mailbox = Mailbox {
            answers: VecDeque::new(),
            state: State::Connecting,
            session: SessionId::NONE,
            server: None,
        };
        let shared = Arc::new(Shared {
            orders: Mutex::new(Vec::new()),
            waker,
            mailbox: Mutex::new(mailbox),
            arrived: Condvar::new(),
            interrupted: AtomicBool::new(false),
        });
        let thread = Thread::new(poll, Arc::clone(&shared), to.servers.clone(), settings, observer);
        std::thread::Builder::new().name("session".into()).spawn(move || thread.run())?;
        Ok(Self {
            shared,
            next_ticket: Cell::new(0),
            got: RefCell::new(HashMap::new()),
            first_awaited: Cell::new(0),
            chroot: to.chroot.clone(),
            servers: to.servers.clone(),
            request_timeout,
        })
    }

    /// How the session stands.
    pub fn state(&self) -> State {
        self.mailbox().state
    }

    /// The id of the session.
    pub fn session(&self) -> SessionId {
        self.mailbox().session
    }

    /// The server that serves it, or that is being dialled.
    pub fn server(&self) -> Option<&Server> {
        let server = self.mailbox().server;
        server.and_then(|server| self.servers.get(server))
    }

    /// All servers that were named.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// Where the paths of this client begin.
    pub fn chroot(&self) -> &Chroot {
        &self.chroot
    }

    /// What ends this client's waiting.
    pub fn interrupter(&self) -> Interrupter {
        Interrupter(Arc::clone(&self.shared))
    }

    /// Waits again after an interrupt.
    pub fn resume(&self) {
        self.shared.interrupted.store(false, Ordering::SeqCst);
    }

    /// Whether an interrupt has come since the last [`resume`](Self::resume).
    pub fn is_interrupted(&self) -> bool {
        self.shared.interrupted.load(Ordering::SeqCst)
    }

    fn mailbox(&self) -> MutexGuard<'_, Mailbox> {
        self.shared.mailbox.lock().expect(HELD)
    }

    /// Waits until a server serves the session, the session is over, or the time is.
    ///
    /// * `read_only`: whether a server without a quorum will do.
    pub fn wait_connected(&self, time_max: Duration, read_only: bool) -> bool {
        let is_there = |state| state == State::Connected || (read_only && state == State::ConnectedReadOnly);
        let (mailbox, _) = self
            .shared
            .arrived
            .wait_timeout_while(self.mailbox(), time_max, |mailbox| {
                mailbox.state.is_alive() && !is_there(mailbox.state) && !self.is_interrupted()
            })
            .expect(HELD);
        is_there(mailbox.state)
    }

    /// Sends a request, or keeps it until there is a connection.
    pub fn submit(&self, request: Request) -> Ticket {
        let ticket = self.ticket();
        self.shared.order(Order::Submit(ticket.0, request));
        ticket
    }

    fn ticket(&self) -> Ticket {
        let ticket = self.next_ticket.get();
        self.next_ticket.set(ticket + 1);
        Ticket(ticket)
    }

    /// Sends many requests at once. Each has a ticket, in their order.
    pub fn submit_all(&self, requests: impl IntoIterator<Item = Request>) -> Tickets {
        let first = self.next_ticket.get();
        let mut next = first;
        self.shared.order_all(requests.into_iter().map(|request| {
            next += 1;
            Order::Submit(next - 1, request)
        }));
        self.next_ticket.set(next);
        (first..next).map(Ticket)
    }

    /// Gives up all answers that have not been redeemed.
    pub fn forget(&self) {
        self.first_awaited.set(self.next_ticket.get());
        self.got.borrow_mut().clear();
    }

    /// Waits for an answer.
    ///
    /// # Errors
    /// The [`Failure`] the request ended with.
    pub fn wait(&self, ticket: Ticket) -> Result<Reply, Failure> {
        let deadline = self.request_timeout.map(|time_max| Instant::now() + time_max);
        let answer = self.wait_until(ticket, deadline);
        if answer == Err(Failure::RequestTimeout) {
            self.shared.order(Order::HangUp);
        }
        answer
    }

    /// Waits for an answer, but no longer than until `deadline`.
    ///
    /// # Errors
    /// The [`Failure`] the request ended with.
    pub fn wait_until(&self, ticket: Ticket, deadline: Option<Instant>) -> Result<Reply, Failure> {
        let mut got = self.got.borrow_mut();
        loop {
            if let Some(answer) = got.remove(&ticket.0) {
                return answer;
            }
            let mut mailbox = self.mailbox();
            while mailbox.answers.is_empty() {
                if self.is_interrupted() {
                    return Err(Failure::Interrupted);
                }
                let Some(deadline) = deadline else {
                    mailbox = self.shared.arrived.wait(mailbox).expect(HELD);
                    continue;
                };
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(Failure::RequestTimeout);
                }
                mailbox = self.shared.arrived.wait_timeout(mailbox, left).expect(HELD).0;
            }
            let arrived = core::mem::take(&mut mailbox.answers);
            drop(mailbox);
            let first_awaited = self.first_awaited.get();
            got.extend(arrived.into_iter().filter(|(number, _)| *number >= first_awaited));
        }
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// The [`Failure`] the request ended with.
    pub fn call(&self, request: Request) -> Result<Reply, Failure> {
        let ticket = self.submit(request);
        self.wait(ticket)
    }

    /// Adds an identity to the session. A refusal comes as an event and ends the session.
    pub fn authenticate(&self, scheme: &str, credential: Option<&[u8]>) {
        self.shared.order(Order::Authenticate(scheme.into(), credential.map(<[u8]>::to_vec)));
    }

    /// Ends the session; gives up after `time_max`.
    pub fn close(&self, time_max: Duration) {
        let ticket = self.ticket();
        self.shared.order(Order::Close(ticket.0));
        // Whether it was the server or only ourselves who ended it makes no difference to anybody.
        let _ = self.wait_until(ticket, Some(Instant::now() + time_max));
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.shared.order(Order::Stop);
    }
}
