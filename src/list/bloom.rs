//! The Bloom filter in front of the table.
//!
//! Nearly every probe of a scan is for a key that is not listed. The filter
//! says so from one 64-bit word and lets about one in thirty pass to the table.
//! It is made from the fingerprints alone, so it tells no more about the
//! entries than they do. docs/decisions/filter.md says why it is not larger.

use super::bands::BATCH;
use super::fingerprints::Fingerprint;

/// The filter, a whole number of words.
#[derive(Clone, Copy)]
pub(crate) struct Bloom<'a> {
    pub(crate) words: &'a [u8],
    /// Length of a fingerprint in bits.
    pub(crate) fingerprint_bits: u32,
}

impl Bloom<'_> {
    /// Bit n is clear if print n, of up to [`BATCH`], was not put in.
    pub(crate) fn may_hold(&self, prints: &[Fingerprint]) -> u64 {
        let words = self.words.as_chunks::<WORD>().0;
        let mut places = [(0, 0); BATCH];
        for (place, &print) in places.iter_mut().zip(prints) {
            *place = self::place(print, self.fingerprint_bits, words.len());
        }
        // Apart from the above, so that the words are fetched side by side.
        let tests = places[..prints.len()].iter().enumerate().map(|(n, &(word, bits))| {
            let word = words.get(word).map_or(0, |&word| u64::from_le_bytes(word));
            u64::from(word & bits == bits) << n
        });
        tests.sum()
    }
}

/// The filter of `prints`, at least one word.
#[cfg(feature = "publish")]
pub(crate) fn encode(prints: &[Fingerprint], fingerprint_bits: u32) -> Vec<u8> {
    let mut words = vec![0u64; words(prints.len() as u64) as usize];
    let length = words.len();
    for &print in prints {
        let (word, bits) = place(print, fingerprint_bits, length);
        words[word] |= bits;
    }
    words.into_iter().flat_map(u64::to_le_bytes).collect()
}

/// Words of the filter for so many fingerprints: eight bits for each.
pub(crate) fn words(prints: u64) -> u64 {
    prints.div_ceil(8).max(1)
}

/// The word, by the fingerprint's first 32 bits, and four bits of it, by the
/// fingerprint's last 64 bits.
fn place(print: Fingerprint, fingerprint_bits: u32, words: usize) -> (usize, u64) {
    let first = (print >> (fingerprint_bits - 32)) as u32;
    let word = (u64::from(first) * words as u64) >> 32;
    let spread = (print as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let bit = |n: u32| 1 << (spread >> (58 - 6 * n) & 63);
    (word as usize, bit(0) | bit(1) | bit(2) | bit(3))
}

/// Bytes of a word.
pub(crate) const WORD: usize = 8;

#[cfg(all(test, feature = "publish"))]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_missed_and_few_others_pass() {
        // Fingerprints as BLAKE3 draws them, 70 bits.
        let print = |n: u32| {
            let hash = *blake3::hash(&n.to_le_bytes()).as_bytes();
            let mut head = [0; 16];
            head.copy_from_slice(&hash[..16]);
            u128::from_le_bytes(head) >> 58
        };
        let prints: Vec<Fingerprint> = (0..20_000).map(print).collect();
        let words = encode(&prints, 70);
        let bloom = Bloom { words: &words, fingerprint_bits: 70 };
        let passes = |range: std::ops::Range<u32>| -> u32 {
            let prints: Vec<Fingerprint> = range.map(print).collect();
            prints.chunks(BATCH).map(|prints| bloom.may_hold(prints).count_ones()).sum()
        };
        assert_eq!(passes(0..20_000), 20_000);
        // An ideal filter of 8 bits a key and four of them set passes 2.4 %.
        assert!(passes(20_000..220_000) < 200_000 * 4 / 100);
    }
}
