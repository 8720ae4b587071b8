//! Weighted means of a picture's rows and columns, as the rows come.
//!
//! Both of PDQ's box filters, the choice of its samples and the small picture of
//! the views are linear and treat rows and columns apart, so each is two small
//! matrices with few numbers in a row. The rows of the picture are summed first,
//! side by side; only what is left of them goes through the second matrix.

use std::collections::VecDeque;

use crate::frame::Axis;

/// One matrix: what each of the samples takes from a side, ascending.
pub(super) struct Operator(Vec<Taps>);

struct Taps {
    first: usize,
    weights: Vec<f32>,
}

impl Operator {
    /// Bytes that those of a picture hold while they are made: each pixel of a side
    /// has a part in hardly more than one sample.
    pub(super) fn memory(rows: Axis, columns: Axis) -> u64 {
        16 * (rows.count() + columns.count()) as u64 + (1 << 17)
    }

    /// PDQ's two box filters at its 64 samples of a side.
    pub(super) fn pdq(axis: Axis) -> Self {
        let side = axis.length as usize;
        let window = window(side);
        // What a window takes in around its centre, cut off at the edges.
        let half = (window + 2) / 2;
        let reach = |at: usize| (at + half).saturating_sub(window)..(at + half).min(side);
        let taps = (0..64).map(|n| {
            // floor((n + 0.5) * side / 64), as the reference takes it.
            let outer = reach((2 * n + 1) * side / 128);
            let first = reach(outer.start).start;
            let mut weights = vec![0.0; reach(outer.end - 1).end - first];
            for at in outer.clone() {
                let inner = reach(at);
                let weight = 1.0 / (outer.len() * inner.len()) as f64;
                weights[inner.start - first..inner.end - first]
                    .iter_mut()
                    .for_each(|w| *w += weight);
            }
            Taps::of(first, &weights, axis)
        });
        Self(taps.collect())
    }

    /// Means over `fields` equal parts of a side.
    pub(super) fn means(axis: Axis, fields: usize) -> Self {
        let side = axis.length as usize;
        // Lengths in parts of a pixel: a side is side x fields of them.
        let taps = (0..fields).map(|n| {
            let (from, to) = (n * side, (n + 1) * side);
            let first = from / fields;
            let share = |at: usize| ((at + 1) * fields).min(to) - (at * fields).max(from);
            let weights: Vec<f64> =
                (first..to.div_ceil(fields)).map(|at| share(at) as f64 / side as f64).collect();
            Taps::of(first, &weights, axis)
        });
        Self(taps.collect())
    }
}

impl Taps {
    /// The weights of the original's pixels from `first` on, given to those at hand.
    /// One that stands for several is taken to rise or fall across them as its
    /// neighbours say.
    fn of(first: usize, weights: &[f64], axis: Axis) -> Self {
        let cell = |at: usize| axis.place(at) as usize;
        let (from, to) = (cell(first), cell(first + weights.len() - 1));
        let margin = usize::from(axis.scale > 1);
        let (from, last) = (from.saturating_sub(margin), (to + margin).min(axis.count() - 1));
        let mut sums = vec![0.0; last + 1 - from];
        for (at, weight) in (first..).zip(weights) {
            let cell = cell(at);
            let slope = weight * (axis.place(at) - cell as f64 - 0.5) / 2.0;
            sums[cell - from] += weight;
            sums[(cell + 1).min(last) - from] += slope;
            sums[cell.saturating_sub(1).max(from) - from] -= slope;
        }
        Self { first: from, weights: sums.iter().map(|&sum: &f64| sum as f32).collect() }
    }

    fn end(&self) -> usize {
        self.first + self.weights.len()
    }
}

/// Rows in, N x N samples out.
pub(super) struct Sampler<const N: usize> {
    down: Operator,
    across: Operator,
    samples: Box<[[f32; N]; N]>,
    /// The sums of the samples' rows that have begun, the first unfinished one first.
    begun: VecDeque<Vec<f32>>,
    /// Sums to be used again.
    free: Vec<Vec<f32>>,
    finished: usize,
    row: usize,
}

impl<const N: usize> Sampler<N> {
    pub(super) fn new(down: Operator, across: Operator) -> Self {
        let samples = Box::new([[0.0; N]; N]);
        Self {
            down,
            across,
            samples,
            begun: VecDeque::new(),
            free: Vec::new(),
            finished: 0,
            row: 0,
        }
    }

    /// Bytes of rows that it holds at most.
    pub(super) fn memory(&self, width: usize) -> u64 {
        let ends = self.down.0.iter().map(Taps::end);
        let begun = ends
            .enumerate()
            .map(|(n, end)| self.down.0[n..].iter().take_while(|taps| taps.first < end).count());
        let rows = begun.max().unwrap_or(0) as u64;
        4 * rows * width as u64
    }

    pub(super) fn push(&mut self, row: &[f32]) {
        let begins = |n: usize| self.down.0.get(n).is_some_and(|taps| taps.first <= self.row);
        while begins(self.finished + self.begun.len()) {
            let mut sums = self.free.pop().unwrap_or_default();
            sums.clear();
            sums.resize(row.len(), 0.0);
            self.begun.push_back(sums);
        }
        for (taps, sums) in self.down.0[self.finished..].iter().zip(&mut self.begun) {
            // One that ended above waits for an earlier one.
            if let Some(&weight) = taps.weights.get(self.row - taps.first) {
                add(sums, row, weight);
            }
        }
        self.row += 1;
        while self.down.0.get(self.finished).is_some_and(|taps| taps.end() <= self.row) {
            let Some(sums) = self.begun.pop_front() else { break };
            for (taps, out) in self.across.0.iter().zip(&mut self.samples[self.finished]) {
                let sums = &sums[taps.first..taps.end()];
                *out = sums.iter().zip(&taps.weights).map(|(sum, weight)| sum * weight).sum();
            }
            self.free.push(sums);
            self.finished += 1;
        }
    }

    pub(super) fn finish(self) -> Box<[[f32; N]; N]> {
        self.samples
    }
}

fn add(sums: &mut [f32], row: &[f32], weight: f32) {
    for (sum, &value) in sums.iter_mut().zip(row) {
        *sum += weight * value;
    }
}

/// Width of PDQ's box for a side: two passes over 1/128 of it make a tent of 1/64.
fn window(side: usize) -> usize {
    side.div_ceil(128)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(length: u32, scale: u32, reversed: bool) -> Axis {
        Axis { length, scale, reversed }
    }

    fn of(taps: &Taps, side: &[f32]) -> f32 {
        taps.weights.iter().zip(&side[taps.first..]).map(|(weight, value)| weight * value).sum()
    }

    #[test]
    fn every_sample_is_a_mean() {
        for side in [5, 63, 64, 65, 128, 129, 427, 4032] {
            for scale in [1, 2, 8] {
                let axis = axis(side, scale, scale == 2);
                for operator in [Operator::pdq(axis), Operator::means(axis, 128)] {
                    for taps in &operator.0 {
                        let sum: f32 = taps.weights.iter().sum();
                        assert!((sum - 1.0).abs() < 1e-5 && taps.end() <= axis.count());
                    }
                }
            }
        }
    }

    #[test]
    fn a_reduced_slope_gives_the_samples_of_the_whole_one() {
        // 1001 pixels in cells of eight, from either end: the last cell holds one.
        let whole: Vec<f32> = (0..1001).map(|n| n as f32 / 4.0).collect();
        let every = Operator::pdq(axis(1001, 1, false));
        for reversed in [false, true] {
            let axis = axis(1001, 8, reversed);
            // The middles of the cells, as if the side went on.
            let middle = |n: f32| if reversed { 8.0 * n - 3.5 } else { 8.0 * n + 3.5 };
            let cells: Vec<f32> = (0..126).map(|n| middle(n as f32) / 4.0).collect();
            let reduced = Operator::pdq(axis);
            // At the edges there is no neighbour.
            for (a, b) in every.0.iter().zip(&reduced.0).skip(2).take(60) {
                assert!((of(a, &whole) - of(b, &cells)).abs() < 1e-3);
            }
        }
    }
}
