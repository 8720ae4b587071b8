"""Writes a model of nsfwjs as ONNX, its weights in their original 8 bits.

    python convert.py FOLDER OUT.onnx

FOLDER holds the model.json and weights.bin that extract.js wrote, of a TF.js graph model (mobilenet_v2_mid)
or layers model (mobilenet_v2). Every kernel stays uint8 with a DequantizeLinear in front of its layer;
a batch normalisation goes into the scales and the bias of the convolution before it. Biases are float32.

Input "input": 1x224x224x3, RGB in 0..1. Output "probs": 1x5, in the order of LABELS.
"""

import base64
import hashlib
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LABELS = "Drawing,Hentai,Neutral,Porn,Sexy"


@dataclass
class Weights:
    """A tensor as TF.js stores it: value = quantised * scale + minimum."""

    quantised: np.ndarray
    scale: float
    minimum: float

    def values(self):
        # TF.js, too, computes in doubles and stores floats.
        return (self.quantised.astype(np.float64) * self.scale + self.minimum).astype(np.float32)

    def zero_point(self):
        """ONNX wants the integer that stands for zero; every kernel of the two models has one."""
        zero = -self.minimum / self.scale
        if abs(zero - round(zero)) > 1e-3 or not 0 <= round(zero) <= 255:
            raise SystemExit("a kernel has no integer zero point")
        return round(zero)


def read(folder):
    """The topology and the weights by name."""
    model = json.loads((folder / "model.json").read_text())
    data = (folder / "weights.bin").read_bytes()
    weights, offset = {}, 0
    for entry in (entry for group in model["weightsManifest"] for entry in group["weights"]):
        count = math.prod(entry["shape"])
        quantised = np.frombuffer(data, np.uint8, count, offset).reshape(entry["shape"])
        quantisation = entry["quantization"]
        weights[entry["name"]] = Weights(quantised, quantisation["scale"], quantisation["min"])
        offset += count
    assert offset == len(data)
    return model["modelTopology"], weights


class Graph:
    """The ONNX graph as it grows, layer by layer. A layer's output has the layer's name."""

    def __init__(self, weights):
        self.weights = weights
        self.nodes = []
        self.tensors = {}
        # TF.js is channels last, ONNX's convolutions are channels first.
        self.node("Transpose", ["input"], "x_nchw", perm=[0, 3, 1, 2])

    def node(self, op, inputs, output, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], **attributes))

    def constant(self, name, value):
        if name not in self.tensors:
            self.tensors[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def kernel(self, name, order, channel_axis, factor):
        """The kernel with its axes in ONNX's order; `factor` multiplies each output channel."""
        weights = self.weights[name]
        quantised, zero = weights.quantised.transpose(order), weights.zero_point()
        scale, attributes = np.float32(weights.scale), {}
        if factor is not None:
            # A scale is positive: a channel with a negative factor is mirrored instead.
            mirrored = factor < 0
            shape = [-1 if axis == channel_axis else 1 for axis in range(quantised.ndim)]
            quantised = np.where(mirrored.reshape(shape), 255 - quantised, quantised)
            zero = np.where(mirrored, 255 - zero, zero)
            scale, attributes = np.abs(factor * weights.scale).astype(np.float32), {"axis": channel_axis}
        inputs = [
            self.constant(name + "_q", quantised.astype(np.uint8)),
            self.constant(name + "_s", scale),
            self.constant(name + "_z", np.asarray(zero, np.uint8)),
        ]
        self.node("DequantizeLinear", inputs, name, **attributes)
        return name

    def activated(self, name, activation, op, inputs, **attributes):
        self.node(op, inputs, name + "_lin" if activation else name, **attributes)
        if activation == "relu6":
            limits = [self.constant("six_lo", np.float32(0)), self.constant("six_hi", np.float32(6))]
            self.node("Clip", [name + "_lin", *limits], name)
        elif activation == "relu":
            self.node("Relu", [name + "_lin"], name)

    def convolution(self, name, source, kernel, bias, depthwise, stride, padding, activation, factor=None):
        """`padding` is that of both axes: before and after."""
        height, width, channels_in, _ = self.weights[kernel].quantised.shape
        inputs = [
            source,
            self.kernel(kernel, (2, 3, 0, 1) if depthwise else (3, 2, 0, 1), 0, factor),
            self.constant(name + "/b", bias),
        ]
        self.activated(
            name, activation, "Conv", inputs,
            kernel_shape=[height, width],
            strides=[stride, stride],
            pads=[padding[0], padding[0], padding[1], padding[1]],
            group=channels_in if depthwise else 1,
        )

    def dense(self, name, source, kernel, bias, activation):
        inputs = [source, self.kernel(kernel, (0, 1), 1, None), self.constant(name + "/b", bias)]
        self.activated(name, activation, "Gemm", inputs)

    def pool(self, name, source):
        """The mean of each channel."""
        self.node("GlobalAveragePool", [source], name + "_4d")
        self.node("Flatten", [name + "_4d"], name, axis=1)

    def softmax(self, source):
        self.node("Softmax", [source], "probs", axis=1)

    def model(self):
        graph = helper.make_graph(
            self.nodes,
            "nsfwjs",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 224, 224, 3])],
            [helper.make_tensor_value_info("probs", TensorProto.FLOAT, [1, 5])],
            list(self.tensors.values()),
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8, producer_name="tfjs2onnx"
        )
        helper.set_model_props(model, {
            "labels": LABELS,
            "license": "MIT (Infinite Red, nsfwjs 4.3.0)",
            "input": "NHWC RGB f32 0..1",
        })
        onnx.checker.check_model(model, full_check=True)
        return model


def same_padding(kernel, stride):
    """TensorFlow's SAME for a side that the stride divides: 224 halves five times without a remainder."""
    total = max(kernel - stride, 0)
    return total // 2, total - total // 2


def graph_model(topology, weights):
    """A TF.js graph model: TensorFlow nodes, their batch normalisation already folded."""
    graph = Graph(weights)
    outputs = {"input": "x_nchw"}

    def text(value):
        return base64.b64decode(value).decode()

    def fused_activation(attributes):
        operations = [text(value) for value in attributes["fused_ops"]["list"]["s"]]
        assert operations[0] == "BiasAdd" and operations[1:] in ([], ["Relu6"])
        return "relu6" if operations[1:] else None

    for node in topology["node"]:
        name, op, attributes = node["name"], node["op"], node.get("attr", {})
        if op in ("Const", "Placeholder"):
            continue
        inputs = [outputs.get(source, source) for source in node["input"]]
        outputs[name] = name
        if op == "Mul":
            scalar, source = inputs
            graph.node("Mul", [source, graph.constant(name + "_c", weights[scalar].values())], name)
        elif op == "Sub":
            source, scalar = inputs
            graph.node("Sub", [source, graph.constant(name + "_c", weights[scalar].values())], name)
        elif op in ("_FusedConv2D", "FusedDepthwiseConv2dNative"):
            source, kernel, bias = inputs
            stride = int(attributes["strides"]["list"]["i"][1])
            assert text(attributes["padding"]["s"]) == "SAME"
            graph.convolution(
                name, source, kernel, weights[bias].values(),
                depthwise=op == "FusedDepthwiseConv2dNative",
                stride=stride,
                padding=same_padding(weights[kernel].quantised.shape[0], stride),
                activation=fused_activation(attributes),
            )
        elif op == "AddV2":
            graph.node("Add", inputs, name)
        elif op == "AvgPool":
            graph.pool(name, inputs[0])
        elif op == "_FusedMatMul":
            source, kernel, bias = inputs
            graph.dense(name, source, kernel, weights[bias].values(), fused_activation(attributes))
        elif op == "Softmax":
            graph.softmax(inputs[0])
        elif op in ("Squeeze", "Identity"):
            outputs[name] = inputs[0]
        else:
            raise SystemExit(f"unknown node {op}")
    return graph.model()


def layers_model(topology, weights):
    """A TF.js layers model: Keras layers."""
    graph = Graph(weights)
    layers = topology["model_config"]["config"]["layers"]
    outputs, paddings = {}, {}

    def sources(layer):
        return [source[0] for source in layer["inbound_nodes"][0]]

    def behind(class_name):
        return {sources(layer)[0]: layer for layer in layers if layer["class_name"] == class_name}

    normalisations, rectifiers = behind("BatchNormalization"), behind("ReLU")

    def normalisation(name, epsilon):
        """Factor and bias of each channel."""
        gamma, beta, mean, variance = (
            weights[f"{name}/{part}"].values().astype(np.float64)
            for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        factor = gamma / np.sqrt(variance + epsilon)
        return factor, (beta - mean * factor).astype(np.float32)

    for layer in layers:
        name, kind, config = layer["name"], layer["class_name"], layer["config"]
        if kind == "InputLayer":
            outputs[name] = "x_nchw"
            continue
        inputs = [outputs[source] for source in sources(layer)]
        outputs[name] = name
        if kind == "ZeroPadding2D":
            outputs[name] = inputs[0]
            vertical, horizontal = config["padding"]
            assert vertical == horizontal
            paddings[name] = vertical
        elif kind in ("Conv2D", "DepthwiseConv2D"):
            assert config["activation"] == "linear" and not config["use_bias"]
            size, stride = config["kernel_size"][0], config["strides"][0]
            same = config["padding"] == "same"
            depthwise = kind == "DepthwiseConv2D"
            normalised = normalisations[name]
            factor, bias = normalisation(normalised["name"], normalised["config"]["epsilon"])
            graph.convolution(
                name, inputs[0], name + ("/depthwise_kernel" if depthwise else "/kernel"), bias,
                depthwise=depthwise,
                stride=stride,
                padding=same_padding(size, stride) if same else paddings.get(sources(layer)[0], (0, 0)),
                activation="relu6" if normalised["name"] in rectifiers else None,
                factor=factor,
            )
        elif kind == "ReLU":
            assert config["max_value"] == 6
            outputs[name] = inputs[0]
        elif kind in ("BatchNormalization", "Flatten", "Dropout"):
            outputs[name] = inputs[0]
        elif kind == "Add":
            graph.node("Add", inputs, name)
        elif kind == "AveragePooling2D":
            graph.pool(name, inputs[0])
        elif kind == "Dense":
            activation = config["activation"]
            bias = weights[name + "/bias"].values()
            graph.dense(name, inputs[0], name + "/kernel", bias, "relu" if activation == "relu" else None)
            if activation == "softmax":
                graph.softmax(name)
        else:
            raise SystemExit(f"unknown layer {kind}")
    return graph.model()


def main(folder, out):
    topology, weights = read(folder)
    convert = graph_model if "node" in topology else layers_model
    out.write_bytes(convert(topology, weights).SerializeToString())
    print(hashlib.sha256(out.read_bytes()).hexdigest(), out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
