//! Every record of `zookeeper.jute` against our struct of it: the fields, their order and their types.
//!
//! The table says of each record its fields as `javaName:type`, or `javaName>ourName:type` where the names differ by
//! more than their spelling, with `-` for what the struct does not keep. Types are `i` int, `l` long, `z` boolean,
//! `s` ustring, `b` buffer, and `[...]` a vector of what stands inside; `@n` fixes a value that only has that one.
//! Source: `zookeeper.jute` of 3.9.5.

use std::fmt::Debug;

use proto::quorum::{LearnerInfo, LearnerPacket, QuorumAuthPacket};
use proto::{
    Acl, AclReply, AddWatchReply, AddWatchRequest, AuthPacket, CheckVersionRequest, CheckVersionTxn,
    Children2Reply, ChildrenReply, ClientInfo, CloseSessionTxn, ConnectRequest, ConnectResponse,
    Create2Reply, CreateContainerTxn, CreateReply, CreateRequest, CreateSessionTxn, CreateTtlRequest,
    CreateTtlTxn, CreateTxn, CreateTxnV0, DataReply, Decode, DeleteRequest, DeleteTxn, Encode,
    EphemeralsReply, ErrorTxn, GetEphemeralsRequest, Id, MultiHeader, PathRequest, PathWatchRequest, Reader,
    ReconfigRequest, ReplyHeader, RequestHeader, SaslReply, SaslRequest, SetAclRequest, SetAclTxn,
    SetDataRequest, SetDataTxn, SetWatches, SetWatches2, Stat, StatPersisted, StatReply, SubTxn, SyncReply,
    TotalReply, TxnDigest, TxnHeader, WatcherEvent, WatchesRequest, WhoAmIReply,
};

/// The stat inside replies, one field here and eleven there.
const STAT: &str = "stat:lllliiiliil";

const TABLE: &[(&str, &str)] = &[
    ("Id", "scheme:s id:s"),
    ("ACL", "perms:i id:ss"),
    (
        "Stat",
        "czxid:l mzxid:l ctime:l mtime:l version:i cversion:i aversion:i ephemeralOwner:l dataLength:i numChildren:i \
         pzxid:l",
    ),
    (
        "StatPersisted",
        "czxid:l mzxid:l ctime:l mtime:l version:i cversion:i aversion:i ephemeralOwner:l pzxid:l",
    ),
    ("ClientInfo", "authScheme>scheme:s user:s"),
    (
        "ConnectRequest",
        "protocolVersion:i lastZxidSeen:l timeOut>timeout_ms:i sessionId:l passwd>password:b readOnly:z",
    ),
    (
        "ConnectResponse",
        "protocolVersion>-:i@0 timeOut>timeout_ms:i sessionId:l passwd>password:b readOnly:z",
    ),
    ("SetWatches", "relativeZxid:l dataWatches>data:[s] existWatches>exist:[s] childWatches>child:[s]"),
    (
        "SetWatches2",
        "relativeZxid:l dataWatches>data:[s] existWatches>exist:[s] childWatches>child:[s] \
         persistentWatches>persistent:[s] persistentRecursiveWatches>persistent_recursive:[s]",
    ),
    ("RequestHeader", "xid:i type>kind:i"),
    ("MultiHeader", "type>kind:i done:z err:i"),
    ("AuthPacket", "type>kind:i scheme:s auth:b"),
    ("ReplyHeader", "xid:i zxid:l err:i"),
    ("GetDataRequest", "path:s watch:z"),
    ("SetDataRequest", "path:s data:b version:i"),
    (
        "ReconfigRequest",
        "joiningServers>joining:s leavingServers>leaving:s newMembers:s curConfigId>current_config:l",
    ),
    ("SetDataResponse", STAT),
    ("SetSASLRequest", "token:b"),
    ("SetSASLResponse", "token:b"),
    ("CreateRequest", "path:s data:b acl:[iss] flags:i"),
    ("CreateTTLRequest", "path:s data:b acl:[iss] flags:i ttl>ttl_ms:l"),
    ("DeleteRequest", "path:s version:i"),
    ("GetChildrenRequest", "path:s watch:z"),
    ("GetAllChildrenNumberRequest", "path:s"),
    ("GetChildren2Request", "path:s watch:z"),
    ("CheckVersionRequest", "path:s version:i"),
    ("SyncRequest", "path:s"),
    ("SyncResponse", "path:s"),
    ("GetACLRequest", "path:s"),
    ("SetACLRequest", "path:s acl:[iss] version:i"),
    ("SetACLResponse", STAT),
    ("AddWatchRequest", "path:s mode:i"),
    ("WatcherEvent", "type>kind:i state:i path:s"),
    ("ErrorResponse", "err:i"),
    ("CreateResponse", "path:s"),
    ("Create2Response", "path:s stat:lllliiiliil"),
    ("ExistsRequest", "path:s watch:z"),
    ("ExistsResponse", STAT),
    ("GetDataResponse", "data:b stat:lllliiiliil"),
    ("GetChildrenResponse", "children:[s]"),
    ("GetAllChildrenNumberResponse", "totalNumber>total:i"),
    ("GetChildren2Response", "children:[s] stat:lllliiiliil"),
    ("GetACLResponse", "acl:[iss] stat:lllliiiliil"),
    ("CheckWatchesRequest", "path:s type>kind:i"),
    ("RemoveWatchesRequest", "path:s type>kind:i"),
    ("GetEphemeralsRequest", "prefixPath>prefix:s"),
    ("GetEphemeralsResponse", "ephemerals:[s]"),
    ("WhoAmIResponse", "clientInfo>clients:[ss]"),
    ("LearnerInfo", "serverid>sid:l protocolVersion:i configVersion:l"),
    ("QuorumAuthPacket", "magic>-:l@6855662812065295820 status:i@1 token:b"),
    ("TxnDigest", "version:i treeDigest:l"),
    ("TxnHeader", "clientId>session:l cxid:i zxid:l time:l type>kind:i"),
    ("CreateTxnV0", "path:s data:b acl:[iss] ephemeral:z"),
    ("CreateTxn", "path:s data:b acl:[iss] ephemeral:z parentCVersion>parent_cversion:i"),
    ("CreateTTLTxn", "path:s data:b acl:[iss] parentCVersion>parent_cversion:i ttl>ttl_ms:l"),
    ("CreateContainerTxn", "path:s data:b acl:[iss] parentCVersion>parent_cversion:i"),
    ("DeleteTxn", "path:s"),
    ("SetDataTxn", "path:s data:b version:i"),
    ("CheckVersionTxn", "path:s version:i"),
    ("SetACLTxn", "path:s acl:[iss] version:i"),
    ("CreateSessionTxn", "timeOut>timeout_ms:i"),
    ("CloseSessionTxn", "paths2Delete>paths:[s]"),
    ("ErrorTxn", "err:i"),
    ("Txn", "type>kind:i data:b"),
    ("MultiTxn", "txns>-:[ib]"),
];

/// One field of the table.
struct Field {
    ours: Option<String>,
    types: &'static str,
    fixed: Option<i64>,
}

fn fields(record: &str) -> Vec<Field> {
    let (_, fields) = TABLE.iter().find(|(name, _)| *name == record).expect("a record of the table");
    fields.split_whitespace().map(field).collect()
}

fn field(text: &'static str) -> Field {
    let (names, types) = text.split_once(':').expect("name:type");
    let (types, fixed) = match types.split_once('@') {
        Some((types, fixed)) => (types, Some(fixed.parse().expect("a number"))),
        None => (types, None),
    };
    let ours = match names.split_once('>') {
        Some((_, "-")) => None,
        Some((_, ours)) => Some(ours.to_owned()),
        None => Some(snake_case(names)),
    };
    Field { ours, types, fixed }
}

fn snake_case(java: &str) -> String {
    let mut out = String::new();
    for c in java.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// Writes sample values, every one different from the others, or null where that is possible.
struct Sample {
    bytes: Vec<u8>,
    next: u8,
    nulls: bool,
}

impl Sample {
    fn of(record: &str, nulls: bool) -> Vec<u8> {
        let mut sample = Self { bytes: Vec::new(), next: 1, nulls };
        for field in fields(record) {
            sample.put(field.types, field.fixed);
        }
        sample.bytes
    }

    fn put(&mut self, types: &str, fixed: Option<i64>) {
        if let Some(inside) = types.strip_prefix('[') {
            let inside = inside.strip_suffix(']').expect("a vector ends");
            if !self.nulls {
                self.bytes.extend(2_i32.to_be_bytes());
                self.put(inside, None);
                self.put(inside, None);
                return;
            }
            return self.bytes.extend((-1_i32).to_be_bytes());
        }
        for one in types.chars() {
            self.next += 1;
            let value = fixed.unwrap_or(i64::from(self.next));
            match one {
                'i' => self.bytes.extend(i32::try_from(value).expect("an int").to_be_bytes()),
                'l' => self.bytes.extend(value.to_be_bytes()),
                'z' => self.bytes.push(1),
                's' | 'b' if self.nulls => self.bytes.extend((-1_i32).to_be_bytes()),
                // Sixteen bytes, since a password has no other length.
                's' | 'b' => proto::wire::put_bytes(&[b'a' + self.next % 26; 16], &mut self.bytes),
                other => panic!("unknown type {other}"),
            }
        }
    }
}

fn encoded(record: &impl Encode) -> Vec<u8> {
    let mut out = Vec::new();
    record.encode(&mut out);
    out
}

/// The names of the fields that `Debug` shows at the outermost level.
fn names_shown(record: &impl Debug) -> Vec<String> {
    let text = format!("{record:?}");
    let (mut depth, mut names, mut word) = (0, Vec::new(), String::new());
    for c in text.chars() {
        match c {
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => depth -= 1,
            ':' if depth == 1 => names.push(std::mem::take(&mut word)),
            _ if c.is_ascii_alphanumeric() || c == '_' => word.push(c),
            _ => {}
        }
        if !(c.is_ascii_alphanumeric() || c == '_') {
            word.clear();
        }
    }
    names
}

/// `bytes` are a `T` and nothing else, and `T` is these bytes; its fields have the names of the table.
fn compare<'a, T: Decode<'a> + Encode + Debug>(record: &str, bytes: &'a [u8]) {
    let mut reader = Reader::new(bytes);
    let value: T = reader.take().unwrap_or_else(|error| panic!("{record}: {error}"));
    assert_eq!(reader.rest(), [0_u8; 0], "{record} has more fields than ours");
    assert_eq!(encoded(&value), bytes, "{record}");
    let expected: Vec<_> = fields(record).into_iter().filter_map(|field| field.ours).collect();
    assert_eq!(names_shown(&value), expected, "{record}");
}

macro_rules! records {
    ($($record:literal $ours:ty;)*) => {
        const COMPARED: &[&str] = &[$($record),*];

        #[test]
        fn every_record_has_javas_layout() {
            $(
                compare::<$ours>($record, &Sample::of($record, false));
                // A session's password is never null in an answer.
                if $record != "ConnectResponse" {
                    compare::<$ours>($record, &Sample::of($record, true));
                }
            )*
        }
    };
}

records! {
    "Id" Id<'_>;
    "ACL" Acl<'_>;
    "Stat" Stat;
    "StatPersisted" StatPersisted;
    "ClientInfo" ClientInfo<'_>;
    "ConnectRequest" ConnectRequest<'_>;
    "ConnectResponse" ConnectResponse;
    "SetWatches" SetWatches<'_>;
    "SetWatches2" SetWatches2<'_>;
    "RequestHeader" RequestHeader;
    "MultiHeader" MultiHeader;
    "AuthPacket" AuthPacket<'_>;
    "ReplyHeader" ReplyHeader;
    "GetDataRequest" PathWatchRequest<'_>;
    "SetDataRequest" SetDataRequest<'_>;
    "ReconfigRequest" ReconfigRequest<'_>;
    "SetDataResponse" StatReply;
    "SetSASLRequest" SaslRequest<'_>;
    "SetSASLResponse" SaslReply<'_>;
    "CreateRequest" CreateRequest<'_>;
    "CreateTTLRequest" CreateTtlRequest<'_>;
    "DeleteRequest" DeleteRequest<'_>;
    "GetChildrenRequest" PathWatchRequest<'_>;
    "GetAllChildrenNumberRequest" PathRequest<'_>;
    "GetChildren2Request" PathWatchRequest<'_>;
    "CheckVersionRequest" CheckVersionRequest<'_>;
    "SyncRequest" PathRequest<'_>;
    "SyncResponse" SyncReply<'_>;
    "GetACLRequest" PathRequest<'_>;
    "SetACLRequest" SetAclRequest<'_>;
    "SetACLResponse" StatReply;
    "AddWatchRequest" AddWatchRequest<'_>;
    "WatcherEvent" WatcherEvent<'_>;
    "ErrorResponse" AddWatchReply;
    "CreateResponse" CreateReply<'_>;
    "Create2Response" Create2Reply<'_>;
    "ExistsRequest" PathWatchRequest<'_>;
    "ExistsResponse" StatReply;
    "GetDataResponse" DataReply<'_>;
    "GetChildrenResponse" ChildrenReply<'_>;
    "GetAllChildrenNumberResponse" TotalReply;
    "GetChildren2Response" Children2Reply<'_>;
    "GetACLResponse" AclReply<'_>;
    "CheckWatchesRequest" WatchesRequest<'_>;
    "RemoveWatchesRequest" WatchesRequest<'_>;
    "GetEphemeralsRequest" GetEphemeralsRequest<'_>;
    "GetEphemeralsResponse" EphemeralsReply<'_>;
    "WhoAmIResponse" WhoAmIReply<'_>;
    "LearnerInfo" LearnerInfo;
    "QuorumAuthPacket" QuorumAuthPacket<'_>;
    "TxnDigest" TxnDigest;
    "TxnHeader" TxnHeader;
    "CreateTxnV0" CreateTxnV0<'_>;
    "CreateTxn" CreateTxn<'_>;
    "CreateTTLTxn" CreateTtlTxn<'_>;
    "CreateContainerTxn" CreateContainerTxn<'_>;
    "DeleteTxn" DeleteTxn<'_>;
    "SetDataTxn" SetDataTxn<'_>;
    "CheckVersionTxn" CheckVersionTxn<'_>;
    "SetACLTxn" SetAclTxn<'_>;
    "CreateSessionTxn" CreateSessionTxn;
    "CloseSessionTxn" CloseSessionTxn<'_>;
    "ErrorTxn" ErrorTxn;
    "Txn" SubTxn<'_>;
    "MultiTxn" Option<Vec<SubTxn<'_>>>;
}

#[test]
fn no_record_of_the_table_is_left_out() {
    let table: Vec<_> = TABLE.iter().map(|(name, _)| *name).collect();
    assert_eq!(COMPARED, table);
}

/// `QuorumPacket` has no struct: each packet is a variant. REQUEST is the one that uses all four fields.
#[test]
fn quorum_packet_has_javas_layout() {
    let mut sample = Sample { bytes: Vec::new(), next: 0, nulls: false };
    sample.put("i", Some(1));
    sample.put("l", Some(-1));
    sample.put("b", None);
    sample.put("[ss]", None);
    let mut reader = Reader::new(&sample.bytes);
    let packet = LearnerPacket::decode(&mut reader).expect("a sample decodes");
    assert_eq!(reader.rest(), [0_u8; 0]);
    assert_eq!(encoded(&packet), sample.bytes);
}
