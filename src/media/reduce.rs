//! Pictures at a part of their size.

use std::ops::Range;

use super::blank;
use crate::frame::{Frame, Layout, is_opaque};
use crate::limits::{Budget, Incomplete};

/// Rows and columns that one pixel may stand for, so that what is left still holds
/// all that a hash and a classifier look at: 1, 2, 4 or 8.
pub(super) fn scale(width: u32, height: u32) -> u32 {
    let mut scale = match width.max(height) {
        2500.. => 8,
        1300.. => 4,
        700.. => 2,
        _ => 1,
    };
    // A classifier looks at 224 x 224 pixels.
    while scale > 1 && width.min(height) < 224 * scale {
        scale /= 2;
    }
    scale
}

/// Rows in, the means of squares of `scale` x `scale` pixels out; what lies beyond
/// the right and the lower edge is left out of them.
pub(super) struct Reducer {
    size: (u32, u32),
    layout: Layout,
    scale: u32,
    /// Of the squares at hand, channel by channel.
    sums: Vec<u32>,
    rows: u32,
    means: Vec<u8>,
}

impl Reducer {
    /// Bytes of the means.
    pub(super) fn bytes(width: u32, height: u32, layout: Layout, scale: u32) -> u64 {
        let side = |side: u32| u64::from(side.div_ceil(scale));
        side(width) * side(height) * layout.channels() as u64
    }

    /// The budget has been charged for the means.
    pub(super) fn new(
        size: (u32, u32),
        layout: Layout,
        scale: u32,
        budget: &Budget,
    ) -> Result<Self, Incomplete> {
        let means = blank(Self::bytes(size.0, size.1, layout, scale), budget)?;
        let sums = vec![0; size.0.div_ceil(scale) as usize * layout.channels()];
        Ok(Self { size, layout, scale, sums, rows: 0, means })
    }

    /// The next row; nothing comes of one too many.
    pub(super) fn push(&mut self, row: &[u8]) {
        if self.rows == self.size.1 {
            return;
        }
        let channels = self.layout.channels();
        let squares = row.chunks(channels * self.scale as usize);
        for (sums, square) in self.sums.chunks_mut(channels).zip(squares) {
            for pixel in square.chunks_exact(channels) {
                for (sum, &level) in sums.iter_mut().zip(pixel) {
                    *sum += u32::from(level);
                }
            }
        }
        self.rows += 1;
        if self.rows.is_multiple_of(self.scale) || self.rows == self.size.1 {
            self.finish_row();
        }
    }

    fn finish_row(&mut self) {
        let (width, channels) = (self.size.0 as usize, self.layout.channels());
        let row = (self.rows - 1) / self.scale;
        let down = self.rows - row * self.scale;
        let length = self.sums.len();
        let means = self.means.chunks_mut(length).nth(row as usize);
        for (n, (out, sum)) in means.into_iter().flatten().zip(&mut self.sums).enumerate() {
            let left = n / channels * self.scale as usize;
            let area = (width - left).min(self.scale as usize) as u32 * down;
            *out = ((*sum + area / 2) / area) as u8;
            *sum = 0;
        }
    }

    /// The picture; black where no row came.
    pub(super) fn finish(mut self) -> Result<Frame<'static>, Incomplete> {
        if self.rows > 0 && self.rows < self.size.1 && !self.rows.is_multiple_of(self.scale) {
            self.rows = self.rows.next_multiple_of(self.scale).min(self.size.1);
            self.finish_row();
        }
        let (width, height) = self.size;
        let side = |side: u32| side.div_ceil(self.scale);
        let frame = Frame::new(side(width), side(height), self.layout, self.means);
        let frame = frame.map_err(|_| Incomplete::Internal)?;
        Ok(frame.reduced_from(width, height, self.scale))
    }
}

/// The means of a canvas in RGBA, made anew where it has changed.
///
/// Colours count by their alpha, so that the means over a background are those of the
/// pixels over it, whatever the background. Those without alpha are means of their own.
pub(super) struct Means {
    size: (u32, u32),
    scale: u32,
    means: Vec<u8>,
    /// Red, green and blue without alpha.
    bare: Vec<u8>,
    /// The canvas's rows that have changed.
    touched: Range<u32>,
    /// Of the rows at hand, for each column: plain ones, and those of what is not opaque,
    /// weighted by alpha, with those of alpha.
    sums: Vec<u16>,
    weighted: Vec<[u32; 4]>,
}

impl Means {
    /// Bytes of the means, and of the sums of a few rows.
    pub(super) fn bytes(width: u32, height: u32, scale: u32) -> u64 {
        let of = |layout| Reducer::bytes(width, height, layout, scale);
        of(Layout::Rgba8) + of(Layout::Rgb8) + 24 * u64::from(width)
    }

    /// Those of a canvas without a colour; the budget has been charged.
    pub(super) fn new(size: (u32, u32), scale: u32, budget: &Budget) -> Result<Self, Incomplete> {
        let of = |layout| blank(Reducer::bytes(size.0, size.1, layout, scale), budget);
        let (means, bare) = (of(Layout::Rgba8)?, of(Layout::Rgb8)?);
        let width = size.0 as usize;
        let (sums, weighted) = (vec![0; 4 * width], vec![[0; 4]; width]);
        Ok(Self { size, scale, means, bare, touched: 0..0, sums, weighted })
    }

    pub(super) fn scale(&self) -> u32 {
        self.scale
    }

    /// Notes that row `y` may have changed.
    pub(super) fn touch(&mut self, y: u32) {
        self.touched = if self.touched.is_empty() {
            y..y + 1
        } else {
            self.touched.start.min(y)..self.touched.end.max(y + 1)
        };
    }

    /// Brings the means up to the canvas.
    pub(super) fn update(&mut self, canvas: &[u8], budget: &Budget) -> Result<(), Incomplete> {
        let width = self.size.0 as usize;
        let scale = self.scale as usize;
        let (stride, out) = (4 * width, width.div_ceil(scale));
        let first = self.touched.start as usize / scale;
        let end = (self.touched.end as usize).div_ceil(scale);
        let means = self.means.chunks_exact_mut(4 * out).zip(self.bare.chunks_exact_mut(3 * out));
        let strips = canvas.chunks(stride * scale).zip(means);
        for (strip, (means, bare)) in strips.take(end).skip(first) {
            budget.check()?;
            let rows = (strip.len() / stride) as u32;
            self.sums.fill(0);
            for row in strip.chunks_exact(stride) {
                // 8 rows of 255 at most.
                for (sum, &level) in self.sums.iter_mut().zip(row) {
                    *sum += u16::from(level);
                }
            }
            let means = means.as_chunks_mut().0;
            let bare = bare.as_chunks_mut().0;
            // Whole squares of a known size are done in vectors and without a division.
            let done = match (scale, rows) {
                (2, 2) => whole_squares::<2>(&self.sums, means, bare),
                (4, 4) => whole_squares::<4>(&self.sums, means, bare),
                (8, 8) => whole_squares::<8>(&self.sums, means, bare),
                _ => 0,
            };
            let squares = self.sums.chunks(4 * scale).zip(&mut *means).zip(bare).skip(done);
            for ((square, mean), bare) in squares {
                *mean = plain(square, rows);
                let [red, green, blue, _] = *mean;
                *bare = [red, green, blue];
            }
            if is_opaque(strip) {
                continue;
            }
            self.weighted.fill([0; 4]);
            for row in strip.chunks_exact(stride) {
                for (sums, &[r, g, b, alpha]) in self.weighted.iter_mut().zip(row.as_chunks().0) {
                    let alpha = u32::from(alpha);
                    let [r, g, b] = [r, g, b].map(|level| alpha * u32::from(level));
                    let added = [r, g, b, alpha];
                    sums.iter_mut().zip(added).for_each(|(sum, added)| *sum += added);
                }
            }
            for (mean, square) in means.iter_mut().zip(self.weighted.chunks(scale)) {
                *mean = weighted(square, rows);
            }
        }
        self.touched = 0..0;
        Ok(())
    }

    /// What the means show.
    pub(super) fn frame(&self) -> Result<Frame<'static>, Incomplete> {
        let (width, height) = self.size;
        let side = |side: u32| side.div_ceil(self.scale);
        let frame = Frame::new(side(width), side(height), Layout::Rgba8, self.means.clone());
        let frame = frame.map_err(|_| Incomplete::Internal)?;
        let frame = frame.reduced_from(width, height, self.scale);
        Ok(if frame.has_transparency() { frame.with_bare(self.bare.clone()) } else { frame })
    }
}

/// The means of the squares of `SIDE` rows and columns, from the sums of the columns, and
/// how many squares that were.
fn whole_squares<const SIDE: usize>(
    columns: &[u16],
    means: &mut [[u8; 4]],
    bare: &mut [[u8; 3]],
) -> usize {
    let squares = columns.chunks_exact(4 * SIDE);
    let count = squares.len();
    for ((square, mean), bare) in squares.zip(means).zip(bare) {
        *mean = plain(square, SIDE as u32);
        let [red, green, blue, _] = *mean;
        *bare = [red, green, blue];
    }
    count
}

/// The mean of a square, from the sums of its columns.
#[inline(always)]
fn plain(columns: &[u16], rows: u32) -> [u8; 4] {
    let mut sums = [0u32; 4];
    for column in columns.chunks_exact(4) {
        sums.iter_mut().zip(column).for_each(|(sum, &added)| *sum += u32::from(added));
    }
    let area = rows * (columns.len() / 4) as u32;
    sums.map(|sum| ((sum + area / 2) / area) as u8)
}

/// The mean colour by alpha, and the mean of alpha, from the sums of columns.
fn weighted(columns: &[[u32; 4]], rows: u32) -> [u8; 4] {
    let mut sums = [0; 4];
    for column in columns {
        sums.iter_mut().zip(column).for_each(|(sum, added)| *sum += added);
    }
    let [red, green, blue, alpha] = sums;
    let mean = |sum: u32, of: u32| (sum + of / 2).checked_div(of).unwrap_or(0) as u8;
    let [red, green, blue] = [red, green, blue].map(|sum| mean(sum, alpha));
    [red, green, blue, mean(alpha, rows * columns.len() as u32)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Background;
    use crate::limits::Limits;

    #[test]
    fn a_pixel_is_the_mean_of_its_square_and_of_less_at_the_edge() {
        let budget = Budget::start(&Limits::default());
        let mut reducer = Reducer::new((5, 3), Layout::Luma8, 2, &budget).unwrap();
        for row in [[0, 2, 10, 10, 7], [4, 6, 10, 14, 9], [100, 101, 0, 0, 200]] {
            reducer.push(&row);
        }
        reducer.push(&[1; 5]);
        let frame = reducer.finish().unwrap();
        let at = |x, y| frame.rgb(x, y, Background::White)[0];
        assert_eq!([at(0, 0), at(1, 0), at(2, 0)], [3, 11, 8]);
        assert_eq!([at(0, 1), at(1, 1), at(2, 1)], [101, 0, 200]);
        assert_eq!((frame.original_width(), frame.original_height()), (5, 3));
    }

    #[test]
    fn what_is_missing_below_is_black() {
        let budget = Budget::start(&Limits::default());
        let mut reducer = Reducer::new((2, 6), Layout::Luma8, 2, &budget).unwrap();
        reducer.push(&[80, 80]);
        let frame = reducer.finish().unwrap();
        let column: Vec<u8> = (0..3).map(|y| frame.rgb(0, y, Background::White)[0]).collect();
        assert_eq!(column, [40, 0, 0]);
    }

    #[test]
    fn the_means_over_a_background_are_those_of_the_pixels_over_it() {
        let budget = Budget::start(&Limits::default());
        let (width, height) = (13, 11);
        let mut state = 1u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let mut means = Means::new((width, height), 4, &budget).unwrap();
        let mut canvas: Vec<u8> = (0..4 * width * height).map(|_| random()).collect();
        // An opaque strip, too, and a later change of some rows.
        for pixel in canvas[..16 * width as usize].chunks_exact_mut(4) {
            pixel[3] = 255;
        }
        // One that shows nothing, and has colours.
        for y in 4..8 {
            canvas[4 * (y * width as usize + 12)..][..4].copy_from_slice(&[90, 60, 30, 0]);
        }
        (0..height).for_each(|y| means.touch(y));
        means.update(&canvas, &budget).unwrap();
        canvas[4 * 9 * width as usize..].fill(77);
        (9..height).for_each(|y| means.touch(y));
        means.update(&canvas, &budget).unwrap();
        let frame = means.frame().unwrap();
        assert_eq!(frame.rgb(3, 1, Background::Dropped), [90, 60, 30]);
        let whole = Frame::new(width, height, Layout::Rgba8, canvas).unwrap();
        for background in [Background::White, Background::Black, Background::Dropped] {
            for (x, y) in
                (0..height.div_ceil(4)).flat_map(|y| (0..width.div_ceil(4)).map(move |x| (x, y)))
            {
                let mut sums = [0.0; 3];
                let mut area = 0.0;
                for (x, y) in (4 * y..height.min(4 * y + 4))
                    .flat_map(|y| (4 * x..width.min(4 * x + 4)).map(move |x| (x, y)))
                {
                    for (sum, level) in sums.iter_mut().zip(whole.rgb(x, y, background)) {
                        *sum += f32::from(level);
                    }
                    area += 1.0;
                }
                for (sum, level) in sums.into_iter().zip(frame.rgb(x, y, background)) {
                    assert!((sum / area - f32::from(level)).abs() < 1.5, "{x} {y}");
                }
            }
        }
    }

    #[test]
    fn the_short_side_keeps_what_a_classifier_looks_at() {
        let scales =
            [(4032, 3024), (4032, 1700), (2016, 1512), (2016, 500), (800, 600), (699, 699)];
        assert_eq!(scales.map(|(w, h)| scale(w, h)), [8, 4, 4, 2, 2, 1]);
        assert_eq!(scale(4032, 100), 1);
    }
}
