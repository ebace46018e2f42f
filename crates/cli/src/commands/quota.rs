//! Commands about quotas.

use client::{Client, CreateMode, Failure, Request, check_path};
use proto::Code;

use super::{Input, znode::open_acl};
use crate::answer::Answer;
use crate::quota::{LIMITS, Limits, QUOTA_ROOT, STATS};
use crate::shell::Shell;
use crate::trouble::Trouble;
use crate::walk::walk;

const NO_NODE: Failure = Failure::Refused(Code::NoNode);

/// Option and name of each limit.
const NAMES: [(&str, &str); 4] =
    [("n", "count"), ("b", "bytes"), ("N", "countHardLimit"), ("B", "byteHardLimit")];

fn wrapped(path: &str) -> impl Fn(Failure) -> Trouble + '_ {
    move |failure| Trouble::request(failure, path)
}

/// `setquota`. What is wrong with a number is told, and counts as a success.
pub(crate) fn set_quota(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    let path = input.arg(1)?;
    if path.starts_with(QUOTA_ROOT) {
        shell.console.error(&format!("cannot set a quota under the path: {QUOTA_ROOT}"));
        return Ok(Answer::Silent);
    }
    let mut quota = Limits::default();
    for (option, name) in NAMES {
        quota.set(name, -1);
        let Some(text) = input.parsed.value(option) else { continue };
        match limit(option, text) {
            Ok(number) => quota.set(name, number),
            Err(told) => {
                shell.console.error(told);
                return Ok(Answer::Silent);
            }
        }
    }
    create_quota(shell, path, &quota)?;
    Ok(Answer::Silent)
}

/// Source: `SetQuotaCommand#checkOptionValue`.
fn limit(option: &str, text: &str) -> Result<i64, &'static str> {
    const NO_NUMBER: &str = "NumberFormatException happens when parsing the option value";
    if matches!(option, "n" | "N") {
        let count: i32 = text.parse().map_err(|_| NO_NUMBER)?;
        return if count > 0 { Ok(count.into()) } else { Err("the num quota must be greater than zero") };
    }
    let bytes: i64 = text.parse().map_err(|_| NO_NUMBER)?;
    if bytes >= 0 { Ok(bytes) } else { Err("the bytes quota must be greater than or equal to zero") }
}

/// Source: `SetQuotaCommand#createQuota`.
fn create_quota(shell: &Shell, path: &str, quota: &Limits) -> Result<(), Trouble> {
    let client = shell.client();
    check_path(path)?;
    if client.exists(path, false).map_err(wrapped(path))?.is_none() {
        return Err(Trouble::told(format!("{path} does not exist.")));
    }
    refuse_below(shell, path)?;
    refuse_above(client, path)?;
    let quota_path = make_parents(client, path)?;
    let (limits_path, stats_path) = (format!("{quota_path}/{LIMITS}"), format!("{quota_path}/{STATS}"));
    if client.exists(&limits_path, false).map_err(wrapped(&limits_path))?.is_none() {
        create_text(client, &limits_path, quota)?;
        let mut stats = Limits::default();
        stats.set("count", 0);
        stats.set("bytes", 0);
        create_text(client, &stats_path, &stats)?;
        warn(shell, &read(client, &limits_path)?, &read(client, &stats_path)?);
        return Ok(());
    }
    let mut limits = read(client, &limits_path)?;
    for (_, name) in NAMES {
        if quota.get(name) > -1 {
            limits.set(name, quota.get(name));
        }
    }
    warn(shell, &limits, &read(client, &stats_path)?);
    let text = limits.to_string();
    client.set_data(&limits_path, Some(text.as_bytes()), -1).map_err(wrapped(&limits_path))?;
    Ok(())
}

fn create_text(client: &Client, path: &str, limits: &Limits) -> Result<(), Trouble> {
    let text = limits.to_string();
    client.create(path, Some(text.as_bytes()), &open_acl(), CreateMode::Persistent).map_err(wrapped(path))?;
    Ok(())
}

fn read(client: &Client, path: &str) -> Result<Limits, Trouble> {
    let (data, _) = client.get_data(path, false).map_err(wrapped(path))?;
    Limits::parse(data.as_deref().unwrap_or_default())
}

/// The words of a path. Source: `String#split`, which leaves out empty words at the end.
fn names(path: &str) -> Vec<&str> {
    path.split('/').skip(1).filter(|name| !name.is_empty()).collect()
}

/// Makes what is missing of the znodes above the limits, and gives the last of them.
fn make_parents(client: &Client, path: &str) -> Result<String, Trouble> {
    let make = |path: &str| match client.create(path, None, &open_acl(), CreateMode::Persistent) {
        Ok(_) | Err(Failure::Refused(Code::NodeExists)) => Ok(()),
        Err(failure) => Err(Trouble::request(failure, path)),
    };
    let mut quota_path = QUOTA_ROOT.to_owned();
    if client.exists(&quota_path, false).map_err(wrapped(&quota_path))?.is_none() {
        make("/zookeeper")?;
        make(&quota_path)?;
    }
    for name in names(path) {
        quota_path.push('/');
        quota_path.push_str(name);
        if client.exists(&quota_path, false).map_err(wrapped(&quota_path))?.is_none() {
            make(&quota_path)?;
        }
    }
    Ok(quota_path)
}

/// Refuses a quota above another.
fn refuse_below(shell: &Shell, path: &str) -> Result<(), Trouble> {
    let root = format!("{QUOTA_ROOT}{path}");
    check_path(&root)?;
    match shell.client().get_data(&root, false) {
        Err(NO_NODE) => return Ok(()),
        other => other.map_err(wrapped(&root))?,
    };
    walk(
        shell,
        &root,
        |path| vec![Request::get_children(path, false)],
        |visit| {
            let names = visit.children(0)?;
            if visit.depth > 0 && names.iter().any(|name| name == LIMITS) {
                let child = visit.path.trim_start_matches(QUOTA_ROOT);
                return Err(Trouble::told(format!("{path} has a child {child} which has a quota")));
            }
            Ok(names)
        },
    )
}

/// Refuses a quota below another.
fn refuse_above(client: &Client, path: &str) -> Result<(), Trouble> {
    let names = names(path);
    let mut quota_path = QUOTA_ROOT.to_owned();
    for name in names.iter().take(names.len().saturating_sub(1)) {
        quota_path.push('/');
        quota_path.push_str(name);
        let (children, _) = match client.get_children(&quota_path, false) {
            Err(NO_NODE) => return Ok(()),
            other => other.map_err(wrapped(&quota_path))?,
        };
        if children.iter().any(|child| child == LIMITS) {
            let parent = quota_path.trim_start_matches(QUOTA_ROOT);
            return Err(Trouble::told(format!("{path} has a parent {parent} which has a quota")));
        }
    }
    Ok(())
}

/// Source: `SetQuotaCommand#checkQuota`.
fn warn(shell: &Shell, limits: &Limits, stats: &Limits) {
    let is_less = |limit: &str, stat: &str| (0..stats.get(stat)).contains(&limits.get(limit));
    for (what, stat, soft, hard) in
        [("count", "count", "count", "countHardLimit"), ("bytes", "bytes", "bytes", "byteHardLimit")]
    {
        if is_less(soft, stat) || is_less(hard, stat) {
            let existing = stats.get(stat);
            shell
                .console
                .warning(&format!("the {what} quota you create is less than the existing {what}:{existing}"));
        }
    }
}

/// `listquota`.
pub(crate) fn list_quota(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    let path = input.arg(1)?;
    let (limits_path, stats_path) =
        (format!("{QUOTA_ROOT}{path}/{LIMITS}"), format!("{QUOTA_ROOT}{path}/{STATS}"));
    shell.console.error(&format!("absolute path is {limits_path}"));
    let client = shell.client();
    let read = |path: &str| -> Result<Option<Limits>, Trouble> {
        check_path(path)?;
        match client.get_data(path, false) {
            Err(NO_NODE) => Ok(None),
            other => Limits::parse(other.map_err(wrapped(path))?.0.as_deref().unwrap_or_default()).map(Some),
        }
    };
    if let Some(limits) = read(&limits_path)?
        && let Some(usage) = read(&stats_path)?
    {
        return Ok(Answer::Quota { path: path.to_owned(), limits, usage });
    }
    shell.console.error(&format!("quota for {path} does not exist."));
    Ok(Answer::Silent)
}

/// `delquota`. Source: `DelQuotaCommand#delQuota`.
pub(crate) fn del_quota(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    let path = input.arg(1)?;
    let quota_path = format!("{QUOTA_ROOT}{path}");
    let limits_path = format!("{quota_path}/{LIMITS}");
    let client = shell.client();
    check_path(&limits_path)?;
    if client.exists(&limits_path, false).map_err(wrapped(&limits_path))?.is_none() {
        return Ok(Answer::Line(format!("Quota does not exist for {path}")));
    }
    let mut limits = read(client, &limits_path)?;
    let chosen: Vec<&str> =
        NAMES.iter().filter(|(option, _)| input.parsed.has(option)).map(|(_, name)| *name).collect();
    if chosen.is_empty() {
        remove(client, quota_path)?;
    } else {
        for name in chosen {
            limits.set(name, -1);
        }
        let text = limits.to_string();
        client.set_data(&limits_path, Some(text.as_bytes()), -1).map_err(wrapped(&limits_path))?;
    }
    Ok(Answer::Silent)
}

/// Removes what is directly below `quota_path`, and from there upwards all that is empty.
fn remove(client: &Client, mut quota_path: String) -> Result<(), Trouble> {
    let children = |path: &str| client.get_children(path, false).map_err(wrapped(path));
    for child in children(&quota_path)?.0 {
        let path = format!("{quota_path}/{child}");
        client.delete(&path, -1).map_err(wrapped(&path))?;
    }
    while quota_path != QUOTA_ROOT && children(&quota_path)?.0.is_empty() {
        client.delete(&quota_path, -1).map_err(wrapped(&quota_path))?;
        quota_path.truncate(quota_path.rfind('/').unwrap_or(0));
    }
    Ok(())
}
