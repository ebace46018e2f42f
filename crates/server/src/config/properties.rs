//! Java's `.properties` text, with the line of every key.
//!
//! Byte by byte what `java.util.Properties.load(InputStream)` of Java 17 does: ISO-8859-1, `#` and `!` comments, a
//! backslash that continues a line, `=`, `:` or a blank between key and value, `\uXXXX`. The test beside this crate
//! compares it with the real one over thousands of random texts. Own code, because every crate we know differs in a
//! way that would lose or refuse a key (a last line ending in a backslash, `\u` in a comment, U+0085).

/// One `key=value` of the text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Property {
    /// Unescaped, not trimmed. A lone half of a surrogate pair becomes U+FFFD, which Java would keep.
    pub key: String,
    /// Unescaped, not trimmed at its end, as `key`.
    pub value: String,
    /// Where the key starts, from 1.
    pub line: u32,
}

/// A `\u` without four hexadecimal digits behind it, in a key or a value. Java refuses the whole text too.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("Malformed \\uxxxx encoding.")]
pub struct MalformedUnicode {
    /// Where the key starts, from 1.
    pub line: u32,
}

/// All properties in the order of the text, duplicates too; in Java the last one of a key stays.
///
/// # Errors
/// [`MalformedUnicode`], the only text Java refuses.
pub fn parse(text: &[u8]) -> Result<Vec<Property>, MalformedUnicode> {
    let mut lines = LogicalLines { text, at: 0, line: 1 };
    let mut properties = Vec::new();
    while let Some((line, content)) = lines.next() {
        let (key, value) = split(&content);
        let unescape = |part| unescape(part).ok_or(MalformedUnicode { line });
        properties.push(Property { key: unescape(key)?, value: unescape(value)?, line });
    }
    Ok(properties)
}

/// Space, tab and form feed: the only blanks of the format, which has no idea of Unicode's.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | 0x0c)
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// The text cut into logical lines: comments and empty lines gone, continued lines joined, escapes still inside.
struct LogicalLines<'a> {
    text: &'a [u8],
    at: usize,
    line: u32,
}

impl LogicalLines<'_> {
    /// The next logical line and the number of its first one. Source: `Properties.LineReader#readLine`.
    fn next(&mut self) -> Option<(u32, Vec<u8>)> {
        let mut content = Vec::new();
        let mut first_line = self.line;
        let mut skip_blanks = true;
        let mut continued = false;
        let mut escaped = false;
        loop {
            let line = self.line;
            let Some(byte) = self.take() else {
                // A backslash at the very end continues onto nothing and is dropped, the key is not.
                let empty = content.is_empty();
                if escaped {
                    content.pop();
                }
                return (!empty).then_some((first_line, content));
            };
            if skip_blanks {
                if is_blank(byte) || (!continued && is_line_end(byte)) {
                    continue;
                }
                skip_blanks = false;
                continued = false;
            }
            if content.is_empty() {
                if matches!(byte, b'#' | b'!') {
                    self.skip_comment();
                    skip_blanks = true;
                    continue;
                }
                first_line = line;
            }
            if !is_line_end(byte) {
                content.push(byte);
                escaped = byte == b'\\' && !escaped;
            } else if content.is_empty() {
                skip_blanks = true;
            } else if escaped {
                content.pop();
                if self.at == self.text.len() {
                    // Nothing to continue onto. Java has a property here even if nothing is left of the line.
                    return Some((first_line, content));
                }
                skip_blanks = true;
                continued = true;
                escaped = false;
                if byte == b'\r' && self.text.get(self.at) == Some(&b'\n') {
                    self.take();
                }
            } else {
                return Some((first_line, content));
            }
        }
    }

    fn take(&mut self) -> Option<u8> {
        let byte = *self.text.get(self.at)?;
        self.at += 1;
        // `\r\n` counts once, at its `\n`.
        if byte == b'\n' || (byte == b'\r' && self.text.get(self.at) != Some(&b'\n')) {
            self.line += 1;
        }
        Some(byte)
    }

    fn skip_comment(&mut self) {
        while self.take().is_some_and(|byte| !is_line_end(byte)) {}
    }
}

/// Key and value, still escaped. Source: `Properties#load0`.
fn split(line: &[u8]) -> (&[u8], &[u8]) {
    let mut escaped = false;
    let key_end = line
        .iter()
        .position(|&byte| {
            let ends = !escaped && (matches!(byte, b'=' | b':') || is_blank(byte));
            escaped = byte == b'\\' && !escaped;
            ends
        })
        .unwrap_or(line.len());
    let (key, mut rest) = line.split_at(key_end);
    // Blanks, at most one `=` or `:` among them.
    let mut separated = false;
    while let [first, tail @ ..] = rest {
        let separator = !separated && matches!(first, b'=' | b':');
        if !separator && !is_blank(*first) {
            break;
        }
        separated |= separator;
        rest = tail;
    }
    (key, rest)
}

/// The characters that are meant, or `None` for a malformed `\u`. Source: `Properties#loadConvert`.
fn unescape(part: &[u8]) -> Option<String> {
    let mut units = Vec::with_capacity(part.len());
    let mut rest = part;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte != b'\\' {
            units.push(u16::from(*byte));
            continue;
        }
        // The line reader leaves no lone backslash at the end; nothing would follow it.
        let [escaped, tail @ ..] = rest else { break };
        rest = tail;
        units.push(match escaped {
            b'u' => {
                let (digits, tail) = rest.split_at_checked(4)?;
                rest = tail;
                hex(digits)?
            }
            b't' => u16::from(b'\t'),
            b'n' => u16::from(b'\n'),
            b'r' => u16::from(b'\r'),
            b'f' => 0x0c,
            other => u16::from(*other),
        });
    }
    Some(String::from_utf16_lossy(&units))
}

fn hex(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0, |value: u16, &digit| {
        let digit = u16::try_from(char::from(digit).to_digit(16)?).ok()?;
        Some(value << 4 | digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(String, String, u32)> {
        parse(text.as_bytes()).unwrap().into_iter().map(|p| (p.key, p.value, p.line)).collect()
    }

    #[test]
    fn keys_have_the_line_they_start_on() {
        let text = "# c\r\n\r\n a = 1\rb:2\n\n  ! x\\\nc 3\\\n   4\nd\\\r\n = 5\n\\\n\n e";
        let expected = [("a", "1", 3), ("b", "2", 4), ("c", "34", 7), ("d", "5", 9), ("e", "", 13)];
        let expected: Vec<_> = expected.map(|(k, v, l)| (k.to_owned(), v.to_owned(), l)).into();
        assert_eq!(parsed(text), expected);
    }

    #[test]
    fn a_last_line_ending_in_a_backslash_keeps_its_key() {
        assert_eq!(parsed("a=b\\"), [("a".to_owned(), "b".to_owned(), 1)]);
    }

    #[test]
    fn a_bad_unicode_escape_is_told_by_line_and_a_comment_may_have_one() {
        assert_eq!(parse(b"#\\users\nok=1\nbad=\\users").unwrap_err(), MalformedUnicode { line: 3 });
    }
}
