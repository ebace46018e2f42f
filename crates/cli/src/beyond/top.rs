//! `top`: how all servers of the connection string are doing.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Read, Write, stdout};
use std::net::{TcpStream, ToSocketAddrs};
use std::thread;
use std::time::{Duration, Instant};

use client::Server;
use serde_json::{Map, Value};

use super::show::number;
use crate::answer::Answer;
use crate::commands::Input;
use crate::console::Look;
use crate::shell::Shell;
use crate::trouble::Trouble;

/// How long a server may take to answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(2);
/// Between two looks whether the person has had enough.
const LOOK_UP: Duration = Duration::from_millis(50);

/// Heading and key of the columns behind the rate of requests. Source: `mntr`.
const COLUMNS: [(&str, &str); 8] = [
    ("mode", "zk_server_state"),
    ("avg ms", "zk_avg_latency"),
    ("max ms", "zk_max_latency"),
    ("waiting", "zk_outstanding_requests"),
    ("conns", "zk_num_alive_connections"),
    ("sessions", "zk_global_sessions"),
    ("watches", "zk_watch_count"),
    ("znodes", "zk_znode_count"),
];

/// What `mntr` said, or why it did not.
type Answered = Result<BTreeMap<String, String>, String>;

/// `top`.
pub(crate) fn top(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    let rounds = number(&input, "n")?.unwrap_or(u64::MAX);
    let pause = Duration::from_secs(number(&input, "d")?.unwrap_or(2).max(1));
    let client = shell.client();
    let is_screen = shell.console.look == Look::Text && rounds > 1 && stdout().is_terminal();
    let mut before: BTreeMap<usize, (Instant, i64)> = BTreeMap::new();
    for round in 0..rounds {
        if round > 0 && !sleep(pause, || client.is_interrupted()) {
            break;
        }
        let answers = ask_all(client.servers());
        if is_screen {
            shell.console.raw(b"\x1b[H\x1b[2J");
        }
        if shell.console.look == Look::Text {
            let headings: Vec<&str> = COLUMNS.iter().map(|(heading, _)| *heading).collect();
            shell.console.line(&row("server", "reqs/s", &headings));
        }
        for (place, (server, answer)) in client.servers().iter().zip(answers).enumerate() {
            let rate = rate(&mut before, place, &answer);
            show(shell, &format!("{}:{}", server.host, server.port), rate, &answer);
        }
        shell.console.flush();
    }
    Ok(Answer::Silent)
}

/// Waits, and gives `false` when the person has had enough.
fn sleep(time: Duration, is_enough: impl Fn() -> bool) -> bool {
    let until = Instant::now() + time;
    while Instant::now() < until {
        if is_enough() {
            return false;
        }
        thread::sleep(LOOK_UP.min(until.saturating_duration_since(Instant::now())));
    }
    !is_enough()
}

/// Asks every server on a thread of its own, so that one that is down does not hold up the others.
fn ask_all(servers: &[Server]) -> Vec<Answered> {
    thread::scope(|scope| {
        let asked: Vec<_> = servers.iter().map(|server| scope.spawn(|| ask(server))).collect();
        let none = || Err("no answer".to_owned());
        asked.into_iter().map(|asked| asked.join().unwrap_or_else(|_| none())).collect()
    })
}

fn ask(server: &Server) -> Answered {
    let text = send(server).map_err(|error| error.to_string())?;
    let pairs: BTreeMap<String, String> = text
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    if pairs.is_empty() { Err(text.trim().to_owned()) } else { Ok(pairs) }
}

fn send(server: &Server) -> std::io::Result<String> {
    let mut last = Err(std::io::ErrorKind::NotFound.into());
    for address in (server.host.as_str(), server.port).to_socket_addrs()? {
        last = TcpStream::connect_timeout(&address, ANSWER_TIME_MAX).and_then(|mut stream| {
            stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
            stream.write_all(b"mntr")?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer)?;
            Ok(String::from_utf8_lossy(&answer).into_owned())
        });
        if last.is_ok() {
            break;
        }
    }
    last
}

/// Requests a second since the round before.
fn rate(before: &mut BTreeMap<usize, (Instant, i64)>, place: usize, answer: &Answered) -> Option<i64> {
    let count: i64 = answer.as_ref().ok()?.get("zk_packets_received")?.parse().ok()?;
    let now = Instant::now();
    let (then, earlier) = before.insert(place, (now, count))?;
    let millis = i64::try_from(now.duration_since(then).as_millis()).ok().filter(|&millis| millis > 0)?;
    // Less than before: the server was restarted.
    Some((count - earlier) * 1000 / millis).filter(|&rate| rate >= 0)
}

fn show(shell: &Shell, server: &str, rate: Option<i64>, answer: &Answered) {
    if shell.console.look == Look::Json {
        let mut value = Map::from_iter([("server".to_owned(), Value::from(server))]);
        match answer {
            Ok(pairs) => {
                value.insert("requestsPerSecond".to_owned(), Value::from(rate));
                value.extend(COLUMNS.iter().filter_map(|(_, key)| {
                    pairs.get(*key).map(|text| ((*key).to_owned(), Value::from(text.as_str())))
                }));
            }
            Err(reason) => {
                value.insert("error".to_owned(), Value::from(reason.as_str()));
            }
        }
        return shell.console.value(&Value::Object(value));
    }
    match answer {
        Ok(pairs) => {
            let cells: Vec<&str> =
                COLUMNS.iter().map(|(_, key)| pairs.get(*key).map_or("-", String::as_str)).collect();
            let rate = rate.map_or_else(|| "-".to_owned(), |rate| rate.to_string());
            shell.console.line(&row(server, &rate, &cells));
        }
        Err(reason) => shell.console.line(&format!("{server:24} {reason}")),
    }
}

fn row(server: &str, rate: &str, cells: &[&str]) -> String {
    let cells: String = cells.iter().map(|cell| format!(" {cell:>10}")).collect();
    format!("{server:24} {rate:>9}{cells}")
}
