//! `diff`: what two subtrees, perhaps of two servers, do not have in common.

use std::cmp::Ordering;

use client::{Client, Failure, Reply, Request, check_path};
use proto::AclList;
use serde_json::json;

use super::copy::{everything, moved};
use crate::answer::Answer;
use crate::commands::Input;
use crate::console::Look;
use crate::shell::{CLOSE_TIME_MAX, Shell};
use crate::trouble::Trouble;
use crate::walk::{Visit, Walk};

/// `diff`. The exit code is 1 when there is a difference.
pub(crate) fn diff(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    let left = input.arg(1)?;
    let right = input.arg_if_any(2).unwrap_or(left);
    check_path(left)?;
    check_path(right)?;
    let other = input.parsed.value("server").map(|server| shell.open_other(server));
    let other = other.transpose()?;
    let count = compare(shell, (shell.client(), left), (other.as_ref().unwrap_or(shell.client()), right))?;
    if let Some(other) = other {
        other.close(CLOSE_TIME_MAX);
    }
    match count {
        0 => Ok(Answer::Silent),
        1 => Err(Trouble::told("1 difference")),
        _ => Err(Trouble::told(format!("{count} differences"))),
    }
}

/// One side: its walk, and the znode that stands next in it.
struct Side<'a, R> {
    root: &'a str,
    walk: Walk<'a, R>,
    next: Option<Stop>,
}

struct Stop {
    path: String,
    depth: usize,
    /// Below the root of the walk.
    below: String,
    answers: Vec<Result<Reply, Failure>>,
}

/// What is compared of a znode.
#[derive(Eq, PartialEq)]
struct Content {
    data: Option<Vec<u8>>,
    acl: AclList,
    children: Vec<String>,
}

impl<'a, R: Fn(&str) -> Vec<Request>> Side<'a, R> {
    fn new(shell: &'a Shell, client: &'a Client, root: &'a str, ask: R) -> Result<Self, Trouble> {
        let mut side = Self { root, walk: Walk::new(&shell.console, client, root, ask), next: None };
        side.step()?;
        Ok(side)
    }

    fn step(&mut self) -> Result<(), Trouble> {
        self.next = self.walk.next()?.map(|(path, depth, answers)| {
            let below = moved(&path, self.root, "/");
            Stop { path, depth, below, answers }
        });
        Ok(())
    }
}

fn content(stop: &mut Stop) -> Result<Content, Trouble> {
    let visit = Visit { path: &stop.path, depth: stop.depth, answers: std::mem::take(&mut stop.answers) };
    let told = |failure| Trouble::request(failure, &stop.path);
    Ok(Content {
        data: visit.reply(1)?.data().map_err(told)?.0,
        acl: visit.reply(2)?.acl().map_err(told)?.0,
        children: visit.children(0)?,
    })
}

/// Goes through both at once, in the order they share, and gives how many differences there are.
fn compare(shell: &Shell, left: (&Client, &str), right: (&Client, &str)) -> Result<u64, Trouble> {
    let mut left = Side::new(shell, left.0, left.1, everything)?;
    let mut right = Side::new(shell, right.0, right.1, everything)?;
    let mut count = 0;
    loop {
        let order = match (&left.next, &right.next) {
            (None, None) => return Ok(count),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(other)) => in_order(&one.below, &other.below),
        };
        match order {
            // Without a descent the step leads behind all that is below, too.
            Ordering::Less => {
                tell(shell, "-", left.next.as_ref().map_or("", |stop| &stop.below), "only on the left");
                count += 1;
                left.step()?;
            }
            Ordering::Greater => {
                tell(shell, "+", right.next.as_ref().map_or("", |stop| &stop.below), "only on the right");
                count += 1;
                right.step()?;
            }
            Ordering::Equal => {
                let (Some(mut one), Some(mut other)) = (left.next.take(), right.next.take()) else {
                    return Ok(count);
                };
                let (mine, theirs) = (content(&mut one)?, content(&mut other)?);
                for (differs, what) in [(mine.data != theirs.data, "data"), (mine.acl != theirs.acl, "acl")] {
                    if differs {
                        tell(shell, "*", &one.below, what);
                        count += 1;
                    }
                }
                left.walk.descend(&one.path, one.depth, &mine.children);
                right.walk.descend(&other.path, other.depth, &theirs.children);
                left.step()?;
                right.step()?;
            }
        }
    }
}

/// The order of a walk: name by name, as Java sorts strings.
fn in_order(one: &str, other: &str) -> Ordering {
    let names = |path: &str| {
        path.split('/').map(|name| name.encode_utf16().collect::<Vec<u16>>()).collect::<Vec<_>>()
    };
    // The root is `/`, which is one empty name more than any other path has.
    names(one.trim_end_matches('/')).cmp(&names(other.trim_end_matches('/')))
}

fn tell(shell: &Shell, sign: &str, path: &str, what: &str) {
    match shell.console.look {
        Look::Text => shell.console.line(&format!("{sign} {path} {what}")),
        Look::Json => shell.console.value(&json!({ "path": path, "difference": what })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stand_in_the_order_of_a_walk() {
        let sorted = ["/", "/a", "/a/b", "/a/c", "/a-b", "/b"];
        for (at, one) in sorted.iter().enumerate() {
            for (place, other) in sorted.iter().enumerate() {
                assert_eq!(in_order(one, other), at.cmp(&place), "{one} {other}");
            }
        }
    }
}
