"""hidden/: valid-looking files that show the test picture to a viewer and hide it from a careless reader."""

import io
import struct
import zlib

from PIL import Image, ImageOps

import render

SIZE = 256


def riff_chunk(name, data):
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) & 1)


def u24(number):
    return struct.pack("<I", number)[:3]


def lossless(image):
    """The VP8L chunk of an image, padding included."""
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", lossless=True, exact=True)
    data = buffer.getvalue()
    at = data.index(b"VP8L")
    (length,) = struct.unpack("<I", data[at + 4 : at + 8])
    return riff_chunk(b"VP8L", data[at + 8 : at + 8 + length])


def webp(flags, *chunks):
    header = riff_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + u24(SIZE - 1) * 2)
    body = b"WEBP" + header + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def frame(image, flags):
    place = u24(0) * 2 + u24(SIZE - 1) * 2 + u24(100) + bytes([flags])
    return riff_chunk(b"ANMF", place + lossless(image))


def write(hidden):
    card = render.test_card().convert("RGB").resize((SIZE, SIZE), Image.Resampling.BICUBIC).quantize(32).convert("RGB")
    cover = Image.new("RGBA", (SIZE, SIZE), (40, 90, 160, 255))
    faint = card.convert("RGBA")
    faint.putalpha(90)
    anim = riff_chunk(b"ANIM", bytes(6))
    # The first frame goes before the second is laid over nothing.
    (hidden / "dispose-to-background.webp").write_bytes(webp(0x12, anim, frame(cover, 1), frame(faint, 0)))

    # Drawn in transparency, which the flags of the file deny.
    black = Image.new("L", card.size)
    ink = Image.merge("RGBA", [black, black, black, ImageOps.invert(card.convert("L"))])
    (hidden / "alpha-without-flag.webp").write_bytes(webp(0, lossless(ink)))

    # Browsers widen the screen to the first frame.
    buffer = io.BytesIO()
    card.quantize(32).save(buffer, "GIF")
    data = bytearray(buffer.getvalue())
    data[6:10] = struct.pack("<HH", 1, 1)
    (hidden / "screen-smaller-than-frame.gif").write_bytes(data)

    # Two frames where the header counts one.
    buffer = io.BytesIO()
    cover.convert("RGB").save(buffer, "PNG", save_all=True, append_images=[card])
    data = buffer.getvalue()
    at = data.index(b"acTL")
    counted = b"acTL" + struct.pack(">II", 1, 0)
    (hidden / "uncounted-frame.png").write_bytes(
        data[:at] + counted + struct.pack(">I", zlib.crc32(counted)) + data[at + 16 :]
    )
