//! Golden bytes as text: hexadecimal digits in any grouping, and strings in quotes.

use proto::Encode;

/// The bytes that `golden` spells. Inside quotes, characters stand for themselves and `\n` for a line's end.
pub(crate) fn bytes(golden: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut digits = String::new();
    for (i, piece) in golden.split('"').enumerate() {
        if i % 2 == 1 {
            out.extend_from_slice(piece.replace("\\n", "\n").as_bytes());
            continue;
        }
        digits.clear();
        digits.extend(piece.chars().filter(|c| !c.is_whitespace()));
        assert!(digits.len().is_multiple_of(2), "half a byte in {piece:?}");
        for pair in digits.as_bytes().chunks_exact(2) {
            let pair = std::str::from_utf8(pair).expect("hexadecimal digits are ASCII");
            out.push(u8::from_str_radix(pair, 16).expect("hexadecimal digits"));
        }
    }
    out
}

/// The bytes of a record.
pub(crate) fn encoded(record: &impl Encode) -> Vec<u8> {
    let mut out = Vec::new();
    record.encode(&mut out);
    out
}
