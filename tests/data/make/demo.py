"""hashlists/demo/: the pictures of the demonstration list and its feed; media/: what a newcomer scans first."""

import hashlib

from PIL import Image

import render
from pdq import pdq, write_csv


def write(demo, media):
    card = render.test_card()
    card.save(demo / "test-picture.png", optimize=True)
    pictures = render.demo()
    for name in ("balloons", "lighthouse"):
        pictures[name].save(demo / f"pictures/{name}.jpg", quality=80)
    pictures["aquarium"].quantize(32, dither=Image.Dither.NONE).save(demo / "pictures/aquarium.png", optimize=True)

    (media / "test-picture.png").write_bytes((demo / "test-picture.png").read_bytes())
    card.convert("RGB").resize((256, 256), Image.Resampling.BICUBIC).save(media / "test-picture-halved-q50.jpg", quality=50)
    scenes = render.vectors()
    scenes["spheres"].save(media / "spheres.png", optimize=True)
    scenes["poster"].quantize(48).save(media / "poster.gif")
    render.mountains(640, 480).save(media / "mountains.jpg", quality=80)
    render.waves(640, 480).save(media / "waves.jpg", quality=80, progressive=True)
    render.flower(641, 427).save(media / "flower.webp", quality=75)


def table(demo):
    rows = []
    for path in [demo / "test-picture.png", *sorted((demo / "pictures").iterdir())]:
        category = "test-picture" if path.parent == demo else "demo"
        value, quality = pdq(Image.open(path))
        rows.append(["pdq", value, category, quality])
        rows.append(["sha256", hashlib.sha256(path.read_bytes()).hexdigest(), category, ""])
    write_csv(demo / "feed.csv", "algorithm,hex,category,quality", rows)
