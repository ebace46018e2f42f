//! A bar on the terminal; nothing when standard error is not one.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// See the module.
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar with this title.
    pub(crate) fn new(title: &str) -> Self {
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr_with_hz(5)
        } else {
            ProgressDrawTarget::hidden()
        };
        let style = ProgressStyle::with_template("{prefix:>10} [{bar:40}] {percent:>3} %  {msg}");
        let bar = ProgressBar::with_draw_target(Some(1_000), target)
            .with_style(style.expect("the template is valid").progress_chars("=> "))
            .with_prefix(title.to_owned());
        Self { bar }
    }

    /// `answered` requests after `elapsed` of `whole`.
    pub(crate) fn at(&self, answered: u64, elapsed: Duration, whole: Duration) {
        self.bar.set_message(format!("{answered} answered"));
        let part = elapsed.as_secs_f64() / whole.as_secs_f64().max(1e-9);
        self.permille(part);
    }

    /// `done` of `all` requests.
    pub(crate) fn count(&self, done: u64, all: u64) {
        self.bar.set_message(format!("{done} of {all}"));
        self.permille(crate::numbers::per(done, all));
    }

    fn permille(&self, part: f64) {
        // Counting steps avoids turning a float into an integer.
        let steps = (0..1_000_u32).take_while(|&step| f64::from(step) < part * 1_000.0).count();
        self.bar.set_position(u64::try_from(steps).unwrap_or(0));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
