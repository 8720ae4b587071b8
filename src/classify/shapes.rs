//! How large every tensor of a model is, before a runtime sees the file.
//!
//! A few bytes of a file can ask for all the memory there is: a column times a row, a
//! tensor joined to itself again and again, a picture with wide margins. Nothing but the
//! shapes tells, so they are followed here, from the input's, which a description fixes,
//! and those of the weights, through every operation. Sizes are exact or the file is
//! refused: with one that is only about right, arithmetic on shapes could be made to
//! lead anywhere. Shapes that the graph computes itself, as exporters write them, are
//! followed as small integers.

use std::collections::HashMap;
use std::ops::Deref;

use super::ModelError;
use super::graph::{BROKEN, Fields, HIGHEST_RANK, UNKNOWN, Value};
use super::model::Description;
use node::Node;
use weights::{Kind, Weights};

mod make;
mod node;
mod weights;

/// Refuses a file, of which [`graph::check`](super::graph::check) found nothing amiss,
/// that would take more than [`MOST_MEMORY`] or [`MOST_WORK`], or of which nobody can
/// tell.
pub(super) fn check(onnx: &[u8], description: &Description) -> Result<(), ModelError> {
    let Description { input, output, .. } = description;
    let shape = input.shape.map(|side| side as u64);
    let mut graph = Graph::default();
    let named = graph.read(onnx, &input.name, &shape).map_err(ModelError::Refused)?;
    if !named {
        return Err(ModelError::Unusable("it has no input of this name".into()));
    }
    if !graph.tensors.contains_key(output.name.as_str()) {
        return Err(ModelError::Unusable("it has no output of this name".into()));
    }
    Ok(())
}

/// Weights, all that operations make, and what the hungriest of them needs beside:
/// 512 MiB. The models of the repository need less than a quarter. A runtime frees most
/// tensors before it makes the last ones, in an order of its own.
const MOST_MEMORY: u64 = 512 << 20;

/// Multiplications, and numbers read, for a picture: more than the largest of the usual
/// classifiers needs, and forty times what a MobileNet does.
const MOST_WORK: u64 = 25_000_000_000;

/// Names of tensors: several for each of the most operations.
const MOST_TENSORS: usize = 1 << 16;

/// Integers that are followed through operations.
const MOST_INTEGERS: usize = 64;

/// Runtimes lay channels out in groups of up to so many.
const CHANNELS: u64 = 16;

type Checked<T> = Result<T, &'static str>;

#[derive(Default)]
struct Graph<'f> {
    tensors: HashMap<&'f str, Tensor>,
    bytes: u64,
    /// The most that an operation needs beside what it makes.
    beside: u64,
    work: u64,
}

impl<'f> Graph<'f> {
    /// False when no input has this name.
    fn read(&mut self, onnx: &'f [u8], input: &'f str, shape: &[u64]) -> Checked<bool> {
        let mut graph: &[u8] = &[];
        let mut version = false;
        for field in Fields(onnx) {
            match field? {
                (7, Value::Bytes(bytes)) => graph = bytes,
                (8, Value::Bytes(bytes)) => version |= is_known(bytes)?,
                _ => {}
            }
        }
        if !version {
            return Err(OLD);
        }
        let (mut named, mut others) = (false, Vec::new());
        for field in Fields(graph) {
            match field? {
                (5, Value::Bytes(bytes)) => {
                    let weights = Weights::read(bytes)?;
                    self.bytes = self.bytes.saturating_add(weights.bytes());
                    self.name(weights.name.ok_or(UNNAMED)?, weights.tensor)?;
                }
                (11, Value::Bytes(bytes)) => match name(bytes)? {
                    found if found == input => named = true,
                    other => others.push(other),
                },
                _ => {}
            }
        }
        if !named {
            return Ok(false);
        }
        // Old files list their weights among the inputs.
        if others.iter().any(|other| !self.tensors.contains_key(other)) {
            return Err("it takes more than one input: export it with the picture alone");
        }
        let picture = Tensor::new(Shape::of(shape)?, Kind::FLOAT.width());
        self.bytes = self.bytes.saturating_add(picture.bytes());
        self.name(input, picture)?;
        for field in Fields(graph) {
            if let (1, Value::Bytes(bytes)) = field? {
                self.node(bytes)?;
            }
        }
        // Runtimes believe what a file declares.
        for field in Fields(graph) {
            if let (11..=13, Value::Bytes(bytes)) = field?
                && let Some(tensor) = self.tensors.get(name(bytes)?)
            {
                declared(bytes, &tensor.shape)?;
            }
        }
        Ok(true)
    }

    fn node(&mut self, bytes: &'f [u8]) -> Checked<()> {
        let node = Node::read(bytes)?;
        let given = node.inputs.iter().map(|&name| match name {
            "" => Ok(None),
            _ => self.tensors.get(name).map(Some).ok_or(
                "an operation reads what none before it makes: \
                 export it with its operations in order",
            ),
        });
        let given: Vec<Option<&Tensor>> = given.collect::<Checked<_>>()?;
        let read = given.iter().flatten().map(|tensor| tensor.shape.numbers());
        let read = read.fold(0, u64::saturating_add);
        let made = make::made(&node, &given)?;
        if made.tensors.len() < node.outputs.len() {
            return Err("an operation has an output that presend does not let it make");
        }
        self.beside = self.beside.max(made.beside.saturating_mul(Kind::FLOAT.width()));
        self.work = self.work.saturating_add(read).saturating_add(made.work);
        for tensor in &made.tensors {
            self.bytes = self.bytes.saturating_add(tensor.bytes());
        }
        if self.bytes.saturating_add(self.beside) > MOST_MEMORY {
            return Err(LARGE);
        }
        if self.work > MOST_WORK {
            return Err("it would take more than 25 billion multiplications for a picture: \
                 take a smaller model");
        }
        for (&output, tensor) in node.outputs.iter().zip(made.tensors) {
            if !output.is_empty() {
                self.name(output, tensor)?;
            }
        }
        Ok(())
    }

    fn name(&mut self, name: &'f str, tensor: Tensor) -> Checked<()> {
        if name.is_empty() {
            return Err(UNNAMED);
        }
        if self.tensors.len() == MOST_TENSORS {
            return Err("it has more than 65536 tensors");
        }
        match self.tensors.insert(name, tensor) {
            None if self.bytes.saturating_add(self.beside) > MOST_MEMORY => Err(LARGE),
            None => Ok(()),
            Some(_) => Err("two of its tensors have one name"),
        }
    }
}

/// What is known of a tensor.
#[derive(Clone, Debug, PartialEq)]
struct Tensor {
    shape: Shape,
    /// Bytes that a number takes in memory.
    width: u64,
    /// The numbers, where they are few and integers. Those that do not fit 32 bits, in
    /// which some runtimes keep them, stand at the ends.
    integers: Option<Vec<i64>>,
}

impl Tensor {
    fn new(shape: Shape, width: u64) -> Self {
        Self { shape, width, integers: None }
    }

    fn bytes(&self) -> u64 {
        let numbers = match *self.shape {
            [n, channels, height, width] => {
                let channels = channels.checked_next_multiple_of(CHANNELS).unwrap_or(u64::MAX);
                product(&[n, channels, height, width])
            }
            _ => self.shape.numbers(),
        };
        numbers.saturating_mul(self.width)
    }
}

/// The sides of a tensor: few, and not more numbers than fit the memory.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Shape {
    sides: [u64; HIGHEST_RANK as usize],
    rank: usize,
}

impl Shape {
    fn of(sides: &[u64]) -> Checked<Self> {
        let mut kept = [0; HIGHEST_RANK as usize];
        kept.get_mut(..sides.len())
            .ok_or("a tensor has too many dimensions")?
            .copy_from_slice(sides);
        // A tensor of none may have a side of any length, and none stay so.
        if sides.iter().any(|&side| side > MOST_MEMORY) || product(sides) > MOST_MEMORY {
            return Err(LARGE);
        }
        Ok(Self { sides: kept, rank: sides.len() })
    }

    fn numbers(&self) -> u64 {
        product(self)
    }
}

impl Deref for Shape {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        &self.sides[..self.rank]
    }
}

fn product(sides: &[u64]) -> u64 {
    if sides.contains(&0) { 0 } else { sides.iter().copied().fold(1, u64::saturating_mul) }
}

/// Whether a set of operations is one that broadcasts as all since do; false for those
/// of other domains, of which no operation is let run.
fn is_known(message: &[u8]) -> Checked<bool> {
    let (mut is_own, mut version) = (true, 0);
    for field in Fields(message) {
        match field? {
            (1, Value::Bytes(domain)) => is_own = matches!(domain, b"" | b"ai.onnx"),
            (2, Value::Number(number)) => version = number,
            _ => return Err(UNKNOWN),
        }
    }
    if is_own && version < 7 { Err(OLD) } else { Ok(is_own) }
}

/// What a named type is of.
fn name(message: &[u8]) -> Checked<&str> {
    let mut found = "";
    for field in Fields(message) {
        match field? {
            (1, Value::Bytes(name)) => found = text(name)?,
            (1, _) => return Err(BROKEN),
            _ => {}
        }
    }
    Ok(found)
}

/// That a named type says nothing else of its shape.
fn declared(message: &[u8], shape: &[u64]) -> Checked<()> {
    let within = |message, number| {
        Fields(message).filter_map(move |field| match field {
            Ok((found, Value::Bytes(bytes))) if found == number => Some(Ok(bytes)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
    };
    for kind in within(message, 2) {
        for tensor in within(kind?, 1) {
            for declared in within(tensor?, 2) {
                let mut sides = shape.iter();
                for side in within(declared?, 1) {
                    let &known = sides.next().ok_or(DECLARED)?;
                    for field in Fields(side?) {
                        match field? {
                            // Below 0 it is unknown.
                            (1, Value::Number(side)) if side.cast_signed() < 0 => {}
                            (1, Value::Number(side)) if side == known => {}
                            (1, _) => return Err(DECLARED),
                            _ => {}
                        }
                    }
                }
                if sides.next().is_some() {
                    return Err(DECLARED);
                }
            }
        }
    }
    Ok(())
}

fn text(bytes: &[u8]) -> Checked<&str> {
    str::from_utf8(bytes).map_err(|_| BROKEN)
}

const LARGE: &str = "its tensors would take more than 512 MiB: take a smaller model";
const UNSURE: &str = "the size of a tensor does not follow from the input and the weights: \
    export it with a fixed shape and constants folded";
const UNFIT: &str = "an operation does not fit the shapes that it is given";
const OLD: &str = "it is of a version of ONNX before 7: export it anew";
const UNNAMED: &str = "a tensor has no name";
const DECLARED: &str = "it declares another shape than a tensor has: \
    export it with the shape of the description";

#[cfg(test)]
mod tests;
