//! Who watches what, in as few bytes as possible.
//!
//! One-shot watches on a znode that exists lie under its id, 9 bytes each where a znode has one watcher: they fire
//! when it is deleted, so they never outlive the id. All others lie under their path: one-shot watches on absent
//! znodes, and persistent ones, which stay when the znode goes. A closed connection's watches are not looked for;
//! they are swept when they are many. Source: `WatchManager`; client-protocol.md §7.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hash::Hash;

use hashbrown::HashMap;
use mutants::mutant;
use slab::Slab;
use tree::NodeId;

/// A connection as the tables know it: a number below 2^31 that no other connection had lately.
pub(crate) type Watcher = u32;

/// Which of Java's two tables a watch is in. `exists` and `getData` watch data, `getChildren` watches children.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Table {
    Data,
    Child,
}

/// How a watch behaves. Source: `WatcherMode`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    Standard,
    Persistent,
    PersistentRecursive,
}

/// One watcher, or the index of many.
#[derive(Clone, Copy, Debug)]
struct Held(u32);

const MANY: u32 = 1 << 31;

/// Tables up to this size keep their room.
const ROOM_MIN: usize = 1 << 10;

impl Held {
    fn many(self) -> Option<usize> {
        (self.0 & MANY != 0).then(|| usize::try_from(self.0 & !MANY).expect("an index fits a pointer"))
    }
}

/// One-shot watches by znode id.
#[derive(Debug, Default)]
struct ByNode {
    held: HashMap<NodeId, Held>,
    many: Slab<Vec<Watcher>>,
    total: usize,
}

impl ByNode {
    fn add(&mut self, node: NodeId, watcher: Watcher) -> bool {
        let Some(held) = self.held.get_mut(&node) else {
            self.held.insert(node, Held(watcher));
            self.total += 1;
            return true;
        };
        let added = match held.many() {
            Some(at) => insert_sorted(&mut self.many[at], watcher),
            None if held.0 == watcher => false,
            None => {
                let mut two = Vec::with_capacity(2);
                two.extend([held.0.min(watcher), held.0.max(watcher)]);
                *held = Held(u32::try_from(self.many.insert(two)).expect("fewer than 2^31 lists") | MANY);
                true
            }
        };
        self.total += usize::from(added);
        added
    }

    fn contains(&self, node: NodeId, watcher: Watcher) -> bool {
        self.held.get(&node).is_some_and(|held| match held.many() {
            Some(at) => self.many[at].binary_search(&watcher).is_ok(),
            None => held.0 == watcher,
        })
    }

    /// Moves the watchers of `node` into `out`.
    fn take(&mut self, node: NodeId, out: &mut Vec<Watcher>) {
        if self.held.is_empty() {
            return;
        }
        if let Some(held) = self.held.remove(&node) {
            let before = out.len();
            match held.many() {
                Some(at) => out.append(&mut self.many.remove(at)),
                None => out.push(held.0),
            }
            self.total -= out.len() - before;
            fit(&mut self.held);
        }
    }

    fn remove(&mut self, node: NodeId, watcher: Watcher) -> bool {
        let Some(&held) = self.held.get(&node) else { return false };
        let removed = match held.many() {
            Some(at) => {
                let list = &mut self.many[at];
                let found = list.binary_search(&watcher).map(|place| list.remove(place)).is_ok();
                if list.is_empty() {
                    self.many.remove(at);
                    self.held.remove(&node);
                }
                found
            }
            None if held.0 == watcher => self.held.remove(&node).is_some(),
            None => false,
        };
        self.total -= usize::from(removed);
        fit(&mut self.held);
        removed
    }

    fn sweep(&mut self, alive: &dyn Fn(Watcher) -> bool) {
        let (many, mut total) = (&mut self.many, 0);
        self.held.retain(|_, held| {
            let left = match held.many() {
                Some(at) => {
                    many[at].retain(|&watcher| alive(watcher));
                    let left = many[at].len();
                    if left == 0 {
                        many.remove(at);
                    }
                    left
                }
                None => usize::from(alive(held.0)),
            };
            total += left;
            left > 0
        });
        self.total = total;
        fit(&mut self.held);
    }

    fn each(&self, visit: &mut dyn FnMut(NodeId, Watcher)) {
        for (&node, held) in &self.held {
            match held.many() {
                Some(at) => self.many[at].iter().for_each(|&watcher| visit(node, watcher)),
                None => visit(node, held.0),
            }
        }
    }
}

/// Watches by path. A request for a persistent one may carry null for a path, which is another than any text: Java
/// keeps it under that key, and no event ever names it.
#[derive(Debug, Default)]
struct ByPath {
    held: HashMap<Box<str>, Vec<Watcher>>,
    null: Vec<Watcher>,
    total: usize,
}

impl ByPath {
    fn add(&mut self, path: Option<&str>, watcher: Watcher) -> bool {
        let added = match path {
            None => insert_sorted(&mut self.null, watcher),
            Some(path) => match self.held.get_mut(path) {
                Some(list) => insert_sorted(list, watcher),
                None => self.held.insert(path.into(), Vec::from([watcher])).is_none(),
            },
        };
        self.total += usize::from(added);
        added
    }

    fn at(&self, path: &str) -> &[Watcher] {
        if self.held.is_empty() {
            return &[];
        }
        self.held.get(path).map_or(&[], Vec::as_slice)
    }

    fn contains(&self, path: Option<&str>, watcher: Watcher) -> bool {
        path.map_or(&*self.null, |path| self.at(path)).binary_search(&watcher).is_ok()
    }

    fn take(&mut self, path: &str, out: &mut Vec<Watcher>) {
        if !self.held.is_empty()
            && let Some(mut list) = self.held.remove(path)
        {
            self.total -= list.len();
            out.append(&mut list);
            fit(&mut self.held);
        }
    }

    fn remove(&mut self, path: Option<&str>, watcher: Watcher) -> bool {
        let list = match path {
            None => Some(&mut self.null),
            Some(path) => self.held.get_mut(path),
        };
        let Some(list) = list else { return false };
        let Ok(place) = list.binary_search(&watcher) else { return false };
        list.remove(place);
        if let Some(path) = path
            && list.is_empty()
        {
            self.held.remove(path);
            fit(&mut self.held);
        }
        self.total -= 1;
        true
    }

    fn sweep(&mut self, alive: &dyn Fn(Watcher) -> bool) {
        self.null.retain(|&watcher| alive(watcher));
        let mut total = self.null.len();
        self.held.retain(|_, list| {
            list.retain(|&watcher| alive(watcher));
            total += list.len();
            !list.is_empty()
        });
        self.total = total;
        fit(&mut self.held);
    }

    /// Visits every watch. Java prints the null path as `null`.
    fn each(&self, visit: &mut dyn FnMut(&str, Watcher)) {
        for (path, list) in &self.held {
            list.iter().for_each(|&watcher| visit(path, watcher));
        }
        self.null.iter().for_each(|&watcher| visit("null", watcher));
    }
}

/// Gives back what a table needed at its height once most of it is gone (P13). Each time the rest is moved, at least as
/// many have left as stay.
fn fit<K: Eq + Hash, V>(held: &mut HashMap<K, V>) {
    // Not the capacity, which leaves out the places of what was removed.
    let room = held.allocation_size() / (size_of::<(K, V)>() + 1);
    if room > ROOM_MIN && held.len() < room / 4 {
        held.shrink_to(held.len() * 2);
    }
}

fn insert_sorted(list: &mut Vec<Watcher>, watcher: Watcher) -> bool {
    match list.binary_search(&watcher) {
        Ok(_) => false,
        Err(place) => {
            list.insert(place, watcher);
            true
        }
    }
}

/// All watches of one front.
#[derive(Debug, Default)]
pub(crate) struct WatchTable {
    data: ByNode,
    child: ByNode,
    /// One-shot data watches on paths without a znode.
    absent: ByPath,
    /// One-shot child watches on paths without a znode: only the empty path, which names the root for reads, and
    /// which no event names.
    absent_child: ByPath,
    persistent: ByPath,
    recursive: ByPath,
    /// Watches of connections that are gone.
    dead: usize,
}

impl WatchTable {
    /// Registers a one-shot watch on `path`, whose znode is `node`. Returns how many registrations are new.
    pub(crate) fn add_standard(
        &mut self,
        table: Table,
        path: &str,
        node: Option<NodeId>,
        watcher: Watcher,
    ) -> u32 {
        let node = node.filter(|_| !path.is_empty());
        u32::from(match (table, node) {
            (Table::Data, Some(node)) => self.data.add(node, watcher),
            (Table::Child, Some(node)) => self.child.add(node, watcher),
            (Table::Data, None) => self.absent.add(Some(path), watcher),
            (Table::Child, None) => self.absent_child.add(Some(path), watcher),
        })
    }

    /// Registers a watch that stays. A persistent one counts twice: Java keeps it in both tables.
    pub(crate) fn add_persistent(&mut self, mode: Mode, path: Option<&str>, watcher: Watcher) -> u32 {
        match mode {
            Mode::Persistent => 2 * u32::from(self.persistent.add(path, watcher)),
            Mode::PersistentRecursive => u32::from(self.recursive.add(path, watcher)),
            Mode::Standard => 0,
        }
    }

    /// Whether `watcher` watches `path` so.
    pub(crate) fn contains(
        &self,
        table: Table,
        mode: Mode,
        path: Option<&str>,
        node: Option<NodeId>,
        watcher: Watcher,
    ) -> bool {
        let node = node.filter(|_| path != Some(""));
        match (mode, table, node) {
            (Mode::Standard, Table::Data, Some(node)) => self.data.contains(node, watcher),
            (Mode::Standard, Table::Child, Some(node)) => self.child.contains(node, watcher),
            (Mode::Standard, Table::Data, None) => self.absent.contains(path, watcher),
            (Mode::Standard, Table::Child, None) => self.absent_child.contains(path, watcher),
            (Mode::Persistent, _, _) => self.persistent.contains(path, watcher),
            (Mode::PersistentRecursive, Table::Data, _) => self.recursive.contains(path, watcher),
            (Mode::PersistentRecursive, Table::Child, _) => false,
        }
    }

    /// Drops a registration. Returns how many there were of it.
    pub(crate) fn remove(
        &mut self,
        table: Table,
        mode: Mode,
        path: Option<&str>,
        node: Option<NodeId>,
        watcher: Watcher,
    ) -> u32 {
        let node = node.filter(|_| path != Some(""));
        match (mode, table, node) {
            (Mode::Standard, Table::Data, Some(node)) => u32::from(self.data.remove(node, watcher)),
            (Mode::Standard, Table::Child, Some(node)) => u32::from(self.child.remove(node, watcher)),
            (Mode::Standard, Table::Data, None) => u32::from(self.absent.remove(path, watcher)),
            (Mode::Standard, Table::Child, None) => u32::from(self.absent_child.remove(path, watcher)),
            (Mode::Persistent, Table::Data, _) => 2 * u32::from(self.persistent.remove(path, watcher)),
            (Mode::PersistentRecursive, Table::Data, _) => u32::from(self.recursive.remove(path, watcher)),
            (Mode::Persistent | Mode::PersistentRecursive, Table::Child, _) => 0,
        }
    }

    /// Nothing to look up, which is the common case of a write.
    pub(crate) fn is_empty(&self) -> bool {
        self.raw_total() == 0
    }

    /// Selects who is told of a change at `path` in `table`, and drops their one-shot watches. Each appears once;
    /// `fired` receives those whose one-shot watch was used up.
    pub(crate) fn trigger(
        &mut self,
        table: Table,
        path: &str,
        node: NodeId,
        selected: &mut Vec<Watcher>,
        fired: &mut Vec<Watcher>,
    ) {
        match table {
            Table::Data => {
                self.data.take(node, fired);
                self.absent.take(path, fired);
            }
            Table::Child => self.child.take(node, fired),
        }
        selected.extend_from_slice(fired);
        if !fired.is_empty() && mutant!(ModesMixed) {
            self.persistent.take(path, selected);
        }
        selected.extend_from_slice(self.persistent.at(path));
        if table == Table::Data && self.recursive.total > 0 {
            for ancestor in ancestors(path) {
                selected.extend_from_slice(self.recursive.at(ancestor));
            }
        }
        if selected.len() > 1 {
            selected.sort_unstable();
            selected.dedup();
        }
    }

    /// A connection is gone that had `watches`; `alive` says of any other whether it still is there.
    pub(crate) fn forget(&mut self, watches: u32, alive: &dyn Fn(Watcher) -> bool) {
        self.dead += usize::try_from(watches).expect("u32 fits");
        if self.dead > 1024.max(self.raw_total() / 2) {
            self.sweep(alive);
        }
    }

    /// A one-shot watch was used up whose connection is gone.
    pub(crate) fn dead_fired(&mut self) {
        self.dead = self.dead.saturating_sub(1);
    }

    /// Drops what belongs to closed connections.
    pub(crate) fn sweep(&mut self, alive: &dyn Fn(Watcher) -> bool) {
        for table in [&mut self.data, &mut self.child] {
            table.sweep(alive);
        }
        for table in [&mut self.absent, &mut self.absent_child, &mut self.persistent, &mut self.recursive] {
            table.sweep(alive);
        }
        self.dead = 0;
    }

    fn raw_total(&self) -> usize {
        self.data.total
            + self.child.total
            + self.absent.total
            + self.absent_child.total
            + 2 * self.persistent.total
            + self.recursive.total
    }

    /// Registrations as Java counts them in `watch_count`.
    pub(crate) fn total(&self) -> usize {
        self.raw_total().saturating_sub(self.dead)
    }

    /// Visits every watch of the data table, which is what `wchs`, `wchc` and `wchp` speak of.
    pub(crate) fn each_data(
        &self,
        on_node: &mut dyn FnMut(NodeId, Watcher),
        on_path: &mut dyn FnMut(&str, Watcher),
    ) {
        self.data.each(on_node);
        for table in [&self.absent, &self.persistent, &self.recursive] {
            table.each(on_path);
        }
    }
}

/// The path itself, its parent, and so on up to the root.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    core::iter::successors(Some(path), |path| match path.rfind('/') {
        Some(0) if path.len() > 1 => Some("/"),
        Some(at) if at > 0 => Some(&path[..at]),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn ancestors_end_at_the_root() {
        assert_eq!(ancestors("/a/b").collect::<Vec<_>>(), ["/a/b", "/a", "/"]);
        assert_eq!(ancestors("/").collect::<Vec<_>>(), ["/"]);
        assert_eq!(ancestors("").collect::<Vec<_>>(), [""]);
    }

    #[test]
    fn a_closed_connection_is_swept_away() {
        let mut table = WatchTable::default();
        for watcher in 1..=3 {
            assert_eq!(table.add_standard(Table::Data, "/absent", None, watcher), 1);
        }
        table.add_persistent(Mode::Persistent, Some("/p"), 2);
        assert_eq!(table.total(), 5);
        table.forget(3, &|watcher| watcher != 2);
        assert_eq!(table.total(), 2, "counted out at once");
        table.sweep(&|watcher| watcher != 2);
        assert_eq!(table.total(), 2);
        assert!(!table.contains(Table::Data, Mode::Standard, Some("/absent"), None, 2));
        let mut selected = vec![];
        table.absent.take("/absent", &mut selected);
        assert_eq!(selected, [1, 3]);
    }

    #[test]
    fn a_table_gives_back_what_it_needed_at_its_height() {
        let mut table = WatchTable::default();
        let path = |number: u32| alloc::format!("/absent-{number}");
        let room = |table: &WatchTable| table.absent.held.allocation_size();
        for number in 0..50_000 {
            table.add_standard(Table::Data, &path(number), None, number % 10);
        }
        let height = room(&table);
        table.forget(45_000, &|watcher| watcher == 0);
        table.sweep(&|watcher| watcher == 0);
        assert_eq!(table.total(), 5000);
        assert!(room(&table) < height / 3, "{} bytes of {height}", room(&table));
        let mut selected = vec![];
        for number in (100..50_000).step_by(10) {
            table.absent.take(&path(number), &mut selected);
        }
        assert_eq!((table.total(), selected.len()), (10, 4990));
        assert!(room(&table) < height / 20, "{} bytes of {height}", room(&table));
        for number in (0..100).step_by(10) {
            assert!(table.contains(Table::Data, Mode::Standard, Some(&path(number)), None, 0));
        }
    }

    #[test]
    fn a_dead_watch_that_fires_hides_no_living_one() {
        let mut table = WatchTable::default();
        table.add_standard(Table::Data, "/absent", None, 1);
        table.forget(1, &|_| false);
        assert_eq!(table.total(), 0);
        let (mut selected, mut fired) = (vec![], vec![]);
        table.trigger(Table::Data, "/absent", NodeId::ROOT, &mut selected, &mut fired);
        fired.iter().for_each(|_watcher| table.dead_fired());
        table.add_persistent(Mode::PersistentRecursive, Some("/b"), 2);
        assert_eq!(table.total(), 1);
        assert!(!table.is_empty());
    }

    #[test]
    fn null_is_a_path_of_its_own() {
        let mut table = WatchTable::default();
        let any = Table::Data;
        assert_eq!(table.add_persistent(Mode::Persistent, None, 1), 2);
        assert_eq!(table.add_persistent(Mode::Persistent, None, 1), 0);
        assert!(table.contains(any, Mode::Persistent, None, None, 1));
        assert!(!table.contains(any, Mode::Persistent, Some("null"), None, 1));
        assert!(!table.contains(any, Mode::PersistentRecursive, None, None, 1));
        assert_eq!(table.remove(any, Mode::Persistent, None, None, 1), 2);
        assert!(table.is_empty());
    }

    #[test]
    fn the_empty_path_reads_the_root_but_is_watched_by_its_own_name() {
        let mut table = WatchTable::default();
        table.add_standard(Table::Data, "", Some(NodeId::ROOT), 1);
        table.add_standard(Table::Child, "", Some(NodeId::ROOT), 1);
        let (mut selected, mut fired) = (vec![], vec![]);
        for side in [Table::Data, Table::Child] {
            table.trigger(side, "/", NodeId::ROOT, &mut selected, &mut fired);
            assert!(table.contains(side, Mode::Standard, Some(""), Some(NodeId::ROOT), 1));
            assert!(!table.contains(side, Mode::Standard, Some("/"), Some(NodeId::ROOT), 1));
        }
        assert_eq!(selected, [0; 0]);
    }
}
