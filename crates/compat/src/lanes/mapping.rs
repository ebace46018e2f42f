//! Making two servers' texts comparable: what must differ is replaced by names in order of appearance.
//!
//! A session id, a zxid or a port is never equal on two servers, but *which* of them are equal to one another has to be. So the first
//! hexadecimal number of a text becomes `hex-1`, the next new one `hex-2`, and the same number the same name.

use std::fmt::Write;

/// How many differing lines a trouble shows before it stops.
const LINES_SHOWN_MAX: usize = 12;

/// Replaces every `0x...` by its name in order of appearance.
pub(crate) fn name_hex(text: &str) -> String {
    let mut seen: Vec<&str> = Vec::new();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("0x") {
        let (before, from) = rest.split_at(at);
        let digits = from.get(2..).unwrap_or_default();
        let length = digits.find(|sign: char| !sign.is_ascii_hexdigit()).unwrap_or(digits.len());
        let (number, after) = from.split_at(2 + length);
        out.push_str(before);
        // Zero means "none" wherever it is printed: that has to agree as it is.
        if number == "0x0" || length == 0 {
            out.push_str(number);
        } else {
            let place = seen.iter().position(|known| *known == number).unwrap_or_else(|| {
                seen.push(number);
                seen.len() - 1
            });
            let _ = write!(out, "hex-{}", place + 1);
        }
        rest = after;
    }
    out + rest
}

/// Replaces what follows `label` in each line, up to the first of `ends` (or the line's end), by `*`.
pub(crate) fn mask_after(text: &str, label: &str, ends: &[char]) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let mut rest = line;
        while let Some(at) = rest.find(label) {
            let (before, value) = rest.split_at(at + label.len());
            out.push_str(before);
            out.push('*');
            let end = value.find(|sign| sign == '\n' || ends.contains(&sign)).unwrap_or(value.len());
            rest = value.split_at(end).1;
        }
        out.push_str(rest);
    }
    out
}

/// Sorts each run of neighbouring lines that `belongs` picks, and leaves all others in their place.
///
/// For lists without an order of their own: Java answers children and ephemerals in the order of a hash table.
pub(crate) fn sort_runs(text: &str, belongs: impl Fn(&str) -> bool) -> String {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    for run in lines.chunk_by_mut(|one, other| belongs(one) && belongs(other)) {
        run.sort_unstable();
    }
    lines.concat()
}

/// What differs between two texts, line by line, or `None`.
pub(crate) fn difference(wanted: &str, got: &str) -> Option<String> {
    if wanted == got {
        return None;
    }
    let (wanted, got): (Vec<&str>, Vec<&str>) = (wanted.split('\n').collect(), got.split('\n').collect());
    let mut told = String::new();
    let mut shown = 0;
    for at in 0..wanted.len().max(got.len()) {
        let (left, right) = (wanted.get(at), got.get(at));
        if left == right {
            continue;
        }
        shown += 1;
        if shown > LINES_SHOWN_MAX {
            told.push_str("...\n");
            break;
        }
        let show = |line: Option<&&str>| line.map_or("nothing".to_owned(), |line| format!("{line:?}"));
        let _ = writeln!(told, "line {}: Apache {}, here {}", at + 1, show(left), show(right));
    }
    Some(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_get_equal_names() {
        assert_eq!(
            name_hex("cZxid = 0x1c\nmZxid = 0x2f\npZxid = 0x1c, 0x0"),
            "cZxid = hex-1\nmZxid = hex-2\npZxid = hex-1, 0x0"
        );
        assert_eq!(name_hex("0xg and 0x"), "0xg and 0x");
    }

    #[test]
    fn a_value_is_masked_up_to_its_end() {
        assert_eq!(mask_after("a=1,b=2)\nb=33", "b=", &[',', ')']), "a=1,b=*)\nb=*");
    }

    #[test]
    fn runs_are_sorted_apart() {
        let is_child = |line: &str| line.starts_with('\t');
        assert_eq!(sort_runs("b:\n\t2\n\t1\na:\n\t4\n\t3\n", is_child), "b:\n\t1\n\t2\na:\n\t3\n\t4\n");
    }

    #[test]
    fn a_difference_names_its_lines() {
        assert_eq!(difference("a\nb", "a\nb"), None);
        assert_eq!(
            difference("a\nb", "a\nc\nd").unwrap(),
            "line 2: Apache \"b\", here \"c\"\nline 3: Apache nothing, here \"d\"\n"
        );
    }
}
