//! Paths as `java.io.File` keeps them.

use std::path::Path;

/// Without doubled slashes and without one at the end.
pub(crate) fn normalized(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for part in path.split_inclusive('/') {
        if part != "/" || out.is_empty() {
            out.push_str(part);
        }
    }
    if out.len() > 1 && out.ends_with('/') {
        out.pop();
    }
    out
}

/// The last part: `File#getName`.
pub(crate) fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// From the root, without looking at links: `File#getAbsolutePath`.
pub(crate) fn absolute(path: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    let here = std::env::current_dir().unwrap_or_else(|_| Path::new("/").to_path_buf());
    normalized(&format!("{}/{path}", here.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_kept_as_java_keeps_them() {
        for (path, kept) in [("a//b/", "a/b"), ("/", "/"), ("//", "/"), ("/a///b", "/a/b"), ("", "")] {
            assert_eq!(normalized(path), kept);
        }
        assert_eq!((name("/a/log.1"), name("log.1")), ("log.1", "log.1"));
    }
}
