//! The hash of names and access control lists: seeded, so that nobody outside can aim collisions at a server.

/// A keyed 64-bit hash of bytes: folded multiplication, in the manner of wyhash. Local to one process, never stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NameHash {
    keys: [u64; 3],
}

impl NameHash {
    pub(crate) fn new(seed: u64) -> Self {
        let mut state = seed;
        Self { keys: core::array::from_fn(|_| split_mix(&mut state)) }
    }

    #[inline]
    pub(crate) fn of(&self, bytes: &[u8]) -> u64 {
        let [first, second, third] = self.keys;
        let mut mixed = first;
        let mut rest = bytes;
        while let Some((chunk, behind)) = rest.split_first_chunk::<16>()
            && !behind.is_empty()
        {
            mixed = fold(word(chunk, 0) ^ second, word(chunk, 8) ^ mixed);
            rest = behind;
        }
        let (low, high) = tail(rest);
        fold(fold(low ^ second, high ^ mixed), third ^ bytes.len() as u64)
    }
}

/// The last 0 to 16 bytes as two words; with the length in the mix they stand for exactly these bytes.
#[inline]
fn tail(rest: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (rest.first_chunk::<8>(), rest.last_chunk::<8>()) {
        return (u64::from_be_bytes(*first), u64::from_be_bytes(*last));
    }
    if let (Some(first), Some(last)) = (rest.first_chunk::<4>(), rest.last_chunk::<4>()) {
        return (u64::from(u32::from_be_bytes(*first)), u64::from(u32::from_be_bytes(*last)));
    }
    match *rest {
        [] => (0, 0),
        [a] => (u64::from(a), 0),
        [a, b] => (u64::from(a), u64::from(b)),
        [a, b, c, ..] => (u64::from(a) | u64::from(b) << 8, u64::from(c)),
    }
}

#[inline]
fn word(chunk: &[u8; 16], at: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&chunk[at..at + 8]);
    u64::from_be_bytes(eight)
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the two halves of the product are what is wanted")]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use alloc::format;
    use alloc::vec;

    #[test]
    fn sequential_names_spread_over_low_and_high_bits() {
        let hash = NameHash::new(1);
        let all: vec::Vec<u64> = (0..4096).map(|n| hash.of(format!("lock-{n:010}").as_bytes())).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 4096);
        for part in [|h: u64| h & 0xff, |h: u64| h >> 56] {
            let mut counts = vec![0; 256];
            all.iter().for_each(|&h| counts[usize::try_from(part(h)).unwrap()] += 1);
            assert!(counts.iter().all(|&n| n < 48), "{counts:?}");
        }
    }

    #[test]
    fn every_byte_and_the_length_count() {
        let hash = NameHash::new(7);
        let mut seen = BTreeSet::new();
        for length in 0..70 {
            assert!(seen.insert(hash.of(&vec![0; length])));
            for at in 0..length {
                let mut bytes = vec![0; length];
                bytes[at] = 1;
                assert!(seen.insert(hash.of(&bytes)), "length {length}, byte {at}");
            }
        }
        assert_ne!(NameHash::new(8).of(b"a"), hash.of(b"a"));
    }
}
