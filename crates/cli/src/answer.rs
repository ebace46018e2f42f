//! What commands answer, as the original's text and as JSON.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use proto::wire::text_lossy;
use proto::{AclList, Perms, Stat};
use serde_json::{Map, Value, json};

use crate::quota::Limits;

/// How data is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum View {
    /// As UTF-8, with U+FFFD for what is none.
    Text,
    /// `get -b`.
    Base64,
    /// `get -x`.
    Hex,
}

/// What a command answers.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Nothing, or nothing more.
    Silent,
    /// A line that is an answer by itself.
    Line(String),
    /// A new znode, which the original tells on standard error.
    Created(String),
    /// `get`.
    Data { path: String, data: Option<Vec<u8>>, view: View, stat: Stat, with_stat: bool },
    /// `ls`; the names are sorted.
    Children { path: String, names: Vec<String>, stat: Stat, with_stat: bool },
    /// `stat`, and `set` and `setAcl`, which show it only when asked.
    Stat { path: String, stat: Stat, shown: bool },
    /// `getAcl`.
    Acl { path: String, acl: AclList, stat: Stat, with_stat: bool },
    /// `getEphemerals`.
    Paths(Vec<String>),
    /// `getAllChildrenNumber`.
    Count { path: String, count: i32 },
    /// `whoami`.
    Identities(Vec<(String, String)>),
    /// `listquota`.
    Quota { path: String, limits: Limits, usage: Limits },
    /// `config` and `reconfig`: what is printed, and the membership.
    Config { text: String, config: String, stat: Stat, with_stat: bool },
}

impl Answer {
    /// A line that belongs to standard error.
    pub(crate) fn aside(&self) -> Option<String> {
        if let Self::Created(path) = self { Some(format!("Created {path}")) } else { None }
    }

    /// The original's text.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Silent | Self::Created(_) => String::new(),
            Self::Line(line) => format!("{line}\n"),
            Self::Data { data, view, stat, with_stat, .. } => {
                let data = data.as_deref().unwrap_or(b"null");
                let shown = match view {
                    View::Text => text_lossy(data).into_owned(),
                    View::Base64 => STANDARD.encode(data),
                    View::Hex => hex_dump(data),
                };
                format!("{shown}\n{}", stat_text(stat, *with_stat))
            }
            Self::Children { names, stat, with_stat, .. } => {
                format!("[{}]\n{}", names.join(", "), stat_text(stat, *with_stat))
            }
            Self::Stat { stat, shown, .. } => stat_text(stat, *shown),
            Self::Acl { acl, stat, with_stat, .. } => acl_text(acl) + &stat_text(stat, *with_stat),
            Self::Paths(paths) => format!("[{}]\n", paths.join(", ")),
            Self::Count { count, .. } => format!("{count}\n"),
            Self::Identities(all) => {
                all.iter().fold("Auth scheme: User\n".to_owned(), |mut text, (scheme, user)| {
                    let _ = writeln!(text, "{scheme}: {user}");
                    text
                })
            }
            Self::Quota { path, limits, usage } => {
                format!("Output quota for {path} {limits}\nOutput stat for {path} {usage}\n")
            }
            Self::Config { text, stat, with_stat, .. } => format!("{text}\n{}", stat_text(stat, *with_stat)),
        }
    }

    /// The same as JSON; `None` where there is nothing to say.
    pub(crate) fn json(&self) -> Option<Value> {
        Some(match self {
            Self::Silent => return None,
            Self::Line(line) => json!({ "text": line }),
            Self::Created(path) => json!({ "created": path }),
            Self::Data { path, data, stat, .. } => {
                let mut value = json!({ "path": path, "stat": stat_json(stat) });
                put_data(&mut value, data.as_deref());
                value
            }
            Self::Children { path, names, stat, .. } => {
                json!({ "path": path, "children": names, "stat": stat_json(stat) })
            }
            Self::Stat { path, stat, .. } => json!({ "path": path, "stat": stat_json(stat) }),
            Self::Acl { path, acl, stat, .. } => {
                json!({ "path": path, "acl": acl_json(acl), "stat": stat_json(stat) })
            }
            Self::Paths(paths) => json!({ "paths": paths }),
            Self::Count { path, count } => json!({ "path": path, "count": count }),
            Self::Identities(all) => {
                let all: Vec<Value> =
                    all.iter().map(|(scheme, user)| json!({ "scheme": scheme, "user": user })).collect();
                json!({ "identities": all })
            }
            Self::Quota { path, limits, usage } => {
                json!({ "path": path, "limits": limits.json(), "usage": usage.json() })
            }
            Self::Config { config, stat, .. } => json!({ "config": config, "stat": stat_json(stat) }),
        })
    }
}

/// `data` and, where it is no UTF-8, `encoding`.
pub(crate) fn put_data(value: &mut Value, data: Option<&[u8]>) {
    let Some(object) = value.as_object_mut() else { return };
    let shown = data.map(|bytes| str::from_utf8(bytes).map_err(|_| STANDARD.encode(bytes)));
    let (data, is_base64) = match shown {
        None => (Value::Null, false),
        Some(Ok(text)) => (Value::from(text), false),
        Some(Err(base64)) => (Value::from(base64), true),
    };
    object.insert("data".to_owned(), data);
    if is_base64 {
        object.insert("encoding".to_owned(), Value::from("base64"));
    }
}

/// Source: `StatPrinter`.
fn stat_text(stat: &Stat, is_wanted: bool) -> String {
    if !is_wanted {
        return String::new();
    }
    format!(
        "cZxid = {:#x}\nctime = {}\nmZxid = {:#x}\nmtime = {}\npZxid = {:#x}\ncversion = {}\ndataVersion = {}\n\
         aclVersion = {}\nephemeralOwner = {:#x}\ndataLength = {}\nnumChildren = {}\n",
        stat.czxid.0,
        date(stat.ctime),
        stat.mzxid.0,
        date(stat.mtime),
        stat.pzxid.0,
        stat.cversion,
        stat.version,
        stat.aversion,
        stat.ephemeral_owner.0,
        stat.data_length,
        stat.num_children,
    )
}

/// A `Stat` as JSON: ids in hexadecimal as everywhere in ZooKeeper, times in milliseconds since 1970.
pub(crate) fn stat_json(stat: &Stat) -> Value {
    json!({
        "czxid": stat.czxid.to_string(),
        "ctime": stat.ctime,
        "mzxid": stat.mzxid.to_string(),
        "mtime": stat.mtime,
        "pzxid": stat.pzxid.to_string(),
        "cversion": stat.cversion,
        "version": stat.version,
        "aversion": stat.aversion,
        "ephemeralOwner": stat.ephemeral_owner.to_string(),
        "dataLength": stat.data_length,
        "numChildren": stat.num_children,
    })
}

/// A moment as `java.util.Date#toString` shows it, in the local time zone.
fn date(millis: i64) -> String {
    let moment = Timestamp::from_millisecond(millis).unwrap_or_default();
    moment.to_zoned(TimeZone::system()).strftime("%a %b %d %H:%M:%S %Z %Y").to_string()
}

/// Source: `GetAclCommand`; the odd line break is that of `Id#toString`.
fn acl_text(acl: &AclList) -> String {
    let mut text = String::new();
    for entry in acl {
        let part = |part: &proto::Text<'_>| part.as_deref().unwrap_or_default().to_owned();
        let (scheme, id) = (part(&entry.id.scheme), part(&entry.id.id));
        let _ = writeln!(text, "'{scheme},'{id}\n: {}", perms_text(entry.perms));
    }
    text
}

/// A list as JSON, each entry in the form `create` and `setAcl` take.
pub(crate) fn acl_json(acl: &AclList) -> Value {
    let entry = |entry: &proto::Acl<'_>| {
        let part = |part: &proto::Text<'_>| part.as_deref().unwrap_or_default().to_owned();
        Value::from(format!("{}:{}:{}", part(&entry.id.scheme), part(&entry.id.id), perms_text(entry.perms)))
    };
    Value::Array(acl.iter().map(entry).collect())
}

/// Source: `ZKUtil#constructPermString`.
fn perms_text(perms: i32) -> String {
    let letters = [
        (Perms::CREATE, 'c'),
        (Perms::DELETE, 'd'),
        (Perms::READ, 'r'),
        (Perms::WRITE, 'w'),
        (Perms::ADMIN, 'a'),
    ];
    letters.iter().filter(|(perm, _)| Perms(perms).meets(*perm)).map(|(_, letter)| letter).collect()
}

/// Source: Netty's `ByteBufUtil#prettyHexDump`.
fn hex_dump(data: &[u8]) -> String {
    const LINE: &str = "+--------+-------------------------------------------------+----------------+";
    if data.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "         +-------------------------------------------------+\n         |  0  1  2  3  4  5  6  7  8  9  a  \
         b  c  d  e  f |\n{LINE}"
    );
    for (row, bytes) in data.chunks(16).enumerate() {
        let hex: String = bytes.iter().map(|byte| format!(" {byte:02x}")).collect();
        let signs: String = bytes.iter().map(|&byte| shown(byte)).collect();
        let _ = write!(text, "\n|{:08x}|{hex:48} |{signs:16}|", row * 16);
    }
    text + "\n" + LINE
}

fn shown(byte: u8) -> char {
    if (0x20..0x7f).contains(&byte) { char::from(byte) } else { '.' }
}

/// An object with these entries in order.
pub(crate) fn object<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Object(entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_dumped_as_netty_does() {
        assert_eq!(hex_dump(b""), "");
        let dump = hex_dump(b"0123456789abcdef\x00\xff");
        let rows: Vec<&str> = dump.lines().skip(3).collect();
        assert_eq!(rows[0], "|00000000| 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 |0123456789abcdef|");
        assert_eq!(rows[1], "|00000010| 00 ff                                           |..              |");
        assert!(dump.lines().all(|line| line.len() <= rows[0].len()));
    }

    #[test]
    fn bytes_that_are_no_text_are_base64_in_json() {
        let shown = |data: Option<&[u8]>| {
            let mut value = json!({});
            put_data(&mut value, data);
            value.to_string()
        };
        assert_eq!(shown(None), r#"{"data":null}"#);
        assert_eq!(shown(Some(b"a\"")), r#"{"data":"a\""}"#);
        assert_eq!(shown(Some(b"\xff")), r#"{"data":"/w==","encoding":"base64"}"#);
    }
}
