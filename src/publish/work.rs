//! How much work it is to guess an entry.
//!
//! Whoever has the list can test guesses against its fingerprints, likely hashes
//! first. How likely a hash is follows from what pictures look like. Two guessers
//! are reckoned with. One knows how the bits of photos hang together, which is
//! little: it gives every band a probability p and comes to it after about 1/p
//! guesses. The other supposes a plain picture, the product of a row and a column
//! such as a frame or a lone block, and corrects a few bits. Both are models: a
//! better one guesses sooner.

use crate::hash::PerceptualHash;
use crate::list::bands::{BANDS, Bands};

/// Guesses for the bands of one profile.
pub(super) struct Guesser {
    bands: [Vec<Guess>; BANDS],
    /// log2 of the guesses until so many wrong bits are corrected, in 1/256.
    corrections: Vec<u32>,
}

/// A bit, and what speaks for it and against it.
struct Guess {
    at: u8,
    reasons: Vec<Reason>,
}

/// Bits whose product, as signs, is likelier the bit's own sign; for a negative
/// weight, the other one.
struct Reason {
    weight: i32,
    product_of: [usize; 3],
}

impl Guesser {
    pub(super) fn new(bands: &Bands) -> Self {
        let bits = bands.positions(0).len();
        Self {
            bands: std::array::from_fn(|band| guesses(bands.positions(band))),
            corrections: corrections(bits),
        }
    }

    /// log2 of the guesses until the likeliest band of the hash comes up, in 1/256.
    pub(super) fn work(&self, hash: &PerceptualHash) -> u32 {
        let mut signs = [1; 257];
        for (at, sign) in signs.iter_mut().enumerate().take(256) {
            *sign = if hash.bit(at) { 1 } else { -1 };
        }
        let work = |band: &Vec<Guess>| {
            let photo: u32 = band.iter().map(|guess| guess.surprise(&signs)).sum();
            let (plain, wrong) = plain(band, &signs);
            photo.min(plain * 256 + self.corrections[wrong])
        };
        self.bands.iter().map(work).min().unwrap_or(0)
    }
}

/// Signs of the row and the column whose product comes close to the band, less
/// the one that follows from the others; and the bits in which it differs.
fn plain(band: &[Guess], signs: &[i32; 257]) -> (u32, usize) {
    let cells = || band.iter().map(|guess| (usize::from(guess.at), signs[usize::from(guess.at)]));
    let mut known = [[0; 16]; 2];
    cells().for_each(|(at, _)| (known[0][at / 16], known[1][at % 16]) = (1, 1));
    let unknown = known.as_flattened().iter().sum::<u32>() - 1;
    let mut least = band.len();
    for start in 0..STARTS {
        let mut across = [0; 16];
        cells().filter(|(at, _)| at / 16 == start).for_each(|(at, sign)| across[at % 16] = sign);
        for _ in 0..ROUNDS {
            let mut down = [0; 16];
            cells().for_each(|(at, sign)| down[at / 16] += sign * across[at % 16]);
            let down = down.map(|votes: i32| if votes < 0 { -1 } else { 1 });
            let mut votes = [0; 16];
            cells().for_each(|(at, sign)| votes[at % 16] += sign * down[at / 16]);
            // A column's vote is how many more of its bits agree than differ.
            let agree: i32 = votes.iter().map(|votes| votes.abs()).sum();
            least = least.min((band.len() - agree as usize) / 2);
            across = votes.map(|votes| if votes < 0 { -1 } else { 1 });
        }
    }
    (unknown, least)
}

/// Rows that the search for a product begins with, and its rounds from each.
const STARTS: usize = 4;
const ROUNDS: usize = 2;

/// For each number of wrong bits, log2 of how many patterns have no more of
/// them, in 1/256 and to a tenth of a bit.
fn corrections(bits: usize) -> Vec<u32> {
    let (mut patterns, mut sum) = (1u128, 1u128);
    let mut logarithms = vec![0];
    for wrong in 1..=bits as u128 {
        patterns = patterns * (bits as u128 + 1 - wrong) / wrong;
        sum += patterns;
        let whole = sum.ilog2();
        // Between powers of two, along a straight line.
        let part = ((sum << 8) >> whole) as u32 - 256;
        logarithms.push(whole * 256 + part);
    }
    logarithms
}

impl Guess {
    /// Minus log2 of the probability of the bit as it is, in 1/256.
    fn surprise(&self, signs: &[i32; 257]) -> u32 {
        let odds: i32 = self.reasons.iter().map(|reason| reason.speaks(signs)).sum();
        let odds = odds * signs[usize::from(self.at)];
        let sure = odds.unsigned_abs();
        let (step, part) = ((sure / 64) as usize, sure % 64);
        let [from, to] = [step, step + 1].map(|step| SOFT.get(step).copied().unwrap_or(0));
        let least = (from * (64 - part) + to * part) / 64;
        if odds < 0 { least + sure } else { least }
    }
}

impl Reason {
    fn speaks(&self, signs: &[i32; 257]) -> i32 {
        self.product_of.iter().fold(self.weight, |product, &at| product * signs[at])
    }
}

/// The bits of a band, lowest frequency first, each guessed from those before.
fn guesses(positions: &[u8]) -> Vec<Guess> {
    let mut order = positions.to_vec();
    order.sort_by_key(|&at| {
        let (row, column) = (u32::from(at) / 16 + 1, u32::from(at) % 16 + 1);
        (row * row + column * column, at)
    });
    let guess = |n: usize| {
        let (row, column) = (usize::from(order[n] / 16), usize::from(order[n] % 16));
        // The bit so many frequencies lower, if it was guessed before.
        let lower = |down: usize, across: usize| {
            let at = row.checked_sub(down)? * 16 + column.checked_sub(across)?;
            order[..n].iter().any(|&known| usize::from(known) == at).then_some(at)
        };
        let mut reasons = Vec::new();
        let mut reason = |weight, product_of: [Option<usize>; 3]| {
            if let [Some(a), Some(b), Some(c)] = product_of {
                reasons.push(Reason { weight, product_of: [a, b, c] });
            }
        };
        for (down, weights) in (1..).zip(CORNERS) {
            for (across, weight) in (1..).zip(weights) {
                reason(weight, [lower(down, across), lower(down, 0), lower(0, across)]);
            }
        }
        for (step, weight) in LINES {
            reason(weight, [lower(step, 0), Some(NONE), Some(NONE)]);
            reason(weight, [lower(0, step), Some(NONE), Some(NONE)]);
        }
        for (steps, weight) in THREES {
            reason(weight, steps.map(|step| lower(step, 0)));
            reason(weight, steps.map(|step| lower(0, step)));
        }
        Guess { at: order[n], reasons }
    };
    (0..order.len()).map(guess).collect()
}

/// A sign that changes no product.
const NONE: usize = 256;

/// Weights in 1/256 of log2 of the odds, fitted by logistic regression to 3,756
/// crops of 132 photos and their mirror images (docs/matching.md); on 3,821
/// crops of 132 others the bands of 80 bits hold 78.9 to 79.4 bits on average.
///
/// Of a picture that is a product of a row and a column, such as a frame or a
/// plain object, three corners of a rectangle of frequencies give the fourth.
const CORNERS: [[i32; 4]; 4] =
    [[43, 41, 34, 27], [41, 35, 32, 26], [34, 32, 20, 18], [27, 26, 18, 23]];

/// The bit two, four or six lower along a side.
const LINES: [(usize, i32); 3] = [(2, -43), (4, -28), (6, -17)];

/// Three bits along a side: of a wave, they give the next.
const THREES: [([usize; 3], i32); 3] = [([1, 2, 3], 40), ([2, 4, 6], 22), ([2, 3, 5], 26)];

/// log2(1 + 2^-x) in 1/256 for x = 0, 1/4, 1/2, ...
const SOFT: [u32; 39] = [
    256, 225, 198, 172, 150, 130, 112, 96, 82, 70, 60, 51, 44, 37, 31, 26, 22, 19, 16, 13, //
    11, 10, 8, 7, 6, 5, 4, 3, 3, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_hash_costs_about_its_bits_and_a_plain_one_little() {
        for bits in [64, 80, 96] {
            let guesser = Guesser::new(&Bands::new(bits));
            let most = f64::from(bits);
            for seed in 0..20u32 {
                let random =
                    PerceptualHash::from_bytes(*blake3::hash(&seed.to_le_bytes()).as_bytes());
                let work = f64::from(guesser.work(&random)) / 256.0;
                assert!((most * 0.85..most * 1.3).contains(&work), "{work} of {bits}");
            }
            // The product of a row and a column.
            let row = 0b1100_1110_1010_0011u64;
            let words = std::array::from_fn(|word| {
                (0..4).fold(0, |bits, n| {
                    let sign = if 0x6d2b >> (4 * word + n) & 1 == 0 { row } else { !row & 0xffff };
                    bits | sign << (16 * n)
                })
            });
            let plain = f64::from(guesser.work(&PerceptualHash::from_words(words))) / 256.0;
            assert!(plain < most * 0.5, "{plain} of {bits}");
        }
    }

    #[test]
    fn the_table_is_the_logarithm_it_stands_for() {
        for (n, value) in SOFT.into_iter().enumerate() {
            let exact = 256.0 * (1.0 + 2f64.powf(-(n as f64) / 4.0)).log2();
            assert!((f64::from(value) - exact).abs() <= 0.6, "{n}: {exact}");
        }
    }
}
