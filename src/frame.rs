//! Decoded pixels, as the person will see them.
//!
//! A [`Frame`] keeps the pixels as the codec or the host delivered them and
//! turns them upright and grey only while they are read, row by row: a second
//! copy of a 48 MP picture would cost more memory than the first. This module
//! knows no codec.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// One decoded picture: 8 bits a channel, rows top to bottom without padding.
#[derive(Clone)]
pub struct Frame<'a> {
    width: u32,
    height: u32,
    layout: Layout,
    orientation: Orientation,
    pixels: Pixels<'a>,
    /// Red, green and blue without alpha, where each pixel is a mean by alpha.
    bare: Option<Vec<u8>>,
    reduced: Option<Reduced>,
}

#[derive(Clone)]
enum Pixels<'a> {
    Given(Cow<'a, [u8]>),
    /// Those of a canvas, which draws on once the frame is gone.
    Shared(Arc<Vec<u8>>),
}

impl Deref for Pixels<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Given(pixels) => pixels,
            Self::Shared(pixels) => pixels,
        }
    }
}

/// What a frame was before it was decoded at a part of its size.
#[derive(Clone, Copy)]
struct Reduced {
    /// Stored pixels.
    width: u32,
    height: u32,
    /// How many of its rows and columns one pixel stands for.
    scale: u32,
}

/// One direction of a frame: where the original's pixels are found among those at
/// hand, which are fewer when the frame is reduced.
#[derive(Clone, Copy)]
pub(crate) struct Axis {
    /// Pixels of the original.
    pub(crate) length: u32,
    pub(crate) scale: u32,
    /// Whether the pixel that may stand for fewer than the others comes first.
    pub(crate) reversed: bool,
}

impl Axis {
    /// Pixels at hand.
    pub(crate) fn count(self) -> usize {
        self.length.div_ceil(self.scale) as usize
    }

    /// The centre of the original's pixel `at`, in pixels at hand.
    pub(crate) fn place(self, at: usize) -> f64 {
        let from_start = |at: f64| at / f64::from(self.scale);
        let (at, length) = (at as f64 + 0.5, f64::from(self.length));
        if self.reversed { self.count() as f64 - from_start(length - at) } else { from_start(at) }
    }
}

/// The channels of one pixel, in memory order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One luma channel.
    Luma8,
    /// Luma and straight (not premultiplied) alpha.
    LumaAlpha8,
    /// Red, green, blue.
    Rgb8,
    /// Red, green, blue and straight (not premultiplied) alpha.
    Rgba8,
}

/// How the stored rows are turned to be upright: the values of the EXIF tag
/// `Orientation` (EXIF 2.32, section 4.6.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Orientation {
    /// 1: upright as stored.
    #[default]
    Upright,
    /// 2: mirrored left to right.
    FlipHorizontal,
    /// 3: turned by 180 degrees.
    Rotate180,
    /// 4: mirrored top to bottom.
    FlipVertical,
    /// 5: mirrored along the main diagonal.
    Transpose,
    /// 6: to be turned clockwise by 90 degrees.
    Rotate90,
    /// 7: mirrored along the other diagonal.
    Transverse,
    /// 8: to be turned clockwise by 270 degrees.
    Rotate270,
}

/// What transparent pixels are shown on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Background {
    /// On white.
    White,
    /// On black.
    Black,
    /// On nothing: their own colours, as a program shows them that drops alpha.
    Dropped,
}

/// The pixels do not make a picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Width or height is zero.
    #[error("a frame needs at least one pixel")]
    Empty,
    /// The buffer's length is not width x height x channels.
    #[error("the pixel buffer holds {actual} bytes, the frame needs {expected}")]
    Length {
        /// Bytes that width, height and layout ask for.
        expected: u64,
        /// Bytes that were passed.
        actual: u64,
    },
}

impl<'a> Frame<'a> {
    /// A frame of `width` x `height` pixels, rows top to bottom without padding.
    ///
    /// # Errors
    /// [`FrameError`] when a side is zero or the buffer has another length than
    /// width x height x channels.
    pub fn new(
        width: u32,
        height: u32,
        layout: Layout,
        pixels: impl Into<Cow<'a, [u8]>>,
    ) -> Result<Self, FrameError> {
        Self::of(width, height, layout, Pixels::Given(pixels.into()))
    }

    /// What a canvas shows in RGBA, without a copy of it.
    pub(crate) fn of_canvas(
        width: u32,
        height: u32,
        pixels: &Arc<Vec<u8>>,
    ) -> Result<Frame<'static>, FrameError> {
        Frame::of(width, height, Layout::Rgba8, Pixels::Shared(Arc::clone(pixels)))
    }

    fn of(width: u32, height: u32, layout: Layout, pixels: Pixels<'a>) -> Result<Self, FrameError> {
        if width == 0 || height == 0 {
            return Err(FrameError::Empty);
        }
        let expected = u64::from(width)
            .saturating_mul(u64::from(height))
            .saturating_mul(layout.channels() as u64);
        let actual = pixels.len() as u64;
        if actual != expected {
            return Err(FrameError::Length { expected, actual });
        }
        let orientation = Orientation::Upright;
        Ok(Self { width, height, layout, orientation, pixels, bare: None, reduced: None })
    }

    /// The same pixels, to be read in another orientation.
    #[must_use]
    pub fn with_orientation(mut self, orientation: Orientation) -> Self {
        self.orientation = orientation;
        self
    }

    /// A copy that keeps its pixels in `buffer`, in place of what is there.
    pub(crate) fn copy_into(&self, mut buffer: Vec<u8>) -> Frame<'static> {
        buffer.clear();
        buffer.extend_from_slice(&self.pixels);
        Frame { pixels: Pixels::Given(buffer.into()), bare: self.bare.clone(), ..*self }
    }

    /// The same picture with other values.
    pub(crate) fn shown_as(&self, layout: Layout, pixels: Vec<u8>) -> Frame<'static> {
        debug_assert_eq!(
            self.pixels.len() / self.layout.channels(),
            pixels.len() / layout.channels()
        );
        Frame { pixels: Pixels::Given(pixels.into()), layout, bare: None, ..*self }
    }

    /// Its pixels, as stored.
    pub(crate) fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Its pixels.
    pub(crate) fn into_pixels(self) -> Vec<u8> {
        match self.pixels {
            Pixels::Given(pixels) => pixels.into_owned(),
            Pixels::Shared(pixels) => Arc::unwrap_or_clone(pixels),
        }
    }

    /// Bytes of the pixels.
    pub(crate) fn size(&self) -> u64 {
        (self.pixels.len() + self.bare.as_ref().map_or(0, Vec::len)) as u64
    }

    /// The same, each pixel being the mean of `scale` x `scale` of a picture of
    /// `width` x `height`; less at its right and lower edge.
    pub(crate) fn reduced_from(mut self, width: u32, height: u32, scale: u32) -> Self {
        debug_assert_eq!(width.div_ceil(scale), self.width);
        debug_assert_eq!(height.div_ceil(scale), self.height);
        self.reduced = Some(Reduced { width, height, scale });
        self
    }

    /// The same, whose colours without alpha are these, in [`Layout::Rgb8`].
    pub(crate) fn with_bare(mut self, colours: Vec<u8>) -> Self {
        debug_assert_eq!(colours.len() as u64, u64::from(self.width) * u64::from(self.height) * 3);
        self.bare = Some(colours);
        self
    }

    /// What is shown on the background.
    fn on(&self, background: Background) -> (Layout, &[u8]) {
        match (&self.bare, background) {
            (Some(bare), Background::Dropped) => (Layout::Rgb8, bare),
            _ => (self.layout, &self.pixels),
        }
    }

    /// Width of the original, upright: that of the frame, unless it was decoded at
    /// a part of its size.
    pub fn original_width(&self) -> u32 {
        let Reduced { width, height, .. } = self.original();
        if self.orientation.turn().transposed { height } else { width }
    }

    /// Height of the original, upright.
    pub fn original_height(&self) -> u32 {
        let Reduced { width, height, .. } = self.original();
        if self.orientation.turn().transposed { width } else { height }
    }

    /// Rows and columns of the original that one pixel stands for: 1, 2, 4 or 8.
    pub fn scale(&self) -> u32 {
        self.original().scale
    }

    /// Where the original's columns lie, both upright.
    pub(crate) fn columns(&self) -> Axis {
        let Turn { transposed, flip_x, flip_y } = self.orientation.turn();
        let reversed = if transposed { flip_y } else { flip_x };
        Axis { length: self.original_width(), scale: self.scale(), reversed }
    }

    /// Where the original's rows lie, both upright.
    pub(crate) fn rows(&self) -> Axis {
        let Turn { transposed, flip_x, flip_y } = self.orientation.turn();
        let reversed = if transposed { flip_x } else { flip_y };
        Axis { length: self.original_height(), scale: self.scale(), reversed }
    }

    fn original(&self) -> Reduced {
        self.reduced.unwrap_or(Reduced { width: self.width, height: self.height, scale: 1 })
    }

    /// Width in pixels, upright.
    pub fn width(&self) -> u32 {
        if self.orientation.turn().transposed { self.height } else { self.width }
    }

    /// Height in pixels, upright.
    pub fn height(&self) -> u32 {
        if self.orientation.turn().transposed { self.width } else { self.height }
    }

    /// The channels of one pixel.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Whether any pixel lets the background through.
    pub fn has_transparency(&self) -> bool {
        match self.layout {
            Layout::Luma8 | Layout::Rgb8 => false,
            Layout::LumaAlpha8 => self.pixels.chunks_exact(2).any(|p| p[1] != 255),
            Layout::Rgba8 => !is_opaque(&self.pixels),
        }
    }

    /// Bytes that [`luma_rows`](Self::luma_rows) holds while it runs.
    pub fn luma_memory(&self) -> u64 {
        let lines =
            if self.orientation.turn().transposed { STRIP.min(self.width as usize) } else { 1 };
        4 * u64::from(self.width()) * lines as u64
    }

    /// Hands the rows of the upright picture to `sink`, top to bottom, as luma
    /// 0.299 R + 0.587 G + 0.114 B in [0, 255]. An error from `sink` ends it.
    pub fn luma_rows<E>(
        &self,
        background: Background,
        mut sink: impl FnMut(&[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        let turn = self.orientation.turn();
        if turn.transposed {
            return self.luma_rows_transposed(background, turn, sink);
        }
        let (layout, pixels) = self.on(background);
        let stride = self.width as usize * layout.channels();
        let mut row = vec![0.0; self.width as usize];
        let mut read = |stored: &[u8]| {
            luma(layout, background, stored, &mut row);
            if turn.flip_x {
                row.reverse();
            }
            sink(&row)
        };
        let mut rows = pixels.chunks_exact(stride);
        if turn.flip_y { rows.rev().try_for_each(&mut read) } else { rows.try_for_each(&mut read) }
    }

    /// The pixel at column `x` and row `y` of the upright picture: red, green
    /// and blue over the background.
    ///
    /// # Panics
    /// When the pixel lies outside the picture.
    pub fn rgb(&self, x: u32, y: u32, background: Background) -> [u8; 3] {
        let turn = self.orientation.turn();
        let (x, y) = if turn.transposed { (y, x) } else { (x, y) };
        assert!(x < self.width && y < self.height, "the pixel lies outside the picture");
        let x = if turn.flip_x { self.width - 1 - x } else { x };
        let y = if turn.flip_y { self.height - 1 - y } else { y };
        let (layout, pixels) = self.on(background);
        let at = (y as usize * self.width as usize + x as usize) * layout.channels();
        let p = &pixels[at..];
        match layout {
            Layout::Luma8 => [p[0]; 3],
            Layout::LumaAlpha8 => [background.under(p[0], p[1]); 3],
            Layout::Rgb8 => [p[0], p[1], p[2]],
            Layout::Rgba8 => [p[0], p[1], p[2]].map(|channel| background.under(channel, p[3])),
        }
    }

    /// A stored column is an upright row. Columns are read in strips so that a
    /// cache line of the stored picture is fetched once, not once a pixel.
    fn luma_rows_transposed<E>(
        &self,
        background: Background,
        turn: Turn,
        mut sink: impl FnMut(&[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        let (layout, pixels) = self.on(background);
        let channels = layout.channels();
        let (width, height) = (self.width as usize, self.height as usize);
        let mut strip = vec![0.0; STRIP.min(width) * height];
        let mut run = [0.0; STRIP];
        for start in (0..width).step_by(STRIP) {
            let columns = STRIP.min(width - start);
            // Upright rows come from the last stored column first when flipped.
            let first = if turn.flip_x { width - start - columns } else { start };
            for (y, stored) in pixels.chunks_exact(width * channels).enumerate() {
                let at = first * channels..(first + columns) * channels;
                luma(layout, background, &stored[at], &mut run[..columns]);
                let x = if turn.flip_y { height - 1 - y } else { y };
                for (column, &value) in run[..columns].iter().enumerate() {
                    strip[column * height + x] = value;
                }
            }
            let mut rows = strip.chunks_exact(height).take(columns);
            if turn.flip_x {
                rows.rev().try_for_each(&mut sink)?
            } else {
                rows.try_for_each(&mut sink)?
            }
        }
        Ok(())
    }
}

/// Stored columns read at a time where they become rows.
const STRIP: usize = 16;

/// Sizes only: a frame's pixels are the person's own.
impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("width", &self.width())
            .field("height", &self.height())
            .field("layout", &self.layout)
            .finish_non_exhaustive()
    }
}

impl Background {
    /// Its value in each channel, where it is to be seen.
    fn value(self) -> Option<u8> {
        match self {
            Self::White => Some(255),
            Self::Black => Some(0),
            Self::Dropped => None,
        }
    }

    /// One channel of a pixel that lies on it.
    fn under(self, value: u8, alpha: u8) -> u8 {
        self.value().map_or(value, |background| blend(value, alpha, background))
    }
}

/// One channel over another, rounded to the nearest. A division by 255 that fits 16 bits
/// is done in vectors.
fn blend(value: u8, alpha: u8, background: u8) -> u8 {
    let [value, alpha, background] = [value, alpha, background].map(u16::from);
    let sum = value * alpha + background * (255 - alpha) + 128;
    ((sum + (sum >> 8)) >> 8) as u8
}

impl Layout {
    /// Bytes a pixel.
    pub fn channels(self) -> usize {
        match self {
            Self::Luma8 => 1,
            Self::LumaAlpha8 => 2,
            Self::Rgb8 => 3,
            Self::Rgba8 => 4,
        }
    }

    /// Channels other than alpha.
    pub(crate) fn colours(self) -> usize {
        self.channels() - usize::from(self.has_alpha())
    }

    pub(crate) fn has_alpha(self) -> bool {
        matches!(self, Self::LumaAlpha8 | Self::Rgba8)
    }
}

impl Orientation {
    /// The orientation for the tag's value; `None` outside 1 to 8.
    pub fn from_exif(value: u8) -> Option<Self> {
        Some(match value {
            1 => Self::Upright,
            2 => Self::FlipHorizontal,
            3 => Self::Rotate180,
            4 => Self::FlipVertical,
            5 => Self::Transpose,
            6 => Self::Rotate90,
            7 => Self::Transverse,
            8 => Self::Rotate270,
            _ => return None,
        })
    }

    fn turn(self) -> Turn {
        let (transposed, flip_x, flip_y) = match self {
            Self::Upright => (false, false, false),
            Self::FlipHorizontal => (false, true, false),
            Self::Rotate180 => (false, true, true),
            Self::FlipVertical => (false, false, true),
            Self::Transpose => (true, false, false),
            Self::Rotate90 => (true, false, true),
            Self::Transverse => (true, true, true),
            Self::Rotate270 => (true, true, false),
        };
        Turn { transposed, flip_x, flip_y }
    }
}

/// Flips of the *stored* axes, then a swap of the axes.
#[derive(Clone, Copy)]
struct Turn {
    transposed: bool,
    flip_x: bool,
    flip_y: bool,
}

/// Whether no pixel in RGBA lets a background through.
pub(crate) fn is_opaque(rgba: &[u8]) -> bool {
    // A piece is read without a branch, in vectors.
    let all = |piece: &[u8]| piece.chunks_exact(4).fold(255, |all, pixel| all & pixel[3]) == 255;
    rgba.chunks(1024).all(all)
}

/// In f32 and in this order of operations, as the PDQ reference does it.
fn luma(layout: Layout, background: Background, pixels: &[u8], out: &mut [f32]) {
    let weigh =
        |r: u8, g: u8, b: u8| 0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b);
    match layout {
        Layout::Luma8 => {
            for (out, &p) in out.iter_mut().zip(pixels) {
                *out = weigh(p, p, p);
            }
        }
        Layout::LumaAlpha8 => {
            for (out, p) in out.iter_mut().zip(pixels.chunks_exact(2)) {
                let p = background.under(p[0], p[1]);
                *out = weigh(p, p, p);
            }
        }
        Layout::Rgb8 => {
            for (out, p) in out.iter_mut().zip(pixels.chunks_exact(3)) {
                *out = weigh(p[0], p[1], p[2]);
            }
        }
        Layout::Rgba8 => match background.value() {
            Some(background) if !is_opaque(pixels) => {
                for (out, &[r, g, b, alpha]) in out.iter_mut().zip(pixels.as_chunks().0) {
                    let [r, g, b] = [r, g, b].map(|value| blend(value, alpha, background));
                    *out = weigh(r, g, b);
                }
            }
            // What hides its background, which most pictures do everywhere, is not blended.
            _ => {
                for (out, &[r, g, b, _]) in out.iter_mut().zip(pixels.as_chunks().0) {
                    *out = weigh(r, g, b);
                }
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(frame: &Frame<'_>) -> Vec<Vec<u8>> {
        let mut rows = Vec::new();
        let sink = |row: &[f32]| -> Result<(), ()> {
            rows.push(row.iter().map(|v| v.round() as u8).collect());
            Ok(())
        };
        frame.luma_rows(Background::White, sink).unwrap();
        rows
    }

    #[test]
    fn every_orientation_reads_upright() {
        // Stored rows 1 2 3 / 4 5 6; the upright pictures by the EXIF diagrams.
        let frame = Frame::new(3, 2, Layout::Luma8, vec![1, 2, 3, 4, 5, 6]).unwrap();
        let upright: [&[&[u8]]; 8] = [
            &[&[1, 2, 3], &[4, 5, 6]],
            &[&[3, 2, 1], &[6, 5, 4]],
            &[&[6, 5, 4], &[3, 2, 1]],
            &[&[4, 5, 6], &[1, 2, 3]],
            &[&[1, 4], &[2, 5], &[3, 6]],
            &[&[4, 1], &[5, 2], &[6, 3]],
            &[&[6, 3], &[5, 2], &[4, 1]],
            &[&[3, 6], &[2, 5], &[1, 4]],
        ];
        for (value, expected) in (1..).zip(upright) {
            let turned = frame.clone().with_orientation(Orientation::from_exif(value).unwrap());
            assert_eq!(rows(&turned), expected, "orientation {value}");
            let pixel = |x, y| turned.rgb(x, y, Background::White);
            for (row, y) in expected.iter().zip(0..) {
                let read: Vec<_> = (0..row.len() as u32).map(|x| pixel(x, y)).collect();
                assert_eq!(read, row.iter().map(|&p| [p; 3]).collect::<Vec<_>>());
            }
            assert_eq!(turned.height() as usize, expected.len());
            assert_eq!(turned.width() as usize, expected[0].len());
        }
    }

    #[test]
    fn a_wide_picture_is_turned_strip_by_strip() {
        let (width, height) = (37u32, 5u32);
        let pixels: Vec<u8> = (0..width * height).map(|i| i as u8).collect();
        let frame = Frame::new(width, height, Layout::Luma8, pixels.clone()).unwrap();
        for (orientation, at) in [
            (
                Orientation::Rotate90,
                Box::new(|x: u32, y: u32| (height - 1 - x) * width + y)
                    as Box<dyn Fn(u32, u32) -> u32>,
            ),
            (Orientation::Rotate270, Box::new(|x, y| x * width + (width - 1 - y))),
        ] {
            let turned = rows(&frame.clone().with_orientation(orientation));
            for (y, row) in turned.iter().enumerate() {
                for (x, &value) in row.iter().enumerate() {
                    assert_eq!(value, pixels[at(x as u32, y as u32) as usize]);
                }
            }
        }
    }

    #[test]
    fn a_clear_pixel_shows_its_background() {
        let frame = Frame::new(1, 1, Layout::Rgba8, vec![9, 9, 9, 0]).unwrap();
        assert!(frame.has_transparency());
        for (background, expected) in [(Background::White, 255.0), (Background::Black, 0.0)] {
            let check =
                |row: &[f32]| if (row[0] - expected).abs() < 1e-3 { Ok(()) } else { Err(row[0]) };
            frame.luma_rows(background, check).unwrap();
            assert_eq!(frame.rgb(0, 0, background), [expected as u8; 3]);
        }
    }

    #[test]
    fn every_blend_is_rounded_to_the_nearest() {
        for background in [0, 255] {
            for (value, alpha) in (0..=255).flat_map(|v| (0..=255).map(move |alpha| (v, alpha))) {
                let share = f64::from(alpha) / 255.0;
                let exact = f64::from(value) * share + f64::from(background) * (1.0 - share);
                assert_eq!(f64::from(blend(value, alpha, background)), exact.round());
            }
        }
    }

    #[test]
    fn a_wrong_length_is_refused() {
        let error = Frame::new(2, 2, Layout::Rgb8, vec![0; 11]).unwrap_err();
        assert_eq!(error, FrameError::Length { expected: 12, actual: 11 });
        assert_eq!(Frame::new(0, 2, Layout::Rgb8, vec![]).unwrap_err(), FrameError::Empty);
    }
}
