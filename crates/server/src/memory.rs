//! Memory that the allocator keeps although nobody needs it any more, and how the system gets it back.
//!
//! What an attack or a large reply needed lies free between things that stay, where the allocator of glibc holds it for
//! ever. It is given back by asking for it, which walks all that is free: so only after a turn of work, seldom, and where
//! there is much. Other allocators see to it themselves, and this file does nothing for them.

/// Time from a turn of the loop to the look at what it left free.
const PAUSE_MS: u64 = 5000;

/// So much may lie free; less is soon needed again.
const FREE_BYTES_MAX: u64 = 16 << 20;

/// What a process holds of memory that is no file, and how much of it somebody uses.
#[derive(Clone, Copy, Debug)]
struct Held {
    resident_bytes: u64,
    used_bytes: u64,
}

impl Held {
    fn free_bytes(self) -> u64 {
        self.resident_bytes.saturating_sub(self.used_bytes)
    }
}

/// Looks after the memory of this process.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    /// When to look; `None` while nothing happens.
    look_at_ms: Option<u64>,
    /// What was still free when it was given back last: holes smaller than a page, and stacks.
    stuck_bytes: u64,
}

impl Keeper {
    /// Something happened.
    pub(crate) fn worked(&mut self, now_ms: u64) {
        self.look_at_ms.get_or_insert(now_ms.saturating_add(PAUSE_MS));
    }

    /// When to call [`Keeper::tick`], in the loop's milliseconds.
    pub(crate) fn deadline_ms(&self) -> u64 {
        self.look_at_ms.unwrap_or(u64::MAX)
    }

    /// Gives back what is free, if it is time to look and worth it.
    pub(crate) fn tick(&mut self, now_ms: u64) {
        if now_ms < self.deadline_ms() {
            return;
        }
        self.look_at_ms = None;
        let Some(held) = allocator::held() else { return };
        self.stuck_bytes = self.stuck_bytes.min(held.free_bytes());
        if held.free_bytes() - self.stuck_bytes > FREE_BYTES_MAX {
            allocator::give_back();
            self.stuck_bytes = allocator::held().map_or(0, Held::free_bytes);
            tracing::debug!(?held, stuck_bytes = self.stuck_bytes, "free memory was given back");
        }
    }
}

/// One pool for all threads. Call it before there are any.
///
/// By default each gets its own, and two threads drive the loop in turns: what one has freed the other could not use.
pub fn share_one_pool() {
    allocator::share_one_pool();
}

#[cfg(target_env = "gnu")]
mod allocator {
    #![expect(
        unsafe_code,
        reason = "the allocator's own functions have no safe form; none of them takes a pointer"
    )]

    use super::Held;

    pub(super) fn share_one_pool() {
        // SAFETY: sets a number that the allocator reads when it next makes a pool. One that does not know it goes on
        // as before, which costs memory and nothing else.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
    }

    pub(super) fn give_back() {
        // SAFETY: it moves nothing that is in use, and takes the allocator's own locks.
        unsafe { libc::malloc_trim(0) };
    }

    /// `None`: the system does not say.
    pub(super) fn held() -> Option<Held> {
        // Source: proc(5): size, resident, shared, each in pages.
        let text = std::fs::read_to_string("/proc/self/statm").ok()?;
        let mut pages = text.split(' ').skip(1).map_while(|field| field.parse::<u64>().ok());
        let resident_pages = pages.next()?.saturating_sub(pages.next()?);
        let page_bytes = u64::try_from(rustix::param::page_size()).ok()?;
        // SAFETY: it reads the allocator's figures under its own locks.
        let figures = unsafe { libc::mallinfo2() };
        // In pools, and large pieces that stand alone.
        let used_bytes = u64::try_from(figures.uordblks.saturating_add(figures.hblkhd)).ok()?;
        Some(Held { resident_bytes: resident_pages.saturating_mul(page_bytes), used_bytes })
    }
}

#[cfg(not(target_env = "gnu"))]
mod allocator {
    use super::Held;

    pub(super) fn share_one_pool() {}

    pub(super) fn give_back() {}

    pub(super) fn held() -> Option<Held> {
        None
    }
}

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    use super::*;

    /// Pieces that the allocator takes from its pool, with something that stays behind every hundredth.
    const PIECE_BYTES: usize = 64 << 10;

    /// Other tests of this process allocate meanwhile, but not by tens of megabytes.
    #[test]
    fn what_lies_free_goes_back_to_the_system_and_what_is_used_stays() {
        let mut keeper = Keeper::default();
        let mut all: Vec<Vec<u8>> = (0..1024).map(|_| vec![1; PIECE_BYTES]).collect();
        let before = allocator::held().unwrap();
        assert!(before.used_bytes >= 64 << 20, "{before:?}");
        let mut number = 0;
        all.retain(|_| {
            number += 1;
            number % 100 == 0
        });
        let left_free = allocator::held().unwrap().free_bytes();
        assert!(left_free >= 48 << 20, "{left_free} bytes lie free");
        keeper.worked(7);
        assert_eq!(keeper.deadline_ms(), 7 + PAUSE_MS);
        keeper.worked(8);
        keeper.tick(6 + PAUSE_MS);
        assert_eq!(keeper.deadline_ms(), 7 + PAUSE_MS, "it is too early, and the first turn counts");
        keeper.tick(7 + PAUSE_MS);
        assert_eq!(keeper.deadline_ms(), u64::MAX);
        let after = allocator::held().unwrap();
        assert!(
            after.free_bytes() <= left_free - (40 << 20),
            "{after:?}, of {left_free} bytes that lay free"
        );
        assert!(all.iter().all(|piece| piece.iter().all(|byte| *byte == 1)));
    }
}
