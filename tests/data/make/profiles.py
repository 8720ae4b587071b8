"""profiles/: pictures whose colour profile shows something else than their values, and some that do not."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms

import render
from pdq import pdq, write_csv

SIZE = 192
LINEAR = struct.pack(">4s4xI", b"curv", 0)  # light is the value
INVERTED = struct.pack(">4s4xI2H", b"curv", 2, 65535, 0)
GAMMA = struct.pack(">4s4xIH2x", b"curv", 1, 563)  # 2.2
ADOBE_RGB = (0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446)
DISPLAY_P3 = (0.5151, 0.2412, -0.0011), (0.292, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841)


def number(value):
    return struct.pack(">i", round(value * 65536))


def xyz(x, y, z):
    return b"XYZ \0\0\0\0" + number(x) + number(y) + number(z)


def icc(space, curve, primaries=((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7139))):
    """A display profile of version 2 (ICC.1:2001-04): one curve, and sRGB's primaries unless others are given."""
    text = b"Only a test"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + bytes(79)
    tags = {b"desc": description, b"cprt": b"text\0\0\0\0" + text + b"\0", b"wtpt": xyz(0.9642, 1, 0.8249)}
    if space == b"GRAY":
        tags[b"kTRC"] = curve
    else:
        tags |= {channel + b"TRC": curve for channel in (b"r", b"g", b"b")}
        tags |= {channel + b"XYZ": xyz(*place) for channel, place in zip((b"r", b"g", b"b"), primaries)}
    at, table, data = 128 + 4 + 12 * len(tags), b"", b""
    for name, tag in tags.items():
        table += name + struct.pack(">II", at + len(data), len(tag))
        data += tag + bytes(-len(tag) % 4)
    size = at + len(data)
    header = struct.pack(">I4xI4s4s4s", size, 0x02400000, b"mntr", space, b"XYZ ").ljust(36, b"\0")
    header += b"acsp".ljust(32, b"\0") + number(0.9642) + number(1) + number(0.8249)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


def light(image):
    """The values that shown as light look like the picture."""
    values = np.asarray(image, float) / 255
    values = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return Image.fromarray((values * 255).round().astype("uint8"))


def inverted(image):
    return Image.fromarray(255 - np.asarray(light(image)))


def write(folder):
    picture = render.trees(SIZE, SIZE)
    grey = picture.convert("L")
    linear, negative = icc(b"RGB ", LINEAR), icc(b"RGB ", INVERTED)
    light(picture).save(folder / "linear.jpg", quality=92, icc_profile=linear)
    light(picture).save(folder / "linear-progressive.jpg", quality=92, progressive=True, icc_profile=linear)
    light(picture.resize((1024, 1024))).save(folder / "linear-large.jpg", quality=60, icc_profile=linear)
    inverted(picture).save(folder / "inverted.jpg", quality=92, icc_profile=negative)
    light(grey).save(folder / "linear-grey.jpg", quality=92, icc_profile=icc(b"GRAY", LINEAR))
    inverted(grey).save(folder / "inverted-grey.png", icc_profile=icc(b"GRAY", INVERTED))
    translucent = light(picture).convert("RGBA")
    translucent.putalpha(Image.linear_gradient("L").resize(picture.size))
    translucent.save(folder / "linear-alpha.png", icc_profile=linear)
    light(picture).save(folder / "linear.webp", quality=90, icc_profile=linear)
    values = (np.asarray(picture, float) / 255) ** 2.2 * 255
    Image.fromarray(values.round().astype("uint8")).save(folder / "gamma.png")
    gamma(folder / "gamma.png", 1.0)
    # Nobody knows the first profile; the gamma behind it is applied.
    Image.fromarray(values.round().astype("uint8")).save(folder / "gamma-behind-junk.png", icc_profile=b"no profile")
    gamma(folder / "gamma-behind-junk.png", 1.0)
    light(picture).save(folder / "linear-code-point.png")
    insert(folder / "linear-code-point.png", b"cICP", bytes([1, 8, 0, 1]))
    # One that few viewers know in front of one that all know.
    inverted(grey).convert("RGB").save(folder / "inverted-behind-a-code-point.png", icc_profile=negative)
    insert(folder / "inverted-behind-a-code-point.png", b"cICP", bytes([1, 8, 0, 1]))
    # A text that is broken keeps nobody from showing the curves.
    spoilt = negative.replace(b"desc\0\0\0\0", b"odd!\0\0\0\0")
    inverted(picture).save(folder / "inverted-with-a-broken-text.jpg", quality=85, icc_profile=spoilt)
    bitmap(inverted(picture.resize((96, 96))), negative, folder / "inverted.bmp")
    # What cameras and editors write.
    picture.save(folder / "ordinary-adobe-rgb.jpg", quality=85, icc_profile=icc(b"RGB ", GAMMA, ADOBE_RGB))
    picture.save(folder / "ordinary-display-p3.jpg", quality=85, icc_profile=icc(b"RGB ", GAMMA, DISPLAY_P3))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture.save(folder / "ordinary-srgb.png", icc_profile=srgb)
    picture.save(folder / "ordinary-gamma.png")
    gamma(folder / "ordinary-gamma.png", 0.45455)
    # Nobody applies these.
    picture.save(folder / "ordinary-of-another-space.jpg", quality=85, icc_profile=icc(b"GRAY", INVERTED))
    picture.save(folder / "ordinary-broken.jpg", quality=85, icc_profile=linear[:200])


def gamma(path, value):
    insert(path, b"gAMA", struct.pack(">I", round(value * 100000)))


def insert(path, name, contents):
    data = path.read_bytes()
    at = 8 + 25  # behind IHDR
    checksum = struct.pack(">I", zlib.crc32(name + contents))
    path.write_bytes(data[:at] + struct.pack(">I", len(contents)) + name + contents + checksum + data[at:])


def bitmap(image, profile, path):
    """With a BITMAPV5HEADER, the profile behind the pixels."""
    pixels = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM).tobytes("raw", "BGR", (image.width * 3 + 3) // 4 * 4)
    header = struct.pack("<IiiHHIIiiII", 124, *image.size, 1, 24, 0, len(pixels), 2835, 2835, 0, 0)
    header += bytes(16) + b"DEBM" + bytes(36 + 12) + struct.pack("<IIII", 4, 124 + len(pixels), len(profile), 0)
    size = 14 + len(header) + len(pixels) + len(profile)
    path.write_bytes(b"BM" + struct.pack("<I4xI", size, 14 + len(header)) + header + pixels + profile)


def shown(path):
    """What littleCMS makes of it, over white, and of a gAMA what the PNG specification says."""
    image = Image.open(path)
    profile = image.info.get("icc_profile")
    if path.suffix == ".bmp":
        data = path.read_bytes()
        at, length = struct.unpack("<II", data[14 + 112 : 14 + 120])
        profile = data[14 + at :][:length]
    if path.name == "linear-code-point.png":
        values = np.asarray(image, float) / 255
        values = np.where(values <= 0.0031308, values * 12.92, 1.055 * values ** (1 / 2.4) - 0.055)
        return Image.fromarray((values * 255).round().astype("uint8"))
    if profile and "junk" not in path.name:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        alpha = image.getchannel("A") if image.mode == "RGBA" else None
        colours = image.convert("RGB") if alpha else image
        image = ImageCms.profileToProfile(colours, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        if alpha:
            image.putalpha(alpha)
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
        return image
    values = (np.asarray(image, float) / 255) ** (1 / (image.info["gamma"] * 2.2)) * 255
    return Image.fromarray(values.round().astype("uint8"))


def table(folder):
    rows = []
    for path in sorted(p for p in folder.iterdir() if p.suffix != ".csv" and not p.name.startswith("ordinary")):
        rows.append([path.name, *pdq(shown(path)), 6])
    write_csv(folder / "profiles.csv", "file,pdq,quality,max_distance", rows)
