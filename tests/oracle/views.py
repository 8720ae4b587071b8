"""Writes tests/data/vectors/views.csv: the hashes of a picture's views, by numpy.

    python tests/oracle/views.py

In f64 and as dense matrices, where presend sums a few taps in f32: where a
coefficient lies on the median, a bit may differ. Needs numpy and Pillow.
"""

from pathlib import Path

import numpy as np
from PIL import Image

VECTORS = Path(__file__).resolve().parents[1] / "data/vectors"
PICTURES = ["cobbles", "dunes", "flower", "mountains", "poster", "trees", "tiny-63x200"]
SIDE = 128
DCT = np.sqrt(2 / 64) * np.cos(np.pi / 128 * np.arange(1, 17)[:, None] * (2 * np.arange(64) + 1))

# The parts of rows and columns that each view samples.
PARTS = {
    "centred": (0, 1, 0, 1),
    "uncrop-4": (-0.02, 1.02, -0.02, 1.02),
    "square-512": (1.5 / 512, 513.5 / 512, 1.5 / 512, 513.5 / 512),
    "uncrop-left-5": (0, 1, -0.0526, 1),
    "uncrop-right-5": (0, 1, 0, 1.0526),
    "uncrop-top-5": (-0.0526, 1, 0, 1),
    "uncrop-bottom-5": (0, 1.0526, 0, 1),
    "uncrop-left-2": (0, 1, -0.02, 1),
    "uncrop-right-2": (0, 1, 0, 1.02),
    "uncrop-top-2": (-0.02, 1, 0, 1),
    "uncrop-bottom-2": (0, 1.02, 0, 1),
    "uncrop-10": (-0.055, 1.055, -0.055, 1.055),
}
# Turned by so many degrees.
TILTS = {"tilt-left-2": -2, "tilt-right-2": 2, "tilt-left-5": -5, "tilt-right-5": 5}
# Of the centred view: what numpy does to the samples.
SYMMETRIES = {
    "flip-horizontal": np.fliplr,
    "flip-vertical": np.flipud,
    "rotate-90": lambda samples: np.rot90(samples, -1),
    "rotate-180": lambda samples: np.rot90(samples, 2),
    "rotate-270": np.rot90,
    "transpose": np.transpose,
    "transverse": lambda samples: np.rot90(samples, 2).T,
}


def means(length):
    """Means over 1/128 of a side, from its pixels."""
    edges = np.arange(SIDE + 1) * length / SIDE
    pixels = np.arange(length)
    share = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.maximum(share, 0) * SIDE / length


def tents(start, end):
    """64 samples of a part of a side, which goes on as its mirror image."""
    step = (end - start) * SIDE / 64
    reach = max(step / 2, 1)
    matrix = np.zeros((64, SIDE))
    for row, centre in zip(matrix, start * SIDE + (np.arange(64) + 0.5) * step):
        for pixel in range(-SIDE, 2 * SIDE):
            inside = pixel if pixel >= 0 else -1 - pixel
            inside = inside if inside < SIDE else 2 * SIDE - 1 - inside
            row[inside] += max(0, reach - abs(pixel + 0.5 - centre))
        row /= row.sum()
    return matrix


def turned(small, aspect, degrees):
    """Bilinear between the means of four pixels; outside is as the nearest."""
    corners = (small[:-1, :-1] + small[1:, :-1] + small[:-1, 1:] + small[1:, 1:]) / 4
    sine, cosine = np.sin(np.deg2rad(degrees)), np.cos(np.deg2rad(degrees))
    from_centre = (np.arange(64) + 0.5) / 64 - 0.5
    x, y = np.meshgrid(from_centre * aspect, from_centre)
    places = [(cosine * x - sine * y) / aspect, sine * x + cosine * y]
    places = [np.clip((place + 0.5) * SIDE - 1, 0, SIDE - 2) for place in places]
    (left, top) = [np.minimum(place.astype(int), SIDE - 3) for place in places]
    right, down = places[0] - left, places[1] - top
    across = [corners[row, left] * (1 - right) + corners[row, left + 1] * right for row in (top, top + 1)]
    return across[0] * (1 - down) + across[1] * down


def to_hex(samples):
    coefficients = (DCT @ samples @ DCT.T).ravel()
    bits = coefficients > np.sort(coefficients)[127]
    return np.packbits(bits[::-1]).tobytes().hex()


def main():
    lines = ["file,view,pdq"]
    for name in PICTURES:
        rgb = np.asarray(Image.open(VECTORS / f"{name}.png").convert("RGB"), float)
        height, width = rgb.shape[:2]
        small = means(height) @ (rgb @ [0.299, 0.587, 0.114]) @ means(width).T
        whole = tents(0, 1) @ small @ tents(0, 1).T
        views = {view: tents(a, b) @ small @ tents(c, d).T for view, (a, b, c, d) in PARTS.items()}
        views |= {view: turned(small, width / height, angle) for view, angle in TILTS.items()}
        views |= {view: turn(whole) for view, turn in SYMMETRIES.items()}
        lines += [f"{name}.png,{view},{to_hex(samples)}" for view, samples in views.items()]
    (VECTORS / "views.csv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
