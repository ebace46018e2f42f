//! The watches a session holds, so that it can set them again and knows whom an event is for.

use alloc::borrow::Cow;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use proto::{Code, Encode, OpCode, SetWatches, SetWatches2, Text, Zxid};

use crate::request::{List, WatchChange};
use crate::{EventType, Failure, WatchKind};

/// How many bytes of paths go into one request that sets watches again. Source: `ClientCnxn.SET_WATCHES_MAX_LENGTH`.
const BATCH_BYTES: usize = 128 * 1024;

/// Paths in [`List`] order, as the server knows them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watches {
    lists: [BTreeSet<String>; 5],
}

impl Watches {
    fn list(&mut self, list: List) -> &mut BTreeSet<String> {
        let place = match list {
            List::Data => 0,
            List::Exist => 1,
            List::Child => 2,
            List::Persistent => 3,
            List::PersistentRecursive => 4,
        };
        &mut self.lists[place]
    }

    /// Takes in what an answer changes, and gives the removals to tell or the failure that the answer turns into.
    pub(crate) fn on_answer(
        &mut self,
        change: WatchChange,
        answer: Result<(), Failure>,
    ) -> Result<Vec<EventType>, Failure> {
        match change {
            WatchChange::Add(list, path) if answer.is_ok() => {
                self.list(list).insert(path);
                Ok(Vec::new())
            }
            WatchChange::AddExist(path) if answer.is_ok() => {
                self.list(List::Data).insert(path);
                Ok(Vec::new())
            }
            WatchChange::AddExist(path) => {
                if answer == Err(Failure::Refused(Code::NoNode)) {
                    self.list(List::Exist).insert(path);
                }
                answer.map(|()| Vec::new())
            }
            WatchChange::Add(..) => answer.map(|()| Vec::new()),
            WatchChange::Remove { kind, path, local } => self.remove(kind, &path, local, answer),
        }
    }

    /// With `local` any answer is a success. Source: `ZKWatchManager#removeWatcher`, where having none outranks the
    /// server's refusal, and `ClientCnxn#finishPacket`.
    fn remove(
        &mut self,
        kind: WatchKind,
        path: &str,
        local: bool,
        answer: Result<(), Failure>,
    ) -> Result<Vec<EventType>, Failure> {
        let lists: &[List] = match kind {
            WatchKind::Children => &[List::Child],
            WatchKind::Data => &[List::Data, List::Exist],
            WatchKind::Persistent => &[List::Persistent],
            WatchKind::PersistentRecursive => &[List::PersistentRecursive],
            WatchKind::Any => {
                &[List::Child, List::Data, List::Exist, List::Persistent, List::PersistentRecursive]
            }
        };
        if !lists.iter().any(|&list| self.list(list).contains(path)) {
            return Err(Failure::Refused(Code::NoWatcher));
        }
        if !local {
            answer?;
        }
        let mut told = Vec::new();
        for &list in lists {
            let event = match list {
                List::Child => EventType::ChildWatchRemoved,
                List::Data | List::Exist => EventType::DataWatchRemoved,
                List::Persistent | List::PersistentRecursive => EventType::PersistentWatchRemoved,
            };
            if self.list(list).remove(path) && !told.contains(&event) {
                told.push(event);
            }
        }
        Ok(told)
    }

    /// Whether somebody waits for this event; one-time watches are used up by it. Source: `ZKWatchManager#materialize`.
    pub(crate) fn on_event(&mut self, kind: EventType, path: &str) -> bool {
        let one_time: &[List] = match kind {
            EventType::NodeCreated | EventType::NodeDataChanged => &[List::Data, List::Exist],
            EventType::NodeDeleted => &[List::Data, List::Exist, List::Child],
            EventType::NodeChildrenChanged => &[List::Child],
            EventType::None
            | EventType::DataWatchRemoved
            | EventType::ChildWatchRemoved
            | EventType::PersistentWatchRemoved => &[],
        };
        let mut wanted = false;
        for &list in one_time {
            wanted |= self.list(list).remove(path);
        }
        wanted |= self.list(List::Persistent).contains(path);
        if kind != EventType::NodeChildrenChanged {
            wanted |= with_parents(path).any(|above| self.list(List::PersistentRecursive).contains(above));
        }
        wanted
    }

    /// Drops the one-time watches. Source: `zookeeper.disableAutoWatchReset`.
    pub(crate) fn drop_one_time(&mut self) {
        for list in [List::Data, List::Exist, List::Child] {
            self.list(list).clear();
        }
    }

    /// The requests that set all of them again, each within [`BATCH_BYTES`] by one path.
    ///
    /// * `seen`: the newest transaction this client knows; what happened since comes as events.
    pub(crate) fn again(&self, seen: Zxid) -> Vec<(OpCode, Vec<u8>)> {
        let mut requests = Vec::new();
        let mut batch: [Vec<Text<'_>>; 5] = Default::default();
        let mut batch_bytes = 0;
        for (place, paths) in self.lists.iter().enumerate() {
            for path in paths {
                batch[place].push(Some(Cow::Borrowed(path)));
                batch_bytes += path.len();
                if batch_bytes >= BATCH_BYTES {
                    requests.push(set_watches(core::mem::take(&mut batch), seen));
                    batch_bytes = 0;
                }
            }
        }
        if batch_bytes > 0 {
            requests.push(set_watches(batch, seen));
        }
        requests
    }
}

/// The older of the two requests where it suffices: servers before 3.6 know no other.
fn set_watches(
    [data, exist, child, persistent, recursive]: [Vec<Text<'_>>; 5],
    seen: Zxid,
) -> (OpCode, Vec<u8>) {
    let mut body = Vec::new();
    let (data, exist, child) = (Some(data), Some(exist), Some(child));
    if persistent.is_empty() && recursive.is_empty() {
        SetWatches { relative_zxid: seen, data, exist, child }.encode(&mut body);
        return (OpCode::SetWatches, body);
    }
    let (persistent, persistent_recursive) = (Some(persistent), Some(recursive));
    SetWatches2 { relative_zxid: seen, data, exist, child, persistent, persistent_recursive }
        .encode(&mut body);
    (OpCode::SetWatches2, body)
}

/// A path and everything above it, the root last.
fn with_parents(path: &str) -> impl Iterator<Item = &str> {
    core::iter::successors(Some(path), |path| match path.rfind('/') {
        Some(0) if path.len() > 1 => Some("/"),
        Some(at) if at > 0 => path.get(..at),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;
    use alloc::vec;
    use proto::Reader;

    fn with(list: List, path: &str) -> Watches {
        let mut watches = Watches::default();
        watches.on_answer(WatchChange::Add(list, path.to_owned()), Ok(())).unwrap();
        watches
    }

    #[test]
    fn a_one_time_watch_fires_once_and_a_persistent_one_again() {
        let mut watches = with(List::Data, "/a");
        assert!(!watches.on_event(EventType::NodeChildrenChanged, "/a"));
        assert!(watches.on_event(EventType::NodeDataChanged, "/a"));
        assert!(!watches.on_event(EventType::NodeDataChanged, "/a"));
        let mut watches = with(List::Persistent, "/a");
        assert!(
            watches.on_event(EventType::NodeDeleted, "/a") && watches.on_event(EventType::NodeCreated, "/a")
        );
        assert!(!watches.on_event(EventType::NodeCreated, "/a/b"));
    }

    #[test]
    fn a_recursive_watch_sees_what_is_below_but_no_lists_of_children() {
        for root in ["/", "/a"] {
            let mut watches = with(List::PersistentRecursive, root);
            assert!(watches.on_event(EventType::NodeCreated, "/a/b/c"));
            assert!(!watches.on_event(EventType::NodeChildrenChanged, "/a"));
        }
        assert!(!with(List::PersistentRecursive, "/a").on_event(EventType::NodeCreated, "/ab"));
    }

    #[test]
    fn exists_leaves_its_watch_where_the_answer_says() {
        let mut watches = Watches::default();
        let answer = Err(Failure::Refused(Code::NoNode));
        let change = WatchChange::AddExist("/a".to_owned());
        assert_eq!(watches.on_answer(change.clone(), answer), Err(Failure::Refused(Code::NoNode)));
        assert!(watches.on_event(EventType::NodeCreated, "/a"));
        watches.on_answer(change.clone(), Err(Failure::ConnectionLoss)).unwrap_err();
        assert!(!watches.on_event(EventType::NodeCreated, "/a"));
        watches.on_answer(change, Ok(())).unwrap();
        assert!(watches.on_event(EventType::NodeDeleted, "/a"));
    }

    #[test]
    fn a_removal_tells_each_kind_once_and_nothing_without_a_watch() {
        let mut watches = with(List::Data, "/a");
        watches.on_answer(WatchChange::Add(List::Exist, "/a".to_owned()), Ok(())).unwrap();
        watches.on_answer(WatchChange::Add(List::Child, "/a".to_owned()), Ok(())).unwrap();
        let remove = |local| WatchChange::Remove { kind: WatchKind::Any, path: "/a".to_owned(), local };
        let lost = Err(Failure::ConnectionLoss);
        assert_eq!(watches.on_answer(remove(false), lost), Err(Failure::ConnectionLoss));
        assert_eq!(
            watches.on_answer(remove(true), lost),
            Ok(vec![EventType::ChildWatchRemoved, EventType::DataWatchRemoved])
        );
        assert_eq!(watches.on_answer(remove(true), lost), Err(Failure::Refused(Code::NoWatcher)));
    }

    #[test]
    fn all_are_set_again_in_requests_of_bounded_size() {
        let mut watches = with(List::Child, "/c");
        let name = "x".repeat(50_000);
        for number in 0..5 {
            let path = alloc::format!("/{name}{number}");
            watches.on_answer(WatchChange::Add(List::Data, path), Ok(())).unwrap();
        }
        let requests = watches.again(Zxid(7));
        assert_eq!(requests.iter().map(|(op, _)| *op).collect::<Vec<_>>(), [OpCode::SetWatches; 2]);
        let second: SetWatches<'_> = Reader::new(&requests[1].1).take().unwrap();
        assert_eq!(
            (second.relative_zxid, second.data.unwrap().len(), second.child.unwrap().len()),
            (Zxid(7), 2, 1)
        );
        assert_eq!(with(List::Persistent, "/p").again(Zxid(7))[0].0, OpCode::SetWatches2);
        assert!(Watches::default().again(Zxid(7)).is_empty());
    }
}
