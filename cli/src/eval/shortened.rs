//! False matches by Monte Carlo.
//!
//! At one false match in a billion scans nobody waits for one. With shorter
//! fingerprints they are common enough to count, and one run counts all
//! lengths: it notes the longest beginning that a probe of a scan shares with
//! a stored fingerprint. The scheme is written here once more, from its
//! description (bands of random bits, distinct patterns of flips, AES-128 fed
//! forward), so that a fault of the engine's would show.

use aes::Aes128;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use presend::hash::PerceptualHash;

use crate::chance::Chance;

/// What was counted for one length of fingerprint.
pub(crate) struct Counted {
    /// Bits of a fingerprint.
    pub(crate) bits: u32,
    /// Scans that matched falsely.
    pub(crate) matched: u32,
    /// Where the true rate lies, with 99 % confidence (Wilson).
    pub(crate) interval: (f64, f64),
    /// fingerprints x probes / 2^bits, which the format's bound is made of.
    pub(crate) bound: f64,
    /// 1 - exp(-bound): what it bounds, were all probes independent.
    pub(crate) expected: f64,
}

/// One run.
pub(crate) struct Run {
    pub(crate) scans: u32,
    pub(crate) fingerprints: u64,
    pub(crate) probes: u64,
    pub(crate) counted: Vec<Counted>,
}

/// Scans random pictures, with `probes` keys for each of their views, against a
/// list of random entries with bands of `band_bits` bits.
pub(crate) fn run(probes: &[usize], band_bits: u32) -> Run {
    let mut chance = Chance::new(SEED);
    let scheme = Scheme::new(&mut chance, band_bits as usize);
    let stored = Stored::of(&scheme, (0..ENTRIES).map(|_| chance.hash()));
    let per_scan = probes.iter().sum::<usize>() as u64;
    let scans = (WORK / per_scan).clamp(300, 3000) as u32;
    let longest: Vec<u32> = (0..scans)
        .map(|_| {
            let shared = probes.iter().map(|&probes| {
                let mut longest = 0;
                let hash = chance.hash();
                scheme.probes(&hash, probes, |print| longest = longest.max(stored.shared(print)));
                longest
            });
            shared.max().unwrap_or(0)
        })
        .collect();
    let fingerprints = stored.sorted.len() as u64;
    let pairs = fingerprints as f64 * per_scan as f64;
    // From nearly always to about once in a hundred scans.
    let first = (pairs.log2() as u32).saturating_sub(1).max(PREFIX);
    let counted = (first..first + 8)
        .map(|bits| {
            let matched = longest.iter().filter(|&&shared| shared >= bits).count() as u32;
            let bound = pairs / 2f64.powi(bits as i32);
            let expected = -(-bound).exp_m1();
            Counted { bits, matched, interval: wilson(matched, scans, Z_99), bound, expected }
        })
        .collect();
    Run { scans, fingerprints, probes: per_scan, counted }
}

struct Scheme {
    cipher: Aes128,
    bands: [Vec<u8>; 3],
}

impl Scheme {
    fn new(chance: &mut Chance, band_bits: usize) -> Self {
        let salt: [u8; 16] =
            (u128::from(chance.next()) << 64 | u128::from(chance.next())).to_le_bytes();
        let bands = std::array::from_fn(|_| chance.positions(band_bits));
        Self { cipher: Aes128::new(&salt.into()), bands }
    }

    /// Hands on the fingerprints of `count` keys: of each band the one that
    /// the hash gives, and those with some of its first bits flipped.
    fn probes(&self, hash: &PerceptualHash, count: usize, mut take: impl FnMut(u64)) {
        for (band, positions) in self.bands.iter().enumerate() {
            let bits = positions
                .iter()
                .enumerate()
                .fold(0u128, |bits, (n, &at)| bits | u128::from(hash.bit(usize::from(at))) << n);
            let patterns = count / 3 + usize::from(band < count % 3);
            for from in (0..patterns).step_by(BATCH) {
                let keys = from..patterns.min(from + BATCH);
                let key = |pattern: usize| {
                    ((bits ^ pattern as u128) << 32 | (band as u128) << 8 | 1).to_le_bytes()
                };
                let mut blocks = [Array::from([0; 16]); BATCH];
                for (block, pattern) in blocks.iter_mut().zip(keys.clone()) {
                    *block = Array::from(key(pattern));
                }
                self.cipher.encrypt_blocks(&mut blocks[..keys.len()]);
                for (block, pattern) in blocks.into_iter().zip(keys) {
                    let fed_forward =
                        u128::from_be_bytes(block.into()) ^ u128::from_be_bytes(key(pattern));
                    take((fed_forward >> 64) as u64);
                }
            }
        }
    }
}

/// The first 64 bits of every fingerprint, and which first [`PREFIX`] occur.
struct Stored {
    sorted: Vec<u64>,
    begun: Vec<u64>,
}

impl Stored {
    fn of(scheme: &Scheme, entries: impl Iterator<Item = PerceptualHash>) -> Self {
        let mut sorted = Vec::new();
        for hash in entries {
            scheme.probes(&hash, 3, |print| sorted.push(print));
        }
        sorted.sort_unstable();
        sorted.dedup();
        let mut begun = vec![0; 1 << (PREFIX - 6)];
        for print in &sorted {
            let prefix = print >> (64 - PREFIX);
            begun[(prefix / 64) as usize] |= 1 << (prefix % 64);
        }
        Self { sorted, begun }
    }

    /// How many first bits the fingerprint shares with a stored one; 0 when
    /// fewer than [`PREFIX`].
    fn shared(&self, print: u64) -> u32 {
        let prefix = print >> (64 - PREFIX);
        if self.begun[(prefix / 64) as usize] >> (prefix % 64) & 1 == 0 {
            return 0;
        }
        let at = self.sorted.partition_point(|&stored| stored < print);
        let beside = self.sorted[at.saturating_sub(1)..].iter().take(2);
        beside.map(|&stored| (stored ^ print).leading_zeros()).max().unwrap_or(0)
    }
}

/// Wilson's score interval for `matched` of `scans`, `z` deviations to each side.
fn wilson(matched: u32, scans: u32, z: f64) -> (f64, f64) {
    let (n, p) = (f64::from(scans), f64::from(matched) / f64::from(scans));
    let shrink = 1.0 + z * z / n;
    let centre = (p + z * z / (2.0 * n)) / shrink;
    let reach = z / shrink * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    ((centre - reach).max(0.0), (centre + reach).min(1.0))
}

/// Deviations of a normal variable that hold 99 % of it.
const Z_99: f64 = 2.576;

const SEED: u64 = 0x6d6f_6e74_6520_6361;

/// Three fingerprints each.
const ENTRIES: usize = 20_000;

/// Probes of one run, about: a second.
const WORK: u64 = 1 << 26;

/// First bits that a table of 512 KiB answers from.
const PREFIX: u32 = 22;

const BATCH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilsons_interval_is_the_textbooks() {
        // Newcombe, Statistics in Medicine 17 (1998), method 3: 81 of 263, 95 %.
        let (low, high) = wilson(81, 263, 1.96);
        assert!((low - 0.2553).abs() < 5e-5 && (high - 0.3662).abs() < 5e-5, "{low} {high}");
    }

    #[test]
    fn a_stored_fingerprint_is_shared_whole() {
        let mut chance = Chance::new(1);
        let scheme = Scheme::new(&mut chance, 80);
        let hash = chance.hash();
        let stored = Stored::of(&scheme, [hash, chance.hash()].into_iter());
        let mut longest = 0;
        scheme.probes(&hash, 3, |print| longest = longest.max(stored.shared(print)));
        assert_eq!(longest, 64);
    }
}
