"""Writes tests/data/tuf with python-tuf: `python tuf_repository.py DEMO-2 [CASE...]`.

The file is version 2 of the demonstration list, from `presend list apply` with tests/data/delta/demo-2.delta. Named cases
alone are added to what is there. `base/` is a sound repository. Every other folder holds what differs from it, and is named by its fault, or by what it shows. Keys
come from their names, so only signatures of ECDSA change from run to run.
"""

import copy
import hashlib
import json
import shutil
import sys
from datetime import datetime, timezone
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from securesystemslib.formats import encode_canonical
from tuf.api.serialization.json import JSONSerializer

OUT = Path(__file__).resolve().parents[1] / "tuf"
FAR = datetime(2100, 1, 1, tzinfo=timezone.utc)
PAST = datetime(2030, 1, 1, tzinfo=timezone.utc)
PRETTY = JSONSerializer(compact=False)


def signer(name):
    """An ECDSA key for names that end in -p256, an Ed25519 key for others."""
    seed = hashlib.sha256(name.encode()).digest()
    if name.endswith("-p256"):
        return CryptoSigner(derive_private_key(int.from_bytes(seed[:31], "big"), SECP256R1()))
    return CryptoSigner(Ed25519PrivateKey.from_private_bytes(seed))


KEYS = {
    "root": ["root-a", "root-b-p256", "root-c"],
    "targets": ["org-a", "org-b-p256", "org-c"],
    "snapshot": ["snapshot-p256"],
    "timestamp": ["timestamp"],
}


class Repository:
    """One repository in the making: documents by role, and who signs each."""

    def __init__(self, lists):
        self.files = {}
        self.signing = copy.deepcopy(KEYS)
        root = Root(version=1, expires=FAR, consistent_snapshot=True)
        for role, names in KEYS.items():
            for name in names:
                root.add_key(signer(name).public_key, role)
        root.roles["root"].threshold = root.roles["targets"].threshold = 2
        self.docs = {
            "root": root,
            "targets": Targets(version=1, expires=FAR),
            "snapshot": Snapshot(version=1, expires=FAR),
            "timestamp": Timestamp(version=1, expires=FAR),
        }
        self.put_list(lists[0])
        self.write("root")
        self.release(bump=False)

    def __getattr__(self, role):
        return self.docs[role]

    def put_list(self, data, name="demo.presend", custom=None):
        facts = TargetFile.from_data(name, data, ["sha256", "sha512"])
        if custom:
            facts.unrecognized_fields["custom"] = {"presend": custom}
        self.targets.targets[name] = facts
        folder, _, last = name.rpartition("/")
        self.files["/".join(filter(None, ["targets", folder, f"{facts.hashes['sha256']}.{last}"]))] = data

    def write(self, role, signing=None):
        """Signs a document as it is, and puts it under its name."""
        metadata = Metadata(self.docs[role])
        for name in signing or self.signing[role]:
            metadata.sign(signer(name), append=True)
        self.put(role, metadata.to_bytes(PRETTY))

    def put(self, role, data):
        name = role if role == "timestamp" else f"{self.docs[role].version}.{role}"
        self.files[f"metadata/{name}.json"] = data
        if role in ("root", "timestamp"):
            return
        meta = MetaFile(self.docs[role].version, len(data), {"sha256": hashlib.sha256(data).hexdigest()})
        if role == "snapshot":
            self.timestamp.snapshot_meta = meta
        else:
            self.snapshot.meta[f"{role}.json"] = meta

    def release(self, roles=("targets", "snapshot", "timestamp"), bump=True):
        for role in roles:
            self.docs[role].version += bump
            self.write(role)

    def new_root(self):
        """The next root, signed by the old keys and the new ones."""
        before = self.signing["root"]
        self.root.version += 1
        self.write("root", dict.fromkeys([*before, *self.signing["root"]]))

    def rotate(self, role, *names):
        for keyid in list(self.root.roles[role].keyids):
            self.root.revoke_key(keyid, role)
        for name in names:
            self.root.add_key(signer(name).public_key, role)
        self.signing[role] = list(names)

    def edit(self, path, change):
        """Changes a document behind its signatures."""
        document = json.loads(self.files[path])
        change(document)
        self.files[path] = json.dumps(document, indent=1).encode()

    def resign(self, path, change, *names):
        """Changes a document in ways that python-tuf forbids, and signs it anew."""
        document = json.loads(self.files[path])
        change(document["signed"])
        message = encode_canonical(document["signed"]).encode()
        document["signatures"] = [signer(name).sign(message).to_dict() for name in names]
        self.files[path] = json.dumps(document, indent=1).encode()


CASES = {}


def case(function):
    CASES[function.__name__.replace("_", "-")] = function
    return function


# Later states of a sound repository.


@case
def release_2(repo, lists):
    repo.put_list(lists[1])
    repo.release()


@case
def every_way(repo, lists):
    """The second list, and what presend's own releases have beside it."""
    scope = {"action": "ask", "views": 9, "probes": 294912}
    repo.put_list(lists[1], custom={"version": 2, "scope": scope})
    repo.put_list((OUT.parent / "delta/demo-2.delta").read_bytes(), "demo.1-2.delta")
    manifest = {"id": "demo", "version": 2, "entries": {"pdq": 5}, "a later field": ["of", 2]}
    repo.put_list(json.dumps(manifest).encode(), "demo.manifest.json")
    repo.release()


@case
def renewed_timestamp(repo, lists):
    repo.release(["timestamp"])


@case
def rotated_root_keys(repo, lists):
    before = repo.signing["root"]
    repo.rotate("root", "root-d", "root-e-p256")
    repo.root.version += 1
    repo.write("root", [*before, *repo.signing["root"]])
    repo.new_root()
    release_2(repo, lists)


@case
def recovered_online_keys(repo, lists):
    repo.rotate("timestamp", "timestamp-2")
    repo.rotate("snapshot", "snapshot-2-p256")
    repo.new_root()
    release_2(repo, lists)


@case
def a_recovered_snapshot_key(repo, lists):
    repo.rotate("snapshot", "snapshot-2-p256")
    repo.new_root()
    release_2(repo, lists)


@case
def unknown_fields(repo, lists):
    repo.root.unrecognized_fields["x-note"] = {"a": 1, "a b": [True, None, -2], "é\n\"\\": "é\n\"\\"}
    for key in repo.root.keys.values():
        key.unrecognized_fields["x-owner"] = "somebody"
    repo.new_root()
    release_2(repo, lists)


@case
def an_rsa_key_beside(repo, lists):
    repo.root.add_key(CryptoSigner.generate_rsa().public_key, "targets")
    repo.new_root()
    release_2(repo, lists)


def delegate(repo, delegator, name, paths, terminating=False):
    role = DelegatedRole(name, [], 1, terminating, paths)
    parent = repo.docs[delegator]
    if parent.delegations is None:
        parent.delegations = Delegations({}, {})
    parent.delegations.roles[name] = role
    parent.add_key(signer(name).public_key, name)
    repo.docs.setdefault(name, Targets(version=1, expires=FAR))
    repo.signing[name] = [name]


@case
def delegations(repo, lists):
    """targets -> a -> c -> a, and -> b; `stop` terminates."""
    delegate(repo, "targets", "a", ["*/*", "*"])
    delegate(repo, "targets", "b", ["*"])
    delegate(repo, "a", "c", ["*.txt"])
    delegate(repo, "c", "a", ["*"])
    delegate(repo, "a", "stop here", ["stop*"], terminating=True)
    repo.docs["b"].targets["b.txt"] = TargetFile.from_data("b.txt", b"of b", ["sha512"])
    repo.docs["c"].targets["b.txt"] = TargetFile.from_data("b.txt", b"of c", ["sha256"])
    repo.docs["b"].targets["b.bin"] = TargetFile.from_data("b.bin", b"bin of b", ["sha512"])
    repo.docs["b"].targets["stopped"] = TargetFile.from_data("stopped", b"hidden", ["sha512"])
    for role in ("a", "b", "c", "stop here"):
        repo.write(role)
    repo.release()


# Attacks, where a client has release-2 already if they go back from it.


@case
def rollback_of_the_root(repo, lists):
    repo.files["metadata/2.root.json"] = repo.files["metadata/1.root.json"]


@case
def rollback_of_the_snapshot(repo, lists):
    repo.release(["timestamp"])
    repo.release(["timestamp"])


@case
def rollback_of_the_targets(repo, lists):
    repo.snapshot.version = 2
    repo.release(["snapshot", "timestamp"])
    repo.timestamp.version = 3
    repo.write("timestamp")


@case
def mix_and_match(repo, lists):
    """The snapshot of one release with the targets of another."""
    old = repo.files["metadata/1.targets.json"]
    release_2(repo, lists)
    repo.files["metadata/2.targets.json"] = old


@case
def wrong_length(repo, lists):
    repo.put_list(lists[1])
    repo.targets.targets["demo.presend"].length += 1
    repo.release()


@case
def wrong_hash(repo, lists):
    repo.put_list(lists[1])
    repo.targets.targets["demo.presend"].hashes["sha512"] = "00" * 64
    repo.release()


@case
def one_signature_short(repo, lists):
    repo.signing["targets"] = ["org-a"]
    release_2(repo, lists)


@case
def the_same_signature_twice(repo, lists):
    release_2(repo, lists)

    def twice(document):
        document["signatures"] = [document["signatures"][0]] * 2

    repo.edit("metadata/2.targets.json", twice)
    repo.put("targets", repo.files["metadata/2.targets.json"])
    repo.release(["snapshot", "timestamp"])


@case
def the_same_key_under_two_names(repo, lists):
    key = repo.root.keys[signer("org-a").public_key.keyid]
    twin = type(key)("11" * 32, key.keytype, key.scheme, key.keyval)
    repo.root.add_key(twin, "targets")
    repo.new_root()
    release_2(repo, lists)

    def twins(document):
        mine = next(s for s in document["signatures"] if s["keyid"] == key.keyid)
        document["signatures"] = [mine, mine | {"keyid": twin.keyid}]

    repo.edit("metadata/2.targets.json", twins)
    repo.put("targets", repo.files["metadata/2.targets.json"])
    repo.release(["snapshot", "timestamp"])


@case
def a_key_that_is_not_in_the_role(repo, lists):
    repo.signing["targets"] = ["org-a", "root-a"]
    release_2(repo, lists)


@case
def a_threshold_of_0(repo, lists):
    repo.root.version = 2
    repo.write("root")

    def nothing(signed):
        signed["roles"]["targets"]["threshold"] = 0

    repo.resign("metadata/2.root.json", nothing, *KEYS["root"])
    repo.signing["targets"] = ["stranger"]
    release_2(repo, lists)


@case
def a_root_that_is_skipped(repo, lists):
    """The second root is version 3, and there is no version 2."""
    repo.root.version = 3
    repo.write("root")
    repo.files["metadata/2.root.json"] = repo.files.pop("metadata/3.root.json")


@case
def a_root_that_the_old_keys_did_not_sign(repo, lists):
    repo.rotate("root", "stranger", "stranger-p256")
    repo.root.version = 2
    repo.write("root")


@case
def a_root_that_the_new_keys_did_not_sign(repo, lists):
    repo.rotate("root", "root-d", "root-e-p256")
    repo.root.version = 2
    repo.write("root", KEYS["root"])


@case
def an_expired_root(repo, lists):
    repo.root.expires = PAST
    repo.new_root()
    release_2(repo, lists)


@case
def an_expired_timestamp(repo, lists):
    repo.timestamp.expires = PAST
    release_2(repo, lists)


@case
def an_expired_snapshot(repo, lists):
    repo.snapshot.expires = PAST
    release_2(repo, lists)


@case
def expired_targets(repo, lists):
    repo.targets.expires = PAST
    release_2(repo, lists)


@case
def a_fast_forwarded_timestamp(repo, lists):
    """By whoever stole the timestamp key; no such snapshot is signed."""
    repo.timestamp.version = 2**53
    repo.timestamp.snapshot_meta = MetaFile(2**53)
    repo.write("timestamp")


@case
def a_fast_forwarded_timestamp_of_the_same_release(repo, lists):
    repo.timestamp.version = 2**53
    repo.write("timestamp")


@case
def a_fast_forwarded_snapshot(repo, lists):
    """By whoever stole both online keys."""
    repo.snapshot.version = 2**53
    repo.write("snapshot")
    repo.release(["timestamp"])


@case
def a_path_that_escapes(repo, lists):
    """The name is signed; a client may only ever ask for it."""
    repo.targets.targets["../../demo.presend"] = TargetFile.from_data("x", lists[1], ["sha256"])
    repo.release()


@case
def a_list_under_another_name(repo, lists):
    repo.targets.targets.clear()
    repo.put_list(lists[1], "other.presend")
    repo.release()


if __name__ == "__main__":
    demo = OUT.parents[2] / "hashlists/demo/demo.presend"
    lists = [path.read_bytes() for path in (demo, Path(sys.argv[1]))]
    wanted = sys.argv[2:]
    if not wanted:
        shutil.rmtree(OUT, ignore_errors=True)
    base = Repository(lists).files
    if wanted:
        base = {path: (OUT / "base" / path).read_bytes() for path in base}
    cases = {"base": lambda *_: None, **CASES}
    for name, change in ((name, cases[name]) for name in wanted or cases):
        repo = Repository(lists)
        # ECDSA signs the same differently: begin from the same bytes.
        repo.files = dict(base)
        for role in ("targets", "snapshot"):
            repo.put(role, base[f"metadata/1.{role}.json"])
        repo.files["metadata/timestamp.json"] = base["metadata/timestamp.json"]
        change(repo, lists)
        for path, data in repo.files.items():
            if name == "base" or base.get(path) != data:
                file = OUT / name / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
