//! What we make of malformed UTF-8 against what the real Java makes of it, over thousands of random byte strings.
//!
//! Needs `java` on the path (the set-up of the project installs it) and fails with a clear message without it.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

use proto::wire::text_lossy;

const TEXTS: usize = 20_000;

/// Bytes at which the rules of UTF-8 change, so that every pair of neighbours meets; those of surrogates twice.
const EDGES: [u8; 32] = [
    0x00, 0x2f, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbd, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1,
    0xec, 0xed, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xfc, 0xfe, 0xff,
];

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

    fn text(&mut self) -> Vec<u8> {
        let length = self.below(9);
        (0..length).map(|_| EDGES[self.below(EDGES.len())]).collect()
    }
}

/// The answers of one JVM, one line for each text.
fn java_decodes(texts: &[Vec<u8>]) -> Vec<String> {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/java/DecodeText.java");
    let mut java = Command::new("java")
        .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test compares with Java and needs `java` on the path; `cargo xtask setup` installs it");
    let mut input = java.stdin.take().unwrap();
    let bytes: Vec<u8> = texts
        .iter()
        .flat_map(|text| [&u16::try_from(text.len()).unwrap().to_be_bytes(), text.as_slice()].concat())
        .collect();
    let writer = thread::spawn(move || input.write_all(&bytes).unwrap());
    let output = java.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "java failed: {}", output.status);
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn hex(text: &str) -> String {
    text.encode_utf16().map(|unit| format!("{unit:04x}")).collect()
}

#[test]
fn random_bytes_are_the_text_they_are_to_java() {
    let mut random = Random(0x0dd_ba11);
    let triples = EDGES.iter().flat_map(|&a| EDGES.iter().flat_map(move |&b| EDGES.map(|c| vec![a, b, c])));
    let texts: Vec<_> = triples.chain((0..TEXTS).map(|_| random.text())).collect();
    let answers = java_decodes(&texts);
    assert_eq!(answers.len(), texts.len());
    for (text, answer) in texts.iter().zip(&answers) {
        assert_eq!(&hex(&text_lossy(text)), answer, "{text:02x?}");
    }
}
