use std::fs;
use std::path::Path;
use std::time::Instant;

use super::*;
use crate::classify::graph;

/// An ONNX file in the making.
#[derive(Default)]
struct Onnx {
    nodes: Vec<u8>,
    rest: Vec<u8>,
}

/// An attribute's value.
enum With<'v> {
    One(i64),
    Many(&'v [i64]),
    Text(&'v str),
}
use With::{Many, One, Text};

impl Onnx {
    fn node(self, operation: &str, inputs: &[&str], outputs: &[&str]) -> Self {
        self.with(operation, inputs, outputs, &[])
    }

    fn with(
        mut self,
        operation: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: &[(&str, With<'_>)],
    ) -> Self {
        let mut node = Vec::new();
        inputs.iter().for_each(|name| bytes(&mut node, 1, name.as_bytes()));
        outputs.iter().for_each(|name| bytes(&mut node, 2, name.as_bytes()));
        bytes(&mut node, 4, operation.as_bytes());
        for (name, value) in attributes {
            let mut attribute = Vec::new();
            bytes(&mut attribute, 1, name.as_bytes());
            match value {
                One(value) => number(&mut attribute, 3, *value),
                Many(values) => values.iter().for_each(|&value| number(&mut attribute, 8, value)),
                Text(text) => bytes(&mut attribute, 4, text.as_bytes()),
            }
            let kind = match value {
                One(_) => 2,
                Many(_) => 7,
                Text(_) => 3,
            };
            number(&mut attribute, 20, kind);
            bytes(&mut node, 5, &attribute);
        }
        bytes(&mut self.nodes, 1, &node);
        self
    }

    /// Zeros.
    fn floats(mut self, name: &str, sides: &[i64]) -> Self {
        let numbers: i64 = sides.iter().product();
        let mut tensor = Vec::new();
        sides.iter().for_each(|&side| number(&mut tensor, 1, side));
        number(&mut tensor, 2, 1);
        bytes(&mut tensor, 8, name.as_bytes());
        bytes(&mut tensor, 9, &vec![0; 4 * numbers as usize]);
        bytes(&mut self.rest, 5, &tensor);
        self
    }

    fn integers(mut self, name: &str, values: &[i64]) -> Self {
        let mut tensor = Vec::new();
        number(&mut tensor, 1, values.len() as i64);
        number(&mut tensor, 2, 7);
        values.iter().for_each(|&value| number(&mut tensor, 7, value));
        bytes(&mut tensor, 8, name.as_bytes());
        bytes(&mut self.rest, 5, &tensor);
        self
    }

    /// A type of the field's: 11 of an input, 12 of an output, 13 of one between.
    fn declared(mut self, field: u64, name: &str, sides: &[i64]) -> Self {
        let mut shape = Vec::new();
        for &side in sides {
            let mut dimension = Vec::new();
            number(&mut dimension, 1, side);
            bytes(&mut shape, 1, &dimension);
        }
        let (mut tensor, mut kind, mut named) = (Vec::new(), Vec::new(), Vec::new());
        number(&mut tensor, 1, 1);
        bytes(&mut tensor, 2, &shape);
        bytes(&mut kind, 1, &tensor);
        bytes(&mut named, 1, name.as_bytes());
        bytes(&mut named, 2, &kind);
        bytes(&mut self.rest, field, &named);
        self
    }

    fn write(self) -> Vec<u8> {
        let (mut model, mut version) = (Vec::new(), Vec::new());
        number(&mut model, 1, 8);
        bytes(&mut model, 7, &[self.nodes, self.rest].concat());
        number(&mut version, 2, 18);
        bytes(&mut model, 8, &version);
        model
    }
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn number(out: &mut Vec<u8>, field: u64, number: i64) {
    varint(out, field << 3);
    varint(out, number.cast_unsigned());
}

fn bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend(bytes);
}

/// With one input, a picture of 3 x 64 x 64.
fn model() -> Onnx {
    Onnx::default().declared(11, "x", &[1, 3, 64, 64])
}

/// Sides of the tensors, where nothing is amiss.
fn sizes(onnx: Onnx) -> Checked<HashMap<String, Vec<u64>>> {
    let file = onnx.write();
    graph::check(&file).expect("a file of which all else is as it should be");
    let mut graph = Graph::default();
    assert!(graph.read(&file, "x", &[1, 3, 64, 64])?);
    let sides = |(name, tensor): (&str, Tensor)| (name.to_owned(), tensor.shape.to_vec());
    Ok(graph.tensors.into_iter().map(sides).collect())
}

#[track_caller]
fn refused(onnx: Onnx, reason: &str) {
    let error = sizes(onnx).expect_err("refused");
    assert!(error.contains(reason), "{error}");
}

#[track_caller]
fn makes(onnx: Onnx, sides: &[u64]) {
    let sizes = sizes(onnx).expect("nothing is amiss");
    assert_eq!(sizes["y"], sides);
}

const MIB: &str = "512 MiB";

#[test]
fn a_column_times_a_row_is_refused() {
    let pair = || model().floats("column", &[60_000, 1]).floats("row", &[1, 60_000]);
    for operation in ["MatMul", "Gemm", "Add", "Sub", "Mul", "Div", "Pow"] {
        refused(pair().node(operation, &["column", "row"], &["y"]), MIB);
    }
    let both = [("transA", One(1)), ("transB", One(1))];
    refused(pair().with("Gemm", &["row", "column"], &["y"], &both), MIB);
    // In batches that are broadcast.
    let batches = model().floats("a", &[3000, 1, 8, 8]).floats("b", &[1, 3000, 8, 8]);
    refused(batches.node("MatMul", &["a", "b"], &["y"]), MIB);
}

#[test]
fn a_tensor_joined_to_itself_again_and_again_is_refused() {
    let mut onnx = model();
    let mut last = "x".to_owned();
    for n in 0..20 {
        let next = format!("joined {n}");
        onnx = onnx.with("Concat", &[&last, &last], &[&next], &[("axis", One(2))]);
        last = next;
    }
    refused(onnx, MIB);
    refused(model().with("Concat", &["x"; 4000], &["y"], &[("axis", One(-1))]), MIB);
}

#[test]
fn many_small_tensors_are_counted_together() {
    let chain = |count: usize| {
        let names: Vec<_> = (0..count).map(|n| format!("made {n}")).collect();
        let before = |n: usize| if n == 0 { "x" } else { names[n - 1].as_str() };
        (0..count).fold(model(), |onnx, n| onnx.node("Relu", &[before(n)], &[&names[n]]))
    };
    // Each of 3 channels, for which some runtimes lay out 16, times 64 x 64 x 4 bytes.
    assert!(sizes(chain(2000)).is_ok());
    refused(chain(2100), MIB);
}

#[test]
fn a_picture_with_wide_margins_is_refused() {
    let pads = || ("pads", Many(&[20_000, 20_000, 20_000, 20_000]));
    let kernel = || ("kernel_shape", Many(&[1, 1]));
    let weights = || model().floats("w", &[1, 3, 1, 1]);
    refused(weights().with("Conv", &["x", "w"], &["y"], &[pads()]), MIB);
    for operation in ["MaxPool", "AveragePool"] {
        refused(model().with(operation, &["x"], &["y"], &[kernel(), pads()]), MIB);
        // Little is left of it, and it is large all the same.
        let strides = ("strides", Many(&[20_000, 20_000]));
        refused(model().with(operation, &["x"], &["y"], &[kernel(), pads(), strides]), MIB);
    }
    let many = model().floats("w", &[40_000, 3, 1, 1]);
    refused(many.node("Conv", &["x", "w"], &["y"]), MIB);
}

#[test]
fn numbers_that_are_gathered_too_often_are_refused() {
    let onnx = model().integers("places", &[0; 160_000]);
    refused(onnx.with("Gather", &["x", "places"], &["y"], &[("axis", One(2))]), MIB);
}

#[test]
fn a_model_that_multiplies_for_minutes_is_refused() {
    let onnx = model().floats("a", &[8000, 500]).floats("b", &[500, 8000]);
    let onnx = onnx.node("MatMul", &["a", "b"], &["c"]);
    refused(onnx.node("MatMul", &["c", "c"], &["y"]), "25 billion");
    let wide = [("kernel_shape", Many(&[4000, 4000])), ("pads", Many(&[2000; 4]))];
    refused(model().with("MaxPool", &["x"], &["y"], &wide), "25 billion");
    let large = model().floats("a", &[1000, 1000]).node("Shape", &["a"], &["s"]);
    let many = (0..9000).fold(large, |onnx, n| {
        let name = format!("sum {n}");
        onnx.with("ReduceSum", &["a"], &[&name], &[("keepdims", One(0))])
    });
    assert!(sizes(many).is_ok());
    let larger = model().floats("a", &[3000, 1000]);
    let many = (0..9000).fold(larger, |onnx, n| {
        let name = format!("sum {n}");
        onnx.with("ReduceSum", &["a"], &[&name], &[("keepdims", One(0))])
    });
    refused(many, "25 billion");
}

#[test]
fn sizes_that_nobody_can_tell_are_refused() {
    let unsure = "does not follow";
    // A shape out of numbers that only a run tells.
    let onnx = model().with("Cast", &["x"], &["s"], &[("to", One(7))]);
    refused(onnx.node("Reshape", &["x", "s"], &["y"]), "fit");
    let onnx = model().floats("f", &[4]).with("Cast", &["f"], &["s"], &[("to", One(7))]);
    refused(onnx.node("Reshape", &["x", "s"], &["y"]), unsure);
    // Numbers at the end of 32 bits, where runtimes differ.
    let onnx = model().integers("large", &[1 << 32, 1]);
    let onnx = onnx.with("Cast", &["large"], &["s"], &[("to", One(6))]);
    refused(onnx.node("Reshape", &["x", "s"], &["y"]), unsure);
    let onnx = model().integers("large", &[i32::MAX.into(), 2]);
    let onnx = onnx.node("Mul", &["large", "large"], &["s"]);
    refused(onnx.node("Reshape", &["x", "s"], &["y"]), unsure);
    // A last window that some runtimes leave out.
    let windows = [
        ("kernel_shape", Many(&[2, 2][..])),
        ("strides", Many(&[5, 5])),
        ("pads", Many(&[0, 0, 1, 1])),
    ];
    let mut up = Vec::from(windows);
    up.push(("ceil_mode", One(1)));
    refused(model().with("AveragePool", &["x"], &["y"], &up), unsure);
    let parts = ["y", "z", "a", "b", "c"];
    refused(model().with("Split", &["x"], &parts, &[("axis", One(2))]), unsure);
    // Where some runtimes keep or drop sides of length 1.
    let one = || model().floats("one", &[1, 1, 1, 1]).floats("list", &[64]);
    for operation in ["Add", "Sub", "Mul", "Div", "Pow"] {
        refused(one().node(operation, &["list", "one"], &["y"]), unsure);
        refused(one().node(operation, &["one", "list"], &["y"]), unsure);
    }
    let back = model().integers("from", &[-65]).integers("to", &[-99]).integers("axis", &[2]);
    let back = back.integers("step", &[-1]);
    refused(back.node("Slice", &["x", "from", "to", "axis", "step"], &["y"]), unsure);
    refused(one().node("MatMul", &["x", "list"], &["y"]), unsure);
    makes(one().node("MatMul", &["list", "x"], &["y"]), &[1, 3, 64]);
    let both = [("auto_pad", Text("SAME_UPPER")), ("pads", Many(&[1, 1, 1, 1]))];
    let onnx = model().floats("w", &[4, 3, 3, 3]);
    refused(onnx.with("Conv", &["x", "w"], &["y"], &both), unsure);
    let onnx = model().with("ReduceSum", &["x"], &["y"], &[("noop_with_empty_axes", One(1))]);
    refused(onnx, unsure);
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let fit = "does not fit";
    let weights = || {
        let onnx = model().floats("w", &[4, 3, 3, 3]).floats("f", &[3]).floats("m", &[2, 3]);
        onnx.integers("none", &[]).integers("far", &[9, 9]).integers("twice", &[0, 0])
    };
    for (operation, inputs) in [
        ("Add", &["x", "f"][..]),
        ("Add", &["x"]),
        ("MatMul", &["x", "m"]),
        ("Gemm", &["x", "m"]),
        ("Gemm", &["m", "m"]),
        ("Conv", &["x", "f"]),
        ("Conv", &["x", "w", "f"]),
        ("Concat", &["x", "x"]),
        ("Gather", &["x"]),
        ("Reshape", &["x", "far"]),
        ("Reshape", &["x"]),
        ("Squeeze", &["x", "far"]),
        ("Squeeze", &["x", "twice"]),
        ("Unsqueeze", &["x", "far"]),
        ("Unsqueeze", &["x", "twice"]),
        ("Slice", &["x", "far", "none"]),
        ("Slice", &["none", "none", "none"]),
        ("Slice", &["x", "far", "far"]),
        ("Split", &["x", "far"]),
        ("MaxPool", &["x"]),
        ("GlobalAveragePool", &["f"]),
        ("Relu", &[]),
        ("Relu", &[""]),
        ("Cast", &["x"]),
        ("PRelu", &["f", "x"]),
        ("ReduceMax", &["x", "far"]),
    ] {
        let error = sizes(weights().node(operation, inputs, &["y"])).expect_err(operation);
        assert!(error.contains(fit), "{operation} {inputs:?}: {error}");
    }
    for (operation, attribute) in [
        ("Transpose", ("perm", Many(&[0, 1, 1, 2][..]))),
        ("Transpose", ("perm", Many(&[0, 1]))),
        ("Transpose", ("perm", Many(&[0, 1, 2, -1]))),
        ("Flatten", ("axis", One(9))),
        ("Flatten", ("axis", One(i64::MIN))),
        ("Concat", ("axis", One(4))),
        ("Shape", ("start", Text("0"))),
        ("MaxPool", ("kernel_shape", Many(&[0, 1]))),
        ("MaxPool", ("kernel_shape", Many(&[65, 1]))),
        ("MaxPool", ("kernel_shape", Many(&[i64::MAX, i64::MAX]))),
        ("MaxPool", ("kernel_shape", Many(&[-1, 2]))),
        ("MaxPool", ("kernel_shape", Many(&[2]))),
    ] {
        let error = sizes(model().with(operation, &["x"], &["y"], &[attribute]));
        let error = error.expect_err(operation);
        assert!(error.contains(fit), "{operation}: {error}");
    }
    for (name, value) in [
        ("strides", Many(&[0, 1][..])),
        ("strides", Many(&[1, -1])),
        ("strides", Many(&[1, 1, 1])),
        ("pads", Many(&[-1, 0, 0, 0])),
        ("pads", Many(&[1, 1])),
        ("dilations", Many(&[40, 40])),
        ("group", One(0)),
        ("group", One(-3)),
        ("group", One(i64::MAX)),
        ("kernel_shape", Many(&[5, 5])),
    ] {
        refused(weights().with("Conv", &["x", "w"], &["y"], &[(name, value)]), fit);
    }
}

#[test]
fn names_that_mean_two_things_or_none_are_refused() {
    refused(model().node("Relu", &["z"], &["y"]).node("Relu", &["x"], &["z"]), "in order");
    refused(model().node("Relu", &["y"], &["y"]), "in order");
    refused(model().node("Relu", &["x"], &["y"]).node("Relu", &["x"], &["y"]), "one name");
    refused(model().node("Relu", &["x"], &["x"]), "one name");
    refused(model().floats("w", &[1]).floats("w", &[2]), "one name");
    refused(model().floats("x", &[1]), "one name");
    refused(model().floats("", &[1]), "no name");
    refused(model().declared(11, "second", &[1]), "more than one input");
    refused(model().node("Relu", &["x"], &["y", "z"]), "an output");
    let twice = [("axis", One(1)), ("axis", One(2))];
    refused(model().with("Flatten", &["x"], &["y"], &twice), "twice");
    let attribute_and_input = model().integers("axes", &[0]);
    let axes = [("axes", Many(&[0][..]))];
    refused(attribute_and_input.with("Squeeze", &["x", "axes"], &["y"], &axes), "fit");
}

#[test]
fn a_file_that_declares_another_shape_is_refused() {
    let relu = || model().node("Relu", &["x"], &["y"]);
    for sides in [&[1, 3, 64, 65][..], &[1, 3, 64], &[1, 3, 64, 64, 1], &[0, 3, 64, 64]] {
        for (field, name) in [(11, "x"), (12, "y"), (13, "y")] {
            refused(relu().declared(field, name, sides), "declares");
        }
    }
    makes(relu().declared(12, "y", &[-1, 3, 64, 64]), &[1, 3, 64, 64]);
}

#[test]
fn weights_are_as_many_as_their_shape_says() {
    let tensor = |sides: &[i64], kind: i64, raw: &[u8]| {
        let mut tensor = Vec::new();
        sides.iter().for_each(|&side| number(&mut tensor, 1, side));
        number(&mut tensor, 2, kind);
        bytes(&mut tensor, 9, raw);
        Weights::read(&tensor).map(|weights| weights.bytes())
    };
    assert_eq!(tensor(&[2, 2], 1, &[0; 16]), Ok(16));
    assert_eq!(tensor(&[2, 2], 3, &[0; 4]), Ok(4));
    assert_eq!(tensor(&[3], 22, &[0; 2]), Ok(12));
    for (sides, kind, raw) in [
        (&[2, 2][..], 1, 15),
        (&[2, 2], 1, 4),
        (&[100, 100], 1, 0),
        (&[2, 0], 1, 0),
        (&[-1], 1, 4),
        (&[1 << 40, 1 << 40], 3, 1),
        (&[1; 9], 3, 1),
        (&[1], 8, 1),
        (&[1], 15, 16),
        (&[1], 99, 1),
    ] {
        assert!(tensor(sides, kind, &vec![0; raw]).is_err(), "{sides:?} {kind} {raw}");
    }
}

#[test]
fn shapes_that_a_graph_computes_are_followed() {
    // As PyTorch writes `x.view(x.size(0), x.size(1) // 3, -1)`.
    let onnx = model()
        .node("Shape", &["x"], &["shape"])
        .integers("0", &[0])
        .integers("1", &[1])
        .integers("3", &[3])
        .integers("-1", &[-1])
        .with("Gather", &["shape", "0"], &["batch"], &[("axis", One(0))])
        .node("Gather", &["shape", "1"], &["channels"])
        .node("Div", &["channels", "3"], &["groups"])
        .with("Concat", &["batch", "groups", "-1"], &["wanted"], &[("axis", One(0))])
        .with("Cast", &["wanted"], &["cast"], &[("to", One(7))])
        .node("Identity", &["cast"], &["known"])
        .node("Reshape", &["x", "known"], &["y"]);
    makes(onnx, &[1, 1, 3 * 64 * 64]);
    // As it writes the sides alone, and turns them.
    let onnx = model()
        .with("Shape", &["x"], &["sides"], &[("start", One(-2))])
        .integers("2", &[2])
        .node("Mul", &["sides", "2"], &["twice"])
        .node("Sub", &["twice", "2"], &["less"])
        .node("Add", &["less", "2"], &["same"])
        .integers("from", &[-1])
        .integers("to", &[i64::MIN])
        .integers("axis", &[0])
        .node("Slice", &["same", "from", "to", "axis", "from"], &["back"])
        .integers("rest", &[-1, 3])
        .with("Concat", &["rest", "back"], &["wanted"], &[("axis", One(0))])
        .with("Concat", &["x", "x", "x", "x"], &["four"], &[("axis", One(0))])
        .node("Reshape", &["four", "wanted"], &["y"]);
    makes(onnx, &[1, 3, 128, 128]);
}

#[test]
fn every_tensor_has_the_shape_that_onnx_runtime_gives_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| fs::read(root.join(file)).expect("a file");
    let rows = String::from_utf8(read("tests/data/shapes/shapes.csv")).expect("UTF-8");
    let mut seen = 0;
    for (model, file, input, shape) in [
        ("every-operation", "tests/data/shapes/every-operation.onnx", "picture", [1, 3, 7, 9]),
        ("nsfwjs-mid-1", "models/nsfwjs-mid-1/model.onnx", "input", [1, 224, 224, 3]),
        ("nsfwjs-tiny-1", "models/nsfwjs-tiny-1/model.onnx", "input", [1, 224, 224, 3]),
        ("open-nsfw-1", "models/open-nsfw-1/model.onnx", "input:0", [1, 224, 224, 3]),
    ] {
        let file = read(file);
        graph::check(&file).expect("its operations are let run");
        let mut graph = Graph::default();
        let before = Instant::now();
        assert_eq!(graph.read(&file, input, &shape), Ok(true), "{model}");
        let (mib, work) = ((graph.bytes + graph.beside) >> 20, graph.work / 1_000_000);
        println!("{model}: {mib} MiB, {work} million, in {:?}", before.elapsed());
        for row in rows.lines() {
            let [of, name, sides] = row.split(',').collect::<Vec<_>>()[..] else { panic!("{row}") };
            if of == model {
                let sides: Vec<u64> =
                    sides.split('x').filter_map(|side| side.parse().ok()).collect();
                assert_eq!(*graph.tensors[name].shape, sides, "{model}: {name}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, rows.lines().count() - 1);
}

#[test]
fn a_transformer_is_accepted() {
    let mut onnx = model()
        .floats("patches", &[192, 3, 16, 16])
        .with("Conv", &["x", "patches"], &["grid"], &[("strides", Many(&[16, 16]))])
        .integers("rows", &[1, 192, -1])
        .node("Reshape", &["grid", "rows"], &["rows last"])
        .with("Transpose", &["rows last"], &["0 in"], &[("perm", Many(&[0, 2, 1]))])
        .floats("scale", &[192])
        .floats("query", &[192, 576])
        .floats("wide", &[192, 768])
        .floats("narrow", &[768, 192])
        .integers("heads", &[0, -1, 3, 64])
        .integers("merged", &[1, -1, 192]);
    for n in 0..12 {
        let [norm, all, q, k, v, weights, made, sum, next] =
            ["norm", "all", "q", "k", "v", "weights", "made", "sum", "in"].map(|name| {
                let n = if name == "in" { n + 1 } else { n };
                format!("{n} {name}")
            });
        let heads = |name: &str| format!("{name} of heads");
        onnx = onnx
            .node("LayerNormalization", &[&format!("{n} in"), "scale", "scale"], &[&norm])
            .node("MatMul", &[&norm, "query"], &[&all])
            .with("Split", &[&all], &[&q, &k, &v], &[("axis", One(-1))]);
        for (name, order) in [(&q, [0, 2, 1, 3]), (&k, [0, 2, 3, 1]), (&v, [0, 2, 1, 3])] {
            let split = format!("{name} split");
            onnx = onnx.node("Reshape", &[name, "heads"], &[&split]).with(
                "Transpose",
                &[&split],
                &[&heads(name)],
                &[("perm", Many(&order))],
            );
        }
        let [scores, mixed, turned, flat, wide, bent] =
            ["scores", "mixed", "turned", "flat", "wide", "bent"].map(|name| format!("{n} {name}"));
        onnx = onnx
            .node("MatMul", &[&heads(&q), &heads(&k)], &[&scores])
            .with("Softmax", &[&scores], &[&weights], &[("axis", One(-1))])
            .node("MatMul", &[&weights, &heads(&v)], &[&mixed])
            .with("Transpose", &[&mixed], &[&turned], &[("perm", Many(&[0, 2, 1, 3]))])
            .node("Reshape", &[&turned, "merged"], &[&flat])
            .node("Add", &[&flat, &format!("{n} in")], &[&sum])
            .node("MatMul", &[&sum, "wide"], &[&wide])
            .node("Gelu", &[&wide], &[&bent])
            .node("MatMul", &[&bent, "narrow"], &[&made])
            .node("Add", &[&made, &sum], &[&next]);
    }
    let axes = [("axes", Many(&[1][..])), ("keepdims", One(0))];
    makes(onnx.with("ReduceMean", &["12 in"], &["y"], &axes), &[1, 192]);
}

#[test]
fn no_byte_makes_the_check_panic() {
    let onnx = model()
        .integers("s", &[1, -1, 64])
        .floats("w", &[4, 3, 3, 3])
        .with("Conv", &["x", "w"], &["c"], &[("strides", Many(&[2, 2])), ("group", One(1))])
        .with("MaxPool", &["c"], &["p"], &[("kernel_shape", Many(&[2, 2])), ("ceil_mode", One(1))])
        .node("Reshape", &["x", "s"], &["r"])
        .node("Shape", &["r"], &["t"])
        .node("Slice", &["r", "t", "t", "t", "t"], &["u"])
        .write();
    let (mut read, mut refused) = (0, 0);
    for at in 0..onnx.len() {
        for flip in 1..=255 {
            let mut changed = onnx.clone();
            changed[at] ^= flip;
            match Graph::default().read(&changed, "x", &[1, 3, 64, 64]) {
                Ok(_) => read += 1,
                Err(_) => refused += 1,
            }
        }
        let _ = Graph::default().read(&onnx[..at], "x", &[1, 3, 64, 64]);
    }
    assert!(refused > 1000, "{read} {refused}");
}
