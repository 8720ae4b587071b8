"""The official test picture as pixels, for tests of hosts that decode themselves.

    python3 bindings/rgba.py tests/data/media/test-picture.png OUT

Writes 512 x 512 pixels: red, green, blue, 255. By Python's standard library alone.
"""

import struct
import sys
import zlib


def rgba(png: bytes) -> bytes:
    """The pixels of a PNG of 8 bits, with a palette, not interlaced, not filtered
    by anything but left and up."""
    at, data, palette, header = 8, b"", b"", b""
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        header = body if kind == b"IHDR" else header
        palette = body if kind == b"PLTE" else palette
        data += body if kind == b"IDAT" else b""
        at += 12 + length
    width, height, *rest = struct.unpack(">IIBBBBB", header)
    assert rest == [8, 3, 0, 0, 0], "8 bits, a palette, not interlaced"
    lines, above, pixels = zlib.decompress(data), bytearray(width), bytearray()
    for y in range(height):
        kind, *line = lines[y * (width + 1) : (y + 1) * (width + 1)]
        assert kind <= 2, "not filtered, or by left or up"
        for x in range(width):
            guess = (0, line[x - 1] if x else 0, above[x])[kind]
            line[x] = (line[x] + guess) & 255
            pixels += palette[3 * line[x] : 3 * line[x] + 3] + b"\xff"
        above = line
    return bytes(pixels)


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb") as out:
        out.write(rgba(source.read()))
