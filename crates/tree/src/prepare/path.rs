//! What a path must look like. Each kind of write looks at another part of it; client-protocol.md §5.1.

/// The znodes that no client can delete.
const SPECIAL: [&str; 4] = ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"];

/// Whether `path` names a znode that could exist.
///
/// Source: `PathUtils#validatePath`, which judges UTF-16 units: whatever needs two of them is refused.
pub(super) fn is_valid(path: &str) -> bool {
    let Some(names) = path.strip_prefix('/') else {
        return false;
    };
    if names.is_empty() {
        return true;
    }
    let named = |name: &[u8]| !matches!(name, b"" | b"." | b"..");
    if !names.as_bytes().split(|&byte| byte == b'/').all(named) {
        return false;
    }
    if names.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return true;
    }
    names.chars().all(is_allowed)
}

fn is_allowed(c: char) -> bool {
    !matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..)
}

/// The parent under which `path` would be created, which may turn out not to exist; `None` if there is none to
/// look for. Only a slash is asked for: the whole path is judged later, once its number is known.
///
/// Source: `PrepRequestProcessor#validatePathForCreate`.
pub(super) fn parent_to_create_in(path: &str) -> Option<&str> {
    let (parent, _) = path.rsplit_once('/')?;
    (!path.contains('\0')).then_some(parent)
}

/// The parent from which `path` would be deleted; `None` also for the znodes that must stay.
///
/// Source: `PrepRequestProcessor#getParentPathAndValidate`.
pub(super) fn parent_to_delete_from(path: &str) -> Option<&str> {
    if SPECIAL.contains(&path) { None } else { parent_to_create_in(path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_may_exist() {
        for path in [
            "/",
            "/a",
            "/a/b",
            "/a b",
            "/...",
            "/.a",
            "/a.",
            "/a/..b",
            "/\u{a0}",
            "/ü",
            "/\u{d7ff}",
            "/\u{f900}",
            "/\u{ffef}",
            "/~",
            "/ ",
        ] {
            assert!(is_valid(path), "{path:?}");
        }
    }

    #[test]
    fn paths_that_may_not() {
        for path in [
            "",
            "a",
            "a/b",
            "/a/",
            "//",
            "//a",
            "/a//b",
            "/.",
            "/..",
            "/./b",
            "/a/..",
            "/a/./b",
            "/a\0b",
            "/\u{1}",
            "/a\u{1f}",
            "/\u{7f}",
            "/\u{80}",
            "/\u{9f}",
            "/\u{e000}",
            "/\u{f8ff}",
            "/\u{fff0}",
            "/\u{fffd}",
            "/\u{ffff}",
            "/\u{1f600}",
            "/ü/",
            "/ü\n",
        ] {
            assert!(!is_valid(path), "{path:?}");
        }
    }

    #[test]
    fn parents() {
        for (path, parent) in [
            ("/", Some("")),
            ("/a", Some("")),
            ("/a/b", Some("/a")),
            ("/a/", Some("/a")),
            ("//", Some("/")),
            ("a/b", Some("a")),
            ("", None),
            ("a", None),
            ("/a\0", None),
        ] {
            assert_eq!(parent_to_create_in(path), parent, "{path:?}");
        }
        for path in SPECIAL {
            assert_eq!(parent_to_delete_from(path), None, "{path:?}");
        }
        assert_eq!(parent_to_delete_from("/zookeeper/quota/"), Some("/zookeeper/quota"));
        assert_eq!(parent_to_delete_from("/zookeeper/x"), Some("/zookeeper"));
    }
}
