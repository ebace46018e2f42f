//! The low-water mark of a socket, which neither `socket2` nor `rustix` can set.

use std::io;
use std::os::fd::AsRawFd;

/// Fewer bytes than these wake nobody who waits for the socket to be readable; a read returns them all the same, and the
/// end of the stream wakes always. Raising the mark hides what was not looked at yet; lowering it tells of what waits.
///
/// Source: `SO_RCVLOWAT` in socket(7); the poll of a TCP socket heeds it since Linux 2.6.28.
pub(crate) fn set_low_water(socket: &impl AsRawFd, bytes: i32) -> io::Result<()> {
    let size = libc::socklen_t::try_from(size_of_val(&bytes)).expect("four bytes");
    #[expect(unsafe_code, reason = "no safe crate has this option")]
    // SAFETY: the descriptor is open as long as `socket` is borrowed, and the value is an int of the size told.
    let outcome = unsafe {
        let value = (&raw const bytes).cast();
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVLOWAT, value, size)
    };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::net::TcpStream;
    use mio::{Events, Interest, Poll, Token};
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::time::Duration;

    fn wakes(poll: &mut Poll, patience: Duration) -> bool {
        let mut events = Events::with_capacity(4);
        while let Err(error) = poll.poll(&mut events, Some(patience)) {
            assert_eq!(error.kind(), io::ErrorKind::Interrupted);
        }
        events.iter().any(|event| event.is_readable())
    }

    #[test]
    fn few_bytes_wake_nobody_until_more_come_or_the_mark_is_lowered() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let mut stream = TcpStream::from_std(stream);
        let mut poll = Poll::new().unwrap();
        poll.registry().register(&mut stream, Token(0), Interest::READABLE).unwrap();
        set_low_water(&stream, 21).unwrap();
        let long = Duration::from_secs(20);
        peer.write_all(&[1; 20]).unwrap();
        assert!(!wakes(&mut poll, Duration::from_millis(20)));
        peer.write_all(&[2]).unwrap();
        assert!(wakes(&mut poll, long));
        let mut read = [0; 64];
        assert_eq!(stream.read(&mut read).unwrap(), 21);
        peer.write_all(&[3; 20]).unwrap();
        assert!(!wakes(&mut poll, Duration::from_millis(20)));
        assert_eq!(stream.read(&mut read).unwrap(), 20);
        peer.write_all(&[4; 20]).unwrap();
        assert!(!wakes(&mut poll, Duration::from_millis(20)));
        set_low_water(&stream, 1).unwrap();
        assert!(wakes(&mut poll, long));
        set_low_water(&stream, 21).unwrap();
        assert_eq!(stream.read(&mut read).unwrap(), 20);
        drop(peer);
        assert!(wakes(&mut poll, long));
    }
}
