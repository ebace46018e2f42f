//! How bytes and lists look in a report.

use std::fmt::{self, Display, Write};

/// Longest run of bytes a report shows in full.
const SHOWN_MAX: usize = 96;

/// Printable characters as they are, everything else as `\xNN`; long values are cut and say how long they were.
pub fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes.iter().take(SHOWN_MAX) {
        match byte {
            b'\\' | b'"' => text.extend(['\\', char::from(*byte)]),
            0x20..=0x7e => text.push(char::from(*byte)),
            _ => write!(text, "\\x{byte:02x}").expect("a String takes everything"),
        }
    }
    if bytes.len() > SHOWN_MAX {
        write!(text, "…({} bytes)", bytes.len()).expect("a String takes everything");
    }
    text
}

/// Hexadecimal, cut when long.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes.iter().take(4 * SHOWN_MAX) {
        write!(text, "{byte:02x}").expect("a String takes everything");
    }
    if bytes.len() > 4 * SHOWN_MAX {
        write!(text, "…({} bytes)", bytes.len()).expect("a String takes everything");
    }
    text
}

/// Data of a znode, or `null`.
pub fn data(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(|| "null".to_owned(), |bytes| format!("'{}'", escaped(bytes)))
}

/// `[a, b, c]`.
///
/// # Errors
/// As the formatter.
pub fn list<T: Display>(out: &mut fmt::Formatter<'_>, items: &[T]) -> fmt::Result {
    out.write_str("[")?;
    for (index, item) in items.iter().enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        write!(out, "{separator}{item}")?;
    }
    out.write_str("]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_so_that_they_can_be_told_apart() {
        assert_eq!(escaped(b"a\"\\\x00\xff"), "a\\\"\\\\\\x00\\xff");
        assert!(escaped(&[b'x'; 200]).ends_with("…(200 bytes)"));
        assert_eq!(hex(&[0, 255]), "00ff");
        assert_eq!(data(None), "null");
    }
}
