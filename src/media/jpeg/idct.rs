//! The inverse DCT of libjpeg's `islow` (Loeffler, Ligtenberg and Moschytz,
//! 1989, with 13-bit constants): columns first, two fraction bits in between.
//!
//! Sums and products have the widths of libjpeg-turbo's SIMD code, so that even
//! coefficients no encoder writes give its samples; for others they are exact.
//! Eight columns or rows are worked on side by side, which the compiler turns
//! into vector code.

use super::header::Quantiser;

/// Writes the block's 8 x 8 samples to the front of `samples`.
pub(super) fn inverse(block: &[i16; 64], quantiser: &Quantiser, samples: &mut [u8], stride: usize) {
    if block[1..].iter().fold(0, |all, &coefficient| all | coefficient) == 0 {
        let level = (block[0].wrapping_mul(quantiser[0]) << 2).saturating_add(16) >> 5;
        let level = level.saturating_add(128).clamp(0, 255) as u8;
        for line in samples.chunks_mut(stride).take(8) {
            line[..8].fill(level);
        }
        return;
    }
    let mut lines = [[0i16; 8]; 8];
    for (line, (block, quantiser)) in
        lines.iter_mut().zip(block.as_chunks::<8>().0.iter().zip(quantiser.as_chunks::<8>().0))
    {
        for ((out, &coefficient), &step) in line.iter_mut().zip(block).zip(quantiser) {
            *out = coefficient.wrapping_mul(step);
        }
    }
    let columns = transpose(&transform::<{ BITS - 2 }>(&lines));
    let lines = transpose(&transform::<{ BITS + 5 }>(&columns));
    for (out, line) in samples.chunks_mut(stride).zip(&lines) {
        for (out, &value) in out[..8].iter_mut().zip(line) {
            *out = value.saturating_add(128).clamp(0, 255) as u8;
        }
    }
}

/// Eight one-dimensional transforms at once, of the columns of `input`.
#[inline(always)]
fn transform<const SHIFT: u32>(input: &[[i16; 8]; 8]) -> [[i16; 8]; 8] {
    let mut output = [[0; 8]; 8];
    for lane in 0..8 {
        let at = |k: usize| input[k][lane];
        let times = |value: i16, constant: i16| i32::from(value) * i32::from(constant);

        let whole = |value: i16| i32::from(value) << BITS;
        let (sum, difference) =
            (whole(at(0).wrapping_add(at(4))), whole(at(0).wrapping_sub(at(4))));
        let outer = times(at(2), C_0_541 + C_0_765) + times(at(6), C_0_541);
        let inner = times(at(2), C_0_541) + times(at(6), C_0_541 - C_1_847);
        let even = [
            sum.wrapping_add(outer),
            difference.wrapping_add(inner),
            difference.wrapping_sub(inner),
            sum.wrapping_sub(outer),
        ];

        let (z3, z4) = (at(7).wrapping_add(at(3)), at(5).wrapping_add(at(1)));
        let z3_z4 = (
            times(z3, C_1_175 - C_1_961).wrapping_add(times(z4, C_1_175)),
            times(z3, C_1_175).wrapping_add(times(z4, C_1_175 - C_0_390)),
        );
        let odd = [
            (times(at(1), C_1_501 - C_0_899) - times(at(7), C_0_899)).wrapping_add(z3_z4.1),
            (times(at(3), C_3_072 - C_2_562) - times(at(5), C_2_562)).wrapping_add(z3_z4.0),
            (times(at(5), C_2_053 - C_2_562) - times(at(3), C_2_562)).wrapping_add(z3_z4.1),
            (times(at(7), C_0_298 - C_0_899) - times(at(1), C_0_899)).wrapping_add(z3_z4.0),
        ];
        for k in 0..4 {
            let round = |value: i32| {
                let value = value.wrapping_add(1 << (SHIFT - 1)) >> SHIFT;
                value.clamp(i16::MIN.into(), i16::MAX.into()) as i16
            };
            output[k][lane] = round(even[k].wrapping_add(odd[k]));
            output[7 - k][lane] = round(even[k].wrapping_sub(odd[k]));
        }
    }
    output
}

#[inline(always)]
fn transpose(lines: &[[i16; 8]; 8]) -> [[i16; 8]; 8] {
    std::array::from_fn(|x| std::array::from_fn(|y| lines[y][x]))
}

/// Fraction bits of the constants.
const BITS: u32 = 13;

const C_0_298: i16 = 2446;
const C_0_390: i16 = 3196;
const C_0_541: i16 = 4433;
const C_0_765: i16 = 6270;
const C_0_899: i16 = 7373;
const C_1_175: i16 = 9633;
const C_1_501: i16 = 12299;
const C_1_847: i16 = 15137;
const C_1_961: i16 = 16069;
const C_2_053: i16 = 16819;
const C_2_562: i16 = 20995;
const C_3_072: i16 = 25172;
