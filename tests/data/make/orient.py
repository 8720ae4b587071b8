"""orient/: one upright picture, stored turned or mirrored under each EXIF orientation."""

from PIL import Image, ImageOps

import render
from pdq import pdq, write_csv

# What undoes the orientation's own operation, so that the upright picture is always the same.
STORED = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_90", 7: "TRANSVERSE", 8: "ROTATE_270"}


def write(folder):
    upright = render.trees(192, 144)
    few = render.few_colours(upright, 24)
    for n in range(1, 9):
        stored(upright, n).save(folder / f"orientation-{n}.jpg", quality=85, exif=exif(n))
    stored(few, 6).save(folder / "orientation-6.png", optimize=True, exif=exif(6))
    stored(few, 6).save(folder / "orientation-6.webp", lossless=True, exif=exif(6))


def stored(image, n):
    return image.transpose(Image.Transpose[STORED[n]]) if n in STORED else image


def exif(n):
    tags = Image.Exif()
    tags.endian = "><"[n % 2]  # both byte orders
    tags[0x0112] = n
    return tags


def table(folder):
    rows = []
    for path in sorted(p for p in folder.iterdir() if p.suffix != ".csv"):
        upright = ImageOps.exif_transpose(Image.open(path))
        rows.append([path.name, *pdq(upright), 4 if path.suffix == ".jpg" else 0])
    write_csv(folder / "orient.csv", "file,pdq,quality,max_distance", rows)
