//! Whether every foreign crate may be part of an Apache-2.0 program.

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::arrows::{packages, text};

/// Licences without a condition that reaches our own code.
const FIT: [&str; 14] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Zlib",
];

/// Looks at every package that is not ours.
///
/// # Errors
/// With the names of all that do not fit.
pub(crate) fn check(metadata: &Value) -> Result<()> {
    let foreign = packages(metadata)?.iter().filter(|package| text(package, "source").is_some());
    let unfit: Vec<String> = foreign
        .filter(|package| !text(package, "license").is_some_and(fits))
        .map(|package| {
            let field = |name| text(package, name).unwrap_or("nothing");
            format!("{} {} ({})", field("name"), field("version"), field("license"))
        })
        .collect();
    ensure!(unfit.is_empty(), "these licences do not fit Apache-2.0: {}", unfit.join("; "));
    Ok(())
}

/// Whether an SPDX expression leaves us a choice that fits. Understands `OR`, `AND`, parentheses, and the old `A/B` for `A OR B`.
fn fits(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let fits = alternatives(&mut rest);
    fits && rest.is_empty()
}

/// `a OR b`: one that fits is enough.
fn alternatives(words: &mut &[&str]) -> bool {
    let mut any = all(words);
    while next_is(words, "OR") {
        any |= all(words);
    }
    any
}

/// `a AND b`: each has to fit.
fn all(words: &mut &[&str]) -> bool {
    let mut every = one(words);
    while next_is(words, "AND") {
        every &= one(words);
    }
    every
}

/// One licence, perhaps with an exception, or an expression in parentheses.
fn one(words: &mut &[&str]) -> bool {
    if next_is(words, "(") {
        let inner = alternatives(words);
        return next_is(words, ")") && inner;
    }
    let Some((name, rest)) = words.split_first() else { return false };
    *words = rest;
    if !next_is(words, "WITH") {
        return FIT.contains(name);
    }
    let Some((exception, rest)) = words.split_first() else { return false };
    *words = rest;
    FIT.contains(&format!("{name} WITH {exception}").as_str())
}

/// Takes the next word if it is the given one.
fn next_is(words: &mut &[&str], wanted: &str) -> bool {
    match words.split_first() {
        Some((first, rest)) if *first == wanted => {
            *words = rest;
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_judged_by_the_choice_they_leave() {
        for fit in [
            "MIT",
            "MIT/Apache-2.0",
            "Unlicense OR MIT",
            "GPL-3.0-only OR MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR MIT",
        ] {
            assert!(fits(fit), "{fit}");
        }
        for unfit in ["GPL-3.0-only", "MIT AND MPL-2.0", "(MIT", "", "GPL-2.0 WITH Classpath-exception-2.0"] {
            assert!(!fits(unfit), "{unfit}");
        }
    }
}
