//! Blocks at a part of their size: means of 8 x 8, 4 x 4 or 2 x 2 samples, straight
//! from the coefficients.

use std::array;

use super::header::{Quantiser, ZIGZAG};

/// Coefficients that are sent first and that [`quarter`] needs.
pub(super) const LOW: usize = 5;

/// Cells a side in which a picture is looked at: what is finer, PDQ does not see.
const CELLS: usize = 32;

/// Cells a side of what a view of a picture may be made of, mostly.
const TILE: usize = 4;

/// What cutting samples off at 0 and 255 can do to the means of a picture's luma.
///
/// The means are taken from coefficients, as if nothing were cut off; the picture that
/// people see is cut, in luma and then in each colour.
pub(super) struct CutOff {
    /// Blocks across and down.
    size: (usize, usize),
    /// The next row.
    next: usize,
    cells: [[Cell; CELLS]; CELLS],
    /// Of the rows of the cells at hand, by column: vector code makes these sums.
    means: Vec<f32>,
    bounds: Vec<f32>,
}

/// Sums over the blocks of a cell.
#[derive(Clone, Copy, Default)]
struct Cell {
    blocks: f64,
    means: f64,
    /// Of each block's bound, squared.
    bounds: f64,
}

/// What is known of blocks, in vectors: loops over them become vector code.
#[derive(Default)]
pub(super) struct Levels {
    /// The mean of each block's samples, from -128 to 127 where they can be shown.
    means: Vec<f32>,
    /// How far they lie from it, as a root mean square, at most.
    deviations: Vec<f32>,
    /// The means of the row above.
    above: Vec<f32>,
}

impl Levels {
    /// Those of other blocks, in their place.
    pub(super) fn replace(
        &mut self,
        means: impl Iterator<Item = f32>,
        deviations: impl Iterator<Item = f32>,
    ) {
        self.means.clear();
        self.means.extend(means);
        self.deviations.clear();
        self.deviations.extend(deviations);
    }

    /// Chroma that is halved across or down: each block as often as blocks of luma lie
    /// below it. libjpeg's triangle filter mixes a quarter of the neighbour into one sample
    /// of eight, which counts as variance.
    ///
    /// All of a block's energy may lie over one of four; at a limit the bound is then half
    /// of what it should be. But the root mean square of what a quarter of the blocks has is
    /// twice their part of the mean.
    pub(super) fn stretch(&mut self, across: bool, down: bool) {
        if !across && !down {
            return;
        }
        let mut mixed = vec![0.0; self.means.len()];
        if across {
            for (n, pair) in self.means.windows(2).enumerate() {
                let apart = (pair[0] - pair[1]).powi(2);
                mixed[n] = apart.max(mixed[n]);
                mixed[n + 1] = apart;
            }
        }
        if down {
            // What the row above takes from this one counts here, too.
            for (mixed, (mean, above)) in mixed.iter_mut().zip(self.means.iter().zip(&self.above)) {
                *mixed += 2.0 * (mean - above).powi(2);
            }
            self.above.clone_from(&self.means);
        }
        self.deviations.resize(self.means.len(), 0.0);
        for (deviation, mixed) in self.deviations.iter_mut().zip(mixed) {
            *deviation = (deviation.powi(2) + mixed / 128.0).sqrt();
        }
        if across {
            for levels in [&mut self.means, &mut self.deviations] {
                *levels = levels.iter().flat_map(|&level| [level; 2]).collect();
            }
        }
    }

    /// Means and deviations of so many blocks; those that are missing are grey.
    fn of_blocks(&mut self, count: usize) -> [&[f32]; 2] {
        [&mut self.means, &mut self.deviations].map(|levels| {
            levels.resize(count, 0.0);
            &levels[..count]
        })
    }
}

impl CutOff {
    /// Of a picture of so many luma blocks across and down.
    pub(super) fn new(size: (usize, usize)) -> Self {
        let [means, bounds] = [0; 2].map(|_| vec![0.0; size.0]);
        Self { size, next: 0, cells: Default::default(), means, bounds }
    }

    /// The next row of luma blocks, and the chroma over each of them, if any.
    pub(super) fn add(&mut self, [luma, blue, red]: &mut [Levels; 3]) {
        let (across, down) = self.size;
        let levels = [luma, blue, red].map(|levels| levels.of_blocks(across));
        add_bounds(&mut self.bounds, levels);
        for (sum, mean) in self.means.iter_mut().zip(levels[0][0]) {
            *sum += shown(*mean);
        }
        let row = self.next * CELLS / down;
        self.next += 1;
        if self.next * CELLS / down > row {
            self.finish_cells(row);
        }
    }

    /// The last row of the cells in this row is there.
    fn finish_cells(&mut self, row: usize) {
        let (across, down) = self.size;
        let first = (row * down).div_ceil(CELLS);
        for (n, cell) in self.cells[row].iter_mut().enumerate() {
            let part = n * across / CELLS..(n + 1) * across / CELLS;
            let sum =
                |levels: &[f32]| levels[part.clone()].iter().map(|&level| f64::from(level)).sum();
            *cell = Cell {
                blocks: (part.len() * (self.next - first)) as f64,
                means: sum(&self.means),
                bounds: sum(&self.bounds),
            };
        }
        self.means.fill(0.0);
        self.bounds.fill(0.0);
    }

    /// Whether the means may lie so far from what is seen that a hash changes.
    pub(super) fn matters(&self) -> bool {
        let bound = |cells: &[&[Cell]]| {
            let cells = || cells.iter().copied().flatten();
            let blocks: f64 = cells().map(|cell| cell.blocks).sum();
            (cells().map(|cell| cell.bounds).sum::<f64>() / blocks.max(1.0)).sqrt()
        };
        let all = self.cells.each_ref().map(|row| &row[..]);
        let whole = bound(&all);
        let mut tiles = all.chunks(TILE).flat_map(|rows| {
            let part = |n: usize| rows.iter().map(|row| &row[n * TILE..][..TILE]).collect();
            (0..CELLS / TILE).map(part).collect::<Vec<Vec<_>>>()
        });
        whole > LARGEST
            || whole > self.contrast() / 4.0
            || tiles.any(|tile| bound(&tile) > LARGEST_IN_A_TILE)
    }

    /// How much of the cells' means differs both across and down, as a root mean square.
    /// PDQ is blind to the rest.
    fn contrast(&self) -> f64 {
        let mean = |cell: &Cell| cell.means / cell.blocks.max(1.0);
        let means = self.cells.map(|row| row.map(|cell| mean(&cell)));
        let of = |levels: [f64; CELLS]| levels.iter().sum::<f64>() / CELLS as f64;
        let rows = means.map(of);
        let columns: [f64; CELLS] = array::from_fn(|x| of(array::from_fn(|y| means[y][x])));
        let differing = (0..CELLS * CELLS).map(|n| {
            let (x, y) = (n % CELLS, n / CELLS);
            (means[y][x] - rows[y] - columns[x] + of(rows)).powi(2)
        });
        (differing.sum::<f64>() / (CELLS * CELLS) as f64).sqrt()
    }
}

/// Levels that a picture's means may lie from what is seen, as a root mean square. What
/// has no more contrast is of low quality, mostly.
const LARGEST: f64 = 5.0;

/// The same of a sixty-fourth of the picture. A view may leave out the others.
const LARGEST_IN_A_TILE: f64 = 10.0;

/// A level that can be shown. `clamp` becomes branches here, and no vector code.
#[allow(clippy::manual_clamp)]
#[inline(always)]
fn shown(level: f32) -> f32 {
    level.max(-128.0).min(127.0)
}

/// Adds the square of each block's bound. On its own, what it reads and what it writes
/// cannot overlap, and it becomes vector code.
#[inline(never)]
fn add_bounds(sums: &mut [f32], [[y, dy], [cb, db], [cr, dr]]: [[&[f32]; 2]; 3]) {
    let count = sums.len();
    let [y, dy, cb, db, cr, dr] = [y, dy, cb, db, cr, dr].map(|levels| &levels[..count]);
    for n in 0..count {
        let bound = cut_off((y[n], dy[n]), (cb[n], db[n]), (cr[n], dr[n]));
        sums[n] += bound * bound;
    }
}

/// How far a block's mean luma may lie from what is seen, by the mean and the deviation
/// of its luma and its chroma.
///
/// Samples of mean m and variance v lie beyond a limit by as much more than m does as
/// (sqrt(v + (limit - m)^2) - |limit - m|) / 2 on average, at most (Scarf, 1958).
#[inline(always)]
fn cut_off(y: (f32, f32), cb: (f32, f32), cr: (f32, f32)) -> f32 {
    let bound = |(mean, deviation): (f32, f32)| {
        let room = 127.0 - mean.abs();
        (deviation * deviation + room * room).sqrt() - room.abs()
    };
    let shown = |(mean, _): (f32, f32)| shown(mean);
    let (luma, in_blue, in_red) = (bound(y), bound(cb), bound(cr));
    // BT.601, as in `color`: a component is cut off first, then what it adds to a colour.
    let of = |blue: f32, red: f32| {
        let mean = shown(y) + blue * shown(cb) + red * shown(cr);
        let deviation = y.1 + blue.abs() * cb.1 + red.abs() * cr.1;
        bound((mean, deviation)).max(luma) + blue.abs() * in_blue + red.abs() * in_red
    };
    let colours = 0.299 * of(0.0, 1.402) + 0.587 * of(-0.344, -0.714) + 0.114 * of(1.772, 0.0);
    let farthest = y.0.abs().max(cb.0.abs()).max(cr.0.abs());
    colours / 2.0 + if farthest < FAR { 0.0 } else { f32::INFINITY }
}

/// A mean that no picture has. From here on libjpeg's 16 bits may wrap, which the whole
/// decode tells.
const FAR: f32 = 256.0;

/// The first coefficients of a block, in the order that they are sent in.
fn low(block: &[i16; 64]) -> [i16; LOW] {
    array::from_fn(|k| block[usize::from(ZIGZAG[k])])
}

/// Writes the means of so many parts a side to the front of `samples`, of a block that
/// is held whole.
pub(super) fn parts(
    side: usize,
    block: &[i16; 64],
    quantiser: &Quantiser,
    samples: &mut [u8],
    stride: usize,
) {
    match side {
        2 => quarter(&low(block), quantiser, samples, stride),
        _ => half(block, quantiser, samples, stride),
    }
}

/// The sum of the squares of what a block holds beside its mean.
pub(super) fn energy(block: &[i16; 64], quantiser: &Quantiser) -> f32 {
    let mut energy = [0.0; 8];
    for (block, quantiser) in block.as_chunks::<8>().0.iter().zip(quantiser.as_chunks::<8>().0) {
        for lane in 0..8 {
            let level = f32::from(block[lane].wrapping_mul(quantiser[lane]));
            energy[lane] += level * level;
        }
    }
    let mean = f32::from(block[0].wrapping_mul(quantiser[0]));
    energy.iter().sum::<f32>() - mean * mean
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
    use super::super::idct;
    use super::*;

    #[test]
    fn colours_that_are_cut_off_stay_within_the_bound() {
        let mut seed = 1u32;
        let mut next = |range: f32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as f32 / (1 << 24) as f32 * 2.0 * range - range
        };
        let seen = |[y, cb, cr]: [f32; 3]| {
            let shown = |level: f32| level.clamp(-128.0, 127.0);
            let [y, cb, cr] = [y, cb, cr].map(shown);
            let green = shown(y - 0.344 * cb - 0.714 * cr);
            0.299 * shown(y + 1.402 * cr) + 0.587 * green + 0.114 * shown(y + 1.772 * cb)
        };
        let mut largest = 0.0f32;
        for _ in 0..2000 {
            let means = [next(200.0), next(200.0), next(200.0)];
            let heights = [next(100.0), next(60.0), next(60.0)];
            let stripes = heights.map(|height| [height, -height]);
            let turned = if next(1.0) > 0.0 { 1 } else { 0 };
            let at = |n: usize| {
                let which = [n, n ^ turned, n];
                array::from_fn(|part| means[part] + stripes[part][which[part]])
            };
            let apart = (seen(means) - (seen(at(0)) + seen(at(1))) / 2.0).abs();
            let level = |part: usize| (means[part], heights[part].abs());
            let bound = cut_off(level(0), level(1), level(2));
            assert!(apart <= bound + 0.5, "{means:?} {heights:?}: {apart} beyond {bound}");
            largest = largest.max(apart);
        }
        assert!(largest > 20.0);
    }

    /// What 64 x 64 blocks of these means and deviations come to.
    fn of_blocks(mean: fn(usize, usize) -> f32, deviation: impl Fn(usize, usize) -> f32) -> CutOff {
        let mut cut_off = CutOff::new((64, 64));
        for y in 0..64 {
            let mut levels: [Levels; 3] = Default::default();
            let row = (0..64).map(|x| mean(x, y));
            levels[0].replace(row, (0..64).map(|x| deviation(x, y)));
            cut_off.add(&mut levels);
        }
        cut_off
    }

    fn quadrants(x: usize, y: usize) -> f32 {
        if (x < 32) == (y < 32) { 127.0 } else { -128.0 }
    }

    #[test]
    fn what_is_cut_off_in_a_part_of_the_picture_matters() {
        // At a limit, half of the deviation is cut off.
        let corner = |height: f32| move |x, y| if x < 8 && y < 8 { height } else { 0.0 };
        assert!(!of_blocks(quadrants, corner(19.0)).matters());
        assert!(of_blocks(quadrants, corner(21.0)).matters());
        assert!(!of_blocks(quadrants, |_, _| 9.0).matters());
        assert!(of_blocks(quadrants, |_, _| 11.0).matters());
        assert!(of_blocks(|_, _| 127.0, |_, _| 1.0).matters());
    }

    #[test]
    fn what_pdq_does_not_see_is_no_contrast() {
        let contrast = |mean| of_blocks(mean, |_, _| 0.0).contrast();
        assert!((contrast(quadrants) - 127.5).abs() < 0.1);
        assert!(contrast(|x, y| if (x + y) % 2 == 0 { 127.0 } else { -128.0 }) < 0.1);
        assert!(contrast(|x, _| if x < 32 { 127.0 } else { -128.0 }) < 0.1);
        assert!(contrast(|_, y| 2.0 * y as f32 - 64.0) < 0.1);
    }

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
