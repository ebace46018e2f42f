//! `cp`: a znode or a subtree copied, perhaps to another server.

use client::{Request, check_path};
use proto::SessionId;
use serde_json::json;

use super::write::{Wish, Writer};
use crate::answer::Answer;
use crate::commands::Input;
use crate::console::Look;
use crate::shell::{CLOSE_TIME_MAX, Shell};
use crate::trouble::Trouble;
use crate::walk::{Visit, join, walk};

/// What is asked about a znode that is to be copied, exported or compared.
pub(super) fn everything(path: &str) -> Vec<Request> {
    vec![Request::get_children(path, false), Request::get_data(path, false), Request::get_acl(path)]
}

/// A path below `from` moved below `to`.
pub(super) fn moved(path: &str, from: &str, to: &str) -> String {
    let below = if from == "/" { path } else { path.strip_prefix(from).unwrap_or(path) };
    match below.trim_start_matches('/') {
        "" => to.to_owned(),
        below => join(to, below),
    }
}

/// Whether a path is that of a subtree's root or of something below.
fn is_within(path: &str, root: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| root == "/" || rest.is_empty() || rest.starts_with('/'))
}

/// The znode of a visit that asked for everything, to be written at `path`. `None`: it is ephemeral.
pub(super) fn wish(visit: &Visit<'_>, path: String) -> Result<Option<Wish>, Trouble> {
    let told = |failure| Trouble::request(failure, visit.path);
    let (data, stat) = visit.reply(1)?.data().map_err(told)?;
    if stat.ephemeral_owner != SessionId::NONE {
        return Ok(None);
    }
    let (acl, _) = visit.reply(2)?.acl().map_err(told)?;
    Ok(Some(Wish { path, data, acl, may_exist: false }))
}

/// `cp`. Ephemeral znodes belong to somebody, and are left out.
pub(crate) fn copy(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    let (from, to) = (input.arg(1)?, input.arg(2)?);
    check_path(from)?;
    check_path(to)?;
    let is_whole = input.parsed.has("r");
    let other = input.parsed.value("server").map(|server| shell.open_other(server));
    let other = other.transpose()?;
    let target = other.as_ref().unwrap_or(shell.client());
    if other.is_none() && is_whole && is_within(to, from) {
        return Err(Trouble::told(format!("{to} is in what is to be copied")));
    }
    let mut writer = Writer::new(&shell.console, target, input.parsed.has("u"));
    let mut left_out = 0_u64;
    walk(shell, from, everything, |visit| {
        match wish(&visit, moved(visit.path, from, to))? {
            Some(wish) => writer.put(wish)?,
            None => left_out += 1,
        }
        if is_whole { visit.children(0) } else { Ok(Vec::new()) }
    })?;
    writer.finish()?;
    if let Some(other) = &other {
        other.close(CLOSE_TIME_MAX);
    }
    report(shell, writer.created, writer.overwritten, left_out);
    Ok(Answer::Silent)
}

/// What a copy or import came to.
pub(super) fn report(shell: &Shell, created: u64, overwritten: u64, left_out: u64) {
    match shell.console.look {
        Look::Text => shell
            .console
            .line(&format!("{created} created, {overwritten} overwritten, {left_out} ephemeral left out")),
        Look::Json => shell
            .console
            .value(&json!({ "created": created, "overwritten": overwritten, "ephemeralLeftOut": left_out })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_within_a_subtree_is_known() {
        assert!(is_within("/a", "/a") && is_within("/a/b", "/a") && is_within("/a", "/"));
        assert!(!is_within("/ab", "/a") && !is_within("/", "/a"));
    }

    #[test]
    fn paths_are_moved() {
        for (path, from, to, wanted) in [
            ("/a", "/a", "/b", "/b"),
            ("/a/x/y", "/a", "/b", "/b/x/y"),
            ("/x", "/", "/b", "/b/x"),
            ("/", "/", "/b", "/b"),
            ("/a/x", "/a", "/", "/x"),
        ] {
            assert_eq!(moved(path, from, to), wanted);
        }
    }
}
