//! PDQ, the perceptual hash that hash-sharing programmes exchange.
//!
//! The algorithm is Meta's (ThreatExchange, `pdq/`): luma; two passes of a box
//! filter over rows and columns, together a tent; 64 x 64 samples; the
//! low-frequency corner of their DCT; a bit for every coefficient above the
//! median. Computed in f32 in the reference's order of operations, so that on
//! the same pixels the bits are the same.
//!
//! The filter runs over rows as they come and keeps only as many as its window
//! is high. The reference's strided pass over whole columns is where its time
//! goes; here neighbouring columns are summed side by side.

use super::PerceptualHash;
use super::dct::dct_16_of_64;
use super::small::{Reducer, Small};
use super::views::View;
use crate::frame::{Background, Frame};
use crate::limits::{Budget, Incomplete};

/// Hashes at this quality or below say too little to be compared: the
/// threshold published with PDQ.
pub const LOW_QUALITY: u8 = 49;

/// What PDQ finds out about one picture.
#[derive(Clone)]
pub struct Pdq {
    coefficients: [f32; 256],
    quality: u8,
    small: Small,
}

impl Pdq {
    /// Hashes the upright picture at its full size.
    ///
    /// # Errors
    /// [`Incomplete`] when the budget's deadline passes, the scan is cancelled
    /// or its memory does not reach.
    pub fn of(
        frame: &Frame<'_>,
        background: Background,
        budget: &Budget,
    ) -> Result<Self, Incomplete> {
        let (width, height) = (frame.width() as usize, frame.height() as usize);
        // The reference's smallest hashable side.
        if width < 5 || height < 5 {
            return Ok(Self { coefficients: [0.0; 256], quality: 0, small: Small::blank() });
        }
        let passes = Downsampler::memory(width, height) + Reducer::memory(width);
        let _held = budget.reserve(passes + frame.luma_memory())?;
        let mut downsampler = Downsampler::new(width, height);
        let mut reducer = Reducer::new(width, height);
        let mut rows: usize = 0;
        frame.luma_rows(background, |row| {
            if rows.is_multiple_of(ROWS_BETWEEN_CHECKS) {
                budget.check()?;
            }
            rows += 1;
            downsampler.push(row);
            reducer.push(row);
            Ok(())
        })?;
        let samples = downsampler.finish();
        Ok(Self {
            coefficients: dct_16_of_64(&samples),
            quality: quality(&samples),
            small: reducer.finish(),
        })
    }

    /// 0 to 100: how much gradient the picture has to hash. See [`LOW_QUALITY`].
    pub fn quality(&self) -> u8 {
        self.quality
    }

    /// The hash of the picture as it is.
    pub fn hash(&self) -> PerceptualHash {
        View::of(self.coefficients).hash
    }

    /// DCT coefficients 1..=16 in both directions, row by row.
    pub(super) fn coefficients(&self) -> &[f32; 256] {
        &self.coefficients
    }

    /// What the views are sampled from.
    pub(super) fn small(&self) -> &Small {
        &self.small
    }
}

/// Shows the quality alone.
impl std::fmt::Debug for Pdq {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pdq").field("quality", &self.quality).finish_non_exhaustive()
    }
}

const ROWS_BETWEEN_CHECKS: usize = 64;

/// Gradient sum over the 64 x 64 samples, truncated a step at a time.
fn quality(samples: &[[f32; 64]; 64]) -> u8 {
    let step = |a: f32, b: f32| (((a - b) * 100.0 / 255.0) as i32).unsigned_abs();
    let down = samples.windows(2).flat_map(|rows| rows[0].iter().zip(&rows[1]));
    let across = samples.iter().flat_map(|row| row.iter().zip(&row[1..]));
    let sum: u32 = down.chain(across).map(|(&a, &b)| step(a, b)).sum();
    (sum / 90).min(100) as u8
}

/// Rows of luma in, 64 x 64 samples of the twice box-filtered picture out.
struct Downsampler {
    width: usize,
    height: usize,
    row_window: usize,
    sample_columns: [usize; 64],
    first: ColumnBox,
    second: ColumnBox,
    filtered: Vec<f32>,
    samples: [[f32; 64]; 64],
    /// Rows that have left the second pass.
    row: usize,
    /// Samples that are filled.
    sampled: usize,
}

impl Downsampler {
    fn new(width: usize, height: usize) -> Self {
        let window = window(height);
        Self {
            width,
            height,
            row_window: self::window(width),
            sample_columns: std::array::from_fn(|i| centre(i, width)),
            first: ColumnBox::new(width, window),
            // The last pass is needed at the sampled columns alone.
            second: ColumnBox::new(64, window),
            filtered: vec![0.0; width],
            samples: [[0.0; 64]; 64],
            row: 0,
            sampled: 0,
        }
    }

    /// Bytes that a downsampler of this size holds.
    fn memory(width: usize, height: usize) -> u64 {
        let columns = (width + 64) as u64 * (window(height) as u64 + 2);
        4 * (columns + width as u64)
    }

    fn push(&mut self, luma: &[f32]) {
        // A picture of 64 x 64 is taken as it is, as the reference does.
        if (self.width, self.height) == (64, 64) {
            self.samples[self.row].copy_from_slice(luma);
            self.row += 1;
            return;
        }
        row_box(luma, self.row_window, &mut self.filtered);
        if self.first.push(&self.filtered) {
            self.second_pass();
        }
    }

    fn finish(mut self) -> [[f32; 64]; 64] {
        if (self.width, self.height) != (64, 64) {
            while self.first.drain() {
                self.second_pass();
            }
            while self.second.drain() {
                self.sample();
            }
        }
        self.samples
    }

    fn second_pass(&mut self) {
        row_box(self.first.row(), self.row_window, &mut self.filtered);
        let columns = self.sample_columns.map(|column| self.filtered[column]);
        if self.second.push(&columns) {
            self.sample();
        }
    }

    fn sample(&mut self) {
        // A picture of fewer than 64 rows gives one row to several samples.
        while self.sampled < 64 && centre(self.sampled, self.height) == self.row {
            self.samples[self.sampled].copy_from_slice(self.second.row());
            self.sampled += 1;
        }
        self.row += 1;
    }
}

/// A running mean down every column: rows in, rows out half a window later,
/// with a smaller window at the edges.
struct ColumnBox {
    width: usize,
    window: usize,
    /// The last `window` rows.
    ring: Vec<f32>,
    sums: Vec<f32>,
    means: Vec<f32>,
    pushed: usize,
    dropped: usize,
}

impl ColumnBox {
    fn new(width: usize, window: usize) -> Self {
        Self {
            width,
            window,
            ring: vec![0.0; width * window],
            sums: vec![0.0; width],
            means: vec![0.0; width],
            pushed: 0,
            dropped: 0,
        }
    }

    /// Takes the next row; true when a row of means is ready.
    fn push(&mut self, row: &[f32]) -> bool {
        let slot = (self.pushed % self.window) * self.width;
        let oldest = &mut self.ring[slot..slot + self.width];
        if self.pushed < self.window {
            for (sum, &new) in self.sums.iter_mut().zip(row) {
                *sum += new;
            }
        } else {
            for ((sum, &new), &old) in self.sums.iter_mut().zip(row).zip(oldest.iter()) {
                // Two steps, as in the reference: f32 addition does not associate.
                *sum += new;
                *sum -= old;
            }
            self.dropped += 1;
        }
        oldest.copy_from_slice(row);
        self.pushed += 1;
        let ready = self.pushed >= half(self.window);
        if ready {
            self.divide();
        }
        ready
    }

    /// After the last row: true while a row of means is still to come.
    fn drain(&mut self) -> bool {
        if self.pushed - self.dropped == self.window + 1 - half(self.window) {
            return false;
        }
        let slot = (self.dropped % self.window) * self.width;
        for (sum, &old) in self.sums.iter_mut().zip(&self.ring[slot..slot + self.width]) {
            *sum -= old;
        }
        self.dropped += 1;
        self.divide();
        true
    }

    fn divide(&mut self) {
        let count = (self.pushed - self.dropped) as f32;
        for (mean, &sum) in self.means.iter_mut().zip(&self.sums) {
            *mean = sum / count;
        }
    }

    /// The row of means that is ready.
    fn row(&self) -> &[f32] {
        &self.means
    }
}

/// The same running mean along one row.
fn row_box(row: &[f32], window: usize, out: &mut [f32]) {
    let ahead = half(window) - 1;
    let mut sum = 0.0;
    for &value in &row[..ahead] {
        sum += value;
    }
    // The window grows at the left edge, slides, and shrinks at the right one.
    let (left, rest) = out.split_at_mut(window - ahead);
    let (middle, right) = rest.split_at_mut(row.len() - window);
    for ((count, &new), out) in (ahead + 1..).zip(&row[ahead..]).zip(left) {
        sum += new;
        *out = sum / count as f32;
    }
    for ((&new, &old), out) in row[window..].iter().zip(row).zip(middle) {
        sum += new;
        sum -= old;
        *out = sum / window as f32;
    }
    let leaving = &row[row.len() - window..];
    for ((count, &old), out) in (1..window).rev().zip(leaving).zip(right) {
        sum -= old;
        *out = sum / count as f32;
    }
}

/// Width of the box for a side: two passes over 1/128 of it make a tent of 1/64.
fn window(side: usize) -> usize {
    side.div_ceil(128)
}

/// Samples of a full window from its leading edge to its centre.
fn half(window: usize) -> usize {
    (window + 2) / 2
}

/// The pixel that sample `i` of 64 is taken from.
fn centre(i: usize, side: usize) -> usize {
    // floor((i + 0.5) * side / 64), in integers.
    (2 * i + 1) * side / 128
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Layout;
    use crate::limits::{CancelToken, Limits};

    #[test]
    fn a_picture_under_five_pixels_has_no_quality() {
        let frame = Frame::new(4, 100, Layout::Luma8, vec![7; 400]).unwrap();
        let pdq = Pdq::of(&frame, Background::White, &Budget::start(&Limits::default())).unwrap();
        assert_eq!(pdq.quality(), 0);
        assert_eq!(pdq.hash(), PerceptualHash::from_words([0; 4]));
    }

    #[test]
    fn the_filter_keeps_a_constant() {
        for (width, height) in [(5, 5), (63, 200), (640, 427), (129, 1000)] {
            let mut downsampler = Downsampler::new(width, height);
            (0..height).for_each(|_| downsampler.push(&vec![96.0; width]));
            for value in downsampler.finish().as_flattened() {
                assert!((value - 96.0).abs() < 1e-3, "{width}x{height}: {value}");
            }
        }
    }

    #[test]
    fn a_cancelled_scan_stops_hashing() {
        let cancel = CancelToken::default();
        cancel.cancel();
        let budget = Budget::start(&Limits { cancel, ..Limits::default() });
        let frame = Frame::new(10, 10, Layout::Luma8, vec![7; 100]).unwrap();
        let result = Pdq::of(&frame, Background::White, &budget);
        assert_eq!(result.unwrap_err(), Incomplete::Cancelled);
    }
}
