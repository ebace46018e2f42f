//! What to send: the steps of a load, which path each request takes, and how fast they come.

use std::time::Duration;

use crate::wire::{Call, Template};

/// Which znode a request goes to; the number replaces `########` in the path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Pick {
    /// Always the same path.
    Fixed,
    /// One of the numbers below this one, evenly.
    Uniform(u32),
    /// The number of the connection.
    Connection,
    /// Numbers of this connection alone: a create takes the next, a delete the oldest that is still there.
    Own,
    /// As `Own`, but the server counts: the number goes into `@@@@@@@@@@`, the connection's into `########`.
    OwnSequence,
    /// Every number once, in order over all connections.
    Each,
}

/// One kind of request in a mix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) call: Call,
    pub(crate) path: &'static str,
    pub(crate) pick: Pick,
    /// How often it comes in a round of the mix.
    pub(crate) weight: u16,
    /// Bytes behind the reply's header; what a limit probe has to send back.
    pub(crate) reply: usize,
}

/// When requests are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// Each connection keeps this many requests in flight.
    Closed { depth: u32 },
    /// Requests per second over all connections, sent on time whether or not answers came; latency counts from
    /// the intended moment, so a stalled server is charged for those it kept from being sent.
    Open { per_second: f64 },
}

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// Answers are counted for `run` after `warm`.
    Time { warm: Duration, run: Duration },
    /// This many requests in all.
    Count(u64),
}

/// A complete order for the engine.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) steps: Vec<Step>,
    pub(crate) pace: Pace,
    pub(crate) until: Until,
}

/// The numbers [`Pick::Own`] uses: ten thousand for each of a thousand connections, above every loaded tree.
const OWN_BASE: u64 = 90_000_000;
const OWN_EACH: u64 = 10_000;

/// The mix, compiled: templates and the order in which they come.
#[derive(Clone, Debug)]
pub(crate) struct Mix {
    steps: Vec<(Step, Template)>,
    /// Indices into `steps`, each as often as its weight, spread evenly.
    pub(crate) order: Vec<usize>,
    create: Option<usize>,
}

/// Where a connection stands in its mix.
#[derive(Clone, Debug)]
pub(crate) struct Cursor {
    at: usize,
    connection: u64,
    created: u64,
    deleted: u64,
    random: u64,
}

impl Cursor {
    /// `created_before`: how many sequential znodes this connection's parent has seen.
    pub(crate) fn new(mix: &Mix, connection: u64, created_before: u64) -> Self {
        // Mixes are rounds; connections start at different places so that they do not march in step. Pairs that
        // belong together (create, delete) repair their order by themselves.
        let at = usize::try_from(connection).unwrap_or(0) % mix.order.len();
        let random = (connection + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self { at, connection, created: created_before, deleted: created_before, random }
    }

    /// A pseudo-random number below `bound` (xorshift64*, upper bits).
    fn below(&mut self, bound: u32) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let upper = self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        (upper * u64::from(bound)) >> 32
    }
}

impl Mix {
    /// Compiles the steps; the round interleaves them by weight.
    pub(crate) fn new(steps: &[Step]) -> Self {
        let total: u32 = steps.iter().map(|step| u32::from(step.weight)).sum();
        let mut credit = vec![0_i64; steps.len()];
        let order = (0..total)
            .map(|_| {
                for (credit, step) in credit.iter_mut().zip(steps) {
                    *credit += i64::from(step.weight);
                }
                let richest =
                    (0..steps.len()).rev().max_by_key(|&step| credit[step]).expect("a mix has steps");
                credit[richest] -= i64::from(total);
                richest
            })
            .collect();
        let create = steps.iter().position(|step| matches!(step.call, Call::Create { .. }));
        let steps = steps.iter().map(|step| (*step, Template::new(step.call, step.path))).collect();
        Self { steps, order, create }
    }

    /// Appends the connection's next request. `each` counts the requests of the whole load.
    pub(crate) fn put(&self, cursor: &mut Cursor, each: u64, xid: i32, out: &mut Vec<u8>) {
        let mut step = self.order[cursor.at];
        cursor.at = if cursor.at + 1 == self.order.len() { 0 } else { cursor.at + 1 };
        // Nothing left to delete: create first.
        if self.steps[step].0.call == Call::Delete && cursor.created == cursor.deleted {
            step = self.create.unwrap_or(step);
        }
        let (step, template) = &self.steps[step];
        let (number, sequence) = match step.pick {
            Pick::Fixed => (0, 0),
            Pick::Uniform(count) => (cursor.below(count), 0),
            Pick::Connection => (cursor.connection, 0),
            Pick::Each => (each, 0),
            Pick::Own => {
                let count = cursor.count(step.call);
                (OWN_BASE + cursor.connection * OWN_EACH + count % OWN_EACH, 0)
            }
            Pick::OwnSequence => (cursor.connection, cursor.count(step.call)),
        };
        template.put(out, xid, number, sequence);
    }

    /// Appends deletes for all that the connection created and did not delete; returns how many.
    pub(crate) fn put_leftovers(&self, cursor: &mut Cursor, first_xid: i32, out: &mut Vec<u8>) -> u32 {
        let Some(delete) = self.steps.iter().position(|(step, _)| step.call == Call::Delete) else {
            return 0;
        };
        let mut count = 0;
        while cursor.deleted < cursor.created {
            cursor.at = self.order.iter().position(|&step| step == delete).expect("every step has a weight");
            self.put(cursor, 0, first_xid.wrapping_add(i32::try_from(count).unwrap_or(0)), out);
            count += 1;
        }
        count
    }
}

impl Cursor {
    fn count(&mut self, call: Call) -> u64 {
        let counter = if call == Call::Delete { &mut self.deleted } else { &mut self.created };
        *counter += 1;
        *counter - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(call: Call, weight: u16) -> Step {
        Step { call, path: "/c/########", pick: Pick::Own, weight, reply: 0 }
    }

    #[test]
    fn a_mix_keeps_its_weights_and_spreads_them() {
        let mix = Mix::new(&[step(Call::Exists, 9), step(Call::Set { size: 1 }, 1)]);
        assert_eq!(mix.order.len(), 10);
        assert_eq!(mix.order.iter().filter(|&&step| step == 1).count(), 1);
    }

    #[test]
    fn a_delete_never_comes_before_its_create() {
        let mix = Mix::new(&[step(Call::Create { size: 0, flags: 0 }, 1), step(Call::Delete, 1)]);
        let mut cursor = Cursor::new(&mix, 1, 0);
        let mut out = Vec::new();
        for xid in 0..5 {
            mix.put(&mut cursor, 0, xid, &mut out);
            assert!(cursor.deleted <= cursor.created);
        }
        assert_eq!((cursor.created, cursor.deleted), (3, 2));
        assert_eq!(mix.put_leftovers(&mut cursor, 5, &mut out), 1);
        assert_eq!(cursor.deleted, 3);
    }

    #[test]
    fn uniform_numbers_stay_below_their_bound() {
        let mix = Mix::new(&[step(Call::Exists, 1)]);
        let mut cursor = Cursor::new(&mix, 3, 0);
        assert!((0..10_000).all(|_| cursor.below(7) < 7));
    }
}
