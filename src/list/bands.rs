//! From hashes to keys, and which flipped keys to try.
//!
//! A near copy differs from its entry in up to 31 of 256 bits, so no single key
//! over all bits would meet. [`BANDS`] keys of 64 to 96 bits each do, once the
//! query has flipped the few bits of a band that differ: those whose DCT
//! coefficient lies close to the median. Patterns are tried in order of
//! likelihood over all bands together, and the order is the same on every
//! machine: costs are integers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::sync::Arc;

use crate::hash::views::View;
use crate::hash::{Algorithm, Digest, PerceptualHash};

/// Bands of one perceptual hash.
pub const BANDS: usize = 3;

/// Bit positions that bands are drawn from: those of the lowest frequencies,
/// which change least when a picture is resized or re-encoded.
pub const POOL: usize = 144;

/// What a list stores the fingerprint of, 16 bytes:
///
/// | bytes | perceptual | exact |
/// |---|---|---|
/// | 0 | number of the algorithm | number of the algorithm |
/// | 1 | number of the band | bytes 1 to 15: the digest's first 15 bytes |
/// | 2..4 | zero | |
/// | 4..16 | the band's bits, first position lowest, little endian | |
pub type Key = [u8; 16];

/// The key of an exact digest.
pub(crate) fn digest_key(digest: &Digest) -> Key {
    let mut key = [0; 16];
    key[0] = digest.algorithm() as u8;
    key[1..].copy_from_slice(&digest.as_bytes()[..15]);
    key
}

fn band_key(band: usize, bits: u128) -> Key {
    let mut key = [0; 16];
    key[0] = Algorithm::Pdq as u8;
    key[1] = band as u8;
    key[4..].copy_from_slice(&bits.to_le_bytes()[..12]);
    key
}

/// Which bits of a hash make its bands.
///
/// Band b takes the positions of the pool with the smallest
/// BLAKE3("presend band", b, position), so the choice is fixed by this sentence
/// and no number in it was picked.
#[derive(Clone)]
pub(crate) struct Bands {
    positions: Arc<[Vec<u8>; BANDS]>,
    bits: u8,
}

impl Bands {
    /// Bands of `bits` bits each, at most 96.
    pub(crate) fn new(bits: u8) -> Self {
        let pool = pool();
        let positions = std::array::from_fn(|band| {
            let mut drawn: Vec<_> = pool.iter().map(|&at| (draw(band, at), at)).collect();
            drawn.sort_unstable();
            drawn.into_iter().take(usize::from(bits)).map(|(_, at)| at).collect()
        });
        Self { positions: Arc::new(positions), bits }
    }

    /// The keys of an entry.
    #[cfg(feature = "publish")]
    pub(crate) fn keys(&self, hash: &PerceptualHash) -> [Key; BANDS] {
        std::array::from_fn(|band| band_key(band, self.read(hash, band)))
    }

    fn read(&self, hash: &PerceptualHash, band: usize) -> u128 {
        let bits = self.positions[band].iter().enumerate();
        bits.fold(0, |word, (n, &at)| word | u128::from(hash.bit(usize::from(at))) << n)
    }

    /// The `count` likeliest keys of an entry that `view` is a copy of.
    pub(crate) fn probes(&self, view: &View, count: usize) -> Probes {
        let costs = costs(&view.margins);
        let bands: [Band; BANDS] = std::array::from_fn(|band| {
            let flips = self.positions[band].iter().enumerate();
            let mut flips: Vec<Flip> = flips
                .map(|(n, &at)| Flip { cost: costs[usize::from(at)].flip, mask: 1 << n })
                .collect();
            flips.sort_unstable_by_key(|flip| (flip.cost, flip.mask));
            let positions = self.positions[band].iter();
            let unflipped = positions.map(|&at| costs[usize::from(at)].stay).sum();
            Band { bits: self.read(&view.hash, band), unflipped, flips }
        });
        let mut keys = Vec::with_capacity(count);
        // Patterns in order of cost: of each pattern follow the one that flips
        // the next bit too, and the one that flips it instead of the last.
        let mut next: BinaryHeap<Reverse<Pattern>> = bands
            .iter()
            .enumerate()
            .map(|(band, flips)| {
                Reverse(Pattern { cost: flips.unflipped, band, taken: 0, mask: 0 })
            })
            .collect();
        while let Some(Reverse(pattern)) = next.pop() {
            if keys.len() == count {
                break;
            }
            let Pattern { cost, band, taken, mask } = pattern;
            keys.push(band_key(band, bands[band].bits ^ mask));
            let flips = &bands[band].flips;
            let Some(add) = flips.get(taken) else { continue };
            let also =
                Pattern { cost: cost + add.cost, mask: mask | add.mask, taken: taken + 1, band };
            if let Some(last) = taken.checked_sub(1).map(|last| flips[last]) {
                let (cost, mask) = (also.cost - last.cost, also.mask & !last.mask);
                next.push(Reverse(Pattern { cost, mask, ..also }));
            }
            next.push(Reverse(also));
        }
        Probes { keys, band_bits: self.bits }
    }
}

/// The keys to try for one view, likeliest first.
#[derive(Clone)]
pub struct Probes {
    keys: Vec<Key>,
    band_bits: u8,
}

impl Probes {
    /// The keys, likeliest first.
    pub(crate) fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Bits a band of the profile they were made for.
    pub fn band_bits(&self) -> u8 {
        self.band_bits
    }
}

/// Shows nothing: keys give the hash away.
impl fmt::Debug for Probes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probes(..)")
    }
}

struct Band {
    bits: u128,
    /// The cost of the pattern that flips nothing.
    unflipped: u32,
    /// Cheapest first.
    flips: Vec<Flip>,
}

#[derive(Clone, Copy)]
struct Flip {
    cost: u32,
    mask: u128,
}

/// Flips among the first `taken` bits of a band, the last of them included.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Pattern {
    cost: u32,
    band: usize,
    taken: usize,
    mask: u128,
}

/// The positions of the pool, lowest frequency first.
fn pool() -> Vec<u8> {
    let frequency = |at: u8| {
        let (row, column) = (u32::from(at) / 16 + 1, u32::from(at) % 16 + 1);
        row * row + column * column
    };
    let mut positions: Vec<u8> = (0..=255).collect();
    positions.sort_by_key(|&at| (frequency(at), at));
    positions.truncate(POOL);
    positions
}

fn draw(band: usize, at: u8) -> [u8; 32] {
    *blake3::Hasher::new().update(b"presend band").update(&[band as u8, at]).finalize().as_bytes()
}

/// How unlikely it is that a bit is flipped, and that it is not: minus log2 of
/// each probability, in 1/256, with `stay` taken out of `flip`.
#[derive(Clone, Copy, Debug)]
struct Cost {
    flip: u32,
    stay: u32,
}

/// The costs of the bits, each by the rank of its margin among all 256.
fn costs(margins: &[f32; 256]) -> [Cost; 256] {
    let mut by_margin: [u8; 256] = std::array::from_fn(|n| n as u8);
    by_margin.sort_by(|&a, &b| {
        let (a, b) = (usize::from(a), usize::from(b));
        margins[a].total_cmp(&margins[b]).then(a.cmp(&b))
    });
    let mut costs = [OCTILES[0]; 256];
    for (rank, &at) in by_margin.iter().enumerate() {
        costs[usize::from(at)] = cost_at(rank);
    }
    costs
}

/// Straight lines between the middles of the octiles.
fn cost_at(rank: usize) -> Cost {
    let along = rank.clamp(16, 239) - 16;
    let (from, to) = (OCTILES[along / 32], OCTILES[(along / 32 + 1).min(7)]);
    let between = |from: u32, to: u32| {
        let part = (along % 32) as u32;
        (from * (32 - part) + to * part) / 32
    };
    Cost { flip: between(from.flip, to.flip), stay: between(from.stay, to.stay) }
}

/// log2((1 - p) / p) and -log2(1 - p) in 1/256, p being the measured rate at
/// which bits flip between a picture and a copy at Hamming distance 25 to 31,
/// by octile of the bit's margin: .41 .25 .11 .054 .025 .015 .008 .001.
const OCTILES: [Cost; 8] = [
    Cost { flip: 134, stay: 195 },
    Cost { flip: 406, stay: 106 },
    Cost { flip: 772, stay: 43 },
    Cost { flip: 1057, stay: 21 },
    Cost { flip: 1353, stay: 9 },
    Cost { flip: 1545, stay: 6 },
    Cost { flip: 1780, stay: 3 },
    Cost { flip: 2551, stay: 0 },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn view(seed: u32) -> View {
        // A permutation of 256 distinct margins.
        let margins = std::array::from_fn(|n| (n as u32 * (2 * seed + 1) % 256) as f32 + 0.5);
        View { hash: PerceptualHash::from_words([0x0123_4567_89ab_cdef; 4]), margins }
    }

    #[test]
    fn bands_are_drawn_from_the_lowest_frequencies_without_repetition() {
        for bits in [64, 80, 96] {
            let bands = Bands::new(bits);
            for band in bands.positions.iter() {
                let mut sorted = band.clone();
                sorted.sort_unstable();
                sorted.dedup();
                assert_eq!(sorted.len(), usize::from(bits));
                assert!(sorted.iter().all(|at| pool().contains(at)));
            }
        }
    }

    /// Which positions of which band a key flips.
    fn flipped(bands: &Bands, view: &View, key: &Key) -> (usize, u128) {
        let band = usize::from(key[1]);
        let mut bits = [0; 16];
        bits[..12].copy_from_slice(&key[4..]);
        (band, u128::from_le_bytes(bits) ^ bands.read(&view.hash, band))
    }

    fn price(bands: &Bands, view: &View, key: &Key) -> u32 {
        let costs = costs(&view.margins);
        let (band, flipped) = flipped(bands, view, key);
        let bits = bands.positions[band].iter().enumerate();
        bits.map(|(n, &at)| {
            let cost = costs[usize::from(at)];
            cost.stay + if flipped >> n & 1 != 0 { cost.flip } else { 0 }
        })
        .sum()
    }

    #[test]
    fn probes_are_distinct_and_in_order_of_likelihood() {
        let view = view(20);
        let bands = Bands::new(80);
        let probes = bands.probes(&view, 4096);
        let distinct: std::collections::HashSet<_> = probes.keys().iter().collect();
        assert_eq!(distinct.len(), 4096);
        let prices: Vec<u32> = probes.keys().iter().map(|key| price(&bands, &view, key)).collect();
        assert!(prices.is_sorted());
    }

    #[test]
    fn the_first_patterns_are_the_cheapest_of_all() {
        // Against every pattern of up to three flips, in all bands.
        let view = view(11);
        let bands = Bands::new(64);
        let costs = costs(&view.margins);
        let mut all = Vec::new();
        for positions in bands.positions.iter() {
            let costs: Vec<Cost> = positions.iter().map(|&at| costs[usize::from(at)]).collect();
            let none: u32 = costs.iter().map(|cost| cost.stay).sum();
            all.push(none);
            for a in 0..64 {
                let one = none + costs[a].flip;
                all.push(one);
                for b in 0..a {
                    let two = one + costs[b].flip;
                    all.push(two);
                    all.extend(costs[..b].iter().map(|third| two + third.flip));
                }
            }
        }
        all.sort_unstable();
        let probes = bands.probes(&view, 40);
        let prices: Vec<u32> = probes.keys().iter().map(|key| price(&bands, &view, key)).collect();
        assert_eq!(prices, all[..40]);
    }

    #[test]
    fn the_costs_follow_from_the_measured_flip_rates() {
        let rates = [0.41, 0.25, 0.11, 0.054, 0.025, 0.015, 0.008, 0.001];
        for (cost, p) in OCTILES.into_iter().zip(rates) {
            let p: f64 = p;
            assert!((f64::from(cost.flip) - 256.0 * ((1.0 - p) / p).log2()).abs() <= 1.0, "{p}");
            assert!((f64::from(cost.stay) + 256.0 * (1.0 - p).log2()).abs() <= 1.0, "{p}");
        }
    }
}
