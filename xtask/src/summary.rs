//! What every part of a run came to, told once more at its end.

use anyhow::{Result, ensure};

use crate::run::say;

/// How many checks of one part held.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Row {
    part: String,
    passed: u64,
    failed: u64,
}

/// The parts of a run in the order they ended.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    rows: Vec<Row>,
}

impl Summary {
    /// Notes one part.
    pub(crate) fn add(&mut self, part: &str, passed: u64, failed: u64) {
        self.rows.push(Row { part: part.to_owned(), passed, failed });
    }

    /// Notes a part that ended without telling numbers, or that told too little: an exit code other than 0 is a failure even
    /// when every number is fine.
    pub(crate) fn add_ended(&mut self, part: &str, numbers: (u64, u64), succeeded: bool) {
        let (passed, failed) = numbers;
        let silent = passed == 0 && failed == 0;
        let failed = if failed == 0 && (!succeeded || silent) { 1 } else { failed };
        self.add(part, passed, failed);
    }

    /// Prints `part: N passed, N failed` for each part and the sum.
    ///
    /// # Errors
    /// When anything failed.
    pub(crate) fn close(&self) -> Result<()> {
        say("");
        for Row { part, passed, failed } in &self.rows {
            say(&format!("{part}: {passed} passed, {failed} failed"));
        }
        let passed: u64 = self.rows.iter().map(|row| row.passed).sum();
        let failed: u64 = self.rows.iter().map(|row| row.failed).sum();
        say(&format!("total: {passed} passed, {failed} failed"));
        ensure!(failed == 0, "{failed} checks failed");
        Ok(())
    }
}

/// Reads `N passed` and `N failed` out of a line, whichever program printed it: a lane (`kazoo: 3 passed, 0 failed`), cargo test
/// (`test result: ok. 3 passed; 0 failed; ...`) or nextest (`Summary [...] 3 tests run: 3 passed, 0 skipped`).
pub(crate) fn numbers(line: &str) -> Option<(u64, u64)> {
    let count = |word: &str| {
        let words: Vec<&str> = line.split([' ', ',', ';']).filter(|part| !part.is_empty()).collect();
        words.windows(2).find(|pair| pair.get(1) == Some(&word)).and_then(|pair| pair.first()?.parse().ok())
    };
    count("passed").map(|passed| (passed, count("failed").unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_lines_of_all_runners_are_read() {
        assert_eq!(numbers("kazoo: 261 passed, 2 failed"), Some((261, 2)));
        assert_eq!(numbers("test result: ok. 12 passed; 1 failed; 0 ignored; 0 measured"), Some((12, 1)));
        assert_eq!(
            numbers("     Summary [   0.1s] 40 tests run: 39 passed, 1 failed, 2 skipped"),
            Some((39, 1))
        );
        assert_eq!(numbers("running 12 tests"), None);
    }

    #[test]
    fn a_part_that_ends_badly_or_silently_has_failed() {
        let mut summary = Summary::default();
        summary.add_ended("good", (3, 0), true);
        assert!(summary.close().is_ok());
        summary.add_ended("silent", (0, 0), true);
        assert!(summary.close().is_err());
        let mut summary = Summary::default();
        summary.add_ended("crashed", (3, 0), false);
        assert!(summary.close().is_err());
    }
}
