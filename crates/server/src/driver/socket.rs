//! One client's socket: bytes in, cut into frames, and bytes out.

use std::io::{self, Read as _};

use member::ConnId;
use mio::net::TcpStream;

/// What is read in one go; also the most a connection may take before the others have their turn.
pub(super) const READ_BYTES: usize = 64 * 1024;

/// A connection's socket and what came of an unfinished frame.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) stream: TcpStream,
    pub(super) id: ConnId,
    /// Bytes received and not handed in: part of a frame, or frames for which it is not the time yet.
    input: Vec<u8>,
    /// How much of `input` was handed in.
    taken: usize,
    /// How much of the output was sent and still stands at its front.
    sent: usize,
    /// The kernel may hold more bytes: the last read did not exhaust it.
    pub(super) readable: bool,
    /// The peer closed its sending side, or the connection broke: behind what the kernel holds comes the end.
    pub(super) end_ahead: bool,
    /// The kernel did not take all of the output.
    pub(super) is_full: bool,
    /// The end was read.
    pub(super) ended: bool,
    /// It stands in the driver's list for the next turn.
    pub(super) again: bool,
    /// It stands in the driver's list of closing connections.
    pub(super) lingers: bool,
    /// The connect request went by; four-letter words are lengths from now on.
    pub(super) handshaken: bool,
}

/// The next thing found in a connection's bytes.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Found<'a> {
    /// A whole frame, without its length.
    Frame(&'a [u8]),
    /// A frame is announced whose length nobody may send.
    BadLength(i32),
    /// Four bytes before any handshake that are no length but a word, and what came behind them.
    Word([u8; 4], &'a [u8]),
    /// More bytes are needed.
    Nothing,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, id: ConnId) -> Self {
        Self {
            stream,
            id,
            input: Vec::new(),
            taken: 0,
            sent: 0,
            readable: true,
            end_ahead: false,
            is_full: false,
            ended: false,
            again: false,
            lingers: false,
            handshaken: false,
        }
    }

    /// Reads once. `scratch` has [`READ_BYTES`]; with no unfinished frame at hand its bytes are the caller's to cut,
    /// else they are appended to what is there, and the result is empty.
    pub(super) fn fill<'s>(&mut self, scratch: &'s mut [u8]) -> io::Result<&'s [u8]> {
        let n = loop {
            match self.stream.read(scratch) {
                Ok(n) => break n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.readable = false;
                    return Ok(&[]);
                }
                Err(error) => return Err(error),
            }
        };
        if n == 0 {
            self.ended = true;
        }
        // A short read exhausted the kernel's buffer; the next edge tells of more (epoll(7), question 9). The end is no
        // more, though: its edge may have been the one that told of these bytes.
        self.readable = n == scratch.len() || self.end_ahead;
        if self.input.is_empty() {
            Ok(&scratch[..n])
        } else {
            self.input.extend_from_slice(&scratch[..n]);
            Ok(&[])
        }
    }

    /// Keeps what of a direct read was not handed in.
    pub(super) fn keep(&mut self, rest: &[u8]) {
        self.input.extend_from_slice(rest);
    }

    /// Whether bytes wait to be handed in.
    pub(super) fn has_input(&self) -> bool {
        self.taken < self.input.len()
    }

    /// Whether what waits can be cut: a whole frame, or a length that no frame has.
    pub(super) fn has_frame(&self, length_max: usize) -> bool {
        !matches!(cut(&self.input[self.taken..], length_max, true).0, Found::Nothing)
    }

    /// Takes the unfinished bytes out, so that they can be cut while the socket is used.
    pub(super) fn take_input(&mut self) -> (Vec<u8>, usize) {
        (std::mem::take(&mut self.input), std::mem::take(&mut self.taken))
    }

    /// Puts them back, `taken` bytes of them handed in. An empty rest gives its memory back.
    pub(super) fn put_input(&mut self, mut input: Vec<u8>, taken: usize) {
        if taken == input.len() {
            return;
        }
        // Moving the rest to the front costs its length; do it only when that is less than what it frees.
        if taken > input.len() / 2 {
            input.drain(..taken);
            self.taken = 0;
        } else {
            self.taken = taken;
        }
        self.input = input;
    }

    /// Sends as much as the kernel takes. `Ok(true)`: all of it, and `out` is empty.
    ///
    /// What was sent leaves `out` only once it is the greater part, so that a slow reader of a long output does not
    /// cost a move of all the rest each time.
    pub(super) fn send(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        let sent = write_from(&mut self.stream, out, self.sent)?;
        let done = sent == out.len();
        self.sent = shed(out, sent);
        Ok(done)
    }
}

/// Writes what stands behind `sent` until the sink takes no more. Returns how much is sent then.
pub(super) fn write_from(sink: &mut impl io::Write, out: &[u8], mut sent: usize) -> io::Result<usize> {
    while let Some(rest) = out.get(sent..).filter(|rest| !rest.is_empty()) {
        match sink.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => sent += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}

/// Removes the first `sent` bytes if they are the greater part. Returns how many of them are still there.
pub(super) fn shed(out: &mut Vec<u8>, sent: usize) -> usize {
    if sent < out.len().div_ceil(2) {
        return sent;
    }
    out.drain(..sent);
    0
}

/// Finds what stands at the front of `bytes`, and how many bytes it takes up.
pub(super) fn cut(bytes: &[u8], length_max: usize, handshaken: bool) -> (Found<'_>, usize) {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return (Found::Nothing, 0) };
    if !handshaken && admin::words::Word::parse(*length).is_some() {
        return (Found::Word(*length, rest), bytes.len());
    }
    let announced = i32::from_be_bytes(*length);
    match usize::try_from(announced) {
        Ok(length) if length <= length_max => match rest.get(..length) {
            Some(frame) => (Found::Frame(frame), 4 + length),
            None => (Found::Nothing, 0),
        },
        _ => (Found::BadLength(announced), 4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes at a time, and every other time none.
    struct Slow {
        step: usize,
        ready: bool,
        got: Vec<u8>,
    }

    impl io::Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.ready = !self.ready;
            if !self.ready {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let n = bytes.len().min(self.step);
            self.got.extend_from_slice(&bytes[..n]);
            Ok(n)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_slow_reader_gets_every_byte_and_costs_few_moves() {
        let all: Vec<u8> = (0..1000_u32).flat_map(u32::to_be_bytes).collect();
        let mut out = all[..3000].to_vec();
        let mut slow = Slow { step: 7, ready: false, got: Vec::new() };
        let (mut sent, mut moved) = (0, 0);
        loop {
            sent = write_from(&mut slow, &out, sent).unwrap();
            let before = out.len();
            sent = shed(&mut out, sent);
            if out.len() < before {
                moved += out.len();
            }
            if slow.got.len() == 1400 {
                out.extend_from_slice(&all[3000..]);
            }
            if out.is_empty() {
                break;
            }
        }
        assert_eq!((slow.got, sent), (all.clone(), 0));
        assert!(moved <= all.len(), "{moved} bytes were moved");
    }

    #[test]
    fn frames_words_and_nonsense_are_told_apart() {
        assert_eq!(cut(&[0, 0, 0], 10, false), (Found::Nothing, 0));
        assert_eq!(cut(&[0, 0, 0, 2, 7], 10, false), (Found::Nothing, 0));
        assert_eq!(cut(&[0, 0, 0, 2, 7, 8, 9], 10, true), (Found::Frame(&[7, 8]), 6));
        assert_eq!(cut(&[0, 0, 0, 11], 10, true), (Found::BadLength(11), 4));
        assert_eq!(cut(&[255, 255, 255, 255], 10, true), (Found::BadLength(-1), 4));
        assert_eq!(cut(b"ruok\n", 10, false), (Found::Word(*b"ruok", b"\n"), 5));
        assert_eq!(cut(b"ruok", 10, true), (Found::BadLength(0x7275_6f6b), 4));
        assert_eq!(cut(&[0, 0, 0, 0], 10, false), (Found::Frame(&[]), 4));
    }
}
