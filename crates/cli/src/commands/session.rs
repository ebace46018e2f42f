//! Commands about the session itself.

use super::Input;
use crate::VERSION;
use crate::answer::Answer;
use crate::shell::Shell;
use crate::trouble::Trouble;

/// `close`.
pub(crate) fn close(shell: &Shell, _: Input) -> Result<Answer, Trouble> {
    shell.close();
    Ok(Answer::Silent)
}

/// `version`. Source: `Version#getFullVersion`.
pub(crate) fn version(_: &Shell, input: Input) -> Result<Answer, Trouble> {
    if input.parsed.args.len() > 1 {
        return Err(input.usage_error());
    }
    Ok(Answer::Line(format!("ZooKeeper CLI version: {VERSION}")))
}

/// `whoami`.
pub(crate) fn who_am_i(shell: &Shell, _: Input) -> Result<Answer, Trouble> {
    let identities = shell.client().who_am_i().map_err(|failure| Trouble::of(failure, None))?;
    Ok(Answer::Identities(identities))
}
