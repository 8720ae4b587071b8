//! One-way fingerprints of keys, and the sorted table that holds them.
//!
//! A fingerprint is AES-128 under the list's salt, fed forward:
//! E_salt(key) xor key, cut to its first bits. The feed-forward makes it one
//! way although the salt is public (Davies-Meyer; with a fixed cipher key, as
//! here, also known as Matyas-Meyer-Oseas), and hardware AES makes it a few
//! nanoseconds. A linear hash would give the entries' bits away.

use aes::Aes128;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};

use super::bands::{BATCH, Key};

/// The first bits of E_salt(key) xor key, highest first, then zeros.
pub(crate) type Fingerprint = u128;

/// Makes fingerprints under one salt.
#[derive(Clone)]
pub(crate) struct Fingerprinter {
    cipher: Aes128,
    kept: u128,
}

impl Fingerprinter {
    /// `bits`: 57 to 128.
    pub(crate) fn new(salt: [u8; 16], bits: u32) -> Self {
        Self { cipher: Aes128::new(&salt.into()), kept: !0 << (128 - bits) }
    }

    /// The fingerprints of up to [`BATCH`] keys, made in `blocks`.
    pub(crate) fn fingerprints<'b>(
        &self,
        keys: &'b [Key],
        blocks: &'b mut [Key; BATCH],
    ) -> impl ExactSizeIterator<Item = Fingerprint> + Clone + 'b {
        let blocks = &mut blocks[..keys.len()];
        blocks.copy_from_slice(keys);
        self.cipher.encrypt_blocks(Array::cast_slice_from_core_mut(blocks));
        let kept = self.kept;
        let number = u128::from_be_bytes;
        blocks.iter().zip(keys).map(move |(&block, &key)| (number(block) ^ number(key)) & kept)
    }
}

/// Bits of the fingerprints of a list of so many: 49 more than it takes to
/// number them, so that 2^19 probes meet one of them by chance with a
/// probability of at most 2^-30.
pub(crate) fn bits(fingerprints: u64) -> u32 {
    (fingerprints.next_power_of_two().ilog2() + 49).max(LEAST_BITS)
}

/// The shortest fingerprints, of short lists.
pub(crate) const LEAST_BITS: u32 = 57;

/// log2 of the number of buckets for so many fingerprints: 16 to 32 in each, which
/// costs the least room for index and remainders together.
pub(crate) fn bucket_bits(fingerprints: u64) -> u32 {
    fingerprints.max(1).ilog2().saturating_sub(4)
}

/// Where to look for a fingerprint.
#[derive(Clone, Copy, Default)]
struct Place {
    /// Its bucket.
    start: usize,
    end: usize,
    /// Where to begin, and the remainder there.
    at: usize,
    found: u64,
    remainder: u64,
}

/// Fingerprints in ascending order, cut into buckets by their first bits.
#[derive(Clone, Copy)]
pub(crate) struct Table<'a> {
    /// For each bucket the number of fingerprints before it, and one more: u32,
    /// little endian.
    pub(crate) index: &'a [u8],
    /// The bits of the fingerprints behind those that number their bucket,
    /// without gaps, the first from the lowest bit; then [`PADDING`].
    pub(crate) remainders: &'a [u8],
    /// Fingerprints in all.
    pub(crate) length: usize,
    pub(crate) bucket_bits: u32,
    /// At most [`MOST_REMAINDER_BITS`].
    pub(crate) remainder_bits: u32,
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
        ascends && self.start(0) == Some(0) && last as usize == self.length
    }

    /// Whether the fingerprints of every bucket ascend, each once, and nothing
    /// is behind the last.
    pub(crate) fn is_ordered(&self) -> bool {
        let starts = self.index.as_chunks::<4>().0;
        let ascends = starts.windows(2).all(|bounds| {
            let [start, end] = [bounds[0], bounds[1]].map(|at| u32::from_le_bytes(at) as usize);
            (start + 1..end).all(|n| self.remainder(n - 1) < self.remainder(n))
        });
        let end = self.length as u64 * u64::from(self.remainder_bits);
        let behind = self.remainders.get((end / 8) as usize..).unwrap_or_default();
        let mut behind = behind.iter().copied();
        ascends
            && behind.next().is_none_or(|byte| byte >> (end % 8) == 0)
            && behind.all(|byte| byte == 0)
    }

    /// Whether any of up to [`BATCH`] fingerprints is there.
    pub(crate) fn holds_any(&self, prints: &[Fingerprint]) -> bool {
        let mut places = [Place::default(); BATCH];
        for (place, &print) in places.iter_mut().zip(prints) {
            *place = self.place(print);
        }
        let places = &mut places[..prints.len()];
        // What is there first, in all buckets: the CPU waits for many side by side.
        for place in places.iter_mut() {
            place.found = self.remainder(place.at).unwrap_or_default();
        }
        places.iter().any(|place| self.is_in(place))
    }

    /// Where the fingerprint is if those of its bucket stand at even distances.
    fn place(&self, print: Fingerprint) -> Place {
        let (number, remainder) = self.split(print);
        let bounds = self.start(number).zip(self.start(number + 1));
        let (start, end) = bounds.unwrap_or_default();
        let part = u128::from(remainder) * (end - start) as u128;
        let at = start + (part >> self.remainder_bits) as usize;
        Place { start, end, at, remainder, found: 0 }
    }

    /// A search by growing strides and then by halves: it seldom leaves the cache
    /// line that it begins in, and no bucket is too full for it, whoever filled it.
    fn is_in(&self, place: &Place) -> bool {
        let &Place { mut start, mut end, mut at, remainder, mut found } = place;
        let mut stride = 0;
        while start < end {
            if found == remainder {
                return true;
            }
            let next = if found < remainder {
                start = at + 1;
                Some(start + stride)
            } else {
                end = at;
                end.checked_sub(stride + 1)
            };
            let inside = next.filter(|next| (start..end).contains(next));
            at = inside.unwrap_or(start.midpoint(end));
            found = self.remainder(at).unwrap_or_default();
            stride = stride * 2 + 1;
        }
        false
    }

    /// The bucket's number, and the remainder.
    fn split(&self, print: Fingerprint) -> (usize, u64) {
        // Two shifts: one by all 128 bits would be none.
        let bucket = print >> 1 >> (127 - self.bucket_bits);
        let remainder = print << self.bucket_bits >> 64 >> (64 - self.remainder_bits);
        (bucket as usize, remainder as u64)
    }

    /// Every fingerprint, in ascending order.
    pub(crate) fn iter(self) -> impl Iterator<Item = Fingerprint> {
        let starts = self.index.as_chunks::<4>().0;
        starts.windows(2).enumerate().flat_map(move |(bucket, bounds)| {
            let [start, end] = [bounds[0], bounds[1]].map(|at| u32::from_le_bytes(at) as usize);
            (start..end).map_while(move |n| {
                let remainder = u128::from(self.remainder(n)?) << (128 - self.remainder_bits);
                // Two shifts: one by all 128 bits would be none.
                Some(
                    (bucket as u128) << 1 << (127 - self.bucket_bits)
                        | remainder >> self.bucket_bits,
                )
            })
        })
    }

    fn start(&self, bucket: usize) -> Option<usize> {
        self.index.as_chunks::<4>().0.get(bucket).map(|&start| u32::from_le_bytes(start) as usize)
    }

    fn remainder(&self, n: usize) -> Option<u64> {
        let at = n as u64 * u64::from(self.remainder_bits);
        let bytes = self.remainders.get((at / 8) as usize..)?.first_chunk()?;
        Some(u64::from_le_bytes(*bytes) >> (at % 8) & mask(self.remainder_bits))
    }
}

/// So that eight bytes can be read where the last remainder begins.
pub(crate) const PADDING: usize = 7;

/// What is left of eight bytes after a shift by a part of a byte.
pub(crate) const MOST_REMAINDER_BITS: u32 = 57;

/// Bytes of so many remainders, with the padding.
pub(crate) fn remainder_bytes(length: u64, remainder_bits: u32) -> Option<u64> {
    let bits = length.checked_mul(remainder_bits.into())?;
    Some(bits.div_ceil(8) + PADDING as u64)
}

fn mask(bits: u32) -> u64 {
    (1 << bits) - 1
}

/// Index and remainders of ascending fingerprints, as [`Table`] reads them.
pub(crate) fn encode(
    prints: &[Fingerprint],
    bucket_bits: u32,
    remainder_bits: u32,
) -> (Vec<u8>, Vec<u8>) {
    let table =
        Table { index: &[], remainders: &[], length: prints.len(), bucket_bits, remainder_bits };
    let mut index = Vec::with_capacity(((1 << bucket_bits) + 1) * 4);
    let mut rest = prints;
    for bucket in 0..1 << bucket_bits {
        index.extend_from_slice(&((prints.len() - rest.len()) as u32).to_le_bytes());
        let inside = rest.iter().take_while(|&&print| table.split(print).0 == bucket).count();
        rest = &rest[inside..];
    }
    index.extend_from_slice(&(prints.len() as u32).to_le_bytes());

    let bytes = (prints.len() * remainder_bits as usize).div_ceil(8);
    let mut remainders = Vec::with_capacity(bytes + PADDING);
    let (mut pending, mut filled) = (0u128, 0);
    for &print in prints {
        pending |= u128::from(table.split(print).1) << filled;
        filled += remainder_bits;
        while filled >= 8 {
            remainders.push(pending as u8);
            pending >>= 8;
            filled -= 8;
        }
    }
    remainders.push(pending as u8);
    remainders.resize(bytes + PADDING, 0);
    (index, remainders)
}

#[cfg(test)]
mod tests {
    use std::array;
    use std::collections::BTreeSet;
    use std::ops::ControlFlow;

    use super::*;
    use crate::hash::PerceptualHash;
    use crate::hash::views::View;
    use crate::list::bands::Bands;

    #[test]
    fn a_fingerprint_is_aes_fed_forward() {
        // FIPS 197, appendix B: key, plaintext, ciphertext.
        let salt = 0x2b7e151628aed2a6abf7158809cf4f3c_u128.to_be_bytes();
        let key = 0x3243f6a8885a308d313198a2e0370734_u128;
        let cipher = 0x3925841d02dc09fbdc118597196a0b32_u128;
        for bits in [57, 75, 128] {
            let (keys, mut blocks) = ([key.to_be_bytes(); 3], [[0; 16]; BATCH]);
            let prints = Fingerprinter::new(salt, bits);
            let prints: Vec<_> = prints.fingerprints(&keys, &mut blocks).collect();
            assert_eq!(prints, [(key ^ cipher) >> (128 - bits) << (128 - bits); 3]);
        }
    }

    #[test]
    fn short_fingerprints_are_met_as_often_as_the_bound_says() {
        // n fingerprints of F bits and q probes meet n q 2^-F times on average.
        let drawn = |seed: u32| *blake3::hash(&seed.to_le_bytes()).as_bytes();
        let bands = Bands::new(80);
        let mut blocks = [[0; 16]; BATCH];
        let prints = Fingerprinter::new(*b"any salt will do", 26);
        let mut stored = BTreeSet::new();
        for seed in 0..4096 {
            let keys = bands.keys(&PerceptualHash::from_bytes(drawn(seed)));
            stored.extend(prints.fingerprints(&keys, &mut blocks));
        }
        let (mut probes, mut met) = (0, 0);
        for seed in 4096..4896 {
            let margins =
                array::from_fn(|at| f32::from(drawn(seed)[at / 8].rotate_left(at as u32 % 8)));
            let view = View { hash: PerceptualHash::from_bytes(drawn(seed)), margins };
            bands.probes(&view, 4096).try_each(&mut |keys| {
                probes += keys.len();
                let prints = prints.fingerprints(keys, &mut blocks);
                met += prints.filter(|print| stored.contains(print)).count();
                ControlFlow::Continue(())
            });
        }
        let expected = stored.len() as f64 * probes as f64 / f64::from(1 << 26);
        assert!(expected > 400.0, "{expected}");
        // Four deviations.
        assert!((met as f64 - expected).abs() < 4.0 * expected.sqrt(), "{met}, not {expected}");
    }

    #[test]
    fn the_table_holds_what_was_put_in_and_nothing_else() {
        let print = |n: u128| n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) >> 68 << 68;
        // At even distances, and half of them crowded in front.
        let crowded = |n: u128| print(n) >> (n % 2 * (n % 40)) >> 68 << 68;
        let all = [(1..2000).map(print).collect(), (1..2000).map(crowded).collect()];
        for (prints, bucket_bits) in
            all.iter().flat_map(|prints: &BTreeSet<_>| [3, 4, 7].map(|bits| (prints, bits)))
        {
            let prints: Vec<Fingerprint> = prints.iter().copied().collect();
            let remainder_bits = 60 - bucket_bits;
            let (index, remainders) = encode(&prints, bucket_bits, remainder_bits);
            assert_eq!(
                Some(remainders.len() as u64),
                remainder_bytes(prints.len() as u64, remainder_bits)
            );
            let table = |index, remainders| Table {
                index,
                remainders,
                length: prints.len(),
                bucket_bits,
                remainder_bits,
            };
            let whole = table(&index, &remainders);
            assert!(whole.is_sound() && whole.is_ordered());
            assert_eq!(whole.iter().collect::<Vec<_>>(), prints);
            assert!(prints.iter().all(|&print| whole.holds_any(&[print])));
            assert!((2000..9000).all(|n| !whole.holds_any(&[print(n)])));
            assert!(!table(&index[..index.len() - 4], &remainders).is_sound());
            let mut disordered = remainders.clone();
            disordered[..7].fill(0xff);
            assert!(!table(&index, &disordered).is_ordered());
            let mut trailing = remainders.clone();
            *trailing.last_mut().unwrap() = 1;
            assert!(!table(&index, &trailing).is_ordered());
        }
    }
}
