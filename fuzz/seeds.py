"""Writes corpus/: small files of every kind that presend reads, whole and broken off.

    pip install -r ../tests/data/make/requirements.txt
    python seeds.py

A file that libFuzzer found and somebody kept is left as it is.
"""

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import png
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

HERE = Path(__file__).parent
MEAN_COLOUR = HERE / "../tests/data/models/mean-colour-1"
W, H = 16, 12


def main():
    pictures = {"jpeg": jpegs(), "png": pngs(), "gif": gifs(), "webp": webps(), "bmp": bmps()}
    first = {f"{kind}-{name}": data for kind, files in pictures.items() for name, data in list(files.items())[:1]}
    animated = {f"{kind}-animated": pictures[kind]["animated"] for kind in ("gif", "png", "webp")}
    clear = {"png-alpha": pictures["png"]["rgba16"], "jpeg-cut": pictures["jpeg"]["cut"]}
    targets = pictures | {"sniff": first | others(), "scan": first | animated | clear | {"text": b"hello"}}
    targets |= {"lane": lanes(), "pdq": pdqs(), "list": lists(), "editions": editions(), "delta": deltas(), "manifest": manifests(), "metadata": metadata(), "policy": policies(), "feed": feeds(), "ingest": ingests(), "model": models(), "onnx": graphs()}
    for target, files in targets.items():
        assert len(files) <= 16 and all(len(data) <= 4096 for data in files.values()), target
        folder = HERE / "corpus" / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)


def scene(seed=1, w=W, h=H):
    """Busy enough to have a PDQ hash of full quality."""
    y, x = np.mgrid[0:h, 0:w]
    planes = [(x * 37 + y * 91 * seed + x * y * (c + 3)) % 256 for c in range(3)]
    return Image.fromarray(np.stack(planes, -1).astype(np.uint8))


def saved(image, kind, **how):
    out = BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def turned(value):
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def jpegs():
    image = scene()
    baseline = saved(image, "JPEG", quality=50)
    progressive = saved(image, "JPEG", progressive=True)
    # The last scan twice over: it refines what is already as fine as it gets.
    sos = progressive.rindex(b"\xff\xda")
    return {
        "baseline-420": baseline,
        "rgb-444": saved(image, "JPEG", keep_rgb=True, subsampling=0, quality=50),
        "progressive": progressive,
        "progressive-repeated-scan": progressive[:-2] + progressive[sos:],
        "gray": saved(image.convert("L"), "JPEG"),
        "cmyk": saved(image.convert("CMYK"), "JPEG", quality=40),
        "restart": saved(scene(2, 40, 24), "JPEG", quality=30, restart_marker_blocks=1),
        "oriented-422": saved(image, "JPEG", subsampling=1, exif=turned(6)),
        "cut": baseline[:-60],
        "progressive-cut": progressive[: len(progressive) // 2],
        "two-pictures": baseline + saved(scene(3), "JPEG", quality=20),
        "large-header": baseline.replace(b"\xff\xc0\x00\x11\x08\x00\x0c\x00\x10", b"\xff\xc0\x00\x11\x08\xff\xff\xff\xff"),
    }


def pngs():
    image, grey = scene(), np.array(scene().convert("L"))
    wide = np.dstack([np.array(image), 255 - grey]).astype(np.uint16) * 257

    def written(pixels, **kind):
        out = BytesIO()
        png.Writer(W, H, **kind).write(out, pixels.reshape(H, -1).tolist())
        return out.getvalue()

    frames = dict(save_all=True, append_images=[scene(2), scene(3)], duration=100)
    rgb = saved(image, "PNG")
    palette = [(k * 16, 255 - k * 9, k * 5, (255, 0, 119)[k % 3]) for k in range(16)]
    return {
        "rgb": rgb,
        "gray1": written(grey >> 7, greyscale=True, bitdepth=1),
        "palette-clear": written(grey >> 4, palette=palette, bitdepth=4),
        "rgba16": written(wide, greyscale=False, alpha=True, bitdepth=16),
        "rgb-transparent": written(np.array(image), greyscale=False, transparent=(0, 0, 0)),
        "interlaced": written(np.array(image), greyscale=False, interlace=True),
        "oriented": saved(image, "PNG", exif=turned(7)),
        "animated": saved(image, "PNG", **frames, disposal=2, blend=1),
        "animated-parts": saved(image, "PNG", **frames | {"append_images": [part(image, 4), part(image, 8)]}, disposal=1),
        "animated-hidden-default": saved(scene(4), "PNG", default_image=True, **frames),
        "cut": rgb[: len(rgb) // 2],
        "animated-cut": saved(image, "PNG", **frames)[:-300],
    }


def part(image, at):
    """The picture with a small patch changed."""
    changed = image.copy()
    changed.paste((200, 30, 90), (at, 2, at + 5, 8))
    return changed


def gifs():
    image = scene().quantize(16)
    still, frames = saved(image, "GIF", interlace=0), [scene(n).quantize(8) for n in (2, 3)]
    kind = dict(save_all=True, duration=50)
    # A patch that reaches beyond the canvas: the frame's left edge moved by ten.
    beyond = still.replace(b"\x2c\x00\x00\x00\x00", b"\x2c\x0a\x00\x0a\x00", 1)
    return {
        "still": still,
        "interlaced": saved(image, "GIF", interlace=1),
        "clear": saved(image, "GIF", transparency=3),
        "animated": saved(image, "GIF", append_images=frames, **kind),
        "animated-cleared": saved(image, "GIF", append_images=frames, disposal=2, transparency=0, **kind),
        "animated-restored": saved(image, "GIF", append_images=frames, disposal=3, **kind),
        "beyond-the-canvas": beyond,
        "without-a-palette": still[:10] + b"\x00\x00\x00" + still[13 + 3 * 2 ** ((still[10] & 7) + 1):],
        "cut": still[:-40],
        "animated-cut": saved(image, "GIF", append_images=frames, **kind)[:-60],
    }


def webps():
    image, clear = scene(), scene().convert("RGBA")
    clear.putalpha(scene(5).convert("L"))
    kind = dict(save_all=True, duration=50)
    lossy = saved(image, "WEBP", quality=50)
    return {
        "lossy": lossy,
        "lossless": saved(image, "WEBP", lossless=True),
        "lossless-few-colours": saved(image.quantize(6).convert("RGB"), "WEBP", lossless=True),
        "alpha": saved(clear, "WEBP", quality=50),
        "alpha-lossless": saved(clear, "WEBP", lossless=True),
        "oriented": saved(image, "WEBP", exif=turned(3)),
        "animated": saved(image, "WEBP", append_images=[scene(2), part(image, 5)], lossless=True, **kind),
        "animated-alpha": saved(clear, "WEBP", append_images=[part(clear, 6), scene(3).convert("RGBA")], **kind),
        "cut": lossy[: len(lossy) * 6 // 10],
        "animated-cut": saved(image, "WEBP", append_images=[scene(2)], **kind)[:-50],
    }


def bmps():
    image = scene()
    bmp24, bmp8 = saved(image, "BMP"), saved(image.quantize(16), "BMP")

    def made(bits, compression, data, palette=b"", height=H):
        header = (40).to_bytes(4, "little") + W.to_bytes(4, "little") + height.to_bytes(4, "little", signed=True)
        header += (1).to_bytes(2, "little") + bits.to_bytes(2, "little") + compression.to_bytes(4, "little")
        header += len(data).to_bytes(4, "little") + bytes(8) + (len(palette) // 4).to_bytes(4, "little") + bytes(4)
        at = 14 + len(header) + len(palette)
        return b"BM" + (at + len(data)).to_bytes(4, "little") + bytes(4) + at.to_bytes(4, "little") + header + palette + data

    colours = b"".join(bytes([k * 16, 255 - k * 16, k * 7, 0]) for k in range(16))
    # A run, a literal stretch, a jump, ends of lines and the end.
    row = bytes([5, 3, 0, 4, 1, 2, 9, 11, 7, 14, 0, 0])
    rle8 = row * 4 + bytes([0, 2, 3, 2]) + row * 5 + bytes([0, 1])
    rle4 = bytes([9, 0x3A, 0, 7, 0x12, 0x34, 0x56, 0x70, 0, 0]) * 11 + bytes([0, 1])
    masks = b"".join(mask.to_bytes(4, "little") for mask in (0xF800, 0x07E0, 0x001F))
    return {
        "rgb24": bmp24,
        "palette8": bmp8,
        "palette1": saved(image.convert("1"), "BMP"),
        "palette4": made(4, 0, bytes(range(8)) * H, colours),
        "rle8": made(8, 1, rle8, colours),
        "rle4": made(4, 2, rle4, colours),
        "rgb565": made(16, 3, masks + bytes(range(32)) * H),
        "rgb32-top-down": made(32, 0, bytes(range(64)) * H, height=-H),
        "rle8-cut": made(8, 1, rle8, colours)[:-20],
        "rgb24-cut": bmp24[: len(bmp24) // 2],
    }


def lanes():
    """Large enough to be read at a part of their size, coarse enough to be small."""
    def wide(w, h, mode="L"):
        return scene(w=8, h=6).convert(mode).resize((w, h), Image.Resampling.BICUBIC)

    coarse = dict(quality=5, optimize=True)
    return {
        "half": saved(wide(704, 456), "JPEG", **coarse),
        "half-progressive": saved(wide(704, 456), "JPEG", progressive=True, **coarse),
        "half-420": saved(wide(704, 456, "RGB"), "JPEG", **coarse),
        "half-422-progressive": saved(wide(704, 456, "RGB"), "JPEG", subsampling=1, progressive=True, **coarse),
        "whole": saved(wide(120, 80), "JPEG", **coarse),
    }


def pdqs():
    """Sizes around the steps of PDQ's filter, with the picture's bytes."""
    pixels = np.array(scene().convert("L")).tobytes()
    sides = {"smallest": (0, 0), "one-pixel-filter": (41, 20), "two-pixel-filter": (42, 41), "six": (212, 80), "strip": (255, 0)}
    return {name: bytes(size) + pixels for name, size in sides.items()}


def others():
    box = lambda kind, rest: (8 + len(rest)).to_bytes(4, "big") + kind + rest
    return {
        "heic": box(b"ftyp", b"heic\0\0\0\0mif1heic") + box(b"meta", bytes(24)),
        "mp4": box(b"ftyp", b"isom\0\0\x02\0isomiso2avc1mp41") + box(b"mdat", bytes(24)),
        "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< >>\nendobj\n",
        "zip": b"PK\x03\x04" + bytes(26),
        "text": b"hello",
        "one-byte": b"\xff",
        "empty": b"",
    }


def lists():
    demo = (HERE / "../hashlists/demo/demo.presend").read_bytes()

    def with_byte(at, value):
        return demo[:at] + bytes([value]) + demo[at + 1:]

    words = int.from_bytes(demo[40:48], "little")
    return {
        "demo": demo,
        "open-bands": with_byte(10, 64),
        "strict-bands": with_byte(10, 96),
        "unknown-profile": with_byte(10, 81),
        "later-version": with_byte(8, demo[8] + 1),
        "longer-fingerprints": with_byte(137, demo[137] + 1),
        "more-buckets": with_byte(11, demo[11] + 1),
        "fewer-algorithms": with_byte(12, 2),
        "falling-index": with_byte(256 + 8 * words, 0xFF),
        "another-digest": with_byte(len(demo) - 1, demo[-1] ^ 1),
        "header-only": demo[:256],
        "cut": demo[:-1],
    }


def editions():
    """Rows of three bytes: kind, 8 more for one that is deleted; a seed; the bit that differs from others of the seed."""
    pdq, md5, sha1, sha256, deleted = 0, 1, 2, 3, 8
    near = [(pdq, 1, 9), (pdq | deleted, 1, 10), (pdq, 1, 200), (pdq | deleted, 2, 9)]
    exact = [(md5, 1, 0), (md5 | deleted, 1, 1), (sha1 | deleted, 1, 0), (sha256, 1, 0)]
    files = {"near": near, "exact": exact, "both": near + exact, "all-deleted": [near[1], exact[1]]}
    return {name: bytes(sum(rows, ())) for name, rows in files.items()}


def deltas():
    """Without the digest at the end: the target adds it."""
    demo = (HERE / "../hashlists/demo/demo.presend").read_bytes()
    prints = int.from_bytes(demo[32:40], "little")

    def delta(removed, added, parameters, gaps, promised=demo[-32:], header=demo[:256]):
        counts = removed.to_bytes(4, "little") + added.to_bytes(4, "little")
        return b"PRESENDD\1\0" + bytes(parameters) + counts + demo[-32:] + promised + header + gaps

    def header(prints):
        words = -(-prints // 8)
        return demo[:32] + prints.to_bytes(8, "little") + words.to_bytes(8, "little") + demo[48:256]

    return {
        "nothing": delta(0, 0, (0, 0), b""),
        "first-removed": delta(1, 0, (0, 0), b"\0", bytes(32), header(prints - 1)),
        "two-removed": delta(2, 0, (1, 0), bytes([0b10100000]), bytes(32), header(prints - 2)),
        "one-added": delta(0, 1, (0, 55), bytes(7), bytes(32), header(prints + 1)),
        "endless-ones": delta(1, 0, (3, 0), b"\xff" * 64, bytes(32), header(prints - 1)),
        "too-many": delta(2**32 - 1, 2**32 - 1, (0, 96), b"\0" * 64),
        "other-list": delta(0, 0, (0, 0), b"").replace(demo[-32:], bytes(32), 1),
        "cut": delta(0, 0, (0, 0), b"")[:-1],
        "packed": (HERE / "../tests/data/delta/demo-1.packed").read_bytes()[:-32],
    }


def manifests():
    demo = (HERE / "../hashlists/demo/manifest.json").read_bytes()
    return {"demo": demo, "huge": demo.replace(b'"version": 1', b'"version": 1e999', 1), "cut": demo[: len(demo) // 2]}


def metadata():
    """What the key of the target signs, behind a byte that chooses the role."""
    public = "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c"
    key = {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": public}}
    signers = {"keyids": ["k"], "threshold": 1}
    version, sha256 = {"version": 1}, {"sha256": "00" * 32}
    file = {"length": 9, "hashes": sha256}
    delegation = {"name": "a", "paths": ["*.presend", "a/?"], "terminating": True} | signers
    hashed = {"name": "b", "path_hash_prefixes": ["0", "ff"], "terminating": False} | signers
    roles = {role: signers for role in ("root", "timestamp", "snapshot", "targets")}
    targets = {"targets": {"demo.presend": file | {"custom": {"x-presend": {"action": "ask", "views": 9}}}}}
    said = {
        "root": {"keys": {"k": key}, "roles": roles, "consistent_snapshot": True, "version": 2},
        "timestamp": {"meta": {"snapshot.json": version | file}},
        "snapshot": {"meta": {"targets.json": version, "a.json": version | file, "b.json": version}},
        "targets": targets,
        "delegations": {"_type": "targets", "targets": {}, "delegations": {"keys": {"k": key}, "roles": [delegation, hashed]}},
        "expired": {"_type": "targets", "expires": "2001-09-09T01:46:40Z"} | targets,
    }
    order = {"root": 0, "timestamp": 1, "snapshot": 2}
    whole = {}
    for name, parts in said.items():
        signed = {"_type": name, "expires": "2100-01-01T00:00:00Z", "spec_version": "1.0.31", "version": 1} | parts
        whole[name] = bytes([order.get(name, 3)]) + json.dumps(signed).encode()
    return whole | {"not-json": b"\1{", "deep": b"\3" + b'{"targets":' * 300}


def policies():
    folder = HERE / "../src/policy"
    presets = {name: (folder / f"{name}.toml").read_bytes() for name in ("default", "teen", "off")}
    off = presets["off"]
    return presets | {
        "a-list-of-its-own": off + b'[list.demo]\nexact = "warn"\n',
        "thresholds": off + b"[label.sexual]\nwarn = 0.5\nask = 0.7\nblock = 1\n",
        "falling-thresholds": off + b"[label.sexual]\nwarn = 0.9\nask = 0.7\n",
        "confirmed": off + b"[label.sexual]\nwarn = 0.5\nconfirm = { model = 'm', label = 'x', at = 0.3 }\n",
        "nothing-to-confirm": off + b"[label.sexual.confirm]\nmodel = 'm'\nlabel = 'x'\nat = 2\n",
        "not-a-number": off + b"[label.sexual]\nwarn = nan\n",
        "unknown-verdict": off.replace(b'"allow"', b'"never"', 1),
        "missing-section": off[: off.index(b"[incomplete]")],
        "not-toml": "no-data = \"ask\u00e9\n[".encode(),
    }


def ingests():
    """What sources send, behind a byte that chooses the format."""
    formats = ["rows", "threatexchange", "ncmec", "stopncii", "tat"]
    files = sorted((HERE / "../tests/data/feeds").glob("*-*.*"))
    of = {name: [file for file in files if file.stem.startswith(name)][:3] for name in formats}
    return {file.stem: bytes([n]) + file.read_bytes() for n, name in enumerate(formats) for file in of[name]}


def models():
    text = (MEAN_COLOUR / "model.toml").read_bytes()
    return {
        "mean-colour": text,
        "stretched": text.replace(b"shorter-side = 8", b"stretch = [40, 9]"),
        "corners": text.replace(b"bilinear-antialias", b"bilinear-align-corners"),
        "rows-first": text.replace(b"NCHW", b"NHWC").replace(b"[1, 3, 8, 8]", b"[1, 8, 8, 3]"),
        "two-labels": text.replace(b', "blue"]', b"]"),
        "path-escape": text.replace(b'"model.onnx"', b'"../model.onnx"'),
        "cut": text[: len(text) // 2],
    }


def graph(nodes, **weights):
    """From the picture of the smallest model to its logits."""
    made = [helper.make_node(operation, inputs.split(), outputs.split(), **attributes) for operation, inputs, outputs, attributes in nodes]
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()]
    types = [helper.make_tensor_value_info(name, TensorProto.FLOAT, sides) for name, sides in (("picture", [1, 3, 8, 8]), ("logits", [1, 3]))]
    whole = helper.make_graph(made, "g", types[:1], types[1:], tensors)
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", 18)], ir_version=8).SerializeToString()


def graphs():
    def floats(*sides):
        return np.zeros(sides, np.float32)

    mean = [("GlobalAveragePool", "b", "m", {}), ("Flatten", "m", "logits", {})]
    joined = [("Concat", f"{n} {n}".replace("n0", "picture"), f"n{k + 1}", {"axis": k % 4}) for k in range(30) for n in [f"n{k}"]]
    steps = {"starts": [1, -1], "ends": [-1, -9], "axes": [2, 3], "steps": [2, -1]}
    return {
        "mean-colour": (MEAN_COLOUR / "model.onnx").read_bytes(),
        "squared": graph([
            ("Reshape", "picture column", "a", {}), ("Reshape", "picture row", "b", {}), ("MatMul", "a b", "c", {}),
            ("Reshape", "c column", "d", {}), ("Reshape", "c row", "e", {}), ("MatMul", "d e", "f", {}),
            ("ReduceMax", "f axes", "g", {"keepdims": 0}), ("GlobalAveragePool", "picture", "m", {}), ("Flatten", "m", "h", {}),
            ("Add", "h g", "logits", {})], column=[-1, 1], row=[1, -1], axes=[0, 1]),
        "joined": graph(joined + [("ReduceMax", "n30", "logits", {})]),
        "attention": graph([
            ("Shape", "picture", "s", {}), ("Gather", "s two", "h", {}), ("Mul", "h h", "hw", {}), ("Unsqueeze", "hw zero", "n", {}),
            ("Concat", "first n", "t", {"axis": 0}), ("Reshape", "picture t", "r", {}), ("Transpose", "r", "q", {"perm": [0, 2, 1]}),
            ("MatMul", "q r", "w", {}), ("Softmax", "w", "p", {"axis": -1}), ("MatMul", "p q", "o", {}),
            ("LayerNormalization", "o scale", "l", {}), ("ReduceMean", "l one", "logits", {"keepdims": 0})],
            two=np.int64(2), zero=[0], one=[1], first=[1, 3], scale=floats(3)),
        "windows": graph([
            ("Conv", "picture w", "a", {"auto_pad": "SAME_UPPER", "kernel_shape": [3, 3], "strides": [2, 1], "group": 3}),
            ("MaxPool", "a", "c", {"kernel_shape": [2, 3], "strides": [2, 2], "ceil_mode": 1, "pads": [0, 1, 0, 1]}),
            ("Conv", "c v bias", "b", {"dilations": [1, 2], "pads": [1, 2, 1, 2], "kernel_shape": [3, 3]}), *mean],
            w=floats(6, 1, 3, 3), v=floats(3, 6, 3, 3), bias=floats(3)),
        "margins": graph([("AveragePool", "picture", "b", {"kernel_shape": [1, 1], "pads": [2**30] * 4}), *mean]),
        "levels": graph([
            ("DequantizeLinear", "levels scale zero", "w", {"axis": 0}), ("Conv", "picture w", "a", {"kernel_shape": [1, 1]}), ("Clip", "a low", "b", {}), *mean],
            levels=np.zeros((3, 3, 1, 1), np.uint8), scale=floats(3), zero=np.zeros(3, np.uint8), low=np.float32(0)),
        "slices": graph([
            ("Slice", "picture starts ends axes steps", "a", {}), ("Split", "a", "c d", {"axis": 3, "num_outputs": 2}),
            ("Gather", "c places", "e", {"axis": 3}), ("Squeeze", "e", "f", {}), ("Unsqueeze", "f zero", "b", {}), *mean],
            places=[0, -1, 1], zero=[0], **steps),
        "constants": graph([
            ("Constant", "", "s", {"value_ints": [1, 3, -1, 4]}), ("Constant", "", "f", {"value_float": 0.5}),
            ("Cast", "s", "i", {"to": TensorProto.INT32}), ("Cast", "i", "t", {"to": TensorProto.INT64}), ("Reshape", "picture t", "a", {}),
            ("Mul", "a f", "c", {}), ("Relu", "c", "b", {}), *mean]),
        "out-of-order": graph(mean + [("Relu", "picture", "b", {})]),
        "declared-otherwise": graph([("Relu", "picture", "logits", {})]),
        "half": graph(joined)[:300],
    }


def feeds():
    pdq = b"f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22"
    md5 = b"900150983cd24fb0d6963f7d28e17f72"
    return {
        "csv": b"algorithm,hex,category,quality\npdq," + pdq + b",demo,100\nmd5," + md5 + b",,\n",
        "csv-other-order": b"quality,hex,algorithm\r\n,\"" + md5 + b"\",MD5\r\n50," + pdq + b",PDQ\r\n",
        "csv-bad-rows": b"algorithm,hex,quality\npdq," + pdq + b",101\npdq,f8\nphash,00,\nmd5\n\"pdq\n",
        "csv-low-quality": b"algorithm,hex,quality\npdq," + pdq + b",49\n",
        "csv-not-utf-8": b"algorithm,hex,category\nmd5," + md5 + b",\xff\xfe\n",
        "lines": b"# a comment\n\npdq " + pdq + b"\nPDQ " + pdq.upper() + b"\nmd5 " + md5 + b"\n",
        "lines-bad": b"pdq " + pdq + b" 100\nnothing\n",
        "every-algorithm": b"algorithm,hex\nsha-1," + md5 + b"00000000\nsha256," + pdq + b"\nblake3," + pdq + b"\n",
        "not-a-feed": b"<html>503</html>",
        "only-comments": b"\n# nothing\n",
    }


if __name__ == "__main__":
    main()
