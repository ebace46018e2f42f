//! `tree`, `find`, `du`: subtrees shown.

use client::{Request, check_path};
use proto::{SessionId, Stat};
use serde_json::json;

use crate::answer::Answer;
use crate::commands::Input;
use crate::console::Look;
use crate::shell::Shell;
use crate::trouble::Trouble;
use crate::walk::{Visit, walk};

/// A number given with an option.
pub(super) fn number(input: &Input, option: &str) -> Result<Option<u64>, Trouble> {
    let Some(text) = input.parsed.value(option) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| Trouble::told(format!("-{option} wants a number, not {text}")))
}

fn children(path: &str) -> Vec<Request> {
    vec![Request::get_children(path, false)]
}

/// The `Stat` that came with the children.
fn stat_of(visit: &Visit<'_>) -> Result<Stat, Trouble> {
    let children = visit.reply(0)?.children();
    children.map(|(_, stat)| stat).map_err(|failure| Trouble::request(failure, visit.path))
}

/// The last name of a path.
fn name_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// Whether a depth is still within what was asked for.
fn is_within(depth: usize, depth_max: Option<u64>) -> bool {
    depth_max.is_none_or(|depth_max| u64::try_from(depth).is_ok_and(|depth| depth < depth_max))
}

/// `tree`.
pub(crate) fn tree(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    let root = input.arg_if_any(1).unwrap_or("/");
    check_path(root)?;
    let depth_max = number(&input, "L")?;
    // How many of each level's znodes are still to come.
    let mut left: Vec<usize> = Vec::new();
    walk(shell, root, children, |visit| {
        let names = if is_within(visit.depth, depth_max) { visit.children(0)? } else { Vec::new() };
        left.truncate(visit.depth);
        if let Some(siblings) = left.last_mut() {
            *siblings = siblings.saturating_sub(1);
        }
        match shell.console.look {
            Look::Json => {
                shell
                    .console
                    .value(&json!({ "path": visit.path, "depth": visit.depth, "children": names.len() }));
            }
            Look::Text if visit.depth == 0 => shell.console.line(visit.path),
            Look::Text => shell.console.line(&format!("{}{}", branch(&left), name_of(visit.path))),
        }
        left.push(names.len());
        Ok(names)
    })?;
    Ok(Answer::Silent)
}

/// The lines before a name.
fn branch(left: &[usize]) -> String {
    let Some((own, above)) = left.split_last() else { return String::new() };
    let above = above.iter().map(|&siblings| if siblings > 0 { "│   " } else { "    " });
    above.chain([if *own > 0 { "├── " } else { "└── " }]).collect()
}

/// `find`.
pub(crate) fn find(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    let root = input.arg(1)?;
    check_path(root)?;
    let (name, data) = (input.parsed.value("name"), input.parsed.value("data"));
    let (larger, is_ephemeral) = (number(&input, "larger")?, input.parsed.has("ephemeral"));
    let ask = |path: &str| {
        let mut requests = children(path);
        if data.is_some() {
            requests.push(Request::get_data(path, false));
        }
        requests
    };
    walk(shell, root, ask, |visit| {
        let stat = stat_of(&visit)?;
        let is_large = |larger| u64::try_from(stat.data_length).is_ok_and(|length| length > larger);
        let is_found = name.is_none_or(|pattern| matches(pattern, name_of(visit.path)))
            && larger.is_none_or(is_large)
            && (!is_ephemeral || stat.ephemeral_owner != SessionId::NONE)
            && match data {
                None => true,
                Some(wanted) => {
                    let data =
                        visit.reply(1)?.data().map_err(|failure| Trouble::request(failure, visit.path))?.0;
                    contains(data.as_deref().unwrap_or_default(), wanted.as_bytes())
                }
            };
        if is_found {
            shell.console.path_line(visit.path);
        }
        visit.children(0)
    })?;
    Ok(Answer::Silent)
}

fn contains(data: &[u8], wanted: &[u8]) -> bool {
    wanted.is_empty() || data.windows(wanted.len()).any(|window| window == wanted)
}

/// Whether a name fits a pattern of letters, `?` for any letter and `*` for any number of them.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut of) = (0, 0);
    // Where to go on when the last star has to take one letter more.
    let mut star: Option<(usize, usize)> = None;
    while at < name.len() {
        match pattern.get(of) {
            Some('*') => {
                star = Some((at, of));
                of += 1;
            }
            Some(&sign) if sign == '?' || sign == name[at] => (at, of) = (at + 1, of + 1),
            _ => {
                let Some((taken, place)) = star else { return false };
                star = Some((taken + 1, place));
                (at, of) = (taken + 1, place + 1);
            }
        }
    }
    pattern[of..].iter().all(|&sign| sign == '*')
}

/// What a subtree holds.
struct Sum {
    path: String,
    count: u64,
    bytes: u64,
}

/// `du`.
pub(crate) fn disk_usage(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    let root = input.arg_if_any(1).unwrap_or("/");
    check_path(root)?;
    let depth_max = number(&input, "d")?.unwrap_or(1);
    // The znodes from the root to the one being visited.
    let mut open: Vec<Sum> = Vec::new();
    walk(shell, root, children, |visit| {
        while open.len() > visit.depth {
            close(shell, &mut open, depth_max);
        }
        let bytes = u64::try_from(stat_of(&visit)?.data_length).unwrap_or(0);
        open.push(Sum { path: visit.path.to_owned(), count: 1, bytes });
        visit.children(0)
    })?;
    while !open.is_empty() {
        close(shell, &mut open, depth_max);
    }
    Ok(Answer::Silent)
}

/// Shows the innermost subtree, which is complete, and counts it in the one around it.
fn close(shell: &Shell, open: &mut Vec<Sum>, depth_max: u64) {
    let Some(Sum { path, count, bytes }) = open.pop() else { return };
    if u64::try_from(open.len()).is_ok_and(|depth| depth <= depth_max) {
        match shell.console.look {
            Look::Text => shell.console.line(&format!("{count}\t{bytes}\t{path}")),
            Look::Json => shell.console.value(&json!({ "path": path, "count": count, "bytes": bytes })),
        }
    }
    if let Some(around) = open.last_mut() {
        around.count += count;
        around.bytes += bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whole_names() {
        for (pattern, name) in
            [("*", ""), ("a*", "abc"), ("*c", "abcc"), ("a?c", "abc"), ("*b*", "abc"), ("a*b*c", "axbbyc")]
        {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("", "a"), ("a", "ab"), ("?", ""), ("a*b", "abc"), ("*ab", "b")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn branches_go_down_beside_what_is_still_to_come() {
        assert_eq!(branch(&[2]), "├── ");
        assert_eq!(branch(&[2, 0]), "│   └── ");
        assert_eq!(branch(&[0, 1]), "    ├── ");
    }
}
