//! The Bloom filter in front of the table.
//!
//! Nearly every probe of a scan is for a key that is not listed. The filter
//! says so from one 64-byte block, one cache line, and lets about one in a
//! hundred pass to the table. It is made from the fingerprints alone, so it
//! tells no more about the entries than they do.

use super::fingerprints::{Fingerprint, split};

/// Bits of the filter a key.
#[cfg(feature = "publish")]
pub(crate) const BITS_PER_KEY: u64 = 10;

/// Bits set for each key within its block.
const PROBES: u32 = 7;

/// Bytes of one block.
pub(crate) const BLOCK: usize = 64;

/// The filter, a whole number of blocks.
#[derive(Clone, Copy)]
pub(crate) struct Bloom<'a> {
    pub(crate) blocks: &'a [u8],
    /// Length of a fingerprint in bits.
    pub(crate) fingerprint_bits: u32,
}

impl Bloom<'_> {
    /// False only for a fingerprint that was not put in.
    pub(crate) fn may_hold(&self, print: Fingerprint) -> bool {
        let blocks = self.blocks.as_chunks::<BLOCK>().0;
        let (block, bits) = place(print, self.fingerprint_bits, blocks.len());
        let Some(block) = blocks.get(block) else { return false };
        positions(bits).all(|bit| block[bit / 8] >> (bit % 8) & 1 != 0)
    }
}

/// The filter of `prints`, at least one block.
#[cfg(feature = "publish")]
pub(crate) fn encode(prints: &[Fingerprint], fingerprint_bits: u32) -> Vec<u8> {
    let blocks = (prints.len() as u64 * BITS_PER_KEY).div_ceil(8 * BLOCK as u64).max(1) as usize;
    let mut bytes = vec![0; blocks * BLOCK];
    for &print in prints {
        let (block, bits) = place(print, fingerprint_bits, blocks);
        for bit in positions(bits) {
            bytes[block * BLOCK + bit / 8] |= 1 << (bit % 8);
        }
    }
    bytes
}

/// The block, by the fingerprint's first 32 bits, and the bits within it, by
/// its stored part spread over 64 bits.
fn place(print: Fingerprint, fingerprint_bits: u32, blocks: usize) -> (usize, u64) {
    let first = (print >> (fingerprint_bits - 32)) as u32;
    let block = (u64::from(first) * blocks as u64) >> 32;
    (block as usize, split(print).1.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// Seven numbers of nine bits each, from the top down.
fn positions(bits: u64) -> impl Iterator<Item = usize> {
    (0..PROBES).map(move |n| (bits >> (55 - 9 * n) & 511) as usize)
}

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
        let blocks = encode(&prints, 70);
        let bloom = Bloom { blocks: &blocks, fingerprint_bits: 70 };
        assert!(prints.iter().all(|&print| bloom.may_hold(print)));
        let passes = (20_000..220_000).filter(|&n| bloom.may_hold(print(n))).count();
        // An ideal filter of 10 bits a key passes 0.8 %, a blocked one 1.3 %.
        assert!(passes < 200_000 * 2 / 100, "{passes} of 200,000");
    }
}
