//! The configuration file.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::OnceLock;

use server::config::{Arguments, Config, Environment, Form};

/// A file of this process, written anew for every input.
fn path() -> &'static PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let shared = PathBuf::from("/dev/shm");
        let dir = if shared.is_dir() { shared } else { std::env::temp_dir() };
        dir.join(format!("oxkeeper-fuzz-{}.cfg", std::process::id()))
    })
}

/// `zoo.cfg`, with everything that follows from it. The file is made to name a directory that does not exist.
pub fn zoo_cfg(data: &[u8]) {
    if leaves_this_process(data) {
        return;
    }
    let file = std::fs::File::create(path());
    let written = file.and_then(|mut file| {
        file.write_all(b"dataDir=/dev/null/none\n")?;
        file.write_all(data)
    });
    written.expect("a small file can be written");
    let arguments = Arguments { properties: Vec::new(), form: Form::File(path().clone()) };
    let none: [(&str, &str); 0] = [];
    if let Err(error) = Config::load_with(&arguments, &Environment::of(none)) {
        assert!(!error.to_string().is_empty());
    }
    let _ = std::fs::remove_file(path());
}

/// Whether loading would ask a name service or read another file, which says nothing about the bytes here.
fn leaves_this_process(data: &[u8]) -> bool {
    let Ok(all) = server::config::properties::parse(data) else { return false };
    all.iter().any(|property| {
        let key = property.key.trim();
        let host = if key.starts_with("server.") {
            property.value.split_once(';').map(|(_, client)| client)
        } else if key.ends_with("Address") {
            Some(property.value.as_str())
        } else {
            None
        };
        let is_name = |host: &str| host.chars().any(|c| !(c.is_ascii_digit() || " :.[]".contains(c)));
        host.is_some_and(is_name) || key == "dynamicConfigFile" || key.ends_with("Dir")
    })
}

/// The text format below it.
pub fn properties(data: &[u8]) {
    let Ok(all) = server::config::properties::parse(data) else { return };
    // Written without any trick, they are read back as they are.
    let mut plain = String::new();
    for property in &all {
        escape(&property.key, &mut plain);
        plain.push('=');
        escape(&property.value, &mut plain);
        plain.push('\n');
    }
    let again = server::config::properties::parse(plain.as_bytes()).expect("plain lines are no error");
    let pairs = |all: &[server::config::properties::Property]| {
        all.iter().map(|property| (property.key.clone(), property.value.clone())).collect::<Vec<_>>()
    };
    assert_eq!(pairs(&again), pairs(&all));
}

/// Every UTF-16 unit as Java's escape.
fn escape(text: &str, out: &mut String) {
    for unit in text.encode_utf16() {
        out.push_str(&format!("\\u{unit:04x}"));
    }
}
