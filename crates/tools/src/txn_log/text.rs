//! A transaction as one line.
//!
//! Source: `TxnLogToolkit#printTxn`, `#getFormattedTxnStr`; `Request#op2String`.

use std::fmt::Write;

use jiff::tz::TimeZone;
use proto::wire::text_lossy;
use proto::{Acl, Buffer, Entry, Reader, SubTxn, Text, Txn, TxnHeader};

use crate::failure::Thrown;
use crate::java::date::Date;
use crate::java::record::{put_acl, put_acl_list, put_text};

/// Writes transactions as lines, and remembers what neighbours share.
pub(super) struct Lines {
    zone: TimeZone,
    length_max: i32,
    /// The second that was shown last, and how.
    second: Option<(i64, String)>,
}

impl Lines {
    pub(super) fn new(zone: TimeZone, length_max: i32) -> Self {
        Self { zone, length_max, second: None }
    }

    /// Appends the line of a payload, ended.
    pub(super) fn put(&mut self, out: &mut String, payload: &[u8]) -> Result<(), Thrown> {
        let entry = Entry::read(Reader::with_length_max(payload, self.length_max)).map_err(Thrown::decode)?;
        let TxnHeader { session, cxid, zxid, time, kind } = entry.header;
        out.push_str(self.time(time));
        // Writing into a string cannot fail. A negative cxid is widened before it is shown.
        let _ = write!(out, " session 0x{:x} cxid 0x{:x} zxid 0x{:x} ", session.0, i64::from(cxid), zxid.0);
        put_operation(out, kind);
        out.push(' ');
        put_body(out, &entry.txn);
        if !out.ends_with('\n') {
            out.push('\n');
        }
        Ok(())
    }

    fn time(&mut self, ms: i64) -> &str {
        let second = ms.div_euclid(1000);
        if self.second.as_ref().is_none_or(|(known, _)| *known != second) {
            self.second = Some((second, Date::new(ms, &self.zone).short().to_string()));
        }
        self.second.as_ref().map_or("", |(_, text)| text)
    }
}

/// Appends the name of an operation.
fn put_operation(out: &mut String, kind: i32) {
    out.push_str(match kind {
        0 => "notification",
        1 => "create",
        2 => "delete",
        3 => "exists",
        4 => "getData",
        5 => "setData",
        6 => "getACL",
        7 => "setACL",
        8 => "getChildren",
        9 => "sync",
        11 => "ping",
        12 => "getChildren2",
        13 => "check",
        14 => "multi",
        15 => "create2",
        16 => "reconfig",
        17 => "checkWatches",
        18 => "removeWatches",
        19 => "createContainer",
        20 => "deleteContainer",
        21 => "createTTL",
        22 => "multiRead",
        100 => "auth",
        101 => "setWatches",
        102 => "sasl",
        103 => "getEphemerals",
        104 => "getAllChildrenNumber",
        105 => "setWatches2",
        106 => "addWatch",
        107 => "whoAmI",
        -1 => "error",
        -10 => "createSession",
        -11 => "closeSession",
        _ => {
            let _ = write!(out, "unknown {kind}");
            return;
        }
    });
}

fn put_body(out: &mut String, txn: &Txn<'_>) {
    // Writing into a string cannot fail.
    let _ = match txn {
        Txn::Create(txn) | Txn::Create2(txn) => {
            put_created(out, &txn.path, txn.data, txn.acl.as_deref());
            write!(out, ",{},{}", txn.ephemeral, txn.parent_cversion)
        }
        Txn::CreateContainer(txn) => {
            put_created(out, &txn.path, txn.data, txn.acl.as_deref());
            write!(out, ",{}", txn.parent_cversion)
        }
        Txn::CreateTtl(txn) => {
            put_created(out, &txn.path, txn.data, txn.acl.as_deref());
            write!(out, ",{},{}", txn.parent_cversion, txn.ttl_ms)
        }
        Txn::SetData(txn) | Txn::Reconfig(txn) => {
            out.push_str(txn.path.as_deref().unwrap_or("null"));
            out.push(',');
            put_data(out, txn.data);
            write!(out, ",{}", txn.version)
        }
        Txn::Multi(subs) => {
            put_multi(out, subs);
            Ok(())
        }
        // The others print as any record does, which ends the line.
        Txn::Delete(txn) | Txn::DeleteContainer(txn) => {
            put_text(out, &txn.path);
            writeln!(out)
        }
        Txn::SetAcl(txn) => {
            put_text(out, &txn.path);
            out.push(',');
            put_vector(out, txn.acl.as_deref().unwrap_or_default(), |out, acl: &Acl<'_>| {
                out.push_str("s{");
                put_acl(out, acl);
                out.push('}');
            });
            writeln!(out, ",{}", txn.version)
        }
        Txn::Check(txn) => {
            put_text(out, &txn.path);
            writeln!(out, ",{}", txn.version)
        }
        Txn::CreateSession(txn) => writeln!(out, "{}", txn.timeout_ms),
        Txn::Error(txn) => writeln!(out, "{}", txn.err),
        Txn::CloseSession(Some(txn)) => {
            put_vector(out, txn.paths.as_deref().unwrap_or_default(), put_text);
            writeln!(out)
        }
        Txn::CloseSession(None) => Ok(()),
    };
}

fn put_created(out: &mut String, path: &Text<'_>, data: Buffer<'_>, acl: Option<&[Acl<'_>]>) {
    out.push_str(path.as_deref().unwrap_or("null"));
    out.push(',');
    put_data(out, data);
    out.push(',');
    put_acl_list(out, acl);
}

fn put_multi(out: &mut String, subs: &[SubTxn<'_>]) {
    for (number, sub) in subs.iter().enumerate() {
        if number > 0 {
            out.push(';');
        }
        put_operation(out, sub.kind);
        out.push(':');
        put_data(out, sub.data);
    }
}

fn put_data(out: &mut String, data: Buffer<'_>) {
    out.push_str(&text_lossy(data.unwrap_or_default()));
}

/// Appends a list inside of a record.
fn put_vector<T>(out: &mut String, all: &[T], put: impl Fn(&mut String, &T)) {
    out.push_str("v{");
    for (number, one) in all.iter().enumerate() {
        if number > 0 {
            out.push(',');
        }
        put(out, one);
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::{
        CloseSessionTxn, CreateSessionTxn, CreateTxn, DeleteTxn, Encode, ErrorTxn, SessionId, SetAclTxn,
        SetDataTxn, Zxid,
    };

    fn line(txn: Txn<'_>) -> String {
        let kind = txn.kind().number();
        let header = TxnHeader { session: SessionId(-1), cxid: -1, zxid: Zxid(0x1_0000_000a), time: 0, kind };
        let mut payload = Vec::new();
        Entry { header, txn, digest: None }.encode(&mut payload);
        let mut out = String::new();
        Lines::new(TimeZone::UTC, i32::MAX).put(&mut out, &payload).unwrap();
        let start =
            "1/1/70, 12:00:00 AM UTC session 0xffffffffffffffff cxid 0xffffffffffffffff zxid 0x10000000a ";
        out.strip_prefix(start).unwrap_or_else(|| panic!("{out}")).to_owned()
    }

    #[test]
    fn every_kind_has_its_line() {
        let create = CreateTxn {
            path: Some("/a".into()),
            data: Some(b"x\xff"),
            acl: Some(vec![Acl::open()]),
            ephemeral: true,
            parent_cversion: 3,
        };
        let paths = Some(vec![Some("/e".into()), Some("/f".into())]);
        let acl = Some(vec![Acl::open(), Acl::open()]);
        let open = "s{31,s{'world,'anyone}}";
        for (txn, wanted) in [
            (Txn::Create(create), "create /a,x\u{fffd},[31,s{'world,'anyone}\n],true,3\n"),
            (Txn::Reconfig(SetDataTxn { path: None, data: None, version: -1 }), "reconfig null,,-1\n"),
            (Txn::DeleteContainer(DeleteTxn { path: Some("/a,b".into()) }), "deleteContainer '/a%2Cb\n"),
            (Txn::CloseSession(Some(CloseSessionTxn { paths })), "closeSession v{'/e,'/f}\n"),
            (Txn::CloseSession(None), "closeSession \n"),
            (
                Txn::SetAcl(SetAclTxn { path: Some("/a".into()), acl, version: 1 }),
                &format!("setACL '/a,v{{{open},{open}}},1\n"),
            ),
            (Txn::CreateSession(CreateSessionTxn { timeout_ms: 30_000 }), "createSession 30000\n"),
            (Txn::Error(ErrorTxn { err: -110 }), "error -110\n"),
            (
                Txn::Multi(vec![
                    SubTxn { kind: 2, data: Some(b"\0\0\0\x02/t") },
                    SubTxn { kind: 99, data: None },
                ]),
                "multi delete:\0\0\0\x02/t;unknown 99:\n",
            ),
        ] {
            assert_eq!(line(txn), wanted);
        }
    }
}
