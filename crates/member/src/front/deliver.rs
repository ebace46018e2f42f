//! Replies to writes, when their transaction is applied.

use alloc::vec::Vec;

use proto::wire::put_bytes;
use proto::{Code, Encode as _, Entry, MultiHeader, MultiResult, OpCode, SubTxn, Txn, TxnKind};
use tree::Outcome;

use super::conn::{ConnId, Phase, Waiting};
use super::{Answer, Front};
use crate::Now;
use crate::core::{Core, Origin};

impl Front {
    /// A transaction is applied and its events are out: whoever waited for it is answered.
    pub(crate) fn delivered(
        &mut self,
        core: &mut Core,
        origin: Origin,
        entry: &Entry<'_>,
        outcome: &Outcome,
        now: Now,
    ) {
        match origin {
            Origin::Connect(id) => self.on_session_open(core, id),
            Origin::Client(id) => self.on_write_done(core, id, entry, outcome, now),
            Origin::Link(_) | Origin::Server => {}
        }
        if entry.header.kind == TxnKind::CloseSession.number() {
            self.close_session(entry.header.session);
        }
    }

    fn on_write_done(&mut self, core: &mut Core, id: ConnId, entry: &Entry<'_>, outcome: &Outcome, now: Now) {
        let Some(conn) = self.conn_mut(id) else { return };
        // A closing connection has no line any more.
        if conn.phase != Phase::Open {
            return;
        }
        let Some(waiting) = conn.line.pop_front() else { return };
        self.settle(&waiting);
        let Waiting::Write { xid, op, received_ms, .. } = waiting else {
            unreachable!("the head of a line waits for the oldest write of its connection")
        };
        let zxid = entry.header.zxid;
        let code = match outcome {
            Outcome::Failed(code) => *code,
            Outcome::Done | Outcome::Created(_) | Outcome::Set(_) | Outcome::Multi(_) => Code::Ok,
        };
        let answer = Answer { xid, op, zxid, code, received_ms };
        self.respond(id.slot, answer, &mut core.metrics, now, |out| {
            if code == Code::Ok {
                put_result(op, &entry.txn, outcome, out);
            }
        });
        self.advance(core, id.slot, now);
    }
}

fn put_result(op: OpCode, txn: &Txn<'_>, outcome: &Outcome, out: &mut Vec<u8>) {
    match outcome {
        Outcome::Created(stat) => {
            put_bytes(created_path(txn).as_bytes(), out);
            if op != OpCode::Create {
                stat.encode(out);
            }
        }
        Outcome::Set(stat) => stat.encode(out),
        Outcome::Multi(results) => {
            if let Txn::Multi(subs) = txn {
                put_multi(subs, results, out);
            }
        }
        Outcome::Done | Outcome::Failed(_) => {}
    }
}

fn put_multi(subs: &[SubTxn<'_>], results: &[Outcome], out: &mut Vec<u8>) {
    for (sub, result) in subs.iter().zip(results) {
        let txn = Txn::decode_sub(sub).expect("it was applied");
        let item = match result {
            Outcome::Failed(code) => MultiResult::Failed(*code),
            Outcome::Created(_) if matches!(txn, Txn::Create(_)) => {
                MultiResult::Created { path: created_path(&txn) }
            }
            Outcome::Created(stat) => MultiResult::Created2 { path: created_path(&txn), stat: *stat },
            Outcome::Set(stat) => MultiResult::DataSet(*stat),
            Outcome::Done if matches!(txn, Txn::Check(_)) => MultiResult::Checked,
            Outcome::Done | Outcome::Multi(_) => MultiResult::Deleted,
        };
        item.encode(out);
    }
    MultiHeader::END.encode(out);
}

fn created_path<'t>(txn: &'t Txn<'_>) -> &'t str {
    match txn {
        Txn::Create(txn) | Txn::Create2(txn) => txn.path.as_deref(),
        Txn::CreateContainer(txn) => txn.path.as_deref(),
        Txn::CreateTtl(txn) => txn.path.as_deref(),
        Txn::CreateSession(_)
        | Txn::CloseSession(_)
        | Txn::Error(_)
        | Txn::Delete(_)
        | Txn::DeleteContainer(_)
        | Txn::SetData(_)
        | Txn::Reconfig(_)
        | Txn::SetAcl(_)
        | Txn::Check(_)
        | Txn::Multi(_) => None,
    }
    .unwrap_or_default()
}
