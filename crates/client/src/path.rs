//! Which paths a client sends at all.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Why a text is no path. The texts are Java's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PathError {
    /// It has no character.
    Empty,
    /// It does not start with `/`.
    NotAbsolute,
    /// It ends with `/`.
    EndsWithSlash,
    /// A character or name inside that no znode can have.
    Invalid {
        /// The whole text.
        path: String,
        /// What is wrong, in Java's words.
        reason: &'static str,
        /// Where, in UTF-16 units.
        at: usize,
    },
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Path length must be > 0"),
            Self::NotAbsolute => f.write_str("Path must start with / character"),
            Self::EndsWithSlash => f.write_str("Path must not end with / character"),
            Self::Invalid { path, reason, at } => {
                write!(f, "Invalid path string \"{path}\" caused by {reason} @{at}")
            }
        }
    }
}

impl core::error::Error for PathError {}

/// Checks a path before it is sent.
///
/// # Errors
/// [`PathError`] for what Java's client refuses.
///
/// Source: `PathUtils#validatePath`.
pub fn check_path(path: &str) -> Result<(), PathError> {
    if path.is_empty() {
        return Err(PathError::Empty);
    }
    if !path.starts_with('/') {
        return Err(PathError::NotAbsolute);
    }
    if path.len() == 1 {
        return Ok(());
    }
    if path.ends_with('/') {
        return Err(PathError::EndsWithSlash);
    }
    let units: Vec<u16> = path.encode_utf16().collect();
    for at in 1..units.len() {
        if let Some(reason) = wrong_at(&units, at) {
            return Err(PathError::Invalid { path: path.to_owned(), reason, at });
        }
    }
    Ok(())
}

/// What is wrong with the unit at `at`, seen with its neighbours.
fn wrong_at(units: &[u16], at: usize) -> Option<&'static str> {
    const SLASH: u16 = b'/' as u16;
    const DOT: u16 = b'.' as u16;
    let before = |distance: usize| at.checked_sub(distance).and_then(|at| units.get(at)).copied();
    let ends_here = units.get(at + 1).is_none_or(|&next| next == SLASH);
    match units[at] {
        0 => Some("null character not allowed"),
        SLASH if before(1) == Some(SLASH) => Some("empty node name specified"),
        DOT if before(1) == Some(DOT) => {
            (before(2) == Some(SLASH) && ends_here).then_some("relative paths not allowed")
        }
        DOT => (before(1) == Some(SLASH) && ends_here).then_some("relative paths not allowed"),
        1..=0x1f | 0x7f..=0x9f | 0xd800..=0xf8ff | 0xfff0..=0xffff => Some("invalid character"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn good_paths_pass() {
        for path in ["/", "/a", "/a/b.c", "/...", "/a..", "/..a", "/.a/b", "/\u{e9}\u{4e2d}"] {
            assert_eq!(check_path(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn bad_paths_are_told_in_words_of_java() {
        for (path, told) in [
            ("", "Path length must be > 0"),
            ("a", "Path must start with / character"),
            ("/a/", "Path must not end with / character"),
            ("/a//b", "Invalid path string \"/a//b\" caused by empty node name specified @3"),
            ("/..", "Invalid path string \"/..\" caused by relative paths not allowed @2"),
            ("/./a", "Invalid path string \"/./a\" caused by relative paths not allowed @1"),
            ("/a/../b", "Invalid path string \"/a/../b\" caused by relative paths not allowed @4"),
            ("/a\u{1f}", "Invalid path string \"/a\u{1f}\" caused by invalid character @2"),
            ("/\u{1f600}", "Invalid path string \"/\u{1f600}\" caused by invalid character @1"),
        ] {
            assert_eq!(check_path(path).unwrap_err().to_string(), told);
        }
    }
}
