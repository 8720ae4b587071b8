"""The same findings whatever the number of threads and the processor.

    python tests/interop/same_everywhere.py PRESEND [QEMU-X86_64] [PATH...]

Scans the paths (default: the pictures of tests/data) with one thread on one processor, with eight at a time, and, given
qemu-x86_64 (Debian: qemu-user-static) or "-" for none, on processors without AVX and AES: everything without a model, and the
first of the paths with one, which takes qemu seconds a picture. All lines must be alike but for the timings; scores may differ
by 0.001.
"""

import json
import os
import shutil
import subprocess
import sys

CLOSE = 0.0011  # scores are rounded to 0.001
OLD = ["Nehalem", "core2duo"]  # neither has AVX or AES instructions, and the second no SSE4.2


def main(presend, qemu="-", *paths):
    paths = paths or tuple(f"tests/data/{folder}" for folder in ("media", "modes", "orient", "hidden", "profiles", "reduced", "broken"))
    # As it comes with and without the model, and with every view and every pixel.
    bare = ["--model", "none"]
    ways = [([], paths[:1]), (bare, paths), ([*bare, "--views", "25", "--fidelity", "full"], paths)]
    for way, emulated in ways:
        way = ["--list", "hashlists/demo/demo.presend", *way]
        command = [presend, "scan", "--json", *way, *paths]
        one = ["taskset", "-c", "0"] if shutil.which("taskset") else []
        expected = run([*one, *command, "--jobs", "1"])
        others = {"eight jobs": (expected, [*command, "--jobs", "8"])}
        if qemu != "-":
            some = expected if emulated == paths else run([presend, "scan", "--json", *way, *emulated])
            others |= {cpu: (some, [qemu, "-cpu", cpu, presend, "scan", "--json", *way, *emulated]) for cpu in OLD}
        for name, (expected_of, other) in others.items():
            worst = compare(expected_of, run(other), name)
            print(f"{' '.join(way)}: {len(expected_of)} files alike by {name}, scores within {worst:.3f}", flush=True)


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        sys.exit(f"{command}: exit code {done.returncode}\n{done.stderr}")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["path"]: line for line in lines if "path" in line}


def compare(expected, found, name):
    """The largest difference of a score; ends the program where anything else differs."""
    if expected.keys() != found.keys() or not expected:
        sys.exit(f"{name}: other files")
    worst = 0.0
    for path, line in expected.items():
        (a, scores), (b, others) = plain(line), plain(found[path])
        if a != b or scores.keys() != others.keys():
            sys.exit(f"{name}: {path} differs\n{a}\n{b}")
        worst = max([worst, *(abs(scores[key] - others[key]) for key in scores)])
    if worst > CLOSE:
        sys.exit(f"{name}: a score differs by {worst}")
    return worst


def plain(line):
    """The line without timings, scores aside, findings in an order of their own."""
    line = {key: value for key, value in line.items() if not key.startswith("timings")}
    scores = {(f["model"], f["label"]): f["score"] for f in line["findings"] if "score" in f}
    kept = [json.dumps({key: f[key] for key in f if key != "score"}, sort_keys=True) for f in line["findings"]]
    return line | {"findings": sorted(kept)}, scores


if __name__ == "__main__":
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
    main(*(os.path.abspath(a) if os.path.exists(a) else a for a in sys.argv[1:]))
