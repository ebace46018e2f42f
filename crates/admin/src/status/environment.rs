//! What `envi` shows.

use alloc::string::String;

/// Where the server runs. What is `None` is shown as `<NA>`, as Java shows an unset property.
///
/// Source: `org.apache.zookeeper.Environment`.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `zookeeper.version`.
    pub version: Option<String>,
    /// `host.name`, the canonical one.
    pub host_name: Option<String>,
    /// `java.version`.
    pub java_version: Option<String>,
    /// `java.vendor`.
    pub java_vendor: Option<String>,
    /// `java.home`.
    pub java_home: Option<String>,
    /// `java.class.path`.
    pub java_class_path: Option<String>,
    /// `java.library.path`.
    pub java_library_path: Option<String>,
    /// `java.io.tmpdir`: where temporary files go.
    pub temporary_dir: Option<String>,
    /// `java.compiler`.
    pub java_compiler: Option<String>,
    /// `os.name`.
    pub os_name: Option<String>,
    /// `os.arch`.
    pub os_arch: Option<String>,
    /// `os.version`.
    pub os_version: Option<String>,
    /// `user.name`.
    pub user_name: Option<String>,
    /// `user.home`.
    pub user_home: Option<String>,
    /// `user.dir`: the working directory.
    pub user_dir: Option<String>,
    /// `os.memory.free`: memory left of what the process has, such as `117MB`.
    pub memory_free: Option<String>,
    /// `os.memory.max`: what the process may have.
    pub memory_max: Option<String>,
    /// `os.memory.total`: what the process has.
    pub memory_total: Option<String>,
}

impl Environment {
    /// Every key with its value, in the order Apache prints them.
    #[must_use]
    pub fn entries(&self) -> [(&'static str, &str); 18] {
        [
            ("zookeeper.version", &self.version),
            ("host.name", &self.host_name),
            ("java.version", &self.java_version),
            ("java.vendor", &self.java_vendor),
            ("java.home", &self.java_home),
            ("java.class.path", &self.java_class_path),
            ("java.library.path", &self.java_library_path),
            ("java.io.tmpdir", &self.temporary_dir),
            ("java.compiler", &self.java_compiler),
            ("os.name", &self.os_name),
            ("os.arch", &self.os_arch),
            ("os.version", &self.os_version),
            ("user.name", &self.user_name),
            ("user.home", &self.user_home),
            ("user.dir", &self.user_dir),
            ("os.memory.free", &self.memory_free),
            ("os.memory.max", &self.memory_max),
            ("os.memory.total", &self.memory_total),
        ]
        .map(|(key, value)| (key, value.as_deref().unwrap_or("<NA>")))
    }
}
