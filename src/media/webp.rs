//! WebP: the container (RFC 9649) is read here, each picture in it is decoded
//! by `image-webp`, and the canvas is ours.
//!
//! The codec can play animations too, but it skips disposal, trusts a flag for
//! whether there is transparency, and allocates for a frame before it compares
//! sizes. So every frame is handed to it as a still file of its own.

use image_webp::{DecodingError, WebPDecoder};

use super::canvas::{Blend, Canvas, Dispose, Patch, rgba};
use super::profile::Profiles;
use super::reader::{Reader, fault, is_short};
use super::{Decoded, Fault, Fidelity, Format, Frames, blank, orient, reduce};
use crate::frame::{Frame, Layout, Orientation};
use crate::limits::{Budget, Incomplete, Reserved};

pub(super) fn open<'a>(
    bytes: &'a [u8],
    fidelity: Fidelity,
    budget: &'a Budget,
) -> Result<Frames<'a>, Fault> {
    let container = Container::read(bytes, budget)?;
    let size = container.size;
    let mut pictures = container.pictures.into_iter();
    let (orientation, icc) = (container.orientation, container.icc);
    let is_fast = fidelity == Fidelity::Fast && icc.is_none();
    let scale = if is_fast { reduce::scale(size.0, size.1) } else { 1 };
    let mut player = Player { budget, size, scale, short: container.short, canvas: None };
    // As read for the first frame of its layout: those of an animation have one.
    let mut read: Option<(Layout, Profiles)> = None;
    let frames = std::iter::from_fn(move || {
        let picture = pictures.next()?;
        let shown = player.show(&picture, orientation).map(|decoded| {
            let Some(icc) = icc else { return decoded };
            let layout = decoded.frame.layout();
            let profiles = match read.take_if(|(of, _)| *of == layout) {
                Some((_, profiles)) => profiles,
                None => {
                    let mut profiles = Profiles::default();
                    profiles.add_icc(icc, layout, budget);
                    profiles
                }
            };
            read = Some((layout, profiles.clone()));
            decoded.with(profiles)
        });
        Some(shown)
    });
    let fault = match (container.short, container.twice) {
        (true, _) => Some(Incomplete::Truncated),
        (false, true) => Some(Incomplete::Malformed),
        (false, false) => None,
    };
    let end = fault.map(|reason| Err(reason.into()));
    Ok(Frames::new(Format::WebP, size, budget, frames.chain(end)))
}

/// What the chunks say.
struct Container<'a> {
    size: (u32, u32),
    orientation: Orientation,
    icc: Option<&'a [u8]>,
    pictures: Vec<Picture<'a>>,
    /// The file ends before its chunks do.
    short: bool,
    /// A part came twice: the first counts here, and in some viewers another one.
    twice: bool,
}

/// The chunks of one picture, and where an animation puts it.
struct Picture<'a> {
    alpha: Option<&'a [u8]>,
    image: Image<'a>,
    size: (u32, u32),
    patch: Option<Patch>,
}

#[derive(Clone, Copy)]
enum Image<'a> {
    Lossy(&'a [u8]),
    Lossless(&'a [u8]),
}

impl<'a> Container<'a> {
    fn read(bytes: &'a [u8], budget: &Budget) -> Result<Self, Fault> {
        let mut orientation = None;
        let mut container = Self {
            size: (0, 0),
            orientation: Orientation::Upright,
            icc: None,
            pictures: vec![],
            short: false,
            twice: false,
        };
        let mut chunks = Chunks { rest: bytes.get(12..).unwrap_or(&[]), short: false };
        let mut still = Parts::default();
        let mut count = 0usize;
        while let Some((name, contents)) = chunks.next() {
            count += 1;
            if count.is_multiple_of(CHUNKS_AT_ONCE) {
                budget.check()?;
            }
            let before = container.twice;
            match (&name, contents) {
                (b"VP8X", _) if container.size != (0, 0) => container.twice = true,
                // Flags, three reserved bytes, then the canvas.
                (b"VP8X", [_, _, _, _, w0, w1, w2, h0, h1, h2, ..]) => {
                    container.size = (u24(*w0, *w1, *w2) + 1, u24(*h0, *h1, *h2) + 1);
                }
                // One more than the budget lets be shown says that there are too many.
                (b"ANMF", frame) if frame.len() >= 16 => {
                    if container.pictures.len() as u64 <= budget.most_frames() {
                        container.pictures.extend(Picture::of_frame(frame, &mut container.twice)?);
                    }
                }
                (b"EXIF", block) if orientation.is_none() => {
                    let block = block.strip_prefix(b"Exif\0\0").unwrap_or(block);
                    orientation = Some(orient::from_exif(block));
                }
                (b"ICCP", profile) if container.icc.is_none() => container.icc = Some(profile),
                _ => container.twice |= still.add(name, contents),
            }
            // Readers stop where the RIFF header says.
            if bytes.len() - chunks.rest.len() > riff_length(bytes) {
                container.twice = before;
            }
        }
        container.orientation = orientation.unwrap_or_default();
        container.short = chunks.short || bytes.len() < riff_length(bytes) - 1;
        // Which of the two a viewer shows depends on a flag and on the viewer.
        container.pictures.extend(still.picture(None)?);
        match container.pictures.first() {
            Some(first) if container.size == (0, 0) => container.size = first.size,
            Some(_) => {}
            None if container.short => return Err(Incomplete::Truncated.into()),
            None => return Err(Incomplete::Malformed.into()),
        }
        // A still picture has the size of its canvas; a frame lies on it.
        let (width, height) = container.size;
        let fits = container.pictures.iter().all(|picture| match picture.patch {
            None => picture.size == container.size,
            Some(patch) => {
                picture.size == (patch.width, patch.height)
                    && patch.left + patch.width <= width
                    && patch.top + patch.height <= height
            }
        });
        if fits { Ok(container) } else { Err(Incomplete::Malformed.into()) }
    }
}

impl<'a> Picture<'a> {
    /// An `ANMF` chunk: x/2, y/2, width - 1, height - 1 and the duration in 24
    /// bits each, flags, and the picture's chunks.
    fn of_frame(chunk: &'a [u8], twice: &mut bool) -> Result<Option<Self>, Fault> {
        let number = |at: usize| u24(chunk[at], chunk[at + 1], chunk[at + 2]);
        let flags = chunk[15];
        let patch = Patch {
            left: number(0) * 2,
            top: number(3) * 2,
            width: number(6) + 1,
            height: number(9) + 1,
            blend: if flags & 2 == 0 { Blend::Over } else { Blend::Replace },
            dispose: if flags & 1 == 0 { Dispose::Keep } else { Dispose::Clear },
        };
        let mut parts = Parts::default();
        for (name, contents) in (Chunks { rest: &chunk[16..], short: false }) {
            *twice |= parts.add(name, contents);
        }
        parts.picture(Some(patch))
    }

    /// Bytes of its chunks.
    fn length(&self) -> usize {
        let (Image::Lossy(image) | Image::Lossless(image)) = self.image;
        image.len() + self.alpha.map_or(0, <[u8]>::len)
    }

    /// The picture as a file that holds nothing else.
    fn still_file(&self) -> Vec<u8> {
        let mut file = b"RIFF\0\0\0\0WEBP".to_vec();
        let mut chunk = |name: &[u8; 4], contents: &[u8]| {
            file.extend_from_slice(name);
            file.extend_from_slice(&(contents.len() as u32).to_le_bytes());
            file.extend_from_slice(contents);
            file.resize(file.len().next_multiple_of(2), 0);
        };
        match (self.image, self.alpha) {
            (Image::Lossless(image), _) => {
                // Told that there is alpha, the codec decodes in place; what it holds
                // otherwise is nearly twice as much.
                let mut image = image.to_vec();
                image[4] |= ALPHA;
                chunk(b"VP8L", &image);
            }
            (Image::Lossy(image), None) => chunk(b"VP8 ", image),
            (Image::Lossy(image), Some(alpha)) => {
                let (width, height) = (self.size.0 - 1, self.size.1 - 1);
                let mut header = [0; 10];
                header[0] = 0x10;
                header[4..7].copy_from_slice(&width.to_le_bytes()[..3]);
                header[7..].copy_from_slice(&height.to_le_bytes()[..3]);
                chunk(b"VP8X", &header);
                chunk(b"ALPH", alpha);
                chunk(b"VP8 ", image);
            }
        }
        let size = file.len() as u32 - 8;
        file[4..8].copy_from_slice(&size.to_le_bytes());
        file
    }
}

/// The chunks of a picture as they come.
#[derive(Default)]
struct Parts<'a> {
    alpha: Option<&'a [u8]>,
    image: Option<Image<'a>>,
}

impl<'a> Parts<'a> {
    /// Says whether there was one before.
    fn add(&mut self, name: [u8; 4], contents: &'a [u8]) -> bool {
        let image = match &name {
            b"ALPH" if self.alpha.is_some() => return true,
            b"ALPH" => {
                self.alpha = Some(contents);
                return false;
            }
            b"VP8 " => Image::Lossy(contents),
            b"VP8L" => Image::Lossless(contents),
            _ => return false,
        };
        let is_second = self.image.is_some();
        self.image = self.image.or(Some(image));
        is_second
    }

    fn picture(self, patch: Option<Patch>) -> Result<Option<Picture<'a>>, Fault> {
        let Some(image) = self.image else { return Ok(None) };
        let size = match image {
            // RFC 6386, 9.1: 14 bits a side, and two for a scale nobody applies.
            Image::Lossy([_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..]) => {
                let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
                (side(*w0, *w1), side(*h0, *h1))
            }
            // RFC 9649, 3.4: a signature, then 14 bits a side, less one.
            Image::Lossless([0x2f, a, b, c, d, ..]) => {
                let bits = u32::from_le_bytes([*a, *b, *c, *d]);
                ((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1)
            }
            Image::Lossy(head) | Image::Lossless(head) if head.len() < 10 => {
                return Err(Incomplete::Truncated.into());
            }
            _ => return Err(Incomplete::Malformed.into()),
        };
        if size.0 == 0 || size.1 == 0 {
            return Err(Incomplete::Malformed.into());
        }
        Ok(Some(Picture { alpha: self.alpha, image, size, patch }))
    }
}

/// Name and contents of one chunk after the other; the last may be cut.
struct Chunks<'a> {
    rest: &'a [u8],
    short: bool,
}

impl<'a> Iterator for Chunks<'a> {
    type Item = ([u8; 4], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (header, rest) = self.rest.split_first_chunk::<8>()?;
        let [a, b, c, d, size @ ..] = *header;
        let size = u32::from_le_bytes(size) as usize;
        self.short |= size > rest.len();
        // Chunks are padded to an even length.
        self.rest = rest.get(size.saturating_add(size & 1)..).unwrap_or(&[]);
        Some(([a, b, c, d], &rest[..size.min(rest.len())]))
    }
}

/// The file's length, padding included, as the RIFF header has it.
fn riff_length(bytes: &[u8]) -> usize {
    let size = bytes.get(4..8).and_then(|size| size.try_into().ok()).map_or(0, u32::from_le_bytes);
    (size as usize).saturating_add(9) & !1
}

fn u24(a: u8, b: u8, c: u8) -> u32 {
    u32::from_le_bytes([a, b, c, 0])
}

struct Player<'a> {
    budget: &'a Budget,
    size: (u32, u32),
    /// Of an animation's canvas.
    scale: u32,
    short: bool,
    canvas: Option<Canvas<'a>>,
}

impl<'a> Player<'a> {
    fn show(
        &mut self,
        picture: &Picture<'_>,
        orientation: Orientation,
    ) -> Result<Decoded<'a>, Fault> {
        let (width, height) = self.size;
        self.budget.charge_frame(width, height)?;
        let Some(patch) = picture.patch else {
            let (layout, buffer, memory) = self.decode(picture)?;
            let frame = Frame::new(width, height, layout, buffer);
            let frame = frame.map_err(|_| Incomplete::Malformed)?.with_orientation(orientation);
            return Ok(Decoded::new(frame, memory));
        };
        if self.canvas.is_none() {
            self.canvas = Some(Canvas::new(width, height, self.scale, self.budget)?);
        }
        let canvas = self.canvas.as_ref().ok_or(Incomplete::Internal)?;
        drop(canvas.beside(Canvas::bytes(patch.width, patch.height))?);
        let (layout, buffer, _held) = self.decode(picture)?;
        let _row = self.budget.reserve(4 * u64::from(patch.width))?;
        let canvas = self.canvas.as_mut().ok_or(Incomplete::Internal)?;
        canvas.begin(patch)?;
        let stride = patch.width as usize * layout.channels();
        let mut row = Vec::new();
        for (y, pixels) in (0..).zip(buffer.chunks_exact(stride)) {
            rgba(layout, pixels, &mut row);
            canvas.draw(y, row.as_flattened())?;
        }
        let (frame, memory) = canvas.show()?;
        let frame = frame.with_orientation(orientation);
        Ok(Decoded::new(frame, memory))
    }

    fn decode(&self, picture: &Picture<'_>) -> Result<(Layout, Vec<u8>, Reserved<'a>), Fault> {
        let (width, height) = picture.size;
        let area = u64::from(width) * u64::from(height);
        // The codec's own planes, which may be as large as the limits of a still
        // picture leave room for beside its pixels, and its copy of the chunks.
        let planes = match (picture.image, picture.alpha) {
            (Image::Lossless(_), _) => 0,
            (Image::Lossy(_), None) => area * 3 / 2,
            (Image::Lossy(_), Some(_)) => area * 5 / 2,
        };
        if picture.alpha.is_some() && planes > MOST_PLANES {
            return Err(Incomplete::TooMuchMemory.into());
        }
        let _codec = self.budget.reserve(planes + picture.length() as u64)?;
        let memory = self.budget.reserve(area * 4)?;
        let file = picture.still_file();
        let broken = |error: DecodingError| {
            let short = matches!(&error, DecodingError::IoError(error) if is_short(error));
            fault(self.budget, short || self.short)
        };
        let mut decoder = WebPDecoder::new(Reader::new(&file, self.budget)).map_err(broken)?;
        let layout = if decoder.has_alpha() { Layout::Rgba8 } else { Layout::Rgb8 };
        let mut buffer = blank(area * layout.channels() as u64, self.budget)?;
        if decoder.dimensions() != picture.size {
            return Err(Incomplete::Malformed.into());
        }
        // The codec asks for no more bytes once it has them all: it holds the thread
        // for as many pixels as the budget let it have.
        decoder.read_image(&mut buffer).map_err(broken)?;
        if matches!(picture.image, Image::Lossless(image) if image[4] & ALPHA == 0) {
            self.drop_alpha(&mut buffer)?;
            return Ok((Layout::Rgb8, buffer, memory));
        }
        Ok((layout, buffer, memory))
    }

    /// RGBA to RGB, in place.
    fn drop_alpha(&self, pixels: &mut Vec<u8>) -> Result<(), Incomplete> {
        let length = pixels.len() / 4;
        for first in (0..length).step_by(AT_ONCE) {
            self.budget.check()?;
            for n in first..length.min(first + AT_ONCE) {
                pixels.copy_within(4 * n..4 * n + 3, 3 * n);
            }
        }
        pixels.truncate(3 * length);
        Ok(())
    }
}

/// The bit of a lossless picture's fifth byte that says whether it has alpha.
const ALPHA: u8 = 0x10;

/// Bytes of the codec's planes beside a picture with alpha: 26 million pixels.
const MOST_PLANES: u64 = 64 << 20;

/// Chunks, and pixels, between two looks at the budget.
const CHUNKS_AT_ONCE: usize = 1 << 12;
const AT_ONCE: usize = 1 << 18;
