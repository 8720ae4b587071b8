"""vectors/: RGB PNG files with their eight PDQ hashes."""

from PIL import Image

import render
from pdq import DIHEDRAL, dihedral, write_csv


def write(folder):
    for name, image in render.vectors().items():
        image.save(folder / f"{name}.png", optimize=True)


def table(folder):
    rows = []
    for path in sorted(folder.glob("*.png")):
        image = Image.open(path)
        hashes, quality = dihedral(image)
        rows.append([path.name, *image.size, quality, *hashes])
    write_csv(folder / "vectors.csv", "file,width,height,quality," + ",".join(DIHEDRAL), rows)
