//! Which children a znode has, by name.
//!
//! Only ids are kept, with 32 bits of the name's hash each; the names lie with the znodes. Up to six children stand
//! inline. More go into segments of about a hundred, each sorted by those bits, chosen by the lower half of them.
//! Segments split one at a time as the index grows (linear hashing), so that no insertion ever moves more than one of
//! them: a parent of ten million children grows without a pause. Up to 65 536 segments the bits at hand say where a
//! child goes, and no name is read.
//!
//! Many at once are sorted first ([`Newcomers`]), so that each segment is looked at once and not once for each child: one
//! by one a million would each miss the caches.

use alloc::boxed::Box;
use alloc::vec::Vec;

const FEW_MAX: usize = 6;
/// Children per segment that make the next one split, on average; one waits at most for about twice that many.
const SEGMENT_FULL: usize = 96;
/// And that make the last one go. Far below, so that a few deletions and creations do not split and join forever.
const SEGMENT_LOW: usize = 32;
const SEGMENTS_PER_CHUNK: usize = 512;
/// Room is made in small steps: doubling would leave a quarter of all index memory unused.
const ROOM_STEP: usize = 8;
/// Fewer than this are added one by one.
const SORTED_MIN: usize = 32;

/// The ids of a znode's children.
#[derive(Debug)]
pub(crate) enum Children {
    Few { count: u8, entries: [Entry; FEW_MAX] },
    Many(Box<Many>),
}

/// The segmented index.
#[derive(Debug)]
pub(crate) struct Many {
    count: usize,
    segments: usize,
    chunks: Vec<Vec<Segment>>,
}

/// Part of the hash of a child's name, and the child's id.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Entry {
    tag: u32,
    id: u32,
}

/// Entries in the order of their tags.
#[derive(Debug, Default)]
struct Segment {
    entries: Vec<Entry>,
}

/// Children to be added at once. Kept from one time to the next for its room.
#[derive(Debug, Default)]
pub(crate) struct Newcomers {
    all: Vec<Newcomer>,
    /// The same in another order.
    other: Vec<Newcomer>,
    /// Where those of each segment start, and behind the last the end of all.
    starts: Vec<u32>,
}

/// A child with the whole hash of its name.
#[derive(Clone, Copy, Debug, Default)]
struct Newcomer {
    low: u32,
    entry: Entry,
}

fn tag_of(hash: u64) -> u32 {
    u32::try_from(hash >> 32).expect("thirty-two bits fit")
}

/// What chooses the segment: the lower half of the tag, and above it what the tag does not hold.
fn choice(hash: u64) -> u64 {
    (hash >> 32 & 0xffff) | (hash & 0xffff_ffff) << 16
}

impl Children {
    pub(crate) fn new() -> Self {
        Self::Few { count: 0, entries: [Entry::default(); FEW_MAX] }
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
        let tag = tag_of(hash);
        match self {
            Self::Few { count, entries } => {
                let mut all = entries.iter().take(usize::from(*count));
                all.find(|entry| entry.tag == tag && is_it(entry.id)).map(|entry| entry.id)
            }
            Self::Many(many) => {
                let segment = many.segment(hash);
                segment.position(tag, is_it).map(|at| segment.entries[at].id)
            }
        }
    }

    /// Adds a child that is not there yet. `hash_of` tells the hash of any child, the new one included.
    pub(crate) fn insert(&mut self, hash: u64, id: u32, hash_of: impl Fn(u32) -> u64) {
        match self {
            Self::Few { count, entries } if usize::from(*count) < FEW_MAX => {
                entries[usize::from(*count)] = Entry { tag: tag_of(hash), id };
                *count += 1;
            }
            Self::Few { .. } | Self::Many(_) => self.make_many(&hash_of).insert(hash, id, &hash_of),
        }
    }

    /// Adds all of `new`, which is empty afterwards. `Err` is one whose name another has, as `is_same` says of two ids; then
    /// not all are added.
    pub(crate) fn insert_all(
        &mut self,
        new: &mut Newcomers,
        hash_of: impl Fn(u32) -> u64,
        is_same: impl Fn(u32, u32) -> bool,
    ) -> Result<(), u32> {
        if new.len() >= SORTED_MIN {
            let many = self.make_many(&hash_of);
            many.grow(new.len(), &hash_of);
            new.sort(many);
            return many.merge_all(new, is_same);
        }
        for newcomer in new.all.drain(..) {
            let (hash, id) = (newcomer.hash(), newcomer.entry.id);
            if self.find(hash, |other| is_same(other, id)).is_some() {
                return Err(id);
            }
            self.insert(hash, id, &hash_of);
        }
        Ok(())
    }

    fn make_many(&mut self, hash_of: &impl Fn(u32) -> u64) -> &mut Many {
        if let Self::Few { count, entries } = self {
            let only = Segment::default();
            let mut many = Many { count: 0, segments: 1, chunks: Vec::from([Vec::from([only])]) };
            for entry in entries.iter().take(usize::from(*count)) {
                many.insert(hash_of(entry.id), entry.id, hash_of);
            }
            *self = Self::Many(Box::new(many));
        }
        match self {
            Self::Many(many) => many,
            Self::Few { .. } => unreachable!("it was just made many"),
        }
    }

    /// Removes a child that is there.
    pub(crate) fn remove(&mut self, hash: u64, id: u32) {
        match self {
            Self::Few { count, entries } => {
                let last = usize::from(*count) - 1;
                let at = entries[..=last].iter().position(|entry| entry.id == id);
                entries[at.expect("the child is there")] = entries[last];
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
            Self::Few { count, entries } => (&entries[..usize::from(*count)], None),
            Self::Many(many) => (&[][..], Some(many)),
        };
        let many = many.into_iter().flat_map(|many| many.chunks.iter().flatten());
        few.iter().chain(many.flat_map(|segment| segment.entries.iter())).map(|entry| entry.id)
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
    fn number_of(&self, choice: u64) -> usize {
        let mask = self.segments.next_power_of_two() - 1;
        let number = choice as usize & mask;
        if number < self.segments { number } else { number & (mask >> 1) }
    }

    #[inline]
    fn segment(&self, hash: u64) -> &Segment {
        let number = self.number_of(choice(hash));
        &self.chunks[number / SEGMENTS_PER_CHUNK][number % SEGMENTS_PER_CHUNK]
    }

    fn at(&mut self, number: usize) -> &mut Segment {
        &mut self.chunks[number / SEGMENTS_PER_CHUNK][number % SEGMENTS_PER_CHUNK]
    }

    fn insert(&mut self, hash: u64, id: u32, hash_of: &impl Fn(u32) -> u64) {
        let number = self.number_of(choice(hash));
        self.at(number).insert(Entry { tag: tag_of(hash), id });
        self.count += 1;
        if self.count > self.segments * SEGMENT_FULL {
            self.split(hash_of);
        }
    }

    /// Makes the segments that so many more children want.
    fn grow(&mut self, more: usize, hash_of: &impl Fn(u32) -> u64) {
        while self.count + more > self.segments * SEGMENT_FULL {
            self.split(hash_of);
        }
    }

    fn merge_all(&mut self, new: &mut Newcomers, is_same: impl Fn(u32, u32) -> bool) -> Result<(), u32> {
        let Newcomers { all, starts, .. } = new;
        let mut rest = &mut all[..];
        let segments = self.chunks.iter_mut().flatten();
        for (segment, ends) in segments.zip(starts.windows(2)) {
            let (new, behind) = rest.split_at_mut((ends[1] - ends[0]) as usize);
            segment.insert_all(new, &is_same)?;
            self.count += new.len();
            rest = behind;
        }
        all.clear();
        Ok(())
    }

    /// Divides the one segment whose turn it is.
    fn split(&mut self, hash_of: &impl Fn(u32) -> u64) {
        let new = self.segments;
        let low_half = (new + 1).next_power_of_two() / 2;
        let old = core::mem::take(self.at(new - low_half)).entries;
        if new.is_multiple_of(SEGMENTS_PER_CHUNK) {
            self.chunks.push(Vec::with_capacity(SEGMENTS_PER_CHUNK));
        }
        self.segments += 1;
        let (mut stay, mut go) = (Segment::with_room(old.len() / 2), Segment::with_room(old.len() / 2));
        for entry in old {
            // Half a tag chooses among 2^16 segments. Beyond, the rest of the hash is asked for.
            let choice = if new < 1 << 16 { u64::from(entry.tag) } else { choice(hash_of(entry.id)) };
            let side = if self.number_of(choice) == new { &mut go } else { &mut stay };
            side.push(entry);
        }
        self.chunks.last_mut().expect("there is at least one").push(go);
        *self.at(new - low_half) = stay;
    }

    fn remove(&mut self, hash: u64, id: u32) {
        let number = self.number_of(choice(hash));
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
        let Children::Few { count, entries } = &mut few else { unreachable!("new is few") };
        let all = self.chunks.iter().flatten().flat_map(|segment| &segment.entries);
        for (place, entry) in entries.iter_mut().zip(all) {
            *place = *entry;
            *count += 1;
        }
        few
    }

    fn memory_bytes(&self) -> usize {
        let segments = self.chunks.iter().flatten();
        size_of::<Self>()
            + self.chunks.iter().map(|chunk| chunk.capacity() * size_of::<Segment>()).sum::<usize>()
            + segments.map(|one| one.entries.capacity() * size_of::<Entry>()).sum::<usize>()
    }
}

impl Segment {
    fn with_room(room: usize) -> Self {
        Self { entries: Vec::with_capacity(room + ROOM_STEP) }
    }

    /// The first place whose tag is not lower. Tags are spread evenly, so the search starts where it should be.
    #[inline]
    fn lower_bound(&self, tag: u32) -> usize {
        let entries = &self.entries[..];
        let mut at = (tag as usize * entries.len()) >> 32;
        while at < entries.len() && entries[at].tag < tag {
            at += 1;
        }
        while at > 0 && entries[at - 1].tag >= tag {
            at -= 1;
        }
        at
    }

    #[inline]
    fn position(&self, tag: u32, is_it: impl Fn(u32) -> bool) -> Option<usize> {
        let mut at = self.lower_bound(tag);
        while let Some(entry) = self.entries.get(at).filter(|entry| entry.tag == tag) {
            if is_it(entry.id) {
                return Some(at);
            }
            at += 1;
        }
        None
    }

    fn make_room(&mut self) {
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact(ROOM_STEP);
        }
    }

    fn push(&mut self, entry: Entry) {
        self.make_room();
        self.entries.push(entry);
    }

    fn insert(&mut self, entry: Entry) {
        let at = self.lower_bound(entry.tag);
        self.make_room();
        self.entries.insert(at, entry);
    }

    /// Adds what is in the order of the highest bits of its tags.
    fn insert_all(&mut self, new: &mut [Newcomer], is_same: &impl Fn(u32, u32) -> bool) -> Result<(), u32> {
        // Hardly any is out of place.
        for at in 1..new.len() {
            let newcomer = new[at];
            let mut to = at;
            while to > 0 && new[to - 1].entry.tag > newcomer.entry.tag {
                new[to] = new[to - 1];
                to -= 1;
            }
            new[to] = newcomer;
        }
        let entries = &mut self.entries;
        let mut old = entries.len();
        let end = old + new.len();
        if end > entries.capacity() {
            entries.reserve_exact(end.next_multiple_of(ROOM_STEP) - old);
        }
        entries.resize(end, Entry::default());
        // From behind, so that nothing is moved twice.
        let mut to = end;
        for Newcomer { entry, .. } in new.iter().rev() {
            while old > 0 && entries[old - 1].tag > entry.tag {
                old -= 1;
                to -= 1;
                entries[to] = entries[old];
            }
            to -= 1;
            entries[to] = *entry;
            let equal = |other: &&Entry| other.tag == entry.tag;
            let mut equals = entries[..old]
                .iter()
                .rev()
                .take_while(equal)
                .chain(entries[to + 1..].iter().take_while(equal));
            if equals.any(|other| is_same(other.id, entry.id)) {
                return Err(entry.id);
            }
        }
        Ok(())
    }

    fn remove(&mut self, tag: u32, id: u32) {
        let at = self.position(tag, |one| one == id).expect("the child is there");
        self.entries.remove(at);
        if self.entries.capacity() - self.entries.len() > 4 * ROOM_STEP {
            self.entries.shrink_to(self.entries.len() + ROOM_STEP);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.entries.reserve_exact(other.entries.len() + ROOM_STEP);
        self.entries.extend_from_slice(&other.entries);
        // Two sorted runs: the sort sees them and merges.
        self.entries.sort_by_key(|entry| entry.tag);
    }
}

impl Newcomers {
    #[inline]
    pub(crate) fn push(&mut self, hash: u64, id: u32) {
        let [low, tag] =
            [hash & 0xffff_ffff, hash >> 32].map(|half| u32::try_from(half).expect("32 bits fit"));
        self.all.push(Newcomer { low, entry: Entry { tag, id } });
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Counts twice and compares nothing: the highest bits of a tag, then the segment, which leaves that order as it is.
    fn sort(&mut self, many: &Many) {
        let Self { all, other, starts } = self;
        let mut places = [0_u32; 256];
        starts.clear();
        starts.resize(many.segments + 1, 0);
        for newcomer in all.iter() {
            places[newcomer.highest()] += 1;
            starts[many.number_of(choice(newcomer.hash()))] += 1;
        }
        add_up(&mut places);
        add_up(starts);
        other.resize(all.len(), Newcomer::default());
        for newcomer in all.iter() {
            let place = &mut places[newcomer.highest()];
            other[*place as usize] = *newcomer;
            *place += 1;
        }
        for newcomer in &other[..] {
            let place = &mut starts[many.number_of(choice(newcomer.hash()))];
            all[*place as usize] = *newcomer;
            *place += 1;
        }
        // Each start has moved on to the next one.
        starts.rotate_right(1);
        starts[0] = 0;
    }
}

impl Newcomer {
    #[inline]
    fn hash(&self) -> u64 {
        u64::from(self.entry.tag) << 32 | u64::from(self.low)
    }

    #[inline]
    fn highest(&self) -> usize {
        (self.entry.tag >> 24) as usize
    }
}

/// Turns counts into the sums of those before.
fn add_up(counts: &mut [u32]) {
    let mut sum = 0;
    for count in counts {
        sum += core::mem::replace(count, sum);
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
        assert!(children.memory_bytes() <= 50_000 * 9, "{} bytes", children.memory_bytes());
    }

    #[test]
    fn many_at_once_lie_as_if_they_had_come_one_by_one() {
        let (mut children, mut new) = (Children::new(), Newcomers::default());
        let mut total = 0;
        for batch in [1, 5, 31, 32, 40, 5000, 3, 20_000, 33, 7000] {
            (total..total + batch).for_each(|id| new.push(hash(id), id));
            children.insert_all(&mut new, hash, |one, other| one == other).unwrap();
            assert_eq!(new.len(), 0);
            total += batch;
            assert_eq!(children.count(), total);
            assert_eq!(children.iter().collect::<BTreeSet<_>>(), (0..total).collect());
            for id in 0..total {
                assert_eq!(children.find(hash(id), |one| one == id), Some(id), "of {total}");
            }
            let Children::Many(many) = &children else { continue };
            let segments = || many.chunks.iter().flatten();
            assert!(segments().all(|one| one.entries.is_sorted_by_key(|entry| entry.tag)));
            assert!(many.count <= many.segments * SEGMENT_FULL);
        }
        assert!(children.memory_bytes() <= total as usize * 9, "{} bytes", children.memory_bytes());
        (0..total).for_each(|id| children.remove(hash(id), id));
        assert_eq!((children.count(), children.iter().count()), (0, 0));
    }

    #[test]
    fn a_name_that_comes_twice_is_noticed_wherever_the_other_one_is() {
        // Names come twice where numbers are equal up to the last bit, and tags where they are up to the last four.
        let hash_of = |id: u32| hash(id >> 4) & !0xff_ffff_ffff | u64::from(id >> 1);
        let is_same = |one: u32, other: u32| one >> 1 == other >> 1;
        for size in [8, 2000] {
            for twice in [0, 6, size - 2, size, size + 4, 2 * size - 2] {
                let (mut children, mut new) = (Children::new(), Newcomers::default());
                let mut add = |ids: &[u32]| {
                    ids.iter().for_each(|&id| new.push(hash_of(id), id));
                    children.insert_all(&mut new, hash_of, is_same)
                };
                let (first, mut second): (Vec<_>, Vec<_>) =
                    (0..2 * size).filter(|id| id % 2 == 0).partition(|&id| id < size);
                assert_eq!(add(&first), Ok(()));
                second.push(twice + 1);
                let found = add(&second).unwrap_err();
                assert_eq!(found >> 1, twice >> 1, "{twice} of {size}");
            }
        }
    }
}
