//! Bytes to frames, under a budget.
//!
//! [`open`] looks at the content (never at a file name), reads the header,
//! charges the [`Budget`] and hands out the displayed frames one by one. A file
//! that breaks off gives what could be decoded and then says so: the last item
//! of the iterator is a [`Fault`].

use std::collections::VecDeque;
use std::fmt;

use crate::frame::Frame;
use crate::limits::{Budget, Incomplete, Reserved};
use profile::{Profile, Profiles};

mod bmp;
mod canvas;
mod gif;
mod jpeg;
mod orient;
mod png;
mod profile;
mod reader;
mod reduce;
mod sniff;
mod webp;

/// The formats presend decodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// JPEG (ITU-T T.81), baseline and progressive.
    Jpeg,
    /// PNG and APNG (W3C PNG, third edition).
    Png,
    /// GIF 87a and 89a.
    Gif,
    /// WebP, lossy, lossless and animated.
    WebP,
    /// Windows bitmap.
    Bmp,
}

impl Format {
    /// Lower-case name, safe to log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Gif => "gif",
            Self::WebP => "webp",
            Self::Bmp => "bmp",
        }
    }
}

/// How much of a picture is decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fidelity {
    /// As much as a hash and a classifier need: of a large JPEG file, of the rows of
    /// an opaque PNG file, or of an animation's frames, the means of 2 x 2, 4 x 4 or
    /// 8 x 8 pixels, see [`Frame::scale`]. Whatever is unusual about a file is decoded
    /// in full. Of a large progressive JPEG file [`open_with`] reads the means alone,
    /// whatever else it holds; a [`Scanner`](crate::Scanner) reads it to its end.
    #[default]
    Fast,
    /// Every pixel.
    Full,
}

impl Fidelity {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Fast, Self::Full];

    /// `fast` or `full`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Full => "full",
        }
    }

    /// The fidelity of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fidelity| fidelity.name() == name)
    }
}

/// A kind of media that presend cannot look into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unsupported {
    /// Broad class: `image`, `video`, `audio`, `archive`, `document` or `other`.
    pub class: &'static str,
    /// The kind within it, such as `heif` or `mp4`; `unknown` when the content
    /// names none.
    pub kind: &'static str,
}

/// Why there is no (further) frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// presend does not decode this kind of file.
    #[error("unsupported: {}", .0.kind)]
    Unsupported(Unsupported),
    /// The file is broken, or the budget is used up.
    #[error("incomplete: {}", .0.code())]
    Incomplete(Incomplete),
}

impl From<Incomplete> for Fault {
    fn from(reason: Incomplete) -> Self {
        Self::Incomplete(reason)
    }
}

/// Reads the header of `bytes`, whose kind the content decides.
///
/// # Errors
/// [`Fault`] when the kind is not supported, the header is broken, or the
/// budget does not reach for what the header claims.
pub fn open<'a>(bytes: &'a [u8], budget: &'a Budget) -> Result<Frames<'a>, Fault> {
    open_with(bytes, Fidelity::Full, budget)
}

/// The same for frames of a fidelity.
///
/// # Errors
/// As [`open`].
pub fn open_with<'a>(
    bytes: &'a [u8],
    fidelity: Fidelity,
    budget: &'a Budget,
) -> Result<Frames<'a>, Fault> {
    open_by(bytes, fidelity, Scans::OfMeans, budget)
}

/// The same for what nobody vouches for: a large progressive JPEG file is read to its
/// end, which tells whether people see what the means show.
pub(crate) fn open_to_scan<'a>(
    bytes: &'a [u8],
    fidelity: Fidelity,
    budget: &'a Budget,
) -> Result<Frames<'a>, Fault> {
    open_by(bytes, fidelity, Scans::All, budget)
}

/// Which scans of a progressive JPEG file are read where its means are enough.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scans {
    OfMeans,
    All,
}

fn open_by<'a>(
    bytes: &'a [u8],
    fidelity: Fidelity,
    scans: Scans,
    budget: &'a Budget,
) -> Result<Frames<'a>, Fault> {
    budget.charge_input(bytes.len() as u64)?;
    match sniff::sniff(bytes)? {
        Format::Jpeg => jpeg::open(bytes, fidelity, scans, budget),
        Format::Png => png::open(bytes, fidelity, budget),
        Format::Gif => gif::open(bytes, fidelity, budget),
        Format::WebP => webp::open(bytes, fidelity, budget),
        Format::Bmp => bmp::open(bytes, budget),
    }
}

/// The displayed frames of one file, each upright and whole.
///
/// After the first `Err` there is nothing more.
pub struct Frames<'a> {
    format: Format,
    width: u32,
    height: u32,
    source: Option<Source<'a>>,
    budget: &'a Budget,
    /// What follows the frame handed out last: itself, as its profiles show it.
    shown: VecDeque<Result<Decoded<'a>, Fault>>,
    /// Told behind the last frame.
    late: Option<Fault>,
    /// The memory of the frame handed out last.
    held: Option<Reserved<'a>>,
}

type Source<'a> = Box<dyn Iterator<Item = Result<Decoded<'a>, Fault>> + 'a>;

/// A frame, and the memory that stays reserved until the next is asked for.
struct Decoded<'a> {
    frame: Frame<'static>,
    memory: Reserved<'a>,
    /// Where a screen may show something else than the frame's values.
    profiles: Vec<Profile>,
    /// Told behind the last frame: others are still to come.
    late: Option<Fault>,
}

impl<'a> Decoded<'a> {
    fn new(frame: Frame<'static>, memory: Reserved<'a>) -> Self {
        Self { frame, memory, profiles: Vec::new(), late: None }
    }

    fn with(self, Profiles { odd, fault }: Profiles) -> Self {
        Self { profiles: odd, late: self.late.or(fault.map(Fault::from)), ..self }
    }
}

impl<'a> Frames<'a> {
    fn new(
        format: Format,
        (width, height): (u32, u32),
        budget: &'a Budget,
        source: impl Iterator<Item = Result<Decoded<'a>, Fault>> + 'a,
    ) -> Self {
        let source = Some(Box::new(source) as Source<'a>);
        let shown = VecDeque::new();
        Self { format, width, height, source, budget, shown, late: None, held: None }
    }

    /// The format that the content shows.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Width in pixels as the header states it, before orientation.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels as the header states it, before orientation.
    pub fn height(&self) -> u32 {
        self.height
    }
}

impl Iterator for Frames<'_> {
    type Item = Result<Frame<'static>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.held = None;
        let source = self.source.as_mut()?;
        match self.shown.pop_front().or_else(|| source.next()) {
            Some(Ok(Decoded { frame, memory, profiles, late })) => {
                let show = |profile: Profile| profile.show(&frame, self.budget);
                self.shown.extend(profiles.into_iter().map(|p| show(p).map_err(Fault::from)));
                self.late = self.late.or(late);
                self.held = Some(memory);
                Some(Ok(frame))
            }
            Some(Err(fault)) => {
                self.source = None;
                Some(Err(fault))
            }
            None => {
                self.source = None;
                self.late.map(Err)
            }
        }
    }
}

impl fmt::Debug for Frames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frames")
            .field("format", &self.format)
            .field("width", &self.width)
            .field("height", &self.height)
            .finish_non_exhaustive()
    }
}

/// A single picture: decoded on first demand, perhaps with a fault behind it.
fn still<'a>(
    decode: impl FnOnce() -> (Option<Decoded<'a>>, Option<Fault>),
) -> impl Iterator<Item = Result<Decoded<'a>, Fault>> {
    std::iter::once_with(decode)
        .flat_map(|(frame, fault)| frame.map(Ok).into_iter().chain(fault.map(Err)))
}

/// A zeroed pixel buffer; the budget has been charged for it.
fn pixels(length: u64) -> Result<Vec<u8>, Incomplete> {
    let mut pixels = room(length)?;
    pixels.resize(length as usize, 0);
    Ok(pixels)
}

/// The same, and the budget can end the making of a large one.
fn blank(length: u64, budget: &Budget) -> Result<Vec<u8>, Incomplete> {
    let mut pixels = room(length)?;
    let length = length as usize;
    while pixels.len() < length {
        budget.check()?;
        pixels.resize(length.min(pixels.len() + PIECE), 0);
    }
    Ok(pixels)
}

/// Room for that many bytes.
fn room(length: u64) -> Result<Vec<u8>, Incomplete> {
    let length = usize::try_from(length).map_err(|_| Incomplete::TooMuchMemory)?;
    let mut pixels = Vec::new();
    pixels.try_reserve_exact(length).map_err(|_| Incomplete::TooMuchMemory)?;
    Ok(pixels)
}

/// Bytes between two looks at the budget: what takes a fraction of a millisecond.
const PIECE: usize = 1 << 20;
