//! Huffman codes (T.81, annexes C and F.2.2) and the bits they are read from.

/// A code as DHT gives it: how many symbols have each length, and the symbols.
#[derive(Clone)]
pub(super) struct Code {
    counts: [u8; 16],
    symbols: Vec<u8>,
}

/// A code made ready for look-up.
pub(super) struct Table {
    /// By the next bits: what they begin with. See [`Table::entry`].
    short: Box<[u32; 1 << SHORT]>,
    /// By length: the first 16-bit string behind this length's codes, and what
    /// turns one of its codes into its symbol's place.
    ends: [u32; 17],
    offsets: [i32; 17],
    symbols: [u8; 256],
}

/// No code begins like this.
pub(super) struct BadCode;

/// What the table is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Dc,
    Ac,
}

/// Entropy-coded data up to the next marker, most significant bit first.
#[derive(Clone)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// The next byte to be taken; once dry, the marker or the end.
    pub(super) at: usize,
    /// The next bit on top.
    buffer: u64,
    /// Bits left in the buffer; negative when more was asked for than there
    /// was. What is missing reads as zeros.
    left: i32,
    dry: bool,
}

impl Code {
    /// A code at the front of `bytes`, and the bytes behind it.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (counts, rest) = bytes.split_first_chunk::<16>()?;
        let total = counts.iter().map(|&count| usize::from(count)).sum::<usize>();
        if total > 256 {
            return None;
        }
        let (symbols, rest) = rest.split_at_checked(total)?;
        Some((Self { counts: *counts, symbols: symbols.to_vec() }, rest))
    }

    /// Fills empty places with the codes of T.81, annex K.3: luma and chroma.
    pub(super) fn fill_with_standard(dc: &mut [Option<Self>; 4], ac: &mut [Option<Self>; 4]) {
        let slots = dc.iter_mut().take(2).chain(ac.iter_mut().take(2));
        for (slot, (counts, symbols)) in slots.zip(STANDARD) {
            slot.get_or_insert_with(|| Self { counts, symbols: symbols.to_vec() });
        }
    }

    /// `None` when the lengths make no prefix code, or a DC symbol is larger
    /// than a difference can be. As in libjpeg no code may be all ones.
    pub(super) fn table(&self, class: Class) -> Option<Table> {
        if class == Class::Dc && self.symbols.iter().any(|&size| size > 15) {
            return None;
        }
        let mut table = Table {
            short: Box::new([0; 1 << SHORT]),
            ends: [0; 17],
            offsets: [0; 17],
            symbols: [0; 256],
        };
        table.symbols[..self.symbols.len()].copy_from_slice(&self.symbols);
        let (mut code, mut index) = (0u32, 0usize);
        for (length, &count) in (1u32..).zip(&self.counts) {
            table.offsets[length as usize] = index as i32 - code as i32;
            for _ in 0..count {
                if code + 1 >= 1 << length {
                    return None;
                }
                if let Some(spare) = SHORT.checked_sub(length) {
                    for tail in 0..1 << spare {
                        let bits = code << spare | tail;
                        table.short[bits as usize] =
                            Table::entry(self.symbols[index], length, bits);
                    }
                }
                code += 1;
                index += 1;
            }
            table.ends[length as usize] = code << (16 - length);
            code <<= 1;
        }
        Some(table)
    }
}

impl Table {
    /// Bits 0..5: how many bits to take; bits 8..16: the symbol; bits 16..32: the
    /// value behind it, if `bits` hold it whole, which bit 5 tells.
    fn entry(symbol: u8, length: u32, bits: u32) -> u32 {
        let size = u32::from(symbol & 15);
        let symbol = u32::from(symbol) << 8;
        if length + size > SHORT {
            return symbol | length;
        }
        let value = bits >> (SHORT - length - size) & ((1 << size) - 1);
        (extend(value, size) as u32) << 16 | symbol | 1 << 5 | (length + size)
    }
}

/// AC symbols to be passed over, several at a time.
pub(super) struct Skip {
    /// By the next bits: bits 0..4, how many to take; bits 4..11, coefficients
    /// passed; bit 15, whether the block ends; bits 16..32, the sum of the squares.
    /// 127 coefficients: too long a code, or too large a value.
    table: Box<[u32; 1 << SKIP]>,
    /// The quantiser's steps in the order that coefficients are sent in.
    pub(super) steps: [f32; 64],
    /// The squares of the largest ones before each place.
    most: [u64; 65],
}

/// One AC symbol that was passed.
struct Passed {
    /// The place behind its coefficient; 64 where the block ends.
    end: usize,
    /// The coefficient, as it was sent.
    value: i32,
    /// The square of it.
    squared: f32,
}

impl Skip {
    pub(super) fn new(table: &Table, steps: [f32; 64]) -> Self {
        let mut most = [0; 65];
        for (n, step) in steps.iter().enumerate().skip(1) {
            most[n + 1] = most[n].max((step * step) as u64);
        }
        let mut skip = Self { table: Box::new([0; 1 << SKIP]), steps, most };
        for (bits, out) in (0..).zip(skip.table.iter_mut()) {
            *out = Self::entry(table, bits);
        }
        skip
    }

    fn entry(table: &Table, bits: u32) -> u32 {
        let (mut taken, mut passed, mut squares) = (0, 0, 0);
        while taken < SKIP {
            let next = bits << taken & ((1 << SKIP) - 1);
            let entry = table.short[(next << SHORT >> SKIP) as usize];
            let symbol = (entry >> 8) as u8;
            let size = u32::from(symbol & 15);
            // The bits of the value too, which the entry may count or not.
            let length = (entry & 31) + if entry & 1 << 5 == 0 { size } else { 0 };
            if entry == 0 || taken + length > SKIP {
                break;
            }
            let value = extend(next >> (SKIP - length) & ((1 << size) - 1), size);
            taken += length;
            if size == 0 && symbol != 0xf0 {
                return squares << 16 | 1 << 15 | passed << 4 | taken;
            }
            passed += u32::from(symbol >> 4) + 1;
            squares += value.unsigned_abs().pow(2);
            if passed > 63 || squares >> 16 != 0 {
                return 127 << 4;
            }
        }
        if taken == 0 { 127 << 4 } else { squares << 16 | passed << 4 | taken }
    }
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, buffer: 0, left: 0, dry: false }
    }

    /// The whole file.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether more bits were taken than there are.
    pub(super) fn overdrawn(&self) -> bool {
        self.left < 0
    }

    /// The next symbol and the value whose size stands in its low four bits.
    #[inline(always)]
    pub(super) fn decode(&mut self, table: &Table) -> Result<(u8, i32), BadCode> {
        // The longest code and the longest value behind it.
        if self.left < 31 {
            self.refill();
        }
        let entry = table.short[(self.buffer >> (64 - SHORT)) as usize];
        if entry & 1 << 5 != 0 {
            self.skip(entry & 31);
            return Ok(((entry >> 8) as u8, entry as i32 >> 16));
        }
        let symbol = if entry != 0 {
            self.skip(entry & 31);
            (entry >> 8) as u8
        } else {
            self.decode_long(table)?
        };
        let size = u32::from(symbol & 15);
        Ok((symbol, extend(self.take(size), size)))
    }

    /// Reads the AC coefficients that `low` has room for, and passes over the
    /// others. Gives at least the sum of their squares, in the quantiser's steps.
    #[inline(always)]
    pub(super) fn skip_ac(
        &mut self,
        table: &Table,
        skip: &Skip,
        low: &mut [i16],
    ) -> Result<f32, BadCode> {
        let (mut k, mut most, mut energy) = (1, 0u64, 0.0);
        while k <= low.len() {
            let next = self.skip_one(table, skip, k)?;
            if let Some(low) = low.get_mut(next.end.wrapping_sub(2)) {
                *low = next.value as i16;
            }
            energy += next.squared;
            k = next.end;
        }
        while k < 64 {
            if self.left < SKIP as i32 {
                self.refill();
            }
            let entry = skip.table[(self.buffer >> (64 - SKIP)) as usize];
            let end = k + (entry >> 4 & 127) as usize;
            let ends = entry >> 15 & 1;
            // An end-of-block behind a full block is the next block's.
            if end + ends as usize <= 64 {
                self.skip(entry & 15);
                most += u64::from(entry >> 16) * skip.most[end];
                k = if ends == 1 { 64 } else { end };
                continue;
            }
            let next = self.skip_one(table, skip, k)?;
            energy += next.squared;
            k = next.end;
        }
        Ok(energy + most as f32)
    }

    /// Passes over one AC symbol at `k`.
    #[inline(always)]
    fn skip_one(&mut self, table: &Table, skip: &Skip, k: usize) -> Result<Passed, BadCode> {
        let (symbol, value) = self.decode(table)?;
        let at = k + usize::from(symbol >> 4);
        if value == 0 {
            let end = if symbol == 0xf0 { at + 1 } else { 64 };
            return Ok(Passed { end, value, squared: 0.0 });
        }
        let level = value as f32 * skip.steps[at.min(63)];
        Ok(Passed { end: at + 1, value, squared: level * level })
    }

    /// `count` bits, at most 16.
    #[inline(always)]
    pub(super) fn read(&mut self, count: u32) -> u32 {
        if self.left < 16 {
            self.refill();
        }
        self.take(count)
    }

    #[inline(never)]
    fn decode_long(&mut self, table: &Table) -> Result<u8, BadCode> {
        let next = (self.buffer >> 48) as u32;
        let length = (SHORT + 1..=16).find(|&l| next < table.ends[l as usize]).ok_or(BadCode)?;
        self.skip(length);
        let place = (next >> (16 - length)) as i32 + table.offsets[length as usize];
        table.symbols.get(place as usize).copied().ok_or(BadCode)
    }

    #[inline(always)]
    fn take(&mut self, count: u32) -> u32 {
        let bits = (self.buffer >> 32) >> (32 - count);
        self.skip(count);
        bits as u32
    }

    #[inline(always)]
    fn skip(&mut self, count: u32) {
        self.buffer <<= count;
        self.left -= count as i32;
    }

    #[inline(always)]
    fn refill(&mut self) {
        if let Some(next) = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk()) {
            let next = u64::from_be_bytes(*next);
            // No byte of it is 0xff. Bits of a byte that does not fit whole are
            // laid down too: the same ones come again.
            if self.left >= 0 && next & (!next).wrapping_sub(ONES) & ONES << 7 == 0 {
                self.buffer |= next >> self.left;
                let taken = (63 - self.left) >> 3;
                self.at += taken as usize;
                self.left += taken * 8;
                return;
            }
        }
        self.refill_slowly();
    }

    #[inline(never)]
    fn refill_slowly(&mut self) {
        while !self.dry && self.left <= 56 {
            let Some(&byte) = self.bytes.get(self.at) else {
                self.dry = true;
                return;
            };
            self.at += 1;
            if byte == 0xff {
                while self.bytes.get(self.at) == Some(&0xff) {
                    self.at += 1;
                }
                if self.bytes.get(self.at) != Some(&0) {
                    self.at -= 1;
                    self.dry = true;
                    return;
                }
                self.at += 1;
            }
            self.buffer |= u64::from(byte) << (56 - self.left);
            self.left += 8;
        }
    }
}

/// The number that `bits` stand for among those of this size (T.81, F.2.2.1).
#[inline(always)]
fn extend(bits: u32, size: u32) -> i32 {
    let below = (bits >> size.saturating_sub(1)) ^ 1;
    bits as i32 - (below as i32 * ((1 << size) - 1))
}

/// Bits a look-up covers: most symbols together with their values.
const SHORT: u32 = 10;

/// Bits that a look-up covers where symbols are passed over.
const SKIP: u32 = 12;

const ONES: u64 = 0x0101_0101_0101_0101;

/// DC luma, DC chroma, AC luma, AC chroma.
const STANDARD: [([u8; 16], &[u8]); 4] = [
    ([0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
    ([0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
    (
        [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125],
        &[
            0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51,
            0x61, 0x07, 0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1,
            0x15, 0x52, 0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0a, 0x16, 0x17, 0x18,
            0x19, 0x1a, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39,
            0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57,
            0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75,
            0x76, 0x77, 0x78, 0x79, 0x7a, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92,
            0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
            0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3,
            0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8,
            0xd9, 0xda, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2,
            0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
        ],
    ),
    (
        [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119],
        &[
            0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07,
            0x61, 0x71, 0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09,
            0x23, 0x33, 0x52, 0xf0, 0x15, 0x62, 0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25,
            0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x35, 0x36, 0x37, 0x38,
            0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56,
            0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74,
            0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
            0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5,
            0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba,
            0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6,
            0xd7, 0xd8, 0xd9, 0xda, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2,
            0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
        ],
    ),
];
