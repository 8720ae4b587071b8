"""Serves repositories by nginx over TLS and follows them: `python nginx.py NGINX PRESEND_UPDATE`. Needs openssl.

The server compresses what it can and sends the cache headers that docs/operating-a-list.md asks for.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DATA = Path(__file__).resolve().parents[1] / "data/tuf"
ROOT = DATA / "base/metadata/1.root.json"

CONFIG = """
daemon off;
error_log {folder}/error.log;
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log {folder}/access.log combined;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    gzip on;
    gzip_types *;
    gzip_min_length 1;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/server.pem;
        ssl_certificate_key {folder}/server.key;
        root {folder}/www;
        add_header Cache-Control "public, max-age=31536000, immutable";
        location = /metadata/timestamp.json {{ add_header Cache-Control "public, max-age=60, must-revalidate"; }}
    }}
}}
"""


def main(nginx, update):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        folder.chmod(0o755)
        certificates(folder)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        (folder / "nginx.conf").write_text(CONFIG.format(folder=folder, port=port))
        show(folder, "base")
        server = subprocess.Popen([nginx, "-e", folder / "error.log", "-p", folder, "-c", folder / "nginx.conf"])
        try:
            wait(port)
            follow(folder, f"https://localhost:{port}", update)
        finally:
            server.terminate()
            server.wait()


def follow(folder, url, update):
    def run(store, *more):
        command = [update, "--store", folder / store, "--from", url, "--root", ROOT, "--id", "demo", "--json", *more]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.stdout, done
        return done.returncode, json.loads(done.stdout)

    def log():
        lines = (folder / "access.log").read_text().splitlines()
        (folder / "access.log").write_text("")
        return [(line.split()[6], int(line.split()[8])) for line in lines]

    ca = ["--ca", folder / "ca.pem"]
    code, answer = run("store")
    assert code == 2 and not answer["bytes"], answer
    print("a certificate by an unknown authority: refused, nothing was sent")
    code, answer = run("store", *ca)
    assert (code, answer["answer"], answer["version"]) == (0, "updated", 1), answer
    print(f"the first list: {answer['requests']} requests, {answer['bytes']} bytes")
    log()
    code, answer = run("store", *ca)
    assert (code, answer["answer"], answer["bytes"]) == (0, "current", 0), answer
    assert log() == [("/metadata/2.root.json", 404), ("/metadata/timestamp.json", 304)]
    print("nothing new: a 404 for the next root, a 304 for the timestamp, 0 bytes")
    show(folder, "every-way")
    code, answer = run("store", *ca)
    assert (code, answer["answer"], answer["version"]) == (0, "updated", 2), answer
    assert [path for path, _ in log() if path.endswith(".delta")] != []
    print(f"the next list: by its delta, {answer['requests']} requests, {answer['bytes']} bytes")

    [target] = (folder / "www/targets").glob("4500*.demo.presend")
    (folder / "other/cache").mkdir(parents=True)
    part = f"targets/{target.name}\n".encode() + target.read_bytes()[:100]
    (folder / "other/cache/part").write_bytes(part)
    code, answer = run("other", *ca)
    assert (code, answer["answer"], answer["version"]) == (0, "updated", 2), answer
    assert (f"/targets/{target.name}", 206) in log()
    print("a list that an earlier run had begun: the rest of it, by a 206")


def show(folder, state):
    """Puts a state of the fixtures in place, new names first, as any publisher's copy should.

    nginx makes its tags of a file's time and length, and the files of one checkout have one time; those of two releases
    do not.
    """
    timestamp = folder / "www/metadata/timestamp.json"
    later = max(time.time(), timestamp.stat().st_mtime + 1 if timestamp.exists() else 0)
    for name in ("base", state):
        for part in ("targets", "metadata"):
            if (DATA / name / part).is_dir():
                shutil.copytree(DATA / name / part, folder / "www" / part, dirs_exist_ok=True)
    os.utime(timestamp, (later, later))


def certificates(folder):
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test authority")
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    (folder / "names").write_text("subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")
    signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names"]
    openssl("x509", "-req", "-in", "server.csr", "-out", "server.pem", *signing)


def wait(port):
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit("nginx does not answer")


if __name__ == "__main__":
    main(*sys.argv[1:])
