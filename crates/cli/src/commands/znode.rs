//! Commands about znodes and their data.

use std::collections::VecDeque;
use std::fs;
use std::io::{Read, stdin};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use client::{CreateMode, Failure, Request, Ticket, check_path};
use proto::{Acl, AclList, Code, DeleteRequest, MultiItem};

use super::{Input, parse_acl};
use crate::answer::{Answer, View};
use crate::options::listed;
use crate::progress::Progress;
use crate::shell::Shell;
use crate::trouble::{Trouble, keeper_message};
use crate::walk::{join, sort, walk};

/// The longest time to live. Source: `EphemeralType.TTL`.
const TTL_MS_MAX: i64 = 0xff_ffff_ffff;
/// How many deletions go into one request of `deleteall`.
const BATCH: i32 = 1000;
/// How many of those requests are on their way at once. Source: `ZKUtil#deleteInBatch`.
const BATCHES_MAX: usize = 10;
/// How many lists of children `deleteall` asks for at once.
const LISTS_MAX: usize = 512;

/// `create`.
pub(crate) fn create(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    let path = input.arg(1)?;
    let mode = create_mode(&input)?;
    let from_file = input.parsed.value("f").map(read_data).transpose()?;
    let acl_place = if from_file.is_some() { 2 } else { 3 };
    let data = from_file.or_else(|| input.arg_if_any(2).map(|text| text.as_bytes().to_vec()));
    let acl = match input.arg_if_any(acl_place) {
        Some(text) => parse_acl(shell, text),
        None => vec![Acl::open()],
    };
    // A number will follow the path of a sequential znode, so that it may end with a slash.
    if mode.is_sequential() { check_path(&format!("{path}1")) } else { check_path(path) }?;
    if acl.is_empty() {
        return Err(invalid_acl(shell, None));
    }
    match shell.client().create(path, data.as_deref(), &acl, mode) {
        Ok(made) => Ok(Answer::Created(made)),
        Err(Failure::Refused(Code::InvalidAcl)) => Err(invalid_acl(shell, Some(path))),
        Err(failure) => {
            if failure == Failure::Refused(Code::EphemeralOnLocalSession) {
                shell.console.error("Unable to create ephemeral node on a local session");
            }
            Err(Trouble::request(failure, path))
        }
    }
}

/// `create` tells a wrong list twice.
fn invalid_acl(shell: &Shell, path: Option<&str>) -> Trouble {
    let failure = Failure::Refused(Code::InvalidAcl);
    shell.console.error(&keeper_message(failure, path));
    Trouble::of(failure, path)
}

fn create_mode(input: &Input) -> Result<CreateMode, Trouble> {
    let has = |option| input.parsed.has(option);
    let (ephemeral, sequential, container) = (has("e"), has("s"), has("c"));
    if container && (ephemeral || sequential) {
        return Err(Trouble::told(
            "-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.",
        ));
    }
    let ttl: Option<i64> = match input.parsed.value("t") {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| Trouble::told("-t argument must be a long value"))?),
    };
    if let Some(ttl) = ttl {
        if ephemeral {
            return Err(Trouble::told("TTLs cannot be used with Ephemeral znodes"));
        }
        if container {
            return Err(Trouble::told("TTLs cannot be used with Container znodes"));
        }
        if !(1..=TTL_MS_MAX).contains(&ttl) {
            let message = format!("ttl must be positive and cannot be larger than: {TTL_MS_MAX}");
            return Err(Trouble::told(message));
        }
        return Ok(if sequential { CreateMode::TtlSequential(ttl) } else { CreateMode::Ttl(ttl) });
    }
    Ok(match (ephemeral, sequential) {
        (true, true) => CreateMode::EphemeralSequential,
        (true, false) => CreateMode::Ephemeral,
        (false, true) => CreateMode::PersistentSequential,
        (false, false) if container => CreateMode::Container,
        (false, false) => CreateMode::Persistent,
    })
}

/// The bytes of a file, or of standard input.
fn read_data(file: &str) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::new();
    let read = match file {
        "-" => stdin().lock().read_to_end(&mut bytes).map(|_| bytes),
        _ => fs::read(file),
    };
    read.map_err(|error| Trouble::told(format!("cannot read {file}: {error}")))
}

/// `delete`.
pub(crate) fn delete(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    let path = input.arg(1)?;
    if input.parsed.args.len() > 2 {
        shell.console.error(
            "'delete path [version]' has been deprecated. Please use 'delete [-v version] path' instead.",
        );
    }
    let version = input.version()?;
    check_path(path)?;
    shell.client().delete(path, version).map_err(|failure| Trouble::request(failure, path))?;
    Ok(Answer::Silent)
}

/// `deleteall`. Source: `ZKUtil#deleteRecursive`.
pub(crate) fn delete_all(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    let path = input.arg(1)?;
    let batch = match input.parsed.value("b") {
        Some(text) => text.parse().map_err(|_| Trouble::told("-b argument must be an int value"))?,
        None => BATCH,
    };
    check_path(path)?;
    let mut tree = list_breadth_first(shell, path)?;
    let Some(batch) = usize::try_from(batch).ok().filter(|&batch| batch > 0) else {
        while let Some(path) = tree.pop() {
            shell.client().delete(&path, -1).map_err(|failure| Trouble::request(failure, &path))?;
        }
        return Ok(Answer::Silent);
    };
    if !delete_in_batches(shell, &mut tree, batch)? {
        shell.console.error("Failed to delete some node(s) in the subtree!");
    }
    Ok(Answer::Silent)
}

/// A subtree, parents before their children.
fn list_breadth_first(shell: &Shell, root: &str) -> Result<Vec<String>, Trouble> {
    let client = shell.client();
    let mut tree = vec![root.to_owned()];
    let mut asked: VecDeque<Ticket> = VecDeque::new();
    let mut at = 0;
    let mut progress = Progress::new(&shell.console, "znodes to delete");
    while at < tree.len() {
        progress.step();
        let behind = at + asked.len();
        let more = tree[behind..].iter().take(LISTS_MAX.saturating_sub(asked.len()));
        if asked.len() < LISTS_MAX / 2 {
            let requests = more.map(|path| Request::get_children(&client.chroot().server_path(path), false));
            asked.extend(client.submit_all(requests));
        }
        let Some(ticket) = asked.pop_front() else { break };
        let children = client.wait(ticket).and_then(|reply| reply.children());
        let (names, _) = children.map_err(|failure| Trouble::request(failure, &tree[at]))?;
        let below: Vec<String> = names.iter().map(|name| join(&tree[at], name)).collect();
        tree.extend(below);
        at += 1;
    }
    Ok(tree)
}

/// Deletes from the end of the list. `false` when a request failed: those behind it were not sent any more.
fn delete_in_batches(shell: &Shell, tree: &mut Vec<String>, batch: usize) -> Result<bool, Trouble> {
    let client = shell.client();
    let mut asked: VecDeque<(Ticket, usize)> = VecDeque::new();
    let mut is_well = true;
    let mut progress = Progress::new(&shell.console, "znodes deleted");
    while (is_well && !tree.is_empty()) || !asked.is_empty() {
        if is_well && !tree.is_empty() && asked.len() < BATCHES_MAX {
            let paths = tree.split_off(tree.len().saturating_sub(batch));
            let items: Vec<MultiItem<'_>> = paths
                .iter()
                .rev()
                .map(|path| {
                    let path = Some(client.chroot().server_path(path));
                    MultiItem::Delete(DeleteRequest { path, version: -1 })
                })
                .collect();
            asked.push_back((client.submit(Request::multi(&items)), paths.len()));
            continue;
        }
        let Some((ticket, count)) = asked.pop_front() else { break };
        match client.wait(ticket).and_then(|reply| reply.multi()) {
            Ok(()) => progress.add(u64::try_from(count).unwrap_or(0)),
            Err(Failure::Interrupted) => return Err(Trouble::Interrupted),
            Err(_) => is_well = false,
        }
    }
    Ok(is_well)
}

/// `set`.
pub(crate) fn set(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    let path = input.arg(1)?;
    let data = match input.parsed.value("f") {
        Some(file) => read_data(file)?,
        None => input.arg(2)?.as_bytes().to_vec(),
    };
    let data = if input.parsed.has("b") { decode_base64(&data)? } else { data };
    let version = input.version()?;
    check_path(path)?;
    let stat = shell.client().set_data(path, Some(&data), version);
    let stat = stat.map_err(|failure| Trouble::request(failure, path))?;
    Ok(Answer::Stat { path: path.to_owned(), stat, shown: input.parsed.has("s") })
}

/// What the original does not catch. Source: `java.util.Base64.Decoder`.
fn decode_base64(text: &[u8]) -> Result<Vec<u8>, Trouble> {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let told = |message: String| Trouble::Uncaught(format!("java.lang.IllegalArgumentException: {message}"));
    if let Some(wrong) = text.iter().find(|byte| !is_letter(byte)) {
        return Err(told(format!("Illegal base64 character {wrong:x}")));
    }
    // Java wants no padding.
    let end = text.iter().rposition(|&byte| byte != b'=').map_or(0, |last| last + 1);
    let mut padded = text[..end].to_vec();
    padded.resize(end.next_multiple_of(4), b'=');
    STANDARD.decode(&padded).map_err(|_| told("Last unit does not have enough valid bits".to_owned()))
}

/// `get`.
pub(crate) fn get(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    input.arg(1)?;
    let input = input.accept_watch_word(shell, "[-s] [-w]")?;
    let (path, has) = (input.arg(1)?, |option| input.parsed.has(option));
    check_path(path)?;
    let got = shell.client().get_data(path, has("w"));
    let (data, stat) = got.map_err(|failure| Trouble::request(failure, path))?;
    let view = match (has("x"), has("b")) {
        (true, _) => View::Hex,
        (false, true) => View::Base64,
        (false, false) => View::Text,
    };
    Ok(Answer::Data { path: path.to_owned(), data, view, stat, with_stat: has("s") })
}

/// `ls`.
pub(crate) fn ls(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    if input.parsed.has("?") {
        shell
            .console
            .remark(&format!("usage: ls [options] path\n{}", listed(input.command.options).trim_end()));
    }
    let input = input.accept_watch_word(shell, "[-w]")?;
    let (path, watch) = (input.arg(1)?, input.parsed.has("w"));
    check_path(path)?;
    if input.parsed.has("R") {
        return ls_below(shell, path, watch);
    }
    let children = shell.client().get_children(path, watch);
    let (mut names, stat) = children.map_err(|failure| Trouble::request(failure, path))?;
    sort(&mut names);
    Ok(Answer::Children { path: path.to_owned(), names, stat, with_stat: input.parsed.has("s") })
}

/// A subtree, a path a line: all children of a znode, then what is below each of them. Source: `ZKUtil#visitSubTreeDFS`.
fn ls_below(shell: &Shell, root: &str, watch: bool) -> Result<Answer, Trouble> {
    let client = shell.client();
    client.get_data(root, watch).map_err(|failure| Trouble::request(failure, root))?;
    shell.console.path_line(root);
    walk(
        shell,
        root,
        |path| vec![Request::get_children(path, watch)],
        |visit| {
            let names = visit.children(0)?;
            for name in &names {
                shell.console.path_line(&join(visit.path, name));
            }
            Ok(names)
        },
    )?;
    Ok(Answer::Silent)
}

/// `stat`.
pub(crate) fn stat(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    input.arg(1)?;
    let input = input.accept_watch_word(shell, "[-w]")?;
    let path = input.arg(1)?;
    check_path(path)?;
    let stat = shell.client().exists(path, input.parsed.has("w"));
    let stat = stat.map_err(|failure| Trouble::request(failure, path))?;
    let stat = stat.ok_or_else(|| Trouble::request(Failure::Refused(Code::NoNode), path))?;
    Ok(Answer::Stat { path: path.to_owned(), stat, shown: true })
}

/// `getEphemerals`. Without a path all of the session's.
pub(crate) fn get_ephemerals(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    let prefix = input.arg_if_any(1).unwrap_or("/");
    check_path(prefix)?;
    let paths = shell.client().get_ephemerals(prefix).map_err(|failure| Trouble::of(failure, None))?;
    Ok(Answer::Paths(paths))
}

/// `getAllChildrenNumber`.
pub(crate) fn get_all_children_number(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    let path = input.arg(1)?;
    check_path(path)?;
    let count = shell.client().get_all_children_number(path);
    let count = count.map_err(|failure| Trouble::request(failure, path))?;
    Ok(Answer::Count { path: path.to_owned(), count })
}

/// An access control list that is a single entry for everybody, as `create` gives it without one.
pub(crate) fn open_acl() -> AclList {
    vec![Acl::open()]
}
