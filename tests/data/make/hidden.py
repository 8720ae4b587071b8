"""hidden/: valid-looking files that show the test picture to a viewer and hide it from a careless reader."""

import io
import itertools
import struct
import zipfile
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
    count_one(buffer.getvalue(), hidden / "uncounted-frame.png")
    # And two behind a default image outside the animation.
    buffer = io.BytesIO()
    plain = cover.convert("RGB")
    plain.save(buffer, "PNG", save_all=True, append_images=[plain, card], default_image=True)
    count_one(buffer.getvalue(), hidden / "uncounted-behind-default.png")

    # Two counted frames, by a chunk whose checksum is wrong.
    buffer = io.BytesIO()
    plain.save(buffer, "PNG", save_all=True, append_images=[card])
    data = bytearray(buffer.getvalue())
    data[data.index(b"acTL") + 12] ^= 1
    (hidden / "count-with-a-wrong-checksum.png").write_bytes(data)

    # Turned by the second word of two, and by one behind the pixels.
    words = []
    for value in (1, 8):
        exif = Image.Exif()
        exif[0x0112] = value
        words.append(exif.tobytes())
    upright, turned = (riff_chunk(b"EXIF", word) for word in words)
    around = card.transpose(Image.Transpose.ROTATE_270)
    (hidden / "turned-by-the-first.webp").write_bytes(webp(8, lossless(around), turned, upright))
    buffer = io.BytesIO()
    around.save(buffer, "PNG")
    data = buffer.getvalue()
    chunk = b"eXIf" + words[1].removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    (hidden / "turned-behind-the-pixels.png").write_bytes(data[:-12] + chunk + data[-12:])

    # Of two planes of alpha, readers take the first or the last.
    buffer = io.BytesIO()
    ink.save(buffer, "WEBP", quality=60)
    data = buffer.getvalue()
    alpha = data.index(b"ALPH")
    (length,) = struct.unpack("<I", data[alpha + 4 : alpha + 8])
    alpha, image = data[alpha : alpha + 8 + length + (length & 1)], data[data.index(b"VP8 ") :]
    clear = riff_chunk(b"ALPH", b"\0" + bytes(SIZE * SIZE))
    (hidden / "alpha-twice.webp").write_bytes(webp(0x10, clear, alpha, image))

    # Of two canvases, the first is as large as its picture.
    (hidden / "canvas-twice.webp").write_bytes(webp(0, riff_chunk(b"VP8X", bytes(10)), lossless(card)))

    # Means alone, black and white in turns: most viewers smooth them, and show what lies between.
    between = card.convert("L").resize((2 * SIZE // 8,) * 2, Image.Resampling.BOX)
    means = Image.new("L", between.size)
    for x, y in itertools.product(range(between.width), range(between.height)):
        square = 190 if (x + y) % 2 else -190
        means.putpixel((x, y), 128 + round((square + 0.4 * (between.getpixel((x, y)) - 128)) / 8))
    buffer = io.BytesIO()
    blocks = means.resize((2 * SIZE, 2 * SIZE), Image.Resampling.NEAREST)
    blocks.save(buffer, "JPEG", qtables=[[4] + [64] * 63], progressive=True)
    # They lie eight times as far from grey.
    data = buffer.getvalue().replace(b"\xff\xdb\0\x43\0\x04", b"\xff\xdb\0\x43\0\x20")
    head, *scans = data.split(b"\xff\xda")
    means = b"".join(b"\xff\xda" + scan for scan in scans if scan[5] == 0)
    (hidden / "means-alone.jpg").write_bytes(head + means + b"\xff\xd9")

    # A frame beside the screen, which some viewers widen.
    buffer = io.BytesIO()
    frames = [Image.new("RGB", (SIZE, SIZE), "orange").quantize(4), card.quantize(32)]
    plain.quantize(4).save(buffer, "GIF", save_all=True, append_images=frames, disposal=0)
    data = bytearray(buffer.getvalue())
    second = data.index(b"\x2c", data.index(b"\x2c") + 10)
    while data[second + 5 : second + 9] != struct.pack("<HH", SIZE, SIZE):
        second = data.index(b"\x2c", second + 1)
    data[second + 1 : second + 3] = struct.pack("<H", SIZE)
    (hidden / "beside-the-screen.gif").write_bytes(data)

    # Profiles that no codec reads: cut, and of 5 MB.
    packed = zlib.compress(bytes(5_000_000), 9)
    for name, contents in [("broken", b"a\0\0cut"), ("huge", b"a\0\0" + packed)]:
        buffer = io.BytesIO()
        plain.save(buffer, "PNG")
        data = buffer.getvalue()
        chunk = b"iCCP" + contents
        chunk = struct.pack(">I", len(contents)) + chunk + struct.pack(">I", zlib.crc32(chunk))
        (hidden / f"{name}-profile.png").write_bytes(data[:33] + chunk + data[33:])

    behind(hidden, card, cover.convert("RGB"))


def count_one(data, path):
    """An APNG whose header counts one frame."""
    at = data.index(b"acTL")
    counted = b"acTL" + struct.pack(">II", 1, 0)
    path.write_bytes(data[:at] + counted + struct.pack(">I", zlib.crc32(counted)) + data[at + 16 :])


def behind(hidden, card, cover):
    """Pictures and films behind the end of the first, and other places where a picture is missed."""
    first, second = jpeg(cover), jpeg(card)
    (hidden / "second-behind-the-first.jpg").write_bytes(first + second)
    # By Pillow's writer of multi-picture files: an index in the first, the second behind it.
    buffer = io.BytesIO()
    cover.save(buffer, "MPO", save_all=True, append_images=[card], quality=60)
    (hidden / "multi-picture.jpg").write_bytes(buffer.getvalue())
    # As cameras append a film: a box that names its kind, a box of data.
    film = struct.pack(">I", 24) + b"ftypmp42\0\0\0\0mp42isom" + struct.pack(">I", 1008) + b"mdat" + bytes(1000)
    (hidden / "motion-photo.jpg").write_bytes(first + b"MotionPhoto_Data" + film)
    moved = struct.pack(">I", 1008) + b"moov" + bytes(1000)
    (hidden / "film-without-a-type.jpg").write_bytes(first + moved)
    matroska = bytes.fromhex("1a45dfa3934282847765626d42878104") + bytes(1000)
    (hidden / "film-in-webm.jpg").write_bytes(first + matroska)
    (hidden / "second-behind-a-film.jpg").write_bytes(first + film + second)
    (hidden / "second-is-cut.jpg").write_bytes(first + second[: len(second) * 9 // 10])
    (hidden / "second-is-lossless.jpg").write_bytes(first + second.replace(b"\xff\xc0", b"\xff\xc3"))
    (hidden / "junk-before-the-start.jpg").write_bytes(b"junk" + second)
    at = second.index(b"\xff\xc0") + 5
    (hidden / "height-told-later.jpg").write_bytes(second[:at] + b"\0\0" + second[at + 2 :])
    Image.new("RGB", (1, 1), (9, 90, 200)).save(hidden / "one-pixel.png")
    Image.new("L", (1, 30000), 90).save(hidden / "one-wide-30000-high.png")
    Image.new("L", (30000, 1), 90).save(hidden / "30000-wide-one-high.jpg")
    # A page and an archive with the picture in them.
    card.save(hidden / "page-with-a-picture.pdf", "PDF", creationDate=None, modDate=None)
    with zipfile.ZipFile(hidden / "archive-with-a-picture.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo("picture.jpg", (2020, 1, 1, 0, 0, 0)), second)


def jpeg(image):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=60)
    return buffer.getvalue()
