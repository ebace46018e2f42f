//! What a client watches, and what it has to be told (C8).

use proto::{Encode as _, EventKind, OpCode, SetWatches, WatcherEvent, Zxid};

use super::Client;
use crate::invariants::Broken;
use crate::model::Watched;
use crate::net::Key;
use crate::outside::Outside;

/// xid of SetWatches.
pub(super) const SET_WATCHES: i32 = -8;

#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    /// It was left by a read of this state.
    pub(super) since: Zxid,
    /// The znode was there.
    pub(super) was_there: bool,
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
        let request = SetWatches {
            relative_zxid: self.last,
            data: Some(names(Watched::Data, true)),
            exist: Some(names(Watched::Data, false)),
            child: Some(names(Watched::Children, true)),
        };
        let mut body = Vec::new();
        request.encode(&mut body);
        for watch in self.watches.values_mut() {
            watch.since = watch.since.max(self.last);
        }
        out.evidence.hit("watches left again");
        self.send_header(key, SET_WATCHES, OpCode::SetWatches, |out| out.extend_from_slice(&body), out);
    }

    /// C8: an event comes before anything newer than it is seen.
    pub(super) fn overdue(&self, zxid: Zxid, out: &Outside) -> Result<(), Broken> {
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
        let whats: &[Watched] = match event.kind {
            kind if kind == EventKind::Deleted.number() => &[Watched::Data, Watched::Children],
            kind if kind == EventKind::ChildrenChanged.number() => &[Watched::Children],
            _ => &[Watched::Data],
        };
        let mut is_asked = false;
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
