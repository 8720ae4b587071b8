//! Tensors that the file holds: how many numbers, of what kind, and the few integers
//! that shapes are made of. As many numbers as the shape says must be there.

use super::{Checked, MOST_INTEGERS, Shape, Tensor, UNFIT, text};
use crate::classify::graph::{BROKEN, Fields, UNKNOWN, Value, varint};

pub(super) struct Weights<'f> {
    pub(super) name: Option<&'f str>,
    pub(super) tensor: Tensor,
    kind: Kind,
}

/// A kind of number, as ONNX numbers them.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Kind(u64);

impl Kind {
    pub(super) const FLOAT: Self = Self(1);
    const INT32: Self = Self(6);
    const INT64: Self = Self(7);

    /// None for texts, complex numbers and what is not known.
    pub(super) fn new(number: u64) -> Option<Self> {
        matches!(number, 1..=7 | 9..=13 | 16..=26).then_some(Self(number))
    }

    /// Bits of a number in the file.
    fn bits(self) -> u64 {
        match self.0 {
            7 | 11 | 13 => 64,
            1 | 6 | 12 => 32,
            4 | 5 | 10 | 16 => 16,
            21..=23 => 4,
            25 | 26 => 2,
            _ => 8,
        }
    }

    /// Bytes of a number in memory, where an operation made it.
    pub(super) fn width(self) -> u64 {
        match self.0 {
            // Itself, as a float on the way in and as one on the way out.
            10 | 16 => 10,
            7 | 11 | 13 => 8,
            _ => 4,
        }
    }

    pub(super) fn is_integer(self) -> bool {
        self == Self::INT32 || self == Self::INT64
    }

    /// Whether lists in this field hold its numbers.
    fn is_in(self, field: u64) -> bool {
        match self.0 {
            1 => field == 4,
            7 => field == 7,
            11 => field == 10,
            12 | 13 => field == 11,
            _ => field == 5,
        }
    }
}

impl<'f> Weights<'f> {
    pub(super) fn read(message: &'f [u8]) -> Checked<Self> {
        let (mut name, mut kind, mut raw) = (None, None, None);
        let (mut sides, mut listed) = (Vec::new(), Listed::default());
        for field in Fields(message) {
            match field? {
                (1, Value::Number(side)) => sides.push(side),
                (1, Value::Bytes(mut packed)) => {
                    while !packed.is_empty() {
                        sides.push(varint(&mut packed)?);
                    }
                }
                (2, Value::Number(number)) if kind.is_none() => {
                    kind = Some(Kind::new(number).ok_or(UNKNOWN)?);
                }
                (8, Value::Bytes(bytes)) if name.is_none() => name = Some(text(bytes)?),
                (9, Value::Bytes(bytes)) if raw.is_none() => raw = Some(bytes),
                (number @ (4 | 5 | 7 | 10 | 11), value) => listed.add(number, value)?,
                (12 | 14 | 16, _) => {}
                _ => return Err(UNKNOWN),
            }
        }
        let kind = kind.ok_or(UNKNOWN)?;
        let shape = Shape::of(&sides)?;
        let numbers = shape.numbers();
        // An empty list is an attribute of some operations; any other is no use.
        if numbers == 0 && shape.len() != 1 {
            return Err(UNFIT);
        }
        let mut tensor = Tensor::new(shape, kind.width());
        let (is_there, integers) = match (raw, listed.field) {
            (Some(raw), None) => {
                let bytes = numbers.saturating_mul(kind.bits()).div_ceil(8);
                (raw.len() as u64 == bytes, integers(raw, kind))
            }
            (None, Some(field)) if kind.is_in(field) => {
                // Smaller ones may share an element.
                let shared = 8u64.div_ceil(kind.bits());
                let elements = numbers.div_ceil(shared);
                let is_there = (elements..=numbers).contains(&listed.numbers);
                (is_there, listed.integers)
            }
            (None, None) => (numbers == 0, Vec::new()),
            _ => return Err(UNKNOWN),
        };
        if !is_there {
            return Err("a tensor does not hold as many numbers as it says");
        }
        if kind.is_integer() && numbers <= MOST_INTEGERS as u64 {
            tensor.integers = Some(integers.into_iter().map(within).collect());
        }
        Ok(Self { name, tensor, kind })
    }

    /// In memory: bytes stay so.
    pub(super) fn bytes(&self) -> u64 {
        let width = if matches!(self.kind.0, 2 | 3) { 1 } else { self.kind.width() };
        self.tensor.shape.numbers().saturating_mul(width)
    }
}

/// Where some runtimes keep it.
pub(super) fn within(number: i64) -> i64 {
    number.clamp(i32::MIN.into(), i32::MAX.into())
}

/// Numbers that stand in a list.
#[derive(Default)]
struct Listed {
    field: Option<u64>,
    numbers: u64,
    /// The first ones, where they are integers.
    integers: Vec<i64>,
}

impl Listed {
    fn add(&mut self, field: u64, value: Value<'_>) -> Checked<()> {
        // Not of two kinds.
        if self.field.is_some_and(|before| before != field) {
            return Err(UNKNOWN);
        }
        self.field = Some(field);
        let fixed = match field {
            4 => Some(4),
            10 => Some(8),
            _ => None,
        };
        match (value, fixed) {
            (Value::Fixed(bytes), Some(length)) if bytes.len() == length => self.numbers += 1,
            (Value::Bytes(packed), Some(length)) if packed.len() % length == 0 => {
                self.numbers += (packed.len() / length) as u64;
            }
            (Value::Number(number), None) => self.integer(number),
            (Value::Bytes(mut packed), None) => {
                while !packed.is_empty() {
                    self.integer(varint(&mut packed)?);
                }
            }
            _ => return Err(BROKEN),
        }
        Ok(())
    }

    fn integer(&mut self, number: u64) {
        self.numbers += 1;
        if self.integers.len() < MOST_INTEGERS {
            self.integers.push(number.cast_signed());
        }
    }
}

fn integers(raw: &[u8], kind: Kind) -> Vec<i64> {
    if kind == Kind::INT32 {
        let numbers = raw.as_chunks().0.iter().take(MOST_INTEGERS);
        numbers.map(|&bytes| i32::from_le_bytes(bytes).into()).collect()
    } else {
        let numbers = raw.as_chunks().0.iter().take(MOST_INTEGERS);
        numbers.map(|&bytes| i64::from_le_bytes(bytes)).collect()
    }
}
