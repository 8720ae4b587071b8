//! JPEG (ITU-T T.81): baseline, extended and progressive, Huffman coded.
//!
//! Lists in the field are made with tools that stand on libjpeg, and a hash bit
//! of a weak picture turns with one grey level. So the pixels here are those of
//! libjpeg-turbo's default decode, byte for byte: its integer inverse DCT, its
//! smooth chroma upsampling, its colour tables. Owning the decoder also lets the
//! budget stop it at every row of blocks, and tells where a file breaks.
//!
//! Samples pass through in strips of one row of MCUs. Only a picture that comes
//! in several scans needs all of its coefficients held.

use super::{Decoded, Fault, Format, Frames, pixels, still};
use crate::frame::{Frame, Layout};
use crate::limits::{Budget, Incomplete};
use color::Color;
use header::{Header, Markers, Scan};
use scan::{Entropy, Grid};
use upsample::Plane;

mod color;
mod header;
mod huffman;
mod idct;
mod scan;
mod upsample;

pub(super) fn open<'a>(bytes: &'a [u8], budget: &'a Budget) -> Result<Frames<'a>, Fault> {
    let mut markers = Markers::new(bytes);
    let scan = markers.next_scan()?.ok_or(Incomplete::Malformed)?;
    let header = markers.header()?;
    let size = (header.width, header.height);
    let source = still(move || match decode(markers, &header, scan, budget) {
        Ok((frame, damage)) => (Some(frame), damage.map(Fault::from)),
        Err(reason) => (None, Some(reason.into())),
    });
    Ok(Frames::new(Format::Jpeg, size, source))
}

/// The picture, and what is wrong with it; an error when nothing can be shown.
fn decode<'a>(
    mut markers: Markers<'a>,
    header: &Header,
    first: Scan,
    budget: &'a Budget,
) -> Result<(Decoded<'a>, Option<Incomplete>), Incomplete> {
    budget.charge_frame(header.width, header.height)?;
    let passes = if header.progressive || first.parts.len() < header.components.len() {
        Passes::Several
    } else {
        Passes::One
    };
    let memory = budget.reserve(header.output_bytes())?;
    let _working = budget.reserve(working_memory(header, passes))?;
    let rows = |v: usize| if passes == Passes::One { v } else { header.mcus_down * v };
    let grids = header.components.iter().map(|part| Grid::new(part.stride / 8, rows(part.v)));
    let mut grids = grids.collect::<Result<Vec<_>, _>>()?;
    let mut output = Output::new(header)?;
    let damage = match passes {
        Passes::One => {
            let mut entropy = Entropy::new(&markers, header, first)?;
            for row in 0..header.mcus_down {
                budget.check()?;
                grids.iter_mut().for_each(Grid::clear);
                entropy.read_row(0, &mut grids);
                output.add(row, 0, &markers, &grids);
            }
            let damage = entropy.finish(&mut markers);
            ending(damage, skip_to_end(&mut markers))
        }
        Passes::Several => {
            let damage = read_scans(&mut markers, header, first, &mut grids, budget)?;
            for row in 0..header.mcus_down {
                budget.check()?;
                output.add(row, row, &markers, &grids);
            }
            damage
        }
    };
    let layout = if header.components.len() == 1 { Layout::Luma8 } else { Layout::Rgb8 };
    let frame = Frame::new(header.width, header.height, layout, output.pixels);
    let frame = frame.map_err(|_| Incomplete::Internal)?;
    Ok((Decoded { frame: frame.with_orientation(header.orientation), memory }, damage))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Passes {
    One,
    Several,
}

/// All scans up to the end. What breaks in a later scan leaves what the earlier
/// ones have shown; only the first and the budget end it with nothing.
fn read_scans(
    markers: &mut Markers<'_>,
    header: &Header,
    first: Scan,
    grids: &mut [Grid],
    budget: &Budget,
) -> Result<Option<Incomplete>, Incomplete> {
    let mut entropy = Entropy::new(markers, header, first)?;
    let mut damage = None;
    loop {
        for row in 0..entropy.rows() {
            budget.check()?;
            entropy.read_row(row, grids);
        }
        damage = entropy.finish(markers).or(damage);
        entropy = match markers.next_scan() {
            Ok(Some(scan)) => match Entropy::new(markers, header, scan) {
                Ok(entropy) => entropy,
                Err(reason) => return Ok(Some(reason)),
            },
            Ok(None) => return Ok(damage),
            Err(fault) => return Ok(ending(damage, Err(fault))),
        };
    }
}

fn skip_to_end(markers: &mut Markers<'_>) -> Result<(), Fault> {
    while markers.next_scan()?.is_some() {}
    Ok(())
}

/// A missing end says more than the damage that it brings about.
fn ending(damage: Option<Incomplete>, end: Result<(), Fault>) -> Option<Incomplete> {
    match end {
        Ok(()) => damage,
        Err(Fault::Incomplete(reason)) => Some(reason),
        Err(Fault::Unsupported(_)) => Some(Incomplete::Malformed),
    }
}

/// Bytes held while decoding, beside the picture: two strips of samples, the
/// lines brought to full width, and the coefficients of a strip or of everything.
fn working_memory(header: &Header, passes: Passes) -> u64 {
    let rows = if passes == Passes::One { 1 } else { header.mcus_down as u64 };
    let parts = header.components.iter().map(|part| {
        let strip = part.stride as u64 * 8 * part.v as u64;
        strip * 2 + strip * rows * 2 + u64::from(header.width) + 32
    });
    parts.sum()
}

/// Strips of coefficients to rows of pixels.
struct Output<'h> {
    header: &'h Header,
    pixels: Vec<u8>,
    planes: Vec<Plane>,
    lines: Vec<Vec<u8>>,
    /// The next row of pixels to be made.
    next: usize,
}

impl<'h> Output<'h> {
    fn new(header: &'h Header) -> Result<Self, Incomplete> {
        let planes = header.components.iter().map(|part| Plane::new(header, part));
        let planes = planes.collect::<Result<Vec<_>, _>>()?;
        let lines = planes.iter().map(|plane| vec![0; plane.line_length()]).collect();
        Ok(Self { header, pixels: pixels(header.output_bytes())?, planes, lines, next: 0 })
    }

    /// Takes MCU row `row` of the picture, which is row `at` of the grids. Its
    /// last line of pixels waits for the samples below it.
    fn add(&mut self, row: usize, at: usize, markers: &Markers<'_>, grids: &[Grid]) {
        let header = self.header;
        for (index, (plane, grid)) in self.planes.iter_mut().zip(grids).enumerate() {
            let v = header.components[index].v;
            for line in 0..v {
                let strip = plane.strip_mut((row * v + line) * 8);
                grid.render(at * v + line, &markers.quantisers[index], strip);
            }
        }
        let height = header.height as usize;
        let end = if row + 1 == header.mcus_down {
            height
        } else {
            let waiting = usize::from(self.planes.iter().any(Plane::looks_below));
            ((row + 1) * 8 * header.max_v - waiting).min(height)
        };
        let bytes = header.width as usize * if header.color == Color::Gray { 1 } else { 3 };
        for y in self.next..end {
            let mut full: [&[u8]; 4] = [&[]; 4];
            for ((full, plane), line) in full.iter_mut().zip(&self.planes).zip(&mut self.lines) {
                *full = plane.line(y, line);
            }
            color::convert(header.color, full, &mut self.pixels[y * bytes..][..bytes]);
        }
        self.next = end;
    }
}
