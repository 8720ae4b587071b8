"""modes/: one landscape in every encoding a decoder meets; the animations show it first, then two other scenes."""

import shutil
import subprocess
from io import BytesIO

import imagecodecs
import numpy as np
import png
from PIL import Image, GifImagePlugin

import render
from pdq import over, pdq, write_csv

SIZE, SMALL = (403, 301), (151, 113)
LOSSY = ("jpeg-", "webp-lossy")


def write(folder):
    scene = render.mountains(*SIZE, seed=9)
    few = render.few_colours(scene, 24)
    jpegs(folder, scene)
    pngs(folder, few)
    small = [render.few_colours(s(*SMALL), 24) for s in (lambda w, h: render.mountains(w, h, 9), render.flower, render.trees)]
    animations(folder, small)

    few.quantize(24).save(folder / "gif-static.gif")
    scene.save(folder / "webp-lossy.webp", quality=75)
    few.save(folder / "webp-lossless.webp", lossless=True)
    with_alpha(few).save(folder / "webp-alpha.webp", lossless=True)
    small[0].save(folder / "bmp-24.bmp")
    small[0].quantize(24).save(folder / "bmp-8.bmp")
    unused = small[0].convert("RGBA")  # 32 bits, the fourth byte 0 and without meaning: the picture is opaque
    unused.putalpha(0)
    unused.save(folder / "bmp-32.bmp")


def with_alpha(image):
    """Clear, half clear and opaque parts."""
    x, y = render.grid(*image.size)
    alpha = render.smooth(0.75, 0.45, np.hypot(x - 0.8, y - 0.55)) * (0.6 + 0.4 * (x > 0.7))
    image = image.convert("RGBA")
    image.putalpha(Image.fromarray(np.rint(alpha * 15).astype(np.uint8) * 17))
    return image


def jpegs(folder, scene):
    rgb = np.array(scene)
    encode = imagecodecs.jpeg8_encode
    for name, sampling in {"444": "444", "422": "422", "420": "420", "440": "440", "411": "411"}.items():
        (folder / f"jpeg-{name}.jpg").write_bytes(encode(rgb, 75, subsampling=sampling))
    scene.save(folder / "jpeg-progressive.jpg", progressive=True)
    scene.save(folder / "jpeg-restart.jpg", restart_marker_blocks=5)
    scene.save(folder / "jpeg-rgb.jpg", keep_rgb=True, subsampling=0, quality=60)
    scene.convert("L").save(folder / "jpeg-gray.jpg")

    ink = 255 - rgb.astype(int)
    black = ink.min(-1, keepdims=True) * 4 // 5
    cmyk = np.concatenate([(ink - black) * 255 // (255 - black), black], -1).astype(np.uint8)
    Image.fromarray(cmyk, "CMYK").save(folder / "jpeg-cmyk.jpg", quality=60)  # stored inverted, as Adobe does
    ycck = encode(255 - cmyk, 60, colorspace="CMYK", outcolorspace="YCCK")
    (folder / "jpeg-ycck.jpg").write_bytes(ycck)
    # Without Adobe's word on it; Pillow and browsers take it for inverted all the same.
    adobe = (folder / "jpeg-cmyk.jpg").read_bytes()
    at = adobe.index(b"\xff\xee\0\x0eAdobe")
    (folder / "jpeg-cmyk-plain.jpg").write_bytes(adobe[:at] + adobe[at + 16 :])

    # libjpeg-turbo-progs 2.1.5; without it the file stays as it is.
    if shutil.which("jpegtran"):
        plain = (folder / "jpeg-420.jpg").read_bytes()
        coded = subprocess.run(["jpegtran", "-arithmetic"], input=plain, capture_output=True, check=True).stdout
        (folder / "arithmetic.jpg").write_bytes(coded)


def pngs(folder, few):
    rgb, gray, alpha = np.array(few), np.array(few.convert("L")), np.array(with_alpha(few))[..., 3]
    gray = gray // 16 * 17
    wide = lambda a: a.astype(np.uint16) * 256 + a // 2  # the low byte differs from the high one

    def save(name, pixels, **kind):
        pixels = pixels.reshape(len(pixels), -1)
        with open(folder / f"png-{name}.png", "wb") as out:
            png.Writer(SIZE[0], SIZE[1], compression=9, **kind).write(out, pixels.tolist())

    for bits in (1, 2, 4, 8):
        save(f"gray{bits}", gray >> (8 - bits), greyscale=True, bitdepth=bits)
    save("gray16", wide(gray), greyscale=True, bitdepth=16)
    save("gray-alpha8", np.dstack([gray, alpha]), greyscale=True, alpha=True)
    save("gray-alpha16", wide(np.dstack([gray, alpha])), greyscale=True, alpha=True, bitdepth=16)
    save("rgb8", rgb, greyscale=False)
    save("rgb16", wide(rgb), greyscale=False, bitdepth=16)
    save("rgba8", np.dstack([rgb, alpha]), greyscale=False, alpha=True)
    save("rgba16", wide(np.dstack([rgb, alpha])), greyscale=False, alpha=True, bitdepth=16)
    save("interlaced", rgb, greyscale=False, interlace=True)

    def indexed(colours):
        image = few.quantize(colours)
        return np.array(image), [tuple(c) for c in np.array(image.getpalette()).reshape(-1, 3)[:colours].tolist()]

    for bits in (1, 2, 4, 8):
        pixels, palette = indexed(min(2**bits, 24))
        save(f"palette{bits}", pixels, palette=palette, bitdepth=bits)
    clear = [(*c, (255, 255, 0, 119)[k % 4]) for k, c in enumerate(palette)]
    save("palette-trns", pixels, palette=clear, bitdepth=8)

    commonest = lambda a: max(map(tuple, np.unique(a.reshape(-1, a.shape[-1]), axis=0)), key=lambda c: (a == c).all(-1).sum())
    sky = tuple(map(int, commonest(rgb)))
    save("rgb-trns", rgb, greyscale=False, transparent=sky)
    save("gray-trns", gray, greyscale=True, transparent=int(commonest(gray[..., None])[0]))


def animations(folder, scenes):
    box = (31, 6, 145, 109)  # the second frame changes only a part, so that it is stored as a part
    frames = [scenes[0], scenes[0].copy(), scenes[2]]
    frames[1].paste(scenes[1].crop(box), box)
    kind = dict(save_all=True, append_images=frames[1:], duration=300, loop=0)
    frames[0].save(folder / "webp-animated.webp", lossless=True, **kind)
    frames[0].save(folder / "apng-animated.png", **kind)
    parts = [(frames[0], (0, 0)), (frames[1].crop(box), box[:2]), (frames[2], (0, 0))]
    (folder / "apng-interlaced.png").write_bytes(interlaced(parts))
    aside = render.few_colours(render.spheres(*SMALL), 24)
    aside.save(folder / "apng-hidden-default.png", default_image=True, **(kind | {"append_images": frames}))
    (folder / "gif-animated.gif").write_bytes(b"".join(gif(scenes)))


def interlaced(parts):
    """An APNG of (picture, place), each interlaced, the first of the canvas' size; Pillow writes none."""
    written, number = [], 0

    def chunk(kind, data, counts=True):
        nonlocal number
        if counts:
            data, number = number.to_bytes(4, "big") + data, number + 1
        written.append((kind, data))

    for n, (picture, place) in enumerate(parts):
        file = BytesIO()
        png.Writer(*picture.size, greyscale=False, interlace=True, compression=9).write(file, np.array(picture).reshape(picture.height, -1).tolist())
        chunks = list(png.Reader(bytes=file.getvalue()).chunks())
        if n == 0:
            written += [c for c in chunks if c[0] == b"IHDR"]
            chunk(b"acTL", len(parts).to_bytes(4, "big") + bytes(4), counts=False)
        sides = b"".join(side.to_bytes(4, "big") for side in (*picture.size, *place))
        chunk(b"fcTL", sides + b"\x00\x03\x00\x0a\x00\x00")  # 0.3 s; stays; is not blended
        data = b"".join(data for kind, data in chunks if kind == b"IDAT")
        chunk(b"fdAT" if n else b"IDAT", data, counts=n > 0)
    out = BytesIO()
    png.write_chunks(out, [*written, (b"IEND", b"")])
    return out.getvalue()


def gif(scenes):
    """[header, frame 0, frame 1, frame 2, trailer]; parts of every frame are clear.

    Frame 0 stays, frame 1 (smaller than the canvas) is cleared away after it was shown, frame 2 is drawn on what is left.
    """
    w, h = scenes[0].size
    x, y = render.grid(w, h)
    holes = [np.hypot(x - 0.3, y - 0.6) < 0.25, np.hypot(x - 0.75, y - 0.5) > 0.42, (x + y) % 0.5 < 0.12]
    boxes, disposal = [(0, 0, w, h), (38, 5, 140, 110), (10, 30, 120, 100)], (1, 2, 1)
    blocks = [b"GIF89a" + w.to_bytes(2, "little") + h.to_bytes(2, "little") + bytes(3)]
    for scene, hole, box, how in zip(scenes, holes, boxes, disposal):
        image = scene.quantize(24)
        image.putpalette(image.getpalette() + [255, 0, 255])
        image.paste(24, mask=Image.fromarray(hole))
        image = image.crop(box)
        data = GifImagePlugin.getdata(image, box[:2], include_color_table=True, transparency=24, disposal=how, duration=300)
        blocks.append(b"".join(data))
    return [*blocks, b";"]


def table(folder):
    rows = []
    for path in sorted(p for p in folder.iterdir() if p.suffix != ".csv"):
        name = path.name
        if name == "arithmetic.jpg":
            rows.append([name, "jpeg", *SIZE, 1, "-", "", "", "", 0])
            continue
        # The same pictures; Pillow draws an interlaced part at the canvas' corner.
        image = Image.open(folder / "apng-animated.png" if name == "apng-interlaced.png" else path)
        first = int(getattr(image, "default_image", False))  # a picture before the animation
        count = getattr(image, "n_frames", 1) - first
        worst = 4 if name.startswith(LOSSY) or "16" in name else 0
        for at in range(count + first):
            image.seek(at)
            shown = eight_bit(image)
            clear = shown.mode in ("LA", "RGBA") or "transparency" in shown.info
            clear = clear and shown.convert("RGBA").getextrema()[3][0] < 255
            for background in ("white", "black") if clear else ("-",):
                flat = over(shown, background) if clear else shown
                frame = "default" if at < first else at - first
                rows.append([name, image.format.lower(), *image.size, count, background, *pdq(flat), worst, frame])
    write_csv(folder / "modes.csv", "file,format,width,height,frames,background,pdq,quality,max_distance,frame", rows)


def eight_bit(image):
    """A copy of the frame; 16-bit gray as its high byte, which is how Pillow reads 16-bit colour."""
    if image.mode.startswith("I"):
        return Image.fromarray((np.array(image) >> 8).astype(np.uint8), "L")
    return image.convert("RGBA") if image.mode == "P" else image.copy()
