//! `export` and `import`: a subtree as lines of JSON.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write, stdin};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use client::check_path;
use proto::{AclList, SessionId};
use serde_json::Value;

use super::copy::{everything, moved, report};
use super::write::{Wish, Writer};
use crate::answer::{Answer, acl_json};
use crate::commands::{Input, parse_acl};
use crate::shell::Shell;
use crate::trouble::Trouble;
use crate::walk::{Visit, walk};

/// `export`. Paths are those below the exported znode, which is `/` itself.
pub(crate) fn export(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    let root = input.arg(1)?;
    check_path(root)?;
    let mut file = match input.parsed.value("f") {
        None => None,
        Some(name) => {
            let made =
                File::create(name).map_err(|error| Trouble::told(format!("cannot write {name}: {error}")))?;
            Some((name, BufWriter::new(made)))
        }
    };
    let mut lists = Lists::default();
    walk(shell, root, everything, |visit| {
        let line = exported(&visit, &moved(visit.path, root, "/"), &mut lists)?;
        match &mut file {
            None => shell.console.line(&line),
            Some((name, file)) => writeln!(file, "{line}")
                .map_err(|error| Trouble::told(format!("cannot write {name}: {error}")))?,
        }
        visit.children(0)
    })?;
    if let Some((name, mut file)) = file {
        file.flush().map_err(|error| Trouble::told(format!("cannot write {name}: {error}")))?;
    }
    Ok(Answer::Silent)
}

/// The access control list seen last and its JSON: most znodes have the one of the znode before.
#[derive(Default)]
struct Lists {
    last: AclList,
    json: Option<String>,
}

impl Lists {
    fn json(&mut self, acl: AclList) -> &str {
        if self.last != acl {
            self.last = acl;
            self.json = None;
        }
        self.json.get_or_insert_with(|| acl_json(&self.last).to_string())
    }
}

/// One line. It is put together by hand, which takes a third of the time that a [`Value`] takes.
fn exported(visit: &Visit<'_>, path: &str, lists: &mut Lists) -> Result<String, Trouble> {
    let told = |failure| Trouble::request(failure, visit.path);
    let (data, stat) = visit.reply(1)?.data().map_err(told)?;
    let (acl, _) = visit.reply(2)?.acl().map_err(told)?;
    let mut line = format!("{{\"path\":{},\"data\":", quoted(path));
    match data.as_deref().map(str::from_utf8) {
        None => line.push_str("null"),
        Some(Ok(text)) => line.push_str(&quoted(text)),
        Some(Err(_)) => {
            let base64 = STANDARD.encode(data.unwrap_or_default());
            line.push_str(&format!("\"{base64}\",\"encoding\":\"base64\""));
        }
    }
    line.push_str(",\"acl\":");
    line.push_str(lists.json(acl));
    if stat.ephemeral_owner != SessionId::NONE {
        line.push_str(&format!(",\"ephemeralOwner\":\"{}\"", stat.ephemeral_owner));
    }
    line.push('}');
    Ok(line)
}

/// A JSON string.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("every text can be written as JSON")
}

/// `import`. Ephemeral znodes are left out; the top one may be there already.
pub(crate) fn import(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    let root = input.arg(1)?;
    check_path(root)?;
    let name = input.parsed.value("f").unwrap_or("-");
    let told = |error: std::io::Error| Trouble::told(format!("cannot read {name}: {error}"));
    let lines: Box<dyn BufRead> = match name {
        "-" => Box::new(stdin().lock()),
        _ => Box::new(BufReader::new(File::open(name).map_err(told)?)),
    };
    let mut writer = Writer::new(&shell.console, shell.client(), input.parsed.has("u"));
    let mut left_out = 0;
    for (number, line) in (1_u64..).zip(lines.lines()) {
        let line = line.map_err(told)?;
        if line.trim().is_empty() {
            continue;
        }
        let value: Value = serde_json::from_str(&line)
            .map_err(|error| Trouble::told(format!("line {number} of {name} is no JSON: {error}")))?;
        if value.get("ephemeralOwner").is_some() {
            left_out += 1;
            continue;
        }
        let wish = imported(shell, &value, root)
            .ok_or_else(|| Trouble::told(format!("line {number} of {name} is no exported znode")))?;
        check_path(&wish.path)?;
        writer.put(wish)?;
    }
    writer.finish()?;
    report(shell, writer.created, writer.overwritten, left_out);
    Ok(Answer::Silent)
}

/// `None`: the value is no znode.
fn imported(shell: &Shell, value: &Value, root: &str) -> Option<Wish> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let path = text("path")?;
    let data = match (value.get("data")?, text("encoding")) {
        (Value::Null, _) => None,
        (Value::String(text), None) => Some(text.as_bytes().to_vec()),
        (Value::String(text), Some("base64")) => Some(STANDARD.decode(text).ok()?),
        _ => return None,
    };
    let entries = value.get("acl")?.as_array()?;
    let acl = entries.iter().map(|entry| Some(parse_acl(shell, entry.as_str()?)));
    let acl = acl.collect::<Option<Vec<_>>>()?.concat();
    Some(Wish { path: moved(path, "/", root), data, acl, may_exist: path == "/" })
}
