//! Going through a subtree with many requests on their way at once.
//!
//! The znodes that come next in the order of visit are asked for before their turn: as many as have answers of [`AHEAD_BYTES`]
//! together, going by the largest ones lately. What has been answered but not visited is bounded by that for each level.

use client::{Client, Failure, Reply, Request, Ticket};
use proto::Code;

use crate::console::Console;
use crate::progress::Progress;
use crate::shell::Shell;
use crate::trouble::Trouble;

/// How many znodes are asked for ahead of their visit: at first, at last, and where their answers are large.
const AHEAD: Ahead = Ahead { first: 64, most: 4096, least: 8 };
/// How many bytes of answers are.
const AHEAD_BYTES: usize = 16 << 20;

struct Ahead {
    first: usize,
    most: usize,
    least: usize,
}

/// A znode being visited.
pub(crate) struct Visit<'a> {
    /// As the user knows it.
    pub(crate) path: &'a str,
    /// 0 for the root of the walk.
    pub(crate) depth: usize,
    /// What was answered to each of the walk's requests, in their order.
    pub(crate) answers: Vec<Result<Reply, Failure>>,
}

impl Visit<'_> {
    /// What was answered to the request at this place.
    pub(crate) fn reply(&self, place: usize) -> Result<&Reply, Trouble> {
        let answer = self.answers.get(place).expect("a walk asks the same of every znode");
        answer.as_ref().map_err(|failure| Trouble::request(*failure, self.path))
    }

    /// The names of the children, sorted, out of the answer at this place.
    pub(crate) fn children(&self, place: usize) -> Result<Vec<String>, Trouble> {
        let children = self.reply(place)?.children();
        let (mut names, _) = children.map_err(|failure| Trouble::request(failure, self.path))?;
        sort(&mut names);
        Ok(names)
    }
}

/// A znode that waits for its visit.
struct Next {
    path: String,
    depth: usize,
    tickets: Vec<Ticket>,
}

/// Visits `root` and everything below, each znode before its children and these in the order that `visit` gives them.
///
/// A znode that goes away before its turn is left out, except the root.
///
/// * `requests`: what to ask about a path as the server knows it.
/// * `visit`: gives the names of the children to go on with.
///
/// # Errors
/// What `visit` ends with, or that the person does not want to wait any longer.
pub(crate) fn walk(
    shell: &Shell,
    root: &str,
    requests: impl Fn(&str) -> Vec<Request>,
    mut visit: impl FnMut(Visit<'_>) -> Result<Vec<String>, Trouble>,
) -> Result<(), Trouble> {
    let mut walk = Walk::new(&shell.console, shell.client(), root, requests);
    while let Some((path, depth, answers)) = walk.next()? {
        let names = visit(Visit { path: &path, depth, answers })?;
        walk.descend(&path, depth, &names);
    }
    Ok(())
}

/// A walk whose steps the caller takes.
pub(crate) struct Walk<'a, R> {
    client: &'a Client,
    requests: R,
    /// The last one is visited next.
    stack: Vec<Next>,
    /// How many on top are asked for without a gap.
    asked_ahead: usize,
    /// How many are to be.
    ahead: usize,
    /// Bytes of the largest answers lately.
    answer_bytes: usize,
    progress: Progress<'a>,
}

impl<'a, R: Fn(&str) -> Vec<Request>> Walk<'a, R> {
    pub(crate) fn new(console: &'a Console, client: &'a Client, root: &str, requests: R) -> Self {
        let root = Next { path: root.to_owned(), depth: 0, tickets: Vec::new() };
        Self {
            client,
            requests,
            stack: vec![root],
            asked_ahead: 0,
            ahead: AHEAD.first,
            answer_bytes: 0,
            progress: Progress::new(console, "znodes seen"),
        }
    }

    /// The next znode: its path, its depth, and what was answered about it.
    #[expect(clippy::type_complexity, reason = "taken apart where it is received")]
    pub(crate) fn next(&mut self) -> Result<Option<(String, usize, Vec<Result<Reply, Failure>>)>, Trouble> {
        while let Some(top) = self.stack.last() {
            if self.asked_ahead < self.ahead / 2 {
                let fitting = AHEAD_BYTES / self.answer_bytes.max(1);
                self.ahead = fitting.min(self.ahead * 2).clamp(AHEAD.least, AHEAD.most);
                self.asked_ahead = ask(self.client, &mut self.stack, &self.requests, self.ahead);
            } else if top.tickets.is_empty() {
                // The children of the znode visited last lie on those that were asked for before.
                let fresh = self.stack.iter().rev().take_while(|next| next.tickets.is_empty()).count();
                let asked = ask(self.client, &mut self.stack, &self.requests, fresh.min(self.ahead));
                self.asked_ahead = if asked == fresh { self.asked_ahead + asked } else { asked };
            }
            let Some(Next { path, depth, tickets }) = self.stack.pop() else { break };
            self.asked_ahead = self.asked_ahead.saturating_sub(1);
            let answers: Vec<_> = tickets.into_iter().map(|ticket| self.client.wait(ticket)).collect();
            if self.client.is_interrupted() {
                return Err(Trouble::Interrupted);
            }
            if depth > 0 && answers.contains(&Err(Failure::Refused(Code::NoNode))) {
                continue;
            }
            let bytes = answers.iter().flatten().map(|reply| reply.body.len()).sum();
            self.answer_bytes = (self.answer_bytes - self.answer_bytes / 256).max(bytes);
            self.progress.step();
            return Ok(Some((path, depth, answers)));
        }
        Ok(None)
    }

    /// Goes on with these children of the znode visited last.
    pub(crate) fn descend(&mut self, path: &str, depth: usize, names: &[String]) {
        let below = names.iter().rev().map(|name| Next {
            path: join(path, name),
            depth: depth + 1,
            tickets: Vec::new(),
        });
        self.stack.extend(below);
    }
}

/// Asks for the znodes on top of the stack, and gives how many there are asked for without a gap.
fn ask(client: &Client, stack: &mut [Next], requests: &impl Fn(&str) -> Vec<Request>, ahead: usize) -> usize {
    let ahead: Vec<&mut Next> = stack.iter_mut().rev().take(ahead).collect();
    let count = ahead.len();
    let fresh: Vec<&mut Next> = ahead.into_iter().filter(|next| next.tickets.is_empty()).collect();
    let wanted: Vec<Vec<Request>> =
        fresh.iter().map(|next| requests(&client.chroot().server_path(&next.path))).collect();
    let counts: Vec<usize> = wanted.iter().map(Vec::len).collect();
    let mut tickets = client.submit_all(wanted.into_iter().flatten());
    for (next, count) in fresh.into_iter().zip(counts) {
        next.tickets.extend(tickets.by_ref().take(count));
    }
    count
}

/// The path of a child.
pub(crate) fn join(parent: &str, name: &str) -> String {
    let mut path = String::with_capacity(parent.len() + 1 + name.len());
    if parent != "/" {
        path.push_str(parent);
    }
    path.push('/');
    path.push_str(name);
    path
}

/// Sorts as Java sorts strings: by UTF-16 units, which for characters outside the first plane is not the order of UTF-8.
pub(crate) fn sort(names: &mut [String]) {
    if names.iter().all(|name| name.is_ascii()) {
        names.sort_unstable();
    } else {
        names.sort_by(|one, other| one.encode_utf16().cmp(other.encode_utf16()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_and_names_sorted_like_java() {
        assert_eq!(join("/", "a"), "/a");
        assert_eq!(join("/a", "b"), "/a/b");
        let mut names = vec!["\u{ffee}".to_owned(), "\u{1f600}".to_owned(), "b".to_owned()];
        sort(&mut names);
        assert_eq!(names, ["b", "\u{1f600}", "\u{ffee}"]);
    }
}
