"""A repository by presend-publish, before the clients of others and in an object store:
`python run.py PRESEND-PUBLISH TUF_CLIENT INTEROP-TOUGH`, with `aws`, `moto_server` and `openssl` on the path.
"""

import functools
import hashlib
import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.request import urlopen

import tuf
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from tuf.ngclient import Updater

ROOT = Path(__file__).resolve().parents[2]
PUBLISH, CLIENT, TOUGH = (str(Path(path).resolve()) for path in sys.argv[1:4])
WORK = Path(tempfile.mkdtemp())
REPOSITORY = WORK / "lists"
PASSPHRASE = "several words of a passphrase"
STORE = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
}


def run(*command, **options):
    done = subprocess.run(command, cwd=WORK, capture_output=True, text=True, **options)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def publish(command):
    return run(PUBLISH, *command.split())


def say(what):
    print(what, flush=True)


# Keys, of whichever program.


def keys():
    (WORK / "keys").mkdir()
    (WORK / "passphrase").write_text(PASSPHRASE + "\n")
    publish("keygen keys/house-root keys/new-house-root --passphrase-file passphrase")
    publish("keygen keys/hotline-root keys/hotline --type ecdsa-p256 --passphrase-file passphrase")
    publish("keygen keys/online keys/new-online --unencrypted")
    for name in ("house-root", "hotline", "online"):
        passphrase = None if name == "online" else PASSPHRASE.encode()
        pem = (WORK / f"keys/{name}.pem").read_bytes()
        key = serialization.load_pem_private_key(pem, passphrase)
        public = json.loads((WORK / f"keys/{name}.pub").read_text())
        form = serialization.Encoding.Raw, serialization.PublicFormat.Raw
        if public["keytype"] == "ecdsa":
            form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        text = key.public_key().public_bytes(*form)
        text = text.hex() if public["keytype"] == "ed25519" else text.decode()
        assert text == public["keyval"]["public"], name
        run("openssl", "pkey", "-in", f"keys/{name}.pem", "-passin", "file:passphrase", "-noout")
    say("keys: cryptography and openssl open those of keygen, Ed25519 and ECDSA P-256, encrypted and not")
    # An organisation that makes its keys with openssl, one that does so with Python.
    secret = ["-aes256", "-pass", "file:passphrase", "-out", "keys/house.pem"]
    run("openssl", "genpkey", "-algorithm", "ed25519", *secret)
    run("openssl", "pkey", "-in", "keys/house.pem", "-passin", "file:passphrase", "-pubout", "-out", "keys/house.pub")
    key = generate_private_key(SECP256R1())
    pem = serialization.Encoding.PEM
    encrypted = serialization.BestAvailableEncryption(PASSPHRASE.encode())
    (WORK / "keys/third.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, encrypted))
    public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    (WORK / "keys/third.pub").write_bytes(public)


def roles(root, targets, online):
    text = ""
    for role, names, threshold in (
        ("root", root, 2),
        ("targets", targets, 2),
        ("snapshot", [online], 1),
        ("timestamp", [online], 1),
    ):
        text += f"[{role}]\nthreshold = {threshold}\n"
        for name in names:
            text += f'[[{role}.key]]\norganisation = "{name}"\nfile = "keys/{name}.pub"\n'
    (WORK / "roles.toml").write_text(text)


def sign(*names):
    files = " ".join(f"--key keys/{name}.pem" for name in names)
    return publish(f"sign --repository lists {files} --passphrase-file passphrase")


def build(version):
    rows = range(version * 5, 2000 + version * 20)
    feed = "".join(f"pdq {hashlib.sha256(str(n).encode()).hexdigest()}\n" for n in rows)
    (WORK / "feed").write_text(feed)
    last = "--last built/demo.presend" if version > 1 else ""
    publish(f"build --id demo --version {version} --feed feed --out built {last}")
    publish("release --repository lists --list built --action ask --views 9")


# Clients, each with what it trusts from one state to the next.


def versions(folder):
    found = {path.name.split(".")[-2]: json.loads(path.read_bytes())["signed"]["version"] for path in folder}
    return ", ".join(f"{role} {found[role]}" for role in ("root", "targets", "snapshot", "timestamp"))


class PythonTuf:
    name = f"python-tuf {tuf.__version__}"

    def __init__(self):
        self.folder = WORK / "python-tuf"
        self.folder.mkdir()

    def update(self, url, out):
        root = (REPOSITORY / "metadata/1.root.json").read_bytes()
        updater = Updater(str(self.folder), f"{url}/metadata/", bootstrap=root)
        updater.refresh()
        info = updater.get_targetinfo("demo.presend")
        updater.download_target(info, str(out), f"{url}/targets/")
        return versions([self.folder / f"{role}.json" for role in ("root", "targets", "snapshot", "timestamp")])


class Tough:
    name = "tough"

    def __init__(self):
        self.folder = WORK / "tough"
        self.folder.mkdir()

    def update(self, _url, out):
        folder = out.parent / "tough-target"
        folder.mkdir(exist_ok=True)
        said = run(TOUGH, "read", REPOSITORY, self.folder, folder, "demo.presend")
        (folder / "demo.presend").replace(out)
        return said.strip()


class Ours:
    name = "presend"

    def __init__(self, name="presend", root=None):
        self.folder = WORK / name
        self.folder.mkdir()
        root = root or REPOSITORY / "metadata/1.root.json"
        run(CLIENT, "--metadata-dir", self.folder, "init", root)

    def update(self, url, out):
        folder = WORK / "presend-target"
        folder.mkdir(exist_ok=True)
        metadata = ["--metadata-dir", self.folder, "--metadata-url", f"{url}/metadata"]
        targets = ["--target-name", "demo.presend", "--target-base-url", f"{url}/targets", "--target-dir", folder]
        run(CLIENT, *metadata, *targets, "download")
        (folder / "demo.presend").replace(out)
        return versions(self.folder.glob("*.json"))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def serve(folder):
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def everybody(clients, url, state, expected, released=None):
    released = released or (WORK / "built/demo.presend").read_bytes()
    for client in clients:
        out = WORK / "fetched"
        found = client.update(url, out)
        assert found == expected, f"{client.name}, {state}: {found}, not {expected}"
        assert out.read_bytes() == released, f"{client.name}, {state}: another list"
        say(f"{client.name}, {state}: {found}, and the list")


def follow():
    roles(["house-root", "hotline-root"], ["house", "hotline", "third"], "online")
    publish("root --repository lists --roles roles.toml")
    build(1)
    sign("house-root", "hotline-root", "house", "third")
    publish("finish --repository lists --key keys/online.pem")
    url = serve(REPOSITORY)
    clients = [PythonTuf(), Tough(), Ours()]
    everybody(clients, url, "first release", "root 1, targets 1, snapshot 1, timestamp 1")

    publish("renew --repository lists --key keys/online.pem")
    everybody(clients, url, "renewed timestamp", "root 1, targets 1, snapshot 1, timestamp 2")

    first = (WORK / "built/demo.presend").read_bytes()
    build(2)
    sign("hotline")
    half = subprocess.run(
        [PUBLISH, "finish", "--repository", "lists", "--key", "keys/online.pem"],
        cwd=WORK,
        capture_output=True,
        text=True,
    )
    assert half.returncode == 2 and "1 of 2 signatures" in half.stderr, half
    everybody(clients, url, "half-signed release", "root 1, targets 1, snapshot 1, timestamp 2", first)
    sign("house")
    publish("finish --repository lists --key keys/online.pem")
    everybody(clients, url, "second release", "root 1, targets 2, snapshot 2, timestamp 3")

    # One root key and the online key go, and an organisation leaves.
    roles(["new-house-root", "hotline-root"], ["hotline", "third"], "new-online")
    publish("root --repository lists --roles roles.toml")
    build(3)
    sign("house-root", "new-house-root", "hotline-root", "hotline", "third")
    said = publish("finish --repository lists --key keys/online.pem --key keys/new-online.pem")
    assert "turned away" not in said, said
    everybody(clients, url, "rotated root", "root 2, targets 3, snapshot 3, timestamp 4")
    publish("renew --repository lists --key keys/new-online.pem")
    everybody(clients, url, "renewed by the new key", "root 2, targets 3, snapshot 3, timestamp 5")
    publish("check --repository lists")


def by_tough():
    key = serialization.load_pem_private_key((WORK / "keys/online.pem").read_bytes(), None)
    form = serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (WORK / "online.der").write_bytes(key.private_bytes(*form))
    (WORK / "files").mkdir()
    demo = (ROOT / "hashlists/demo/demo.presend").read_bytes()
    (WORK / "files/demo.presend").write_bytes(demo)
    run(TOUGH, "write", WORK / "by-tough", "online.der", "files")
    client = Ours("presend-of-tough", WORK / "by-tough/metadata/1.root.json")
    expected = "root 1, targets 1, snapshot 1, timestamp 1"
    everybody([client], serve(WORK / "by-tough"), "a repository by tough", expected, demo)


# An object store.


def wait_for(url):
    for _ in range(100):
        try:
            return urlopen(url).close()
        except OSError:
            time.sleep(0.1)
    sys.exit(f"nothing answers at {url}")


def guide():
    """The commands of the guide that copy a release, as written."""
    lines = (ROOT / "docs/operating-a-list.md").read_text().splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ aws ")]


def object_store():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        ["moto_server", "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url)
        env = os.environ | STORE | {"AWS_ENDPOINT_URL": url}
        run("aws", "s3", "mb", "s3://lists", env=env)
        everyone = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::lists/*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [everyone]})
        run("aws", "s3api", "put-bucket-policy", "--bucket", "lists", "--policy", policy, env=env)
        commands = guide()
        assert len(commands) >= 4, commands
        client = Ours("presend-of-store")
        for command in commands:
            run(*shlex.split(command), env=env)
        everybody([client], f"{url}/lists", "in an object store", "root 2, targets 3, snapshot 3, timestamp 5")
        for path, expected in (
            ("metadata/timestamp.json", "max-age=60"),
            ("metadata/2.root.json", "immutable"),
            ("metadata/3.targets.json", "immutable"),
        ):
            with urlopen(f"{url}/lists/{path}") as answer:
                assert expected in answer.headers["Cache-Control"], f"{path}: {answer.headers}"
        # After each of the commands that copy the next release, a client has the old one or the new.
        old = (WORK / "built/demo.presend").read_bytes()
        build(4)
        sign("hotline", "third")
        publish("finish --repository lists --key keys/new-online.pem")
        new = (WORK / "built/demo.presend").read_bytes()
        seen = []
        for command in commands:
            run(*shlex.split(command), env=env)
            client.update(f"{url}/lists", WORK / "fetched")
            fetched = (WORK / "fetched").read_bytes()
            assert fetched in (old, new), command
            seen.append("new" if fetched == new else "old")
        assert seen == sorted(seen, reverse=True) and "new" in seen, seen
        say(f"copying a release to an object store, command by command: clients have the {', '.join(seen)} one")
    finally:
        server.terminate()


if __name__ == "__main__":
    keys()
    follow()
    by_tough()
    object_store()
