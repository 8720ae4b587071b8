//! Pictures at a part of their size.

use super::pixels;
use crate::frame::{Frame, Layout};
use crate::limits::Incomplete;

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
    pub(super) fn new(size: (u32, u32), layout: Layout, scale: u32) -> Result<Self, Incomplete> {
        let means = pixels(Self::bytes(size.0, size.1, layout, scale))?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Background;

    #[test]
    fn a_pixel_is_the_mean_of_its_square_and_of_less_at_the_edge() {
        let mut reducer = Reducer::new((5, 3), Layout::Luma8, 2).unwrap();
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
        let mut reducer = Reducer::new((2, 6), Layout::Luma8, 2).unwrap();
        reducer.push(&[80, 80]);
        let frame = reducer.finish().unwrap();
        let column: Vec<u8> = (0..3).map(|y| frame.rgb(0, y, Background::White)[0]).collect();
        assert_eq!(column, [40, 0, 0]);
    }

    #[test]
    fn the_short_side_keeps_what_a_classifier_looks_at() {
        let scales =
            [(4032, 3024), (4032, 1700), (2016, 1512), (2016, 500), (800, 600), (699, 699)];
        assert_eq!(scales.map(|(w, h)| scale(w, h)), [8, 4, 4, 2, 2, 1]);
        assert_eq!(scale(4032, 100), 1);
    }
}
