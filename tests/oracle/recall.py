"""Which pictures of a folder, recompressed and halved, a list of their hashes finds.

    python tests/oracle/recall.py target/release/presend target/release/presend-publish FOLDER

The list is built from pdqhash's hashes of the pictures with a quality above 49.
Each picture is then halved (Lanczos) and saved as JPEG at quality 50 by Pillow,
and scanned against the list. Prints the ones that are missed, with their
Hamming distance.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import pdqhash
from PIL import Image, ImageOps, UnidentifiedImageError


def pdq(image):
    vector, quality = pdqhash.compute(numpy.asarray(image))
    return numpy.packbits(numpy.asarray(vector, numpy.uint8)).tobytes().hex(), quality


def main(presend, publish, folder):
    found = flat = 0
    missed = []
    with tempfile.TemporaryDirectory() as temporary:
        temporary = Path(temporary)
        copies = temporary / "copies"
        copies.mkdir()
        hashes = {}
        for path in sorted(Path(folder).iterdir()):
            try:
                image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
            except (UnidentifiedImageError, IsADirectoryError):
                continue
            hex, quality = pdq(image)
            if quality <= 49:
                flat += 1
                continue
            half = image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)
            copy = copies / (path.stem + ".jpg")
            half.save(copy, quality=50)
            hashes[str(copy)] = hex
        feed = temporary / "feed"
        feed.write_text("".join(f"pdq {hex}\n" for hex in hashes.values()))
        build = [publish, "build", "--id", "recall", "--version", "1", "--feed", feed, "--out", temporary]
        print(subprocess.run(build, check=True, capture_output=True, text=True).stdout, end="")
        scan = [presend, "scan", "--json", "--list", temporary / "recall.presend", copies]
        for line in subprocess.run(scan, capture_output=True, text=True).stdout.splitlines()[:-1]:
            answer = json.loads(line)
            if any(finding["code"] == "list.near" for finding in answer["findings"]):
                found += 1
            else:
                copy = answer["path"]
                hex, _ = pdq(Image.open(copy))
                distance = (int(hex, 16) ^ int(hashes[copy], 16)).bit_count()
                missed.append(f"missed at distance {distance}: {Path(copy).name}")
    print("\n".join(missed))
    print(f"{found} of {len(hashes)} found; {flat} left out for a quality of 49 or less")


if __name__ == "__main__":
    main(*sys.argv[1:])
