//! Asks a server one four-letter word, for `zkServer.sh status` and for health checks.
//!
//! Source: `org.apache.zookeeper.client.FourLetterWordMain`.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long connecting and each read may take; Java's default for the same program.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// More than any answer this server gives; what a broken peer sends beyond it is not read.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// Sends `word` to `host:port`, closes its own half of the connection, and returns the whole answer.
///
/// * `host`: a name or an address, IPv6 with or without brackets. All addresses of a name are tried in order.
///
/// # Errors
/// The name has no address, no address accepts within [`PROBE_TIMEOUT`], or the answer stops for as long.
pub fn four_letter(host: &str, port: u16, word: &str) -> io::Result<String> {
    let mut stream = connect(host, port)?;
    stream.set_read_timeout(Some(PROBE_TIMEOUT))?;
    stream.set_write_timeout(Some(PROBE_TIMEOUT))?;
    stream.write_all(word.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let mut last = io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"));
    for address in (bare, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PROBE_TIMEOUT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    #[test]
    fn sends_the_word_half_closes_and_returns_the_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // Ends only because the probe closes its half.
            let mut word = String::new();
            stream.read_to_string(&mut word).unwrap();
            stream.write_all(b"Mode: standalone\n").unwrap();
            word
        });
        assert_eq!(four_letter("localhost", port, "srvr").unwrap(), "Mode: standalone\n");
        assert_eq!(server.join().unwrap(), "srvr");
    }

    #[test]
    fn nobody_there_is_an_error() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        assert!(four_letter("127.0.0.1", port, "ruok").is_err());
        assert!(four_letter("[127.0.0.1]", port, "ruok").is_err());
    }
}
