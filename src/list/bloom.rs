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
}

impl Bloom<'_> {
    /// Those of up to [`BATCH`] prints that may have been put in.
    pub(crate) fn may_hold(
        &self,
        prints: impl Iterator<Item = Fingerprint> + Clone,
    ) -> impl Iterator<Item = Fingerprint> {
        let words = self.words.as_chunks::<WORD>().0;
        // All words first, with nothing else to do: the CPU waits for many side by side.
        let mut found = [0; BATCH];
        for (found, print) in found.iter_mut().zip(prints.clone()) {
            let word = words.get(word(print, words.len()));
            *found = word.map_or(0, |&word| u64::from_le_bytes(word));
        }
        prints
            .zip(found)
            .filter(|&(print, word)| word & bits(print) == bits(print))
            .map(|(print, _)| print)
    }
}

/// The filter of `prints`, at least one word.
pub(crate) fn encode(prints: &[Fingerprint]) -> Vec<u8> {
    let mut words = vec![0u64; words(prints.len() as u64) as usize];
    let length = words.len();
    for &print in prints {
        words[word(print, length)] |= bits(print);
    }
    words.into_iter().flat_map(u64::to_le_bytes).collect()
}

/// Words of the filter for so many fingerprints: eight bits for each.
pub(crate) fn words(prints: u64) -> u64 {
    prints.div_ceil(8).max(1)
}

/// The number of the word, by the fingerprint's first 32 bits.
fn word(print: Fingerprint, words: usize) -> usize {
    (((print >> 96) as u64 * words as u64) >> 32) as usize
}

/// Four bits of the word, by the 24 that follow.
fn bits(print: Fingerprint) -> u64 {
    let next = (print >> 64) as u64;
    let bit = |from: u32| 1 << (next >> from & 63);
    bit(26) | bit(20) | bit(14) | bit(8)
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
        let passes = |range: std::ops::Range<u32>| -> usize {
            range.map(|n| bloom.may_hold([print(n)].into_iter()).count()).sum()
        };
        assert_eq!(passes(0..20_000), 20_000);
        // An ideal filter of 8 bits a key and four of them set passes 2.4 %.
        assert!(passes(20_000..220_000) < 200_000 * 4 / 100);
    }
}
