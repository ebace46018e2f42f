//! One value that two threads work with in turns.
//!
//! Whoever holds it may leave it here while doing something that is nearly always short, and take it back afterwards.
//! If that takes long after all, the other thread takes the value over and goes on with it, and the one that came too
//! late is the stand-in from then on. In the ordinary case nobody is woken and nothing waits.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long something is left at least before it is taken over, and at most twice as long.
const PATIENCE: Duration = Duration::from_millis(1);

/// After so many looks that saw nothing left here since the last one, the stand-in sleeps until it is called.
const LOOKS_BEFORE_SLEEP: u32 = 10;

/// See the module.
#[derive(Debug)]
pub(crate) struct Baton<T> {
    place: Mutex<Place<T>>,
    called: Condvar,
}

#[derive(Debug)]
struct Place<T> {
    left: Option<T>,
    /// How often something was left.
    count: u64,
    /// Whether the stand-in looks again by itself.
    watched: bool,
    over: bool,
}

impl<T> Baton<T> {
    /// Nothing is left yet.
    pub(crate) fn new() -> Self {
        let place = Place { left: None, count: 0, watched: false, over: false };
        Self { place: Mutex::new(place), called: Condvar::new() }
    }

    fn place(&self) -> MutexGuard<'_, Place<T>> {
        // Nothing in here panics between two changes.
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves it for a while.
    pub(crate) fn leave(&self, value: T) {
        let mut place = self.place();
        place.left = Some(value);
        place.count += 1;
        if !std::mem::replace(&mut place.watched, true) {
            self.called.notify_one();
        }
    }

    /// Takes it back. `None`: it was taken over.
    pub(crate) fn take_back(&self) -> Option<T> {
        self.place().left.take()
    }

    /// Waits until something is left for long. `None`: it is over.
    pub(crate) fn take_over(&self) -> Option<T> {
        let mut place = self.place();
        let (mut seen, mut looks) = (place.count, 0);
        loop {
            if place.over {
                return None;
            }
            if !place.watched {
                place = self.called.wait(place).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let (waited, time) =
                self.called.wait_timeout(place, PATIENCE).unwrap_or_else(PoisonError::into_inner);
            place = waited;
            if !time.timed_out() {
                continue;
            }
            if place.count != seen {
                (seen, looks) = (place.count, 0);
            } else if let Some(value) = place.left.take() {
                return Some(value);
            } else {
                looks += 1;
                place.watched = looks < LOOKS_BEFORE_SLEEP;
                looks %= LOOKS_BEFORE_SLEEP;
            }
        }
    }

    /// Nothing will be left any more.
    pub(crate) fn end(&self) {
        self.place().over = true;
        self.called.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;
    use std::time::Instant;

    /// Ends it also where an assertion fails, so that the stand-in is not waited for in vain.
    struct Ended<'a, T>(&'a Baton<T>);

    impl<T> Drop for Ended<'_, T> {
        fn drop(&mut self) {
            self.0.end();
        }
    }

    #[test]
    fn what_is_left_for_long_is_taken_over_and_not_before() {
        let baton = Baton::new();
        thread::scope(|scope| {
            let ended = Ended(&baton);
            let stand_in = scope.spawn(|| (baton.take_over(), Instant::now()));
            let mut left_at = Instant::now();
            let mut last = 0;
            // A machine that stops this thread for long may have it taken over on the way.
            while last < 100_000 && !stand_in.is_finished() {
                last += 1;
                left_at = Instant::now();
                baton.leave(last);
                if last < 100_000 && baton.take_back().is_none() {
                    break;
                }
            }
            let (taken, at) = stand_in.join().unwrap();
            assert_eq!(taken, Some(last));
            assert!(at - left_at >= PATIENCE, "after {:?}", at - left_at);
            assert_eq!(baton.take_back(), None);
            drop(ended);
        });
    }

    #[test]
    fn a_sleeping_stand_in_is_called() {
        let baton = Baton::new();
        thread::scope(|scope| {
            let ended = Ended(&baton);
            let stand_in = scope.spawn(|| baton.take_over());
            baton.leave("once");
            if baton.take_back().is_some() {
                // It looks for a while, and then it sleeps.
                while baton.place().watched {
                    thread::yield_now();
                }
                baton.leave("twice");
                assert_eq!(stand_in.join().unwrap(), Some("twice"));
            } else {
                assert_eq!(stand_in.join().unwrap(), Some("once"));
            }
            drop(ended);
        });
    }

    #[test]
    fn nobody_waits_for_what_is_over() {
        let baton = Baton::<()>::new();
        thread::scope(|scope| {
            let stand_in = scope.spawn(|| baton.take_over());
            baton.end();
            assert_eq!(stand_in.join().unwrap(), None);
        });
        assert_eq!(baton.take_over(), None);
    }
}
