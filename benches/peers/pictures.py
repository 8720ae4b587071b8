"""Pictures to measure with: python pictures.py RENDER FOLDER, or python pictures.py --luma FILE FOLDER.

The first makes files in a phone's sizes and prints the path for each role, as JSON; the second writes the luma of a
file, whole and shrunk to 512 x 512, and prints where, as JSON.
"""

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image


def noisy(render, width, height):
    """Enlarged, with a sensor's noise: a smooth picture would have a tenth of a photo's bytes."""
    pixels = np.asarray(render.resize((width, height), Image.Resampling.BILINEAR), np.float32)
    noise = np.random.default_rng(width).standard_normal((height, width, 1), np.float32) * 7
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


def make(render, folder):
    folder.mkdir(exist_ok=True)
    render = Image.open(render).convert("RGB")
    made = {}
    for role, size, options in [
        ("12mp-baseline", (4032, 3024), {"quality": 85}),
        ("12mp-progressive", (4032, 3024), {"quality": 85, "progressive": True}),
        ("2mp-baseline", (1600, 1200), {"quality": 85}),
        ("48mp", (8064, 6048), {"quality": 80}),
    ]:
        made[role] = str(folder / f"made-{role}.jpg")
        if not Path(made[role]).exists():
            noisy(render, *size).save(made[role], **options)
    return made


def lumas(file, folder):
    folder.mkdir(exist_ok=True)
    picture = Image.open(file).convert("L")
    written = {}
    for name, luma in [("12mp", picture), ("512x512", picture.resize((512, 512), Image.Resampling.BILINEAR))]:
        path = folder / f"{name}.luma"
        path.write_bytes(luma.tobytes())
        written[name] = {"path": str(path), "width": luma.width, "height": luma.height}
    return written


if __name__ == "__main__":
    if sys.argv[1] == "--luma":
        print(json.dumps(lumas(sys.argv[2], Path(sys.argv[3]))))
    else:
        print(json.dumps(make(sys.argv[1], Path(sys.argv[2]))))
