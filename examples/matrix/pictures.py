"""The pictures that the plan sends, made of the project's own renders. All are harmless."""

import functools
import io
from pathlib import Path

from PIL import Image, ImageEnhance

ROOT = Path(__file__).resolve().parent.parent.parent
DATA = ROOT / "tests" / "data"
PHONE = (4032, 3024)


def jpeg(picture: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    picture.convert("RGB").save(out, "JPEG", quality=quality)
    return out.getvalue()


def photo(render: str, brightness: float = 1.0) -> Image.Image:
    """As large as a phone's, and not quite the render."""
    picture = Image.open(DATA / "vectors" / render).convert("RGB").resize(PHONE, Image.Resampling.BICUBIC)
    return Image.blend(ImageEnhance.Brightness(picture).enhance(brightness), grain(), 0.1)


@functools.cache
def grain() -> Image.Image:
    """What a sensor adds: without it a photo's file is a tenth as large."""
    return Image.effect_noise(PHONE, 80).convert("RGB")


def make(folder: Path) -> None:
    """Writes every picture that a plan names into `folder`."""
    folder.mkdir(parents=True)
    listed = Image.open(DATA / "media" / "test-picture.png").convert("RGB")
    width, height = listed.size
    cropped = listed.crop((width // 50, height // 50, width - width // 50, height - height // 50))
    skyline = Image.open(DATA / "vectors" / "skyline.png")
    allowed = photo("dunes.png")
    written = {
        "photo.jpg": jpeg(allowed, 90),
        "photo-thumbnail.jpg": jpeg(allowed.resize((320, 240)), 80),
        "listed.png": (DATA / "media" / "test-picture.png").read_bytes(),
        "listed-cropped.jpg": jpeg(cropped.resize((400, 400)), 60),
        "listed-thumbnail.jpg": jpeg(listed.resize((320, 240)), 80),
        "warned.jpg": jpeg(skyline, 85),
        "warned-again.jpg": jpeg(skyline, 86),
        "warned-swapped.jpg": jpeg(skyline, 87),
        "truncated.jpg": (DATA / "broken" / "truncated-baseline.jpg").read_bytes(),
        "unknown.heic": (DATA / "broken" / "header-only.heic").read_bytes(),
    }
    renders = ["cobbles", "dunes", "flower", "mountains", "planet", "poster", "spheres", "trees", "waves", "gradient"]
    for number in range(20):
        picture = photo(f"{renders[number % 10]}.png", 0.9 if number < 10 else 1.05)
        written[f"album-{number:02}.jpg"] = jpeg(picture, 90)
    for name, content in written.items():
        (folder / name).write_bytes(content)
