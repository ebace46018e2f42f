//! What a client watches, once or for good, and what it has to be told (C8).

use std::collections::VecDeque;

use proto::{AddWatchRequest, Encode as _, EventKind, OpCode, SetWatches2, WatcherEvent, Zxid};

use super::{Client, SECRETS};
use crate::invariants::{Broken, Seen};
use crate::model::{Change, Watched};
use crate::net::Key;
use crate::outside::Outside;

/// xid of SetWatches.
pub(super) const SET_WATCHES: i32 = -8;

#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    /// It was left by a read of this state.
    pub(super) since: Zxid,
    /// The znode was there.
    was_there: bool,
}

/// A watch that is told of every change while its connection lasts.
#[derive(Debug, Default)]
pub(super) struct Lasting {
    is_recursive: bool,
    /// What it still has to tell of the changes looked at.
    due: VecDeque<Change>,
    /// How many of all changes were looked at.
    looked_at: usize,
}

impl Client {
    pub(super) fn rearm(&mut self, key: Key, out: &mut Outside) {
        let names = |what: Watched, there: bool| -> Vec<_> {
            self.watches
                .iter()
                .filter(|((_, watched), watch)| *watched == what && (watch.was_there == there))
                .map(|((path, _), _)| Some(path.clone().into()))
                .collect()
        };
        let lasting = |is_recursive: bool| -> Vec<_> {
            let of = |(path, watch): (&String, &Lasting)| {
                (watch.is_recursive == is_recursive).then(|| Some(path.clone().into()))
            };
            self.lasting.iter().filter_map(of).collect()
        };
        let request = SetWatches2 {
            relative_zxid: self.last,
            data: Some(names(Watched::Data, true)),
            exist: Some(names(Watched::Data, false)),
            child: Some(names(Watched::Children, true)),
            persistent: Some(lasting(false)),
            persistent_recursive: Some(lasting(true)),
        };
        let mut body = Vec::new();
        request.encode(&mut body);
        for watch in self.watches.values_mut() {
            watch.since = watch.since.max(self.last);
        }
        out.evidence.hit("watches left again");
        self.send_header(key, SET_WATCHES, OpCode::SetWatches2, |out| out.extend_from_slice(&body), out);
    }

    /// The watches are left again, and what was missed was told.
    pub(super) fn on_rearmed(&mut self, zxid: Zxid, out: &Outside) -> Result<(), Broken> {
        for ((path, _), watch) in &mut self.watches {
            // A znode that came and went meanwhile is not told of; nobody could.
            if !watch.was_there {
                if out.evidence.model.look(path, zxid).is_some() {
                    return Err(Broken(format!("the watch for {path} is overdue at {zxid} (C8)")));
                }
                watch.since = zxid;
            }
        }
        let looked_at = out.evidence.model.changes_up_to(zxid);
        for watch in self.lasting.values_mut() {
            watch.due.clear();
            watch.looked_at = looked_at;
        }
        self.overdue(zxid, out)
    }

    /// A lasting watch begins to tell what comes behind `zxid`.
    pub(super) fn last_from(&mut self, path: &str, is_recursive: bool, zxid: Zxid, out: &Outside) {
        let looked_at = out.evidence.model.changes_up_to(zxid);
        let watch = Lasting { is_recursive, due: VecDeque::new(), looked_at };
        self.lasting.entry(path.to_owned()).or_insert(watch);
    }

    /// A watch that lasts, where this client has none yet.
    pub(super) fn lasting_wish(&mut self) -> Option<(String, bool)> {
        let (path, is_recursive) = match self.rng.below(4) {
            0 => ("/r0", false),
            1 => ("/r1", true),
            2 => (super::NODES, self.at.is_multiple_of(2)),
            _ => (SECRETS, true),
        };
        (!self.lasting.contains_key(path)).then(|| (path.to_owned(), is_recursive))
    }

    /// How many registrations its member has of it: one that lasts and is not recursive looks at data and children.
    #[must_use]
    pub fn registrations(&self) -> usize {
        let lasting = self.lasting.values().map(|watch| if watch.is_recursive { 1 } else { 2 });
        self.watches.len() + lasting.sum::<usize>()
    }

    /// addWatch.
    pub(super) fn encode_add_watch(path: &str, is_recursive: bool, body: &mut Vec<u8>) -> OpCode {
        let path = Some(path.to_owned().into());
        AddWatchRequest { path, mode: i32::from(is_recursive) }.encode(body);
        OpCode::AddWatch
    }

    /// Takes note of what has changed since, as far as lasting watches are concerned.
    fn look_at_changes(&mut self, out: &Outside) {
        let host = self.host;
        for (path, watch) in &mut self.lasting {
            let new = out.evidence.model.changes(watch.looked_at);
            watch.looked_at += new.len();
            let concerns = |change: &&Change| {
                let is_here = change.path == *path;
                let is_below = change.path.strip_prefix(&**path).is_some_and(|rest| rest.starts_with('/'));
                let is_meant = if watch.is_recursive {
                    (is_here || is_below) && change.kind != EventKind::ChildrenChanged
                } else {
                    is_here
                };
                is_meant && change.may_see(host)
            };
            watch.due.extend(new.iter().filter(concerns).cloned());
        }
    }

    /// Whether a lasting watch has to tell that now.
    fn lasting_told(&mut self, event: &WatcherEvent<'_>, zxid: Zxid, out: &Outside) -> bool {
        self.look_at_changes(out);
        let path = event.path.as_deref().unwrap_or_default();
        let mut is_asked = false;
        for watch in self.lasting.values_mut() {
            let Some(first) = watch.due.front().map(|change| change.zxid) else { continue };
            let now = watch.due.iter().take_while(|change| change.zxid == first);
            let mut at = now.enumerate().filter(|(_, change)| {
                change.zxid == zxid && change.kind.number() == event.kind && change.path == path
            });
            if let Some((at, _)) = at.next() {
                watch.due.remove(at);
                is_asked = true;
            }
        }
        is_asked
    }

    /// C8: an event comes before anything newer than it is seen.
    pub(super) fn overdue(&mut self, zxid: Zxid, out: &Outside) -> Result<(), Broken> {
        self.look_at_changes(out);
        for (path, watch) in &self.lasting {
            if let Some(due) = watch.due.front().filter(|due| due.zxid <= zxid) {
                return Err(Broken(format!(
                    "session {} sees {zxid} before the lasting watch on {path} tells {due:?} (C8)",
                    self.session
                )));
            }
        }
        for ((path, what), watch) in &self.watches {
            let due = out.evidence.model.first_change(path, *what, watch.since);
            if let Some(due) = due.filter(|due| *due <= zxid) {
                return Err(Broken(format!(
                    "session {} sees {zxid} before the event of {due} on {path} (C8)",
                    self.session
                )));
            }
        }
        Ok(())
    }

    pub(super) fn on_event(
        &mut self,
        event: &WatcherEvent<'_>,
        zxid: Zxid,
        out: &mut Outside,
    ) -> Result<(), Broken> {
        self.events += 1;
        out.evidence.hit("event");
        let path = event.path.as_deref().unwrap_or_default();
        // Who is told of a znode may read it (C13).
        let permitted = zxid.0 <= 0 || out.evidence.model.may_see(path, zxid, self.host);
        out.evidence.see(&Seen::Shown { client: self.at, permitted });
        let whats: &[Watched] = match event.kind {
            kind if kind == EventKind::Deleted.number() => &[Watched::Data, Watched::Children],
            kind if kind == EventKind::ChildrenChanged.number() => &[Watched::Children],
            _ => &[Watched::Data],
        };
        let mut is_asked = zxid.0 > 0 && self.lasting_told(event, zxid, out);
        if is_asked {
            out.evidence.hit("lasting watch");
        }
        for &what in whats {
            let Some(watch) = self.watches.remove(&(path.to_owned(), what)) else { continue };
            is_asked = true;
            let due = out.evidence.model.first_change(path, what, watch.since);
            if zxid.0 > 0 && due != Some(zxid) {
                return Err(Broken(format!(
                    "the watch on {path} tells {zxid}, the first change behind {} is {due:?} (C8)",
                    watch.since
                )));
            }
            // Where watches are left again, each list is answered by itself. Source: `DataTree#setWatches`.
            if zxid.0 <= 0 {
                break;
            }
        }
        if is_asked {
            return Ok(());
        }
        Err(Broken(format!("session {} is told of {path}, where it has no watch (C8)", self.session)))
    }

    pub(super) fn leave_watch(&mut self, path: &str, what: Watched, since: Zxid, was_there: bool) {
        self.watches.entry((path.to_owned(), what)).or_insert(Watch { since, was_there });
    }
}
