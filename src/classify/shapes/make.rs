//! What each operation makes of the shapes that it is given, by the ONNX specification.
//!
//! Where a shape does not fit there is an error, as runtimes have one, and where it would
//! not be the same on all of them.

use super::node::{Attribute, Node};
use super::weights::{Kind, Weights, within};
use super::{Checked, LARGE, MOST_INTEGERS, Shape, Tensor, UNFIT, UNSURE, product};

/// What an operation makes and what it takes to do so.
pub(super) struct Made {
    pub(super) tensors: Vec<Tensor>,
    /// Multiplications.
    pub(super) work: u64,
    /// Numbers that it needs beside its inputs and outputs.
    pub(super) beside: u64,
}

impl From<Tensor> for Made {
    fn from(tensor: Tensor) -> Self {
        Self { tensors: vec![tensor], work: 0, beside: 0 }
    }
}

pub(super) fn made(node: &Node<'_>, given: &[Option<&Tensor>]) -> Checked<Made> {
    let given = Given(given);
    let made = match node.operation {
        "Constant" => constant(node)?,
        "Cast" => cast(node, given.first()?)?,
        "Identity" => given.first()?.clone(),
        "Elu" | "Erf" | "Exp" | "Gelu" | "HardSigmoid" | "HardSwish" | "LeakyRelu" | "Neg"
        | "Relu" | "Sigmoid" | "Softmax" | "Sqrt" | "Tanh" => given.first()?.like(),
        "Clip" | "PRelu" => given.onto_first()?,
        "BatchNormalization" | "DequantizeLinear" | "QuantizeLinear" => given.scaled_first()?,
        "Dropout" | "LayerNormalization" => return several(node, &given),
        "Add" | "Sub" | "Mul" | "Div" | "Pow" => binary(node.operation, given.two()?)?,
        "Concat" => concat(node, &given)?,
        "Gather" => gather(node, given.two()?)?,
        "Shape" => shape(node, given.first()?)?,
        "Reshape" => reshape(node, &given)?,
        "Flatten" => flatten(node, given.first()?)?,
        "Squeeze" => squeeze(node, &given)?,
        "Unsqueeze" => unsqueeze(node, &given)?,
        "Transpose" => transpose(node, given.first()?)?,
        "Slice" => slice(node, &given)?,
        "Split" => return split(node, &given),
        "ReduceMax" | "ReduceMean" | "ReduceSum" => reduce(node, &given)?,
        "GlobalAveragePool" | "GlobalMaxPool" => {
            let from = given.first()?;
            let [n, channels, around @ ..] = &*from.shape else { return Err(UNFIT) };
            let sides: Vec<_> =
                [*n, *channels].into_iter().chain(around.iter().map(|_| 1)).collect();
            from.shaped(&sides)?
        }
        "AveragePool" | "MaxPool" => return pool(node, &given),
        "Conv" => return convolution(node, &given),
        "MatMul" => return product_of(given.two()?),
        "Gemm" => return gemm(node, &given),
        _ => return Err(UNSURE),
    };
    Ok(made.into())
}

/// The inputs; none where an optional one is left out.
struct Given<'t>(&'t [Option<&'t Tensor>]);

impl<'t> Given<'t> {
    fn get(&self, n: usize) -> Option<&'t Tensor> {
        self.0.get(n).copied().flatten()
    }

    fn first(&self) -> Checked<&'t Tensor> {
        self.get(0).ok_or(UNFIT)
    }

    fn two(&self) -> Checked<[&'t Tensor; 2]> {
        let &[Some(a), Some(b)] = self.0 else { return Err(UNFIT) };
        Ok([a, b])
    }

    /// The first, with all others spread over it.
    fn onto_first(&self) -> Checked<Tensor> {
        let from = self.first()?;
        for other in self.0.iter().flatten() {
            if broadcast(&from.shape, &other.shape)? != *from.shape {
                return Err(UNFIT);
            }
        }
        Ok(Tensor::new(from.shape, self.width()))
    }

    /// The first, with others that have at most a number for each of it.
    fn scaled_first(&self) -> Checked<Tensor> {
        let from = self.first()?;
        let numbers = from.shape.numbers();
        let fits = self.0.iter().flatten().all(|other| other.shape.numbers() <= numbers.max(1));
        if fits { Ok(Tensor::new(from.shape, self.width())) } else { Err(UNFIT) }
    }

    /// That of the widest.
    fn width(&self) -> u64 {
        self.0.iter().flatten().map(|tensor| tensor.width).max().unwrap_or_default()
    }
}

impl Tensor {
    /// As large, of other numbers.
    fn like(&self) -> Self {
        Self::new(self.shape, self.width)
    }

    /// As wide, of another shape and other numbers; not empty.
    fn shaped(&self, sides: &[u64]) -> Checked<Self> {
        if sides.contains(&0) { Err(UNFIT) } else { Ok(Self::new(Shape::of(sides)?, self.width)) }
    }

    /// The same numbers in another shape.
    fn reshaped(&self, sides: &[u64]) -> Checked<Self> {
        if product(sides) != self.shape.numbers() {
            return Err(UNFIT);
        }
        Ok(Self { integers: self.integers.clone(), ..self.shaped(sides)? })
    }

    /// A list of these; they are not followed where there are many.
    fn listed(integers: Vec<i64>) -> Checked<Self> {
        let tensor = Self::new(Shape::of(&[integers.len() as u64])?, 8);
        let followed = integers.len() <= MOST_INTEGERS;
        Ok(Self { integers: followed.then_some(integers), ..tensor })
    }
}

fn constant(node: &Node<'_>) -> Checked<Tensor> {
    let [(name, value)] = node.attributes.as_slice() else { return Err(UNSURE) };
    if !node.inputs.is_empty() {
        return Err(UNFIT);
    }
    let single = |width| Ok(Tensor::new(Shape::of(&[])?, width));
    match (*name, value) {
        ("value", Attribute::Tensor(tensor)) => Ok(Weights::read(tensor)?.tensor),
        ("value_float", Attribute::Float) => single(4),
        ("value_floats", &Attribute::Floats(count)) => Ok(Tensor::new(Shape::of(&[count])?, 4)),
        ("value_int", &Attribute::Integer(number)) => {
            let integers = Some(vec![within(number)]);
            Ok(Tensor { integers, ..single(8)? })
        }
        ("value_ints", Attribute::Integers(numbers)) => Tensor::listed(numbers.clone()),
        _ => Err(UNSURE),
    }
}

fn cast(node: &Node<'_>, from: &Tensor) -> Checked<Tensor> {
    let to = node.integer("to")?.and_then(|to| Kind::new(to.cast_unsigned())).ok_or(UNFIT)?;
    let integers = from.integers.clone().filter(|all| to.is_integer() && all.iter().all(fits));
    Ok(Tensor { shape: from.shape, width: to.width(), integers })
}

/// Those that can make more than one tensor.
fn several(node: &Node<'_>, given: &Given<'_>) -> Checked<Made> {
    let from = given.first()?;
    let mut made: Made =
        if node.operation == "Dropout" { from.like().into() } else { given.onto_first()?.into() };
    // A mask; means and deviations.
    let most = if node.operation == "Dropout" { 2 } else { 3 };
    for _ in 1..node.outputs.len().min(most) {
        made.tensors.push(from.like());
    }
    if node.operation == "LayerNormalization" && node.outputs.len() > 1 {
        let axis = axis(node.integer("axis")?.unwrap_or(-1), from.shape.len())?;
        let mut sides = from.shape.to_vec();
        sides[axis..].fill(1);
        for tensor in &mut made.tensors[1..] {
            *tensor = from.shaped(&sides)?;
        }
    }
    Ok(made)
}

fn binary(operation: &str, [a, b]: [&Tensor; 2]) -> Checked<Tensor> {
    // Some runtimes leave out what is a single number, and its dimensions with it.
    let is_wrapped = |one: &Tensor, other: &Tensor| {
        one.shape.numbers() == 1 && one.shape.len() > other.shape.len()
    };
    if is_wrapped(a, b) || is_wrapped(b, a) {
        return Err(UNSURE);
    }
    let made = Tensor::new(Shape::of(&broadcast(&a.shape, &b.shape)?)?, a.width.max(b.width));
    if made.shape.contains(&0) {
        return Err(UNFIT);
    }
    let (Some(left), Some(right)) = (&a.integers, &b.integers) else { return Ok(made) };
    if made.shape.len() > 1 || made.shape.numbers() > MOST_INTEGERS as u64 {
        return Ok(made);
    }
    let at = |list: &[i64], n: usize| list.get(if list.len() == 1 { 0 } else { n }).copied();
    let mut integers = Some(Vec::new());
    for n in 0..made.shape.numbers() as usize {
        let (a, b) = (at(left, n).ok_or(UNFIT)?, at(right, n).ok_or(UNFIT)?);
        let number = match operation {
            "Add" => a + b,
            "Sub" => a - b,
            // Of 32 bits each.
            "Mul" => a * b,
            "Div" if a >= 0 && b > 0 => a / b,
            "Div" if b == 0 => return Err(UNFIT),
            _ => {
                integers = None;
                continue;
            }
        };
        if ![a, b, number].iter().all(fits) {
            return Err(UNSURE);
        }
        if let Some(integers) = &mut integers {
            integers.push(number);
        }
    }
    Ok(Tensor { integers, ..made })
}

/// Well within 32 bits: where numbers leave them, runtimes differ.
fn fits(number: &i64) -> bool {
    (i64::from(i32::MIN) + 1..i32::MAX.into()).contains(number)
}

fn concat(node: &Node<'_>, given: &Given<'_>) -> Checked<Tensor> {
    let first = given.first()?;
    let axis = axis(node.integer("axis")?.ok_or(UNFIT)?, first.shape.len())?;
    let mut sides = first.shape.to_vec();
    sides[axis] = 0;
    let (mut width, mut integers) = (0, Some(Vec::new()));
    for tensor in given.0 {
        let tensor = tensor.ok_or(UNFIT)?;
        let fits = tensor.shape.len() == sides.len()
            && (0..sides.len()).all(|n| n == axis || sides[n] == tensor.shape[n]);
        if !fits {
            return Err(UNFIT);
        }
        sides[axis] = sides[axis].saturating_add(tensor.shape[axis]);
        width = tensor.width.max(width);
        integers = integers.zip(tensor.integers.as_ref()).map(|(mut all, more)| {
            all.extend(more);
            all
        });
        integers = integers.filter(|all| sides.len() == 1 && all.len() <= MOST_INTEGERS);
    }
    let made = Tensor { width, ..first.shaped(&sides)? };
    Ok(Tensor { integers, ..made })
}

fn gather(node: &Node<'_>, [from, places]: [&Tensor; 2]) -> Checked<Tensor> {
    let axis = axis(node.integer("axis")?.unwrap_or(0), from.shape.len())?;
    let sides = [&from.shape[..axis], &places.shape, &from.shape[axis + 1..]].concat();
    let made = from.shaped(&sides)?;
    let (Some(numbers), Some(places)) = (&from.integers, &places.integers) else {
        return Ok(made);
    };
    if from.shape.len() > 1 || sides.len() > 1 {
        return Ok(made);
    }
    let count = numbers.len() as i64;
    let at = |&place: &i64| {
        let place = if place < 0 { place + count } else { place };
        numbers.get(usize::try_from(place).ok()?).copied()
    };
    Ok(Tensor { integers: places.iter().map(at).collect(), ..made })
}

fn shape(node: &Node<'_>, from: &Tensor) -> Checked<Tensor> {
    let rank = from.shape.len() as i64;
    let place = |place: i64| {
        let place = if place < 0 { place.saturating_add(rank) } else { place };
        place.clamp(0, rank) as usize
    };
    let start = place(node.integer("start")?.unwrap_or(0));
    let end = place(node.integer("end")?.unwrap_or(rank));
    let sides = from.shape.get(start..end).ok_or(UNFIT)?;
    Tensor::listed(sides.iter().map(|&side| side as i64).collect())
}

fn reshape(node: &Node<'_>, given: &Given<'_>) -> Checked<Tensor> {
    let from = given.first()?;
    let wanted = node.list("shape", given.get(1))?.ok_or(UNFIT)?;
    let keeps = !node.flag("allowzero", false)?;
    let mut sides = Vec::new();
    let mut open = None;
    for (n, &side) in wanted.iter().enumerate() {
        sides.push(match side {
            -1 if open.replace(n).is_none() => 1,
            0 if keeps => *from.shape.get(n).ok_or(UNFIT)?,
            1.. => side.cast_unsigned(),
            _ => return Err(UNFIT),
        });
    }
    if let Some(open) = open {
        sides[open] = from.shape.numbers().checked_div(product(&sides)).ok_or(UNFIT)?;
    }
    from.reshaped(&sides)
}

fn flatten(node: &Node<'_>, from: &Tensor) -> Checked<Tensor> {
    let rank = from.shape.len();
    let wanted = node.integer("axis")?.unwrap_or(1);
    let axis = if wanted == rank as i64 { rank } else { axis(wanted, rank)? };
    let (rows, columns) = from.shape.split_at(axis);
    from.reshaped(&[product(rows), product(columns)])
}

fn squeeze(node: &Node<'_>, given: &Given<'_>) -> Checked<Tensor> {
    let from = given.first()?;
    let gone = match node.list("axes", given.get(1))? {
        Some(axes) => axes_of(axes, from.shape.len())?,
        None => (0..from.shape.len()).filter(|&n| from.shape[n] == 1).collect(),
    };
    let kept = (0..from.shape.len()).filter(|n| !gone.contains(n));
    let sides: Vec<u64> = kept.map(|n| from.shape[n]).collect();
    from.reshaped(&sides)
}

fn unsqueeze(node: &Node<'_>, given: &Given<'_>) -> Checked<Tensor> {
    let from = given.first()?;
    let axes = node.list("axes", given.get(1))?.ok_or(UNFIT)?;
    let rank = from.shape.len() + axes.len();
    let new = axes_of(axes, rank)?;
    let mut old = from.shape.iter();
    let side = |n| if new.contains(&n) { Some(1) } else { old.next().copied() };
    let sides: Option<Vec<u64>> = (0..rank).map(side).collect();
    from.reshaped(&sides.ok_or(UNFIT)?)
}

fn transpose(node: &Node<'_>, from: &Tensor) -> Checked<Tensor> {
    let rank = from.shape.len();
    let order = match node.integers("perm")? {
        None => (0..rank).rev().collect(),
        Some(order) if order.len() == rank && order.iter().all(|&n| n >= 0) => {
            axes_of(order, rank)?
        }
        Some(_) => return Err(UNFIT),
    };
    let sides: Vec<u64> = order.iter().map(|&n| from.shape[n]).collect();
    let integers = from.integers.clone().filter(|_| rank <= 1);
    Ok(Tensor { integers, ..from.shaped(&sides)? })
}

fn slice(node: &Node<'_>, given: &Given<'_>) -> Checked<Tensor> {
    let from = given.first()?;
    let rank = from.shape.len();
    if from.shape.contains(&0) {
        return Err(UNFIT);
    }
    let starts = node.list("starts", given.get(1))?.ok_or(UNFIT)?;
    let ends = node.list("ends", given.get(2))?.ok_or(UNFIT)?;
    let axes = match node.list("axes", given.get(3))? {
        Some(axes) => axes_of(axes, rank)?,
        None => (0..starts.len()).collect(),
    };
    let ones = vec![1; starts.len()];
    let steps = node.list("steps", given.get(4))?.unwrap_or(&ones);
    let counts = [ends.len(), axes.len(), steps.len()];
    if counts != [starts.len(); 3] || starts.len() > rank {
        return Err(UNFIT);
    }
    let mut sides = from.shape.to_vec();
    let mut integers = from.integers.clone().filter(|_| rank == 1);
    for (((&start, &end), &axis), &step) in starts.iter().zip(ends).zip(&axes).zip(steps) {
        let side = sides[axis] as i64;
        let from_end = |place: i64| if place < 0 { place + side } else { place };
        let (start, end) = match step {
            1.. => (from_end(start).clamp(0, side), from_end(end).clamp(0, side)),
            // Before the first number there is nothing, or the first one.
            ..0 if from_end(start) < 0 => return Err(UNSURE),
            ..0 => (from_end(start).clamp(0, side - 1), from_end(end).clamp(-1, side - 1)),
            0 => return Err(UNFIT),
        };
        let distance = if step > 0 { end - start } else { start - end };
        let count = distance.max(0).cast_unsigned().div_ceil(step.unsigned_abs());
        sides[axis] = count;
        let at = |n: i64| usize::try_from(start + n * step).ok();
        integers =
            integers.and_then(|all| (0..count as i64).map(|n| all.get(at(n)?).copied()).collect());
    }
    Ok(Tensor { integers, ..from.shaped(&sides)? })
}

fn split(node: &Node<'_>, given: &Given<'_>) -> Checked<Made> {
    let from = given.first()?;
    let axis = axis(node.integer("axis")?.unwrap_or(0), from.shape.len())?;
    let (side, parts) = (from.shape[axis], node.outputs.len() as u64);
    if node.integer("num_outputs")?.is_some_and(|count| count.cast_unsigned() != parts) {
        return Err(UNFIT);
    }
    let counts: Vec<u64> = match node.list("split", given.get(1))? {
        Some(counts) if counts.iter().all(|&count| count > 0) => {
            counts.iter().map(|&count| count.cast_unsigned()).collect()
        }
        Some(_) => return Err(UNFIT),
        // Runtimes differ in what they do with a rest.
        None if parts > 0 && side % parts == 0 => vec![side / parts; parts as usize],
        None => return Err(UNSURE),
    };
    if counts.len() as u64 != parts || counts.iter().sum::<u64>() != side {
        return Err(UNFIT);
    }
    let mut sides = from.shape.to_vec();
    let tensors = counts.into_iter().map(|count| {
        sides[axis] = count;
        from.shaped(&sides)
    });
    Ok(Made { tensors: tensors.collect::<Checked<_>>()?, work: 0, beside: 0 })
}

fn reduce(node: &Node<'_>, given: &Given<'_>) -> Checked<Tensor> {
    let from = given.first()?;
    let rank = from.shape.len();
    let gone = match node.list("axes", given.get(1))? {
        Some([]) => return Err(UNSURE),
        None if node.flag("noop_with_empty_axes", false)? => return Err(UNSURE),
        None => (0..rank).collect(),
        Some(axes) => axes_of(axes, rank)?,
    };
    let keeps = node.flag("keepdims", true)?;
    let side = |n| match gone.contains(&n) {
        true => keeps.then_some(1),
        false => Some(from.shape[n]),
    };
    let sides: Vec<u64> = (0..rank).filter_map(side).collect();
    from.shaped(&sides)
}

fn pool(node: &Node<'_>, given: &Given<'_>) -> Checked<Made> {
    let from = given.first()?;
    let [n, channels, around @ ..] = &*from.shape else { return Err(UNFIT) };
    let kernel = node.integers("kernel_shape")?.ok_or(UNFIT)?;
    let kernel: Option<Vec<u64>> = kernel.iter().map(|&side| u64::try_from(side).ok()).collect();
    let kernel = kernel.ok_or(UNFIT)?;
    // Not all runtimes know them.
    if node.integers("dilations")?.is_some_and(|all| all.iter().any(|&one| one != 1)) {
        return Err(UNSURE);
    }
    let (made, padded) = windows(node, around, &kernel)?;
    let tensor = from.shaped(&[&[*n, *channels], &made[..]].concat())?;
    let work = tensor.shape.numbers().saturating_mul(product(&kernel));
    let beside = product(&[&[*n, *channels], &padded[..]].concat());
    let mut tensors = vec![tensor];
    if node.operation == "MaxPool" && node.outputs.len() == 2 {
        // Where they were found, in 64 bits.
        tensors.push(Tensor::new(tensors[0].shape, 8));
    }
    Ok(Made { tensors, work, beside })
}

fn convolution(node: &Node<'_>, given: &Given<'_>) -> Checked<Made> {
    let (from, weights) = (given.first()?, given.get(1).ok_or(UNFIT)?);
    let [n, channels, around @ ..] = &*from.shape else { return Err(UNFIT) };
    let [outputs, inputs, kernel @ ..] = &*weights.shape else { return Err(UNFIT) };
    let groups = u64::try_from(node.integer("group")?.unwrap_or(1)).map_err(|_| UNFIT)?;
    let fits = inputs.checked_mul(groups) == Some(*channels)
        && outputs.checked_rem(groups) == Some(0)
        && given.get(2).is_none_or(|bias| *bias.shape == [*outputs]);
    let named = node.integers("kernel_shape")?;
    let named = named.is_none_or(|named| {
        named.len() == kernel.len()
            && named.iter().zip(kernel).all(|(&a, &b)| u64::try_from(a) == Ok(b))
    });
    if !fits || !named {
        return Err(UNFIT);
    }
    let (made, padded) = windows(node, around, kernel)?;
    let tensor = Tensor {
        width: from.width.max(weights.width),
        ..from.shaped(&[&[*n, *outputs], &made[..]].concat())?
    };
    let window = product(kernel).saturating_mul(*inputs);
    let work = (tensor.bytes() / tensor.width).saturating_mul(window);
    // The picture with its margins, and every pixel's window side by side.
    let margins = product(&[&[*n, *channels], &padded[..]].concat());
    let patches = product(&made).saturating_mul(window);
    Ok(Made { tensors: vec![tensor], work, beside: margins.saturating_add(patches) })
}

/// How many windows fit along each side, and how long it is with its margins.
fn windows(node: &Node<'_>, around: &[u64], kernel: &[u64]) -> Checked<(Vec<u64>, Vec<u64>)> {
    let rank = around.len();
    let sides = |name: &str, count: usize, default: u64, least: i64| -> Checked<Vec<u64>> {
        match node.integers(name)? {
            None => Ok(vec![default; count]),
            Some(sides) if sides.len() == count && sides.iter().all(|&side| side >= least) => {
                Ok(sides.iter().map(|&side| side.cast_unsigned()).collect())
            }
            Some(_) => Err(UNFIT),
        }
    };
    let strides = sides("strides", rank, 1, 1)?;
    let dilations = sides("dilations", rank, 1, 1)?;
    let pads = sides("pads", 2 * rank, 0, 0)?;
    let same = match node.text("auto_pad")?.unwrap_or(b"NOTSET") {
        b"NOTSET" => false,
        b"VALID" if pads.iter().all(|&pad| pad == 0) => false,
        b"SAME_UPPER" | b"SAME_LOWER" if pads.iter().all(|&pad| pad == 0) => true,
        _ => return Err(UNSURE),
    };
    let rounds_up = node.flag("ceil_mode", false)?;
    if kernel.len() != rank || !(1..=3).contains(&rank) || kernel.contains(&0) {
        return Err(UNFIT);
    }
    let (mut made, mut padded) = (Vec::new(), Vec::new());
    for n in 0..rank {
        let (side, stride) = (around[n], strides[n]);
        // Attributes are of 32 bits, sides shorter: none of this overflows.
        let reach = (kernel[n] - 1).checked_mul(dilations[n]).ok_or(LARGE)? + 1;
        let (count, length) = if same {
            let count = side.div_ceil(stride);
            (count, side.max((count - 1) * stride + reach))
        } else {
            let length = side + pads[n] + pads[rank + n];
            let room = length.checked_sub(reach).ok_or(UNFIT)?;
            let count = room / stride + 1;
            if rounds_up && room % stride != 0 {
                // A last window that begins behind the picture is left out by some.
                if count * stride >= side + pads[n] {
                    return Err(UNSURE);
                }
                (count + 1, length)
            } else {
                (count, length)
            }
        };
        made.push(count);
        padded.push(length);
    }
    Ok((made, padded))
}

/// The last two sides are multiplied, those before them broadcast.
fn product_of([a, b]: [&Tensor; 2]) -> Checked<Made> {
    let (left, inner, rows): (&[u64], _, _) = match &*a.shape {
        [] => return Err(UNFIT),
        &[inner] => (&[], inner, None),
        [left @ .., rows, inner] => (left, *inner, Some(*rows)),
    };
    let (right, known, columns): (&[u64], _, _) = match &*b.shape {
        [] => return Err(UNFIT),
        // Some runtimes leave a side of length 1.
        [_] => return Err(UNSURE),
        [right @ .., inner, columns] => (right, *inner, *columns),
    };
    if inner != known {
        return Err(UNFIT);
    }
    let mut sides = broadcast(left, right)?;
    sides.extend(rows.into_iter().chain([columns]));
    let tensor = Tensor { width: a.width.max(b.width), ..a.shaped(&sides)? };
    let work = tensor.shape.numbers().saturating_mul(inner);
    Ok(Made { work, ..tensor.into() })
}

fn gemm(node: &Node<'_>, given: &Given<'_>) -> Checked<Made> {
    let (a, b) = (given.first()?, given.get(1).ok_or(UNFIT)?);
    let (&[mut rows, mut inner], &[mut known, mut columns]) = (&*a.shape, &*b.shape) else {
        return Err(UNFIT);
    };
    if node.flag("transA", false)? {
        (rows, inner) = (inner, rows);
    }
    if node.flag("transB", false)? {
        (known, columns) = (columns, known);
    }
    let sides = [rows, columns];
    let bias = given.get(2).map(|bias| broadcast(&sides, &bias.shape)).transpose()?;
    if inner != known || bias.is_some_and(|made| made != sides) {
        return Err(UNFIT);
    }
    let tensor = Tensor { width: a.width.max(b.width), ..a.shaped(&sides)? };
    let work = tensor.shape.numbers().saturating_mul(inner);
    Ok(Made { work, ..tensor.into() })
}

/// Sides are aligned at the last; one of length 1 is repeated.
fn broadcast(a: &[u64], b: &[u64]) -> Checked<Vec<u64>> {
    let rank = a.len().max(b.len());
    let side = |sides: &[u64], n: usize| match (n + sides.len()).checked_sub(rank) {
        Some(n) => sides[n],
        None => 1,
    };
    let sides = (0..rank).map(|n| match (side(a, n), side(b, n)) {
        (1, side) | (side, 1) => Ok(side),
        (one, other) if one == other => Ok(one),
        _ => Err(UNFIT),
    });
    sides.collect()
}

/// Below 0 it counts from the end.
fn axis(axis: i64, rank: usize) -> Checked<usize> {
    let from_start = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
    let found = from_start.and_then(|axis| usize::try_from(axis).ok());
    found.filter(|&axis| axis < rank).ok_or(UNFIT)
}

/// Each once.
fn axes_of(axes: &[i64], rank: usize) -> Checked<Vec<usize>> {
    let mut found = Vec::new();
    for &wanted in axes {
        let axis = axis(wanted, rank)?;
        if found.contains(&axis) {
            return Err(UNFIT);
        }
        found.push(axis);
    }
    Ok(found)
}
