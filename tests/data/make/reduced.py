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
    ("eighth-progressive-422", render.aquarium, (1813, 2507), 8, 1, {"subsampling": 1, "progressive": True}),
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
# The same, and a second scan that sends the means alone: what the first sent beside them stays.
SENT_TWICE = [("quarter-cut-off-sent-twice", (1312, 896), 1)]
# Black and white blocks in turns, of which the stripes make a grey.
HALFTONE = [("eighth-halftone", (2504, 1792), 1)]
# Squares of red and its opposite as large as a block of chroma, bright enough that the red is cut off.
RED_SQUARES = [("eighth-red-squares", (2512, 1792), 1)]
RED_CUT_OFF = [("half-red-cut-off", (704, 448), 1, False), ("eighth-progressive-red-cut-off", (2504, 1792), 1, True)]


def write(folder):
    for name, scene, size, _, orientation, how in FILES:
        image = scene(*size).convert("L" if "gray" in name else "RGB")
        stored(image, orientation).save(folder / f"{name}.jpg", quality=30, optimize=True, exif=exif(orientation), **how)
    for name, size, _, progressive in CUT_OFF:
        (folder / f"{name}.jpg").write_bytes(cut_off(*size, progressive))
    for name, size, _, progressive in BESIDE_WHITE:
        (folder / f"{name}.jpg").write_bytes(cut_off(*size, progressive, white=16))
    for name, size, _ in SENT_TWICE:
        (folder / f"{name}.jpg").write_bytes(sent_twice(*size))
    for name, size, _ in HALFTONE:
        (folder / f"{name}.jpg").write_bytes(halftone(*size))
    for name, size, _ in RED_SQUARES:
        (folder / f"{name}.jpg").write_bytes(red_squares(*size))
    (folder / "refined-from-zero.jpg").write_bytes(refined_from_zero())
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
    means, heights = nearly_white(width, height)
    means[:, means.shape[1] - white :], heights[:, heights.shape[1] - white :] = 127, 0
    return bright(means, heights, optimize=True, progressive=progressive)


def nearly_white(width, height):
    """The means of blocks, and the heights of their stripes."""
    means = np.round(28 + 3 * levels(render.flower, width, height)) / 2
    return means, 8 * np.round(11 * levels(render.cobbles, width, height))


def bright(means, heights, **how):
    """A JPEG file with stripes whose means lie eight times as far from grey."""
    stripe = stripes(8 * means.shape[1])
    image = Image.fromarray((128 + whole(means) + whole(heights) * stripe).astype(np.uint8))
    out = BytesIO()
    image.save(out, "JPEG", qtables=[[4] + [64] * 63], **how)
    return out.getvalue().replace(b"\xff\xdb\0\x43\0\x04", b"\xff\xdb\0\x43\0\x20")


def sent_twice(width, height):
    """Three components, each in its scan. Grey files of Pillow's usual tables give the scans; the chroma is flat."""
    means, heights = nearly_white(width, height)
    first, again, flat = bright(means, heights), bright(means, 0 * heights), bright(0 * means, 0 * heights)
    frame, start = first.index(b"\xff\xc0"), first.index(b"\xff\xda")
    size = first[frame + 5 : frame + 9]
    head = first[:frame] + b"\xff\xc0\0\x11\x08" + size + b"\3\1\x11\0\2\x11\0\3\x11\0" + first[frame + 13 : start]

    def scan(file, component):
        header = b"\xff\xda\0\x08\1" + bytes([component]) + b"\0\0\x3f\0"
        return header + file[file.index(b"\xff\xda") + 10 : -2]

    return head + scan(first, 1) + scan(flat, 2) + scan(flat, 3) + scan(again, 1) + b"\xff\xd9"


def halftone(width, height):
    """White blocks lose half of the height of their stripes, and black ones gain it."""
    shade = 2 * levels(render.cobbles, width, height) - 1
    white = np.indices(shade.shape).sum(0) % 2 == 0
    heights = np.where(white == (shade < 0), 8 * np.round(9 * abs(shade)), 0)
    return bright(np.where(white, 16, -16), heights, optimize=True)


def red_squares(width, height):
    """No square holds more than its mean. A filter over the means mixes them until a flat 240 is left."""
    chroma = 126 * (1 - levels(render.cobbles, width // 2, height // 2))

    def shown(luma, chroma):
        ends = [0.299 * (luma + 1.402 * c).clip(0, 255) + 0.587 * (luma - 0.714 * c).clip(0, 255) for c in (chroma, -chroma)]
        return sum(ends) / 2 + 0.114 * luma

    low, high = np.full(chroma.shape, 200.0), np.full(chroma.shape, 255.0)
    for _ in range(12):
        middle = (low + high) / 2
        too_dark = shown(middle, chroma / 4) < 240
        low, high = np.where(too_dark, middle, low), np.where(too_dark, high, middle)
    turns = np.where(np.indices(chroma.shape).sum(0) % 2 == 0, 1, -1)
    planes = [np.repeat(np.repeat(plane.round(), 16, 0), 16, 1) for plane in (low, 0 * low + 128, 128 + turns * chroma)]
    image = Image.merge("YCbCr", [Image.fromarray(plane.astype(np.uint8)) for plane in planes])
    out = BytesIO()
    image.save(out, "JPEG", qtables=[[8] * 64] * 2, subsampling=2, optimize=True)
    return out.getvalue()


def refined_from_zero():
    """A block whose first AC scan sends 8 * 2^13, which is 0 in 16 bits. The refining scan sends its first bit."""
    def segment(marker, content):
        return b"\xff" + bytes([marker]) + (len(content) + 2).to_bytes(2, "big") + content

    # DC difference 0: "0". AC: end of the band "0", one place of four bits "10", one of one bit "110".
    codes = segment(0xC4, b"\0\1" + bytes(15) + b"\0" + b"\x10\1\1\1" + bytes(13) + b"\0\4\1")
    head = segment(0xDB, b"\0" + b"\1" * 64) + segment(0xC2, b"\x08\0\x08\0\x08\1\1\x11\0") + codes
    mean = segment(0xDA, b"\1\1\0\0\0\0") + bytes([0b0_1111111])
    first = segment(0xDA, b"\1\1\0\1\x3f\x0d") + bytes([0b10_1000_0_1])
    refined = segment(0xDA, b"\1\1\0\1\x3f\xdc") + bytes([0b110_1_0_111])
    # Nothing beside that, to the last bit.
    whole = segment(0xDA, b"\1\1\0\1\x3f\0") + bytes([0b0_1111111])
    return b"\xff\xd8" + head + mean + first + refined + whole + b"\xff\xd9"


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
    for name, size, scale, *_ in CUT_OFF + BESIDE_WHITE + SENT_TWICE + HALFTONE + RED_SQUARES + RED_CUT_OFF:
        rows.append([f"{name}.jpg", *size, scale, *pdq(Image.open(folder / f"{name}.jpg"))])
    write_csv(folder / "cut-off.csv", columns, rows)
