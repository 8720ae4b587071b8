//! Chance that repeats: the same seed draws the same numbers everywhere.

use presend::hash::PerceptualHash;

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", 2014): a counter and a mixer, so that a script in another
/// language draws the same numbers with a few lines.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// For one thing done to one picture: the same whatever else is in the folder.
    pub(crate) fn for_picture(hash: &PerceptualHash, purpose: u64) -> Self {
        let words = hash.words().into_iter();
        Self(words.fold(purpose, |seed, word| Self(seed ^ word).next()))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// One of 0..n, each equally likely but for 1 in 2^64 / n.
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u32
    }

    /// Of mean 0 and deviation 1: twelve uniform draws, summed. Unlike a
    /// logarithm, a sum is the same on every machine.
    pub(crate) fn normal(&mut self) -> f64 {
        let mut sum = 0;
        for _ in 0..3 {
            let lanes = self.next();
            sum += (0..4).map(|lane| i64::from((lanes >> (16 * lane)) as u16)).sum::<i64>();
        }
        // Each lane is of mean 32767.5 and twelve of them of deviation 65536.
        (sum - 393_210) as f64 / 65_536.0
    }

    pub(crate) fn hash(&mut self) -> PerceptualHash {
        PerceptualHash::from_words(std::array::from_fn(|_| self.next()))
    }

    /// `count` different numbers below 256.
    pub(crate) fn positions(&mut self, count: usize) -> Vec<u8> {
        let mut all: Vec<u8> = (0..=255).collect();
        for at in 0..count {
            let left = (all.len() - at) as u32;
            all.swap(at, at + self.below(left) as usize);
        }
        all.truncate(count);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_splitmix64() {
        // The reference implementation's first values for the seed 1234567.
        let mut chance = Chance::new(1_234_567);
        assert_eq!(chance.next(), 6_457_827_717_110_365_317);
        assert_eq!(chance.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn normal_draws_have_mean_0_and_deviation_1() {
        let mut chance = Chance::new(1);
        let draws: Vec<f64> = (0..100_000).map(|_| chance.normal()).collect();
        let mean = draws.iter().sum::<f64>() / 1e5;
        let variance = draws.iter().map(|x| x * x).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }

    #[test]
    fn positions_are_different() {
        let mut positions = Chance::new(5).positions(40);
        positions.sort_unstable();
        positions.dedup();
        assert_eq!(positions.len(), 40);
    }
}
