"""reduced/: JPEG files so large that a fast scan reads them at a half, a quarter or an eighth of their size.

`reduced.csv` holds PyPI pdqhash's hash of the upright picture at full size, and the scale; `cut-off.csv` the same of files
whose means say something else than what is seen.
"""

from io import BytesIO

import numpy as np
from PIL import Image, ImageOps

import render
from orient import exif, stored
from pdq import pdq, write_csv

# Name, scene, upright size, scale, orientation, and how it is stored. No side is a multiple of the scale.
FILES = [
    ("eighth-420", render.trees, (2563, 1807), 8, 1, {"subsampling": 2}),
    ("eighth-progressive-422", render.balloons, (1813, 2507), 8, 1, {"subsampling": 1, "progressive": True}),
    ("eighth-restart-turned", render.lighthouse, (1893, 2509), 8, 6, {"subsampling": 2, "restart_marker_blocks": 7}),
    ("quarter-444", render.aquarium, (1301, 1735), 4, 1, {"subsampling": 0}),
    ("quarter-mirrored", render.flower, (1733, 1303), 4, 3, {"subsampling": 2}),
    ("half-gray", render.cobbles, (703, 527), 2, 1, {}),
    ("half-progressive", render.dunes, (901, 703), 2, 8, {"subsampling": 2, "progressive": True}),
]

# A scale of 1: it is decoded in full.
CUT_OFF = [
    ("half-cut-off", (704, 448), 1, False),
    ("quarter-cut-off", (1304, 896), 1, False),
    ("eighth-cut-off", (2504, 1792), 1, False),
    ("eighth-progressive-cut-off", (2504, 1792), 1, True),
]
# The same beside white whose means are far beyond it.
BESIDE_WHITE = [("quarter-cut-off-beside-white", (1304, 896), 1, False)]
RED_CUT_OFF = [("half-red-cut-off", (704, 448), 1, False), ("eighth-progressive-red-cut-off", (2504, 1792), 1, True)]


def write(folder):
    for name, scene, size, _, orientation, how in FILES:
        image = scene(*size).convert("L" if "gray" in name else "RGB")
        stored(image, orientation).save(folder / f"{name}.jpg", quality=30, optimize=True, exif=exif(orientation), **how)
    for name, size, _, progressive in CUT_OFF:
        (folder / f"{name}.jpg").write_bytes(cut_off(*size, progressive))
    for name, size, _, progressive in BESIDE_WHITE:
        (folder / f"{name}.jpg").write_bytes(cut_off(*size, progressive, white=16))
    for name, size, _, progressive in RED_CUT_OFF:
        (folder / f"{name}.jpg").write_bytes(red_cut_off(*size, progressive))


def levels(scene, width, height):
    """0 to 1 for each block."""
    return np.asarray(scene(width // 8, height // 8).convert("L")) / 255


def whole(blocks):
    return np.repeat(np.repeat(blocks, 8, 0), 8, 1)


def stripes(width):
    return np.where((np.arange(width) + 1) // 2 % 2 == 0, 1, -1)


def cut_off(width, height, progressive, white=0):
    """Nearly white, with fine stripes as bright as half of another picture: what lies above white is cut off, which
    their means do not tell. So many columns of blocks to the right are eight times as far from grey as white is."""
    means = np.round(28 + 3 * levels(render.flower, width, height)) / 2
    heights = 8 * np.round(11 * levels(render.cobbles, width, height))
    means[:, means.shape[1] - white :], heights[:, heights.shape[1] - white :] = 127, 0
    image = Image.fromarray((128 + whole(means) + whole(heights) * stripes(width)).astype(np.uint8))
    out = BytesIO()
    image.save(out, "JPEG", qtables=[[4] + [64] * 63], optimize=True, progressive=progressive)
    # The means lie eight times as far from grey.
    return out.getvalue().replace(b"\xff\xdb\0\x43\0\x04", b"\xff\xdb\0\x43\0\x20")


def red_cut_off(width, height, progressive):
    """Bright, with stripes of red and none, no chroma in the mean: what lies above the brightest red is cut off."""
    luma = whole(np.round(240 + 8 * levels(render.flower, width, height)))
    heights = 8 * np.round(14 * levels(render.cobbles, width, height))
    grey = np.full((height, width), 128)
    planes = [luma, grey, 128 + whole(heights) * stripes(width)]
    image = Image.merge("YCbCr", [Image.fromarray(plane.astype(np.uint8)) for plane in planes])
    out = BytesIO()
    image.save(out, "JPEG", qtables=[[8] * 64, [64] * 64], subsampling=0, optimize=True, progressive=progressive)
    return out.getvalue()


def table(folder):
    rows = []
    for name, _, _, scale, _, _ in FILES:
        upright = ImageOps.exif_transpose(Image.open(folder / f"{name}.jpg"))
        rows.append([f"{name}.jpg", *upright.size, scale, *pdq(upright)])
    columns = "file,width,height,scale,pdq,quality"
    write_csv(folder / "reduced.csv", columns, rows)
    rows = []
    for name, size, scale, _ in CUT_OFF + BESIDE_WHITE + RED_CUT_OFF:
        rows.append([f"{name}.jpg", *size, scale, *pdq(Image.open(folder / f"{name}.jpg"))])
    write_csv(folder / "cut-off.csv", columns, rows)
