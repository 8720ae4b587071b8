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
//!
//! Further pictures behind the first (CIPA DC-007's multi-picture files, a film's
//! still, whatever was appended) are further frames.

use super::profile::Profiles;
use super::{Decoded, Fault, Fidelity, Format, Frames, Scans, blank};
use crate::frame::{Frame, Layout};
use crate::limits::{Budget, Incomplete};
use color::Color;
use header::{Header, Markers, Scan};
use reduced::{CutOff, Levels};
use scan::{Depth, Entropy, Grid, kind};
use upsample::Plane;

mod behind;
mod color;
mod energy;
mod header;
mod huffman;
mod idct;
mod reduced;
mod scan;
mod upsample;

pub(super) fn open<'a>(
    bytes: &'a [u8],
    fidelity: Fidelity,
    scans: Scans,
    budget: &'a Budget,
) -> Result<Frames<'a>, Fault> {
    let first = Picture::read(bytes, 0, budget)?;
    let size = (first.header.width, first.header.height);
    let mut pictures = Pictures { bytes, fidelity, scans, budget, next: Some(first), fault: None };
    Ok(Frames::new(Format::Jpeg, size, budget, std::iter::from_fn(move || pictures.next())))
}

/// The pictures of a file, one behind the other.
struct Pictures<'a> {
    bytes: &'a [u8],
    fidelity: Fidelity,
    scans: Scans,
    budget: &'a Budget,
    next: Option<Picture<'a>>,
    /// Reported behind the last picture.
    fault: Option<Fault>,
}

impl<'a> Pictures<'a> {
    fn next(&mut self) -> Option<Result<Decoded<'a>, Fault>> {
        let Some(mut picture) = self.next.take() else {
            return self.fault.take().map(Err);
        };
        match picture.decode(self.fidelity, self.scans, self.budget) {
            Ok((frame, damage)) => {
                damage.into_iter().for_each(|reason| self.note(reason.into()));
                self.look_behind(picture.markers.at);
                Some(Ok(frame))
            }
            Err(reason) => Some(Err(reason.into())),
        }
    }

    fn look_behind(&mut self, end: usize) {
        let next = behind::picture(self.bytes, end, self.budget);
        // What lies behind the next picture is looked for behind it.
        let start = next.as_ref().ok().and_then(Option::as_ref).map_or(self.bytes.len(), |n| n.0);
        match behind::film(&self.bytes[end..start], self.budget) {
            Ok(film) => film.into_iter().for_each(|film| self.note(Fault::Unsupported(film))),
            Err(reason) => self.note(reason.into()),
        }
        match next {
            Ok(next) => self.next = next.map(|(_, picture)| picture),
            Err(fault) => self.note(fault),
        }
    }

    /// Of several faults, one that lies in a picture is told.
    fn note(&mut self, fault: Fault) {
        if matches!(
            (self.fault, fault),
            (None, _) | (Some(Fault::Unsupported(_)), Fault::Incomplete(_))
        ) {
            self.fault = Some(fault);
        }
    }
}

/// A picture up to where its pixels begin.
struct Picture<'a> {
    /// Left behind the picture's end when it was decoded.
    markers: Markers<'a>,
    header: Header,
    scan: Scan,
}

impl<'a> Picture<'a> {
    /// The picture whose SOI stands at `at`.
    fn read(bytes: &'a [u8], at: usize, budget: &'a Budget) -> Result<Self, Fault> {
        let mut markers = Markers::new(bytes, at, budget);
        let scan = markers.next_scan()?.ok_or(Incomplete::Malformed)?;
        let header = markers.header()?;
        Ok(Self { markers, header, scan })
    }

    fn decode<'b>(
        &mut self,
        fidelity: Fidelity,
        scans: Scans,
        budget: &'b Budget,
    ) -> Result<(Decoded<'b>, Option<Incomplete>), Incomplete> {
        let Self { markers, header, scan } = self;
        budget.charge_frame(header.width, header.height)?;
        let profiles = profiles(markers, header, budget)?;
        let is_fast = fidelity == Fidelity::Fast && profiles.is_empty();
        let block = if is_fast { header.reduced_block() } else { 8 };
        if block < 8 {
            // Whatever is odd about the file, the whole decode tells.
            let mut read = markers.clone();
            let shown = header.at(block);
            let depth = Depth::of(&shown, scans);
            let reduced = decode(&mut read, header, (&shown, depth), scan.clone(), budget);
            if let Ok(Shown { decoded, damage: None, is_odd: false }) = reduced {
                *markers = read;
                return Ok((decoded, None));
            }
        }
        let shown = decode(markers, header, (header, Depth::All), scan.clone(), budget)?;
        Ok((shown.decoded.with(profiles), shown.damage))
    }
}

/// Profiles of inks are left to the tables that turn CMYK into colours.
fn profiles(
    markers: &Markers<'_>,
    header: &Header,
    budget: &Budget,
) -> Result<Profiles, Incomplete> {
    let layout = match header.components.len() {
        1 => Layout::Luma8,
        3 => Layout::Rgb8,
        _ => return Ok(Profiles::default()),
    };
    let _working = budget.reserve(markers.icc_length())?;
    let mut profiles = Profiles::default();
    profiles.add_icc(&markers.icc(), layout, budget);
    Ok(profiles)
}

/// What is shown of a picture, and what is wrong with it.
struct Shown<'a> {
    decoded: Decoded<'a>,
    damage: Option<Incomplete>,
    /// A reduced picture may not be all that the whole one shows.
    is_odd: bool,
}

/// The picture as `shown`, which is `header` or a reduced one, read to a depth; an
/// error when nothing can be shown.
fn decode<'a>(
    markers: &mut Markers<'_>,
    header: &Header,
    (shown, depth): (&Header, Depth),
    first: Scan,
    budget: &'a Budget,
) -> Result<Shown<'a>, Incomplete> {
    let passes = if header.progressive || first.parts.len() < header.components.len() {
        Passes::Several
    } else {
        Passes::One
    };
    // What cannot be read takes no memory.
    let mut entropy = Entropy::new(markers, header, first.clone(), depth)?;
    let memory = budget.reserve(shown.output_bytes())?;
    let _working = budget.reserve(working_memory(shown, passes, depth))?;
    let rows = |v: usize| if passes == Passes::One { v } else { header.mcus_down * v };
    let grids = header.components.iter();
    let grids = grids.map(|part| Grid::new(part.stride / 8, rows(part.v), depth));
    let mut output = Output::new(shown, budget)?;
    let mut grids = grids.collect::<Result<Vec<_>, _>>()?;
    let damage = match passes {
        Passes::One => {
            for row in 0..header.mcus_down {
                budget.check()?;
                grids.iter_mut().for_each(Grid::clear);
                entropy.read_row(0, &mut grids);
                output.add(row, 0, markers, &grids);
            }
            let damage = entropy.finish(markers);
            ending(damage, skip_to_end(markers))
        }
        Passes::Several => {
            let damage = read_scans(markers, header, (&first, entropy), &mut grids, depth, budget)?;
            for row in 0..header.mcus_down {
                budget.check()?;
                output.add(row, row, markers, &grids);
            }
            damage
        }
    };
    let layout = if shown.components.len() == 1 { Layout::Luma8 } else { Layout::Rgb8 };
    let is_odd = markers.begins_twice || output.cut_off.matters();
    let frame = Frame::new(shown.width, shown.height, layout, output.pixels);
    let mut frame = frame.map_err(|_| Incomplete::Internal)?;
    if shown.block < 8 {
        frame = frame.reduced_from(header.width, header.height, 8 / shown.block as u32);
    }
    let frame = frame.with_orientation(header.orientation);
    Ok(Shown { decoded: Decoded::new(frame, memory), damage, is_odd })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Passes {
    One,
    Several,
}

/// All scans up to the end. What breaks in a later scan leaves what the earlier
/// ones have shown; only the first and the budget end it with nothing.
fn read_scans<'a>(
    markers: &mut Markers<'a>,
    header: &Header,
    (first, mut entropy): (&Scan, Entropy<'a>),
    grids: &mut [Grid],
    depth: Depth,
    budget: &Budget,
) -> Result<Option<Incomplete>, Incomplete> {
    let mut lacking = Lacking::new(header);
    lacking.less(first);
    let mut damage = None;
    loop {
        for row in 0..entropy.rows() {
            budget.check()?;
            entropy.read_row(row, grids);
        }
        damage = entropy.finish(markers).or(damage);
        let next = loop {
            match markers.next_scan() {
                // A scan without means is passed over: the next marker ends it.
                Ok(Some(scan)) if depth == Depth::Dc && header.progressive && scan.first > 0 => {
                    match kind(header, &scan) {
                        Ok(_) => lacking.less(&scan),
                        Err(reason) => return Ok(Some(reason)),
                    }
                }
                next => break next,
            }
        };
        entropy = match next {
            Ok(Some(scan)) => {
                lacking.less(&scan);
                match Entropy::new(markers, header, scan, depth) {
                    Ok(entropy) => entropy,
                    Err(reason) => return Ok(Some(reason)),
                }
            }
            Ok(None) if lacking.slopes() => return Ok(damage.or(Some(Incomplete::Malformed))),
            // Unusual: for the whole decode.
            Ok(None) if depth != Depth::All && lacking.means() => {
                return Ok(Some(Incomplete::Malformed));
            }
            Ok(None) => return Ok(damage),
            Err(fault) => return Ok(ending(damage, Err(fault))),
        };
    }
}

/// By component of a progressive file, how many low bits of its first coefficients the
/// last scan of each has left out; 1 where there was none.
///
/// Where AC coefficients among them lack bits at the end, libjpeg makes them up, and
/// smooths means that came alone: readers without that see another picture.
struct Lacking(Vec<[u8; 10]>);

impl Lacking {
    fn new(header: &Header) -> Self {
        let components = if header.progressive { header.components.len() } else { 0 };
        Self(vec![[1; 10]; components])
    }

    fn less(&mut self, scan: &Scan) {
        for part in &scan.parts {
            if let Some(bits) = self.0.get_mut(part.component) {
                let sent = bits.iter_mut().take(scan.last + 1).skip(scan.first);
                sent.for_each(|bits| *bits = scan.low);
            }
        }
    }

    /// Whether means are not all there.
    fn means(&self) -> bool {
        self.0.iter().any(|bits| bits[0] > 0)
    }

    /// Whether AC coefficients that libjpeg looks at are not.
    fn slopes(&self) -> bool {
        self.0.iter().any(|bits| bits[1..].iter().any(|&bits| bits > 0))
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
fn working_memory(shown: &Header, passes: Passes, depth: Depth) -> u64 {
    let rows = if passes == Passes::One { 1 } else { shown.mcus_down as u64 };
    let parts = shown.components.iter().map(|part| {
        let blocks = (part.stride / shown.block * part.v) as u64;
        let strip = blocks * (shown.block * shown.block) as u64;
        strip * 2 + blocks * rows * depth.bytes() as u64 + u64::from(shown.width) + 32
    });
    parts.sum()
}

/// Luma blocks across and down; those beyond the picture's edge are not seen.
fn seen(header: &Header) -> (usize, usize) {
    let luma = &header.components[0];
    (luma.width.div_ceil(header.block), luma.height.div_ceil(header.block))
}

/// Strips of coefficients to rows of pixels.
struct Output<'h> {
    header: &'h Header,
    pixels: Vec<u8>,
    planes: Vec<Plane>,
    lines: Vec<Vec<u8>>,
    /// The next row of pixels to be made.
    next: usize,
    /// Of a reduced picture.
    cut_off: CutOff,
    /// By component, those of a row of luma blocks.
    levels: [Levels; 3],
}

impl<'h> Output<'h> {
    fn new(header: &'h Header, budget: &Budget) -> Result<Self, Incomplete> {
        let planes = header.components.iter().map(|part| Plane::new(header, part));
        let planes = planes.collect::<Result<Vec<_>, _>>()?;
        let lines = planes.iter().map(|plane| vec![0; plane.line_length()]).collect();
        Ok(Self {
            header,
            pixels: blank(header.output_bytes(), budget)?,
            planes,
            lines,
            next: 0,
            cut_off: CutOff::new(seen(header)),
            levels: Default::default(),
        })
    }

    /// Notes what may be cut off in MCU row `row`, which is row `at` of the grids. Chroma
    /// of a reduced picture has one row of blocks there.
    fn note_levels(&mut self, row: usize, at: usize, markers: &Markers<'_>, grids: &[Grid]) {
        let luma = &self.header.components[0];
        let levels = self.levels.iter_mut().zip(grids).zip(&markers.quantisers);
        for ((levels, grid), quantiser) in levels.skip(1) {
            grid.levels(at, quantiser, levels);
            levels.stretch(luma.h == 2, luma.v == 2);
        }
        let (_, down) = seen(self.header);
        for line in (0..luma.v).take_while(|line| row * luma.v + line < down) {
            grids[0].levels(at * luma.v + line, &markers.quantisers[0], &mut self.levels[0]);
            self.cut_off.add(&mut self.levels);
        }
    }

    /// Takes MCU row `row` of the picture, which is row `at` of the grids. Its
    /// last line of pixels waits for the samples below it.
    fn add(&mut self, row: usize, at: usize, markers: &Markers<'_>, grids: &[Grid]) {
        let header = self.header;
        if header.block < 8 {
            self.note_levels(row, at, markers, grids);
        }
        for (index, (plane, grid)) in self.planes.iter_mut().zip(grids).enumerate() {
            let v = header.components[index].v;
            for line in 0..v {
                let strip = plane.strip_mut((row * v + line) * header.block, header.block);
                let quantiser = &markers.quantisers[index];
                grid.render(at * v + line, header.block, quantiser, strip);
            }
        }
        let height = header.height as usize;
        let end = if row + 1 == header.mcus_down {
            height
        } else {
            let waiting = usize::from(self.planes.iter().any(Plane::looks_below));
            ((row + 1) * header.block * header.max_v - waiting).min(height)
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

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::frame::Background;
    use crate::limits::Limits;

    /// The luma at an eighth of the size, where the reduced decode applies.
    fn eighth(bytes: &[u8]) -> Option<Vec<u8>> {
        let budget = Budget::start(&Limits { memory: u64::MAX, ..Limits::default() });
        let mut markers = Markers::new(bytes, 0, &budget);
        let scan = markers.next_scan().ok()??;
        let header = markers.header().ok()?;
        if !header.is_usual() {
            return None;
        }
        let mut shown = header.at(1);
        shown.components.truncate(1);
        shown.color = Color::Gray;
        let depth = Depth::of(&shown, Scans::OfMeans);
        // The means are what they are, whatever is cut off of what they are the means of.
        let Shown { decoded, damage, .. } =
            decode(&mut markers, &header, (&shown, depth), scan, &budget).ok()?;
        let mut luma = Vec::new();
        let Decoded { frame, .. } = decoded;
        let frame = frame.with_orientation(Default::default());
        for y in 0..frame.height() {
            luma.extend((0..frame.width()).map(|x| frame.rgb(x, y, Background::White)[0]));
        }
        damage.is_none().then_some(luma)
    }

    #[test]
    fn an_eighth_is_libjpegs_byte_for_byte() {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/jpeg");
        let mut rows = table(&own.join("jpeg.csv"));
        let compared = rows.len();
        // See tests/oracle/eighth.py.
        rows.extend(std::env::var_os("PRESEND_EIGHTHS").iter().flat_map(|csv| table(csv.as_ref())));
        let (mut equal, mut left, mut others) = (0, 0, Vec::new());
        for (n, (file, expected)) in rows.iter().enumerate() {
            let bytes = std::fs::read(own.join(file)).expect("a file");
            match eighth(&bytes) {
                Some(luma) if blake3::hash(&luma).to_hex().as_str() == expected => equal += 1,
                Some(_) => others.push(file),
                None => left += usize::from(n >= compared),
            }
        }
        println!("{equal} equal; {left} of the others are decoded in full");
        assert!(others.is_empty() && equal >= 20, "{others:?}");
    }

    #[test]
    fn what_scans_hold_is_bounded_closely() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        for file in [
            "jpeg/progressive-420.jpg",
            "modes/jpeg-progressive.jpg",
            "reduced/half-progressive.jpg",
            "reduced/eighth-progressive-422.jpg",
            "reduced/eighth-progressive-cut-off.jpg",
            "reduced/eighth-progressive-red-cut-off.jpg",
            "reduced/refined-from-zero.jpg",
        ] {
            let bytes = std::fs::read(data.join(file)).expect("a file");
            let budget = Budget::start(&Limits::default());
            let read = |depth| {
                let mut markers = Markers::new(&bytes, 0, &budget);
                let scan = markers.next_scan().ok().flatten().expect("a scan");
                let header = markers.header().expect("a header");
                let entropy = Entropy::new(&markers, &header, scan.clone(), depth);
                let entropy = entropy.expect("tables");
                let rows = |v: usize| header.mcus_down * v;
                let grids = header.components.iter();
                let grids = grids.map(|part| Grid::new(part.stride / 8, rows(part.v), depth));
                let mut grids = grids.collect::<Result<Vec<_>, _>>().expect("memory");
                let first = (&scan, entropy);
                let damage = read_scans(&mut markers, &header, first, &mut grids, depth, &budget);
                assert_eq!(damage, Ok(None), "{file}");
                (grids, markers.quantisers)
            };
            let ((bounds, _), (whole, quantisers)) = (read(Depth::Energy), read(Depth::All));
            let mut sums = [0.0, 0.0];
            for (n, (bounds, whole)) in bounds.iter().zip(&whole).enumerate() {
                for (bound, energy) in bounds.energies(whole, &quantisers[n]) {
                    assert!(bound >= 0.999 * energy, "{file}: {bound} for {energy}");
                    sums[0] += bound;
                    sums[1] += energy;
                }
            }
            assert!(sums[0] <= 2.0 * sums[1], "{file}: {sums:?}");
        }
    }

    /// The first and the last cell of every row that has both.
    fn table(csv: &Path) -> Vec<(PathBuf, String)> {
        let text = std::fs::read_to_string(csv).expect("a table");
        let cells = |line: &str| {
            let (first, _) = line.split_once(',')?;
            let (_, last) = line.rsplit_once(',')?;
            (!last.is_empty()).then(|| (first.into(), last.to_owned()))
        };
        text.lines().skip(1).filter_map(cells).collect()
    }
}
