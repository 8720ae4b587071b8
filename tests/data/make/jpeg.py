"""jpeg/: small JPEG files that differ in one property each, and the luma of libjpeg-turbo's default decode.

`jpeg.csv` holds BLAKE3 of the rows 0.299 R + 0.587 G + 0.114 B in float32, little-endian, computed in this order from
Pillow's RGB (for a grey picture R = G = B); and of the luma that libjpeg-turbo decodes at an eighth of the size, where
there is luma. Most files need libjpeg-turbo's `cjpeg` (2.1.5 was used) for factors and
scans that Pillow does not write; without it only the table is made anew.
"""

import shutil
import subprocess
from io import BytesIO

import numpy as np
from blake3 import blake3
from PIL import Image

import render
from pdq import write_csv

REFINED = """0 1 2: 0-0, 0, 2; 0: 1-9, 0, 2; 1: 1-63, 0, 1; 2: 1-63, 0, 2; 0: 10-63, 0, 1;
0 1 2: 0-0, 2, 1; 0: 1-9, 2, 1; 2: 1-63, 2, 1; 0: 1-9, 1, 0; 0: 10-63, 1, 0; 1: 1-63, 1, 0; 2: 1-63, 1, 0; 0 1 2: 0-0, 1, 0;"""


def write(folder):
    if not shutil.which("cjpeg"):
        return
    for name, content in files(folder).items():
        (folder / f"{name}.jpg").write_bytes(content)


def files(folder):
    scene, noise = render.few_colours(render.waves(45, 37), 24), grain(45, 37)
    made = {
        "ratio-444": cjpeg(scene, "1x1"), "ratio-422": cjpeg(scene, "2x1"), "ratio-420": cjpeg(scene, "2x2"),
        "ratio-440": cjpeg(scene, "1x2"), "ratio-411": cjpeg(scene, "4x1"), "ratio-410": cjpeg(scene, "4x2"),
        "ratio-3x1": cjpeg(scene, "3x1"), "ratio-1x4": cjpeg(scene, "1x4"),
        "ratio-mixed": cjpeg(scene, "2x2,1x2,2x1"), "ratio-luma-halved": cjpeg(scene, "1x1,2x2,2x2"),
        "gray": cjpeg(scene, "1x1", "-grayscale"), "gray-factors-2x2": cjpeg(scene, "2x2", "-grayscale"),
        "quality-1-wide-quantisers": cjpeg(noise, "2x2", "-quality", "1"), "quality-100-noise": cjpeg(noise, "2x2", "-quality", "100"),
        "two-levels-quality-10": cjpeg(noise.point(lambda v: 255 * (v > 127)), "1x1", "-quality", "10"),
        "restart-every-mcu": cjpeg(scene, "2x2", "-restart", "1B"), "restart-every-row": cjpeg(scene, "2x1", "-restart", "1"),
        "progressive-420": cjpeg(scene, "2x2", "-progressive"), "progressive-444-noise": cjpeg(noise, "1x1", "-progressive"),
        "progressive-gray": cjpeg(scene, "1x1", "-progressive", "-grayscale"),
        "progressive-restart": cjpeg(scene, "2x2", "-progressive", "-restart", "2B"),
        "progressive-refined": cjpeg(noise, "2x1", scans=(folder, REFINED)),
        "sequential-three-scans": cjpeg(scene, "2x2", scans=(folder, "0; 1; 2;")),
        "sequential-two-scans": cjpeg(scene, "2x2", scans=(folder, "0; 1 2;")),
        "rgb-adobe": pillow(scene, keep_rgb=True), "cmyk": pillow(grain(45, 37, 4)),
    }
    for width, height in ((1, 1), (3, 4), (4, 3), (5, 5), (6, 1), (16, 17), (33, 31)):
        made[f"size-{width}x{height}-420"] = cjpeg(noise.crop((0, 0, width, height)), "2x2")
    made["ycck"] = made["cmyk"].replace(b"Adobe\0\x64\0\0\0\0\0", b"Adobe\0\x64\0\0\0\0\2")
    made["rgb-by-component-names"] = named(without(made["ratio-444"], 0xE0), b"RGB")
    made["usual-tables-left-out"] = without(made["ratio-420"], 0xC4)
    made["strays-and-fill"] = made["ratio-420"].replace(b"\xff\xdb", b"stray\xff\0bytes\xff\xff\xff\xdb")
    made["bytes-behind-the-end"] = made["ratio-420"] + b"\xff\xd8 and more"
    return made


def grain(width, height, channels=3):
    values = np.random.Generator(np.random.PCG64(7)).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return Image.fromarray(values, "RGB" if channels == 3 else "CMYK")


def pillow(image, **options):
    out = BytesIO()
    image.save(out, "JPEG", **options)
    return out.getvalue()


def cjpeg(image, sample, *options, scans=None):
    ppm = BytesIO()
    image.save(ppm, "PPM")
    command = ["cjpeg", "-sample", sample, *options]
    if scans:
        script = scans[0] / "scans.txt"
        script.write_text(scans[1])
        command += ["-scans", str(script)]
    done = subprocess.run(command, input=ppm.getvalue(), capture_output=True, check=True).stdout
    if scans:
        script.unlink()
    return done


def segments(jpeg):
    """(marker, place of its 0xff, place behind it) up to the first scan's header."""
    at, marker = 2, None
    while marker != 0xDA:
        marker, end = jpeg[at + 1], at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        yield marker, at, end
        at = end


def without(jpeg, unwanted):
    for marker, at, end in reversed(list(segments(jpeg))):
        if marker == unwanted:
            jpeg = jpeg[:at] + jpeg[end:]
    return jpeg


def named(jpeg, names):
    """The three components named anew in the frame's header and in the scan's."""
    jpeg = bytearray(jpeg)
    for marker, at, _ in list(segments(bytes(jpeg))):
        first, step = {0xC0: (10, 3), 0xDA: (5, 2)}.get(marker, (0, 0))
        for index in range(3 if first else 0):
            jpeg[at + first + step * index] = names[index]
    return bytes(jpeg)


def table(folder):
    rows = []
    for path in sorted(folder.glob("*.jpg")):
        image = Image.open(path)
        r, g, b = np.moveaxis(np.array(image.convert("RGB"), np.float32), 2, 0)
        luma = np.float32(0.299) * r + np.float32(0.587) * g + np.float32(0.114) * b
        digest = blake3(luma.astype("<f4").tobytes()).hexdigest()
        rows.append([path.name, *image.size, image.mode, digest, eighth(path)])
    write_csv(folder / "jpeg.csv", "file,width,height,mode,blake3,eighth", rows)


def eighth(path):
    """BLAKE3 of the luma at an eighth of the size, in bytes; empty where libjpeg gives none."""
    image = Image.open(path)
    size = tuple(-(-side // 8) for side in image.size)
    image.draft("L", (max(1, image.width // 8), max(1, image.height // 8)))
    is_eighth = min(size) > 1 and (image.mode, image.size) == ("L", size)
    return blake3(image.tobytes()).hexdigest() if is_eighth else ""
