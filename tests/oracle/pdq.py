"""Compares presend's PDQ with PyPI pdqhash on identical pixels.

    python tests/oracle/pdq.py target/release/presend [FOLDER...]

Every picture below the folders is decoded by Pillow, written again as an
uncompressed bitmap and hashed by both. Without folders: the project's own
pictures, and the shared test data if it lies beside the project. Equal bits are
asked for wherever the quality is above 49 (below, a hash is not used), and
equal quality everywhere. Exits 1 on a difference.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import pdqhash
from PIL import Image, UnidentifiedImageError

Image.MAX_IMAGE_PIXELS = None
ROOT = Path(__file__).resolve().parents[2]
OWN = [ROOT / "tests/data/vectors", ROOT / "tests/data/media"]
SHARED = [ROOT / "../shared/data/pdq", ROOT / "../shared/data/photos"]
# The order in which pdqhash.compute_dihedral answers, in presend's names;
# its quarter turns are counter-clockwise.
DIHEDRAL = [
    "identity", "rotate-270", "rotate-180", "rotate-90",
    "flip-vertical", "flip-horizontal", "transpose", "transverse",
]


def to_hex(vector):
    """pdqhash answers with bit 255 first, as the reference writes its hashes."""
    return numpy.packbits(numpy.asarray(vector, numpy.uint8)).tobytes().hex()


def distance(a, b):
    return (int(a, 16) ^ int(b, 16)).bit_count()


def main(presend, folders):
    folders = folders or OWN + [folder for folder in SHARED if folder.is_dir()]
    expected = {}
    with tempfile.TemporaryDirectory() as temporary:
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                try:
                    rgb = Image.open(path).convert("RGB")
                except (UnidentifiedImageError, IsADirectoryError, OSError):
                    continue
                name = Path(temporary) / f"{len(expected):04}.bmp"
                rgb.save(name)
                expected[str(name)] = (path, numpy.asarray(rgb))
        lines = subprocess.run(
            [presend, "hash", "--json", temporary], check=True, capture_output=True, text=True
        ).stdout.splitlines()
    compared = {"bits": 0, "quality": 0, "dihedral": 0}
    wrong = []
    for line in lines:
        answer = json.loads(line)
        path, rgb = expected.pop(answer["path"])
        ours = answer["frames"][0]
        vector, quality = pdqhash.compute(rgb)
        compared["quality"] += 1
        if ours["quality"] != quality:
            wrong.append(f"{path}: quality {ours['quality']}, pdqhash {quality}")
        if quality <= 49:
            continue
        compared["bits"] += 1
        if ours["pdq"] != to_hex(vector):
            wrong.append(f"{path}: {distance(ours['pdq'], to_hex(vector))} bits")
        if rgb.shape[:2] == (64, 64):
            # compute() takes 64 x 64 as it is, compute_dihedral() filters it.
            continue
        compared["dihedral"] += 1
        for name, vector in zip(DIHEDRAL, pdqhash.compute_dihedral(rgb)[0]):
            if ours["dihedral"][name] != to_hex(vector):
                wrong.append(f"{path}: {name} {distance(ours['dihedral'][name], to_hex(vector))} bits")
    wrong += [f"{path}: not hashed" for path, _ in expected.values()]
    print("\n".join(wrong))
    print(
        f"pdqhash {pdqhash.__version__}: {compared['quality']} pictures, quality equal on all, "
        f"{compared['bits']} hashes above quality 49 and the dihedral hashes of "
        f"{compared['dihedral']} equal bit for bit" if not wrong else f"{len(wrong)} differences"
    )
    return 1 if wrong or not compared["bits"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], [Path(folder) for folder in sys.argv[2:]]))
