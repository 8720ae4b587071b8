"""Compares `examples/tuf_client` with python-tuf: `python tuf_client.py CLIENT`, with make/tuf-requirements.txt installed.

Both follow every repository of tests/data/tuf over HTTP, from a state that they have already to the one under test, and
have to agree: on whether it is to be trusted, on the versions trusted afterwards, on the order of requests, and on the
target's bytes.
"""

import json
import subprocess
import sys
import tempfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote

from tuf.ngclient import Updater
from tuf.api.exceptions import DownloadError, RepositoryError

DATA = Path(__file__).resolve().parents[1] / "data/tuf"
ROOT = DATA / "base/metadata/1.root.json"
TARGETS = {"delegations": "b.bin", "a-list-under-another-name": "other.presend"}

# python-tuf looks at the clock of today, before what has expired in the fixtures did.
UNSEEN = {"an-expired-root", "an-expired-timestamp", "an-expired-snapshot", "expired-targets"}

# Where presend and python-tuf 7.0.1 are known to differ.
DIFFERENT = {
    "the-same-key-under-two-names": "python-tuf counts such a key twice",
    "a-recovered-snapshot-key": "python-tuf keeps the timestamp, where 5.3.11 deletes it with the snapshot",
}

requests = []


class Server(BaseHTTPRequestHandler):
    state = "base"

    def do_GET(self):
        requests.append(self.path)
        path = unquote(self.path).lstrip("/")
        for state in (self.state, "base"):
            file = DATA / state / path
            if file.is_file():
                data = file.read_bytes()
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
                return
        self.send_error(404)

    def log_message(self, *_):
        pass


class Ours:
    def __init__(self, client, folder, url):
        self.folder, self.url = folder, url
        self.client = [client, "--metadata-dir", folder]
        subprocess.run([*self.client, "init", ROOT], check=True)

    def download(self, name):
        command = [*self.client, "--metadata-url", f"{self.url}/metadata", "--target-name", name]
        command += ["--target-base-url", f"{self.url}/targets", "--target-dir", self.folder / "targets", "download"]
        run = subprocess.run(command, capture_output=True, text=True)
        return run.returncode == 0, run.stderr.strip()


class Theirs:
    def __init__(self, folder, url):
        self.folder, self.url = folder, url

    def download(self, name):
        try:
            updater = Updater(
                str(self.folder),
                f"{self.url}/metadata",
                str(self.folder / "targets"),
                f"{self.url}/targets",
                bootstrap=ROOT.read_bytes(),
            )
            updater.refresh()
            facts = updater.get_targetinfo(name)
            if facts is None:
                return False, "no such target"
            if not updater.find_cached_target(facts):
                updater.download_target(facts)
            return True, ""
        except (RepositoryError, DownloadError, ValueError) as error:
            return False, str(error)


def trusted(folder):
    roles = sorted(path for path in folder.glob("*.json"))
    return {path.stem: json.loads(path.read_bytes())["signed"]["version"] for path in roles}


def follow(client, states):
    """What comes of each state: the answer, the trusted versions, the targets and the requests."""
    outcome = []
    for state in states:
        Server.state = state
        requests.clear()
        accepted, reason = client.download(TARGETS.get(state, "demo.presend"))
        targets = sorted(p.read_bytes() for p in (client.folder / "targets").iterdir() if p.is_file())
        outcome.append((accepted, trusted(client.folder), targets, list(requests)))
    return outcome, reason


def main(command):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    differing = 0
    for state in sorted(path.name for path in DATA.iterdir() if path.name not in UNSEEN | DIFFERENT.keys()):
        for before in ("base", "release-2"):
            with tempfile.TemporaryDirectory() as ours, tempfile.TemporaryDirectory() as theirs:
                for folder in (ours, theirs):
                    (Path(folder) / "targets").mkdir()
                mine, why = follow(Ours(command, Path(ours), url), [before, state])
                expected, their_why = follow(Theirs(Path(theirs), url), [before, state])
            if mine != expected:
                differing += 1
                print(f"{before} to {state}:\n  ours   {why} {mine[-1][1:2]} {mine[-1][3]}")
                print(f"  theirs {their_why} {expected[-1][1:2]} {expected[-1][3]}")
            else:
                print(f"{before} to {state}: {'accepted' if mine[-1][0] else 'refused, ' + why}")
    print(f"{differing} differ")
    return differing != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
