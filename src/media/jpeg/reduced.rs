//! Blocks at a part of their size: means of 8 x 8, 4 x 4 or 2 x 2 samples, straight
//! from the coefficients.

use std::array;

use super::header::{Quantiser, ZIGZAG};
use super::idct;

/// Coefficients that are sent first and that [`quarter`] needs.
pub(super) const LOW: usize = 5;

/// What cutting samples off at 0 and 255 can do to the means of a component.
///
/// The means are taken from coefficients, as if nothing were cut off; the picture that
/// people see is cut.
#[derive(Clone, Copy, Default)]
pub(super) struct CutOff {
    blocks: f64,
    means: f64,
    squares: f64,
    /// Of each block's bound, squared.
    bounds: f64,
}

impl CutOff {
    /// One more block, with the sum of the squares of what it holds beside its mean.
    ///
    /// Samples of mean m and variance v lie above a limit by
    /// (sqrt(v + (limit - m)^2) - (limit - m)) / 2 on average, at most (Scarf, 1958).
    #[inline(always)]
    pub(super) fn add(&mut self, mean: f32, energy: f32, is_luma: bool) {
        // With chroma, a colour may be cut off wherever its mean lies.
        let room = if is_luma { (127.0 - mean.abs()).max(0.0) } else { 0.0 };
        let bound = (energy / 64.0 + room * room).sqrt() - room;
        // What libjpeg makes of means that its integers do not hold, the whole decode tells.
        let bound = if mean.abs() < WRAPS { bound } else { f32::INFINITY };
        let mean = mean.clamp(-128.0, 127.0);
        self.blocks += 1.0;
        self.means += f64::from(mean);
        self.squares += f64::from(mean * mean);
        self.bounds += f64::from(bound * bound) / 4.0;
    }

    /// Whether the means of the first component may lie farther from what is seen than
    /// an eighth of how they differ among themselves (root mean squares).
    pub(super) fn matters<'a>(mut components: impl Iterator<Item = &'a Self>) -> bool {
        let Some(luma) = components.next() else { return false };
        let mean = luma.means / luma.blocks;
        let spread = luma.squares / luma.blocks - mean * mean;
        let others = components.map(|chroma| chroma.bounds / chroma.blocks.max(1.0));
        luma.blocks > 0.0 && luma.bounds / luma.blocks + others.sum::<f64>() > spread / 64.0
    }
}

/// A mean as far from grey as none can be: a shift of it leaves 16 bits.
const WRAPS: f32 = 1024.0;

/// The first coefficients of a block, in the order that they are sent in.
fn low(block: &[i16; 64]) -> [i16; LOW] {
    array::from_fn(|k| block[usize::from(ZIGZAG[k])])
}

/// Writes the means of so many parts a side to the front of `samples`, of a block that
/// is held whole: straight from the coefficients unless samples may be cut off.
pub(super) fn parts(
    side: usize,
    block: &[i16; 64],
    quantiser: &Quantiser,
    (mean, energy): (f32, f32),
    samples: &mut [u8],
    stride: usize,
) {
    // One sample of 64 may hold all of it.
    let room = (127.0 - mean.abs()).max(0.0);
    if energy < room * room {
        match side {
            2 => quarter(&low(block), quantiser, samples, stride),
            _ => half(block, quantiser, samples, stride),
        }
        return;
    }
    let mut whole = [0; 64];
    idct::inverse(block, quantiser, &mut whole, 8);
    let (each, count) = (8 / side, 64 / (side * side) as u16);
    for (lines, out) in whole.chunks(8 * each).zip(samples.chunks_mut(stride)) {
        for (part, out) in out[..side].iter_mut().enumerate() {
            let lines = lines.chunks(8).flat_map(|line| &line[part * each..][..each]);
            let sum: u16 = lines.map(|&sample| u16::from(sample)).sum();
            *out = ((sum + count / 2) / count) as u8;
        }
    }
}

/// The mean of a block's samples, and the sum of the squares of what it holds beside it.
pub(super) fn energy(block: &[i16; 64], quantiser: &Quantiser) -> (f32, f32) {
    let mut energy = [0.0; 8];
    for (block, quantiser) in block.as_chunks::<8>().0.iter().zip(quantiser.as_chunks::<8>().0) {
        for lane in 0..8 {
            let level = f32::from(block[lane].wrapping_mul(quantiser[lane]));
            energy[lane] += level * level;
        }
    }
    let mean = f32::from(block[0].wrapping_mul(quantiser[0]));
    (mean / 8.0, energy.iter().sum::<f32>() - mean * mean)
}

/// Writes the means of 4 x 4 samples to the front of `samples`: of the block's
/// mean, its slopes across and down, and its twist.
#[inline(always)]
pub(super) fn quarter(low: &[i16; LOW], quantiser: &Quantiser, samples: &mut [u8], stride: usize) {
    let [mean, across, down, _, twist] = *low;
    let level = |value: i16, at: usize| i32::from(value.wrapping_mul(quantiser[at]));
    let left = [level(mean, 0), level(down, 8)];
    let right = [level(across, 1), level(twist, 9)];
    let [flat, slope] = QUARTER;
    for (sign, out) in [1, -1].into_iter().zip(samples.chunks_mut(stride)) {
        let pass = |[even, odd]: [i32; 2]| {
            let sum = (1 << (FIRST - 1)) + flat * even + sign * slope * odd;
            (sum >> FIRST).clamp(i16::MIN.into(), i16::MAX.into())
        };
        let (even, odd) = (flat * pass(left), slope * pass(right));
        let shown = |sum: i32| (((sum + (1 << (SECOND - 1))) >> SECOND) + 128).clamp(0, 255) as u8;
        if let [first, second, ..] = out {
            (*first, *second) = (shown(even + odd), shown(even - odd));
        }
    }
}

/// Writes the means of 2 x 2 samples to the front of `samples`.
fn half(block: &[i16; 64], quantiser: &Quantiser, samples: &mut [u8], stride: usize) {
    let mut lines = [[0i16; 8]; 8];
    for (line, (block, quantiser)) in
        lines.iter_mut().zip(block.as_chunks::<8>().0.iter().zip(quantiser.as_chunks::<8>().0))
    {
        for lane in 0..8 {
            line[lane] = block[lane].wrapping_mul(quantiser[lane]);
        }
    }
    for (down, out) in HALF.iter().zip(samples.chunks_mut(stride)) {
        let mut sums = [1 << (FIRST - 1); 8];
        for (line, &weight) in lines.iter().zip(down) {
            for (sum, &value) in sums.iter_mut().zip(line) {
                *sum += i32::from(weight) * i32::from(value);
            }
        }
        let sums = sums.map(|sum| (sum >> FIRST).clamp(i16::MIN.into(), i16::MAX.into()) as i16);
        for (across, out) in HALF.iter().zip(out) {
            let products = across.iter().zip(&sums).map(|(&w, &sum)| i32::from(w) * i32::from(sum));
            *out = (((products.sum::<i32>() + (1 << (SECOND - 1))) >> SECOND) + 128).clamp(0, 255)
                as u8;
        }
    }
}

/// The block's mean, as libjpeg's decode at an eighth of the size rounds it.
pub(super) fn mean(dc: i16, quantiser: &Quantiser) -> u8 {
    let value = i32::from(dc) * i32::from(quantiser[0]);
    (((value + 4) >> 3) + 128).clamp(0, 255) as u8
}

/// What the mean of half a block's side takes from its first two coefficients, in
/// 13 fraction bits: see [`HALF`].
const QUARTER: [i32; 2] = [2896, 2624];

/// Row i is for part i of a block's side: the mean over its samples x of
/// c(u) / 2 cos((2x + 1) u pi / 16), for u = 0..8, in 13 fraction bits.
const HALF: [[i16; 8]; 4] = [
    [2896, 3711, 2676, 1303, 0, -871, -1108, -738],
    [2896, 1537, -2676, -3146, 0, 2102, 1108, -306],
    [2896, -1537, -2676, 3146, 0, -2102, 1108, 306],
    [2896, -3711, 2676, -1303, 0, 871, -1108, 738],
];

/// Fraction bits that the first and the second pass take away.
const FIRST: u32 = 10;
const SECOND: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_is_the_mean_of_four_by_four_samples() {
        let quantiser = array::from_fn(|at| 3 + at as i16 % 7);
        for n in 0..200i16 {
            let mut block = [0; 64];
            for (at, salt) in [(0, 37), (1, 17), (8, 29), (9, 13)] {
                block[at] = (n.wrapping_mul(salt) % 41) - 20;
            }
            let (mut whole, mut means) = ([0; 64], [0; 4]);
            idct::inverse(&block, &quantiser, &mut whole, 8);
            quarter(&low(&block), &quantiser, &mut means, 2);
            for (at, mean) in means.into_iter().enumerate() {
                let (top, left) = (at / 2 * 4, at % 2 * 4);
                let rows = whole.chunks(8).skip(top).take(4);
                let sum: u32 =
                    rows.flat_map(|row| &row[left..left + 4]).map(|&s| u32::from(s)).sum();
                assert!((f64::from(sum) / 16.0 - f64::from(mean)).abs() < 1.0, "{n}: {at}");
            }
        }
    }
}
