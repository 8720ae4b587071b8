"""The pictures every classifier is tested with, and what the original models say of them.

    pip install -r requirements.txt
    python make.py              writes the pictures
    npm install --no-package-lock
    python make.py --scores     writes them and their scores into each model's folder

Each picture is RGB, 224 x 224, and made from the project's own. They were chosen for scores that
spread over all labels, right or wrong. The first is the one a model is tested with at each opening.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SIDE = 224
MARK = "this and all below is written by ../golden/make.py.\n"
VECTORS, MEDIA, DEMO = "tests/data/vectors", "tests/data/media", "hashlists/demo/pictures"

# Name: source, left, top and side of the square that is cut out and enlarged to SIDE.
CUTS = {
    "0-trees": (f"{VECTORS}/trees.png", 224, 112, 224),
    "1-ridge": (f"{VECTORS}/mountains.png", 64, 224, 224),
    "2-slope": (f"{MEDIA}/mountains.jpg", 16, 288, 128),
    "3-valley": (f"{MEDIA}/mountains.jpg", 16, 112, 224),
    "4-leaf": (f"{MEDIA}/flower.webp", 256, 224, 96),
    "5-petal": (f"{MEDIA}/flower.webp", 112, 176, 64),
    "6-stem": (f"{VECTORS}/flower.png", 304, 224, 160),
    "7-aquarium": (f"{DEMO}/aquarium.png", 276, 0, 224),
}


def cut(source, left, top, side):
    picture = Image.open(ROOT / source).convert("RGB")
    square = picture.crop((left, top, left + side, top + side))
    return square if side == SIDE else square.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def noise():
    """Random colours, two pixels wide."""
    colours = np.random.Generator(np.random.PCG64(8)).integers(0, 256, (SIDE // 2, SIDE // 2, 3), np.uint8)
    return Image.fromarray(colours.repeat(2, axis=0).repeat(2, axis=1))


def gradient():
    y, x = np.mgrid[:SIDE, :SIDE]
    return Image.fromarray(np.stack([255 - y // 4, 120 + x // 2, 90 + y // 3], axis=-1).astype(np.uint8))


def write_pictures():
    pictures = {name: cut(*where) for name, where in CUTS.items()}
    pictures |= {"8-noise": noise(), "9-gradient": gradient()}
    for name, picture in pictures.items():
        picture.save(HERE / f"{name}.png", optimize=True)


def write_scores():
    pictures = sorted(HERE.glob("*.png"))
    commands = [
        ["node", "nsfwjs.mjs"],
        [sys.executable, "open_nsfw.py", HERE.parent / "open-nsfw-1/model.onnx"],
    ]
    scores = {}
    for command in commands:
        scores |= json.loads(subprocess.check_output(command + pictures, cwd=HERE))
    for name in ("nsfwjs-mid", "nsfwjs-tiny", "open-nsfw"):
        write_golden(HERE.parent / f"{name}-1", pictures, scores[name])


def write_golden(folder, pictures, scores):
    """The pictures beside the model, and a table for each behind the last comment of its description."""
    description = folder / "model.toml"
    kept, comment, _ = description.read_text().partition(MARK)
    rows = []
    for picture in pictures:
        shutil.copy(picture, folder / "golden")
        # nsfwjs sorts its labels by name, as the model does; open_nsfw prints them in the model's order.
        values = ", ".join(f"{score:.9f}" for score in scores[picture.name].values())
        rows.append(f'\n[[golden]]\ninput = "golden/{picture.name}"\nscores = [{values}]\n')
    description.write_text(kept + comment + "".join(rows))


if __name__ == "__main__":
    if "--scores" in sys.argv:
        write_scores()
    else:
        write_pictures()
