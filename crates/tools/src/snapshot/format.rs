//! `zkSnapShotToolkit.sh`: shows a snapshot.
//!
//! Source: `server.SnapshotFormatter`.

use std::fmt::Write;
use std::fs::{self, File};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proto::StatPersisted;
use store::names;

use super::json;
use super::tree::{Node, Tree};
use crate::failure::Failure;
use crate::java::date::Date;
use crate::java::path;
use crate::out::Out;
use crate::properties::Properties;

const USAGE: &str = "\
USAGE: SnapshotFormatter [-d|-json] snapshot_file
       -d dump the data for each znode
       -json dump znode info in json format";

/// Runs the tool and gives its exit code.
pub(crate) fn run(words: &[String], properties: &Properties, out: &mut Out) -> Result<u8, Failure> {
    let (mut with_data, mut as_json) = (false, false);
    let mut words = words.iter();
    let file = loop {
        match words.next().map(String::as_str) {
            Some("-d") => with_data = true,
            Some("-json") => as_json = true,
            Some(file) if words.as_slice().is_empty() => break file,
            Some(_) | None => return Err(Failure::told(2, USAGE)),
        }
    };
    if let Some(trouble) = trouble_with(file) {
        return Err(Failure::told(2, trouble));
    }
    if with_data && as_json {
        let complaint = "Cannot specify both data dump (-d) and json mode (-json) in same call";
        return Err(Failure::told(2, complaint));
    }
    let file = path::normalized(file);
    let tree = Tree::load(&file, with_data, properties)?;
    if as_json {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        json::show(&tree, now.as_millis(), out);
    } else {
        show(&tree, path::name(&file), with_data, properties, out);
    }
    Ok(0)
}

/// Source: `ZKUtil#validateFileInput`.
fn trouble_with(file: &str) -> Option<String> {
    let shown = path::absolute(&path::normalized(file));
    let Ok(metadata) = fs::metadata(file) else { return Some(format!("File '{shown}' does not exist.")) };
    if File::open(file).is_err() {
        return Some(format!("Read permission is denied on the file '{shown}'"));
    }
    metadata.is_dir().then(|| format!("'{shown}' is a directory. it must be a file."))
}

fn show(tree: &Tree, name: &str, with_data: bool, properties: &Properties, out: &mut Out) {
    out.line(format_args!("ZNode Details (count={}):", tree.count()));
    let mut newest = names::snapshot_zxid(name).map_or(-1, |zxid| zxid.0);
    let mut text = String::new();
    for (at, depth) in tree.walk(tree.root(), Tree::children_shown) {
        let node = tree.node(at);
        newest = newest.max(node.stat.mzxid.0).max(node.stat.pzxid.0);
        text.clear();
        let path = if depth == 0 { "/" } else { &*node.path };
        put_node(&mut text, path, node, with_data, properties);
        out.text(&text);
        if out.is_cut_off() {
            return;
        }
    }
    out.text("----\nSession Details (sid, timeout, ephemeralCount):\n");
    for (id, timeout_ms, ephemerals) in tree.sessions_shown() {
        out.line(format_args!("{id:#016x}, {timeout_ms}, {ephemerals}"));
    }
    out.line(format_args!("----\nLast zxid: 0x{newest:x}"));
}

fn put_node(text: &mut String, path: &str, node: &Node, with_data: bool, properties: &Properties) {
    let StatPersisted { czxid, mzxid, pzxid, ctime, mtime, .. } = node.stat;
    let StatPersisted { cversion, version, aversion, ephemeral_owner, .. } = node.stat;
    let date = |ms| Date::new(ms, &properties.time_zone);
    let (ctime, mtime) = (date(ctime), date(mtime));
    // Writing into a string cannot fail.
    let _ = write!(
        text,
        "----\n{path}\n  cZxid = {:#016x}\n  ctime = {}\n  mZxid = {:#016x}\n  mtime = {}\n  pZxid = {:#016x}\n  \
         cversion = {cversion}\n  dataVersion = {version}\n  aclVersion = {aversion}\n  \
         ephemeralOwner = {ephemeral_owner:#016x}\n",
        czxid.0,
        ctime.long(),
        mzxid.0,
        mtime.long(),
        pzxid.0,
    );
    let _ = match with_data {
        true => writeln!(text, "  data = {}", STANDARD.encode(&node.data)),
        false => writeln!(text, "  dataLength = {}", node.data_len),
    };
}
