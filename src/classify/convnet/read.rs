//! ONNX graphs to the steps of a network.
//!
//! Constants are computed here, activations join the step before them, and every
//! picture gets a place that no other needs at the time. Whatever is not known
//! ends the reading with none.

use std::collections::HashMap;
use std::mem;

use rten_onnx::onnx::{DataType, GraphProto, ModelProto, NodeProto, TensorProto};

use super::lanes::Weights;
use super::{Channels, Convnet, Limits, Operation, Shape, Step, Window};
use crate::classify::ModelError;
use crate::classify::input::{Input, Layout};

impl Convnet {
    /// The network of an ONNX file; none when it has anything that is not known
    /// here.
    ///
    /// # Errors
    /// [`ModelError::Refused`] when it would hold more than [`MOST_VALUES`].
    pub(in crate::classify) fn read(
        onnx: &[u8],
        input: &Input,
        output: &str,
        threads: usize,
    ) -> Result<Option<Self>, ModelError> {
        let Some(graph) = ModelProto::parse_buf(onnx).ok().and_then(|model| model.graph) else {
            return Ok(None);
        };
        let mut reader = Reader {
            given: HashMap::new(),
            computed: HashMap::new(),
            images: HashMap::new(),
            uses: HashMap::new(),
            steps: Vec::new(),
            held: 0,
        };
        let network = reader.network(&graph, input, output, threads);
        if reader.held > MOST_VALUES {
            return Err(ModelError::Refused("it would hold more than fits a phone's memory"));
        }
        Ok(network)
    }
}

/// Numbers that a picture on its way, all those held at a time, or the weights of a
/// step may have: 256 MiB. The models of the repository need a hundredth.
const MOST_VALUES: usize = 64 << 20;

/// Numbers of two of the widest vectors.
const WIDEST: usize = 32;

struct Reader<'g> {
    /// Constants of the file. They are expanded one at a time.
    given: HashMap<&'g str, &'g TensorProto>,
    /// Those that nodes make. Each goes to the one node that reads it.
    computed: HashMap<&'g str, Constant>,
    images: HashMap<&'g str, Image>,
    /// How often a value is read.
    uses: HashMap<&'g str, usize>,
    /// Step `n` makes the value `n + 1`; the value 0 is the input.
    steps: Vec<Step>,
    /// The most numbers that anything would hold.
    held: usize,
}

#[derive(Clone, Copy)]
struct Image {
    value: usize,
    shape: Shape,
    /// How the graph sees it; it always lies channels last.
    channels_first: bool,
}

struct Constant {
    shape: Vec<usize>,
    values: Values,
}

enum Values {
    Floats(Vec<f32>),
    /// 8-bit weights, signed or not.
    Bytes(Vec<i16>),
    Integers(Vec<i64>),
}

impl Constant {
    fn read(tensor: &TensorProto) -> Option<Self> {
        let shape = tensor.dims.iter().map(|&side| usize::try_from(side).ok());
        let shape: Vec<_> = shape.collect::<Option<_>>()?;
        let raw = tensor.raw_data.as_ref().map(|raw| raw.borrow());
        let raw = raw.as_deref().map(Vec::as_slice);
        let values = match (tensor.data_type?, raw) {
            (DataType::FLOAT, None) => Values::Floats(tensor.float_data.clone()),
            (DataType::FLOAT, Some(raw)) => {
                let (values, []) = raw.as_chunks() else { return None };
                Values::Floats(values.iter().map(|&value| f32::from_le_bytes(value)).collect())
            }
            (DataType::UINT8, Some(raw)) => {
                Values::Bytes(raw.iter().copied().map(i16::from).collect())
            }
            (DataType::INT8, Some(raw)) => {
                Values::Bytes(raw.iter().map(|&value| i16::from(value.cast_signed())).collect())
            }
            (DataType::INT64, None) => Values::Integers(tensor.int64_data.clone()),
            (DataType::INT64, Some(raw)) => {
                let (values, []) = raw.as_chunks() else { return None };
                Values::Integers(values.iter().map(|&value| i64::from_le_bytes(value)).collect())
            }
            _ => return None,
        };
        let len = match &values {
            Values::Floats(values) => values.len(),
            Values::Bytes(values) => values.len(),
            Values::Integers(values) => values.len(),
        };
        (Some(len) == product(&shape)).then_some(Self { shape, values })
    }

    fn floats(self) -> Option<Vec<f32>> {
        if let Values::Floats(values) = self.values { Some(values) } else { None }
    }

    fn bytes(self) -> Option<Vec<i16>> {
        if let Values::Bytes(values) = self.values { Some(values) } else { None }
    }
}

impl<'g> Reader<'g> {
    fn network(
        &mut self,
        graph: &'g GraphProto,
        input: &'g Input,
        output: &'g str,
        threads: usize,
    ) -> Option<Convnet> {
        let Layout::Nhwc = input.layout else { return None };
        let [1, height, width, channels] = input.shape else { return None };
        for tensor in &graph.initializer {
            self.given.insert(tensor.name.as_deref()?, tensor);
        }
        for name in graph.node.iter().flat_map(|node| &node.input) {
            *self.uses.entry(name).or_default() += 1;
        }
        *self.uses.entry(output).or_default() += 1;
        let shape = Shape { height, width, channels };
        self.images.insert(&input.name, Image { value: 0, shape, channels_first: false });
        for node in &graph.node {
            self.node(node)?;
        }
        let output = self.images.get(output)?.value;
        let (places, output) = settle(&mut self.steps, output);
        let mut sizes = vec![shape.len(); places];
        for step in &self.steps {
            sizes[step.to] = sizes[step.to].max(step.made.len());
        }
        self.fits(sizes.iter().fold(0, |all, &size| all.saturating_add(size)))?;
        Convnet::new(mem::take(&mut self.steps), places, output, threads)
    }

    /// None when that is more than may be held.
    fn fits(&mut self, values: usize) -> Option<()> {
        self.held = self.held.max(values);
        (values <= MOST_VALUES).then_some(())
    }

    /// None when weights, which are filled up to whole vectors, hold more.
    fn weigh(&mut self, inputs: usize, outputs: usize) -> Option<()> {
        let padded = outputs.checked_next_multiple_of(WIDEST).unwrap_or(usize::MAX);
        self.fits(inputs.saturating_mul(padded))
    }

    fn node(&mut self, node: &'g NodeProto) -> Option<()> {
        let attributes = Attributes(node);
        let [output] = node.output.as_slice() else { return None };
        let inputs: Vec<&str> = node.input.iter().map(String::as_str).collect();
        let image = match (node.op_type.as_deref()?, inputs.as_slice()) {
            ("DequantizeLinear", &[levels, scale, ref zero @ ..]) => {
                let axis = usize::try_from(attributes.integer("axis").unwrap_or(1)).ok()?;
                let constant = self.dequantized(levels, scale, zero, axis)?;
                self.computed.insert(output, constant);
                return Some(());
            }
            ("Transpose", &[input]) => {
                let image = *self.images.get(input)?;
                let first = attributes.integers("perm") == Some(&[0, 3, 1, 2]);
                (first && !image.channels_first)
                    .then_some(Image { channels_first: true, ..image })?
            }
            ("Mul", &[a, b]) => match self.images.get(a) {
                Some(&image) => self.scaled(image, b, |value| (value, 0.0))?,
                None => self.scaled(*self.images.get(b)?, a, |value| (value, 0.0))?,
            },
            ("Sub", &[a, b]) => self.scaled(*self.images.get(a)?, b, |value| (1.0, -value))?,
            ("Add", &[a, b]) => match (self.images.get(a), self.images.get(b)) {
                (Some(&a), Some(&b)) => {
                    let same = a.shape == b.shape && a.channels_first == b.channels_first;
                    same.then_some(())?;
                    self.step(a, Operation::Sum(b.value), a.shape)
                }
                (Some(&image), None) => self.scaled(image, b, |value| (1.0, value))?,
                (None, Some(&image)) => self.scaled(image, a, |value| (1.0, value))?,
                (None, None) => return None,
            },
            ("Conv", &[input, weights, ref bias @ ..]) => {
                self.convolution(input, weights, bias, &attributes)?
            }
            ("Clip", &[input, low, high]) => {
                let limits = Limits { low: self.number(low)?, high: self.number(high)? };
                self.limited(input, limits)?
            }
            ("Relu", &[input]) => self.limited(input, Limits { low: 0.0, ..Limits::NONE })?,
            ("MaxPool", &[input]) => {
                let image = self.channels_first(input)?;
                let (window, shape) = attributes.window(image.shape)?;
                self.step(image, Operation::Largest(window), shape)
            }
            ("GlobalAveragePool", &[input]) => self.mean(self.channels_first(input)?),
            ("AveragePool", &[input]) => {
                let image = self.channels_first(input)?;
                let (_, made) = attributes.window(image.shape)?;
                let kernel = attributes.integers("kernel_shape")?;
                let whole = [image.shape.height as i64, image.shape.width as i64];
                (made.pixels() == 1 && kernel == whole).then(|| self.mean(image))?
            }
            ("Flatten", &[input]) => {
                (attributes.integer("axis").unwrap_or(1) == 1).then_some(())?;
                self.single(input)?
            }
            // Of a single pixel, which stays one whatever its shape.
            ("Reshape", &[input, shape]) => {
                let image = self.single(input)?;
                let Values::Integers(sides) = self.constant(shape)?.values else { return None };
                let channels = image.shape.channels as i64;
                let known = sides.iter().all(|&side| [1, -1, channels].contains(&side));
                (known && sides.last() != Some(&1)).then_some(image)?
            }
            ("Gemm", &[input, weights, bias]) => {
                let turned = match attributes.integer("transB") {
                    None | Some(0) => false,
                    Some(1) => true,
                    Some(_) => return None,
                };
                attributes.only(&["transB"])?;
                self.dense(input, weights, Some(bias), turned)?
            }
            ("MatMul", &[input, weights]) => self.dense(input, weights, None, false)?,
            ("Softmax", &[input]) => {
                matches!(attributes.integer("axis"), Some(1 | -1)).then_some(())?;
                let image = self.single(input)?;
                self.step(image, Operation::Softmax, image.shape)
            }
            _ => return None,
        };
        self.images.insert(output, image);
        Some(())
    }

    /// The picture that the operation makes.
    fn step(&mut self, image: Image, operation: Operation, made: Shape) -> Image {
        let (limits, to) = (Limits::NONE, self.steps.len() + 1);
        self.steps.push(Step {
            operation,
            limits,
            from: image.value,
            shape: image.shape,
            to,
            made,
        });
        Image { value: to, shape: made, ..image }
    }

    fn channels_first(&self, name: &str) -> Option<Image> {
        self.images.get(name).copied().filter(|image| image.channels_first)
    }

    /// A picture of one pixel.
    fn single(&self, name: &str) -> Option<Image> {
        self.images.get(name).copied().filter(|image| image.shape.pixels() == 1)
    }

    fn constant(&mut self, name: &str) -> Option<Constant> {
        let computed = self.computed.remove(name);
        computed.or_else(|| Constant::read(self.given.get(name)?))
    }

    fn floats(&mut self, name: &str) -> Option<Vec<f32>> {
        self.constant(name)?.floats()
    }

    fn number(&mut self, name: &str) -> Option<f32> {
        if let [number] = *self.floats(name)? { Some(number) } else { None }
    }

    fn mean(&mut self, image: Image) -> Image {
        let made = Shape { height: 1, width: 1, ..image.shape };
        self.step(image, Operation::Mean, made)
    }

    fn dequantized(
        &mut self,
        levels: &str,
        scale: &str,
        zero: &[&str],
        axis: usize,
    ) -> Option<Constant> {
        let levels = self.constant(levels)?;
        let shape = levels.shape.clone();
        let levels = levels.bytes()?;
        let scales = self.floats(scale)?;
        let zeros = match zero {
            [] => vec![0],
            [zero] => self.constant(zero)?.bytes()?,
            _ => return None,
        };
        // How many neighbours share a scale.
        let along = if scales.len() == 1 { levels.len() } else { product(shape.get(axis + 1..)?)? };
        let fits = scales.len() == 1 || shape.get(axis) == Some(&scales.len());
        let fits = fits && (zeros.len() == 1 || zeros.len() == scales.len());
        (fits && along > 0).then_some(())?;
        let mut values = Vec::with_capacity(levels.len());
        for (n, run) in levels.chunks_exact(along).enumerate() {
            let (scale, zero) = (scales[n % scales.len()], zeros[n % zeros.len()]);
            values.extend(run.iter().map(|level| f32::from(level - zero) * scale));
        }
        let values = Values::Floats(values);
        Some(Constant { shape, values })
    }

    /// `by` gives factor and offset from the constant.
    fn scaled(
        &mut self,
        image: Image,
        constant: &str,
        by: impl Fn(f32) -> (f32, f32),
    ) -> Option<Image> {
        let constant = self.constant(constant)?;
        let channels = image.shape.channels;
        let behind: &[usize] = match image.shape.pixels() {
            1 => &[],
            _ if image.channels_first => &[1, 1],
            _ => &[],
        };
        let by_channel = constant.shape.strip_suffix(behind).and_then(<[usize]>::last).copied();
        let values = constant.floats()?;
        (values.len() == 1 || (values.len() == channels && by_channel == Some(channels)))
            .then_some(())?;
        let (factors, offsets) = values.into_iter().map(by).unzip();
        Some(self.step(image, Operation::Scale(factors, offsets), image.shape))
    }

    /// Within limits, by the step that makes the picture where nothing else reads
    /// that.
    fn limited(&mut self, input: &str, limits: Limits) -> Option<Image> {
        let image = *self.images.get(input)?;
        let alone = self.uses.get(input) == Some(&1);
        let maker = image.value.checked_sub(1).and_then(|n| self.steps.get_mut(n));
        let limited = |step: &Step| {
            use Operation::{Convolution, Depthwise, Expanded, Product, Scale, Sum};
            let limits = matches!(
                step.operation,
                Product(..) | Convolution(..) | Depthwise(..) | Expanded(..) | Scale(..) | Sum(..)
            );
            limits && step.limits == Limits::NONE
        };
        if let Some(step) = maker.filter(|step| alone && limited(step)) {
            step.limits = limits;
            return Some(image);
        }
        let image = self.step(image, Operation::Scale(vec![1.0], vec![0.0]), image.shape);
        self.steps.last_mut()?.limits = limits;
        Some(image)
    }

    fn convolution(
        &mut self,
        name: &str,
        weights: &str,
        bias: &[&str],
        attributes: &Attributes<'_>,
    ) -> Option<Image> {
        let image = self.channels_first(name)?;
        let constant = self.constant(weights)?;
        let &[outputs, inputs, height, width] = constant.shape.as_slice() else { return None };
        let weights = constant.floats()?;
        let bias = match *bias {
            [] => vec![0.0; outputs],
            [bias] => self.floats(bias)?,
            _ => return None,
        };
        let (window, made) = attributes.window(image.shape)?;
        let channels = image.shape.channels;
        let fits = (window.height, window.width) == (height, width) && bias.len() == outputs;
        (fits && outputs > 0 && inputs > 0).then_some(())?;
        let area = height * width;
        let groups = usize::try_from(attributes.integer("group").unwrap_or(1)).ok()?;
        let made = Shape { channels: outputs, ..made };
        self.fits(product(&[made.height, made.width, outputs]).unwrap_or(usize::MAX))?;
        // The pixels under the windows of a row.
        self.fits(product(&[made.width, inputs, area]).unwrap_or(usize::MAX))?;
        self.weigh(inputs * area, outputs)?;
        let operation = if groups == 1 && inputs == channels {
            let weights = Weights::new(inputs * area, outputs, &bias, |input, output| {
                let (tap, input) =
                    if area == 1 { (0, input) } else { (input / inputs, input % inputs) };
                weights[(output * inputs + input) * area + tap]
            });
            let as_it_is = area == 1 && made.pixels() == image.shape.pixels();
            if as_it_is {
                Operation::Product(weights)
            } else {
                Operation::Convolution(weights, window)
            }
        } else if groups == channels && inputs == 1 && outputs == channels {
            let at = |n: usize| weights[n % channels * area + n / channels];
            let weights = (0..area * channels).map(at).collect();
            return Some(self.depthwise(image, name, Channels { weights, bias, window }, made));
        } else {
            return None;
        };
        Some(self.step(image, operation, made))
    }

    /// Together with the product before it where nothing else reads that.
    fn depthwise(&mut self, image: Image, name: &str, channels: Channels, made: Shape) -> Image {
        let alone = self.uses.get(name) == Some(&1) && self.steps.len() == image.value;
        match self.steps.pop_if(|step| alone && matches!(step.operation, Operation::Product(_))) {
            Some(Step { operation: Operation::Product(weights), limits, from, shape, .. }) => {
                let image = Image { value: from, shape, ..image };
                self.step(image, Operation::Expanded(weights, limits, channels), made)
            }
            _ => self.step(image, Operation::Depthwise(channels), made),
        }
    }

    fn dense(
        &mut self,
        input: &str,
        weights: &str,
        bias: Option<&str>,
        turned: bool,
    ) -> Option<Image> {
        let image = self.single(input)?;
        let constant = self.constant(weights)?;
        let &[rows, columns] = constant.shape.as_slice() else { return None };
        let weights = constant.floats()?;
        let (inputs, outputs) = if turned { (columns, rows) } else { (rows, columns) };
        let bias = bias.map_or(Some(vec![0.0; outputs]), |name| self.floats(name))?;
        let fits = inputs == image.shape.channels && bias.len() == outputs && outputs > 0;
        fits.then_some(())?;
        self.weigh(inputs, outputs)?;
        let weights = Weights::new(inputs, outputs, &bias, |input, output| {
            if turned {
                weights[output * inputs + input]
            } else {
                weights[input * outputs + output]
            }
        });
        let made = Shape { channels: outputs, ..image.shape };
        Some(self.step(image, Operation::Product(weights), made))
    }
}

/// The attributes of a node.
struct Attributes<'g>(&'g NodeProto);

impl<'g> Attributes<'g> {
    fn integer(&self, name: &str) -> Option<i64> {
        let found = self.0.attribute.iter().find(|found| found.name.as_deref() == Some(name));
        found?.i
    }

    fn integers(&self, name: &str) -> Option<&'g [i64]> {
        let found = self.0.attribute.iter().find(|found| found.name.as_deref() == Some(name));
        found.map(|found| found.ints.as_slice())
    }

    /// None when it has others than these.
    fn only(&self, names: &[&str]) -> Option<()> {
        let known =
            |name: &Option<String>| name.as_deref().is_some_and(|name| names.contains(&name));
        self.0.attribute.iter().all(|found| known(&found.name)).then_some(())
    }

    /// The window of a convolution or a pool, and how large a picture it makes.
    fn window(&self, shape: Shape) -> Option<(Window, Shape)> {
        let known = ["kernel_shape", "strides", "pads", "dilations", "group", "auto_pad"];
        self.only(&known)?;
        let automatic = self.0.attribute.iter().find_map(|found| found.s.as_deref());
        matches!(automatic, None | Some("NOTSET")).then_some(())?;
        let sides = |name: &str| -> Option<Vec<usize>> {
            let sides = self.integers(name)?.iter().map(|&side| usize::try_from(side).ok());
            sides.collect()
        };
        let [height, width] = *sides("kernel_shape")? else { return None };
        let [down, across] = *sides("strides").unwrap_or(vec![1, 1]) else { return None };
        let [top, left, bottom, right] = *sides("pads").unwrap_or(vec![0; 4]) else { return None };
        // So that every window lies on a part of the picture.
        (top.max(bottom) < height && left.max(right) < width).then_some(())?;
        let dilations = self.integers("dilations").unwrap_or(&[1, 1]);
        (dilations == [1, 1]).then_some(())?;
        let made = |side: usize, around: usize, window: usize, stride: usize| {
            Some((side + around).checked_sub(window)?.checked_div(stride)? + 1)
        };
        let made = Shape {
            height: made(shape.height, top + bottom, height, down)?,
            width: made(shape.width, left + right, width, across)?,
            ..shape
        };
        Some((Window { height, width, down, across, top, left }, made))
    }
}

/// Turns values into places: a place is free again behind the last step that
/// reads its value. Gives the number of places and that of the output.
fn settle(steps: &mut [Step], output: usize) -> (usize, usize) {
    let mut last = vec![0; steps.len() + 1];
    for (n, step) in steps.iter().enumerate() {
        last[step.from] = n;
        if let Operation::Sum(other) = step.operation {
            last[other] = n;
        }
    }
    last[output] = steps.len();
    let mut place = vec![0; steps.len() + 1];
    let mut held = vec![Some(0)];
    for (n, step) in steps.iter_mut().enumerate() {
        let free = held.iter().position(Option::is_none).unwrap_or_else(|| {
            held.push(None);
            held.len() - 1
        });
        held[free] = Some(step.to);
        place[step.to] = free;
        step.to = free;
        step.from = place[step.from];
        if let Operation::Sum(other) = &mut step.operation {
            *other = place[*other];
        }
        for value in &mut held {
            *value = value.filter(|&value| last[value] > n);
        }
    }
    (held.len(), place[output])
}

fn product(sides: &[usize]) -> Option<usize> {
    sides.iter().try_fold(1, |all: usize, &side| all.checked_mul(side))
}
