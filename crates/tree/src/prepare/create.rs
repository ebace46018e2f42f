//! `create` and its three relatives. The order of the checks is that of client-protocol.md §5.5.

use alloc::borrow::Cow;
use alloc::format;
use alloc::vec::Vec;

use mutants::mutant;
use proto::{
    Acl, Buffer, Code, CreateContainerTxn, CreateRequest, CreateTtlRequest, CreateTtlTxn, CreateTxn, Encode,
    OpCode, Perms, Text,
};

use super::pending::{State, Usage};
use super::view::{Found, View, future_acl};
use super::{path, quota};
use crate::auth;
use crate::{Owner, TTL_MS_MAX};

/// What the flags of a request say. Which kind of znode it becomes is up to the opcode. Source: `CreateMode`.
#[derive(Clone, Copy)]
struct Mode {
    ephemeral: bool,
    sequential: bool,
    ttl: bool,
}

impl Mode {
    fn from_flags(flags: i32) -> Option<Self> {
        (0..=6).contains(&flags).then_some(Self {
            ephemeral: matches!(flags, 1 | 3),
            sequential: matches!(flags, 2 | 3 | 6),
            ttl: matches!(flags, 5 | 6),
        })
    }
}

/// What the opcode decides.
#[derive(Clone, Copy)]
enum Wanted {
    Plain,
    Container,
    Ttl { ms: i64 },
}

/// A request of any of the four.
struct New<'a> {
    path: Text<'a>,
    data: Buffer<'a>,
    acl: Option<Vec<Acl<'a>>>,
    flags: i32,
    wanted: Wanted,
}

impl View<'_> {
    pub(super) fn create(
        &mut self,
        op: OpCode,
        request: CreateRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Code> {
        let CreateRequest { path, data, acl, flags } = request;
        let wanted = if op == OpCode::CreateContainer { Wanted::Container } else { Wanted::Plain };
        self.create_any(New { path, data, acl, flags, wanted }, out)
    }

    pub(super) fn create_ttl(
        &mut self,
        request: CreateTtlRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Code> {
        let CreateTtlRequest { path, data, acl, flags, ttl_ms } = request;
        self.create_any(New { path, data, acl, flags, wanted: Wanted::Ttl { ms: ttl_ms } }, out)
    }

    fn create_any(&mut self, new: New<'_>, out: &mut Vec<u8>) -> Result<(), Code> {
        let mode = Mode::from_flags(new.flags).ok_or(Code::BadArguments)?;
        self.check_ttl(mode, new.wanted)?;
        self.check_session()?;
        let given = new.path.as_deref().ok_or(Code::MarshallingError)?;
        let parent_path = path::parent_to_create_in(given).ok_or(Code::BadArguments)?;
        let acl = auth::check_acl(&self.options.auth, new.acl, self.caller.ids)?;
        let parent = self.find(parent_path)?;
        self.permit(&parent, Perms::CREATE)?;
        let mut counter = parent.state.stat.cversion;
        if mutant!(SequenceRepeats) {
            counter = self.tree.find(parent_path).map_or(0, |id| self.tree.node(id).persisted().cversion);
        }
        let path =
            if mode.sequential { Cow::Owned(format!("{given}{counter:010}")) } else { Cow::Borrowed(given) };
        if !path::is_valid(&path) && !mutant!(PoisonInLog) {
            return Err(Code::BadArguments);
        }
        let Err(spot) = self.look(&path) else {
            return Err(Code::NodeExists);
        };
        if matches!(self.owner(&parent), Owner::Ephemeral(_)) {
            return Err(Code::NoChildrenForEphemerals);
        }
        let usage = Usage { nodes: 1, bytes: quota::signed(new.data.map_or(0, <[u8]>::len)) };
        self.check_quota(&path, usage)?;

        let owner = match new.wanted {
            Wanted::Container => Owner::Container,
            Wanted::Ttl { ms } => Owner::Ttl { ms },
            Wanted::Plain if mode.ephemeral => Owner::Ephemeral(self.caller.session),
            Wanted::Plain => Owner::Persistent,
        };
        let future = future_acl(&acl);
        let parent_cversion = counter.wrapping_add(1);
        write_body(owner, &path, new.data, acl, parent_cversion, out);

        self.gain_child(parent_path, parent, parent_cversion);
        let state =
            State { stat: self.new_stat(owner), children: 0, data_bytes: 0, digest: 0, digest_prefix: None };
        self.renew(&path, Found { spot, state, acl: future }, new.data);
        self.use_quota(&path, usage);
        Ok(())
    }

    /// A TTL and a mode that asks for one come together, and only where TTL znodes are switched on.
    ///
    /// Java lets `createTTL` without such a mode pass if the TTL is negative, and then cannot apply it.
    fn check_ttl(&self, mode: Mode, wanted: Wanted) -> Result<(), Code> {
        if mode.ttl && !self.tree.owner_rules().extended_types {
            return Err(Code::Unimplemented);
        }
        match wanted {
            Wanted::Ttl { ms } if mode.ttl && (1..=TTL_MS_MAX).contains(&ms) => Ok(()),
            Wanted::Plain | Wanted::Container if !mode.ttl => Ok(()),
            Wanted::Ttl { .. } | Wanted::Plain | Wanted::Container => Err(Code::BadArguments),
        }
    }

    /// The parent's counter goes up, unless it is spent: then it stays, as when the transaction is applied.
    fn gain_child(&mut self, parent_path: &str, parent: Found, cversion: i32) {
        let zxid = self.zxid;
        self.update(parent_path, parent, |state| {
            state.children += 1;
            if cversion > state.stat.cversion {
                (state.stat.cversion, state.stat.pzxid) = (cversion, zxid);
            }
        });
    }
}

fn write_body(
    owner: Owner,
    path: &str,
    data: Buffer<'_>,
    acl: Vec<Acl<'_>>,
    parent_cversion: i32,
    out: &mut Vec<u8>,
) {
    let (path, acl) = (Some(Cow::Borrowed(path)), Some(acl));
    match owner {
        Owner::Container => CreateContainerTxn { path, data, acl, parent_cversion }.encode(out),
        Owner::Ttl { ms } => CreateTtlTxn { path, data, acl, parent_cversion, ttl_ms: ms }.encode(out),
        Owner::Ephemeral(_) => CreateTxn { path, data, acl, ephemeral: true, parent_cversion }.encode(out),
        Owner::Persistent => CreateTxn { path, data, acl, ephemeral: false, parent_cversion }.encode(out),
    }
}
