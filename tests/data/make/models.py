"""models/: a classifier small enough to read, described as any other; golden scores by onnxruntime."""

import blake3
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

SIDE = 8
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LABELS = ["red", "green", "blue"]


def write(folder):
    """Which primary colour is strongest: the mean of each channel, to logits. Planes first, blue first."""
    folder.mkdir(parents=True, exist_ok=True)
    weight = np.flipud(np.eye(3, dtype=np.float32)) * 2
    nodes = [
        helper.make_node("GlobalAveragePool", ["picture"], ["means"]),
        helper.make_node("Flatten", ["means"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weight", "bias"], ["logits"], transB=1),
    ]
    tensors = [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(np.zeros(3, np.float32), "bias")]
    graph = helper.make_graph(
        nodes, "mean-colour",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 3])],
        tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    weights = model.SerializeToString()
    (folder / "model.onnx").write_bytes(weights)
    goldens = [golden(folder, weights, name, colour) for name, colour in (("dusk", (150, 60, 120)), ("moss", (90, 130, 60)))]
    (folder / "model.toml").write_text(DESCRIPTION.format(
        blake3=blake3.blake3(weights).hexdigest(), goldens="\n".join(goldens)))


def golden(folder, weights, name, colour):
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    rgb = np.clip(np.array(colour) + np.stack([4 * x, 3 * y, 2 * x - y], -1), 0, 255).astype(np.uint8)
    Image.fromarray(rgb).save(folder / f"{name}.png", optimize=True)
    planes = ((rgb[..., ::-1].astype(np.float32) / 255 - np.float32(MEAN)) / np.float32(STD)).transpose(2, 0, 1)
    session = onnxruntime.InferenceSession(weights, providers=["CPUExecutionProvider"])
    logits = session.run(None, {"picture": planes[None]})[0][0].astype(np.float64)
    scores = np.exp(logits - logits.max())
    scores /= scores.sum()
    return f'[[golden]]\ninput = "{name}.png"\nscores = [{", ".join(f"{score:.7f}" for score in scores)}]\n'


DESCRIPTION = """\
# A classifier small enough to read: which primary colour is strongest?
name = "mean-colour"
version = "1"
license = "CC0-1.0"
source = "tests/data/make/models.py"
file = "model.onnx"
blake3 = "{blake3}"

[input]
name = "picture"
shape = [1, 3, 8, 8]
layout = "NCHW"
channels = "BGR"
range = [0.0, 1.0]
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
resize = {{ filter = "bilinear-antialias", shorter-side = 8 }}

[output]
name = "logits"
activation = "softmax"
labels = ["red", "green", "blue"]

[output.merged]
warm = ["red", "green"]

{goldens}"""
