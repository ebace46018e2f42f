//! A line as words, cut exactly as the original cuts it.

/// The words of a line.
///
/// A word that begins with a quote runs to the next such quote and loses both; quotes inside a word are letters; a quote without its
/// partner is passed over.
///
/// Source: `ZooKeeperMain.MyCommandOptions#parseCommand`, a search for `\s*([^"']\S*|"[^"]*"|'[^']*')\s*`.
pub(crate) fn words(line: &str) -> Vec<String> {
    let signs: Vec<char> = line.chars().collect();
    let mut words = Vec::new();
    let mut at = 0;
    while at < signs.len() {
        match word_at(&signs, at) {
            Some((word, end)) => {
                words.push(word);
                at = blanks_end(&signs, end);
            }
            None => at += 1,
        }
    }
    words
}

/// What the pattern's group matches from `at`, and where that ends.
fn word_at(signs: &[char], at: usize) -> Option<(String, usize)> {
    let start = blanks_end(signs, at);
    let text = |from: usize, to: usize| signs[from..to].iter().collect::<String>();
    match signs.get(start) {
        Some(&quote @ ('"' | '\'')) => {
            if let Some(length) = signs[start + 1..].iter().position(|&sign| sign == quote) {
                let close = start + 1 + length;
                return Some((text(start + 1, close), close + 1));
            }
        }
        Some(_) => {
            let end = word_end(signs, start);
            return Some((text(start, end), end));
        }
        None => {}
    }
    // The pattern gives one blank back, which is then the first letter of a word.
    let blank = start.checked_sub(1).filter(|&blank| blank >= at)?;
    let end = word_end(signs, start);
    Some((text(blank, end), end))
}

fn is_blank(sign: char) -> bool {
    matches!(sign, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r')
}

fn blanks_end(signs: &[char], from: usize) -> usize {
    signs[from..].iter().position(|&sign| !is_blank(sign)).map_or(signs.len(), |length| from + length)
}

fn word_end(signs: &[char], from: usize) -> usize {
    signs[from..].iter().position(|&sign| is_blank(sign)).map_or(signs.len(), |length| from + length)
}

/// The lines in what was typed or pasted at once: they end where a newline does not stand in a quoted word.
pub(crate) fn lines(typed: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for part in typed.split('\n') {
        line.push_str(part);
        if is_open(&line) {
            line.push('\n');
        } else {
            lines.push(std::mem::take(&mut line));
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Whether the line ends inside a quoted word, so that a person will want to go on.
pub(crate) fn is_open(line: &str) -> bool {
    let signs: Vec<char> = line.chars().collect();
    let mut at = 0;
    while at < signs.len() {
        at = blanks_end(&signs, at);
        match signs.get(at) {
            Some(&quote @ ('"' | '\'')) => {
                let Some(length) = signs[at + 1..].iter().position(|&sign| sign == quote) else {
                    return true;
                };
                at += length + 2;
            }
            Some(_) => at = word_end(&signs, at),
            None => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_as_the_original_cuts_them() {
        let cases: [(&str, &[&str]); 12] = [
            ("ls /", &["ls", "/"]),
            ("  ls   /  ", &["ls", "/"]),
            ("create /a \"two words\"", &["create", "/a", "two words"]),
            ("create /a 'two \"words'", &["create", "/a", "two \"words"]),
            ("create /a \"\"", &["create", "/a", ""]),
            ("set /a it's", &["set", "/a", "it's"]),
            ("set /a \"open", &["set", "/a", "open"]),
            ("set /a 'x'y", &["set", "/a", "x", "y"]),
            (" \"open end", &[" \"open", "end"]),
            ("   ", &[" "]),
            ("\"", &[]),
            ("set /a a\"b c\"", &["set", "/a", "a\"b", "c\""]),
        ];
        for (line, wanted) in cases {
            assert_eq!(words(line), wanted, "{line:?}");
        }
    }

    #[test]
    fn only_a_quoted_word_can_be_open() {
        assert!(is_open("set /a 'one\ntwo"));
        assert!(is_open("set /a \""));
        assert!(!is_open("set /a it's"));
        assert!(!is_open("set /a 'one\ntwo' x"));
        assert!(!is_open(""));
    }

    #[test]
    fn what_is_pasted_is_cut_into_lines_outside_quotes() {
        assert_eq!(lines("ls /\nset /a 'x\ny'\nget /a"), ["ls /", "set /a 'x\ny'", "get /a"]);
        assert_eq!(lines("set /a 'x"), ["set /a 'x\n"]);
    }
}
