//! Making the two sides comparable: names for session ids, rules instead of clocks, an order where nobody promises one.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use super::reply::{Body, Connected, Seen};
use super::side::Session;
use super::wire::{Acl, Stat};

/// How far a server's time may be from ours, in milliseconds. Both run on this machine.
const CLOCK_SLACK_MS: i64 = 3_600_000;

/// What one side has said about time. Times cannot be compared between the servers, but on each one a zxid has one time.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    times: BTreeMap<i64, i64>,
}

impl Clock {
    /// Checks that `zxid` always had this time, and gives what is left to compare: whether there is one.
    fn check(&mut self, zxid: i64, time: i64, complaints: &mut Vec<String>) -> i64 {
        let known = *self.times.entry(zxid).or_insert(time);
        if known != time {
            complaints.push(format!("zxid {zxid} had the time {known}, now it has {time}"));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let now = i64::try_from(now).expect("this millennium");
        if time != 0 && (now - time).abs() > CLOCK_SLACK_MS {
            complaints.push(format!("the time {time} of zxid {zxid} is not near now, {now}"));
        }
        i64::from(time != 0)
    }
}

/// Replaces what legitimately differs between two servers, in place.
///
/// * Session ids become the number of the session, counted from 1, and a password that follows from its id becomes `derived`.
/// * Times become 1, or 0 where there is none.
/// * Child lists, ephemerals and identities are sorted, and so are neighbouring `digest` entries of an ACL with equal
///   permissions, which is what an `auth` entry expands to in the order of a hash set.
/// * `closing`: events of one transaction are sorted, because a closed session's ephemerals go in any order.
///
/// Gives what is wrong by itself, without a comparison.
pub fn normalise(seen: &mut [Seen], sessions: &[Session], clock: &mut Clock, closing: bool) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut names = Names { sessions, clock, complaints: &mut complaints };
    for one in seen.iter_mut() {
        match one {
            Seen::Connected(connected) => names.connected(connected),
            Seen::Reply { body, .. } => names.body(body),
            Seen::Event { .. } | Seen::Short(_) | Seen::Closed | Seen::Silence => {}
        }
    }
    if closing {
        for run in
            seen.chunk_by_mut(|one, next| event_zxid(one).is_some() && event_zxid(one) == event_zxid(next))
        {
            run.sort_by_key(ToString::to_string);
        }
    }
    complaints
}

fn event_zxid(seen: &Seen) -> Option<i64> {
    match seen {
        Seen::Event { zxid, .. } => Some(*zxid),
        Seen::Connected(_) | Seen::Reply { .. } | Seen::Short(_) | Seen::Closed | Seen::Silence => None,
    }
}

struct Names<'a> {
    sessions: &'a [Session],
    clock: &'a mut Clock,
    complaints: &'a mut Vec<String>,
}

impl Names<'_> {
    fn session(&self, id: i64) -> i64 {
        let number = self.sessions.iter().position(|session| session.id == id);
        number.map_or(id, |number| i64::try_from(number + 1).expect("few sessions"))
    }

    fn connected(&mut self, connected: &mut Connected) {
        if connected.password.as_deref() == Some(&derived_password(connected.session))
            && connected.session != 0
        {
            connected.password = Some(b"derived".to_vec());
        }
        connected.session = self.session(connected.session);
    }

    fn stat(&mut self, stat: &mut Stat) {
        stat.owner = self.session(stat.owner);
        stat.ctime = self.clock.check(stat.czxid, stat.ctime, self.complaints);
        stat.mtime = self.clock.check(stat.mzxid, stat.mtime, self.complaints);
    }

    fn body(&mut self, body: &mut Body) {
        match body {
            Body::PathStat(_, stat) | Body::Stat(stat) | Body::Data(_, stat) => self.stat(stat),
            Body::Acl(acl, stat) => {
                self.stat(stat);
                sort_expanded(acl.as_deref_mut().unwrap_or_default());
            }
            Body::Children(names, stat) => {
                names.as_deref_mut().unwrap_or_default().sort();
                if let Some(stat) = stat {
                    self.stat(stat);
                }
            }
            Body::Ephemerals(paths) => paths.as_deref_mut().unwrap_or_default().sort(),
            Body::Identities(ids) => ids.as_deref_mut().unwrap_or_default().sort(),
            Body::Multi(items) => items.iter_mut().for_each(|(_, _, body)| self.body(body)),
            Body::None
            | Body::Path(_)
            | Body::Number(_)
            | Body::Error(_)
            | Body::Token(_)
            | Body::Raw(..) => {}
        }
    }
}

fn sort_expanded(acl: &mut [Acl]) {
    let is_digest = |entry: &Acl| entry.scheme.lossy() == "digest";
    for run in acl.chunk_by_mut(|one, next| is_digest(one) && is_digest(next) && one.perms == next.perms) {
        run.sort();
    }
}

/// The password every server of an ensemble computes for a session id.
///
/// Source: `ZooKeeperServer#generatePasswd`, `java.util.Random`.
pub fn derived_password(session: i64) -> [u8; 16] {
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    const MASK: u64 = (1 << 48) - 1;
    let mut state = (session.cast_unsigned() ^ 0xB341_5C00 ^ MULTIPLIER) & MASK;
    let mut password = [0; 16];
    for word in password.chunks_mut(4) {
        state = (state.wrapping_mul(MULTIPLIER).wrapping_add(0xB)) & MASK;
        // Bytes 5..2 of the 48-bit state, least significant first.
        let [_, _, b5, b4, b3, b2, _, _] = state.to_be_bytes();
        word.copy_from_slice(&[b2, b3, b4, b5]);
    }
    password
}

#[cfg(test)]
mod tests {
    use super::super::show::hex;
    use super::super::wire::Text;
    use super::*;

    #[test]
    fn passwords_are_the_ones_apache_gives() {
        assert_eq!(hex(&derived_password(0x0100_0021_c96c_0000)), "76960382cb45126a44e5a09d8cfece93");
        assert_eq!(hex(&derived_password(1)), "054cc74a37327db215e702e20c73f005");
    }

    #[test]
    fn a_zxid_has_one_time() {
        let mut clock = Clock::default();
        let mut complaints = Vec::new();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let now = i64::try_from(now).unwrap();
        assert_eq!(clock.check(1, now, &mut complaints), 1);
        assert_eq!(clock.check(0, 0, &mut complaints), 0);
        assert_eq!(complaints, Vec::<String>::new());
        clock.check(1, now + 1, &mut complaints);
        clock.check(2, 5, &mut complaints);
        assert_eq!(complaints.len(), 2);
    }

    #[test]
    fn only_expanded_entries_lose_their_order() {
        let entry = |perms, scheme: &str, id: &str| Acl { perms, scheme: Text::of(scheme), id: Text::of(id) };
        let mut acl = vec![
            entry(1, "world", "anyone"),
            entry(3, "digest", "b:2"),
            entry(3, "digest", "a:1"),
            entry(1, "digest", "0:0"),
            entry(1, "ip", "1.1.1.1"),
        ];
        sort_expanded(&mut acl);
        let ids: Vec<_> = acl.iter().map(|entry| entry.id.lossy()).collect();
        assert_eq!(ids, ["anyone", "a:1", "b:2", "0:0", "1.1.1.1"]);
    }

    #[test]
    fn events_keep_their_order_unless_a_session_closed() {
        let event = |zxid, path| Seen::Event { zxid, err: 0, kind: 2, state: 3, path: Text::of(path) };
        let heard = vec![event(5, "/b"), event(5, "/a"), event(6, "/0")];
        let mut kept = heard.clone();
        normalise(&mut kept, &[], &mut Clock::default(), false);
        assert_eq!(kept, heard);
        let mut sorted = heard;
        normalise(&mut sorted, &[], &mut Clock::default(), true);
        assert_eq!(sorted, vec![event(5, "/a"), event(5, "/b"), event(6, "/0")]);
    }
}
