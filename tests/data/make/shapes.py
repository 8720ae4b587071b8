"""shapes/: a graph with every operation that presend lets run, and the shape that onnxruntime gives every tensor of it
and of the models."""

import csv

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

# What each reads behind the picture, as arrays, and its attributes.
UNARY = ["Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Neg", "Relu", "Sigmoid", "Softmax", "Sqrt", "Tanh"]


def floats(*shape):
    return np.ones(shape, np.float32)


def ints(*values):
    return np.array(values, np.int64)


def windows():
    """Conv and pools, whose sides are the ones to get wrong."""
    yield "Conv", [floats(4, 3, 3, 3)], {}
    yield "Conv", [floats(4, 3, 3, 3), floats(4)], {"strides": [2, 3], "pads": [1, 2, 0, 1]}
    yield "Conv", [floats(6, 1, 2, 5)], {"group": 3, "dilations": [3, 2]}
    yield "Conv", [floats(4, 3, 3, 2)], {"auto_pad": "SAME_UPPER", "strides": [2, 3]}
    yield "Conv", [floats(4, 3, 3, 2)], {"auto_pad": "SAME_LOWER", "strides": [4, 4]}
    yield "Conv", [floats(4, 3, 4, 2)], {"auto_pad": "VALID", "strides": [2, 2]}
    for operation in "MaxPool", "AveragePool":
        yield operation, [], {"kernel_shape": [3, 2]}
        yield operation, [], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
        yield operation, [], {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}
        yield operation, [], {"kernel_shape": [2, 2], "strides": [3, 3], "ceil_mode": 1, "pads": [1, 1, 0, 0]}
        yield operation, [], {"kernel_shape": [3, 3], "strides": [3, 2], "auto_pad": "SAME_UPPER"}
        yield operation, [], {"kernel_shape": [3, 4], "strides": [3, 2], "auto_pad": "VALID"}


def operations():
    for name in UNARY:
        yield name, [], {}
    yield "Cast", [], {"to": TensorProto.INT32}
    yield "Clip", [floats() * 0, floats()], {}
    yield "PRelu", [floats(3, 1, 1)], {}
    yield "BatchNormalization", [floats(3)] * 4, {}
    yield "LayerNormalization", [floats(9), floats(9)], {}
    yield "LayerNormalization", [floats(7, 9)], {"axis": 2}
    yield "QuantizeLinear", [floats(), np.array(0, np.uint8)], {}
    yield "Dropout", [], {}
    for name in "Add", "Sub", "Mul", "Div", "Pow":
        yield name, [floats(5, 1, 7, 1)], {}
        yield name, [floats()], {}
    yield "Concat", [floats(1, 3, 7, 2)], {"axis": -1}
    yield "Gather", [ints(0, -1, 3).reshape(3, 1)], {"axis": 2}
    yield "Gather", [np.array(1, np.int64)], {"axis": 1}
    yield "Shape", [], {}
    yield "Shape", [], {"start": -3, "end": 3}
    yield "Reshape", [ints(0, 9, -1)], {}
    yield "Reshape", [ints(3, 63)], {}
    for axis in 0, 2, 4, -1:
        yield "Flatten", [], {"axis": axis}
    yield "Squeeze", [], {}
    yield "Squeeze", [ints(-4)], {}
    yield "Unsqueeze", [ints(0, -1, 2)], {}
    yield "Transpose", [], {}
    yield "Transpose", [], {"perm": [2, 0, 3, 1]}
    yield "Slice", [ints(1), ints(-1), ints(3), ints(2)], {}
    yield "Slice", [ints(-1, 5), ints(-(2**62), 0), ints(2, 3), ints(-2, -3)], {}
    yield "Slice", [ints(0, 0, 2), ints(2**62, 2, 900)], {}
    for name in "ReduceMax", "ReduceMean", "ReduceSum":
        yield name, [], {}
        yield name, [], {"keepdims": 0}
        yield name, [ints(-1, 1)], {"keepdims": 0}
        yield name, [ints(2)], {}
    yield "GlobalAveragePool", [], {}
    yield "GlobalMaxPool", [], {}
    yield "MatMul", [floats(5, 1, 9, 4)], {}
    yield from windows()


def graph():
    """Each operation on the picture, some on what others made of it."""
    nodes, tensors = [], []

    def node(operation, inputs, outputs=1, **attributes):
        names = [f"{operation} {len(nodes)}.{n}" for n in range(outputs)]
        given = []
        for array in inputs:
            if isinstance(array, str):
                given.append(array)
            else:
                given.append(f"weights {len(tensors)}")
                tensors.append(numpy_helper.from_array(array, given[-1]))
        nodes.append(helper.make_node(operation, given, names, **attributes))
        return names

    for operation, arrays, attributes in operations():
        node(operation, ["picture", *arrays], **attributes)
    node("Dropout", ["picture"], 2)
    node("MaxPool", ["picture"], 2, kernel_shape=[2, 2])
    node("LayerNormalization", ["picture", floats(9)], 3, axis=-1)
    node("Split", ["picture"], 3, axis=-1, num_outputs=3)
    node("Split", ["picture", ints(2, 1, 4)], 3, axis=2)
    node("Constant", [], value=numpy_helper.from_array(floats(2, 3)))
    node("Constant", [], value_floats=[1.0, 2.0])
    node("Constant", [], value_float=1.0)
    [one] = node("Constant", [], value_int=1)
    [few] = node("Constant", [], value_ints=[2, 1, 0])
    node("MatMul", [floats(7), "picture"])
    flat = node("Flatten", ["picture"])
    node("Gemm", flat + [floats(189, 5), floats(5)])
    node("Gemm", flat + [floats(5, 189)], transB=1)
    node("Gemm", [floats(4, 2), floats(4, 3), floats(2, 1)], transA=1)
    levels = numpy_helper.from_array(np.ones((4, 3, 2), np.uint8), "levels")
    tensors.append(levels)
    node("DequantizeLinear", ["levels", floats(4), np.ones(4, np.uint8)], axis=0)
    # A picture in one and in three dimensions.
    node("Conv", [floats(1, 3, 20), floats(2, 3, 5)], strides=[2], pads=[2, 1])
    node("Conv", [floats(1, 3, 6, 7, 8), floats(2, 3, 1, 2, 3)], strides=[2, 1, 3])
    node("MaxPool", [floats(1, 3, 20)], kernel_shape=[4], strides=[3])
    # Shapes that the graph computes, as exporters write them.
    [shape] = node("Shape", ["picture"])
    [sides] = node("Gather", [shape, few])
    [side] = node("Gather", [shape, one], axis=0)
    [alone] = node("Unsqueeze", [side, ints(0)])
    node("Squeeze", [alone])
    [rest] = node("Slice", [shape, ints(-1), ints(-5), ints(0), ints(-1)])
    [product] = node("Mul", [side, np.array(3)])
    [third] = node("Div", [product, np.array(3)])
    [most] = node("Sub", [sides, ints(1)])
    [more] = node("Add", [most, ints(1)])
    [first] = node("Unsqueeze", [third, ints(0)])
    [wanted] = node("Concat", [first, alone, ints(-1)], axis=0)
    [cast] = node("Cast", [wanted], to=TensorProto.INT64)
    [same] = node("Identity", [cast])
    node("Reshape", ["picture", same])
    node("Reshape", ["picture", rest])
    [tall] = node("Concat", [more, ints(-1)], axis=0)
    node("Reshape", ["picture", tall])
    declared = [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, 7, 9])]
    made = helper.make_graph(nodes, "every-operation", declared, [], tensors)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    assert len({n.op_type for n in nodes}) == 48
    return model


def shapes(model):
    """Of every tensor that a node makes, in their order, as onnxruntime makes them."""
    names = [name for node in model.graph.node for name in node.output]
    shown = onnx.ModelProto.FromString(model.SerializeToString())
    del shown.graph.output[:]
    shown.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(shown.SerializeToString(), options)
    [taken] = session.get_inputs()
    made = session.run(names, {taken.name: np.ones(taken.shape, np.float32)})
    return [(name, "x".join(map(str, value.shape))) for name, value in zip(names, made)]


def write(folder):
    (folder / "every-operation.onnx").write_bytes(graph().SerializeToString())


def table(folder):
    models = folder.parents[2] / "models"
    files = {"every-operation": folder / "every-operation.onnx"}
    files |= {name: models / name / "model.onnx" for name in ("nsfwjs-mid-1", "nsfwjs-tiny-1", "open-nsfw-1")}
    with open(folder / "shapes.csv", "w", newline="") as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(["model", "tensor", "sides"])
        for name, file in files.items():
            rows.writerows((name, *row) for row in shapes(onnx.load(file)))
