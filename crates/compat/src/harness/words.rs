//! Four-letter words, as `nc` sends them.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

/// How long one word may take. A server that needs longer is broken, not slow.
const WORD_TIME_MAX: Duration = Duration::from_secs(10);

/// Sends `word` to a loopback port and reads until the server closes the connection.
///
/// * `word`: the bytes to send, usually four; `stmk` needs its eight more in the same write.
///
/// # Errors
/// When nothing listens there, or the connection breaks. An answer cut short by a reset is an error too.
pub fn four_letter(port: u16, word: &[u8]) -> Result<String> {
    ask((Ipv4Addr::LOCALHOST, port).into(), word, WORD_TIME_MAX)
}

/// As [`four_letter`], to any address, and with a limit on the time that connecting and each piece of the answer may take.
///
/// # Errors
/// As [`four_letter`].
pub fn ask(address: SocketAddr, word: &[u8], time_max: Duration) -> Result<String> {
    let shown = String::from_utf8_lossy(word);
    let mut stream = TcpStream::connect_timeout(&address, time_max)
        .with_context(|| format!("connecting to {address} for {shown}"))?;
    stream.set_read_timeout(Some(time_max))?;
    stream.write_all(word).with_context(|| format!("sending {shown}"))?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).with_context(|| format!("reading the answer to {shown}"))?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
