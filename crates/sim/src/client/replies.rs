//! What replies show, held against the model.

use std::collections::BTreeSet;

use proto::{Children2Reply, Code, DataReply, Reader, ReplyHeader, Stat, StatReply, Zxid};

use super::wishes::Asked;
use super::{Client, NODES, OWN_MAX, Pending};
use crate::invariants::{Broken, Seen};
use crate::model::{Look, Value, Watched, Write};
use crate::outside::Outside;

impl Client {
    pub(super) fn on_reply(
        &mut self,
        pending: &Pending,
        header: ReplyHeader,
        mut reader: Reader<'_>,
        out: &mut Outside,
    ) -> Result<(), Broken> {
        let bad = |_| Broken(format!("the reply to {:?} cannot be read", pending.asked));
        let (zxid, code) = (header.zxid, header.err);
        out.evidence.model.check_open(self.session, zxid).or_else(|broken| {
            // closeSession is answered behind its own transaction.
            if matches!(pending.asked, Asked::Write(Write::Close)) { Ok(()) } else { Err(broken) }
        })?;
        if zxid < self.synced {
            return Err(Broken(format!("{zxid} is seen behind a sync of {} (C5)", self.synced)));
        }
        match &pending.asked {
            Asked::Write(write) => {
                let model = &mut out.evidence.model;
                model.check_write(self.session, pending.xid, pending.floor, zxid, code)?;
                if code != 0 {
                    return Ok(());
                }
                match write {
                    Write::Create { sequential, path, .. } => {
                        let reply: proto::CreateReply<'_> = reader.take().map_err(bad)?;
                        let given = reply.path.as_deref().unwrap_or_default();
                        if model.look(given, zxid).is_none_or(|look| look.created != zxid)
                            || (!sequential && given != path)
                        {
                            return Err(Broken(format!("{zxid} is answered with {given}, asked was {path}")));
                        }
                        if given.starts_with(NODES) && self.own.len() < OWN_MAX {
                            self.own.push(given.to_owned());
                        }
                    }
                    Write::Set(puts, _) if puts.len() == 1 => {
                        let StatReply { stat } = reader.take().map_err(bad)?;
                        if let Some((path, value)) = puts.first() {
                            model.check_look(path, zxid, Some(look_of(&stat, *value)))?;
                        }
                    }
                    Write::Close => {
                        self.forget_session();
                        self.is_closing = false;
                        self.leave(out);
                    }
                    Write::Set(..) | Write::Delete(_) => {}
                }
            }
            Asked::Get(path, watches) => {
                if self.is_refused(path, zxid, code, out)? {
                    return Ok(());
                }
                let shown = if code == 0 {
                    let reply: DataReply<'_> = reader.take().map_err(bad)?;
                    let value =
                        reply.data.and_then(|data| data.try_into().ok()).map_or(0, u64::from_be_bytes);
                    Some(look_of(&reply.stat, value))
                } else {
                    None
                };
                out.evidence.model.check_look(path, zxid, shown)?;
                if *watches && shown.is_some() {
                    self.leave_watch(path, Watched::Data, zxid, true);
                }
            }
            Asked::Exists(path, watches) => {
                if self.is_refused(path, zxid, code, out)? {
                    return Ok(());
                }
                let shown = if code == 0 {
                    let StatReply { stat } = reader.take().map_err(bad)?;
                    let value = out.evidence.model.look(path, zxid).map_or(0, |look| look.value);
                    Some(look_of(&stat, value))
                } else {
                    None
                };
                out.evidence.model.check_look(path, zxid, shown)?;
                if *watches {
                    self.leave_watch(path, Watched::Data, zxid, shown.is_some());
                }
            }
            Asked::List(watches) => {
                if code == 0 {
                    let reply: Children2Reply<'_> = reader.take().map_err(bad)?;
                    let names = reply.children.unwrap_or_default();
                    let shown: BTreeSet<String> =
                        names.into_iter().flatten().map(|name| name.into_owned()).collect();
                    out.evidence.model.check_list(NODES, zxid, &shown)?;
                    if *watches {
                        self.leave_watch(NODES, Watched::Children, zxid, true);
                    }
                }
            }
            Asked::Watch(path, is_recursive) => {
                if code == 0 {
                    self.last_from(path, *is_recursive, zxid, out);
                }
            }
            Asked::Sync => self.synced = self.synced.max(pending.floor),
        }
        Ok(())
    }

    /// Whether a read was refused; that it was answered or refused as permissions are (C13).
    fn is_refused(&self, path: &str, zxid: Zxid, code: i32, out: &mut Outside) -> Result<bool, Broken> {
        let model = &out.evidence.model;
        let (permitted, there) = (model.may_see(path, zxid, self.host), model.look(path, zxid).is_some());
        if code != Code::NoAuth.number() {
            out.evidence.see(&Seen::Shown { client: self.at, permitted: permitted || code != 0 });
            return Ok(false);
        }
        out.evidence.hit("no permission");
        if permitted || !there {
            return Err(Broken(format!("{path} is refused at {zxid} (C13)")));
        }
        Ok(true)
    }
}

fn look_of(stat: &Stat, value: Value) -> Look {
    Look {
        created: stat.czxid,
        modified: stat.mzxid,
        value,
        version: stat.version,
        owner: stat.ephemeral_owner,
    }
}
