//! What happened, as a number that must not change and, if wanted, as lines.

use core::fmt;

/// See the module.
#[derive(Debug)]
pub struct Trace {
    hash: u64,
    /// Lines are printed as they come.
    prints: bool,
    /// Lines are kept.
    keeps: bool,
    lines: Vec<String>,
}

impl Trace {
    /// Nothing has happened. `prints`: one line per state change goes to stdout.
    #[must_use]
    pub fn new(prints: bool) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, prints, keeps: false, lines: Vec::new() }
    }

    /// Lines are kept for [`Self::take_lines`].
    pub fn keep(&mut self) {
        self.keeps = true;
    }

    /// The lines since the last time.
    pub fn take_lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    /// A number that stands for everything so far.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Takes note of a number.
    pub fn note(&mut self, value: u64) {
        self.hash = (self.hash ^ value).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
    }

    /// Takes note of bytes.
    pub fn note_bytes(&mut self, bytes: &[u8]) {
        self.note(hash_bytes(bytes));
    }

    /// A state changed.
    pub fn line(&mut self, now_us: u64, text: fmt::Arguments<'_>) {
        if self.prints {
            print_line(now_us, text);
        }
        if self.keeps {
            self.lines.push(text.to_string());
        }
    }

    /// Whether anybody reads lines.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.prints || self.keeps
    }
}

#[expect(clippy::print_stdout, reason = "whoever replays a run wants to read it")]
fn print_line(now_us: u64, text: fmt::Arguments<'_>) {
    println!("{:>12.6} {text}", std::time::Duration::from_micros(now_us).as_secs_f64());
}

/// A hash of bytes that is the same in every process.
#[must_use]
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut hash = 0x51_7c_c1_b7_27_22_0a_95_u64 ^ bytes.len() as u64;
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let word = u64::from_be_bytes(chunk.try_into().expect("chunks of eight"));
        hash = (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
    for &byte in chunks.remainder() {
        hash = (hash.rotate_left(5) ^ u64::from(byte)).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
    hash
}
