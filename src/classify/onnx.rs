//! The runtimes: the only file that knows one, beside presend's own for
//! convolutional networks.
//!
//! Each loads a model's bytes and answers a tensor with the numbers of the
//! model's output. What a runtime says of a model that it cannot run is kept as
//! a text, and it speaks of the model alone.

#[cfg(feature = "embedded")]
use super::convnet::Convnet;
use super::input::Tensor;
#[cfg(feature = "embedded")]
use super::model::Description;
use super::{Kind, Model, ModelError, Runtime, graph, shapes};

/// A loaded model.
pub(super) trait Session: Send + Sync {
    /// The numbers of the output, whose shape is 1 x labels.
    fn run(&self, tensor: &Tensor) -> Result<Vec<f32>, ModelError>;
}

pub(super) fn open(model: &Model, runtime: &Runtime) -> Result<Box<dyn Session>, ModelError> {
    graph::check(model.onnx())?;
    shapes::check(model.onnx(), model.description())?;
    match &runtime.kind {
        Kind::Embedded => embedded::open(model, runtime.threads),
        Kind::OnnxRuntime(library) => library::open(model, library, runtime.threads),
    }
}

#[cfg(any(feature = "embedded", feature = "onnxruntime"))]
fn unusable(error: impl ToString) -> ModelError {
    ModelError::Unusable(error.to_string())
}

#[cfg(feature = "embedded")]
mod embedded {
    use std::borrow::Cow;
    use std::num::NonZeroUsize;
    use std::sync::Arc;

    use super::{Convnet, Description, Model, ModelError, Session, Tensor, unusable};
    use rten::{ModelOptions, NodeId, RunOptions, ThreadPool, ValueView};

    impl Session for Convnet {
        fn run(&self, tensor: &Tensor) -> Result<Vec<f32>, ModelError> {
            Ok(Convnet::run(self, tensor.values()))
        }
    }

    pub(super) struct Rten {
        model: rten::Model,
        input: NodeId,
        output: NodeId,
        threads: Arc<ThreadPool>,
    }

    /// The way for convolutional networks, and the general one for all others.
    pub(super) fn open(
        model: &Model,
        threads: NonZeroUsize,
    ) -> Result<Box<dyn Session>, ModelError> {
        let Description { input, output, .. } = model.description();
        match Convnet::read(model.onnx(), input, &output.name, threads.get())? {
            Some(network) => Ok(Box::new(network)),
            None => Ok(Box::new(load(model.onnx().clone(), &input.name, &output.name, threads)?)),
        }
    }

    pub(super) fn load(
        onnx: Cow<'static, [u8]>,
        input: &str,
        output: &str,
        threads: NonZeroUsize,
    ) -> Result<Rten, ModelError> {
        let options = ModelOptions::with_all_ops();
        let loaded = match onnx {
            Cow::Borrowed(bytes) => options.load_static_slice(bytes),
            Cow::Owned(bytes) => options.load(bytes),
        };
        let loaded = loaded.map_err(unusable)?;
        Ok(Rten {
            input: loaded.node_id(input).map_err(unusable)?,
            output: loaded.node_id(output).map_err(unusable)?,
            model: loaded,
            threads: Arc::new(ThreadPool::with_num_threads(threads.get())),
        })
    }

    impl Session for Rten {
        fn run(&self, tensor: &Tensor) -> Result<Vec<f32>, ModelError> {
            self.numbers(tensor.shape(), tensor.values())
        }
    }

    impl Rten {
        pub(super) fn numbers(
            &self,
            shape: [usize; 4],
            values: &[f32],
        ) -> Result<Vec<f32>, ModelError> {
            let input = ValueView::from_shape(shape, values).map_err(unusable)?;
            let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.threads)));
            let [output] = self
                .model
                .run_n(vec![(self.input, input.into())], [self.output], Some(options))
                .map_err(unusable)?;
            let (_, scores) = output.into_shape_vec::<f32, 2>().map_err(unusable)?;
            Ok(scores)
        }
    }
}

#[cfg(not(feature = "embedded"))]
mod embedded {
    use std::num::NonZeroUsize;

    use super::{Model, ModelError, Session};

    pub(super) fn open(_: &Model, _: NonZeroUsize) -> Result<Box<dyn Session>, ModelError> {
        Err(ModelError::NotBuilt { runtime: "embedded", feature: "embedded" })
    }
}

#[cfg(feature = "onnxruntime")]
mod library {
    use std::num::NonZeroUsize;
    use std::path::{Path, PathBuf};
    use std::sync::{Mutex, PoisonError};

    use ort::environment::Environment;
    use ort::logging::LogLevel;
    use ort::session::Session as OrtSession;
    use ort::value::TensorRef;

    use super::{Model, ModelError, Session, Tensor, unusable};

    struct Ort {
        /// Scans take turns: the library's own threads are all at work for one.
        session: Mutex<OrtSession>,
        input: String,
        output: String,
    }

    pub(super) fn open(
        model: &Model,
        library: &Path,
        threads: NonZeroUsize,
    ) -> Result<Box<dyn Session>, ModelError> {
        let environment = load(library)?;
        let session = build(&environment, model.onnx(), threads.get()).map_err(unusable)?;
        let description = model.description();
        Ok(Box::new(Ort {
            session: Mutex::new(session),
            input: description.input.name.clone(),
            output: description.output.name.clone(),
        }))
    }

    fn build(environment: &Environment, onnx: &[u8], threads: usize) -> ort::Result<OrtSession> {
        OrtSession::builder(environment)?
            .with_intra_threads(threads)?
            // A scan now and then is no reason to keep a core busy in between.
            .with_intra_op_spinning(false)?
            // The 8-bit weights are to be expanded once, not computed with.
            .with_config_entry("session.disable_quant_qdq", "1")?
            .commit_from_memory(onnx)
    }

    /// Loads the library, which a process can do once.
    fn load(library: &Path) -> Result<Environment, ModelError> {
        static LOADED: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);
        let failed = |text: String| ModelError::Runtime(text);
        let path = library.canonicalize().map_err(|error| failed(error.to_string()))?;
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, environment)) = &*loaded {
            return if *at == path {
                Ok(environment.clone())
            } else {
                Err(failed("this process has loaded another library of it".into()))
            };
        }
        let builder = ort::init_from(&path).map_err(|error| failed(error.to_string()))?;
        let environment =
            builder.with_telemetry(false).build().map_err(|error| failed(error.to_string()))?;
        environment.set_log_level(LogLevel::Fatal);
        *loaded = Some((path, environment.clone()));
        Ok(environment)
    }

    impl Session for Ort {
        fn run(&self, tensor: &Tensor) -> Result<Vec<f32>, ModelError> {
            let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
            let input = TensorRef::from_array_view((tensor.shape(), tensor.values()));
            let input = input.map_err(unusable)?;
            let outputs =
                session.run(ort::inputs![self.input.as_str() => input]).map_err(unusable)?;
            let output = outputs.get(&self.output).ok_or_else(|| unusable("no such output"))?;
            let (_, scores) = output.try_extract_tensor::<f32>().map_err(unusable)?;
            Ok(scores.to_vec())
        }
    }
}

#[cfg(not(feature = "onnxruntime"))]
mod library {
    use std::num::NonZeroUsize;
    use std::path::Path;

    use super::{Model, ModelError, Session};

    pub(super) fn open(
        _: &Model,
        _: &Path,
        _: NonZeroUsize,
    ) -> Result<Box<dyn Session>, ModelError> {
        Err(ModelError::NotBuilt { runtime: "ONNX Runtime", feature: "onnxruntime" })
    }
}

#[cfg(all(test, feature = "embedded"))]
mod tests {
    use std::num::NonZeroUsize;

    use rten_onnx::onnx::{
        AttributeProto, DataLocation, DataType, GraphProto, ModelProto, NodeProto,
        OperatorSetIdProto, StringStringEntryProto, TensorProto, ValueInfoProto,
    };

    use super::*;
    use crate::classify::input::{Channels, Filter, Input, Layout, Resize, Size};

    /// A MobileNet in small: every operation that networks of the models have.
    fn network(side: usize, channels: usize, kernel: usize, stride: usize) -> (Vec<u8>, Input) {
        let mut graph = Graph::default();
        graph.node("Transpose", &["input"], "turned", &[("perm", &[0, 3, 1, 2])]);
        graph.floats("two", &[], 1.0);
        graph.node("Mul", &["turned", "two"], "scaled", &[]);
        graph.floats("shift", &[1, 3, 1, 1], 1.0);
        graph.node("Sub", &["scaled", "shift"], "shifted", &[]);
        graph.convolution("shifted", "first", [channels, 3, kernel], stride, 1);
        graph.node("Relu", &["first"], "rectified", &[]);
        graph.convolution("rectified", "alone", [channels, 1, kernel], 1, channels);
        let wide = 2 * channels + 1;
        graph.convolution("alone", "wide", [wide, channels, 1], 1, 1);
        graph.number("low", -0.25);
        graph.number("high", 0.5);
        graph.node("Clip", &["wide", "low", "high"], "within", &[]);
        graph.convolution("within", "deep", [wide, 1, 3], stride, wide);
        graph.node("Clip", &["deep", "low", "high"], "deep within", &[]);
        graph.convolution("deep within", "narrow", [channels, wide, 1], 1, 1);
        graph.convolution("narrow", "again", [channels, channels, 3], 1, 1);
        graph.node("Add", &["narrow", "again"], "sum", &[]);
        graph.node("Relu", &["sum"], "sum rectified", &[]);
        let window: [(&str, &[i64]); 3] =
            [("kernel_shape", &[3, 3]), ("strides", &[2, 2]), ("pads", &[0, 0, 1, 1])];
        graph.node("MaxPool", &["sum rectified"], "largest", &window);
        graph.node("GlobalAveragePool", &["largest"], "means", &[]);
        graph.node("Flatten", &["means"], "flat", &[]);
        graph.floats("dense", &[channels, 5], 3.0);
        graph.floats("dense bias", &[5], 1.0);
        graph.node("Gemm", &["flat", "dense", "dense bias"], "logits", &[]);
        graph.node("Softmax", &["logits"], "scores", &[]);
        let input = Input {
            name: "input".into(),
            shape: [1, side, side + 2, 3],
            layout: Layout::Nhwc,
            channels: Channels::Rgb,
            range: [0.0, 1.0],
            mean: [0.0; 3],
            std: [1.0; 3],
            resize: Resize {
                filter: Filter::BilinearAlignCorners,
                to: Size::Stretch([side as u32 + 2, side as u32]),
            },
        };
        (graph.write(), input)
    }

    #[derive(Default)]
    struct Graph {
        nodes: Vec<NodeProto>,
        tensors: Vec<TensorProto>,
        random: u32,
    }

    impl Graph {
        fn node(&mut self, op: &str, inputs: &[&str], output: &str, attributes: &[(&str, &[i64])]) {
            let attribute = |&(name, ints): &(&str, &[i64])| AttributeProto {
                name: Some(name.into()),
                ints: ints.to_vec(),
                ..AttributeProto::default()
            };
            let mut attributes: Vec<_> = attributes.iter().map(attribute).collect();
            if op == "Softmax" {
                attributes.push(integer("axis", 1));
            }
            self.nodes.push(NodeProto {
                op_type: Some(op.into()),
                name: Some(output.into()),
                input: inputs.iter().map(|&input| input.into()).collect(),
                output: vec![output.into()],
                attribute: attributes,
                ..NodeProto::default()
            });
        }

        /// `[outputs, inputs, kernel]`, its weights in 8 bits.
        fn convolution(
            &mut self,
            from: &str,
            to: &str,
            [outputs, inputs, kernel]: [usize; 3],
            stride: usize,
            groups: usize,
        ) {
            let names = ["levels", "scales", "zero", "bias", "weights"];
            let [levels, scales, zero, bias, weights] = names.map(|name| format!("{to} {name}"));
            let count = outputs * inputs * kernel * kernel;
            let bytes = (0..count).map(|_| self.random() as u8).collect();
            let shape = [outputs, inputs, kernel, kernel];
            self.tensor(&levels, &shape, DataType::UINT8, bytes);
            let reach = 2.0 / (128.0 * ((inputs * kernel * kernel) as f32).sqrt());
            let some = (0..outputs).map(|n| reach * (1.0 + n as f32 / outputs as f32));
            self.tensor(
                &scales,
                &[outputs],
                DataType::FLOAT,
                some.flat_map(f32::to_le_bytes).collect(),
            );
            self.tensor(&zero, &[outputs], DataType::UINT8, vec![128; outputs]);
            self.floats(&bias, &[outputs], 0.2);
            self.node("DequantizeLinear", &[&levels, &scales, &zero], &weights, &[]);
            self.nodes.last_mut().expect("a node").attribute.push(integer("axis", 0));
            let pad = (kernel / 2) as i64;
            let (kernel, stride) = (kernel as i64, stride as i64);
            let attributes: [(&str, &[i64]); 3] = [
                ("kernel_shape", &[kernel, kernel]),
                ("strides", &[stride, stride]),
                ("pads", &[pad - i64::from(stride > 1 && pad > 0), pad, pad, pad]),
            ];
            self.node("Conv", &[from, &weights, &bias], to, &attributes);
            self.nodes.last_mut().expect("a node").attribute.push(integer("group", groups as i64));
        }

        fn number(&mut self, name: &str, value: f32) {
            self.tensor(name, &[], DataType::FLOAT, value.to_le_bytes().to_vec());
        }

        fn floats(&mut self, name: &str, shape: &[usize], reach: f32) {
            let count = shape.iter().product();
            let values = (0..count).map(|_| reach * (self.random() as f32 / 32768.0 - 1.0));
            let values = values.flat_map(f32::to_le_bytes).collect();
            self.tensor(name, shape, DataType::FLOAT, values);
        }

        fn tensor(&mut self, name: &str, shape: &[usize], kind: DataType, raw: Vec<u8>) {
            self.tensors.push(TensorProto {
                name: Some(name.into()),
                dims: shape.iter().map(|&side| side as i64).collect(),
                data_type: Some(kind),
                raw_data: Some(raw.into()),
                ..TensorProto::default()
            });
        }

        /// 0 to 65535.
        fn random(&mut self) -> u32 {
            self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            self.random >> 16
        }

        fn write(self) -> Vec<u8> {
            let value = |name: &str| ValueInfoProto { name: Some(name.into()), r#type: None };
            let graph = GraphProto {
                node: self.nodes,
                initializer: self.tensors,
                input: vec![value("input")],
                output: vec![value("scores")],
                value_info: Vec::new(),
            };
            let version = OperatorSetIdProto { domain: None, version: Some(13) };
            let model = ModelProto {
                ir_version: Some(8),
                graph: Some(graph),
                opset_import: vec![version],
                ..ModelProto::default()
            };
            model.write_buf().expect("it is written")
        }
    }

    fn integer(name: &str, value: i64) -> AttributeProto {
        AttributeProto { name: Some(name.into()), i: Some(value), ..AttributeProto::default() }
    }

    #[test]
    fn both_embedded_ways_give_a_network_the_same_numbers() {
        let one = NonZeroUsize::MIN;
        for (n, (side, channels)) in [9, 12, 21, 64]
            .into_iter()
            .flat_map(|side| [3, 8, 16, 35].map(|c| (side, c)))
            .enumerate()
        {
            for (kernel, stride, threads) in [(1, 1, 1), (3, 1, 2), (3, 2, 1), (5, 2, 3)] {
                let (onnx, input) = network(side, channels, kernel, stride);
                let mut random = Graph { random: n as u32, ..Graph::default() };
                let len = input.shape.iter().product();
                let values: Vec<f32> = (0..len).map(|_| random.random() as f32 / 65536.0).collect();
                let general = embedded::load(onnx.clone().into(), "input", "scores", one);
                let general =
                    general.expect("it loads").numbers(input.shape, &values).expect("runs");
                let network = Convnet::read(&onnx, &input, "scores", threads);
                let network = network.expect("not too large").expect("it is known");
                let numbers = network.run(&values);
                let difference = numbers.iter().zip(&general).map(|(a, b)| (a - b).abs());
                let largest = difference.fold(0.0, f32::max);
                assert!(
                    numbers.len() == 5 && largest < 1e-5,
                    "{side} {channels} {kernel} {stride}: {numbers:?}, not {general:?}"
                );
            }
        }
    }

    fn refused(onnx: &[u8]) -> String {
        graph::check(onnx).expect_err("refused").to_string()
    }

    fn changed(change: impl FnOnce(&mut GraphProto)) -> Vec<u8> {
        let (onnx, _) = network(8, 8, 3, 1);
        let mut model = ModelProto::parse_buf(&onnx).expect("it is read");
        change(model.graph.as_mut().expect("a graph"));
        model.write_buf().expect("it is written")
    }

    #[test]
    fn what_makes_much_of_little_is_not_loaded() {
        for op in ["Loop", "If", "Scan", "ConstantOfShape", "Expand", "Tile", "Range", "Resize"] {
            let mut graph = Graph::default();
            graph.node(op, &["input"], "scores", &[]);
            assert!(refused(&graph.write()).contains("does not let run"), "{op}");
        }
        for side in [1 << 40, usize::MAX] {
            let mut graph = Graph::default();
            graph.tensor("weights", &[side, side], DataType::FLOAT, vec![0; 4]);
            graph.node("Add", &["input", "weights"], "scores", &[]);
            assert!(refused(&graph.write()).contains("larger than the file"));
        }
        let mut graph = Graph::default();
        (0..10_001).for_each(|_| graph.node("Relu", &["input"], "scores", &[]));
        assert!(refused(&graph.write()).contains("10000 operations"));
        let mut graph = Graph::default();
        graph.tensor("weights", &[1; 9], DataType::FLOAT, vec![0; 4]);
        assert!(refused(&graph.write()).contains("dimensions"));
        assert!(refused(&vec![0x22; (128 << 20) + 1]).contains("128 MiB"));
        // A million names of nothing.
        assert!(refused(&[0x22, 0].repeat(1_000_001)).contains("too many parts"));
    }

    #[test]
    fn a_model_cannot_name_other_files() {
        let entry = |key: &str, value: &str| StringStringEntryProto {
            key: Some(key.into()),
            value: Some(value.into()),
        };
        let elsewhere = |tensor: &mut TensorProto| {
            tensor.external_data = vec![entry("location", "/etc/hostname")];
            tensor.data_location = Some(DataLocation(1));
            tensor.raw_data = None;
        };
        let of_a_weight = changed(|graph| elsewhere(&mut graph.initializer[0]));
        let of_a_constant = changed(|graph| {
            let mut tensor = graph.initializer[0].clone();
            elsewhere(&mut tensor);
            let value = AttributeProto {
                name: Some("value".into()),
                t: Some(tensor),
                ..AttributeProto::default()
            };
            graph.node[0].attribute.push(value);
        });
        let named_alone = changed(|graph| {
            graph.initializer[0].external_data = vec![entry("location", "weights")];
        });
        let said_alone =
            changed(|graph| graph.initializer[0].data_location = Some(DataLocation(1)));
        for onnx in [of_a_weight, of_a_constant, named_alone, said_alone] {
            assert!(refused(&onnx).contains("another file"));
        }
    }

    #[test]
    fn what_runtimes_could_read_differently_is_refused() {
        let (onnx, _) = network(8, 8, 3, 1);
        graph::check(&onnx).expect("as it was made");
        // An operation of somebody else's by a known name; a graph in an attribute.
        let other = changed(|graph| graph.node[1].domain = Some("com.example".into()));
        assert!(refused(&other).contains("operation"));
        let nested = changed(|graph| {
            graph.node[0].attribute.push(AttributeProto {
                g: Some(GraphProto::default()),
                ..AttributeProto::default()
            });
        });
        assert!(refused(&nested).contains("a part"));
        // A second graph, and functions of the model's own.
        for behind in [&[0x3a, 0][..], &[0xca, 0x01, 0]] {
            assert!(refused(&[&onnx, behind].concat()).contains("a part"));
        }
        // Lists of lists of lists: parsers that follow them run out of stack.
        let mut kind = Vec::new();
        for _ in 0..10_000 {
            for tag in [0x0a, 0x22] {
                let mut length = kind.len();
                let mut outer = vec![tag];
                while length >= 0x80 {
                    outer.push(length as u8 | 0x80);
                    length >>= 7;
                }
                outer.push(length as u8);
                outer.extend(&kind);
                kind = outer;
            }
        }
        let within = |tag: u8, message: &[u8]| {
            let length = message.len() as u32;
            let bytes =
                [0, 7, 14, 21].map(|n| (length >> n) as u8 & 0x7f | if n < 21 { 0x80 } else { 0 });
            [&[tag], &bytes[..], message].concat()
        };
        let nested = within(0x3a, &within(0x5a, &within(0x12, &kind)));
        assert!(refused(&nested).contains("a part"));
    }

    #[test]
    fn a_damaged_file_is_an_error_and_not_a_panic() {
        let (onnx, input) = network(8, 4, 1, 1);
        for end in 0..onnx.len().min(4000) {
            let _ = graph::check(&onnx[..end]);
        }
        let mut random = Graph::default();
        let (mut refused, mut read) = (0, 0);
        for _ in 0..2000 {
            let mut changed = onnx.clone();
            let at = (random.random() as usize * onnx.len()) >> 16;
            changed[at] ^= 1 << (random.random() % 8);
            if graph::check(&changed).is_err() {
                refused += 1;
            } else {
                // What passes may still be no network, and nothing worse.
                let _ = Convnet::read(&changed, &input, "scores", 1);
                read += 1;
            }
        }
        assert!(refused > 100 && read > 100, "{refused} {read}");
    }

    #[test]
    fn a_network_whose_pictures_fill_the_memory_is_refused() {
        let (_, input) = network(8, 8, 3, 1);
        let mut input = input;
        input.shape = [1, 1024, 1024, 3];
        let mut graph = Graph::default();
        graph.node("Transpose", &["input"], "turned", &[("perm", &[0, 3, 1, 2])]);
        graph.convolution("turned", "wide", [4000, 3, 1], 1, 1);
        graph.node("GlobalAveragePool", &["wide"], "scores", &[]);
        let onnx = graph.write();
        graph::check(&onnx).expect("nothing is wrong with the file");
        let read = Convnet::read(&onnx, &input, "scores", 1);
        assert!(matches!(read, Err(ModelError::Refused(_))));
    }

    #[test]
    fn a_network_with_an_unknown_operation_takes_the_general_way() {
        let (onnx, input) = network(8, 8, 3, 1);
        for (from, to) in [("Relu", "Tanh"), ("MaxPool", "Sigmoid")] {
            let mut model = ModelProto::parse_buf(&onnx).expect("it is read");
            let graph = model.graph.as_mut().expect("a graph");
            for node in &mut graph.node {
                if node.op_type.as_deref() == Some(from) {
                    (node.op_type, node.attribute) = (Some(to.into()), Vec::new());
                }
            }
            let changed = model.write_buf().expect("it is written");
            assert!(matches!(Convnet::read(&changed, &input, "scores", 1), Ok(None)), "{to}");
            assert!(embedded::load(changed.into(), "input", "scores", NonZeroUsize::MIN).is_ok());
        }
        assert!(matches!(Convnet::read(&onnx[..onnx.len() / 2], &input, "scores", 1), Ok(None)));
    }
}
