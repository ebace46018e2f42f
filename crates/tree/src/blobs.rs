//! Where names and data lie: pages cut into slots of one size each, without a header per slot.
//!
//! A size class every 8 bytes up to 512, then eight per doubling up to 4 KiB: at most an eighth is lost. Longer
//! bytes are boxed one by one. A page that empties goes to whichever class needs one next, so a tree whose sizes
//! change does not keep memory for sizes it no longer has.
//!
//! What stays behind when others leave would keep a page for itself. So a page that was full and has lost a quarter
//! takes nothing new any more: it is *draining*, and the owner of the bytes moves what is left when it comes across it.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use crate::slab::Slab;

const GRANULE: usize = 8;
const PAGE_GRANULES: usize = 8192;
const PAGE_BYTES: usize = PAGE_GRANULES * GRANULE;
/// A place is a `u32` that counts granules.
const PAGES_MAX: usize = 1 << 19;
const SMALL_MAX: usize = 4096;
const FINE_MAX: usize = 512;
const FINE_CLASSES: usize = FINE_MAX / GRANULE;
const CLASSES: usize = FINE_CLASSES + 3 * 8;
const NO_PAGE: u32 = u32::MAX;
/// With fewer pages than this a class does not drain any: there is not enough to gain.
const DRAINING_PAGES_MIN: u32 = 8;
const NO_SLOT: u16 = u16::MAX;

/// Where some bytes are. Whoever keeps it also keeps their length.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// In a page, at this granule.
    Slot(u32),
    /// Boxed alone, under this number.
    Boxed(u32),
}

#[derive(Debug)]
struct Page {
    bytes: Box<[u8]>,
    class: usize,
    used: u16,
    /// A slot given back, in granules; its first two bytes name the next one.
    free: u16,
    /// The first granule never given out.
    fresh: u16,
    previous: u32,
    next: u32,
    /// Takes nothing new and is not linked.
    draining: bool,
}

/// All bytes of a tree.
#[derive(Debug)]
pub(crate) struct Blobs {
    pages: Vec<Page>,
    /// Pages without bytes, to be used first.
    empty: Vec<u32>,
    /// Per class the first page with room; the others follow by `next`.
    roomy: [u32; CLASSES],
    /// Per class how many pages it has.
    in_use: [u32; CLASSES],
    /// How many pages are draining.
    draining: u32,
    boxed: Slab<Box<[u8]>>,
    boxed_bytes: usize,
}

fn class_of(length: usize) -> usize {
    if length <= FINE_MAX {
        return length.max(1).div_ceil(GRANULE) - 1;
    }
    let (base, step, first) = match length {
        0..=1024 => (512, 64, FINE_CLASSES),
        1025..=2048 => (1024, 128, FINE_CLASSES + 8),
        _ => (2048, 256, FINE_CLASSES + 16),
    };
    first + (length - base).div_ceil(step) - 1
}

fn class_bytes(class: usize) -> usize {
    match class.checked_sub(FINE_CLASSES) {
        None => (class + 1) * GRANULE,
        Some(n @ ..8) => 512 + (n + 1) * 64,
        Some(n @ ..16) => 1024 + (n - 7) * 128,
        Some(n) => 2048 + (n - 15) * 256,
    }
}

fn granules(class: usize) -> u16 {
    u16::try_from(class_bytes(class) / GRANULE).expect("a slot is at most 512 granules")
}

/// Whether bytes of either length would lie in slots of one size, so that one can replace the other in place.
pub(crate) fn same_slot(a: usize, b: usize) -> bool {
    a <= SMALL_MAX && b <= SMALL_MAX && class_of(a) == class_of(b)
}

impl Page {
    fn has_room(&self) -> bool {
        self.free != NO_SLOT || usize::from(self.fresh) + usize::from(granules(self.class)) <= PAGE_GRANULES
    }

    /// Whether it was full once and has lost a quarter.
    fn is_sparse(&self) -> bool {
        let slot = usize::from(granules(self.class));
        let was_full = usize::from(self.fresh) + slot > PAGE_GRANULES;
        was_full && usize::from(self.used) * 4 < PAGE_GRANULES / slot * 3
    }

    fn take(&mut self) -> u16 {
        self.used += 1;
        if self.free == NO_SLOT {
            let slot = self.fresh;
            self.fresh += granules(self.class);
            return slot;
        }
        let slot = self.free;
        let at = usize::from(slot) * GRANULE;
        self.free = u16::from_be_bytes([self.bytes[at], self.bytes[at + 1]]);
        slot
    }

    fn give_back(&mut self, slot: u16) {
        let at = usize::from(slot) * GRANULE;
        self.bytes[at..at + 2].copy_from_slice(&self.free.to_be_bytes());
        self.free = slot;
        self.used -= 1;
    }
}

impl Blobs {
    pub(crate) fn new() -> Self {
        Self {
            pages: Vec::new(),
            empty: Vec::new(),
            roomy: [NO_PAGE; CLASSES],
            in_use: [0; CLASSES],
            draining: 0,
            boxed: Slab::new(),
            boxed_bytes: 0,
        }
    }

    /// Keeps a copy of some bytes, given in parts, in a slot, or returns `None`: they are too long, or all 32 GiB of pages
    /// are in use.
    #[inline]
    pub(crate) fn insert(&mut self, parts: &[&[u8]]) -> Option<u32> {
        let length = parts.iter().map(|part| part.len()).sum();
        if length > SMALL_MAX {
            return None;
        }
        let class = class_of(length);
        let number = match self.roomy[class] {
            NO_PAGE => self.new_page(class)?,
            number => number,
        };
        let page = &mut self.pages[number as usize];
        let slot = page.take();
        let at = usize::from(slot) * GRANULE;
        let mut room = &mut page.bytes[at..at + length];
        for part in parts {
            let (front, behind) = room.split_at_mut(part.len());
            front.copy_from_slice(part);
            room = behind;
        }
        if !page.has_room() {
            self.unlink(number);
        }
        Some(number << 13 | u32::from(slot))
    }

    /// Keeps bytes alone.
    pub(crate) fn insert_boxed(&mut self, bytes: Box<[u8]>) -> u32 {
        self.boxed_bytes += bytes.len();
        self.boxed.insert(bytes)
    }

    /// Gives the room of some bytes back.
    pub(crate) fn remove(&mut self, place: Place) {
        let at = match place {
            Place::Boxed(at) => {
                self.boxed_bytes -= self.boxed.get(at).len();
                self.boxed.remove(at);
                return;
            }
            Place::Slot(at) => at,
        };
        let (number, slot) = split(at);
        let page = &mut self.pages[number as usize];
        let had_room = page.has_room();
        page.give_back(slot);
        let (emptied, class, draining) = (page.used == 0, page.class, page.draining);
        if draining {
            if emptied {
                self.draining -= 1;
                self.empty(number);
            }
            return;
        }
        if !had_room {
            self.link(number, class);
        }
        let page = &self.pages[number as usize];
        // The last page of a class stays, so that one znode coming and going costs no page each time.
        if emptied && (page.previous != NO_PAGE || page.next != NO_PAGE) {
            self.unlink(number);
            self.empty(number);
        } else if page.is_sparse() && self.in_use[class] >= DRAINING_PAGES_MIN {
            self.unlink(number);
            self.pages[number as usize].draining = true;
            self.draining += 1;
        }
    }

    /// Gives back the memory of a page that is not linked.
    fn empty(&mut self, number: u32) {
        let page = &mut self.pages[number as usize];
        page.bytes = Box::default();
        self.in_use[page.class] -= 1;
        self.empty.push(number);
    }

    /// Whether any page is draining.
    #[inline]
    pub(crate) fn is_any_draining(&self) -> bool {
        self.draining > 0
    }

    /// Whether the bytes at `place` had better lie elsewhere.
    #[inline]
    pub(crate) fn is_draining(&self, place: Place) -> bool {
        match place {
            Place::Slot(at) => self.pages[at as usize / PAGE_GRANULES].draining,
            Place::Boxed(_) => false,
        }
    }

    /// The bytes at `place`, of which there are `length`.
    #[inline]
    pub(crate) fn get(&self, place: Place, length: usize) -> &[u8] {
        match place {
            Place::Slot(at) => {
                let start = (at as usize % PAGE_GRANULES) * GRANULE;
                &self.pages[at as usize / PAGE_GRANULES].bytes[start..start + length]
            }
            Place::Boxed(at) => self.boxed.get(at),
        }
    }

    /// As [`Self::get`], to be changed. In a slot `length` may differ from what it was, within one [`same_slot`].
    #[inline]
    pub(crate) fn get_mut(&mut self, place: Place, length: usize) -> &mut [u8] {
        match place {
            Place::Slot(at) => {
                let start = (at as usize % PAGE_GRANULES) * GRANULE;
                &mut self.pages[at as usize / PAGE_GRANULES].bytes[start..start + length]
            }
            Place::Boxed(at) => self.boxed.get_mut(at),
        }
    }

    /// How long the boxed bytes under this number are.
    pub(crate) fn boxed_len(&self, at: u32) -> usize {
        self.boxed.get(at).len()
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        (self.pages.len() - self.empty.len()) * PAGE_BYTES
            + self.pages.capacity() * size_of::<Page>()
            + self.boxed.memory_bytes()
            + self.boxed_bytes
    }

    fn new_page(&mut self, class: usize) -> Option<u32> {
        let page = Page {
            bytes: vec![0; PAGE_BYTES].into_boxed_slice(),
            class,
            used: 0,
            free: NO_SLOT,
            fresh: 0,
            previous: NO_PAGE,
            next: NO_PAGE,
            draining: false,
        };
        let number = match self.empty.pop() {
            Some(number) => {
                self.pages[number as usize] = page;
                number
            }
            None if self.pages.len() == PAGES_MAX => return None,
            None => {
                self.pages.push(page);
                u32::try_from(self.pages.len() - 1).expect("there are at most 2^19 pages")
            }
        };
        self.in_use[class] += 1;
        self.link(number, class);
        Some(number)
    }

    fn link(&mut self, number: u32, class: usize) {
        let next = core::mem::replace(&mut self.roomy[class], number);
        let page = &mut self.pages[number as usize];
        (page.previous, page.next) = (NO_PAGE, next);
        if next != NO_PAGE {
            self.pages[next as usize].previous = number;
        }
    }

    fn unlink(&mut self, number: u32) {
        let Page { previous, next, class, .. } = self.pages[number as usize];
        match previous {
            NO_PAGE => self.roomy[class] = next,
            previous => self.pages[previous as usize].next = next,
        }
        if next != NO_PAGE {
            self.pages[next as usize].previous = previous;
        }
        let page = &mut self.pages[number as usize];
        (page.previous, page.next) = (NO_PAGE, NO_PAGE);
    }
}

#[inline]
fn split(at: u32) -> (u32, u16) {
    (at >> 13, u16::try_from(at & 0x1fff).expect("thirteen bits fit"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_holds_its_lengths_and_wastes_little() {
        for length in 0..=SMALL_MAX {
            let room = class_bytes(class_of(length));
            assert!(room >= length && room.is_multiple_of(GRANULE) && class_of(length) < CLASSES, "{length}");
            assert!(room - length <= GRANULE.max(length / 8 + 1), "{length} lies in {room}");
        }
    }

    #[test]
    fn pages_move_from_a_size_that_went_to_one_that_comes() {
        let mut blobs = Blobs::new();
        let first: Vec<Place> = (0..10_000)
            .map(|n: u32| Place::Slot(blobs.insert(&[&n.to_be_bytes().repeat(25)]).unwrap()))
            .collect();
        for (n, place) in (0_u32..).zip(&first) {
            assert_eq!(blobs.get(*place, 100), n.to_be_bytes().repeat(25));
        }
        let full = blobs.memory_bytes();
        first.into_iter().for_each(|place| blobs.remove(place));
        assert!(blobs.memory_bytes() < full / 5);
        (0..4_000).for_each(|_| assert!(blobs.insert(&[&[7; 200], &[7; 40]]).is_some()));
        assert!(blobs.memory_bytes() <= full + PAGE_BYTES);
    }

    #[test]
    fn long_bytes_are_kept_alone() {
        let mut blobs = Blobs::new();
        assert_eq!(blobs.insert(&[&[1; SMALL_MAX], &[1]]), None);
        let place = Place::Boxed(blobs.insert_boxed(Box::new([1; SMALL_MAX + 1])));
        assert_eq!(blobs.get(place, SMALL_MAX + 1), [1; SMALL_MAX + 1]);
        blobs.remove(place);
        assert_eq!(blobs.boxed_bytes, 0);
    }
}
