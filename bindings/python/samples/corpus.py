"""What both samples need: a corpus where there is none at hand, a clock, and a comparison."""

import io
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

DATA = Path(__file__).resolve().parents[3] / "tests" / "data" / "vectors"


def write(folder: Path, files: int = 48) -> Path:
    """JPEG files of 2 megapixels, made of the project's own renders."""
    # The others are tiny, or have too little in them to be compared.
    names = ["cobbles", "dunes", "flower", "mountains", "planet", "poster", "skyline", "spheres", "trees", "waves"]
    renders = [Image.open(DATA / f"{name}.png").convert("RGB") for name in names]
    for number in range(files):
        out = io.BytesIO()
        width = 1600 + 8 * number
        renders[number % len(renders)].resize((width, width * 3 // 4)).save(out, "JPEG", quality=90)
        (folder / f"{number:04}.jpg").write_bytes(out.getvalue())
    return folder


def timed(what: str, files: int, work):
    """What `work` gives, and files a second."""
    start = time.perf_counter()
    answer = work()
    speed = files / (time.perf_counter() - start)
    print(f"{what:38} {speed:8.1f} pictures a second", flush=True)
    return answer, speed


def compare(full: dict[str, bytes], others: dict[str, bytes]) -> None:
    """Every hash is the other's, unless a file is one that the other reads wrong (EXIF orientation, CMYK, palettes)."""
    same = sum(others[path] == pdq for path, pdq in full.items())
    print(f"{same} of {len(others)} hashes are threatexchange's")
    if len(sys.argv) == 1 and not same == len(full) == len(others):
        raise SystemExit("the hashes differ")


def run(main) -> None:
    """With the folder named on the command line, or one that is made."""
    if len(sys.argv) > 1:
        return main(Path(sys.argv[1]))
    with tempfile.TemporaryDirectory() as made:
        main(write(Path(made)))
