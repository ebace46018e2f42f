//! Values under small numbers, in chunks that never move: growing never copies what is there.

use alloc::vec::Vec;

const CHUNK: usize = 1024;
const NONE: u32 = u32::MAX;

/// A place for values of one type; a removed value's number is given out again.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Vec<Slot<T>>>,
    free: u32,
}

#[derive(Debug)]
enum Slot<T> {
    Used(T),
    Free { next: u32 },
}

impl<T> Slab<T> {
    pub(crate) fn new() -> Self {
        Self { chunks: Vec::new(), free: NONE }
    }

    pub(crate) fn insert(&mut self, value: T) -> u32 {
        if self.free != NONE {
            let at = self.free;
            let slot = self.slot_mut(at);
            let Slot::Free { next } = *slot else { unreachable!("the free list holds free slots") };
            *slot = Slot::Used(value);
            self.free = next;
            return at;
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            // The first chunk grows as it needs, so that a small tree stays small.
            let room = if self.chunks.is_empty() { 0 } else { CHUNK };
            self.chunks.push(Vec::with_capacity(room));
        }
        let before = (self.chunks.len() - 1) * CHUNK;
        let chunk = self.chunks.last_mut().expect("one was just made sure of");
        chunk.push(Slot::Used(value));
        u32::try_from(before + chunk.len() - 1).expect("fewer than 2^32 values")
    }

    pub(crate) fn remove(&mut self, at: u32) {
        let next = self.free;
        *self.slot_mut(at) = Slot::Free { next };
        self.free = at;
    }

    #[inline]
    pub(crate) fn get(&self, at: u32) -> &T {
        match &self.chunks[at as usize / CHUNK][at as usize % CHUNK] {
            Slot::Used(value) => value,
            Slot::Free { .. } => unreachable!("a number is used only while its value is there"),
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, at: u32) -> &mut T {
        match self.slot_mut(at) {
            Slot::Used(value) => value,
            Slot::Free { .. } => unreachable!("a number is used only while its value is there"),
        }
    }

    fn slot_mut(&mut self, at: u32) -> &mut Slot<T> {
        &mut self.chunks[at as usize / CHUNK][at as usize % CHUNK]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten().filter_map(|slot| match slot {
            Slot::Used(value) => Some(value),
            Slot::Free { .. } => None,
        })
    }

    /// Bytes of the slots themselves.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.capacity() * size_of::<Slot<T>>()).sum::<usize>()
            + self.chunks.capacity() * size_of::<Vec<Slot<T>>>()
    }
}
