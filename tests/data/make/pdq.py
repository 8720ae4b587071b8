"""PDQ as PyPI `pdqhash` computes it, written as Meta writes it.

Hex: 64 digits, coefficient 0 (the lowest frequency both ways) is the lowest bit of the LAST digit, coefficient 255 the
highest bit of the first. `pdqhash.compute` returns coefficient 255 FIRST, so its 0/1 vector read from left to right is
the hex as it stands. (`pdqhash.compute_float` is reversed in the same way.) Checked against the hashes Meta publishes
beside its own pictures in ThreatExchange, pdq/data: equal on every one.
"""

import csv

import numpy as np
import pdqhash
from PIL import Image

# The order and the names of `pdqhash.compute_dihedral`, and what was done to the picture: the hash in each column lies
# near `pdqhash.compute` of the picture so changed (at most 34 bits off on ours; the other seven operations at least 70).
DIHEDRAL = {
    "pdq": lambda a: a,                               # the picture
    "r90": lambda a: np.rot90(a, 1),                  # a quarter turn counter-clockwise
    "r180": lambda a: np.rot90(a, 2),                 # a half turn
    "r270": lambda a: np.rot90(a, 3),                 # a quarter turn clockwise
    "flipv": lambda a: np.flipud(a),                  # top and bottom exchanged (Meta: FlipX)
    "fliph": lambda a: np.fliplr(a),                  # left and right exchanged (Meta: FlipY)
    "r90flipv": lambda a: np.flipud(np.rot90(a, 1)),  # rows become columns: the main diagonal stays (Meta: FlipPlus1)
    "r90fliph": lambda a: np.fliplr(np.rot90(a, 1)),  # mirrored at the other diagonal (Meta: FlipMinus1)
}


def hex_of(bits):
    return np.packbits(np.asarray(bits, np.uint8)).tobytes().hex()


def pdq(image):
    """(hex, quality) of an opaque picture."""
    bits, quality = pdqhash.compute(np.array(image.convert("RGB")))
    return hex_of(bits), quality


def dihedral(image):
    """(eight hex hashes in the order of DIHEDRAL, quality)."""
    eight, quality = pdqhash.compute_dihedral(np.array(image.convert("RGB")))
    return [hex_of(bits) for bits in eight], quality


def distance(a, b):
    return (int(a, 16) ^ int(b, 16)).bit_count()


def over(image, background):
    """The picture laid over "white" or "black"."""
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, background), rgba).convert("RGB")


def write_csv(path, header, rows):
    with open(path, "w", newline="") as out:
        csv.writer(out, lineterminator="\n").writerows([header.split(","), *rows])
