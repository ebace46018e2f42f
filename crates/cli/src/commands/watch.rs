//! Commands about watches.

use client::{WatchKind, check_path};

use super::Input;
use crate::answer::Answer;
use crate::shell::Shell;
use crate::trouble::Trouble;

/// `addWatch`. The original keeps the mode given last for commands without one; here the default is the default.
pub(crate) fn add_watch(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    let [_, path] = input.parsed.args.as_slice() else { return Err(input.usage_error()) };
    let is_recursive = match input.parsed.value("m").map(str::to_uppercase).as_deref() {
        Some("PERSISTENT") => false,
        Some("PERSISTENT_RECURSIVE") | None => true,
        Some(_) => return Err(input.usage_error()),
    };
    check_path(path)
        .map_err(|error| Trouble::Uncaught(format!("java.lang.IllegalArgumentException: {error}")))?;
    shell.client().add_watch(path, is_recursive).map_err(|failure| Trouble::request(failure, path))?;
    Ok(Answer::Silent)
}

/// `removewatches`.
pub(crate) fn remove_watches(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    let path = input.arg(1)?;
    let kinds = [
        ("c", WatchKind::Children),
        ("d", WatchKind::Data),
        ("p", WatchKind::Persistent),
        ("r", WatchKind::PersistentRecursive),
    ];
    let kind =
        kinds.iter().find(|(option, _)| input.parsed.has(option)).map_or(WatchKind::Any, |(_, kind)| *kind);
    check_path(path)?;
    let removed = shell.client().remove_watches(path, kind, input.parsed.has("l"));
    removed.map_err(|failure| Trouble::request(failure, path))?;
    Ok(Answer::Silent)
}
