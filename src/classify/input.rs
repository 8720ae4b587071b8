//! Pixels to a model's input tensor.
//!
//! Preprocessing is part of a model: another resize than the one it was made
//! with moves a score by up to 0.45. So the rules here are those of the tools
//! that models come from, and each model names its own.

use serde::Deserialize;

use crate::frame::{Background, Frame};
use crate::limits::{Budget, Incomplete};

/// What a model takes: one picture as a tensor of f32.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Input {
    /// Name of the input tensor.
    pub name: String,
    /// Its shape; the batch, which comes first, is 1.
    pub shape: [usize; 4],
    /// The order of its dimensions.
    pub layout: Layout,
    /// The order of its channels.
    pub channels: Channels,
    /// The values that the levels 0 and 255 become.
    pub range: [f32; 2],
    /// Subtracted then, for each channel of the tensor.
    #[serde(default)]
    pub mean: [f32; 3],
    /// Divided by last, for each channel of the tensor.
    #[serde(default = "ones")]
    pub std: [f32; 3],
    /// How a picture gets its size.
    pub resize: Resize,
}

/// The order of a tensor's dimensions: batch, channels, height, width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Layout {
    /// Channels last.
    #[serde(rename = "NHWC")]
    Nhwc,
    /// Channels first.
    #[serde(rename = "NCHW")]
    Nchw,
}

impl Layout {
    /// The name in `model.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nhwc => "NHWC",
            Self::Nchw => "NCHW",
        }
    }
}

/// The order of the channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Channels {
    /// Red first.
    #[serde(rename = "RGB")]
    Rgb,
    /// Blue first.
    #[serde(rename = "BGR")]
    Bgr,
}

/// How a picture is resized before its middle is cut out.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "ResizeRow")]
#[non_exhaustive]
pub struct Resize {
    /// How a pixel is made from those around it.
    pub filter: Filter,
    /// To what size.
    pub to: Size,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ResizeRow {
    filter: Filter,
    stretch: Option<[u32; 2]>,
    shorter_side: Option<u32>,
}

impl TryFrom<ResizeRow> for Resize {
    type Error = &'static str;

    fn try_from(row: ResizeRow) -> Result<Self, Self::Error> {
        let to = match (row.stretch, row.shorter_side) {
            (Some(size), None) => Size::Stretch(size),
            (None, Some(side)) => Size::ShorterSide(side),
            _ => return Err("`resize` needs either `stretch` or `shorter-side`"),
        };
        Ok(Self { filter: row.filter, to })
    }
}

/// How a pixel of the resized picture is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Filter {
    /// Bilinear between the four nearest pixels, corners on corners, however
    /// small the result: `tf.image.resizeBilinear` with `alignCorners`.
    BilinearAlignCorners,
    /// Bilinear over all pixels that shrink into one, rounded to 8 bits, as
    /// Pillow's and torchvision's `BILINEAR`.
    BilinearAntialias,
}

/// The size a picture is resized to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Size {
    /// This width and height, whatever the picture's proportions.
    Stretch([u32; 2]),
    /// The shorter side becomes this long, and the proportions stay.
    ShorterSide(u32),
}

/// A picture as a model takes it. Equal tensors have equal scores.
#[derive(Clone, PartialEq)]
pub struct Tensor {
    shape: [usize; 4],
    values: Vec<f32>,
}

impl Tensor {
    /// The dimensions.
    pub fn shape(&self) -> [usize; 4] {
        self.shape
    }

    /// The values, last dimension first.
    pub fn values(&self) -> &[f32] {
        &self.values
    }
}

/// The shape alone: the values are the person's own.
impl std::fmt::Debug for Tensor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tensor").field("shape", &self.shape).finish_non_exhaustive()
    }
}

impl Input {
    /// Width and height of the tensor's picture.
    fn size(&self) -> (u32, u32) {
        let (height, width) = match self.layout {
            Layout::Nhwc => (self.shape[1], self.shape[2]),
            Layout::Nchw => (self.shape[2], self.shape[3]),
        };
        (width as u32, height as u32)
    }

    /// The frame as the model takes it: resized, its channels ordered and scaled.
    ///
    /// # Errors
    /// [`Incomplete`] when the budget's memory does not reach, its deadline
    /// passes or the scan is cancelled.
    pub fn prepare(
        &self,
        frame: &Frame<'_>,
        background: Background,
        budget: &Budget,
    ) -> Result<Tensor, Incomplete> {
        budget.check()?;
        let (width, height) = self.resize.to.of(frame.width(), frame.height());
        let _held = budget.reserve(self.memory(frame, width, height))?;
        let (left, top) = self.corner(width, height);
        Ok(match self.resize.filter {
            Filter::BilinearAlignCorners => {
                let across = steps(frame.width(), width);
                let down = steps(frame.height(), height);
                self.tensor(|x, y| {
                    let (x, y) = (across[(left + x) as usize], down[(top + y) as usize]);
                    bilinear(frame, background, x, y)
                })
            }
            Filter::BilinearAntialias => {
                let resized = antialiased(frame, background, (width, height), budget)?;
                self.tensor(|x, y| {
                    let at = ((top + y) as usize * width as usize + (left + x) as usize) * 3;
                    std::array::from_fn(|channel| f32::from(resized[at + channel]))
                })
            }
        })
    }

    /// The tensor of a frame that has the tensor's size already.
    pub(super) fn exactly(&self, frame: &Frame<'_>, background: Background) -> Option<Tensor> {
        let fits = (frame.width(), frame.height()) == self.size();
        fits.then(|| self.tensor(|x, y| frame.rgb(x, y, background).map(f32::from)))
    }

    /// Where the tensor's picture begins in the resized one.
    fn corner(&self, width: u32, height: u32) -> (u32, u32) {
        ((width - self.size().0) / 2, (height - self.size().1) / 2)
    }

    /// Bytes of the tensor and of everything on the way to it.
    fn memory(&self, frame: &Frame<'_>, width: u32, height: u32) -> u64 {
        let tensor = 4 * self.shape.iter().product::<usize>() as u64;
        match self.resize.filter {
            Filter::BilinearAlignCorners => {
                let sides = u64::from(width) + u64::from(height);
                tensor + size_of::<Step>() as u64 * sides
            }
            Filter::BilinearAntialias => {
                let (from_width, from_height) =
                    (u64::from(frame.width()), u64::from(frame.height()));
                let (width, height) = (u64::from(width), u64::from(height));
                let weights = 8 * (from_width + from_height) + 64 * (width + height);
                let row = 3 * from_width + 12 * width;
                tensor + weights + row + 3 * width * (from_height + height)
            }
        }
    }

    /// Red, green and blue in [0, 255] by column and row to the tensor.
    fn tensor(&self, rgb: impl Fn(u32, u32) -> [f32; 3]) -> Tensor {
        let (width, height) = self.size();
        let area = width as usize * height as usize;
        let [low, high] = self.range;
        // How far apart two pixels lie, and two channels of a pixel.
        let (next, plane) = match self.layout {
            Layout::Nhwc => (3, 1),
            Layout::Nchw => (1, area),
        };
        let mut values = vec![0.0; 3 * area];
        let mut at = 0;
        for y in 0..height {
            for x in 0..width {
                let mut pixel = rgb(x, y);
                if self.channels == Channels::Bgr {
                    pixel.reverse();
                }
                for (channel, level) in pixel.into_iter().enumerate() {
                    let value = low + level * (high - low) / 255.0;
                    values[at + channel * plane] = (value - self.mean[channel]) / self.std[channel];
                }
                at += next;
            }
        }
        Tensor { shape: self.shape, values }
    }

    /// The first thing that cannot be.
    pub(super) fn complaint(&self) -> Option<&'static str> {
        let (channels, sides) = match self.layout {
            Layout::Nhwc => (self.shape[3], [self.shape[1], self.shape[2]]),
            Layout::Nchw => (self.shape[1], [self.shape[2], self.shape[3]]),
        };
        let usable =
            self.shape[0] == 1 && channels == 3 && sides.iter().all(|side| LONGEST.contains(side));
        let side = |side: u32| LONGEST.contains(&(side as usize));
        // A side that is not stretched is at least as long as the shorter one.
        let (width, height) = self.size();
        let (sized, covers) = match self.resize.to {
            Size::Stretch([w, h]) => (side(w) && side(h), w >= width && h >= height),
            Size::ShorterSide(s) => (side(s), s >= width && s >= height),
        };
        let numbers = self.range.iter().chain(&self.mean).chain(&self.std);
        let rules = [
            (usable, "`shape` must be one picture of three channels with sides of 1 to 1024"),
            (sized, "`resize` must give sides of 1 to 1024"),
            (covers, "`resize` must cover the shape"),
            (numbers.clone().all(|n| n.is_finite()), "`range`, `mean` and `std` must be numbers"),
            (self.std.iter().all(|&n| n != 0.0), "`std` must not be 0"),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map(|(_, complaint)| complaint)
    }
}

const LONGEST: std::ops::RangeInclusive<usize> = 1..=1024;

fn ones() -> [f32; 3] {
    [1.0; 3]
}

impl Size {
    /// The new width and height of a picture.
    fn of(self, width: u32, height: u32) -> (u32, u32) {
        match self {
            Self::Stretch([width, height]) => (width, height),
            Self::ShorterSide(side) => {
                // Rounded down, as torchvision does it. A thin strip may become
                // longer than any memory; the budget refuses that.
                let shorter = u64::from(width.min(height));
                let scaled = |long: u32| u64::from(long) * u64::from(side) / shorter;
                let [width, height] = [width, height].map(|long| scaled(long).min(1 << 31) as u32);
                (width, height)
            }
        }
    }
}

/// For each pixel of a resized side, corners on corners: the picture's pixels
/// before and behind it, and how far it is from the first.
fn steps(from: u32, to: u32) -> Vec<Step> {
    let last = from - 1;
    let step = if to > 1 { f64::from(last) / f64::from(to - 1) } else { 0.0 };
    let at = |n| {
        let at = f64::from(n) * step;
        let before = (at as u32).min(last);
        (before, (at.ceil() as u32).min(last), (at - f64::from(before)) as f32)
    };
    (0..to).map(at).collect()
}

type Step = (u32, u32, f32);

fn bilinear(
    frame: &Frame<'_>,
    background: Background,
    (left, right, across): Step,
    (top, bottom, down): Step,
) -> [f32; 3] {
    let row = |y: u32| {
        let [from, to] = [left, right].map(|x| frame.rgb(x, y, background).map(f32::from));
        between(from, to, across)
    };
    between(row(top), row(bottom), down)
}

fn between(from: [f32; 3], to: [f32; 3], part: f32) -> [f32; 3] {
    std::array::from_fn(|n| from[n] + (to[n] - from[n]) * part)
}

/// The frame resized in 8 bits, rows first, as Pillow does it: its rounding is
/// part of what models were trained on.
fn antialiased(
    frame: &Frame<'_>,
    background: Background,
    (width, height): (u32, u32),
    budget: &Budget,
) -> Result<Vec<u8>, Incomplete> {
    let mut narrow = Vec::with_capacity(3 * width as usize * frame.height() as usize);
    let across = Kernel::all(frame.width(), width);
    let mut row = Vec::with_capacity(frame.width() as usize);
    for y in 0..frame.height() {
        budget.check()?;
        row.clear();
        row.extend((0..frame.width()).map(|x| frame.rgb(x, y, background)));
        for kernel in &across {
            let mut sums = [ROUNDED; 3];
            for (&weight, pixel) in kernel.weights.iter().zip(&row[kernel.first as usize..]) {
                for (sum, &level) in sums.iter_mut().zip(pixel) {
                    *sum += weight * i32::from(level);
                }
            }
            narrow.extend(sums.map(level));
        }
    }
    let row = 3 * width as usize;
    let mut resized = Vec::with_capacity(row * height as usize);
    let mut sums = vec![ROUNDED; row];
    for kernel in Kernel::all(frame.height(), height) {
        budget.check()?;
        sums.fill(ROUNDED);
        let rows = narrow[kernel.first as usize * row..].chunks_exact(row);
        for (&weight, row) in kernel.weights.iter().zip(rows) {
            for (sum, &level) in sums.iter_mut().zip(row) {
                *sum += weight * i32::from(level);
            }
        }
        resized.extend(sums.iter().copied().map(level));
    }
    Ok(resized)
}

/// A half, to begin a weighted sum of levels with.
const ROUNDED: i32 = 1 << (WEIGHT_BITS - 1);

fn level(sum: i32) -> u8 {
    (sum >> WEIGHT_BITS).clamp(0, 255) as u8
}

/// The pixels of a side that one pixel of the resized side is made of.
struct Kernel {
    first: u32,
    /// They add up to 1 << [`WEIGHT_BITS`].
    weights: Vec<i32>,
}

/// Leaves room for 8 bits of level, a sign and a sum that overshoots.
const WEIGHT_BITS: u32 = 32 - 8 - 2;

impl Kernel {
    /// A triangle that reaches to the neighbours, over the larger of the two
    /// pixel sizes.
    fn all(from: u32, to: u32) -> Vec<Self> {
        let scale = f64::from(from) / f64::from(to);
        let reach = scale.max(1.0);
        let kernel = |n| {
            let centre = (f64::from(n) + 0.5) * scale;
            let first = (centre - reach + 0.5).max(0.0) as u32;
            let end = ((centre + reach + 0.5) as u32).min(from);
            let weight = |x: u32| (1.0 - ((f64::from(x) - centre + 0.5) / reach).abs()).max(0.0);
            let sum: f64 = (first..end).map(weight).sum();
            let fixed = |x| (weight(x) / sum * f64::from(1 << WEIGHT_BITS) + 0.5) as i32;
            Self { first, weights: (first..end).map(fixed).collect() }
        };
        (0..to).map(kernel).collect()
    }
}
