//! Commands about access control lists and identities.

use client::{Request, check_path};
use serde_json::json;

use super::{Input, parse_acl};
use crate::answer::Answer;
use crate::console::Look;
use crate::shell::Shell;
use crate::trouble::{Trouble, keeper_message};
use crate::walk::walk;

/// `getAcl`.
pub(crate) fn get_acl(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    let path = input.arg(1)?;
    check_path(path)?;
    let (acl, stat) = shell.client().get_acl(path).map_err(|failure| Trouble::request(failure, path))?;
    Ok(Answer::Acl { path: path.to_owned(), acl, stat, with_stat: input.parsed.has("s") })
}

/// `setAcl`.
pub(crate) fn set_acl(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    let (path, acl) = (input.arg(1)?, input.arg(2)?);
    let acl = parse_acl(shell, acl);
    let version = input.version()?;
    check_path(path)?;
    if acl.is_empty() {
        return Err(Trouble::told("Acl is not valid : null"));
    }
    if !input.parsed.has("R") {
        let stat = shell.client().set_acl(path, &acl, version);
        let stat = stat.map_err(|failure| Trouble::request(failure, path))?;
        return Ok(Answer::Stat { path: path.to_owned(), stat, shown: input.parsed.has("s") });
    }
    // The root's data is asked for first, as in `ZKUtil#visitSubTreeDFS`: its permission decides whether anything is done.
    let client = shell.client();
    client.get_data(path, false).map_err(|failure| Trouble::request(failure, path))?;
    walk(
        shell,
        path,
        |path| vec![Request::set_acl(path, &acl, version), Request::get_children(path, false)],
        |visit| {
            // Where it is refused that is told, and the walk goes on.
            if let Err(failure) = &visit.answers[0] {
                let message = keeper_message(*failure, Some(visit.path));
                match shell.console.look {
                    // On standard output and without an end of line, as the original does.
                    Look::Text => shell.console.raw(message.as_bytes()),
                    Look::Json => shell.console.value(&json!({ "path": visit.path, "error": message })),
                }
            }
            visit.children(1)
        },
    )?;
    Ok(Answer::Silent)
}

/// `addauth`.
pub(crate) fn add_auth(shell: &Shell, input: Input) -> Result<Answer, Trouble> {
    let scheme = input.arg(1)?;
    shell.authenticate(scheme, input.arg_if_any(2).map(str::as_bytes));
    Ok(Answer::Silent)
}
