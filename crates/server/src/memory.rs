//! Memory that the allocator keeps although nobody needs it any more, and how the system gets it back.
//!
//! What an attack or a large reply needed lies free between things that stay, where the allocator of glibc holds it for
//! ever. It is given back by asking for it, which walks all that is free: so only after a turn of work, seldom, and where
//! there is much. Other allocators see to it themselves, and this file does nothing for them.

/// Time from a turn of the loop to the look at what it left free.
const PAUSE_MS: u64 = 5000;

/// How often a look waits for the loop to have nothing to do, [`PAUSE_MS`] each time.
const PATIENCE: u32 = 11;

/// So much may lie free; less is soon needed again.
const FREE_BYTES_MAX: u64 = 16 << 20;

/// The longest time from one count of what is in use to the next.
const AGAIN_MS_MAX: u64 = 600_000;

/// Looks after the memory of this process.
#[derive(Debug)]
pub(crate) struct Keeper {
    /// When to look; `None` while nothing happens.
    look_at_ms: Option<u64>,
    /// How often the look was put off.
    put_off: u32,
    /// What was resident when it was last counted what of it is in use, or less, if it was less since.
    settled_bytes: u64,
    /// When that is counted again although little has come, and how long after the last time that is.
    again_at_ms: u64,
    again_ms: u64,
}

impl Default for Keeper {
    fn default() -> Self {
        Self { look_at_ms: None, put_off: 0, settled_bytes: 0, again_at_ms: 0, again_ms: PAUSE_MS }
    }
}

impl Keeper {
    /// Something happened.
    pub(crate) fn worked(&mut self, now_ms: u64) {
        let at_ms = now_ms.saturating_add(PAUSE_MS);
        self.look_at_ms = Some(self.look_at_ms.map_or(at_ms, |look_at_ms| look_at_ms.min(at_ms)));
    }

    /// When to call [`Keeper::tick`], in the loop's milliseconds.
    pub(crate) fn deadline_ms(&self) -> u64 {
        self.look_at_ms.unwrap_or(u64::MAX)
    }

    /// Gives back what is free, if it is time to look and worth it.
    ///
    /// Counting what is in use walks all that is free, as giving back does: a million znodes of which a fifth went leave holes for
    /// 30 ms of either. So neither is done as long as there is other work, nor often where little has come since the last time.
    pub(crate) fn tick(&mut self, now_ms: u64, is_idle: bool) {
        if now_ms < self.deadline_ms() {
            return;
        }
        if !is_idle && self.put_off < PATIENCE {
            self.put_off += 1;
            self.look_at_ms = Some(now_ms.saturating_add(PAUSE_MS));
            return;
        }
        self.put_off = 0;
        self.look_at_ms = None;
        let Some(resident_bytes) = allocator::resident_bytes() else { return };
        self.settled_bytes = self.settled_bytes.min(resident_bytes);
        let has_grown = resident_bytes - self.settled_bytes > FREE_BYTES_MAX.max(self.settled_bytes / 4);
        if has_grown || now_ms >= self.again_at_ms {
            self.settle(resident_bytes, now_ms);
        }
        // What was in use when it was counted may have been freed since.
        if self.settled_bytes > FREE_BYTES_MAX {
            self.look_at_ms = Some(self.again_at_ms);
        }
    }

    fn settle(&mut self, resident_bytes: u64, now_ms: u64) {
        if resident_bytes > FREE_BYTES_MAX
            && resident_bytes.saturating_sub(allocator::used_bytes()) > FREE_BYTES_MAX
        {
            allocator::give_back();
        }
        self.settled_bytes = allocator::resident_bytes().unwrap_or(resident_bytes);
        let has_returned = resident_bytes.saturating_sub(self.settled_bytes) > FREE_BYTES_MAX / 2;
        self.again_ms = if has_returned { PAUSE_MS } else { (2 * self.again_ms).min(AGAIN_MS_MAX) };
        self.again_at_ms = now_ms.saturating_add(self.again_ms);
        tracing::debug!(resident_bytes, settled_bytes = self.settled_bytes, "memory was looked after");
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

    pub(super) fn share_one_pool() {
        // SAFETY: sets a number that the allocator reads when it next makes a pool. One that does not know it goes on
        // as before, which costs memory and nothing else.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
    }

    pub(super) fn give_back() {
        // SAFETY: it moves nothing that is in use, and takes the allocator's own locks.
        unsafe { libc::malloc_trim(0) };
    }

    /// What this process holds of memory that is no file. `None`: the system does not say.
    pub(super) fn resident_bytes() -> Option<u64> {
        // Source: proc(5): size, resident, shared, each in pages.
        let text = std::fs::read_to_string("/proc/self/statm").ok()?;
        let mut pages = text.split(' ').skip(1).map_while(|field| field.parse::<u64>().ok());
        let resident_pages = pages.next()?.saturating_sub(pages.next()?);
        let page_bytes = u64::try_from(rustix::param::page_size()).ok()?;
        Some(resident_pages.saturating_mul(page_bytes))
    }

    /// How much of it somebody uses.
    pub(super) fn used_bytes() -> u64 {
        // SAFETY: it reads the allocator's figures under its own locks.
        let figures = unsafe { libc::mallinfo2() };
        // In pools, and large pieces that stand alone.
        u64::try_from(figures.uordblks.saturating_add(figures.hblkhd)).unwrap_or(u64::MAX)
    }
}

#[cfg(not(target_env = "gnu"))]
mod allocator {
    pub(super) fn share_one_pool() {}

    pub(super) fn give_back() {}

    pub(super) fn resident_bytes() -> Option<u64> {
        None
    }

    pub(super) fn used_bytes() -> u64 {
        0
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
        let free_bytes = || allocator::resident_bytes().unwrap().saturating_sub(allocator::used_bytes());
        let mut keeper = Keeper::default();
        let mut all: Vec<Vec<u8>> = (0..1024).map(|_| vec![1; PIECE_BYTES]).collect();
        assert!(allocator::used_bytes() >= 64 << 20);
        keeper.worked(7);
        assert_eq!(keeper.deadline_ms(), 7 + PAUSE_MS);
        keeper.worked(8);
        keeper.tick(6 + PAUSE_MS, true);
        assert_eq!(keeper.deadline_ms(), 7 + PAUSE_MS, "it is too early, and the first turn counts");
        for times in 1..=u64::from(PATIENCE) {
            keeper.tick(7 + times * PAUSE_MS, false);
            assert_eq!(keeper.deadline_ms(), 7 + (times + 1) * PAUSE_MS, "there is other work");
        }
        let looked_at_ms = keeper.deadline_ms();
        keeper.tick(looked_at_ms, false);
        assert_eq!(keeper.deadline_ms(), looked_at_ms + 2 * PAUSE_MS, "it has waited for long enough");
        let mut number = 0;
        all.retain(|_| {
            number += 1;
            number % 100 == 0
        });
        let left_free = free_bytes();
        assert!(left_free >= 48 << 20, "{left_free} bytes lie free");
        keeper.tick(looked_at_ms + PAUSE_MS, true);
        assert!(free_bytes() > left_free - (16 << 20), "it is not counted so soon again");
        keeper.tick(keeper.deadline_ms(), true);
        let after = free_bytes();
        assert!(after <= left_free - (40 << 20), "{after}, of {left_free} bytes that lay free");
        assert!(all.iter().all(|piece| piece.iter().all(|byte| *byte == 1)));
    }
}
