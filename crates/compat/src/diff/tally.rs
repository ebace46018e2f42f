//! What a run has touched: how often each request was answered with each error, and each kind of event came.
//!
//! A random test that never reaches an error code says nothing about it; this is where one looks.

use std::collections::BTreeMap;
use std::fmt;

use super::op::Op;
use super::reply::{Body, Seen};
use super::step::Step;

/// Counts by name.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    counts: BTreeMap<String, BTreeMap<i32, usize>>,
}

impl Tally {
    /// Counts what one slot heard during a step; `acting` when it is the slot the step acted on.
    pub fn add(&mut self, step: &Step, acting: bool, heard: &[Seen]) {
        let mut asked = match step {
            Step::Burst { requests, .. } if acting => requests.iter(),
            Step::Burst { .. }
            | Step::Connect { .. }
            | Step::Junk { .. }
            | Step::First { .. }
            | Step::Drop { .. }
            | Step::Restart => [].iter(),
        };
        for seen in heard {
            match seen {
                Seen::Event { kind, .. } => self.count("event".to_owned(), *kind),
                Seen::Reply { header, body } => {
                    let Some(request) = asked.next() else { continue };
                    self.count(name(&request.op), header.err);
                    let (Op::Multi { items, .. }, Body::Multi(results)) = (&request.op, body) else {
                        continue;
                    };
                    for (item, (_, err, _)) in items.iter().zip(results) {
                        self.count(format!("multi {}", name(item)), *err);
                    }
                }
                Seen::Connected(connected) => {
                    self.count("connect".to_owned(), i32::from(connected.timeout > 0) - 1);
                }
                Seen::Closed => self.count("closed".to_owned(), 0),
                Seen::Short(_) | Seen::Silence => {}
            }
        }
    }

    /// Adds another run's counts.
    pub fn merge(&mut self, other: &Self) {
        for (name, counts) in &other.counts {
            for (code, count) in counts {
                *self.counts.entry(name.clone()).or_default().entry(*code).or_default() += count;
            }
        }
    }

    fn count(&mut self, name: String, code: i32) {
        *self.counts.entry(name).or_default().entry(code).or_default() += 1;
    }
}

/// The first word of what is shown, which for the requests with variants is the variant.
fn name(op: &Op) -> String {
    op.to_string().split(' ').next().unwrap_or_default().to_owned()
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, counts) in &self.counts {
            write!(out, "{name:26}")?;
            counts.iter().try_for_each(|(code, count)| write!(out, " {code}:{count}"))?;
            writeln!(out)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::step::{Cut, Request};
    use super::super::wire::Header;
    use super::*;

    #[test]
    fn replies_are_counted_under_what_was_asked() {
        let step = Step::Burst { slot: 0, requests: vec![Request::ping()], cut: Cut::Whole };
        let reply = Seen::Reply { header: Header { xid: -2, zxid: 1, err: 0 }, body: Body::None };
        let mut tally = Tally::default();
        // The second one answers the ping behind the step, which is not counted.
        tally.add(&step, true, &[reply.clone(), reply.clone()]);
        tally.add(&step, false, &[reply]);
        let mut twice = tally.clone();
        twice.merge(&tally);
        assert_eq!(twice.to_string().split_whitespace().collect::<Vec<_>>(), ["Ping", "0:2"]);
    }
}
