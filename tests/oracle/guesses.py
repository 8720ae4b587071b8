"""Fits the weights in src/publish/work.rs to a folder of photos.

    pip install numpy pillow pdqhash blake3
    python tests/oracle/guesses.py DIR

Half of the photos are fitted to, the other half says how many bits a band holds
for a guesser who knows the weights. Crops are drawn with a fixed seed; each is
hashed as it is and mirrored, turned and upside down. pdqhash makes the hashes.
"""

import sys
from pathlib import Path

import blake3
import numpy
import pdqhash
from PIL import Image

CROPS = 28
CORNERS = [(down, across) for down in (1, 2, 3, 4) for across in (1, 2, 3, 4)]
LINES = [2, 4, 6]
THREES = [(1, 2, 3), (2, 4, 6), (2, 3, 5)]
UNIT = 2 / numpy.log(2) * 256  # a weight is log2 of the odds, in 1/256


def hashes(path, chance):
    """Signs of 256 bits for every crop, in the order of the bits' numbers."""
    picture = Image.open(path).convert("RGB")
    picture.thumbnail((1280, 1280))
    width, height = picture.size
    for _ in range(CROPS):
        w, h = (int(side * chance.uniform(0.4, 1)) for side in (width, height))
        left, top = chance.integers(width - w + 1), chance.integers(height - h + 1)
        crop = numpy.array(picture.crop((left, top, left + w, top + h)))
        vectors, quality = pdqhash.compute_dihedral(crop)
        if quality > 49:
            for vector in vectors[:4]:
                # pdqhash gives the highest bit first.
                yield vector[::-1].astype(int) * 2 - 1


def bands(bits):
    """The positions of docs/list-format.md, lowest frequency first."""
    for band, (down, across) in enumerate([(1, 1), (9, 1), (1, 9)]):
        lean = lambda at: (down * (at // 16 + 1) ** 2 + across * (at % 16 + 1) ** 2, at)
        draw = lambda at: blake3.blake3(b"presend band" + bytes([band, at])).digest()
        drawn = sorted(sorted(range(256), key=lean)[:112], key=draw)[:bits]
        yield sorted(drawn, key=lambda at: ((at // 16 + 1) ** 2 + (at % 16 + 1) ** 2, at))


def reasons(order):
    """Of each bit, the weights that count and the bits before it whose product they are of."""
    known = set()
    for at in order:
        row, column = divmod(at, 16)
        lower = lambda down, across: (row - down) * 16 + column - across
        wanted = []
        for number, (down, across) in enumerate(CORNERS):
            if row >= down and column >= across:
                wanted.append((number, (lower(down, across), lower(down, 0), lower(0, across))))
        lines = [(step,) for step in LINES] + THREES
        for number, steps in enumerate(lines, len(CORNERS)):
            if row >= max(steps):
                wanted.append((number, tuple(lower(step, 0) for step in steps)))
            if column >= max(steps):
                wanted.append((number, tuple(lower(0, step) for step in steps)))
        yield at, [(number, product) for number, product in wanted if known.issuperset(product)]
        known.add(at)


def design(signs, order):
    count = len(CORNERS) + len(LINES) + len(THREES)
    for at, why in reasons(order):
        columns = numpy.zeros((len(signs), count))
        for number, product in why:
            columns[:, number] += signs[:, product].prod(axis=1)
        yield signs[:, at], columns


def fit(signs):
    """Newton's method for the logistic regression of every bit on its reasons."""
    weights = numpy.zeros(len(CORNERS) + len(LINES) + len(THREES))
    for _ in range(5):
        slope, bend = -50 * weights, 50 * numpy.eye(len(weights))
        for order in bands(80):
            for sign, columns in design(signs, order):
                likely = 1 / (1 + numpy.exp(-2 * columns @ weights))
                slope += 2 * columns.T @ ((sign + 1) / 2 - likely)
                bend += 4 * (columns * (likely * (1 - likely))[:, None]).T @ columns
        weights += numpy.linalg.solve(bend, slope)
    return weights


def held(signs, weights, bits):
    for order in bands(bits):
        odds = ((columns @ weights) * sign for sign, columns in design(signs, order))
        yield sum(numpy.log2(1 + numpy.exp(-2 * odd)) for odd in odds)


def main():
    paths = sorted(path for path in Path(sys.argv[1]).rglob("*") if path.is_file())
    chance = numpy.random.default_rng(1)
    halves = [numpy.array([bits for path in half for bits in hashes(path, chance)])
              for half in (paths[::2], paths[1::2])]
    weights = fit(halves[0])
    shown = numpy.rint(weights * UNIT).astype(int).tolist()
    print("fitted to", len(halves[0]), "hashes")
    print("CORNERS", [shown[n : n + 4] for n in (0, 4, 8, 12)])
    print("LINES", dict(zip(LINES, shown[16:])), "THREES", dict(zip(THREES, shown[19:])))
    for bits in (64, 80, 96):
        each = numpy.array(list(held(halves[1], weights, bits)))
        easiest = each.min(axis=0)
        means = ", ".join(f"{mean:.1f}" for mean in each.mean(axis=1))
        print(f"{bits} bits: {means} held on average; of the easiest band "
              f"1 % {numpy.quantile(easiest, 0.01):.1f}, half {numpy.median(easiest):.1f} "
              f"({len(easiest)} other hashes)")


if __name__ == "__main__":
    main()
