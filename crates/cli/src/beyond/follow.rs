//! `watch`: what happens below a path, as it happens.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use client::{EventType, KeeperState, WatchKind, check_path};
use jiff::Timestamp;

use super::show::number;
use crate::answer::Answer;
use crate::commands::Input;
use crate::console::{Look, event_json};
use crate::shell::Shell;
use crate::trouble::Trouble;

/// Between two looks whether the person has had enough.
const LOOK_UP: Duration = Duration::from_millis(50);

/// `watch`. Ends with Ctrl-C, with the session, or after so many events.
pub(crate) fn follow(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    let path = input.arg(1)?;
    check_path(path)?;
    let count_max = number(&input, "n")?.unwrap_or(u64::MAX);
    let client = shell.client();
    let (sender, events) = channel();
    shell.console.set_follower(Some(sender));
    let mut outcome = client.add_watch(path, true).map_err(|failure| Trouble::request(failure, path));
    if outcome.is_ok() && shell.is_terminal {
        shell.console.remark(&format!("Watching {path} and below; Ctrl-C ends it"));
        shell.console.flush();
    }
    let mut count = 0;
    while outcome.is_ok() && count < count_max && client.state().is_alive() && !client.is_interrupted() {
        match events.recv_timeout(LOOK_UP) {
            Ok(event) => {
                show(shell, &event);
                if event.kind != EventType::None {
                    count += 1;
                }
                if matches!(event.state, KeeperState::Expired | KeeperState::AuthFailed) {
                    outcome = Err(Trouble::told(format!("the session is over: {:?}", event.state)));
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    client.resume();
    // The session may be gone, and its watches with it.
    let _ = client.remove_watches(path, WatchKind::PersistentRecursive, true);
    shell.console.set_follower(None);
    outcome.map(|()| Answer::Silent)
}

fn show(shell: &Shell, event: &client::Event) {
    let line = match (shell.console.look, &event.path) {
        (Look::Json, _) => event_json(event).to_string(),
        (Look::Text, Some(path)) => {
            format!("{:.3} {:?} {path} zxid {}", Timestamp::now(), event.kind, event.zxid)
        }
        (Look::Text, None) => format!("{:.3} {:?}", Timestamp::now(), event.state),
    };
    shell.console.line(&line);
    shell.console.flush();
}
