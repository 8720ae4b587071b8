//! Marker segments (T.81, annex B) and what they say together.

use super::super::{Fault, Unsupported, orient, reduce};
use super::color::Color;
use super::huffman::Code;
use crate::frame::Orientation;
use crate::limits::{Budget, Incomplete};
use memchr::memchr;

/// What is settled once the first scan begins.
#[derive(Clone)]
pub(super) struct Header {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) progressive: bool,
    pub(super) components: Vec<Component>,
    pub(super) max_h: usize,
    pub(super) max_v: usize,
    /// MCUs of a scan that holds several components.
    pub(super) mcus_across: usize,
    pub(super) mcus_down: usize,
    pub(super) color: Color,
    pub(super) orientation: Orientation,
    /// Samples that a side of a block becomes: 8, or fewer of a reduced picture,
    /// which the sizes of picture and components are then of.
    pub(super) block: usize,
}

#[derive(Clone)]
pub(super) struct Component {
    id: u8,
    quantiser: usize,
    /// Sampling factors.
    pub(super) h: usize,
    pub(super) v: usize,
    /// Samples that belong to the picture.
    pub(super) width: usize,
    pub(super) height: usize,
    /// Samples in a line of whole MCUs.
    pub(super) stride: usize,
}

/// A scan header.
#[derive(Clone)]
pub(super) struct Scan {
    pub(super) parts: Vec<Part>,
    /// Spectral selection.
    pub(super) first: usize,
    pub(super) last: usize,
    /// Successive approximation.
    pub(super) high: u8,
    pub(super) low: u8,
}

/// One component of a scan, by its place in the frame, and its code tables.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) component: usize,
    pub(super) dc: usize,
    pub(super) ac: usize,
}

/// Walks the markers and keeps the tables they define.
#[derive(Clone)]
pub(super) struct Markers<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) budget: &'a Budget,
    pub(super) at: usize,
    pub(super) dc: [Option<Code>; 4],
    pub(super) ac: [Option<Code>; 4],
    /// MCUs between restart markers; 0: there are none.
    pub(super) interval: usize,
    /// By component: the table that stood when its first scan began, which is
    /// the one libjpeg uses to the end. Zeros before that.
    pub(super) quantisers: [Quantiser; 4],
    latched: [bool; 4],
    tables: [Option<Quantiser>; 4],
    frame: Option<Header>,
    jfif: bool,
    adobe: Option<u8>,
    orientation: Option<Orientation>,
    /// Parts of an ICC profile, by their number.
    icc: Vec<(u8, &'a [u8])>,
    scans: usize,
    /// Whether a second picture seems to begin within the first.
    pub(super) begins_twice: bool,
}

/// Step sizes in row order, as the 16 bits libjpeg multiplies with.
pub(super) type Quantiser = [i16; 64];

impl Header {
    /// Samples that a side of a block becomes in a fast decode; 8, all of them,
    /// where the components are unusual.
    pub(super) fn reduced_block(&self) -> usize {
        if self.is_usual() { 8 / reduce::scale(self.width, self.height) as usize } else { 8 }
    }

    /// Grey, or luma and chroma in the ratios that cameras and encoders use.
    pub(super) fn is_usual(&self) -> bool {
        match &self.components[..] {
            [_] => true,
            [luma, chroma @ ..] => {
                self.color == Color::YCbCr
                    && (luma.h, luma.v) == (self.max_h, self.max_v)
                    && self.max_h <= 2
                    && self.max_v <= 2
                    && chroma.iter().all(|part| (part.h, part.v) == (1, 1))
            }
            [] => false,
        }
    }

    /// The picture with blocks of so many samples a side.
    pub(super) fn at(&self, block: usize) -> Self {
        let mut header = self.clone();
        let scaled = |side: u32| (side as usize * block).div_ceil(8);
        header.block = block;
        (header.width, header.height) = (scaled(self.width) as u32, scaled(self.height) as u32);
        for part in &mut header.components {
            part.width = (self.width as usize * part.h * block).div_ceil(self.max_h * 8);
            part.height = (self.height as usize * part.v * block).div_ceil(self.max_v * 8);
            part.stride = self.mcus_across * part.h * block;
        }
        header
    }

    /// Bytes of the finished picture.
    pub(super) fn output_bytes(&self) -> u64 {
        let channels = if self.components.len() == 1 { 1 } else { 3 };
        u64::from(self.width) * u64::from(self.height) * channels
    }
}

impl<'a> Markers<'a> {
    /// SOI stands at `start`.
    pub(super) fn new(bytes: &'a [u8], start: usize, budget: &'a Budget) -> Self {
        Self {
            bytes,
            budget,
            at: start + 2,
            dc: Default::default(),
            ac: Default::default(),
            interval: 0,
            quantisers: [[0; 64]; 4],
            latched: [false; 4],
            tables: [None; 4],
            frame: None,
            jfif: false,
            adobe: None,
            orientation: None,
            icc: Vec::new(),
            scans: 0,
            begins_twice: false,
        }
    }

    /// Reads on to the next scan and stands before its data; `None` at EOI.
    pub(super) fn next_scan(&mut self) -> Result<Option<Scan>, Fault> {
        for n in 1usize.. {
            if n.is_multiple_of(AT_ONCE) {
                self.budget.check()?;
            }
            let marker = next_marker(self.bytes, &mut self.at, self.budget)?;
            let marker = marker.ok_or(Incomplete::Truncated)?;
            match marker {
                0xd9 => return Ok(None),
                // SOI, TEM and RST stand alone.
                0x01 | 0xd0..=0xd7 => continue,
                0xd8 => {
                    self.begins_twice = true;
                    continue;
                }
                _ => {}
            }
            let segment = segment(self.bytes, self.at).ok_or(Incomplete::Truncated)?;
            self.at += 2 + segment.len();
            match marker {
                0xc4 => self.read_codes(segment)?,
                // JPG and DAC mean nothing here.
                0xc8 | 0xcc => {}
                0xc0..=0xc2 => self.read_frame(marker, segment)?,
                0xc3..=0xcf => {
                    let kind = if marker > 0xc8 { "jpeg-arithmetic" } else { "jpeg-lossless" };
                    return Err(Fault::Unsupported(Unsupported { class: "image", kind }));
                }
                0xda => return self.read_scan(segment).map(Some).map_err(Fault::from),
                0xdb => self.read_quantisers(segment)?,
                0xdd => match *segment {
                    [high, low] => self.interval = usize::from(u16::from_be_bytes([high, low])),
                    _ => return Err(Incomplete::Malformed.into()),
                },
                0xe0 => self.jfif |= segment.len() >= 14 && segment.starts_with(b"JFIF\0"),
                0xe1 if self.orientation.is_none() => {
                    self.orientation = segment.strip_prefix(b"Exif\0\0").map(orient::from_exif);
                }
                // ICC.1, B.4: a number and how many there are, and the part.
                0xe2 if self.icc.len() < 255 => {
                    if let Some([number, _, part @ ..]) = segment.strip_prefix(b"ICC_PROFILE\0") {
                        self.icc.push((*number, part));
                    }
                }
                0xee if segment.starts_with(b"Adobe") => {
                    self.adobe = segment.get(11).copied().or(self.adobe);
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// The ICC profile, from as many parts as it came in.
    pub(super) fn icc(&self) -> Vec<u8> {
        let mut parts = self.icc.clone();
        parts.sort_by_key(|(number, _)| *number);
        parts.into_iter().flat_map(|(_, part)| part).copied().collect()
    }

    /// The bytes that it has.
    pub(super) fn icc_length(&self) -> u64 {
        self.icc.iter().map(|(_, part)| part.len() as u64).sum()
    }

    /// Call it behind the first scan's header.
    pub(super) fn header(&mut self) -> Result<Header, Incomplete> {
        let mut header = self.frame.clone().ok_or(Incomplete::Malformed)?;
        let ids: Vec<u8> = header.components.iter().map(|part| part.id).collect();
        // The rules of libjpeg: JFIF is always YCbCr, then Adobe's word counts,
        // then the names of the components.
        header.color = match (ids.as_slice(), self.adobe) {
            ([_], _) => Color::Gray,
            ([_, _, _], Some(0)) if !self.jfif => Color::Rgb,
            (b"RGB", None) if !self.jfif => Color::Rgb,
            ([_, _, _], _) => Color::YCbCr,
            (_, None | Some(0)) => Color::Cmyk,
            _ => Color::Ycck,
        };
        header.orientation = self.orientation.unwrap_or_default();
        if !header.progressive {
            // Frames of a motion JPEG leave the usual tables out.
            Code::fill_with_standard(&mut self.dc, &mut self.ac);
        }
        Ok(header)
    }

    fn read_frame(&mut self, marker: u8, segment: &[u8]) -> Result<(), Fault> {
        let [precision, h1, h0, w1, w0, count, rest @ ..] = segment else {
            return Err(Incomplete::Malformed.into());
        };
        let (height, width) = (u16::from_be_bytes([*h1, *h0]), u16::from_be_bytes([*w1, *w0]));
        let parts = rest.chunks_exact(3);
        if self.frame.is_some()
            || rest.len() != usize::from(*count) * 3
            || !matches!(count, 1 | 3 | 4)
            || !parts.clone().all(|p| (1..=4).contains(&(p[1] >> 4)) && (1..=4).contains(&(p[1] & 15)))
            // Height 0 means "told later" (DNL), which no viewer here follows.
            || width == 0
            || height == 0
        {
            return Err(Incomplete::Malformed.into());
        }
        if *precision != 8 {
            return Err(Fault::Unsupported(Unsupported { class: "image", kind: "jpeg-12-bit" }));
        }
        let mut components: Vec<Component> = parts
            .map(|p| Component {
                id: p[0],
                h: usize::from(p[1] >> 4),
                v: usize::from(p[1] & 15),
                quantiser: usize::from(p[2]),
                width: 0,
                height: 0,
                stride: 0,
            })
            .collect();
        // Alone, a component has one block an MCU whatever its factors say.
        if let [only] = &mut components[..] {
            (only.h, only.v) = (1, 1);
        }
        let max_h = components.iter().map(|part| part.h).max().unwrap_or(1);
        let max_v = components.iter().map(|part| part.v).max().unwrap_or(1);
        let mcus_across = usize::from(width).div_ceil(8 * max_h);
        for part in &mut components {
            part.width = (usize::from(width) * part.h).div_ceil(max_h);
            part.height = (usize::from(height) * part.v).div_ceil(max_v);
            part.stride = mcus_across * part.h * 8;
        }
        self.frame = Some(Header {
            width: width.into(),
            height: height.into(),
            progressive: marker == 0xc2,
            components,
            max_h,
            max_v,
            mcus_across,
            mcus_down: usize::from(height).div_ceil(8 * max_v),
            color: Color::YCbCr,
            orientation: Orientation::Upright,
            block: 8,
        });
        Ok(())
    }

    fn read_scan(&mut self, segment: &[u8]) -> Result<Scan, Incomplete> {
        let frame = self.frame.as_ref().ok_or(Incomplete::Malformed)?;
        let (count, rest) = segment.split_first().ok_or(Incomplete::Malformed)?;
        let (parts, [first, last, approximation]) =
            rest.split_last_chunk().ok_or(Incomplete::Malformed)?;
        if parts.len() != usize::from(*count) * 2 || !matches!(count, 1..=4) {
            return Err(Incomplete::Malformed);
        }
        let mut scan = Scan {
            parts: Vec::new(),
            first: usize::from(*first),
            last: usize::from(*last),
            high: approximation >> 4,
            low: approximation & 15,
        };
        for part in parts.chunks_exact(2) {
            // Some writers give every component the same name.
            let known = frame.components.iter().enumerate().position(|(index, component)| {
                component.id == part[0] && scan.parts.iter().all(|seen| seen.component != index)
            });
            let component = known.ok_or(Incomplete::Malformed)?;
            let (dc, ac) = (usize::from(part[1] >> 4), usize::from(part[1] & 15));
            scan.parts.push(Part { component, dc, ac });
            if !self.latched[component] {
                let table = self.tables.get(frame.components[component].quantiser);
                self.quantisers[component] =
                    table.copied().flatten().ok_or(Incomplete::Malformed)?;
                self.latched[component] = true;
            }
        }
        self.scans += 1;
        if self.scans > MAX_SCANS {
            return Err(Incomplete::Malformed);
        }
        Ok(scan)
    }

    fn read_quantisers(&mut self, mut rest: &[u8]) -> Result<(), Incomplete> {
        while let Some((&head, steps)) = rest.split_first() {
            let wide = head >> 4 != 0;
            let length = if wide { 128 } else { 64 };
            let (steps, behind) = steps.split_at_checked(length).ok_or(Incomplete::Malformed)?;
            let slot = self.tables.get_mut(usize::from(head & 15)).ok_or(Incomplete::Malformed)?;
            let table = slot.insert([0; 64]);
            for (index, step) in steps.chunks_exact(length / 64).enumerate() {
                let step = step.iter().fold(0, |step, &byte| step << 8 | i16::from(byte));
                table[usize::from(ZIGZAG[index])] = step;
            }
            rest = behind;
        }
        Ok(())
    }

    fn read_codes(&mut self, mut rest: &[u8]) -> Result<(), Incomplete> {
        while let Some((&head, code)) = rest.split_first() {
            let (code, behind) = Code::read(code).ok_or(Incomplete::Malformed)?;
            let slots = if head & 0x10 == 0 { &mut self.dc } else { &mut self.ac };
            let slot = slots.get_mut(usize::from(head & !0x10)).ok_or(Incomplete::Malformed)?;
            *slot = Some(code);
            rest = behind;
        }
        Ok(())
    }
}

/// The next marker at or behind `at`, which is left behind it. Bytes that are
/// no marker are passed over: fill, strays, and coded data with its stuffing.
pub(super) fn next_marker(
    bytes: &[u8],
    at: &mut usize,
    budget: &Budget,
) -> Result<Option<u8>, Incomplete> {
    let mut next = || {
        *at += memchr(0xff, bytes.get(*at..)?)? + 1;
        let byte = *bytes.get(*at)?;
        *at += usize::from(byte != 0xff);
        Some(byte)
    };
    // A file of markers, or of what looks like some, is a walk that can be ended.
    for n in 0usize.. {
        if n % AT_ONCE == AT_ONCE - 1 {
            budget.check()?;
        }
        match next() {
            Some(0x00 | 0xff) => {}
            marker => return Ok(marker),
        }
    }
    Ok(None)
}

/// The contents of the segment whose length stands at `at`.
pub(super) fn segment(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let length = bytes.get(at..at + 2)?;
    let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
    bytes.get(at + 2..at + length.max(2))
}

/// Markers, and what looks like some, between two looks at the budget.
const AT_ONCE: usize = 1 << 14;

/// The order coefficients are sent in. A run that leads out of the block ends
/// on the last coefficient, as in libjpeg.
pub(super) const ZIGZAG: [u8; 80] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63,
    63, 63, 63, 63, 63, 63,
];

/// More scans than any encoder writes; each costs a pass over the picture.
const MAX_SCANS: usize = 100;
