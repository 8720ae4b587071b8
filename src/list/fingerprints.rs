//! One-way fingerprints of keys, and the sorted table that holds them.
//!
//! A fingerprint is AES-128 under the list's salt, fed forward:
//! E_salt(key) xor key, cut to its first bits. The feed-forward makes it one
//! way although the salt is public (Davies-Meyer; with a fixed cipher key, as
//! here, also known as Matyas-Meyer-Oseas), and hardware AES makes it a few
//! nanoseconds. A linear hash would give the entries' bits away.

use aes::Aes128;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};

use super::bands::Key;

/// The first bits of E_salt(key) xor key, as a number.
pub(crate) type Fingerprint = u128;

/// Keys that are fingerprinted side by side.
pub(crate) const BATCH: usize = 64;

/// Makes fingerprints under one salt.
#[derive(Clone)]
pub(crate) struct Fingerprinter {
    cipher: Aes128,
    bits: u32,
}

impl Fingerprinter {
    /// `bits`: 57 to 128.
    pub(crate) fn new(salt: [u8; 16], bits: u32) -> Self {
        Self { cipher: Aes128::new(&salt.into()), bits }
    }

    /// The fingerprints of up to [`BATCH`] keys; the rest of the array is of no
    /// meaning.
    pub(crate) fn fingerprints(&self, keys: &[Key]) -> [Fingerprint; BATCH] {
        let mut blocks = [Array::from([0; 16]); BATCH];
        for (block, key) in blocks.iter_mut().zip(keys) {
            *block = Array::from(*key);
        }
        self.cipher.encrypt_blocks(&mut blocks[..keys.len()]);
        let mut prints = [0; BATCH];
        for ((print, block), key) in prints.iter_mut().zip(blocks).zip(keys) {
            let fed_forward = u128::from_be_bytes(block.into()) ^ u128::from_be_bytes(*key);
            *print = fed_forward >> (128 - self.bits);
        }
        prints
    }
}

/// Bits of a fingerprint that the table stores; the bits above them are the
/// number of its bucket.
pub(crate) const REMAINDER_BITS: u32 = 56;
pub(crate) const REMAINDER_BYTES: usize = REMAINDER_BITS as usize / 8;

/// log2 of the most fingerprints a bucket holds on average. With 56 stored bits
/// a fingerprint is then at least 53 bits longer than log2 of their number.
pub(crate) const BUCKET_LOG2: u32 = 3;

/// The bucket and the stored part of a fingerprint.
pub(crate) fn split(print: Fingerprint) -> (usize, u64) {
    ((print >> REMAINDER_BITS) as usize, print as u64 & ((1 << REMAINDER_BITS) - 1))
}

/// Fingerprints in ascending order, cut into buckets by their first bits.
#[derive(Clone, Copy)]
pub(crate) struct Table<'a> {
    /// For each bucket the number of fingerprints before it, and one more: u32,
    /// little endian.
    pub(crate) index: &'a [u8],
    /// Big endian, so that bytes sort as numbers do.
    pub(crate) remainders: &'a [u8],
}

impl Table<'_> {
    /// Whether the index ascends from none to all.
    pub(crate) fn is_sound(&self) -> bool {
        let mut last = 0;
        let ascends = self.index.as_chunks::<4>().0.iter().all(|&start| {
            let start = u32::from_le_bytes(start);
            let ascends = start >= last;
            last = start;
            ascends
        });
        ascends
            && self.start(0) == Some(0)
            && u64::from(last) * REMAINDER_BYTES as u64 == self.remainders.len() as u64
    }

    /// Whether the fingerprints of every bucket ascend, each once.
    pub(crate) fn is_ordered(&self) -> bool {
        let remainders = self.remainders.as_chunks::<REMAINDER_BYTES>().0;
        let mut starts =
            self.index.as_chunks::<4>().0.iter().map(|&start| u32::from_le_bytes(start));
        let Some(mut start) = starts.next() else { return false };
        starts.all(|end| {
            let bucket = remainders.get(start as usize..end as usize);
            start = end;
            bucket.is_some_and(|bucket| bucket.is_sorted_by(|a, b| a < b))
        })
    }

    pub(crate) fn holds(&self, print: Fingerprint) -> bool {
        let (bucket, remainder) = split(print);
        let bounds = self.start(bucket).zip(self.start(bucket + 1));
        let Some((start, end)) = bounds else { return false };
        let stored = self.remainders.as_chunks::<REMAINDER_BYTES>().0.get(start..end);
        stored.unwrap_or(&[]).binary_search(&to_bytes(remainder)).is_ok()
    }

    fn start(&self, bucket: usize) -> Option<usize> {
        self.index.as_chunks::<4>().0.get(bucket).map(|&start| u32::from_le_bytes(start) as usize)
    }
}

fn to_bytes(remainder: u64) -> [u8; REMAINDER_BYTES] {
    std::array::from_fn(|n| (remainder >> (REMAINDER_BITS as usize - 8 - 8 * n)) as u8)
}

/// Index and remainders of ascending fingerprints, as [`Table`] reads them.
#[cfg(feature = "publish")]
pub(crate) fn encode(prints: &[Fingerprint], bucket_bits: u32) -> (Vec<u8>, Vec<u8>) {
    let mut index = Vec::with_capacity(((1 << bucket_bits) + 1) * 4);
    let mut rest = prints;
    for bucket in 0..1usize << bucket_bits {
        index.extend_from_slice(&((prints.len() - rest.len()) as u32).to_le_bytes());
        let inside = rest.iter().take_while(|&&print| split(print).0 == bucket).count();
        rest = &rest[inside..];
    }
    index.extend_from_slice(&(prints.len() as u32).to_le_bytes());
    let remainders = prints.iter().flat_map(|&print| to_bytes(split(print).1)).collect();
    (index, remainders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_aes_fed_forward() {
        // FIPS 197, appendix B: key, plaintext, ciphertext.
        let salt = 0x2b7e151628aed2a6abf7158809cf4f3c_u128.to_be_bytes();
        let key = 0x3243f6a8885a308d313198a2e0370734_u128;
        let cipher = 0x3925841d02dc09fbdc118597196a0b32_u128;
        for bits in [57, 75, 128] {
            let prints = Fingerprinter::new(salt, bits).fingerprints(&[key.to_be_bytes(); 3]);
            assert_eq!(prints[..3], [(key ^ cipher) >> (128 - bits); 3]);
        }
    }

    #[cfg(feature = "publish")]
    #[test]
    fn the_table_holds_what_was_put_in_and_nothing_else() {
        let print = |n: u128| n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) >> 68;
        let mut prints: Vec<Fingerprint> = (1..2000).map(print).collect();
        prints.sort_unstable();
        let (index, remainders) = encode(&prints, 4);
        let table = Table { index: &index, remainders: &remainders };
        assert!(table.is_sound() && table.is_ordered());
        assert!(prints.iter().all(|&print| table.holds(print)));
        assert!((2000..9000).all(|n| !table.holds(print(n))));
        let short = Table { index: &index, remainders: &remainders[7..] };
        assert!(!short.is_sound());
        let mut swapped = remainders.clone();
        swapped.swap(0, 7);
        assert!(!Table { index: &index, remainders: &swapped }.is_ordered());
    }
}
