//! The table of distinct access control lists, counted by the znodes that use them.
//!
//! Source: `ReferenceCountedACLCache`; storage.md §10. Ids are local to one member. Unlike there, a create replayed
//! over an existing znode gives the use of the old list back.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use hashbrown::HashTable;
use mutants::mutant;
use proto::{Acl, AclList, wire};

use crate::hash::NameHash;

/// The slot of the open list, which every snapshot knows as id -1.
pub(crate) const OPEN: u32 = 0;
const OPEN_ID: i64 = -1;

#[derive(Debug)]
struct Entry {
    id: i64,
    /// How many znodes have it. 0: the slot is free.
    uses: u64,
    hash: u64,
    /// `None` where a fuzzy snapshot names an id that its table lacks: nobody may do anything until a replayed
    /// transaction repairs it.
    list: Option<AclList>,
}

/// Slots are what znodes keep; ids are what snapshots write.
#[derive(Debug)]
pub(crate) struct AclTable {
    entries: Vec<Entry>,
    free: Vec<u32>,
    by_list: HashTable<u32>,
    last_id: i64,
    hash: NameHash,
    scratch: Vec<u8>,
    /// What is shown for a list nobody knows: an entry that grants nothing. An empty one would grant everything.
    nothing: AclList,
}

impl AclTable {
    pub(crate) fn new(hash: NameHash) -> Self {
        let open = Entry { id: OPEN_ID, uses: 1, hash: 0, list: Some(Vec::from([Acl::open()])) };
        Self {
            entries: Vec::from([open]),
            free: Vec::new(),
            by_list: HashTable::new(),
            last_id: 0,
            hash,
            scratch: Vec::new(),
            nothing: Vec::from([Acl { perms: 0, ..Acl::open() }]),
        }
    }

    fn entry(&self, slot: u32) -> &Entry {
        &self.entries[slot as usize]
    }

    pub(crate) fn list(&self, slot: u32) -> &AclList {
        self.entry(slot).list.as_ref().unwrap_or(&self.nothing)
    }

    pub(crate) fn id(&self, slot: u32) -> i64 {
        self.entry(slot).id
    }

    pub(crate) fn id_of(&self, list: &[Acl<'_>]) -> Option<i64> {
        if is_open(list) {
            return Some(OPEN_ID);
        }
        let mut bytes = Vec::new();
        wire::put_all(list.iter(), &mut bytes);
        self.find(self.hash.of(&bytes), list).map(|slot| self.id(slot))
    }

    fn find(&self, hash: u64, list: &[Acl<'_>]) -> Option<u32> {
        let same = |slot: &u32| self.entry(*slot).list.as_deref().is_some_and(|one| one == list);
        self.by_list.find(hash, same).copied()
    }

    /// The slot for a list, with one use more. Null is the open list.
    pub(crate) fn acquire(&mut self, list: Option<&[Acl<'_>]>) -> u32 {
        let Some(list) = list.filter(|list| !is_open(list)) else { return OPEN };
        self.scratch.clear();
        wire::put_all(list.iter(), &mut self.scratch);
        let hash = self.hash.of(&self.scratch);
        if let Some(slot) = self.find(hash, list) {
            self.entries[slot as usize].uses += 1;
            return slot;
        }
        let id = self.fresh_id();
        let list = list.iter().cloned().map(Acl::into_owned).collect();
        self.put(Entry { id, uses: 1, hash, list: Some(list) })
    }

    /// An id that no list has. Java counts on from the greatest, which a snapshot that nobody's server wrote may have set
    /// to the last there is.
    fn fresh_id(&mut self) -> i64 {
        match self.last_id.checked_add(1) {
            Some(id) => {
                self.last_id = id;
                id
            }
            None => {
                let used = |id: &i64| self.entries.iter().any(|entry| entry.id == *id);
                (1..i64::MAX).find(|id| !used(id)).expect("there are fewer lists than numbers")
            }
        }
    }

    fn put(&mut self, entry: Entry) -> u32 {
        let (hash, listed) = (entry.hash, entry.list.is_some());
        let slot = match self.free.pop() {
            Some(slot) => {
                self.entries[slot as usize] = entry;
                slot
            }
            None => {
                self.entries.push(entry);
                u32::try_from(self.entries.len() - 1).expect("fewer lists than znodes")
            }
        };
        if listed {
            let entries = &self.entries;
            self.by_list.insert_unique(hash, slot, |slot| entries[*slot as usize].hash);
        }
        slot
    }

    /// Takes one use back; the last one takes the list along.
    pub(crate) fn release(&mut self, slot: u32) {
        if slot == OPEN {
            return;
        }
        let entry = &mut self.entries[slot as usize];
        entry.uses -= 1;
        if entry.uses == 0 {
            self.drop_entry(slot);
        }
    }

    fn drop_entry(&mut self, slot: u32) {
        let entry = &mut self.entries[slot as usize];
        entry.list = None;
        if let Ok(found) = self.by_list.find_entry(entry.hash, |one| *one == slot) {
            found.remove();
        }
        self.free.push(slot);
    }

    /// A list of a snapshot, without a use so far.
    pub(crate) fn load(&mut self, id: i64, list: AclList) -> u32 {
        if !mutant!(AclIdAgain) {
            self.last_id = self.last_id.max(id);
        }
        let mut bytes = Vec::new();
        wire::put_all(list.iter(), &mut bytes);
        self.put(Entry { id, uses: 0, hash: self.hash.of(&bytes), list: Some(list) })
    }

    /// An id that a znode of a snapshot has and the table of that snapshot has not.
    pub(crate) fn load_unknown(&mut self, id: i64) -> u32 {
        self.last_id = self.last_id.max(id);
        self.put(Entry { id, uses: 0, hash: 0, list: None })
    }

    pub(crate) fn add_use(&mut self, slot: u32) {
        if slot != OPEN {
            self.entries[slot as usize].uses += 1;
        }
    }

    /// Drops what a snapshot listed and no znode uses.
    pub(crate) fn purge(&mut self, loaded: &BTreeMap<i64, u32>) {
        for &slot in loaded.values() {
            if slot != OPEN && self.entry(slot).uses == 0 {
                self.drop_entry(slot);
            }
        }
    }

    /// All lists with an id of their own, by id.
    pub(crate) fn all(&self) -> Vec<(i64, AclList)> {
        let used = self.entries.iter().skip(1).filter(|entry| entry.uses > 0);
        let mut all: Vec<_> = used.filter_map(|entry| Some((entry.id, entry.list.clone()?))).collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        all
    }

    /// The uses of every list, by id: what a test compares with the znodes.
    #[cfg(test)]
    pub(crate) fn uses(&self) -> BTreeMap<i64, u64> {
        let used = self.entries.iter().skip(1).filter(|entry| entry.uses > 0);
        used.map(|entry| (entry.id, entry.uses)).collect()
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let text = |acl: &Acl<'_>| {
            let length = |text: &proto::Text<'_>| text.as_ref().map_or(0, |text| text.len());
            size_of::<Acl<'_>>() + length(&acl.id.scheme) + length(&acl.id.id)
        };
        let lists = self.entries.iter().filter_map(|entry| entry.list.as_ref());
        self.entries.capacity() * size_of::<Entry>()
            + self.by_list.allocation_size()
            + lists.flatten().map(text).sum::<usize>()
    }
}

fn is_open(list: &[Acl<'_>]) -> bool {
    matches!(list, [one] if one.perms == proto::Perms::ALL.0
        && one.id.scheme.as_deref() == Some("world")
        && one.id.id.as_deref() == Some("anyone"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::Id;

    #[test]
    fn behind_the_last_id_come_those_that_are_free() {
        let mut table = AclTable::new(NameHash::new(0));
        let list = |perms| AclList::from([Acl { perms, id: Id::new("world", "anyone") }]);
        table.load(i64::MAX, list(1));
        table.load(2, list(2));
        let ids = [4, 8].map(|perms| {
            let slot = table.acquire(Some(&list(perms)));
            table.id(slot)
        });
        assert_eq!(ids, [1, 3]);
    }

    #[test]
    fn a_list_lives_as_long_as_its_users() {
        let mut table = AclTable::new(NameHash::new(0));
        let read = [Acl { perms: 1, id: Id::new("world", "anyone") }];
        assert_eq!(table.acquire(None), OPEN);
        assert_eq!(table.acquire(Some(&[Acl::open()])), OPEN);
        let slot = table.acquire(Some(&read));
        assert_eq!(table.acquire(Some(&read)), slot);
        assert_eq!((table.id(slot), table.id_of(&read)), (1, Some(1)));
        table.release(slot);
        assert_eq!(table.all(), [(1, read.to_vec())]);
        table.release(slot);
        assert_eq!((table.all().len(), table.id_of(&read)), (0, None));
        // Ids are never used twice.
        let slot = table.acquire(Some(&[]));
        assert_eq!(table.id(slot), 2);
    }
}
