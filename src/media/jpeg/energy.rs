//! How much the AC scans of a progressive file hold, without holding it.

use std::ops::Range;

use super::header::{Quantiser, ZIGZAG};
use super::huffman::{BadCode, Bits, Table};

/// What a block holds beside its mean.
#[derive(Clone, Copy, Default)]
pub(super) struct Energy {
    /// Which coefficients are not zero, in the order that they are sent in.
    nonzero: u64,
    /// At least the sum of their squares.
    pub(super) squares: f32,
}

/// The part of a block's coefficients that a scan sends.
pub(super) struct Band<'a> {
    pub(super) places: Range<usize>,
    /// Bits that later scans send.
    pub(super) low: u8,
    pub(super) table: &'a Table,
    pub(super) squares: &'a Squares,
}

/// The squares of a quantiser's steps, in the order that coefficients are sent in.
pub(super) struct Squares {
    each: [f32; 64],
    /// The largest before each place.
    most: [f32; 65],
}

impl Squares {
    pub(super) fn of(quantiser: &Quantiser) -> Self {
        let (mut each, mut most) = ([0.0; 64], [0.0f32; 65]);
        for k in 1..64 {
            each[k] = f32::from(quantiser[usize::from(ZIGZAG[k])]).powi(2);
            most[k + 1] = most[k].max(each[k]);
        }
        Self { each, most }
    }
}

impl Energy {
    /// Passes over a block in the first scan of a band (T.81, G.1.2.2).
    #[inline(always)]
    pub(super) fn first(
        &mut self,
        bits: &mut Bits<'_>,
        band: &Band<'_>,
        run: &mut u32,
    ) -> Result<(), BadCode> {
        if *run > 0 {
            *run -= 1;
            return Ok(());
        }
        let (mut k, mut sum) = (band.places.start, 0.0);
        while k < band.places.end {
            let (symbol, value) = bits.decode(band.table)?;
            let high = symbol >> 4;
            if value != 0 {
                k += usize::from(high);
                // What lies behind the last place counts there, as in `ZIGZAG`.
                let place = k.min(63);
                let sent = (value << band.low) as i16;
                self.nonzero &= !(1 << place);
                self.nonzero |= u64::from(sent != 0) << place;
                sum += f32::from(sent).powi(2) * band.squares.each[place];
            } else if high == 15 {
                k += 15;
            } else {
                *run = (1 << high) - 1 + bits.read(high.into());
                break;
            }
            k += 1;
        }
        self.squares += sum;
        Ok(())
    }

    /// Passes over a block in a scan that sends one more bit (T.81, G.1.2.3).
    #[inline(always)]
    pub(super) fn refine(
        &mut self,
        bits: &mut Bits<'_>,
        band: &Band<'_>,
        run: &mut u32,
    ) -> Result<(), BadCode> {
        let Range { start: mut k, end } = band.places;
        let (mut raised, mut added) = (0.0, 0.0);
        while *run == 0 && k < end {
            let (symbol, value) = bits.decode(band.table)?;
            let zeros = symbol >> 4;
            match symbol & 15 {
                0 if zeros < 15 => {
                    *run = (1 << zeros) + bits.read(zeros.into());
                    break;
                }
                0 | 1 => {}
                _ => return Err(BadCode),
            }
            let place = self.zero_behind(k, zeros.into()).min(end);
            raised += self.raise(bits, band, k..place);
            if value != 0 {
                let place = place.min(63);
                self.nonzero |= 1 << place;
                added += band.squares.each[place];
            }
            k = place + 1;
        }
        if *run > 0 {
            *run -= 1;
            raised += self.raise(bits, band, k.min(end)..end);
        }
        let step = f32::from(1u16 << band.low);
        if raised > 0.0 {
            // The norm of a sum is at most the sum of the norms.
            self.squares = (self.squares.sqrt() + raised.sqrt() * step).powi(2);
        }
        self.squares += added * step * step;
        Ok(())
    }

    /// Reads the bits of what is not zero at those places, and gives the squares that
    /// ones stand for, at most.
    #[inline(always)]
    fn raise(&self, bits: &mut Bits<'_>, band: &Band<'_>, places: Range<usize>) -> f32 {
        let mut count = (self.nonzero & before(places.end) & !before(places.start)).count_ones();
        let mut ones = 0;
        while count > 0 {
            let several = count.min(16);
            ones += bits.read(several).count_ones();
            count -= several;
        }
        ones as f32 * band.squares.most[places.end]
    }

    /// The zero at `k` or behind it that so many others precede.
    #[inline(always)]
    fn zero_behind(&self, mut k: usize, mut others: u32) -> usize {
        loop {
            let rest = self.nonzero & !before(k);
            if rest == 0 {
                return k + others as usize;
            }
            let gap = rest.trailing_zeros() - k as u32;
            if others < gap {
                return k + others as usize;
            }
            others -= gap;
            k = rest.trailing_zeros() as usize + 1;
        }
    }
}

/// A bit for each of the first `k` places, of 64.
#[inline(always)]
fn before(k: usize) -> u64 {
    if k < 64 { (1 << k) - 1 } else { u64::MAX }
}
