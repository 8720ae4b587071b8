"""Plays one plan with each messenger and compares what happened with what must happen. Started by `run`.

A host is a program that takes the path of a plan, sends its pictures from Alice to Bob in an encrypted room, and prints
a JSON object a step: verdict, outcome (sent, blocked, declined, refused), whether the person was asked, and the files
that reached Bob, with the SHA-256 of what he decrypted. A host says what it saw; this program looks for itself at what
the server and the clients have kept.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path

import pictures
from synapse import Synapse

ROOT = pictures.ROOT
HERE = Path(__file__).resolve().parent

# name, file, thumbnail, answer, swap -> verdict, outcome. The person is asked exactly where the verdict is warn or ask.
STEPS = [
    ("a photo with its thumbnail", "photo.jpg", "photo-thumbnail.jpg", None, None, "allow", "sent"),
    ("the listed test picture", "listed.png", None, None, None, "block", "blocked"),
    ("the same, cropped, resized, recompressed", "listed-cropped.jpg", None, None, None, "block", "blocked"),
    ("a picture that warns; the person says yes", "warned.jpg", None, True, None, "warn", "sent"),
    ("a picture that warns; the person says no", "warned-again.jpg", None, False, None, "warn", "declined"),
    ("a file that breaks off; the person says no", "truncated.jpg", None, False, None, "ask", "declined"),
    ("an unknown format; the person says yes", "unknown.heic", None, True, None, "ask", "sent"),
    ("a photo whose thumbnail is listed", "album-00.jpg", "listed-thumbnail.jpg", None, None, "block", "blocked"),
    ("a file swapped while the person is asked", "warned-swapped.jpg", None, True, "listed.png", "warn", "refused"),
]
ALBUM = [f"album-{number:02}.jpg" for number in range(20)]
TYPES = {".jpg": "image/jpeg", ".png": "image/png", ".heic": "image/heic"}
# Decoded, the album's pictures are 700 MB.
ALBUM_MEMORY = 300 << 20
# Seconds for a step; an album takes one of them on a busy machine.
PATIENCE = 300


class Differs(Exception):
    pass


def check(holds: bool, what: str) -> None:
    if not holds:
        raise Differs(what)


def rust(target: Path) -> list[str]:
    manifest = ROOT / "examples" / "matrix-rust" / "Cargo.toml"
    subprocess.run(["cargo", "build", "--quiet", "--locked", "--manifest-path", manifest,
                    "--target-dir", target / "matrix"], check=True)
    return [str(target / "matrix" / "debug" / "presend-matrix")]


def javascript(target: Path, binding: str, package: str) -> Path:
    """Where the JavaScript hosts are installed, with a binding as npm would have it."""
    subprocess.run([ROOT / "bindings" / binding / "build"], check=True)
    stage = target / "ci" / "matrix-js"
    shutil.copytree(HERE / "js", stage, dirs_exist_ok=True)
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel", "error"], cwd=stage, check=True)
    for built in ("node/presend-node", "web/presend-web"):
        link = stage / "node_modules" / Path(built).name
        link.unlink(missing_ok=True)
        if (target / built).exists():
            link.symlink_to(target / built)
    assert (stage / "node_modules" / package).exists(), f"{binding} did not build {package}"
    return stage


def node(target: Path) -> list[str]:
    return ["node", str(javascript(target, "node", "presend-node") / "node.mjs")]


def chromium(target: Path) -> list[str]:
    if not shutil.which("chromium"):
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(["apt-get", "install", "-qq", "-y", "--no-install-recommends", "chromium"], check=True)
    return ["node", str(javascript(target, "web", "presend-web") / "chromium.mjs")]


# What builds a host and gives its command; whether its client keeps what it sends, in the clear, on the device.
HOSTS = {"rust": (rust, True), "node": (node, False), "chromium": (chromium, False)}


def write_plan(folder: Path, synapse: Synapse, host: str) -> Path:
    sent = folder / "pictures"
    pictures.make(sent)
    policy = folder / "policy.toml"
    policy.write_text((ROOT / "src" / "policy" / "default.toml").read_text()
                      + '\n[list.warned]\nexact = "warn"\nnear = "warn"\n')

    def outgoing(file, thumbnail=None):
        return {"file": str(sent / file), "content_type": TYPES[Path(file).suffix],
                "thumbnail": thumbnail and str(sent / thumbnail)}

    plan = {
        "homeserver": synapse.url,
        "alice": synapse.register(f"alice-{host}"),
        "bob": synapse.register(f"bob-{host}"),
        "state": str(folder / "state"),
        "lists": [str(ROOT / "hashlists" / "demo" / "demo.presend"), str(HERE / "warned" / "warned.presend")],
        "model": str(ROOT / "models" / "nsfwjs-mid-1"),
        "policy": str(policy),
        "steps": [{"name": name, **outgoing(file, thumbnail), "answer": bool(answer),
                   "swap": swap and str(sent / swap)}
                  for name, file, thumbnail, answer, swap, _, _ in STEPS],
        "album": [outgoing(file) for file in ALBUM],
    }
    path = folder / "plan.json"
    path.write_text(json.dumps(plan, indent=1))
    return path


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def expect_sent(told: dict, files: list[Path]) -> dict[str, Path]:
    """Bob has exactly these, byte for byte; where the ciphertext of each must lie."""
    got = [file["plaintext"] for file in told["files"]]
    check(sorted(got) == sorted(map(sha256, files)), f"Bob received {len(got)} files, not these {len(files)}")
    by_digest = {sha256(file): file for file in files}
    return {file["uri"]: by_digest[file["plaintext"]] for file in told["files"]}


def play(host: str, command: list[str], plan: Path) -> dict[str, Path]:
    """The plaintext behind every file that the server must have from this host."""
    sent = plan.parent / "pictures"
    stored = {}
    environment = {**os.environ, "CHROMIUM": shutil.which("chromium") or ""}
    playing = subprocess.Popen([*command, plan], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        def told():
            # A host that hangs ends here.
            patience = threading.Timer(PATIENCE, playing.kill)
            patience.start()
            line = playing.stdout.readline()
            patience.cancel()
            check(bool(line), f"the host ended early, with {playing.wait() if not line else 0}")
            return json.loads(line)

        for name, file, thumbnail, _, _, verdict, outcome in STEPS:
            # As they were before the host may swap one.
            files = [sent / part for part in (file, thumbnail) if part]
            step = told()
            answer = f"{step['verdict']:5}  {step['outcome']:8}"
            print(f"{host:9} {name:44} {answer}  {step['code'] or ''}", flush=True)
            check(step["step"] == name, f"the host told of {step['step']}")
            check((step["verdict"], step["outcome"]) == (verdict, outcome), f"expected {verdict}, {outcome}")
            check(step["asked"] == (verdict in ("warn", "ask")), "the person was asked at the wrong time")
            stored |= expect_sent(step, files if outcome == "sent" else [])
        album = told()
        stored |= expect_sent(album, [sent / file for file in ALBUM])
        grown = [size >> 20 for size in album["memory"]]
        print(f"{host:9} an album of {len(ALBUM)} {'':31} allow  sent      "
              f"memory grew by {grown[0]} MB to scan, {grown[1]} MB in all", flush=True)
        check(max(album["memory"]) < ALBUM_MEMORY, "the album was held in memory")
        end = told()
        check(end == {"done": True, "unexpected": 0}, "something else reached Bob")
        check(playing.wait() == 0, f"the host ended with {playing.returncode}")
    finally:
        playing.kill()
        playing.wait()
    return stored


def pieces(content: bytes) -> list[bytes]:
    """Some of it, short enough to lie within a page of a database."""
    return [content[at : at + 48] for at in range(len(content) // 8, len(content) - 48, max(len(content) // 64, 1))]


def check_server(media: dict[str, bytes], stored: dict[str, Path]) -> None:
    check(set(media) == set(stored), f"the server has {len(media)} files, {len(stored)} were allowed")
    for uri, ciphertext in media.items():
        plaintext = stored[uri].read_bytes()
        check(len(ciphertext) == len(plaintext), "a file has another length than its plaintext")
        check(not any(piece in ciphertext for piece in pieces(plaintext)), "a file lies in the clear")
        if len(ciphertext) > 1000:
            check(len(zlib.compress(ciphertext)) > len(ciphertext), "a file is no ciphertext")


def check_client(plan: Path, keeps_sent: bool) -> None:
    """What was never sent is nowhere in what the clients have kept."""
    sent = plan.parent / "pictures"
    kept = [file.read_bytes() for file in Path(json.loads(plan.read_text())["state"]).rglob("*") if file.is_file()]

    went_out = [(sent / part).read_bytes() for _, file, thumbnail, _, _, _, outcome in STEPS if outcome == "sent"
                for part in (file, thumbnail) if part]

    def is_kept(file):
        # JPEG files share their usual tables.
        own = [piece for piece in pieces((sent / file).read_bytes()) if not any(piece in other for other in went_out)]
        check(bool(own), f"{file} has nothing of its own to search for")
        return any(piece in content for piece in own for content in kept)

    for _, file, thumbnail, _, _, _, outcome in STEPS:
        if outcome != "sent":
            for part in {file, thumbnail} - {None, *ALBUM}:
                check(not is_kept(part), f"{part} was not sent and is kept on the device")
    if keeps_sent:
        # Else the search above shows nothing.
        check(is_kept(ALBUM[3]), "the search does not find what the client has kept")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--target", type=Path, required=True)
    parser.add_argument("hosts", nargs="*", metavar="HOST", help=f"of {', '.join(HOSTS)}; all if none is named")
    args = parser.parse_args()
    chosen = args.hosts or list(HOSTS)
    if unknown := set(chosen) - set(HOSTS):
        parser.error(f"no host {', '.join(unknown)}")
    commands = {host: HOSTS[host][0](args.target) for host in chosen}
    with tempfile.TemporaryDirectory(prefix="presend-matrix-") as folder:
        with Synapse(Path(folder) / "synapse") as synapse:
            stored = {}
            try:
                for host, command in commands.items():
                    start = time.monotonic()
                    plan = write_plan(Path(folder) / host, synapse, host)
                    stored |= play(host, command, plan)
                    check_client(plan, HOSTS[host][1])
                    kept = "what was not sent is nowhere in what it keeps" if HOSTS[host][1] else "done"
                    print(f"{host:9} {kept}; {time.monotonic() - start:.0f} s", flush=True)
                check_server(synapse.media(), stored)
            except Differs as difference:
                print(f"differs: {difference}")
                return 1
            size = sum(map(len, synapse.media().values()))
            print(f"the server has the {len(stored)} allowed files, {size >> 20} MB, all ciphertext, and nothing else")
    return 0


if __name__ == "__main__":
    sys.exit(main())
