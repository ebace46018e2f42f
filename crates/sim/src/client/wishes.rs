//! What a client asks for.

use proto::{
    Acl, CreateRequest, DeleteRequest, Encode as _, Id, MultiHeader, MultiItem, OpCode, PathRequest,
    PathWatchRequest, Perms, SetDataRequest,
};

use super::{Client, Habits, NODES, Pending, REGISTERS, SECRETS, WATCHES_MAX};
use crate::model::{LIMIT, LIMITED, Value, Write};
use crate::net::{Host, Key};
use crate::outside::Outside;
use crate::setup::Setup;

/// Where the quota of [`LIMITED`] is written down.
const QUOTA: &str = "/zookeeper/quota/q";
/// The front of the names of large znodes.
const LARGE: &str = "/large";
/// What one of them holds.
const LARGE_BYTES: usize = 2048;
/// Paths that no znode can have.
const NO_PATHS: [&str; 4] = ["", "/n/", "/n//a", "/n/.."];
/// Who is named in access control lists.
const NOBODY: [&str; 5] = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"];
/// In so many of 1000 cases a write is an odd one.
const ODD_PERMILLE: u64 = 60;

#[derive(Clone, Debug)]
pub(super) enum Asked {
    Write(Write),
    Get(String, bool),
    Exists(String, bool),
    List(bool),
    /// A watch that lasts; whether on all below too.
    Watch(String, bool),
    Sync,
}

impl Client {
    // Wishes.

    pub(super) fn ask(&mut self, key: Key, out: &mut Outside) {
        if self.is_quiet {
            return;
        }
        let asked = self.wish(out);
        let xid = self.next_xid;
        self.next_xid += 1;
        let floor = out.evidence.model.answered();
        if let Asked::Write(write) = &asked {
            out.evidence.model.ask(self.session, xid, write.clone());
            out.evidence.model.is_of(self.session, self.host);
            self.is_closing = *write == Write::Close;
        }
        let (op, body) = encode(&asked, self.host);
        self.pending.push_back(Pending { xid, asked, floor, sent_us: out.now_us });
        self.send_header(key, xid, op, |out| out.extend_from_slice(&body), out);
    }

    fn wish(&mut self, out: &Outside) -> Asked {
        // The roots first, by whoever finds them missing.
        if let Some(missing) =
            roots(self.habits).find(|root| out.evidence.model.look(root, out.evidence.tip()).is_none())
        {
            // What a quota says is no number, nor is what only takes room.
            let is_number = !missing.starts_with(QUOTA) && !missing.starts_with(LARGE);
            let value = if is_number { self.value() } else { 0 };
            return Asked::Write(Write::Create { path: missing, value, ephemeral: false, sequential: false });
        }
        if self.fresh > 0 {
            self.fresh -= 1;
            return if self.fresh > 0 { Asked::Sync } else { Asked::Get("/r0".to_owned(), false) };
        }
        let Habits { writes_permille, closes_permille, .. } = self.habits;
        if self.rng.chance(closes_permille) {
            return Asked::Write(Write::Close);
        }
        if self.rng.chance(20)
            && let Some((path, is_recursive)) = self.lasting_wish()
        {
            return Asked::Watch(path, is_recursive);
        }
        if self.rng.chance(100) {
            return self.secret_wish(out);
        }
        let register = format!("/r{}", self.rng.index(REGISTERS));
        let watches = self.watches.len() < WATCHES_MAX && self.rng.chance(300);
        if self.rng.chance(writes_permille) {
            let value = self.value();
            if self.rng.chance(ODD_PERMILLE) {
                return Asked::Write(self.odd_wish(value));
            }
            return Asked::Write(match self.rng.below(10) {
                0..=4 => {
                    let expected = self.rng.chance(100).then_some(0);
                    Write::Set(vec![(register, value)], expected)
                }
                5 => Write::Set(vec![("/r0".into(), value), ("/r1".into(), value + 1)], None),
                6 | 7 => Write::Create {
                    path: format!("{NODES}/c{}-{value:x}", self.at),
                    value,
                    ephemeral: self.rng.chance(500),
                    sequential: false,
                },
                8 => Write::Create {
                    path: format!("{NODES}/s-"),
                    value,
                    ephemeral: self.rng.chance(700),
                    sequential: true,
                },
                _ => match self.own.pop() {
                    Some(path) => Write::Delete(path),
                    None => Write::Set(vec![(register, value)], None),
                },
            });
        }
        match self.rng.below(8) {
            0..=3 => Asked::Get(register, watches),
            4 => Asked::List(watches),
            5 => Asked::Sync,
            _ => match self.own.last() {
                Some(path) => Asked::Exists(path.clone(), watches),
                None => Asked::Get(register, watches),
            },
        }
    }

    /// About what one client keeps from the others.
    fn secret_wish(&mut self, out: &Outside) -> Asked {
        let own = format!("{SECRETS}/c{}", self.at);
        let value = self.value();
        if out.evidence.model.look(&own, out.evidence.tip()).is_none() {
            return Asked::Write(Write::Create { path: own, value, ephemeral: false, sequential: false });
        }
        let any = format!("{SECRETS}/c{}", self.rng.below(4));
        match self.rng.below(6) {
            0 | 1 => Asked::Write(Write::Set(vec![(own, value)], None)),
            2 => Asked::Write(Write::Set(vec![(any, value)], None)),
            3 => Asked::Exists(any, false),
            _ => Asked::Get(any, false),
        }
    }

    /// What hardly any client asks for: more than a quota takes, or what has to be refused.
    fn odd_wish(&mut self, value: Value) -> Write {
        let path = if self.rng.chance(200) {
            NO_PATHS[self.rng.index(NO_PATHS.len())].to_owned()
        } else {
            format!("{LIMITED}/c{}-{value:x}", self.at)
        };
        Write::Create { path, value, ephemeral: true, sequential: false }
    }

    fn value(&mut self) -> Value {
        self.next_value += 2;
        self.next_value
    }
}

/// What has to be there for the rest.
fn roots(habits: Habits) -> impl Iterator<Item = String> {
    let (stats, limits) = (format!("{QUOTA}/zookeeper_stats"), format!("{QUOTA}/zookeeper_limits"));
    let others = [NODES, SECRETS, LIMITED, QUOTA, &stats, &limits].map(str::to_owned);
    let large = (0..habits.large).map(|at| format!("{LARGE}{at}"));
    (0..REGISTERS).map(|register| format!("/r{register}")).chain(others).chain(large)
}

/// What a znode holds: its value, unless it is one of those that say what a quota is, or that take room.
fn data_of(path: &str, value: Value) -> Vec<u8> {
    if path.starts_with(LARGE) {
        return vec![b'.'; LARGE_BYTES];
    }
    match path.strip_prefix(QUOTA) {
        None => value.to_be_bytes().to_vec(),
        Some("/zookeeper_limits") => {
            format!("count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit={}", LIMIT + 1).into_bytes()
        }
        Some(_) => Vec::new(),
    }
}

/// Who may do what: below [`SECRETS`] one client everything, elsewhere all everything, in lists that differ all the same.
fn acl_of(path: &str, value: Value, host: Host) -> Vec<Acl<'static>> {
    let ip = |perms, address: &str| Acl { perms, id: Id::new("ip", address).into_owned() };
    if path.starts_with(SECRETS) && path != SECRETS {
        return vec![ip(Perms::ALL.0, &Setup::ip(host).to_string())];
    }
    let one = usize::try_from(value / 2).unwrap_or(0) % NOBODY.len();
    if value.is_multiple_of(3) {
        vec![Acl::open(), ip(Perms::READ.0, NOBODY[one])]
    } else {
        vec![Acl::open()]
    }
}

fn encode(asked: &Asked, host: Host) -> (OpCode, Vec<u8>) {
    let mut body = Vec::new();
    let text = |path: &str| Some(path.to_owned().into());
    let op = match asked {
        Asked::Write(Write::Set(puts, expected)) => {
            let version = expected.unwrap_or(-1);
            if let [(path, value)] = &puts[..] {
                SetDataRequest { path: text(path), data: Some(&value.to_be_bytes()), version }
                    .encode(&mut body);
                OpCode::SetData
            } else {
                for (path, value) in puts {
                    let data = value.to_be_bytes();
                    MultiItem::SetData(SetDataRequest { path: text(path), data: Some(&data), version: -1 })
                        .encode(&mut body);
                }
                MultiHeader::END.encode(&mut body);
                OpCode::Multi
            }
        }
        Asked::Write(Write::Create { path, value, ephemeral, sequential }) => {
            let flags = i32::from(*ephemeral) + 2 * i32::from(*sequential);
            let data = data_of(path, *value);
            let acl = Some(acl_of(path, *value, host));
            CreateRequest { path: text(path), data: Some(&data), acl, flags }.encode(&mut body);
            OpCode::Create
        }
        Asked::Write(Write::Delete(path)) => {
            DeleteRequest { path: text(path), version: -1 }.encode(&mut body);
            OpCode::Delete
        }
        Asked::Write(Write::Close) => OpCode::CloseSession,
        Asked::Get(path, watch) => {
            PathWatchRequest { path: text(path), watch: *watch }.encode(&mut body);
            OpCode::GetData
        }
        Asked::Exists(path, watch) => {
            PathWatchRequest { path: text(path), watch: *watch }.encode(&mut body);
            OpCode::Exists
        }
        Asked::List(watch) => {
            PathWatchRequest { path: text(NODES), watch: *watch }.encode(&mut body);
            OpCode::GetChildren2
        }
        Asked::Watch(path, is_recursive) => Client::encode_add_watch(path, *is_recursive, &mut body),
        Asked::Sync => {
            PathRequest { path: text("/") }.encode(&mut body);
            OpCode::Sync
        }
    };
    (op, body)
}
