//! L7, what sending to many sockets costs, and L8, what waking another thread costs.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use anyhow::Result;
use rustix::event::{EventfdFlags, eventfd};
use serde::Serialize;

use crate::engine::{as_ns, latencies};
use crate::process::Sample;

/// L7's result, each for one send.
#[derive(Debug, Serialize)]
pub(crate) struct Sends {
    pub(crate) sockets: usize,
    /// From the first send until the last one was read at the other end.
    pub(crate) last_read_ms: f64,
    pub(crate) send_us: f64,
}

/// Sends one frame of 60 bytes to each of `sockets` loopback connections; the best of five rounds.
pub(crate) fn sends(sockets: usize) -> Result<Sends> {
    const FRAME: [u8; 60] = [1; 60];
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut pairs = Vec::with_capacity(sockets);
    for _ in 0..sockets {
        let near = TcpStream::connect(listener.local_addr()?)?;
        near.set_nodelay(true)?;
        pairs.push((near, listener.accept()?.0));
    }
    let mut best = Sends { sockets, last_read_ms: f64::INFINITY, send_us: f64::INFINITY };
    let pid = std::process::id();
    for _ in 0..5 {
        let before = Sample::take(&[pid])?;
        let start = Instant::now();
        for (near, _) in &mut pairs {
            near.write_all(&FRAME)?;
        }
        let cpu = before.cpu_until(&Sample::take(&[pid])?);
        for (_, far) in &mut pairs {
            far.read_exact(&mut [0; FRAME.len()])?;
        }
        let all = start.elapsed();
        best.last_read_ms = best.last_read_ms.min(all.as_secs_f64() * 1e3);
        best.send_us = best.send_us.min(cpu.as_secs_f64() * 1e6 / (sockets as f64));
    }
    for (near, _) in &pairs {
        socket2::SockRef::from(near).set_linger(Some(std::time::Duration::ZERO))?;
    }
    Ok(best)
}

/// L8's result.
#[derive(Debug, Serialize)]
pub(crate) struct PingPong {
    pub(crate) round_trip_p50_us: f64,
    pub(crate) round_trip_p99_us: f64,
}

/// Two threads answer each other through two eventfds.
pub(crate) fn ping_pong(rounds: u32) -> Result<PingPong> {
    let there = eventfd(0, EventfdFlags::CLOEXEC)?;
    let back = eventfd(0, EventfdFlags::CLOEXEC)?;
    // The kernel takes the counter in native order; any non-zero value wakes, so the order does not matter.
    let one = [1_u8; 8];
    let mut times = latencies();
    std::thread::scope(|scope| -> Result<()> {
        let echo = scope.spawn(|| -> Result<()> {
            for _ in 0..rounds {
                rustix::io::read(&there, &mut [0_u8; 8])?;
                rustix::io::write(&back, &one)?;
            }
            Ok(())
        });
        for _ in 0..rounds {
            let start = Instant::now();
            rustix::io::write(&there, &one)?;
            rustix::io::read(&back, &mut [0_u8; 8])?;
            times.saturating_record(as_ns(start.elapsed()));
        }
        echo.join().expect("the echo thread returns its errors")
    })?;
    let us = |quantile| times.value_at_quantile(quantile) as f64 / 1e3;
    Ok(PingPong { round_trip_p50_us: us(0.5), round_trip_p99_us: us(0.99) })
}
