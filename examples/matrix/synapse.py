"""A Matrix homeserver of one's own, for as long as a `with` lasts.

Synapse is a test tool here and nothing else: it listens on the loopback alone, federates with nobody, and everything
that it keeps lies in one folder, where what reached it can be looked at.
"""

import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

CONFIG = """
server_name: localhost
report_stats: false
pid_file: {folder}/synapse.pid
signing_key_path: {folder}/signing.key
log_config: {folder}/log.yaml
media_store_path: {folder}/media
registration_shared_secret: "only a test"
macaroon_secret_key: "only a test"
form_secret: "only a test"
trusted_key_servers: []
federation_domain_whitelist: []
max_upload_size: 64M
database: {{name: sqlite3, args: {{database: {folder}/homeserver.db}}}}
listeners:
  - {{port: {port}, type: http, bind_addresses: ["127.0.0.1"], resources: [{{names: [client]}}]}}
# Twenty pictures in a row are more than a person sends.
rc_message: {{per_second: 1000, burst_count: 1000}}
rc_login:
  address: {{per_second: 1000, burst_count: 1000}}
  account: {{per_second: 1000, burst_count: 1000}}
rc_media_create: {{per_second: 1000, burst_count: 1000}}
rc_joins:
  local: {{per_second: 1000, burst_count: 1000}}
rc_invites:
  per_room: {{per_second: 1000, burst_count: 1000}}
  per_user: {{per_second: 1000, burst_count: 1000}}
"""

LOGGING = """
version: 1
handlers: {{file: {{class: logging.FileHandler, filename: {folder}/synapse.log}}}}
root: {{level: WARNING, handlers: [file]}}
"""


class Synapse:
    def __init__(self, folder: Path):
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        self.folder.mkdir(parents=True)
        self.config = self.folder / "homeserver.yaml"
        self.config.write_text(CONFIG.format(folder=self.folder, port=self.port))
        (self.folder / "log.yaml").write_text(LOGGING.format(folder=self.folder))
        command = [sys.executable, "-m", "synapse.app.homeserver", "-c", self.config]
        subprocess.run([*command, "--generate-keys"], check=True, cwd=self.folder)
        self.server = subprocess.Popen(command, cwd=self.folder)
        try:
            self.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.server.terminate()
        self.server.wait()

    def wait(self):
        for _ in range(600):
            if self.server.poll() is not None:
                raise SystemExit(f"Synapse ended with {self.server.returncode}; see {self.folder}")
            try:
                return urllib.request.urlopen(f"{self.url}/_matrix/client/versions").close()
            except OSError:
                time.sleep(0.1)
        raise SystemExit("Synapse does not answer")

    def register(self, name: str) -> dict:
        password = f"{name} has a password"
        register = Path(sys.executable).with_name("register_new_matrix_user")
        subprocess.run(
            [register, "-c", self.config, "-u", name, "-p", password, "--no-admin", self.url],
            check=True, stdout=subprocess.DEVNULL)
        return {"user": f"@{name}:localhost", "password": password}

    def media(self) -> dict[str, bytes]:
        """What was uploaded, as the server keeps it, by its mxc URI. The database and the folder must agree."""
        root = self.folder / "media" / "local_content"
        stored = {"".join(file.relative_to(root).parts): file.read_bytes()
                  for file in root.rglob("*") if file.is_file()}
        with sqlite3.connect(f"file:{self.folder}/homeserver.db?mode=ro", uri=True) as database:
            known = {row[0] for row in database.execute("SELECT media_id FROM local_media_repository")}
        assert known == set(stored), "the server's database and its media store differ"
        thumbnails = self.folder / "media" / "local_thumbnails"
        assert not thumbnails.exists(), "the server could make thumbnails: it saw a picture"
        return {f"mxc://localhost/{name}": content for name, content in stored.items()}
