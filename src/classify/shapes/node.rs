//! An operation as the file has it: what it reads, what it makes and its attributes.
//! What runtimes could read in two ways is refused.

use super::weights::within;
use super::{Checked, MOST_INTEGERS, Tensor, UNFIT, UNSURE, text};
use crate::classify::graph::{BROKEN, Fields, UNKNOWN, Value, varint};

pub(super) struct Node<'f> {
    pub(super) operation: &'f str,
    pub(super) inputs: Vec<&'f str>,
    pub(super) outputs: Vec<&'f str>,
    pub(super) attributes: Vec<(&'f str, Attribute<'f>)>,
}

pub(super) enum Attribute<'f> {
    Integer(i64),
    Integers(Vec<i64>),
    Float,
    /// How many.
    Floats(u64),
    Text(&'f [u8]),
    Texts,
    Tensor(&'f [u8]),
}

impl<'f> Node<'f> {
    pub(super) fn read(message: &'f [u8]) -> Checked<Self> {
        let (mut inputs, mut outputs, mut attributes) = (Vec::new(), Vec::new(), Vec::new());
        let mut operation = None;
        for field in Fields(message) {
            match field? {
                (1, Value::Bytes(name)) => inputs.push(text(name)?),
                (2, Value::Bytes(name)) => outputs.push(text(name)?),
                (1 | 2, _) => return Err(BROKEN),
                (4, Value::Bytes(name)) if operation.is_none() => operation = Some(text(name)?),
                (4, _) => return Err(UNKNOWN),
                (5, Value::Bytes(bytes)) => {
                    let (name, attribute) = Attribute::read(bytes)?;
                    if attributes.iter().any(|&(known, _)| known == name) {
                        return Err("an operation has an attribute twice");
                    }
                    attributes.push((name, attribute));
                }
                _ => {}
            }
            if attributes.len() > MOST_ATTRIBUTES || inputs.len().max(outputs.len()) > MOST_TENSORS
            {
                return Err("an operation has too many parts");
            }
        }
        Ok(Self { operation: operation.ok_or(UNKNOWN)?, inputs, outputs, attributes })
    }

    fn attribute(&self, name: &str) -> Option<&Attribute<'f>> {
        self.attributes.iter().find(|(found, _)| *found == name).map(|(_, attribute)| attribute)
    }

    pub(super) fn integer(&self, name: &str) -> Checked<Option<i64>> {
        match self.attribute(name) {
            None => Ok(None),
            Some(&Attribute::Integer(number)) => Ok(Some(number)),
            Some(_) => Err(UNFIT),
        }
    }

    /// 0 or 1; another number is no answer.
    pub(super) fn flag(&self, name: &str, default: bool) -> Checked<bool> {
        match self.integer(name)? {
            None => Ok(default),
            Some(0) => Ok(false),
            Some(1) => Ok(true),
            Some(_) => Err(UNFIT),
        }
    }

    pub(super) fn integers(&self, name: &str) -> Checked<Option<&[i64]>> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Integers(numbers)) => Ok(Some(numbers)),
            Some(_) => Err(UNFIT),
        }
    }

    pub(super) fn text(&self, name: &str) -> Checked<Option<&'f [u8]>> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Text(text)) => Ok(Some(text)),
            Some(_) => Err(UNFIT),
        }
    }

    /// What older versions have as an attribute and newer ones as an input.
    pub(super) fn list<'t>(
        &'t self,
        name: &str,
        input: Option<&'t Tensor>,
    ) -> Checked<Option<&'t [i64]>> {
        match (self.integers(name)?, input) {
            (Some(_), Some(_)) => Err(UNFIT),
            (attribute, None) => Ok(attribute),
            (None, Some(tensor)) if tensor.shape.len() > 1 => Err(UNFIT),
            (None, Some(tensor)) => tensor.integers.as_deref().map(Some).ok_or(UNSURE),
        }
    }
}

impl<'f> Attribute<'f> {
    fn read(message: &'f [u8]) -> Checked<(&'f str, Self)> {
        let (mut name, mut kind) = (None, 0);
        let mut found: Option<Self> = None;
        for field in Fields(message) {
            match (field?, &mut found) {
                ((1, Value::Bytes(bytes)), _) if name.is_none() => name = Some(text(bytes)?),
                ((2, Value::Fixed(_)), None) => found = Some(Self::Float),
                ((3, Value::Number(number)), None) => {
                    found = Some(Self::Integer(number.cast_signed()));
                }
                ((4, Value::Bytes(text)), None) => found = Some(Self::Text(text)),
                ((5, Value::Bytes(tensor)), None) => found = Some(Self::Tensor(tensor)),
                ((7, value), None) => found = Some(Self::Floats(floats(&value)?)),
                ((7, value), Some(Self::Floats(count))) => *count += floats(&value)?,
                ((8, value), None) => {
                    let mut numbers = Vec::new();
                    integers(value, &mut numbers)?;
                    found = Some(Self::Integers(numbers));
                }
                ((8, value), Some(Self::Integers(numbers))) => integers(value, numbers)?,
                ((9, Value::Bytes(_)), None | Some(Self::Texts)) => found = Some(Self::Texts),
                ((13, _), _) => {}
                ((20, Value::Number(number)), _) if kind == 0 => kind = number,
                _ => return Err(UNKNOWN),
            }
        }
        let found = match (found, kind) {
            (None, 6) => Self::Floats(0),
            (None, 7) => Self::Integers(Vec::new()),
            (None, 8) => Self::Texts,
            (None, _) => return Err(UNSURE),
            (Some(found), kind) if kind == 0 || kind == found.kind() => found,
            _ => return Err(UNKNOWN),
        };
        Ok((name.ok_or(UNKNOWN)?, found))
    }

    /// As ONNX numbers them.
    fn kind(&self) -> u64 {
        match self {
            Self::Float => 1,
            Self::Integer(_) => 2,
            Self::Text(_) => 3,
            Self::Tensor(_) => 4,
            Self::Floats(_) => 6,
            Self::Integers(_) => 7,
            Self::Texts => 8,
        }
    }
}

fn floats(value: &Value<'_>) -> Checked<u64> {
    match value {
        Value::Fixed(bytes) if bytes.len() == 4 => Ok(1),
        Value::Bytes(packed) if packed.len() % 4 == 0 => Ok(packed.len() as u64 / 4),
        _ => Err(BROKEN),
    }
}

fn integers(value: Value<'_>, numbers: &mut Vec<i64>) -> Checked<()> {
    let mut push = |number: u64| {
        numbers.push(within(number.cast_signed()));
        if numbers.len() > MOST_INTEGERS {
            Err("an attribute has too many numbers")
        } else {
            Ok(())
        }
    };
    match value {
        Value::Number(number) => push(number),
        Value::Bytes(mut packed) => {
            while !packed.is_empty() {
                push(varint(&mut packed)?)?;
            }
            Ok(())
        }
        Value::Fixed(_) => Err(BROKEN),
    }
}

/// Operations have a dozen.
const MOST_ATTRIBUTES: usize = 32;

/// Inputs or outputs of one operation.
const MOST_TENSORS: usize = 4096;
