//! The Bloom filter in front of the table.
//!
//! Nearly every probe of a scan is for a key that is not listed. The filter
//! says so from one 64-bit word and lets about one in thirty pass to the table.
//! It is made from the fingerprints alone, so it tells no more about the
//! entries than they do. docs/decisions/filter.md says why it is not larger.

use super::fingerprints::Fingerprint;

/// The filter, a whole number of words.
#[derive(Clone, Copy)]
pub(crate) struct Bloom<'a> {
    pub(crate) words: &'a [u8],
}

impl Bloom<'_> {
    /// Bit n is clear if print n, of up to 64, was not put in.
    pub(crate) fn may_hold(&self, prints: impl Iterator<Item = Fingerprint>) -> u64 {
        let words = self.words.as_chunks::<WORD>().0;
        // Without a branch, so that the CPU fetches many words side by side.
        prints.enumerate().fold(0, |passed, (n, print)| {
            let (word, bits) = place(print, words.len());
            let word = words.get(word).map_or(0, |&word| u64::from_le_bytes(word));
            passed | u64::from(word & bits == bits) << n
        })
    }
}

/// The filter of `prints`, at least one word.
pub(crate) fn encode(prints: &[Fingerprint]) -> Vec<u8> {
    let mut words = vec![0u64; words(prints.len() as u64) as usize];
    let length = words.len();
    for &print in prints {
        let (word, bits) = place(print, length);
        words[word] |= bits;
    }
    words.into_iter().flat_map(u64::to_le_bytes).collect()
}

/// Words of the filter for so many fingerprints: eight bits for each.
pub(crate) fn words(prints: u64) -> u64 {
    prints.div_ceil(8).max(1)
}

/// The word, by the fingerprint's first 32 bits, and four bits of it, by the 24
/// that follow.
fn place(print: Fingerprint, words: usize) -> (usize, u64) {
    let first = (print >> 64) as u64;
    let word = ((first >> 32) * words as u64) >> 32;
    let bit = |from: u32| 1 << (first >> from & 63);
    (word as usize, bit(26) | bit(20) | bit(14) | bit(8))
}

/// Bytes of a word.
pub(crate) const WORD: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_missed_and_few_others_pass() {
        // Fingerprints as BLAKE3 draws them.
        let print = |n: u32| {
            let hash = *blake3::hash(&n.to_le_bytes()).as_bytes();
            let mut head = [0; 16];
            head.copy_from_slice(&hash[..16]);
            u128::from_le_bytes(head) >> 58 << 58
        };
        let prints: Vec<Fingerprint> = (0..20_000).map(print).collect();
        let words = encode(&prints);
        let bloom = Bloom { words: &words };
        let passes = |range: std::ops::Range<u32>| -> u32 {
            range.map(|n| bloom.may_hold([print(n)].into_iter()) as u32).sum()
        };
        assert_eq!(passes(0..20_000), 20_000);
        // An ideal filter of 8 bits a key and four of them set passes 2.4 %.
        assert!(passes(20_000..220_000) < 200_000 * 4 / 100);
    }
}
