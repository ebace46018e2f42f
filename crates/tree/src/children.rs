//! Which children a znode has, by name.
//!
//! Only ids are kept, with 16 bits of the name's hash each; the names lie with the znodes. Up to six children stand
//! inline. More go into segments of some hundred, each sorted by those bits, chosen by the hash's other end. Segments
//! split one at a time as the index grows (linear hashing), so that no insertion ever moves more than one of them:
//! a parent of ten million children grows without a pause.

use alloc::boxed::Box;
use alloc::vec::Vec;

const FEW_MAX: usize = 6;
/// Children per segment that make the next one split, on average; one waits at most for twice that many.
const SEGMENT_FULL: usize = 256;
/// And that make the last one go. Far below, so that a few deletions and creations do not split and join forever.
const SEGMENT_LOW: usize = 96;
const SEGMENTS_PER_CHUNK: usize = 512;
const ROOM_STEP: usize = 32;

/// The ids of a znode's children.
#[derive(Debug)]
pub(crate) enum Children {
    Few { count: u8, tags: [u16; FEW_MAX], ids: [u32; FEW_MAX] },
    Many(Box<Many>),
}

/// The segmented index.
#[derive(Debug)]
pub(crate) struct Many {
    count: usize,
    segments: usize,
    chunks: Vec<Vec<Segment>>,
}

/// Ids in the order of their tags.
#[derive(Debug, Default)]
struct Segment {
    tags: Vec<u16>,
    ids: Vec<u32>,
}

fn tag_of(hash: u64) -> u16 {
    u16::try_from(hash >> 48).expect("sixteen bits fit")
}

impl Children {
    pub(crate) fn new() -> Self {
        Self::Few { count: 0, tags: [0; FEW_MAX], ids: [0; FEW_MAX] }
    }

    pub(crate) fn count(&self) -> u32 {
        match self {
            Self::Few { count, .. } => u32::from(*count),
            Self::Many(many) => u32::try_from(many.count).expect("ids are 32 bits"),
        }
    }

    /// The child with this hash for which `is_it` holds.
    #[inline]
    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        match self {
            Self::Few { count, tags, ids } => {
                let tag = tag_of(hash);
                let count = usize::from(*count);
                (0..count.min(FEW_MAX)).find(|&at| tags[at] == tag && is_it(ids[at])).map(|at| ids[at])
            }
            Self::Many(many) => {
                let segment = many.segment(hash);
                segment.position(tag_of(hash), is_it).map(|at| segment.ids[at])
            }
        }
    }

    /// Adds a child that is not there yet. `hash_of` tells the hash of any child, the new one included.
    pub(crate) fn insert(&mut self, hash: u64, id: u32, hash_of: impl Fn(u32) -> u64) {
        match self {
            Self::Few { count, tags, ids } if usize::from(*count) < FEW_MAX => {
                tags[usize::from(*count)] = tag_of(hash);
                ids[usize::from(*count)] = id;
                *count += 1;
            }
            Self::Few { ids, .. } => {
                let mut many =
                    Many { count: 0, segments: 1, chunks: Vec::from([Vec::from([Segment::default()])]) };
                for &id in ids.iter() {
                    many.insert(hash_of(id), id, &hash_of);
                }
                many.insert(hash, id, &hash_of);
                *self = Self::Many(Box::new(many));
            }
            Self::Many(many) => many.insert(hash, id, &hash_of),
        }
    }

    /// Removes a child that is there.
    pub(crate) fn remove(&mut self, hash: u64, id: u32) {
        match self {
            Self::Few { count, tags, ids } => {
                let last = usize::from(*count) - 1;
                let at = ids[..=last].iter().position(|&one| one == id).expect("the child is there");
                (ids[at], tags[at]) = (ids[last], tags[last]);
                *count -= 1;
            }
            Self::Many(many) => {
                many.remove(hash, id);
                if many.count <= FEW_MAX / 2 {
                    *self = many.to_few();
                }
            }
        }
    }

    /// All ids, in no order that means anything.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let (few, many) = match self {
            Self::Few { count, ids, .. } => (&ids[..usize::from(*count)], None),
            Self::Many(many) => (&[][..], Some(many)),
        };
        let many = many.into_iter().flat_map(|many| many.chunks.iter().flatten());
        few.iter().copied().chain(many.flat_map(|segment| segment.ids.iter().copied()))
    }

    /// Bytes beyond the value itself.
    pub(crate) fn memory_bytes(&self) -> usize {
        match self {
            Self::Few { .. } => 0,
            Self::Many(many) => many.memory_bytes(),
        }
    }
}

impl Many {
    /// Linear hashing: as many bits of the hash as there are segments, one fewer where the split has not come yet.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "only the low bits choose a segment")]
    fn number_of(&self, hash: u64) -> usize {
        let mask = self.segments.next_power_of_two() - 1;
        let number = hash as usize & mask;
        if number < self.segments { number } else { number & (mask >> 1) }
    }

    #[inline]
    fn segment(&self, hash: u64) -> &Segment {
        let number = self.number_of(hash);
        &self.chunks[number / SEGMENTS_PER_CHUNK][number % SEGMENTS_PER_CHUNK]
    }

    fn at(&mut self, number: usize) -> &mut Segment {
        &mut self.chunks[number / SEGMENTS_PER_CHUNK][number % SEGMENTS_PER_CHUNK]
    }

    fn insert(&mut self, hash: u64, id: u32, hash_of: &impl Fn(u32) -> u64) {
        let number = self.number_of(hash);
        self.at(number).insert(tag_of(hash), id);
        self.count += 1;
        if self.count > self.segments * SEGMENT_FULL {
            self.split(hash_of);
        }
    }

    /// Divides the one segment whose turn it is.
    fn split(&mut self, hash_of: &impl Fn(u32) -> u64) {
        let new = self.segments;
        let low_half = (new + 1).next_power_of_two() / 2;
        let old = core::mem::take(self.at(new - low_half));
        if new.is_multiple_of(SEGMENTS_PER_CHUNK) {
            self.chunks.push(Vec::with_capacity(SEGMENTS_PER_CHUNK));
        }
        let room = old.ids.len() / 2 + ROOM_STEP;
        let (mut stay, mut go) = (Segment::with_room(room), Segment::with_room(room));
        self.segments += 1;
        for (tag, id) in old.tags.into_iter().zip(old.ids) {
            let side = if self.number_of(hash_of(id)) == new { &mut go } else { &mut stay };
            side.push(tag, id);
        }
        self.chunks.last_mut().expect("there is at least one").push(go);
        *self.at(new - low_half) = stay;
    }

    fn remove(&mut self, hash: u64, id: u32) {
        let number = self.number_of(hash);
        self.at(number).remove(tag_of(hash), id);
        self.count -= 1;
        if self.segments > 1 && self.count < self.segments * SEGMENT_LOW {
            self.join();
        }
    }

    /// Takes the last split back.
    fn join(&mut self) {
        self.segments -= 1;
        let last = self.segments;
        let chunk = self.chunks.last_mut().expect("there is at least one");
        let gone = chunk.pop().expect("a chunk holds at least one segment");
        if chunk.is_empty() {
            self.chunks.pop();
        }
        let low_half = (last + 1).next_power_of_two() / 2;
        self.at(last - low_half).merge(&gone);
    }

    fn to_few(&self) -> Children {
        let mut few = Children::new();
        let Children::Few { count, tags, ids } = &mut few else { unreachable!("new is few") };
        let all = self.chunks.iter().flatten().flat_map(|segment| segment.tags.iter().zip(&segment.ids));
        for (at, (tag, id)) in all.enumerate() {
            (tags[at], ids[at]) = (*tag, *id);
            *count += 1;
        }
        few
    }

    fn memory_bytes(&self) -> usize {
        let segments = self.chunks.iter().flatten();
        size_of::<Self>()
            + self.chunks.iter().map(|chunk| chunk.capacity() * size_of::<Segment>()).sum::<usize>()
            + segments.map(|one| one.tags.capacity() * 2 + one.ids.capacity() * 4).sum::<usize>()
    }
}

impl Segment {
    fn with_room(room: usize) -> Self {
        Self { tags: Vec::with_capacity(room), ids: Vec::with_capacity(room) }
    }

    /// The first place whose tag is not lower. Tags are spread evenly, so the search starts where it should be.
    #[inline]
    fn lower_bound(&self, tag: u16) -> usize {
        let tags = &self.tags[..];
        let mut at = (usize::from(tag) * tags.len()) >> 16;
        while at < tags.len() && tags[at] < tag {
            at += 1;
        }
        while at > 0 && tags[at - 1] >= tag {
            at -= 1;
        }
        at
    }

    #[inline]
    fn position(&self, tag: u16, is_it: impl Fn(u32) -> bool) -> Option<usize> {
        let start = self.lower_bound(tag);
        let same = self.tags[start..].iter().take_while(|&&one| one == tag).count();
        (start..start + same).find(|&at| is_it(self.ids[at]))
    }

    fn push(&mut self, tag: u16, id: u32) {
        // Room in small steps: doubling would leave a quarter of all index memory unused.
        if self.tags.len() == self.tags.capacity() {
            self.tags.reserve_exact(ROOM_STEP);
            self.ids.reserve_exact(ROOM_STEP);
        }
        self.tags.push(tag);
        self.ids.push(id);
    }

    fn insert(&mut self, tag: u16, id: u32) {
        let at = self.lower_bound(tag);
        if self.tags.len() == self.tags.capacity() {
            self.tags.reserve_exact(ROOM_STEP);
            self.ids.reserve_exact(ROOM_STEP);
        }
        self.tags.insert(at, tag);
        self.ids.insert(at, id);
    }

    fn remove(&mut self, tag: u16, id: u32) {
        let at = self.position(tag, |one| one == id).expect("the child is there");
        self.tags.remove(at);
        self.ids.remove(at);
        if self.tags.capacity() - self.tags.len() > 4 * ROOM_STEP {
            self.tags.shrink_to(self.tags.len() + ROOM_STEP);
            self.ids.shrink_to(self.ids.len() + ROOM_STEP);
        }
    }

    fn merge(&mut self, other: &Self) {
        let mut both = Self::with_room(self.ids.len() + other.ids.len() + ROOM_STEP);
        let (mut left, mut right) = (0, 0);
        while left < self.ids.len() || right < other.ids.len() {
            let take_left = match (self.tags.get(left), other.tags.get(right)) {
                (Some(mine), Some(theirs)) => mine <= theirs,
                (mine, _) => mine.is_some(),
            };
            if take_left {
                both.push(self.tags[left], self.ids[left]);
                left += 1;
            } else {
                both.push(other.tags[right], other.ids[right]);
                right += 1;
            }
        }
        *self = both;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::NameHash;
    use alloc::collections::BTreeSet;

    fn hash(id: u32) -> u64 {
        NameHash::new(3).of(&id.to_be_bytes())
    }

    #[test]
    fn grows_and_shrinks_and_always_knows_its_children() {
        let mut children = Children::new();
        let total = 20_000;
        for id in 0..total {
            assert_eq!(children.find(hash(id), |one| one == id), None);
            children.insert(hash(id), id, hash);
            assert_eq!(children.count(), id + 1);
            assert_eq!(children.find(hash(id / 2), |one| one == id / 2), Some(id / 2));
        }
        assert_eq!(children.iter().collect::<BTreeSet<_>>(), (0..total).collect());
        for id in (0..total).rev() {
            children.remove(hash(id), id);
            assert_eq!(children.find(hash(id), |one| one == id), None);
            if id > 0 {
                assert_eq!(children.find(hash(id / 3), |one| one == id / 3), Some(id / 3));
            }
        }
        assert_eq!((children.count(), children.iter().count()), (0, 0));
        assert_eq!(children.memory_bytes(), 0);
    }

    #[test]
    fn one_insertion_moves_at_most_one_segment() {
        let mut children = Children::new();
        for id in 0..50_000 {
            let asked = core::cell::Cell::new(0);
            children.insert(hash(id), id, |one| {
                asked.set(asked.get() + 1);
                hash(one)
            });
            assert!(asked.get() <= 3 * SEGMENT_FULL, "insertion {id} looked at {} names", asked.get());
        }
        assert!(children.memory_bytes() <= 50_000 * 7, "{} bytes", children.memory_bytes());
    }
}
