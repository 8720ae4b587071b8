"""reduced/: JPEG files so large that a fast scan reads them at a half, a quarter or an eighth of their size.

`reduced.csv` holds PyPI pdqhash's hash of the upright picture at full size, and the scale.
"""

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


def write(folder):
    for name, scene, size, _, orientation, how in FILES:
        image = scene(*size).convert("L" if "gray" in name else "RGB")
        stored(image, orientation).save(folder / f"{name}.jpg", quality=30, optimize=True, exif=exif(orientation), **how)


def table(folder):
    rows = []
    for name, _, _, scale, _, _ in FILES:
        upright = ImageOps.exif_transpose(Image.open(folder / f"{name}.jpg"))
        rows.append([f"{name}.jpg", *upright.size, scale, *pdq(upright)])
    write_csv(folder / "reduced.csv", "file,width,height,scale,pdq,quality", rows)
