"""broken/: files named by their fault, and what a scanner should say of each."""

import zipfile
import zlib
from io import BytesIO

from PIL import Image

import render
from modes import gif, SMALL
from pdq import write_csv


def write(folder):
    scene = render.few_colours(render.waves(200, 150), 24)
    for name, (expect, content) in faults(scene).items():
        (folder / name).write_bytes(content)
    write_csv(folder / "broken.csv", "file,expect", [(name, expect) for name, (expect, _) in sorted(faults(scene).items())])


def faults(scene):
    jpeg, progressive = saved(scene, "JPEG"), saved(scene, "JPEG", progressive=True)
    png, webp, bmp, still = saved(scene, "PNG"), saved(scene, "WEBP"), saved(scene.resize((80, 60)), "BMP"), saved(scene.quantize(24), "GIF")
    frames = gif([render.few_colours(s(*SMALL), 24) for s in (render.waves, render.flower, render.trees)])
    cut = lambda data: data[: len(data) * 6 // 10]
    box = lambda kind, rest: (8 + len(rest)).to_bytes(4, "big") + kind + rest
    return {
        "truncated-baseline.jpg": ("truncated", cut(jpeg)),
        "truncated-progressive.jpg": ("truncated", cut(progressive)),
        "truncated.png": ("truncated", cut(png)),
        "truncated-interlaced.png": ("truncated", cut(interlaced(scene))),
        "truncated-animated.gif": ("truncated", frames[0] + frames[1] + cut(frames[2])),
        "truncated-static.gif": ("truncated", cut(still)),
        "truncated.webp": ("truncated", cut(webp)),
        "truncated.bmp": ("truncated", cut(bmp)),
        "too-large-60000x60000.png": ("too-large", png_of(60000, 60000, zlib.compress(bytes(10000)))),
        "too-large-65500x65500-progressive.jpg": ("too-large", resized_header(progressive, 65500)),
        "zero-width.png": ("malformed", png_of(0, 16, zlib.compress(bytes(16)))),
        "bad-deflate.png": ("malformed", png_of(64, 64, b"\x78\x9c" + b"\xff" * 400)),
        "bad-huffman-table.jpg": ("malformed", overfull_table(jpeg)),
        "bad-code-size.gif": ("malformed", bad_code_size(still)),
        "bad-start-code.webp": ("malformed", webp.replace(b"\x9d\x01\x2a", b"\x9d\x01\x2b", 1)),
        "bad-bit-count.bmp": ("malformed", bmp[:28] + b"\x07\x00" + bmp[30:]),
        "jpeg-named.png": ("ok", jpeg),
        "empty.jpg": ("truncated", b""),
        "one-byte.jpg": ("unsupported", b"\xff"),
        "text-named.jpg": ("unsupported", b"This is a text, whatever its name says.\n"),
        "zip-named.jpg": ("unsupported", zipped()),
        "header-only.heic": ("unsupported", box(b"ftyp", b"heic\0\0\0\0mif1heic") + box(b"meta", bytes(24))),
        "header-only.avif": ("unsupported", box(b"ftyp", b"avif\0\0\0\0mif1avifmiaf") + box(b"meta", bytes(24))),
        "header-only.mp4": ("unsupported", box(b"ftyp", b"isom\0\0\x02\0isomiso2avc1mp41") + box(b"mdat", bytes(24))),
        "header-only.pdf": ("unsupported", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< >>\nendobj\n"),
    }


def saved(image, kind, **how):
    out = BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def png_of(w, h, idat, bits=8, kind=2, interlace=0):
    chunk = lambda name, data: len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")
    head = w.to_bytes(4, "big") + h.to_bytes(4, "big") + bytes([bits, kind, 0, 0, interlace])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", idat) + chunk(b"IEND", b"")


def interlaced(image):
    """Adam7, every row unfiltered."""
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = b"".join(
        b"\0" + b"".join(bytes(image.getpixel((x, y))) for x in range(left, image.width, across))
        for left, top, across, down in passes for y in range(top, image.height, down))
    return png_of(*image.size, zlib.compress(rows, 9), interlace=1)


def resized_header(jpeg, side):
    at = jpeg.index(b"\xff\xc2") + 5  # SOF2: length 2, precision 1, then height and width
    return jpeg[:at] + side.to_bytes(2, "big") * 2 + jpeg[at + 4 :]


def overfull_table(jpeg):
    at = jpeg.index(b"\xff\xc4") + 5  # DHT: more codes of one bit than there are
    return jpeg[:at] + b"\x09" + jpeg[at + 1 :]


def bad_code_size(still):
    at = 13 + 3 * 2 ** ((still[10] & 7) + 1)  # after the global colour table comes the image descriptor
    at = still.index(b",", at) + 10
    return still[:at] + b"\x1f" + still[at + 1 :]


def zipped():
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("note.txt", (2020, 1, 1, 0, 0, 0)), "not a picture")
    return out.getvalue()
