//! When sessions expire.
//!
//! Sessions lie in buckets of one tick. A request only stores its session's new expiry; the bucket a session lies
//! in is mended when that bucket comes due. Source: `ExpiryQueue`, `SessionTrackerImpl`; client-protocol.md §4.5.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use hashbrown::HashMap;
use proto::SessionId;
use slab::Slab;
use zab::LinkId;

/// The place of a session in the clock, for touching it without a search.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ClockKey(u32);

#[derive(Debug)]
struct Timer {
    session: SessionId,
    /// Touching after this moment is too late, in monotonic milliseconds.
    expires_ms: u64,
    /// The bucket that holds it; an entry of any other bucket is left over.
    bucket_ms: u64,
    timeout_ms: u32,
    closing: bool,
    /// Whether it stands in the list of those heard of since the last heartbeat.
    touched: bool,
    /// Who serves it. `None`: nobody yet, after a change of leader.
    owner: Option<SessionOwner>,
}

/// Whose connection a session's client uses. Source: `SessionTrackerImpl.SessionImpl#owner`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SessionOwner {
    /// A connection of this member.
    Here,
    /// A learner's.
    Link(LinkId),
}

/// The open sessions and when each ends unless it is heard of.
#[derive(Debug)]
pub struct SessionClock {
    tick_ms: u64,
    timers: Slab<Timer>,
    keys: HashMap<SessionId, ClockKey>,
    due: BTreeMap<u64, Vec<ClockKey>>,
    /// Sessions heard of since the last heartbeat, for a learner to tell; `None` where nobody wants to know.
    heard: Option<Vec<ClockKey>>,
}

impl SessionClock {
    /// An empty clock; `tick_ms` is the server's tickTime.
    #[must_use]
    pub fn new(tick_ms: u64) -> Self {
        Self {
            tick_ms: tick_ms.max(1),
            timers: Slab::new(),
            keys: HashMap::new(),
            due: BTreeMap::new(),
            heard: None,
        }
    }

    /// An empty clock of a learner, which tells its leader whom it heard of and lets nobody expire.
    #[must_use]
    pub(crate) fn of_learner(tick_ms: u64) -> Self {
        Self { heard: Some(Vec::new()), ..Self::new(tick_ms) }
    }

    /// The end of the tick in which `timeout_ms` from now lies, so that no session ends early.
    fn expiry(&self, timeout_ms: u32, now_ms: u64) -> u64 {
        ((now_ms + u64::from(timeout_ms)) / self.tick_ms + 1) * self.tick_ms
    }

    /// Starts the time of a session, or starts it anew with another timeout.
    pub fn open(&mut self, session: SessionId, timeout_ms: u32, now_ms: u64) -> ClockKey {
        let expires_ms = self.expiry(timeout_ms, now_ms);
        if let Some(&key) = self.keys.get(&session) {
            let timer = &mut self.timers[index(key)];
            timer.timeout_ms = timeout_ms;
            timer.expires_ms = timer.expires_ms.max(expires_ms);
            return key;
        }
        let timer = Timer {
            session,
            expires_ms,
            bucket_ms: expires_ms,
            timeout_ms,
            closing: false,
            touched: false,
            owner: None,
        };
        let key = ClockKey(u32::try_from(self.timers.insert(timer)).expect("fewer than 2^32 sessions"));
        self.keys.insert(session, key);
        if self.heard.is_none() {
            self.due.entry(expires_ms).or_default().push(key);
        }
        key
    }

    /// A session is told to the leader with the next heartbeat.
    pub(crate) fn hear(&mut self, key: ClockKey) {
        if let (Some(heard), Some(timer)) = (&mut self.heard, self.timers.get_mut(index(key)))
            && !core::mem::replace(&mut timer.touched, true)
        {
            heard.push(key);
        }
    }

    /// Sessions heard of since the last time, with their timeouts in milliseconds.
    pub(crate) fn take_heard(&mut self) -> Vec<(SessionId, u32)> {
        let Some(heard) = &mut self.heard else { return Vec::new() };
        let keys = core::mem::take(heard);
        let mut all = Vec::with_capacity(keys.len());
        for key in keys {
            if let Some(timer) = self.timers.get_mut(index(key)).filter(|timer| timer.touched) {
                timer.touched = false;
                all.push((timer.session, timer.timeout_ms));
            }
        }
        all
    }

    /// A session is served by `owner` from now on.
    pub(crate) fn set_owner(&mut self, session: SessionId, owner: SessionOwner) {
        if let Some(&key) = self.keys.get(&session) {
            self.timers[index(key)].owner = Some(owner);
        }
    }

    /// Whether `owner` may write for a session; whoever comes first gets one that nobody has.
    ///
    /// Source: `SessionTrackerImpl#checkSession`.
    pub(crate) fn claims(&mut self, session: SessionId, owner: SessionOwner) -> bool {
        let Some(timer) = self.keys.get(&session).map(|&key| &mut self.timers[index(key)]) else {
            return true;
        };
        *timer.owner.get_or_insert(owner) == owner
    }

    /// Hears of a session. `false`: it is not open any more, and what it sent is dropped.
    #[inline]
    pub fn touch(&mut self, key: ClockKey, session: SessionId, now_ms: u64) -> bool {
        let tick_ms = self.tick_ms;
        match self.timers.get_mut(index(key)) {
            Some(timer) if timer.session == session && !timer.closing => {
                let expires_ms = ((now_ms + u64::from(timer.timeout_ms)) / tick_ms + 1) * tick_ms;
                timer.expires_ms = timer.expires_ms.max(expires_ms);
                if let Some(heard) = &mut self.heard
                    && !timer.touched
                {
                    timer.touched = true;
                    heard.push(key);
                }
                true
            }
            _ => false,
        }
    }

    /// Where a session that may be resumed lies; `None` if it is unknown or closing.
    #[must_use]
    pub fn find(&self, session: SessionId) -> Option<ClockKey> {
        self.keys.get(&session).copied().filter(|&key| !self.timers[index(key)].closing)
    }

    /// Nothing of this session counts any more but its end.
    pub fn close(&mut self, session: SessionId) {
        if let Some(&key) = self.keys.get(&session) {
            self.timers[index(key)].closing = true;
        }
    }

    /// The session has ended.
    pub fn remove(&mut self, session: SessionId) {
        if let Some(key) = self.keys.remove(&session) {
            // Its bucket keeps a key that finds nothing, or another session in another bucket.
            self.timers.remove(index(key));
        }
    }

    /// Takes the sessions whose time is up, and marks them as closing.
    pub fn expired(&mut self, now_ms: u64) -> Vec<SessionId> {
        let mut expired = Vec::new();
        while let Some(bucket) = self.due.first_entry().filter(|bucket| *bucket.key() <= now_ms) {
            let (bucket_ms, keys) = bucket.remove_entry();
            for key in keys {
                let Some(timer) = self.timers.get_mut(index(key)) else { continue };
                if timer.bucket_ms != bucket_ms {
                    continue;
                }
                if timer.expires_ms > now_ms {
                    timer.bucket_ms = timer.expires_ms;
                    self.due.entry(timer.expires_ms).or_default().push(key);
                } else if !timer.closing {
                    timer.closing = true;
                    expired.push(timer.session);
                }
            }
        }
        expired
    }

    /// When to ask [`Self::expired`] again, in monotonic milliseconds.
    #[must_use]
    pub fn deadline_ms(&self) -> Option<u64> {
        self.due.first_key_value().map(|(&due, _)| due)
    }

    /// Nobody could be heard of for so long: every session gets that much more.
    pub(crate) fn postpone(&mut self, gap_ms: u64) {
        for (_, timer) in &mut self.timers {
            timer.expires_ms = timer.expires_ms.saturating_add(gap_ms);
        }
    }

    /// How many sessions are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no session is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The sessions by the moment they end, as `dump` shows them.
    #[must_use]
    pub fn by_expiry(&self) -> BTreeMap<u64, Vec<SessionId>> {
        let mut all: BTreeMap<u64, Vec<SessionId>> = BTreeMap::new();
        for (_, timer) in &self.timers {
            all.entry(timer.expires_ms).or_default().push(timer.session);
        }
        all
    }
}

fn index(key: ClockKey) -> usize {
    usize::try_from(key.0).expect("an index fits a pointer")
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const ONE: SessionId = SessionId(1);
    const TWO: SessionId = SessionId(2);

    #[test]
    fn a_session_ends_within_a_tick_after_its_timeout() {
        let mut clock = SessionClock::new(2000);
        clock.open(ONE, 4000, 100);
        assert_eq!(clock.deadline_ms(), Some(6000));
        assert_eq!(clock.expired(5999), vec![]);
        assert_eq!(clock.expired(6000), vec![ONE]);
        assert_eq!(clock.find(ONE), None, "an expired session is closing until its transaction is applied");
        assert_eq!(clock.expired(60_000), vec![], "and expires once");
    }

    #[test]
    fn a_touch_moves_the_end() {
        let mut clock = SessionClock::new(2000);
        let key = clock.open(ONE, 4000, 0);
        assert!(clock.touch(key, ONE, 5000));
        assert_eq!(clock.expired(6000), vec![]);
        assert_eq!(clock.expired(10_000), vec![ONE]);
    }

    #[test]
    fn time_in_which_nobody_could_be_heard_does_not_count() {
        let mut clock = SessionClock::new(2000);
        clock.open(ONE, 4000, 0);
        clock.postpone(5000);
        assert_eq!(clock.expired(6000), vec![]);
        assert_eq!(clock.expired(11_000), vec![ONE]);
    }

    #[test]
    fn a_slot_used_again_is_another_session() {
        let mut clock = SessionClock::new(2000);
        let old = clock.open(ONE, 4000, 0);
        clock.remove(ONE);
        let new = clock.open(TWO, 40_000, 0);
        assert_eq!(old, new);
        assert!(!clock.touch(old, ONE, 0));
        assert_eq!(clock.expired(6000), vec![], "the bucket of the first one does not end the second");
        assert_eq!(clock.expired(42_000), vec![TWO]);
    }
}
