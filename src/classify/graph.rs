//! What an ONNX file may hold before a runtime sees it.
//!
//! Runtimes take a model for code that somebody trusts: they follow the names of other
//! files in it, run loops, nest as deep as it does, and make tensors as large as a few
//! bytes ask for. So every part of the file is looked at here first, by the numbers of
//! its fields (onnx.proto, IR version 13): plain operations of a list, weights that the
//! file holds itself, and nothing that is not known. Parts are read once and in place;
//! there is no tree that a file could make grow.

use super::ModelError;

/// Refuses what would keep a runtime busy, fill the memory from a few bytes, or read
/// the disk: loops, operations that make large tensors of small numbers, graphs in
/// graphs, functions, operations of other domains, weights that the file does not hold.
///
/// Operations of the list can still multiply what they are given: what they make of the
/// input's shape is for [`shapes`](super::shapes) to bound.
pub(super) fn check(onnx: &[u8]) -> Result<(), ModelError> {
    if onnx.len() > MOST_BYTES {
        return Err(ModelError::Refused("it is larger than 128 MiB"));
    }
    let mut file = File { parts: 0, operations: 0, weights: 0 };
    file.model(onnx).map_err(ModelError::Refused)?;
    // Eight of the smallest weights may share a byte.
    if file.weights > onnx.len() as u64 * 8 {
        return Err(ModelError::Refused("its weights are larger than the file"));
    }
    Ok(())
}

/// Several times the largest classifier that fits a phone; runtimes hold a model some
/// times over while they load it.
pub(super) const MOST_BYTES: usize = 128 << 20;

/// Many times those of the largest classifier that fits a phone.
const MOST_OPERATIONS: u32 = 10_000;

/// Fields of all messages together: hundreds for each operation.
const MOST_PARTS: u32 = 1_000_000;

/// Dimensions of a tensor.
pub(super) const HIGHEST_RANK: u64 = 8;

/// What runs once and makes of its inputs something of about their size.
const OPERATIONS: [&str; 48] = [
    "Add",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Clip",
    "Concat",
    "Constant",
    "Conv",
    "DequantizeLinear",
    "Div",
    "Dropout",
    "Elu",
    "Erf",
    "Exp",
    "Flatten",
    "Gather",
    "Gelu",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LayerNormalization",
    "LeakyRelu",
    "MatMul",
    "MaxPool",
    "Mul",
    "Neg",
    "PRelu",
    "Pow",
    "QuantizeLinear",
    "ReduceMax",
    "ReduceMean",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Shape",
    "Sigmoid",
    "Slice",
    "Softmax",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Tanh",
    "Transpose",
    "Unsqueeze",
];

/// What was counted so far.
struct File {
    parts: u32,
    operations: u32,
    /// Numbers in all tensors together.
    weights: u64,
}

type Checked = Result<(), &'static str>;

impl File {
    fn model(&mut self, message: &[u8]) -> Checked {
        let mut graphs = 0;
        self.each(message, |file, number, value| match (number, value) {
            // Versions, names, texts, sets of operations, metadata.
            (1..=6 | 8 | 14, _) => Ok(()),
            (7, Value::Bytes(graph)) => {
                // Of several, readers take the last or all together.
                graphs += 1;
                if graphs > 1 { Err(UNKNOWN) } else { file.graph(graph) }
            }
            _ => Err(UNKNOWN),
        })?;
        if graphs == 0 { Err("it holds no graph") } else { Ok(()) }
    }

    fn graph(&mut self, message: &[u8]) -> Checked {
        self.each(message, |file, number, value| match (number, value) {
            (1, Value::Bytes(node)) => file.node(node),
            (5, Value::Bytes(tensor)) => file.tensor(tensor),
            (11..=13, Value::Bytes(named)) => file.named_type(named),
            // Name, text, notes on quantisation, metadata.
            (2 | 10 | 14 | 16, _) => Ok(()),
            _ => Err(UNKNOWN),
        })
    }

    fn node(&mut self, message: &[u8]) -> Checked {
        self.operations += 1;
        if self.operations > MOST_OPERATIONS {
            return Err("it has more than 10000 operations");
        }
        self.each(message, |file, number, value| match (number, value) {
            (4, Value::Bytes(name)) => {
                let is_known = |known: &str| known.as_bytes().cmp(name);
                let found = OPERATIONS.binary_search_by(|known| is_known(known));
                found.map(drop).map_err(|_| OPERATION)
            }
            (7, Value::Bytes(b"" | b"ai.onnx")) => Ok(()),
            (7, _) => Err(OPERATION),
            (5, Value::Bytes(attribute)) => file.attribute(attribute),
            // Inputs, outputs, name, text, metadata.
            (1..=3 | 6 | 9, _) => Ok(()),
            _ => Err(UNKNOWN),
        })
    }

    fn attribute(&mut self, message: &[u8]) -> Checked {
        self.each(message, |file, number, value| match (number, value) {
            (5, Value::Bytes(tensor)) => file.tensor(tensor),
            // Name, numbers, texts, what kind it is of.
            (1..=4 | 7..=9 | 13 | 20, _) => Ok(()),
            // Graphs, and lists of tensors and of types.
            _ => Err(UNKNOWN),
        })
    }

    fn tensor(&mut self, message: &[u8]) -> Checked {
        let (mut length, mut rank) = (1u64, 0);
        let mut side = |side: u64| {
            rank += 1;
            // Negative ones are far above what a file can hold.
            length = length.saturating_mul(side);
            if rank > HIGHEST_RANK { Err("a tensor has too many dimensions") } else { Ok(()) }
        };
        self.each(message, |_, number, value| match (number, value) {
            (1, Value::Number(n)) => side(n),
            (1, Value::Bytes(mut packed)) => {
                while !packed.is_empty() {
                    side(varint(&mut packed)?)?;
                }
                Ok(())
            }
            (13, _) => Err(OUTSIDE),
            (14, Value::Number(0)) => Ok(()),
            (14, _) => Err(OUTSIDE),
            // The kind, numbers, names, texts, metadata; no texts as values.
            (2 | 4 | 5 | 7..=12 | 16, _) => Ok(()),
            _ => Err(UNKNOWN),
        })?;
        self.weights = self.weights.saturating_add(length);
        Ok(())
    }

    fn named_type(&mut self, message: &[u8]) -> Checked {
        self.each(message, |file, number, value| match (number, value) {
            (2, Value::Bytes(kind)) => file.each(kind, |_, number, _| match number {
                // A tensor, and what it stands for: not lists of lists.
                1 | 6 => Ok(()),
                _ => Err(UNKNOWN),
            }),
            (1 | 3 | 4, _) => Ok(()),
            _ => Err(UNKNOWN),
        })
    }

    /// Calls `look` with the number and the value of each field of a message.
    fn each(
        &mut self,
        message: &[u8],
        mut look: impl FnMut(&mut Self, u64, Value<'_>) -> Checked,
    ) -> Checked {
        for field in Fields(message) {
            self.parts += 1;
            if self.parts > MOST_PARTS {
                return Err("it has too many parts");
            }
            let (number, value) = field?;
            look(self, number, value)?;
        }
        Ok(())
    }
}

/// The fields of a message, number and value, in the order of the file.
pub(super) struct Fields<'m>(pub(super) &'m [u8]);

impl<'m> Iterator for Fields<'m> {
    type Item = Result<(u64, Value<'m>), &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        (!self.0.is_empty()).then(|| {
            let tag = varint(&mut self.0)?;
            let value = match tag & 7 {
                0 => Value::Number(varint(&mut self.0)?),
                1 => Value::Fixed(take(&mut self.0, 8)?),
                2 => {
                    let length = varint(&mut self.0)?;
                    Value::Bytes(take(&mut self.0, length)?)
                }
                5 => Value::Fixed(take(&mut self.0, 4)?),
                _ => return Err(BROKEN),
            };
            Ok((tag >> 3, value))
        })
    }
}

/// A number, the bytes of a text, a message or a list, or those of a number with a
/// fixed length.
pub(super) enum Value<'m> {
    Number(u64),
    Bytes(&'m [u8]),
    Fixed(&'m [u8]),
}

fn take<'m>(message: &mut &'m [u8], length: u64) -> Result<&'m [u8], &'static str> {
    let length = usize::try_from(length).map_err(|_| BROKEN)?;
    let (taken, rest) = message.split_at_checked(length).ok_or(BROKEN)?;
    *message = rest;
    Ok(taken)
}

/// Seven bits a byte, the lowest first.
pub(super) fn varint(message: &mut &[u8]) -> Result<u64, &'static str> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = message.split_first().ok_or(BROKEN)?;
        *message = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(BROKEN)
}

pub(super) const BROKEN: &str = "it is not an ONNX file";
const OPERATION: &str = "it has an operation that presend does not let run";
const OUTSIDE: &str = "it keeps weights in another file";
pub(super) const UNKNOWN: &str = "it has a part that presend does not let run";
