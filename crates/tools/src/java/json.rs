//! Text inside of JSON. Source: `JsonStringEncoder#quoteAsString` of Jackson.

/// Appends `text` without quotes around it, with what JSON needs escaped.
pub(crate) fn put_escaped(out: &mut String, text: &str) {
    for sign in text.chars() {
        match sign {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..='\u{1f}' => out.push_str(&format!("\\u{:04X}", u32::from(sign))),
            _ => out.push(sign),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_json_needs_is_escaped() {
        let mut out = String::new();
        put_escaped(&mut out, "a/\"\\\n\u{1}\u{1f}\u{7f}\u{4e2d}");
        assert_eq!(out, "a/\\\"\\\\\\n\\u0001\\u001F\u{7f}\u{4e2d}");
    }
}
