//! Entropy-coded data to coefficients (T.81, annexes F and G).
//!
//! Damage costs the rest of its restart interval, which keeps the coefficients
//! it has: zeros, grey, where none came. Without restarts it costs the rest of
//! the scan.

use std::rc::Rc;

use super::super::Scans;
use super::energy::{Band, Energy, Squares};
use super::header::{Component, Header, Markers, Part, Quantiser, Scan, ZIGZAG, next_marker};
use super::huffman::{BadCode, Bits, Class, Code, Skip, Table};
use super::reduced::{LOW, Levels};
use super::{idct, reduced};
use crate::limits::{Budget, Incomplete};

/// The coefficients of one component, in whole MCUs; blocks in row order.
pub(super) struct Grid {
    coefficients: Vec<i16>,
    /// Of each block that is not held whole.
    energies: Vec<Energy>,
    across: usize,
    depth: Depth,
}

/// Which coefficients of a block are kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// The first, its mean.
    Dc,
    /// The same, and the energy of the others.
    Energy,
    /// The first [`LOW`], and the same.
    Low,
    /// All of them.
    All,
}

impl Depth {
    /// What the picture needs, as it is shown. A progressive file's refining scans
    /// need to know which of the others are zero.
    pub(super) fn of(shown: &Header, scans: Scans) -> Self {
        match shown.block {
            1 if shown.progressive && scans == Scans::OfMeans => Self::Dc,
            1 => Self::Energy,
            2 if !shown.progressive => Self::Low,
            _ => Self::All,
        }
    }

    /// Coefficients held of a block.
    fn held(self) -> usize {
        match self {
            Self::Dc | Self::Energy => 1,
            Self::Low => LOW,
            Self::All => 64,
        }
    }

    /// Bytes held of a block.
    pub(super) fn bytes(self) -> usize {
        let energy = if self.has_energy() { size_of::<Energy>() } else { 0 };
        self.held() * size_of::<i16>() + energy
    }

    fn has_energy(self) -> bool {
        matches!(self, Self::Energy | Self::Low)
    }
}

type Block = [i16; 64];

/// One scan being read.
pub(super) struct Entropy<'a> {
    bits: Bits<'a>,
    tracks: Vec<Track>,
    kind: Kind,
    first: usize,
    last: usize,
    low: u8,
    across: usize,
    down: usize,
    interval: usize,
    /// MCUs until the next restart marker, and its number.
    until: usize,
    number: u8,
    /// Blocks that an end-of-band run still covers.
    run: u32,
    state: State,
    damaged: bool,
    depth: Depth,
    budget: &'a Budget,
}

/// A component of the scan.
struct Track {
    component: usize,
    /// Blocks of one MCU.
    h: usize,
    v: usize,
    tables: Rc<Tables>,
    /// The DC value before.
    before: i32,
}

/// What a scan of its kind needs to read a component.
struct Tables {
    dc: Option<Table>,
    ac: Option<Table>,
    squares: Squares,
    /// Where not all of the AC coefficients are kept.
    skip: Option<Skip>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sequential,
    DcFirst,
    DcRefine,
    AcFirst,
    AcRefine,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    /// Waiting for a restart marker.
    Lost,
}

impl Grid {
    /// The budget has been charged for it.
    pub(super) fn new(across: usize, down: usize, depth: Depth) -> Result<Self, Incomplete> {
        let blocks = across * down;
        let length = blocks * depth.held();
        let mut coefficients = Vec::new();
        coefficients.try_reserve_exact(length).map_err(|_| Incomplete::TooMuchMemory)?;
        coefficients.resize(length, 0);
        let mut energies = Vec::new();
        if depth.has_energy() {
            energies.try_reserve_exact(blocks).map_err(|_| Incomplete::TooMuchMemory)?;
            energies.resize(blocks, Energy::default());
        }
        Ok(Self { coefficients, energies, across, depth })
    }

    pub(super) fn clear(&mut self) {
        self.coefficients.fill(0);
        self.energies.fill(Energy::default());
    }

    /// What each block holds beside its mean: the bound that is kept, and the energy of
    /// the coefficients of another grid, which holds all.
    #[cfg(test)]
    pub(super) fn energies<'a>(
        &'a self,
        whole: &'a Self,
        quantiser: &'a Quantiser,
    ) -> impl Iterator<Item = (f32, f32)> + 'a {
        let blocks = whole.coefficients.as_chunks().0.iter();
        let held = blocks.map(|block| reduced::energy(block, quantiser));
        self.energies.iter().map(|energy| energy.squares).zip(held)
    }

    /// The levels of row `row` of blocks, as far as they are known.
    pub(super) fn levels(&self, row: usize, quantiser: &Quantiser, levels: &mut Levels) {
        let step = f32::from(quantiser[0]) / 8.0;
        let mean = |value: i16| f32::from(value) * step;
        let deviation = |squares: f32| squares.sqrt() / 8.0;
        let blocks = row * self.across..(row + 1) * self.across;
        let energies = self.energies.get(blocks.clone()).unwrap_or_default();
        let deviations = energies.iter().map(|energy| deviation(energy.squares));
        match self.depth {
            Depth::Dc | Depth::Energy => {
                let means = self.coefficients[blocks].iter().map(|&value| mean(value));
                levels.replace(means, deviations);
            }
            Depth::Low => {
                let low = self.coefficients.as_chunks::<LOW>().0[blocks].iter();
                levels.replace(low.map(|low| mean(low[0])), deviations);
            }
            Depth::All => {
                let blocks = self.coefficients.as_chunks().0[blocks].iter();
                let means = blocks.clone().map(|block| mean(block[0]));
                levels.replace(means, blocks.map(|b| deviation(reduced::energy(b, quantiser))));
            }
        }
    }

    /// Row `row` of blocks to lines of samples, `size` a block.
    pub(super) fn render(
        &self,
        row: usize,
        size: usize,
        quantiser: &Quantiser,
        samples: &mut [u8],
    ) {
        let (stride, held) = (self.across * size, self.across * self.depth.held());
        let coefficients = &self.coefficients[row * held..][..held];
        match self.depth {
            Depth::Dc | Depth::Energy => {
                for (&dc, out) in coefficients.iter().zip(samples) {
                    *out = reduced::mean(dc, quantiser);
                }
            }
            Depth::Low => {
                for (column, block) in coefficients.as_chunks().0.iter().enumerate() {
                    reduced::quarter(block, quantiser, &mut samples[column * size..], stride);
                }
            }
            Depth::All => {
                for (column, block) in coefficients.as_chunks().0.iter().enumerate() {
                    let samples = &mut samples[column * size..];
                    match size {
                        8 => idct::inverse(block, quantiser, samples, stride),
                        _ => reduced::parts(size, block, quantiser, samples, stride),
                    }
                }
            }
        }
    }
}

impl<'a> Entropy<'a> {
    /// A reader for the scan whose header `markers` have just read.
    pub(super) fn new(
        markers: &Markers<'a>,
        header: &Header,
        scan: Scan,
        depth: Depth,
    ) -> Result<Self, Incomplete> {
        let kind = kind(header, &scan)?;
        let mut tracks: Vec<Track> = Vec::with_capacity(scan.parts.len());
        for (n, part) in scan.parts.iter().enumerate() {
            let quantiser = |part: &Part| &markers.quantisers[part.component];
            let alike = |other: &Part| {
                (other.dc, other.ac, quantiser(other)) == (part.dc, part.ac, quantiser(part))
            };
            // Tables that two components share stay in the cache.
            let tables = match scan.parts[..n].iter().position(alike) {
                Some(other) => tracks[other].tables.clone(),
                None => Rc::new(Tables::new(markers, part, kind, depth)?),
            };
            let Component { h, v, .. } = header.components[part.component];
            // A lone component comes block by block.
            let (h, v) = if scan.parts.len() == 1 { (1, 1) } else { (h, v) };
            tracks.push(Track { component: part.component, h, v, tables, before: 0 });
        }
        let (across, down) = match scan.parts[..] {
            [Part { component, .. }] => {
                let component = &header.components[component];
                (component.width.div_ceil(8), component.height.div_ceil(8))
            }
            _ => (header.mcus_across, header.mcus_down),
        };
        // T.81, B.2.3: no more than ten blocks an MCU.
        if tracks.iter().map(|track| track.h * track.v).sum::<usize>() > 10 {
            return Err(Incomplete::Malformed);
        }
        Ok(Self {
            bits: Bits::new(markers.bytes, markers.at),
            budget: markers.budget,
            tracks,
            kind,
            first: scan.first,
            last: scan.last,
            low: scan.low,
            across,
            down,
            interval: markers.interval,
            until: markers.interval,
            number: 0,
            run: 0,
            state: State::Reading,
            damaged: false,
            depth,
        })
    }

    /// Rows of MCUs.
    pub(super) fn rows(&self) -> usize {
        self.down
    }

    /// Reads the next row of MCUs into row `row` of the grids.
    pub(super) fn read_row(&mut self, row: usize, grids: &mut [Grid]) {
        for column in 0..self.across {
            if self.interval > 0 {
                if self.until == 0 {
                    self.restart();
                }
                self.until -= 1;
            }
            if self.state == State::Reading {
                let read = self.read_mcu(row, column, grids);
                if read.is_err() || self.bits.overdrawn() {
                    self.damaged = true;
                    self.state = State::Lost;
                }
            }
            if self.state == State::Lost && self.interval == 0 {
                return;
            }
        }
    }

    /// Leaves `markers` behind the scan.
    pub(super) fn finish(self, markers: &mut Markers<'_>) -> Option<Incomplete> {
        markers.at = self.bits.at;
        self.damaged.then_some(Incomplete::Malformed)
    }

    fn read_mcu(&mut self, row: usize, column: usize, grids: &mut [Grid]) -> Result<(), BadCode> {
        match self.depth {
            Depth::Dc | Depth::Energy => return self.read_low::<1>(row, column, grids),
            Depth::Low => return self.read_low::<LOW>(row, column, grids),
            Depth::All => {}
        }
        let Self { bits, tracks, kind, first, last, low, run, .. } = self;
        for track in tracks {
            let Tables { dc, ac, .. } = &*track.tables;
            let grid = &mut grids[track.component];
            for y in 0..track.v {
                let start = (row * track.v + y) * grid.across + column * track.h;
                let blocks = &mut grid.coefficients[start * 64..(start + track.h) * 64];
                for block in blocks.as_chunks_mut::<64>().0 {
                    match (*kind, dc, ac) {
                        (Kind::Sequential, Some(dc), Some(ac)) => {
                            block[0] = next_dc(bits, dc, &mut track.before)? as i16;
                            read_ac(bits, ac, block)?;
                        }
                        (Kind::DcFirst, Some(dc), _) => {
                            block[0] = (next_dc(bits, dc, &mut track.before)? << *low) as i16;
                        }
                        (Kind::DcRefine, ..) => block[0] |= (bits.read(1) << *low) as i16,
                        (Kind::AcFirst, _, Some(ac)) => {
                            read_band(bits, ac, block, *first..*last + 1, *low, run)?;
                        }
                        (Kind::AcRefine, _, Some(ac)) => {
                            refine_band(bits, ac, block, *first..*last + 1, 1 << *low, run)?;
                        }
                        // `Tables::new` has made the tables that the kind needs.
                        _ => return Err(BadCode),
                    }
                    if bits.overdrawn() {
                        return Err(BadCode);
                    }
                }
            }
        }
        Ok(())
    }

    /// The same for the first coefficients alone, so many of a block.
    fn read_low<const HELD: usize>(
        &mut self,
        row: usize,
        column: usize,
        grids: &mut [Grid],
    ) -> Result<(), BadCode> {
        let Self { bits, tracks, kind, first, last, low, run, .. } = self;
        for track in tracks {
            let Tables { dc, ac, squares, skip } = &*track.tables;
            let grid = &mut grids[track.component];
            for y in 0..track.v {
                let start = (row * track.v + y) * grid.across + column * track.h;
                let blocks = &mut grid.coefficients[start * HELD..(start + track.h) * HELD];
                let energies = grid.energies.get_mut(start..start + track.h).unwrap_or_default();
                for (n, block) in blocks.as_chunks_mut::<HELD>().0.iter_mut().enumerate() {
                    let (mean, others) = block.split_at_mut(1);
                    let mean = &mut mean[0];
                    match (*kind, dc, ac, skip) {
                        (Kind::Sequential, Some(dc), Some(ac), Some(skip)) => {
                            *mean = next_dc(bits, dc, &mut track.before)? as i16;
                            let squares = bits.skip_ac(ac, skip, others)?;
                            // A scan that comes again replaces what it sends, no more.
                            energies[n].squares += squares;
                        }
                        (Kind::DcFirst, Some(dc), ..) => {
                            *mean = (next_dc(bits, dc, &mut track.before)? << *low) as i16;
                        }
                        (Kind::DcRefine, ..) => *mean |= (bits.read(1) << *low) as i16,
                        (Kind::AcFirst | Kind::AcRefine, _, Some(table), _) => {
                            let band =
                                Band { places: *first..*last + 1, low: *low, table, squares };
                            let energy = energies.get_mut(n).ok_or(BadCode)?;
                            match kind {
                                Kind::AcFirst => energy.first(bits, &band, run)?,
                                _ => energy.refine(bits, &band, run)?,
                            }
                        }
                        _ => return Err(BadCode),
                    }
                    if bits.overdrawn() {
                        return Err(BadCode);
                    }
                }
            }
        }
        Ok(())
    }

    /// Looks for the restart marker that is due (T.81, F.2.2.5). When another
    /// one is there, libjpeg's rule tells whether data or markers were lost.
    fn restart(&mut self) {
        self.until = self.interval;
        self.run = 0;
        for track in &mut self.tracks {
            track.before = 0;
        }
        let due = self.number;
        self.number = (due + 1) & 7;
        let (bytes, mut at) = (self.bits.bytes(), self.bits.at);
        self.state = loop {
            // A budget that is used up ends the scan at its next row.
            let Ok(Some(marker)) = next_marker(bytes, &mut at, self.budget) else {
                self.damaged = true;
                at = bytes.len();
                break State::Lost;
            };
            let ahead = marker.wrapping_sub(0xd0).wrapping_sub(due) & 7;
            let is_restart = matches!(marker, 0xd0..=0xd7);
            if is_restart && ahead == 0 {
                break State::Reading;
            }
            self.damaged = true;
            match marker {
                // Of a later interval: this one is missing.
                _ if is_restart && ahead <= 2 => {}
                // Of an interval that has passed.
                _ if is_restart && ahead >= 6 => continue,
                _ if is_restart => break State::Reading,
                0x00..0xc0 => continue,
                // Of what follows the scan.
                _ => {}
            }
            at -= 2;
            break State::Lost;
        };
        self.bits = Bits::new(bytes, at);
    }
}

impl Tables {
    fn new(
        markers: &Markers<'_>,
        part: &Part,
        kind: Kind,
        depth: Depth,
    ) -> Result<Self, Incomplete> {
        let table = |slots: &[Option<Code>; 4], slot: usize, class| {
            let code = slots.get(slot).and_then(Option::as_ref);
            code.and_then(|code| code.table(class)).ok_or(Incomplete::Malformed).map(Some)
        };
        let steps = &markers.quantisers[part.component];
        let step = |k: usize| f32::from(steps[usize::from(ZIGZAG[k])]);
        let squares = Squares::of(steps);
        let mut tables = Self { dc: None, ac: None, squares, skip: None };
        if matches!(kind, Kind::Sequential | Kind::DcFirst) {
            tables.dc = table(&markers.dc, part.dc, Class::Dc)?;
        }
        if matches!(kind, Kind::Sequential | Kind::AcFirst | Kind::AcRefine) {
            tables.ac = table(&markers.ac, part.ac, Class::Ac)?;
        }
        if let (Kind::Sequential, Depth::Energy | Depth::Low, Some(ac)) = (kind, depth, &tables.ac)
        {
            tables.skip = Some(Skip::new(ac, std::array::from_fn(step)));
        }
        Ok(tables)
    }
}

/// What a scan holds (T.81, G.1.1.1.1). A sequential scan holds everything,
/// whatever it says.
pub(super) fn kind(header: &Header, scan: &Scan) -> Result<Kind, Incomplete> {
    if !header.progressive {
        return Ok(Kind::Sequential);
    }
    let band = if scan.first == 0 {
        scan.last == 0
    } else {
        scan.first <= scan.last && scan.last < 64 && scan.parts.len() == 1
    };
    let bits = scan.low <= 13 && (scan.high == 0 || scan.high == scan.low + 1);
    if !band || !bits {
        return Err(Incomplete::Malformed);
    }
    Ok(match (scan.first, scan.high) {
        (0, 0) => Kind::DcFirst,
        (0, _) => Kind::DcRefine,
        (_, 0) => Kind::AcFirst,
        _ => Kind::AcRefine,
    })
}

#[inline(always)]
fn next_dc(bits: &mut Bits<'_>, table: &Table, before: &mut i32) -> Result<i32, BadCode> {
    let (_, difference) = bits.decode(table)?;
    *before = before.wrapping_add(difference);
    Ok(*before)
}

#[inline(always)]
fn read_ac(bits: &mut Bits<'_>, table: &Table, block: &mut Block) -> Result<(), BadCode> {
    let mut k = 1;
    while k < 64 {
        let (symbol, value) = bits.decode(table)?;
        k += usize::from(symbol >> 4);
        if value != 0 {
            block[usize::from(ZIGZAG[k] & 63)] = value as i16;
        } else if symbol != 0xf0 {
            return Ok(());
        }
        k += 1;
    }
    Ok(())
}

fn read_band(
    bits: &mut Bits<'_>,
    table: &Table,
    block: &mut Block,
    band: std::ops::Range<usize>,
    low: u8,
    run: &mut u32,
) -> Result<(), BadCode> {
    if *run > 0 {
        *run -= 1;
        return Ok(());
    }
    let mut k = band.start;
    while k < band.end {
        let (symbol, value) = bits.decode(table)?;
        let high = symbol >> 4;
        if value != 0 {
            k += usize::from(high);
            block[usize::from(ZIGZAG[k] & 63)] = (value << low) as i16;
        } else if high == 15 {
            k += 15;
        } else {
            *run = (1 << high) - 1 + bits.read(high.into());
            break;
        }
        k += 1;
    }
    Ok(())
}

/// T.81, G.1.2.3: one more bit for every coefficient that is not zero, and new
/// ones in between.
fn refine_band(
    bits: &mut Bits<'_>,
    table: &Table,
    block: &mut Block,
    band: std::ops::Range<usize>,
    step: i16,
    run: &mut u32,
) -> Result<(), BadCode> {
    let mut k = band.start;
    while *run == 0 && k < band.end {
        let (symbol, value) = bits.decode(table)?;
        let mut zeros = symbol >> 4;
        match symbol & 15 {
            0 if zeros < 15 => {
                *run = (1 << zeros) + bits.read(zeros.into());
                break;
            }
            0 | 1 => {}
            _ => return Err(BadCode),
        }
        while k < band.end {
            let coefficient = &mut block[usize::from(ZIGZAG[k] & 63)];
            if *coefficient != 0 {
                refine(bits, coefficient, step);
            } else if zeros == 0 {
                break;
            } else {
                zeros -= 1;
            }
            k += 1;
        }
        if value != 0 {
            block[usize::from(ZIGZAG[k] & 63)] = value as i16 * step;
        }
        k += 1;
    }
    if *run > 0 {
        for &place in &ZIGZAG[k..band.end.max(k)] {
            let coefficient = &mut block[usize::from(place & 63)];
            if *coefficient != 0 {
                refine(bits, coefficient, step);
            }
        }
        *run -= 1;
    }
    Ok(())
}

#[inline(always)]
fn refine(bits: &mut Bits<'_>, coefficient: &mut i16, step: i16) {
    if bits.read(1) == 1 && *coefficient & step == 0 {
        let change = if *coefficient < 0 { step.wrapping_neg() } else { step };
        *coefficient = coefficient.wrapping_add(change);
    }
}
