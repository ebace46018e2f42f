//! Calling other members, and getting the ports they call: beside the loop, since to look up a name can take seconds.
//!
//! Every call has a thread of its own, so that a dead member delays none that lives (R14), and looks its names up
//! anew.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use member::ensemble::{Address, LinkId, Port};
use socket2::{Domain, Socket, Type};

use super::Handle;

/// How long the first of several addresses of a member has for itself.
const HEAD_START: Duration = Duration::from_millis(250);

/// A leader opens its quorum port in the moment in which its followers learn who leads: a call that is refused is
/// repeated for so long, after the first pause and then after twice as long each time, before it counts as failed.
const REFUSED_PATIENCE: Duration = Duration::from_millis(60);
const REFUSED_PAUSE: Duration = Duration::from_millis(1);

/// Between two attempts to get a port. Source: `QuorumCnxManager.Listener`.
const BIND_PAUSE: Duration = Duration::from_secs(1);

/// The backlog of the ports of members.
const BACKLOG: i32 = 128;

/// What a thread has found out.
#[derive(Debug)]
pub(super) enum News {
    /// A call came through, or did not.
    Called { link: LinkId, stream: io::Result<TcpStream> },
    /// What a name means, or why nobody knows.
    Resolved { host: String, addresses: io::Result<Vec<IpAddr>> },
    /// A port was got, or is not to be had.
    Bound { port: Port, attempt: u64, listeners: io::Result<Vec<TcpListener>> },
}

/// Where to listen.
#[derive(Clone, Debug)]
pub(super) struct Bind {
    /// Each of them.
    pub(super) addresses: Vec<Address>,
    /// Their ports on all interfaces instead.
    pub(super) on_all: bool,
    /// How often to try; `None` is for ever.
    pub(super) tries: Option<u32>,
}

/// The loop's end of it.
#[derive(Debug)]
pub(super) struct Calls {
    handle: Handle,
    outbox: Sender<News>,
    inbox: Receiver<News>,
}

impl Calls {
    pub(super) fn new(handle: Handle) -> Self {
        let (outbox, inbox) = channel();
        Self { handle, outbox, inbox }
    }

    pub(super) fn next(&self) -> Option<News> {
        self.inbox.try_recv().ok()
    }

    /// Calls one of these addresses.
    pub(super) fn call(&self, link: LinkId, port: Port, addresses: Vec<Address>, timeout: Duration) {
        let teller = self.teller();
        self.start("call", move || {
            let deadline = Instant::now() + timeout;
            let mut found = Vec::new();
            for address in &addresses {
                found.extend(teller.resolve(address));
            }
            let patience = if port == Port::Quorum { REFUSED_PATIENCE } else { Duration::ZERO };
            let stream = persist(patience, || first_of(&found, deadline));
            teller.tell(News::Called { link, stream });
        });
    }

    /// Looks up names.
    pub(super) fn look_up(&self, addresses: Vec<Address>) {
        let teller = self.teller();
        self.start("names", move || {
            for address in &addresses {
                teller.resolve(address);
            }
        });
    }

    /// Gets a port.
    pub(super) fn listen(&self, port: Port, attempt: u64, bind: Bind) {
        let teller = self.teller();
        self.start("bind", move || {
            let mut tried = 0;
            let listeners = loop {
                let result = bind_all(&bind);
                tried += 1;
                match result {
                    Err(error) if bind.tries.is_none_or(|tries| tried < tries) => {
                        tracing::warn!(?port, %error, tried, "cannot listen for other members yet");
                        thread::sleep(BIND_PAUSE);
                    }
                    result => break result,
                }
            };
            teller.tell(News::Bound { port, attempt, listeners });
        });
    }

    fn teller(&self) -> Teller {
        Teller { outbox: self.outbox.clone(), handle: self.handle.clone() }
    }

    /// Without a thread nothing comes of it, and whoever waits runs into a deadline.
    fn start(&self, name: &str, work: impl FnOnce() + Send + 'static) {
        if let Err(error) = thread::Builder::new().name(name.to_owned()).spawn(work) {
            tracing::error!(%error, "the system gives no thread; raise the limit of processes");
        }
    }
}

struct Teller {
    outbox: Sender<News>,
    handle: Handle,
}

impl Teller {
    fn tell(&self, news: News) {
        // The loop may have ended.
        if self.outbox.send(news).is_ok() {
            self.handle.wake();
        }
    }

    /// Looks a name up and tells what it means. IPv4 first, as Java has it.
    fn resolve(&self, address: &Address) -> Vec<SocketAddr> {
        let (found, addresses) = match resolve(address) {
            Ok(found) => {
                let addresses = found.iter().map(SocketAddr::ip).collect();
                (found, Ok(addresses))
            }
            Err(error) => (Vec::new(), Err(error)),
        };
        self.tell(News::Resolved { host: address.host.clone(), addresses });
        found
    }
}

fn resolve(Address { host, port }: &Address) -> io::Result<Vec<SocketAddr>> {
    let mut found: Vec<_> = (host.as_str(), *port).to_socket_addrs()?.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    found.dedup();
    Ok(found)
}

/// Repeats a call that is refused.
fn persist(patience: Duration, mut call: impl FnMut() -> io::Result<TcpStream>) -> io::Result<TcpStream> {
    let (began, mut pause) = (Instant::now(), REFUSED_PAUSE);
    loop {
        let refused = match call() {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => error,
            result => return result,
        };
        if began.elapsed() + pause > patience {
            return Err(refused);
        }
        thread::sleep(pause);
        pause *= 2;
    }
}

/// Connects to the first that answers. Each next one is tried when the one before failed, or is slow.
fn first_of(addresses: &[SocketAddr], deadline: Instant) -> io::Result<TcpStream> {
    let left = || deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    if let [only] = addresses {
        return connect(*only, left());
    }
    let (outbox, inbox) = channel();
    let mut waiting = addresses.iter();
    let (mut under_way, mut last) = (0_usize, io::Error::from(io::ErrorKind::NotFound));
    loop {
        let patience = match waiting.next() {
            Some(&address) => {
                let (outbox, timeout) = (outbox.clone(), left());
                // Who comes second finds nobody listening, and is closed.
                let connecting = move || drop(outbox.send(connect(address, timeout)));
                thread::Builder::new().name("call".into()).spawn(connecting)?;
                under_way += 1;
                if waiting.len() == 0 { left() } else { HEAD_START.min(left()) }
            }
            None if under_way == 0 => return Err(last),
            None => left(),
        };
        match inbox.recv_timeout(patience) {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => (under_way, last) = (under_way - 1, error),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        if Instant::now() >= deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
}

fn connect(address: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, timeout)?;
    // On the loopback a call to a port that nobody has can end up with itself.
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    stream.set_nonblocking(true)?;
    Ok(stream)
}

fn bind_all(bind: &Bind) -> io::Result<Vec<TcpListener>> {
    let mut addresses = Vec::new();
    for address in &bind.addresses {
        if bind.on_all {
            addresses.push(SocketAddr::new(IpAddr::from([0; 16]), address.port));
        } else {
            // One address for each host, as in Java.
            let first = resolve(address)
                .and_then(|found| found.into_iter().next().ok_or(io::Error::from(io::ErrorKind::NotFound)));
            addresses
                .push(first.map_err(|error| named(&format!("{}:{}", address.host, address.port), &error))?);
        }
    }
    addresses.sort();
    addresses.dedup();
    addresses.into_iter().map(listen).collect()
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let bound = |address: SocketAddr| -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(!address.ip().is_unspecified())?;
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    };
    let no_ipv6 =
        |error: &io::Error| error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error());
    match bound(address) {
        // A machine without IPv6 has all interfaces all the same.
        Err(error) if address.ip().is_unspecified() && no_ipv6(&error) => {
            bound(SocketAddr::new(IpAddr::from([0; 4]), address.port()))
        }
        result => result.map_err(|error| named(&address.to_string(), &error)),
    }
}

/// An error that says which address it is about.
fn named(address: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{address}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    fn deadline() -> Instant {
        Instant::now() + SOON
    }

    #[test]
    fn the_one_that_answers_is_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(first_of(&[closed, good], deadline()).unwrap().peer_addr().unwrap(), good);
        assert_eq!(first_of(&[good], deadline()).unwrap().peer_addr().unwrap(), good);
        let refused = first_of(&[closed, closed], deadline()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(first_of(&[], deadline()).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_leader_has_a_moment_to_open_its_port() {
        let refused = || Err(io::Error::from(io::ErrorKind::ConnectionRefused));
        let mut calls = 0;
        let count = |calls: &mut i32| {
            *calls += 1;
            if *calls < 4 { refused() } else { Err(io::ErrorKind::TimedOut.into()) }
        };
        let end = persist(Duration::from_secs(60), || count(&mut calls)).unwrap_err();
        assert_eq!((end.kind(), calls), (io::ErrorKind::TimedOut, 4));
        let end = persist(Duration::from_millis(4), refused).unwrap_err();
        assert_eq!(end.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn a_port_is_bound_where_it_is_configured_or_everywhere() {
        let here = Address { host: "127.0.0.1".into(), port: 0 };
        let bind = Bind { addresses: vec![here.clone()], on_all: false, tries: Some(1) };
        let address = bind_all(&bind).unwrap()[0].local_addr().unwrap();
        assert_eq!(address.ip(), IpAddr::from([127, 0, 0, 1]));
        let everywhere = bind_all(&Bind { on_all: true, ..bind }).unwrap();
        let port = everywhere[0].local_addr().unwrap().port();
        assert!(everywhere[0].local_addr().unwrap().ip().is_unspecified());
        connect(SocketAddr::new(here.host.parse().unwrap(), port), SOON).unwrap();
        let twice = Bind { addresses: vec![Address { port, ..here }], on_all: false, tries: Some(1) };
        assert!(bind_all(&twice).unwrap_err().to_string().contains(&format!("127.0.0.1:{port}")));
        let nowhere = Address { host: "no name".into(), port: 7 };
        let nowhere = Bind { addresses: vec![nowhere], on_all: false, tries: Some(1) };
        assert!(bind_all(&nowhere).unwrap_err().to_string().starts_with("no name:7: "));
    }

    #[test]
    fn what_a_name_means_is_told_before_the_call_ends() {
        let calls = Calls::new(super::super::Loop::new().unwrap().handle());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        calls.call(LinkId(7), Port::Election, vec![Address { host: "localhost".into(), port }], SOON);
        let first = calls.inbox.recv().unwrap();
        let News::Resolved { host, addresses } = first else { panic!("{first:?}") };
        assert_eq!((host.as_str(), addresses.unwrap()[0]), ("localhost", IpAddr::from([127, 0, 0, 1])));
        let second = calls.inbox.recv().unwrap();
        assert!(matches!(second, News::Called { link: LinkId(7), stream: Ok(_) }), "{second:?}");
    }
}
