"""Writes what libjpeg-turbo makes of JPEG files at an eighth of their size.

    python tests/oracle/eighth.py eighths.csv FOLDER...
    PRESEND_EIGHTHS=eighths.csv cargo test --lib eighth

Each row is a path and the BLAKE3 of the luma, in bytes, of a JPEG file below
the folders that Pillow reads without complaint. The test compares presend's.
"""

import csv
import sys
import warnings
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "data/make"))
from jpeg import eighth

Image.MAX_IMAGE_PIXELS = None
warnings.simplefilter("ignore", ResourceWarning)

rows = []
for path in sorted(p.resolve() for folder in sys.argv[2:] for p in Path(folder).rglob("*") if p.is_file()):
    with open(path, "rb") as file:
        if file.read(2) != b"\xff\xd8":
            continue
    try:
        rows.append([path, eighth(path)])
    except (OSError, SyntaxError, ValueError, Warning):
        continue
with open(sys.argv[1], "w", newline="") as out:
    csv.writer(out, lineterminator="\n").writerows([["file", "eighth"], *(row for row in rows if row[1])])
print(len(rows), "files")
