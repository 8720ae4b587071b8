//! From hashes to keys, and which flipped keys to try.
//!
//! A near copy differs from its entry in up to 31 of 256 bits, so no single key
//! over all bits would meet. [`BANDS`] keys of 64 to 96 bits each do, once the
//! query has flipped the few bits of a band that differ: those whose DCT
//! coefficient lies close to the median. The patterns tried are the likeliest
//! over all bands together, and the same on every machine: costs are integers.

use std::array;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::hash::views::View;
use crate::hash::{Algorithm, Digest, PerceptualHash};

/// Bands of one perceptual hash.
pub const BANDS: usize = 3;

/// Bit positions that one band is drawn from.
pub const POOL: usize = 112;

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

/// The key of a band without its bits.
fn band_key(band: usize) -> u128 {
    let mut key = [0; 16];
    key[0] = Algorithm::Pdq as u8;
    key[1] = band as u8;
    u128::from_le_bytes(key)
}

/// Which bits of a hash make its bands.
///
/// Low frequencies change least when a picture is altered. A shift along one
/// side, though, changes the frequencies along that side and spares the others,
/// so the bands lean: the pools of bands 0, 1 and 2 are the [`POOL`] positions
/// with the smallest r² + c², 9r² + c² and r² + 9c², r and c being the
/// frequencies down and across, from 1 (of equals the lower positions). From its
/// pool band b takes the positions with the smallest BLAKE3("presend band", b,
/// position).
#[derive(Clone)]
pub(crate) struct Bands {
    positions: Arc<[Vec<u8>; BANDS]>,
    bits: u8,
}

impl Bands {
    /// Bands of `bits` bits each, at most 96.
    pub(crate) fn new(bits: u8) -> Self {
        let positions = array::from_fn(|band| {
            let mut drawn: Vec<_> = pool(band).map(|at| (draw(band, at), at)).collect();
            drawn.sort_unstable();
            drawn.into_iter().take(usize::from(bits)).map(|(_, at)| at).collect()
        });
        Self { positions: Arc::new(positions), bits }
    }

    /// The keys of an entry.
    #[cfg(feature = "publish")]
    pub(crate) fn keys(&self, hash: &PerceptualHash) -> [Key; BANDS] {
        array::from_fn(|band| self.read(hash, band).to_le_bytes())
    }

    /// The positions that make a band.
    #[cfg(feature = "publish")]
    pub(crate) fn positions(&self, band: usize) -> &[u8] {
        &self.positions[band]
    }

    /// The key of a band of this hash.
    fn read(&self, hash: &PerceptualHash, band: usize) -> u128 {
        let bits = (BITS_FROM..).zip(&self.positions[band]);
        bits.fold(band_key(band), |key, (n, &at)| key | u128::from(hash.bit(at.into())) << n)
    }

    /// The `count` likeliest keys of an entry that `view` is a copy of, or
    /// somewhat fewer: of patterns that are equally likely all are tried or none.
    pub(crate) fn probes(&self, view: &View, count: usize) -> Probes {
        let costs = costs(&view.margins);
        let mut bands: [Band; BANDS] = array::from_fn(|band| {
            let positions = &self.positions[band];
            let stays = positions.iter().map(|&at| u32::from(costs[usize::from(at)].stay));
            let flips = (BITS_FROM..).zip(positions);
            let flips = flips.map(|(n, &at)| (costs[usize::from(at)].flip, 1 << n)).collect();
            Band {
                key: self.read(&view.hash, band),
                unflipped: whole(stays.sum()),
                flips: Flips::new(flips),
            }
        });
        bands.sort_by_key(|band| band.unflipped);
        let least = bands[0].unflipped;
        bands.iter_mut().for_each(|band| band.unflipped -= least);
        let (most, count) = affordable(&bands, count);
        Probes { bands, most, count, band_bits: self.bits }
    }
}

/// The keys to try for one view.
///
/// They are made while they are tried: so many would not fit the cache.
#[derive(Clone)]
pub struct Probes {
    /// Likeliest first.
    bands: [Band; BANDS],
    /// The most that a pattern may cost, with the unflipped cost of its band.
    most: u32,
    count: usize,
    band_bits: u8,
}

impl Probes {
    /// Hands the keys to `each`, up to [`BATCH`] at a time, until it breaks or
    /// all are tried.
    pub(crate) fn try_each(&self, each: &mut impl FnMut(&[Key]) -> ControlFlow<()>) {
        let mut batch = Batch { keys: [[0; 16]; BATCH], filled: 0, left: self.count, each };
        let mut bands = self.bands.iter();
        let tried = bands.try_for_each(|band| {
            let Some(left) = self.most.checked_sub(band.unflipped) else {
                return ControlFlow::Continue(());
            };
            batch.push(band.key)?;
            batch.flip(&band.flips, 0, left, band.key)
        });
        if tried.is_continue() {
            let _ = batch.flush();
        }
    }

    /// Keys that are tried, at most.
    pub fn count(&self) -> usize {
        self.count
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

/// Keys that are tried side by side.
pub(crate) const BATCH: usize = 256;

struct Batch<'e, E> {
    keys: [Key; BATCH],
    filled: usize,
    /// Keys that may still be tried.
    left: usize,
    each: &'e mut E,
}

impl<E: FnMut(&[Key]) -> ControlFlow<()>> Batch<'_, E> {
    /// Pushes every pattern that flips one or more of the flips from `start` on
    /// and costs at most `left`.
    fn flip(&mut self, flips: &Flips, start: usize, left: u32, key: u128) -> ControlFlow<()> {
        for (n, &mask) in flips.masks.iter().enumerate().skip(start) {
            let Some(left) = left.checked_sub(flips.costs[n].into()) else { break };
            self.push(key ^ mask)?;
            // Most patterns are the last of their branch.
            if u32::from(flips.costs[n + 1]) <= left {
                self.flip(flips, n + 1, left, key ^ mask)?;
            }
        }
        ControlFlow::Continue(())
    }

    fn push(&mut self, key: u128) -> ControlFlow<()> {
        self.keys[self.filled] = key.to_le_bytes();
        self.filled += 1;
        if self.filled == BATCH { self.flush() } else { ControlFlow::Continue(()) }
    }

    fn flush(&mut self) -> ControlFlow<()> {
        let filled = self.filled.min(self.left);
        self.filled = 0;
        self.left -= filled;
        (self.each)(&self.keys[..filled])?;
        if self.left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

#[derive(Clone)]
struct Band {
    key: u128,
    /// The cost of the pattern that flips nothing, less that of the likeliest band.
    unflipped: u32,
    flips: Flips,
}

/// The flips of a band, cheapest first.
#[derive(Clone)]
struct Flips {
    masks: Vec<u128>,
    /// One more than there are masks: the last can never be paid.
    costs: Vec<u16>,
}

impl Flips {
    fn new(mut flips: Vec<(u16, u128)>) -> Self {
        flips.sort_unstable();
        let costs = flips.iter().map(|&(cost, _)| cost).chain([u16::MAX]).collect();
        Self { masks: flips.iter().map(|&(_, mask)| mask).collect(), costs }
    }
}

/// The cost up to which there are `count` patterns or somewhat fewer, and how
/// many; where the cheapest alone are more, `count` of them.
fn affordable(bands: &[Band; BANDS], count: usize) -> (u32, usize) {
    // Nearly always enough, and cheaper to count.
    let near = patterns::<{ 16 * 16 }>(bands);
    affordable_of(&near, count).unwrap_or_else(|| {
        let far = patterns::<{ 40 * 16 }>(bands);
        let all = || (far.len() as u32 - 1, far.iter().sum::<f32>() as usize);
        affordable_of(&far, count).unwrap_or_else(all)
    })
}

fn affordable_of(patterns: &[f32], count: usize) -> Option<(u32, usize)> {
    let mut sum = 0.0;
    for (cost, more) in (0..).zip(patterns) {
        if sum + more > count as f32 {
            return Some(if sum == 0.0 { (cost, count) } else { (cost - 1, sum as usize) });
        }
        sum += more;
    }
    None
}

/// How many patterns there are of each cost below `COSTS`, over all bands. In
/// f32, which counts to 2^24 without an error, far beyond any number of probes.
fn patterns<const COSTS: usize>(bands: &[Band; BANDS]) -> [f32; COSTS] {
    let mut patterns = [0.0; COSTS];
    for band in bands {
        let mut with = [0.0; COSTS];
        with[0] = 1.0;
        // One more flip at a time.
        for &cost in &band.flips.costs {
            let without = with;
            let dearer = with.get_mut(usize::from(cost)..).unwrap_or_default();
            for (with, without) in dearer.iter_mut().zip(without) {
                *with += without;
            }
        }
        let dearer = patterns.get_mut(band.unflipped as usize..).unwrap_or_default();
        for (sum, more) in dearer.iter_mut().zip(with) {
            *sum += more;
        }
    }
    patterns
}

/// Bit of a key that a band's bits begin at.
const BITS_FROM: usize = 32;

/// The pool of a band.
fn pool(band: usize) -> impl Iterator<Item = u8> {
    let (down, across) = [(1, 1), (9, 1), (1, 9)][band];
    let mut positions: Vec<u8> = (0..=255).collect();
    positions.sort_by_key(|&at| {
        let (row, column) = (u32::from(at) / 16 + 1, u32::from(at) % 16 + 1);
        (down * row * row + across * column * column, at)
    });
    positions.into_iter().take(POOL)
}

fn draw(band: usize, at: u8) -> [u8; 32] {
    *blake3::Hasher::new().update(b"presend band").update(&[band as u8, at]).finalize().as_bytes()
}

/// How unlikely it is that a bit is flipped, and that it is not: minus log2 of
/// each probability, with `stay` taken out of `flip`.
#[derive(Clone, Copy, Debug)]
struct Cost {
    /// In 1/16.
    flip: u16,
    /// In 1/256: dozens of them are added up.
    stay: u16,
}

/// A sum of [`Cost::stay`] in the parts of [`Cost::flip`].
fn whole(stays: u32) -> u32 {
    (stays + 8) / 16
}

/// The costs of the bits, each by the rank of its margin among all 256.
fn costs(margins: &[f32; 256]) -> [Cost; 256] {
    // Margins are not negative, so their bits sort as they do.
    let mut by_margin: [u64; 256] =
        array::from_fn(|at| u64::from(margins[at].to_bits()) << 8 | at as u64);
    by_margin.sort_unstable();
    let mut costs = [COSTS[0]; 256];
    for (rank, at) in by_margin.into_iter().enumerate() {
        costs[(at & 255) as usize] = cost_at(rank);
    }
    costs
}

/// Straight lines between the middles of the sixteenths.
fn cost_at(rank: usize) -> Cost {
    let along = rank.clamp(8, 247) - 8;
    let (from, to) = (COSTS[along / 16], COSTS[(along / 16 + 1).min(15)]);
    let part = (along % 16) as u16;
    let between = |from: u16, to: u16| (from * (16 - part) + to * part + 8) / 16;
    Cost { flip: between(from.flip, to.flip), stay: between(from.stay, to.stay) }
}

/// The costs in the middle of each sixteenth of the ranks.
///
/// Behind them are rates counted on 264 photos, 54 alterations of each and 25
/// views of every altered one. Of the 88,442 views at a distance of 8 to 45 from
/// the original's hash, these parts of the bits differ, by sixteenth of the ranks
/// of their margins: .4364 .3289 .2449 .1799 .1336 .0990 .0722 .0530 .0377 .0267
/// .0180 .0122 .0084 .0052 .0028 .0010 (docs/matching.md).
const COSTS: [Cost; 16] = [
    Cost { flip: 6, stay: 212 },
    Cost { flip: 16, stay: 147 },
    Cost { flip: 26, stay: 104 },
    Cost { flip: 35, stay: 73 },
    Cost { flip: 43, stay: 53 },
    Cost { flip: 51, stay: 39 },
    Cost { flip: 59, stay: 28 },
    Cost { flip: 67, stay: 20 },
    Cost { flip: 75, stay: 14 },
    Cost { flip: 83, stay: 10 },
    Cost { flip: 92, stay: 7 },
    Cost { flip: 101, stay: 5 },
    Cost { flip: 110, stay: 3 },
    Cost { flip: 121, stay: 2 },
    Cost { flip: 136, stay: 1 },
    Cost { flip: 159, stay: 0 },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn view(seed: u32) -> View {
        // A permutation of 256 distinct margins.
        let margins = array::from_fn(|n| (n as u32 * (2 * seed + 1) % 256) as f32 + 0.5);
        View { hash: PerceptualHash::from_words([0x0123_4567_89ab_cdef; 4]), margins }
    }

    fn keys(probes: &Probes) -> Vec<Key> {
        let mut keys = Vec::new();
        probes.try_each(&mut |batch| {
            keys.extend_from_slice(batch);
            ControlFlow::Continue(())
        });
        keys
    }

    /// What it costs to flip these of a band's bits.
    fn price(bands: &Bands, view: &View, band: usize, flipped: u128) -> u32 {
        let costs = costs(&view.margins);
        let costs = || bands.positions[band].iter().map(|&at| costs[usize::from(at)]);
        let flips = (BITS_FROM..).zip(costs()).filter(|(n, _)| flipped >> n & 1 != 0);
        whole(costs().map(|cost| u32::from(cost.stay)).sum())
            + flips.map(|(_, cost)| u32::from(cost.flip)).sum::<u32>()
    }

    #[test]
    fn bands_are_drawn_from_their_pools_without_repetition() {
        for bits in [64, 80, 96] {
            for (n, band) in Bands::new(bits).positions.iter().enumerate() {
                let mut sorted = band.clone();
                sorted.sort_unstable();
                sorted.dedup();
                assert_eq!(sorted.len(), usize::from(bits));
                assert!(sorted.iter().all(|at| pool(n).any(|drawn| drawn == *at)));
            }
        }
    }

    #[test]
    fn probes_are_distinct_and_about_as_many_as_are_asked_for() {
        let bands = Bands::new(80);
        for count in [1, 2, 10, 63, 64, 65, 4096, 1 << 16] {
            let probes = bands.probes(&view(20), count);
            let keys = keys(&probes);
            let distinct: std::collections::HashSet<_> = keys.iter().collect();
            assert_eq!((distinct.len(), keys.len()), (probes.count(), probes.count()));
            assert!(keys.len() <= count && keys.len() > count / 3, "{} of {count}", keys.len());
        }
        assert_eq!(bands.probes(&view(20), 0).count(), 0);
        assert!(keys(&bands.probes(&view(20), 0)).is_empty());
    }

    #[test]
    fn the_patterns_tried_are_the_cheapest_of_all() {
        // Against every pattern of up to four flips, in all bands.
        let view = view(11);
        let bands = Bands::new(64);
        let mut all = Vec::new();
        for band in 0..BANDS {
            let none = price(&bands, &view, band, 0);
            let flip: Vec<u32> =
                (0..64).map(|n| price(&bands, &view, band, 1 << (BITS_FROM + n)) - none).collect();
            all.push(none);
            for a in 0..64 {
                all.push(none + flip[a]);
                for b in 0..a {
                    all.push(none + flip[a] + flip[b]);
                    for c in 0..b {
                        let three = none + flip[a] + flip[b] + flip[c];
                        all.push(three);
                        all.extend(flip[..c].iter().map(|fourth| three + fourth));
                    }
                }
            }
        }
        all.sort_unstable();
        let price = |key: &Key| {
            let band = usize::from(key[1]);
            let flipped = u128::from_le_bytes(*key) ^ bands.read(&view.hash, band);
            price(&bands, &view, band, flipped)
        };
        let mut prices: Vec<u32> = keys(&bands.probes(&view, 100)).iter().map(price).collect();
        prices.sort_unstable();
        assert!(prices.len() > 75, "{}", prices.len());
        assert_eq!(prices, all[..prices.len()]);
    }

    #[test]
    fn the_first_probe_flips_nothing_whatever_the_margins() {
        for margins in [[0.0; 256], [1.0; 256], [f32::INFINITY; 256]] {
            let view = View { hash: PerceptualHash::from_words([7; 4]), margins };
            let bands = Bands::new(96);
            let keys = keys(&bands.probes(&view, 1));
            assert_eq!(keys.len(), 1);
            let band = usize::from(keys[0][1]);
            assert_eq!(u128::from_le_bytes(keys[0]), bands.read(&view.hash, band));
        }
    }

    #[test]
    fn the_costs_follow_from_the_counted_rates() {
        let rates = [
            0.4364, 0.3289, 0.2449, 0.1799, 0.1336, 0.0990, 0.0722, 0.0530, //
            0.0377, 0.0267, 0.0180, 0.0122, 0.0084, 0.0052, 0.0028, 0.0010,
        ];
        for (cost, p) in COSTS.into_iter().zip(rates) {
            let p: f64 = p;
            assert!((f64::from(cost.flip) - 16.0 * ((1.0 - p) / p).log2()).abs() <= 0.5, "{p}");
            assert!((f64::from(cost.stay) + 256.0 * (1.0 - p).log2()).abs() <= 0.5, "{p}");
        }
    }
}
