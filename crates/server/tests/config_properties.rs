//! Our reading of `.properties` texts against the real `java.util.Properties`, over thousands of random texts.
//!
//! Needs `java` on the path (the set-up of the project installs it) and fails with a clear message without it.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

use server::config::properties;

const TEXTS: usize = 8000;

/// Small, seeded, and good enough to shuffle bytes (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let value = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(value).unwrap() % bound
    }
}

/// Pieces that meet each other in every order: the blanks, ends, separators and escapes of the format, their
/// neighbours in ISO-8859-1, and whole escapes, good and bad.
const PIECES: [&[u8]; 40] = [
    b"a",
    b"b",
    b"key",
    b"value",
    b" ",
    b" ",
    b"\t",
    b"\x0c",
    b"\n",
    b"\n",
    b"\r",
    b"\r\n",
    b"=",
    b"=",
    b":",
    b"#",
    b"!",
    b"\\",
    b"\\",
    b"\\\\",
    b"\\\n",
    b"\\\r\n",
    b"\\\r",
    b"\\ ",
    b"\\=",
    b"\\:",
    b"\\u0041",
    b"\\u00e9",
    b"\\uD83D\\uDE00",
    b"\\ud800",
    b"\\u12",
    b"\\users",
    b"\\t",
    b"\\n",
    b"\\f",
    b"\\q",
    b"\x85",
    b"\xa0",
    b"\xe9",
    b"\x00",
];

fn random_text(random: &mut Random) -> Vec<u8> {
    let pieces = random.below(30);
    (0..pieces).flat_map(|_| PIECES[random.below(PIECES.len())].iter().copied()).collect()
}

/// The answers of one JVM, one per text.
fn java_loads(texts: &[Vec<u8>]) -> Vec<String> {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/java/LoadProperties.java");
    let mut java = Command::new("java")
        .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test compares with Java and needs `java` on the path; `cargo xtask setup` installs it");
    let mut input = java.stdin.take().unwrap();
    let bytes: Vec<u8> = texts
        .iter()
        .flat_map(|text| [&u32::try_from(text.len()).unwrap().to_be_bytes(), text.as_slice()].concat())
        .collect();
    let writer = thread::spawn(move || input.write_all(&bytes).unwrap());
    let output = java.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "java failed: {}", output.status);
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// A string of Java's answer, with lone surrogates replaced as ours are.
fn from_hex(hex: &str) -> String {
    let units = hex.as_bytes().chunks(4);
    let units: Vec<u16> =
        units.map(|unit| u16::from_str_radix(std::str::from_utf8(unit).unwrap(), 16).unwrap()).collect();
    String::from_utf16_lossy(&units)
}

/// `None` for a malformed text. Texts where two of Java's keys become one by the replacement are told apart by count.
fn java_answer(line: &str) -> Option<(usize, BTreeMap<String, String>)> {
    if line == "malformed" {
        return None;
    }
    let pairs: Vec<_> = line.split(' ').filter(|pair| !pair.is_empty()).collect();
    let map = pairs.iter().map(|pair| pair.split_once('=').unwrap());
    Some((pairs.len(), map.map(|(key, value)| (from_hex(key), from_hex(value))).collect()))
}

#[test]
fn random_texts_mean_what_they_mean_to_java() {
    let mut random = Random(0x0dd_ba11);
    let texts: Vec<_> = (0..TEXTS).map(|_| random_text(&mut random)).collect();
    let answers = java_loads(&texts);
    assert_eq!(answers.len(), TEXTS);
    let mut malformed = 0;
    for (text, answer) in texts.iter().zip(&answers) {
        let shown = String::from_utf8_lossy(text);
        let ours = properties::parse(text).ok();
        let Some((count, java)) = java_answer(answer) else {
            malformed += 1;
            assert!(ours.is_none(), "Java refuses {shown:?}, we read {ours:?}");
            continue;
        };
        let ours = ours.unwrap_or_else(|| panic!("we refuse {shown:?}, Java reads {java:?}"));
        let ours: BTreeMap<_, _> = ours.into_iter().map(|p| (p.key, p.value)).collect();
        if count == java.len() {
            assert_eq!(ours, java, "{shown:?}");
        }
    }
    // The generator must reach both sides.
    assert!((TEXTS / 50..TEXTS * 9 / 10).contains(&malformed), "{malformed} malformed texts");
}
