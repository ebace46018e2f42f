//! The path below which a client lives.

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::String;

/// What stands before every path on its way to the server, and is taken off on the way back.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Chroot(Option<String>);

impl Chroot {
    /// * `path`: a path that [`check_path`](crate::check_path) accepts; `""` and `/` are no chroot.
    #[must_use]
    pub fn new(path: &str) -> Self {
        Self(Some(path).filter(|path| path.len() > 1).map(ToOwned::to_owned))
    }

    /// The path the server knows. Source: `ZooKeeper#prependChroot`.
    #[must_use]
    pub fn server_path<'a>(&self, path: &'a str) -> Cow<'a, str> {
        match &self.0 {
            None => Cow::Borrowed(path),
            Some(chroot) if path.len() <= 1 => Cow::Owned(chroot.clone()),
            Some(chroot) => Cow::Owned(format!("{chroot}{path}")),
        }
    }

    /// The path the user knows; one that is not below the chroot stays as it is. Source: `ClientCnxn#stripChroot`.
    #[must_use]
    pub fn client_path<'a>(&self, path: &'a str) -> &'a str {
        let Some(chroot) = &self.0 else { return path };
        match path.strip_prefix(chroot.as_str()) {
            Some("") => "/",
            Some(rest) if rest.starts_with('/') => rest,
            _ => path,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_go_there_and_back() {
        let chroot = Chroot::new("/a/b");
        for (client, server) in [("/", "/a/b"), ("/c", "/a/b/c")] {
            assert_eq!(chroot.server_path(client), server);
            assert_eq!(chroot.client_path(server), client);
        }
        assert_eq!(chroot.client_path("/zookeeper/config"), "/zookeeper/config");
        assert_eq!(chroot.client_path("/a/bc"), "/a/bc");
        assert_eq!(Chroot::new("/").server_path("/x"), "/x");
    }
}
