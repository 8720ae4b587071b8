"""Makes the 54 copies of `presend eval` with Pillow and writes their PDQ hashes.

    python tests/oracle/copies.py

Every transformation is written here a second time, after its description in
cli/src/eval/transform.rs, with Pillow's resizing, blur, JPEG (4:2:0) and WebP
(libwebp) and with numpy; pdqhash hashes what comes out. The hashes go to
tests/data/copies/copies.csv, which the command's own tests compare theirs with.
Chance is SplitMix64, seeded by the number of the transformation.
"""

import io
from pathlib import Path

import numpy
import pdqhash
from PIL import Image, ImageEnhance, ImageFilter

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ["vectors/flower.png", "vectors/mountains.png", "vectors/trees.png"]
BILINEAR, LANCZOS = Image.Resampling.BILINEAR, Image.Resampling.LANCZOS
WORD = (1 << 64) - 1


class Chance:
    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & WORD
        z = self.state
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & WORD
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & WORD
        return z ^ z >> 31

    def below(self, n):
        return self.next() * n >> 64

    def normals(self, count):
        words = numpy.array([self.next() for _ in range(3 * count)], numpy.uint64)
        lanes = words.view(numpy.uint16).astype(numpy.int64).reshape(count, 12)
        return (lanes.sum(axis=1) - 393_210) / 65_536


def array(image):
    return numpy.asarray(image).astype(float)


def image(levels):
    return Image.fromarray(numpy.clip(numpy.round(levels), 0, 255).astype(numpy.uint8))


def coded(picture, format, **options):
    file = io.BytesIO()
    picture.save(file, format, **options)
    return Image.open(file).convert("RGB")


def jpeg(picture, quality):
    return coded(picture, "JPEG", quality=quality, subsampling="4:2:0")


def webp(picture, quality):
    return coded(picture, "WEBP", quality=quality)


def scale(picture, percent):
    size = [max((side * percent + 50) // 100, 8) for side in picture.size]
    return picture.resize(size, BILINEAR)


def fit(picture, side):
    longest = max(picture.size)
    if longest <= side:
        return picture
    size = [max((length * side + longest // 2) // longest, 1) for length in picture.size]
    return picture.resize(size, LANCZOS)


def forward(picture):
    for quality in (70, 60, 70):
        picture = jpeg(scale(picture, 90), quality)
    return picture


def gamma(picture, exponent):
    return image(255 * (array(picture) / 255) ** exponent)


def sharpen(picture):
    return image(array(picture) * 1.8 - array(blur(picture, 1.5)) * 0.8)


def noise(picture, sigma, chance):
    levels = array(picture)
    return image(levels + sigma * chance.normals(levels.size).reshape(levels.shape))


def blur(picture, sigma):
    return picture.filter(ImageFilter.GaussianBlur(sigma))


def crop(picture, percent):
    width, height = picture.size
    left, top = (width * percent + 100) // 200, (height * percent + 100) // 200
    return picture.crop((left, top, width - left, height - top))


def share(length, percent):
    return (length * percent + 50) // 100


def crop_offset(picture, percent, chance):
    width, height = picture.size
    across, down = share(width, percent), share(height, percent)
    top, left = chance.below(down + 1), chance.below(across + 1)
    return picture.crop((left, top, left + width - across, top + height - down))


def crop_side(picture, percent, chance):
    width, height = picture.size
    across, down = share(width, percent), share(height, percent)
    boxes = [
        (0, down, width, height), (0, 0, width, height - down),
        (across, 0, width, height), (0, 0, width - across, height),
    ]
    return picture.crop(boxes[chance.below(4)])


def laid_on(picture, across, down, gray):
    width, height = picture.size
    canvas = Image.new("RGB", (width + 2 * across, height + 2 * down), (gray,) * 3)
    canvas.paste(picture, (across, down))
    return canvas


def border(picture, percent, gray):
    thick = share(max(picture.size), percent)
    return laid_on(picture, thick, thick, gray)


def letterbox(picture, percent, gray):
    return laid_on(picture, 0, share(picture.height, percent), gray)


def rotate(picture, degrees, chance):
    # Pillow turns counter-clockwise.
    angle = degrees if chance.below(2) == 0 else -degrees
    return picture.rotate(angle, BILINEAR)


def mixed(levels, inside, gray, opacity):
    levels[inside] += (gray - levels[inside]) * opacity


def letters(levels, count, at, size, gray, opacity):
    stroke, top = max(size // 6, 1), max(at[1] - size, 0)
    inside = numpy.zeros(levels.shape[:2], bool)
    for n in range(count):
        left = at[0] + n * (size * 7 // 10)
        line = top + n * 5 % 7 * max(size - stroke, 0) // 6
        inside[top:top + size, left:left + min(stroke, size // 2)] = True
        inside[line:min(line + stroke, top + size), left:left + size // 2] = True
    mixed(levels, inside, gray, opacity)


def watermark(picture):
    width, height = picture.size
    levels = array(picture)
    letters(levels, 13, (width * 60 // 100, height * 95 // 100), width // 41, 255, 0.7)
    return image(levels)


def caption(picture):
    width, height = picture.size
    levels = array(picture)
    strip = numpy.zeros((height, width), bool)
    strip[height * 85 // 100:height * 97 // 100] = True
    mixed(levels, strip, 0, 0.65)
    letters(levels, 19, (width // 10, height * 94 // 100), width // 23, 255, 1)
    return image(levels)


def emoji(picture, percent, chance):
    width, height = picture.size
    levels = array(picture)
    radius = max(width, height) * percent // 100
    x = width * (150 + chance.below(701)) // 1000
    y = height * (150 + chance.below(701)) // 1000
    down, across = numpy.mgrid[:height, :width]

    def disc(at, radius, colour):
        levels[(across - at[0]) ** 2 + (down - at[1]) ** 2 <= radius ** 2] = colour

    def ellipse(grown):
        a, b = radius / 2 + grown, radius / 3 + grown
        return ((across - x) / a) ** 2 + ((down - middle) / b) ** 2 <= 1

    disc((x, y), radius, (255, 200, 40))
    for side in (-1, 1):
        disc((x + side * (radius // 3), y - radius // 4), max(radius // 7, 1), (30, 30, 30))
    middle, half = y + radius // 6, max(radius // 9, 1) / 2
    levels[ellipse(half) & ~ellipse(-half) & (down >= middle)] = (30, 30, 30)
    return image(levels)


def screenshot(picture, chance):
    width, height = picture.size
    gray = (0, 18, 255)[chance.below(3)]
    tall = width * 19 // 10 if height * 10 < width * 16 else height * 5 // 4
    levels = array(laid_on(picture, 0, (tall - height) // 2, gray))
    ink, tall = 200 if gray < 128 else 40, levels.shape[0]
    letters(levels, 14, (width // 25, max(width // 20, 12)), width // 41, ink, 1)
    letters(levels, 16, (width // 10, tall - width // 20), width // 32, ink, 1)
    return image(levels)


def mix(picture, chance):
    drawn = emoji(gamma(crop_offset(picture, 4, chance), 0.9), 5, chance)
    return jpeg(scale(drawn, 70), 70)


COPIES = {
    "jpeg-95": lambda p, _: jpeg(p, 95),
    "jpeg-85": lambda p, _: jpeg(p, 85),
    "jpeg-70": lambda p, _: jpeg(p, 70),
    "jpeg-50": lambda p, _: jpeg(p, 50),
    "jpeg-30": lambda p, _: jpeg(p, 30),
    "webp-80": lambda p, _: webp(p, 80),
    "webp-50": lambda p, _: webp(p, 50),
    "scale-0.75": lambda p, _: jpeg(scale(p, 75), 90),
    "scale-0.5": lambda p, _: jpeg(scale(p, 50), 90),
    "fit-256": lambda p, _: jpeg(fit(p, 256), 85),
    "fit-128": lambda p, _: jpeg(fit(p, 128), 80),
    "scale-0.8-jpeg-70": lambda p, _: jpeg(scale(p, 80), 70),
    "forwarded-3-times": lambda p, _: forward(p),
    "brighter-20": lambda p, _: image(array(p) + 20),
    "darker-20": lambda p, _: image(array(p) - 20),
    "contrast-1.2": lambda p, _: image((array(p) - 128) * 1.2 + 128),
    "contrast-0.8": lambda p, _: image((array(p) - 128) * 0.8 + 128),
    "gamma-0.8": lambda p, _: gamma(p, 0.8),
    "gamma-1.25": lambda p, _: gamma(p, 1.25),
    "saturation-1.4": lambda p, _: ImageEnhance.Color(p).enhance(1.4),
    "gray": lambda p, _: p.convert("L").convert("RGB"),
    "blur-1": lambda p, _: blur(p, 1),
    "blur-2.5": lambda p, _: blur(p, 2.5),
    "sharpen": lambda p, _: sharpen(p),
    "noise-8": lambda p, chance: noise(p, 8, chance),
    "watermark": lambda p, _: watermark(p),
    "caption": lambda p, _: caption(p),
    "emoji-6": lambda p, chance: emoji(p, 6, chance),
    "emoji-12": lambda p, chance: emoji(p, 12, chance),
    "crop-1": lambda p, _: jpeg(crop(p, 1), 85),
    "crop-2": lambda p, _: jpeg(crop(p, 2), 85),
    "crop-5": lambda p, _: jpeg(crop(p, 5), 85),
    "crop-10": lambda p, _: jpeg(crop(p, 10), 85),
    "crop-20": lambda p, _: jpeg(crop(p, 20), 85),
    "crop-offset-2": lambda p, chance: jpeg(crop_offset(p, 2, chance), 85),
    "crop-offset-5": lambda p, chance: jpeg(crop_offset(p, 5, chance), 85),
    "crop-offset-10": lambda p, chance: jpeg(crop_offset(p, 10, chance), 85),
    "crop-side-2": lambda p, chance: jpeg(crop_side(p, 2, chance), 85),
    "crop-side-5": lambda p, chance: jpeg(crop_side(p, 5, chance), 85),
    "crop-side-10": lambda p, chance: jpeg(crop_side(p, 10, chance), 85),
    "crop-side-20": lambda p, chance: jpeg(crop_side(p, 20, chance), 85),
    "border-2-white": lambda p, _: border(p, 2, 255),
    "border-5-black": lambda p, _: border(p, 5, 0),
    "letterbox-12-black": lambda p, _: jpeg(letterbox(p, 12, 0), 80),
    "letterbox-25-white": lambda p, _: jpeg(letterbox(p, 25, 255), 80),
    "screenshot": lambda p, chance: jpeg(screenshot(p, chance), 80),
    "rotate-1": lambda p, chance: rotate(p, 1, chance),
    "rotate-2": lambda p, chance: rotate(p, 2, chance),
    "rotate-5": lambda p, chance: rotate(p, 5, chance),
    "rotate-90": lambda p, _: jpeg(p.transpose(Image.Transpose.ROTATE_270), 80),
    "rotate-180": lambda p, _: jpeg(p.transpose(Image.Transpose.ROTATE_180), 80),
    "mirror": lambda p, _: jpeg(p.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 80),
    "squeeze-5": lambda p, _: p.resize((max(p.width * 95 // 100, 8), p.height), BILINEAR),
    "mix": mix,
}


def main():
    rows = ["picture,transformation,pdq"]
    for name in PICTURES:
        picture = Image.open(ROOT / "tests/data" / name).convert("RGB")
        for seed, (transformation, make) in enumerate(COPIES.items()):
            copy = make(picture, Chance(seed))
            vector, _ = pdqhash.compute(numpy.asarray(copy))
            hex = numpy.packbits(numpy.asarray(vector, numpy.uint8)).tobytes().hex()
            rows.append(f"{name},{transformation},{hex}")
    (ROOT / "tests/data/copies/copies.csv").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
