"""scores.csv: what the default model says of the pictures, prepared and run by tests/oracle/classify.py."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "oracle"))

import classify
from pdq import write_csv


def table(data):
    name = "nsfwjs-mid-1"
    labels, sexual, (prepare,) = classify.MODELS[name]
    model = classify.Model(data.parents[1] / "models" / name / "model.onnx", labels, sexual)
    rows = []
    for path, image in classify.pictures([data / "media", data / "orient"]):
        scores = model.scores(prepare(image))
        rows.append([Path(path).relative_to(data), *(f"{scores[label]:.6f}" for label in [*labels, "sexual"])])
    write_csv(data / "scores.csv", ",".join(["file", *labels, "sexual"]), rows)
