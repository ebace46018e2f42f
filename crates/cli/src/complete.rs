//! What a half-typed word may become: a command, an option, a path that is there.

use std::time::{Duration, Instant};

use client::{Client, Request, check_path};

use crate::commands;
use crate::walk::{join, sort};

/// How long a person waits for the names of children.
const LIST_TIME_MAX: Duration = Duration::from_secs(1);

/// Where the word before the cursor begins, and what it may become.
///
/// * `line`: up to the cursor.
pub(crate) fn complete(line: &str, client: &Client) -> (usize, Vec<String>) {
    candidates(line, |parent| children(client, parent))
}

/// The names of the children, or none when they cannot be had soon.
fn children(client: &Client, parent: &str) -> Vec<String> {
    if check_path(parent).is_err() || !client.state().is_alive() {
        return Vec::new();
    }
    let ticket = client.submit(Request::get_children(&client.chroot().server_path(parent), false));
    let reply = client.wait_until(ticket, Some(Instant::now() + LIST_TIME_MAX));
    let mut names = reply.and_then(|reply| reply.children()).map(|(names, _)| names).unwrap_or_default();
    sort(&mut names);
    names
}

fn candidates(line: &str, list: impl Fn(&str) -> Vec<String>) -> (usize, Vec<String>) {
    let (start, quote) = word_start(line);
    let word = line.get(start..).unwrap_or_default();
    let before: Vec<&str> = line.get(..start).unwrap_or_default().split_whitespace().collect();
    let inner = quote.map_or(word, |quote| word.strip_prefix(quote).unwrap_or(word));
    let found = match before.as_slice() {
        [] => with_blank(starting(inner, commands::names())),
        ["help"] => starting(inner, commands::names()),
        ["printwatches"] => starting(inner, ["on", "off"]),
        ["addWatch", .., "-m"] => starting(inner, ["PERSISTENT", "PERSISTENT_RECURSIVE"]),
        [command, ..] if inner.starts_with('-') => with_blank(options(command, inner)),
        _ if inner.starts_with('/') => {
            paths(inner, list).into_iter().map(|path| quoted(path, quote)).collect()
        }
        _ => Vec::new(),
    };
    (start, found)
}

/// Where the last word begins, and its quote if it is inside one.
fn word_start(line: &str) -> (usize, Option<char>) {
    let (mut start, mut quote) = (0, None);
    let mut at_start = true;
    for (at, sign) in line.char_indices() {
        match quote {
            Some(open) if sign == open => (start, quote, at_start) = (at + sign.len_utf8(), None, true),
            Some(_) => {}
            None if sign.is_whitespace() => (start, at_start) = (at + sign.len_utf8(), true),
            None => {
                if at_start && matches!(sign, '"' | '\'') {
                    quote = Some(sign);
                }
                at_start = false;
            }
        }
    }
    (start, quote)
}

fn starting<'a>(word: &str, all: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    all.into_iter().filter(|one| one.starts_with(word)).map(str::to_owned).collect()
}

/// The only one is a whole word: the next can follow.
fn with_blank(mut found: Vec<String>) -> Vec<String> {
    if let [only] = found.as_mut_slice() {
        only.push(' ');
    }
    found
}

fn options(command: &str, word: &str) -> Vec<String> {
    let options = commands::find(command).map_or(&[][..], |command| command.options);
    let names = options.iter().map(|option| format!("-{}", option.name));
    names.filter(|name| name.starts_with(word)).collect()
}

fn paths(word: &str, list: impl Fn(&str) -> Vec<String>) -> Vec<String> {
    let Some((parent, start)) = word.rsplit_once('/') else { return Vec::new() };
    let parent = if parent.is_empty() { "/" } else { parent };
    let names = list(parent).into_iter().filter(|name| name.starts_with(start));
    names.map(|name| join(parent, &name)).collect()
}

/// A path as it has to be typed: in quotes when there are blanks in it.
fn quoted(path: String, quote: Option<char>) -> String {
    match quote {
        Some(quote) => format!("{quote}{path}"),
        None if path.contains(char::is_whitespace) => format!("\"{path}"),
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> (usize, Vec<String>) {
        candidates(line, |parent| {
            let names = match parent {
                "/" => ["app", "apple", "two words"].as_slice(),
                "/app" => &["x"],
                _ => &[],
            };
            names.iter().map(|name| (*name).to_owned()).collect()
        })
    }

    #[test]
    fn commands_options_and_paths_are_found() {
        assert_eq!(found("getA"), (0, vec!["getAcl".to_owned(), "getAllChildrenNumber".to_owned()]));
        assert_eq!(found("cre"), (0, vec!["create ".to_owned()]));
        assert_eq!(found("get -").1, ["-s", "-w", "-b", "-x"]);
        assert_eq!(found("get /ap"), (4, vec!["/app".to_owned(), "/apple".to_owned()]));
        assert_eq!(found("get /app/"), (4, vec!["/app/x".to_owned()]));
        assert_eq!(found("printwatches o").1, ["on", "off"]);
        assert_eq!(found("addWatch -m PERSISTENT_").1, ["PERSISTENT_RECURSIVE"]);
        assert!(found("get app").1.is_empty());
    }

    #[test]
    fn a_path_with_blanks_is_completed_in_quotes() {
        assert_eq!(found("get /two"), (4, vec!["\"/two words".to_owned()]));
        assert_eq!(found("get \"/two w"), (4, vec!["\"/two words".to_owned()]));
        assert_eq!(found("set /app 'x y' /ap").0, 15);
    }
}
