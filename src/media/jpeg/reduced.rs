//! Blocks at a part of their size: means of 8 x 8, 4 x 4 or 2 x 2 samples, straight
//! from the coefficients.

use super::header::Quantiser;

/// Writes the block's N x N means to the front of `samples`, and tells how much is
/// in the block beside its mean, as the sum of the squares of the coefficients.
pub(super) fn inverse<const N: usize>(
    basis: &Basis<N>,
    block: &[i16; 64],
    quantiser: &Quantiser,
    samples: &mut [u8],
    stride: usize,
) -> f32 {
    let mut lines = [[0i16; 8]; 8];
    let mut energy = [0.0; 8];
    for (line, (block, quantiser)) in
        lines.iter_mut().zip(block.as_chunks::<8>().0.iter().zip(quantiser.as_chunks::<8>().0))
    {
        for lane in 0..8 {
            line[lane] = block[lane].wrapping_mul(quantiser[lane]);
            energy[lane] += f32::from(line[lane]) * f32::from(line[lane]);
        }
    }
    let mean = f32::from(lines[0][0]);
    for (down, out) in basis.iter().zip(samples.chunks_mut(stride)) {
        let mut sums = [1 << (FIRST - 1); 8];
        for (line, &weight) in lines.iter().zip(down) {
            for (sum, &value) in sums.iter_mut().zip(line) {
                *sum += i32::from(weight) * i32::from(value);
            }
        }
        let sums = sums.map(|sum| (sum >> FIRST).clamp(i16::MIN.into(), i16::MAX.into()) as i16);
        for (across, out) in basis.iter().zip(out) {
            let products = across.iter().zip(&sums).map(|(&w, &sum)| i32::from(w) * i32::from(sum));
            *out = (((products.sum::<i32>() + (1 << (SECOND - 1))) >> SECOND) + 128).clamp(0, 255)
                as u8;
        }
    }
    energy.iter().sum::<f32>() - mean * mean
}

/// The block's mean, as libjpeg's decode at an eighth of the size rounds it.
pub(super) fn mean(dc: i16, quantiser: &Quantiser) -> u8 {
    let value = i32::from(dc) * i32::from(quantiser[0]);
    (((value + 4) >> 3) + 128).clamp(0, 255) as u8
}

/// More than this a block of an encoded picture cannot hold beside its mean: its
/// samples end at 0 and 255. (8 x 128, squared, and half as much for rounding to
/// the quantiser's steps.) What does shows other samples than its means tell.
pub(super) const MOST_ENERGY: f32 = 1.5 * 1024.0 * 1024.0;

/// Row i is for part i of a block's side: the mean over its samples x of
/// c(u) / 2 cos((2x + 1) u pi / 16), for u = 0..8, in 13 fraction bits.
pub(super) type Basis<const N: usize> = [[i16; 8]; N];

/// Means of 4 x 4 samples.
pub(super) const QUARTER: Basis<2> =
    [[2896, 2624, 0, -922, 0, 616, 0, -522], [2896, -2624, 0, 922, 0, -616, 0, 522]];

/// Means of 2 x 2 samples.
pub(super) const HALF: Basis<4> = [
    [2896, 3711, 2676, 1303, 0, -871, -1108, -738],
    [2896, 1537, -2676, -3146, 0, 2102, 1108, -306],
    [2896, -1537, -2676, 3146, 0, -2102, 1108, 306],
    [2896, -3711, 2676, -1303, 0, 871, -1108, 738],
];

/// Fraction bits that the first and the second pass take away.
const FIRST: u32 = 10;
const SECOND: u32 = 16;
