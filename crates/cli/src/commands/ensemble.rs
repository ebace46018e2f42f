//! Commands about the ensemble: `sync`, `config`, `reconfig`.

use std::fs;
use std::time::{Duration, Instant};

use client::{Failure, Request, check_path};
use proto::wire::text_lossy;

use super::Input;
use crate::answer::Answer;
use crate::configuration::properties;
use crate::shell::Shell;
use crate::trouble::Trouble;

/// How long `sync` waits. Source: `SyncCommand.SYNC_TIMEOUT`.
const SYNC_TIME_MAX: Duration = Duration::from_secs(30);

/// `sync`.
pub(crate) fn sync(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    let path = input.arg(1)?;
    check_path(path)?;
    let client = shell.client();
    let ticket = client.submit(Request::sync(&client.chroot().server_path(path)));
    let line = match client.wait_until(ticket, Some(Instant::now() + SYNC_TIME_MAX)) {
        Ok(_) => "Sync is OK".to_owned(),
        Err(Failure::Interrupted) => return Err(Trouble::Interrupted),
        // The message of the original's `TimeoutException`, which has none.
        Err(Failure::RequestTimeout) => return Err(Trouble::told("null")),
        Err(failure) => format!("Sync has failed. rc={}", failure.number()),
    };
    Ok(Answer::Line(line))
}

/// `config`.
pub(crate) fn config(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    let got = shell.client().get_config(input.parsed.has("w"));
    let (data, stat) = got.map_err(|failure| Trouble::request(failure, "/zookeeper/config"))?;
    let config = text_lossy(data.as_deref().unwrap_or(b"null")).into_owned();
    let text = if input.parsed.has("c") { client_addresses(&config) } else { config.clone() };
    Ok(Answer::Config { text, config, stat, with_stat: input.parsed.has("s") })
}

/// The version of a membership and where its members listen for clients. Source: `ConfigUtils#getClientConfigStr`.
fn client_addresses(config: &str) -> String {
    let pairs = properties(config);
    let version = pairs.iter().rfind(|(key, _)| key == "version").map_or("", |(_, value)| value.trim());
    let members = pairs.iter().filter(|(key, _)| key.starts_with("server."));
    let addresses: Vec<String> = members.map(|(_, value)| client_address(value.trim())).collect();
    format!("{version} {}", addresses.join(","))
}

/// Where one member listens for clients: what stands behind the semicolon, on all addresses when it is a port alone.
fn client_address(member: &str) -> String {
    match member.split_once(';') {
        None => String::new(),
        Some((_, address)) if address.contains(':') => address.to_owned(),
        Some((_, port)) => format!("0.0.0.0:{port}"),
    }
}

/// `reconfig`.
pub(crate) fn reconfig(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    let value = |option| input.parsed.value(option);
    let (file, members, add, remove) = (value("file"), value("members"), value("add"), value("remove"));
    let is_whole = file.is_some() || members.is_some();
    let is_change = add.is_some() || remove.is_some();
    if !is_whole && !is_change {
        return Err(input.usage_error());
    }
    let version = match value("v") {
        None => -1,
        Some(text) => i64::from_str_radix(text, 16)
            .map_err(|_| Trouble::told("-v must be followed by a long (configuration version)"))?,
    };
    if is_whole && is_change {
        return Err(Trouble::told(
            "Can't use -file or -members together with -add or -remove (mixing incremental and non-incremental modes \
             is not allowed)",
        ));
    }
    if file.is_some() && members.is_some() {
        return Err(Trouble::told(
            "Can't use -file and -members together (conflicting non-incremental modes)",
        ));
    }
    let lower = |text: Option<&str>| text.map(str::to_lowercase);
    let members = file.map(members_of).transpose()?.or(lower(members));
    let changed =
        shell.client().reconfig(lower(add).as_deref(), lower(remove).as_deref(), members.as_deref(), version);
    let (data, stat) = changed.map_err(|failure| Trouble::of(failure, Some("")))?;
    let config = text_lossy(data.as_deref().unwrap_or_default()).into_owned();
    let text = format!("Committed new configuration:\n{config}");
    Ok(Answer::Config { text, config, stat, with_stat: input.parsed.has("s") })
}

/// The membership in a configuration file. Whether it makes sense is for the leader to say.
fn members_of(file: &str) -> Result<String, Trouble> {
    let bytes = fs::read(file).map_err(|error| {
        // What the system says, without Rust's number behind it.
        let reason = error.to_string();
        let reason = reason.split(" (os error").next().unwrap_or_default();
        Trouble::told(format!("Error processing {file}{file} ({reason})"))
    })?;
    let pairs = properties(&String::from_utf8_lossy(&bytes));
    let belongs = |key: &str| ["server.", "group.", "weight."].iter().any(|start| key.starts_with(start));
    let lines: Vec<String> = pairs
        .iter()
        .filter(|(key, _)| belongs(key))
        .map(|(key, value)| format!("{key}={}", value.trim()))
        .collect();
    if lines.is_empty() {
        return Err(Trouble::told(format!("Error processing {file}: there is no server in it")));
    }
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_addresses_are_taken_from_the_membership() {
        let config =
            "server.1=a:1:2:participant;0.0.0.0:2181\nserver.2=b:1:2;2182\nserver.3=c:1:2\nversion=10";
        assert_eq!(client_addresses(config), "10 0.0.0.0:2181,0.0.0.0:2182,");
        assert_eq!(client_addresses(""), " ");
    }
}
