//! Convolutional networks, run channels last in safe Rust.
//!
//! MobileNets and their kin are a dozen operations, and nearly all of their time
//! goes into two of them. A general runtime computes one of those, the
//! convolution of each channel by itself, without vectors, and it passes over
//! every picture once more for each activation. This one knows only those
//! operations: [`Convnet::read`] gives none for a graph that has others, and such
//! a model takes the general way.

use std::mem;
use std::ops::Range;

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use rten_simd::SimdOp;

use lanes::{Depthwise, Weights};

mod lanes;
mod read;

/// A network that is ready to run.
pub(super) struct Convnet {
    steps: Vec<Step>,
    /// Pictures that are held at a time; the first is the input.
    places: usize,
    /// Where the output lies in the end.
    output: usize,
    /// None runs on the caller's thread.
    threads: Option<ThreadPool>,
}

/// An operation on a picture, which makes another.
struct Step {
    operation: Operation,
    limits: Limits,
    /// The place of the picture it reads, and the picture's shape.
    from: usize,
    shape: Shape,
    /// The place of the picture it makes, and that one's shape.
    to: usize,
    made: Shape,
}

enum Operation {
    /// Each pixel times a matrix.
    Product(Weights),
    /// The pixels under the window times a matrix.
    Convolution(Weights, Window),
    /// Each channel convolved by itself.
    Depthwise(Channels),
    /// A product within limits, and each of its channels convolved by itself. The
    /// picture between the two is the largest of a MobileNet, and it never is in
    /// memory as a whole.
    Expanded(Weights, Limits, Channels),
    /// Factor and offset, for each channel or one of each for all.
    Scale(Vec<f32>, Vec<f32>),
    /// The picture plus that of another place.
    Sum(usize),
    /// The largest value of each channel under the window.
    Largest(Window),
    /// The mean of each channel.
    Mean,
    /// Logits to probabilities.
    Softmax,
}

/// Weights of channels that are convolved by themselves: a row for each place of
/// the window, and the bias.
struct Channels {
    weights: Vec<f32>,
    bias: Vec<f32>,
    window: Window,
}

#[derive(Clone, Copy, PartialEq)]
struct Shape {
    height: usize,
    width: usize,
    channels: usize,
}

impl Shape {
    fn pixels(self) -> usize {
        self.height * self.width
    }

    fn len(self) -> usize {
        self.pixels() * self.channels
    }
}

/// What an activation lets through.
#[derive(Clone, Copy, PartialEq)]
struct Limits {
    low: f32,
    high: f32,
}

impl Limits {
    const NONE: Self = Self { low: f32::NEG_INFINITY, high: f32::INFINITY };
}

/// The window of a convolution: its size, its stride and what is added around
/// the picture before the first row and column.
#[derive(Clone, Copy)]
struct Window {
    height: usize,
    width: usize,
    down: usize,
    across: usize,
    top: usize,
    left: usize,
}

impl Window {
    /// For a row of the output: the first row of the picture under the window,
    /// and which of the window's rows lie on the picture.
    fn reach_down(&self, y: usize, height: usize) -> (usize, Range<usize>) {
        reach(y * self.down, self.top, self.height, height)
    }

    /// The same for a column.
    fn reach_across(&self, x: usize, width: usize) -> (usize, Range<usize>) {
        reach(x * self.across, self.left, self.width, width)
    }
}

#[inline(always)]
fn reach(start: usize, before: usize, size: usize, side: usize) -> (usize, Range<usize>) {
    let from = before.saturating_sub(start);
    let to = size.min((side + before).saturating_sub(start)).max(from);
    ((start + from).saturating_sub(before), from..to)
}

impl Convnet {
    fn new(steps: Vec<Step>, places: usize, output: usize, threads: usize) -> Option<Self> {
        let pool = || ThreadPoolBuilder::new().num_threads(threads).build().ok();
        let threads = if threads > 1 { Some(pool()?) } else { None };
        Some(Self { steps, places, output, threads })
    }

    /// The numbers of the output.
    pub(super) fn run(&self, input: &[f32]) -> Vec<f32> {
        let mut places = vec![Vec::new(); self.places];
        places[0] = input.to_vec();
        match &self.threads {
            Some(threads) => threads.install(|| self.steps(&mut places)),
            None => self.steps(&mut places),
        }
        places.swap_remove(self.output)
    }

    fn steps(&self, places: &mut [Vec<f32>]) {
        let threads = self.threads.as_ref().map_or(1, ThreadPool::current_num_threads);
        for step in &self.steps {
            let mut made = mem::take(&mut places[step.to]);
            made.resize(step.made.len(), 0.0);
            step.run(places, &mut made, threads);
            places[step.to] = made;
        }
    }
}

impl Step {
    fn run(&self, places: &[Vec<f32>], made: &mut [f32], threads: usize) {
        let Self { limits, shape, .. } = *self;
        let image = &places[self.from][..shape.len()];
        let Limits { low, high } = limits;
        match &self.operation {
            Operation::Product(weights) => {
                share(made, self.made.channels, threads, |pixels, made| {
                    let image =
                        &image[pixels.start * shape.channels..][..pixels.len() * shape.channels];
                    weights.apply(image, limits, made);
                });
            }
            Operation::Convolution(weights, window) => {
                let row = self.made.width * self.made.channels;
                share(made, row, threads, |rows, made| {
                    self.convolve(image, weights, window, rows, made);
                });
            }
            Operation::Depthwise(channels) => {
                let row = self.made.width * self.made.channels;
                share(made, row, threads, |rows, made| {
                    channels.apply(image, 0, shape, self, rows, made);
                });
            }
            Operation::Expanded(weights, limits, channels) => {
                let row = self.made.width * self.made.channels;
                share(made, row, threads, |rows, made| {
                    self.expand(image, weights, *limits, channels, rows, made);
                });
            }
            Operation::Scale(factors, offsets) => {
                let scaled = |value: f32, factor: &f32, offset: &f32| {
                    (value * factor + offset).max(low).min(high)
                };
                if let ([factor], [offset]) = (factors.as_slice(), offsets.as_slice()) {
                    let pairs = made.iter_mut().zip(image);
                    pairs.for_each(|(made, &value)| *made = scaled(value, factor, offset));
                } else {
                    let by = factors.iter().zip(offsets).cycle();
                    for ((made, &value), (factor, offset)) in made.iter_mut().zip(image).zip(by) {
                        *made = scaled(value, factor, offset);
                    }
                }
            }
            Operation::Sum(other) => {
                for ((made, a), b) in made.iter_mut().zip(image).zip(&places[*other]) {
                    *made = (a + b).max(low).min(high);
                }
            }
            Operation::Largest(window) => self.largest(image, window, made),
            Operation::Mean => {
                made.fill(0.0);
                for pixel in image.chunks_exact(shape.channels) {
                    made.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value);
                }
                let count = shape.pixels() as f32;
                made.iter_mut().for_each(|sum| *sum /= count);
            }
            Operation::Softmax => {
                let highest = image.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                made.iter_mut()
                    .zip(image)
                    .for_each(|(made, value)| *made = (value - highest).exp());
                let sum: f32 = made.iter().sum();
                made.iter_mut().for_each(|made| *made /= sum);
            }
        }
    }

    fn convolve(
        &self,
        image: &[f32],
        weights: &Weights,
        window: &Window,
        rows: Range<usize>,
        made: &mut [f32],
    ) {
        let Shape { height, width, channels } = self.shape;
        let at_once = (PATCHES / (self.made.width * weights.inputs)).clamp(1, rows.len());
        let mut patches = vec![0.0; at_once * self.made.width * weights.inputs];
        let made = made.chunks_mut(at_once * self.made.width * self.made.channels);
        for (made, first) in made.zip(rows.clone().step_by(at_once)) {
            let places = (first..rows.end.min(first + at_once))
                .flat_map(|y| (0..self.made.width).map(move |x| (y, x)));
            let mut filled = 0;
            for ((y, x), patch) in places.zip(patches.chunks_exact_mut(weights.inputs)) {
                let (top, down) = window.reach_down(y, height);
                let (left, across) = window.reach_across(x, width);
                if down.len() * across.len() < window.height * window.width {
                    patch.fill(0.0);
                }
                let run = across.len() * channels;
                for (row, tap) in (top..).zip(down) {
                    let from = (row * width + left) * channels;
                    let to = (tap * window.width + across.start) * channels;
                    patch[to..][..run].copy_from_slice(&image[from..][..run]);
                }
                filled += weights.inputs;
            }
            weights.apply(&patches[..filled], self.limits, made);
        }
    }

    /// A band of rows after the other: as many as the cache holds are multiplied,
    /// and those that the next band needs again are kept.
    fn expand(
        &self,
        image: &[f32],
        weights: &Weights,
        limits: Limits,
        channels: &Channels,
        rows: Range<usize>,
        made: &mut [f32],
    ) {
        let Shape { height, width, channels: inputs } = self.shape;
        let shape = Shape { channels: weights.outputs, ..self.shape };
        let row = width * shape.channels;
        let window = channels.window;
        let at_once = ((BAND / row).saturating_sub(window.height) / window.down).max(1);
        let mut band: Vec<f32> = Vec::new();
        let mut held = 0..0;
        let made = made.chunks_mut(at_once * self.made.width * self.made.channels);
        for (made, first) in made.zip(rows.clone().step_by(at_once)) {
            let last = rows.end.min(first + at_once);
            let (from, _) = window.reach_down(first, height);
            let (to, under) = window.reach_down(last - 1, height);
            let to = (to + under.len()).max(held.end);
            let kept = from.clamp(held.start, held.end)..held.end;
            band.copy_within((kept.start - held.start) * row..(kept.end - held.start) * row, 0);
            band.resize((to - from) * row, 0.0);
            let fresh = &mut band[kept.len() * row..];
            let image = &image[(from + kept.len()) * width * inputs..to * width * inputs];
            weights.apply(image, limits, fresh);
            held = from..to;
            channels.apply(&band, from, shape, self, first..last, made);
        }
    }

    fn largest(&self, image: &[f32], window: &Window, made: &mut [f32]) {
        let Shape { height, width, channels } = self.shape;
        made.fill(f32::NEG_INFINITY);
        for (n, made) in made.chunks_exact_mut(channels).enumerate() {
            let (top, down) = window.reach_down(n / self.made.width, height);
            let (left, across) = window.reach_across(n % self.made.width, width);
            for row in (top..).take(down.len()) {
                let pixels = &image[(row * width + left) * channels..][..across.len() * channels];
                for pixel in pixels.chunks_exact(channels) {
                    made.iter_mut().zip(pixel).for_each(|(most, &value)| *most = most.max(value));
                }
            }
        }
    }
}

impl Channels {
    /// `image` is the picture of the shape from its row `first` on.
    fn apply(
        &self,
        image: &[f32],
        first: usize,
        shape: Shape,
        step: &Step,
        rows: Range<usize>,
        out: &mut [f32],
    ) {
        let Self { weights, bias, window } = self;
        let (window, limits, width) = (*window, step.limits, step.made.width);
        Depthwise { image, first, shape, window, weights, bias, limits, rows, width, out }
            .dispatch();
    }
}

/// Values of a band of rows: they stay in the processor's second cache.
const BAND: usize = 96 << 10;

/// Values of the windows that are laid out at a time: they stay in the cache.
const PATCHES: usize = 64 << 10;

/// Shares `made`, whose rows have this length, out to the threads.
fn share(
    made: &mut [f32],
    row: usize,
    threads: usize,
    work: impl Fn(Range<usize>, &mut [f32]) + Sync,
) {
    let rows = made.len() / row;
    if threads == 1 || rows == 1 {
        return work(0..rows, made);
    }
    let part = rows.div_ceil(threads);
    made.par_chunks_mut(part * row)
        .enumerate()
        .for_each(|(n, made)| work(n * part..n * part + made.len() / row, made));
}
