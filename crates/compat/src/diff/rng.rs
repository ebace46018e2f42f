//! The seeded source of every choice: SplitMix64, so that a seed is a sequence on every machine and every release.

/// A generator of numbers; the same seed gives the same ones.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// Starts a sequence.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("usize has at most 64 bits");
        usize::try_from(self.bits() % bound).expect("smaller than a usize")
    }

    /// True `percent` times of a hundred.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of several, which are not none.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let index = self.below(from.len());
        *from.get(index).expect("below the length")
    }

    /// One of several, each as likely as its weight says.
    pub fn weighted<T: Copy>(&mut self, from: &[(usize, T)]) -> T {
        let total = from.iter().map(|(weight, _)| weight).sum();
        let mut left = self.below(total);
        for (weight, value) in from {
            match left.checked_sub(*weight) {
                Some(less) => left = less,
                None => return *value,
            }
        }
        unreachable!("`left` was below the sum of the weights")
    }

    /// 32 bits as the wire has them.
    pub fn int(&mut self) -> i32 {
        let [a, b, c, d, ..] = self.bits().to_be_bytes();
        i32::from_be_bytes([a, b, c, d])
    }

    /// 64 bits as the wire has them.
    pub fn long(&mut self) -> i64 {
        i64::from_be_bytes(self.bits().to_be_bytes())
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        self.bits().to_be_bytes()[0]
    }

    /// `length` bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_index| self.byte()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        // The reference implementation's first two numbers for seed 1234567.
        let mut rng = Rng::new(1_234_567);
        assert_eq!([rng.bits(), rng.bits()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn weights_of_nothing_are_never_drawn() {
        let mut rng = Rng::new(7);
        assert!((0..1000).all(|_round| rng.weighted(&[(0, 'a'), (3, 'b'), (0, 'c')]) == 'b'));
    }
}
