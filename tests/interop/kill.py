"""Kills `presend-update` before every step that it takes in the file system, fills the disk at every step, and looks at
what is left: `python kill.py PRESEND_UPDATE PRESEND`. Needs strace; takes less than a minute.

strace injects the faults from outside, so the programs are those that ship. It counts each system call by itself; a
process that is killed on entering the Nth has done what came before, and killed in the place of every call it leaves every
state that a power cut between two calls can (as far as the order of what was synced goes). After each fault the list is the old one
or the new one, whole, and the next update ends with the new one.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

DATA = Path(__file__).resolve().parents[1] / "data/tuf"
ROOT = DATA / "base/metadata/1.root.json"

# Whatever changes something, or may.
KILLED = (
    "openat open creat write pwrite64 fsync fdatasync rename renameat renameat2 mkdir mkdirat unlink unlinkat rmdir "
    "ftruncate flock"
).split()
FULL = "write pwrite64 fsync fdatasync rename renameat renameat2 mkdir mkdirat".split()


def main(update, presend):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        old, new = repository(folder / "old", "base"), repository(folder / "new", "every-way")
        empty, first = folder / "empty", folder / "first"
        empty.mkdir()
        assert run(update, first, old).returncode == 0 and version(presend, first) == 1
        steps = 0
        for name, before, source, versions in (
            ("the first list", empty, old, [None, 1]),
            ("the next list", first, new, [1, 2]),
        ):
            for what, calls, fault, codes in (
                ("killed", KILLED, "signal=KILL:when={}", [-9]),
                ("disk full", FULL, "error=ENOSPC:when={}+", [0, 1, 2]),
            ):
                def fault_at(place):
                    call, n = place
                    store = folder / f"store-{call}-{n}"
                    renew(store, before)
                    broken = run(update, store, source, inject=f"{call}:{fault.format(n)}")
                    place = f"{what} at {call} {n}"
                    assert broken.returncode in codes, f"{place}: {broken}"
                    found = version(presend, store)
                    assert found in versions, f"{place}: version {found}"
                    again = run(update, store, source)
                    assert again.returncode == 0, f"after {place}: {again}"
                    assert version(presend, store) == versions[1], f"after {place}"
                    shutil.rmtree(store)
                    return found

                seen = dict.fromkeys(versions, 0)
                with ThreadPoolExecutor(4) as threads:
                    for found in threads.map(fault_at, places(update, before, source, folder, calls)):
                        seen[found] += 1
                counts = ", ".join(f"{count} left version {v or 'none'}" for v, count in seen.items())
                print(f"{name}, {what}: {sum(seen.values())} steps: {counts}; the next update went well each time")
                steps += sum(seen.values())
        print(f"{steps} steps, 0 failed")


def repository(folder, state):
    """A state of the fixtures, which is what differs from `base`, in a folder of its own."""
    for name in ("base", state):
        shutil.copytree(DATA / name, folder, dirs_exist_ok=True)
    return folder


def renew(store, before):
    shutil.rmtree(store, ignore_errors=True)
    shutil.copytree(before, store)


def places(update, before, source, folder, calls):
    """Every system call of one update that nobody disturbs: (name, which of its kind)."""
    store, trace = folder / "store", folder / "trace"
    renew(store, before)
    assert run(update, store, source, trace=(trace, calls)).returncode == 0
    names = [line.split("(")[0] for line in trace.read_text().splitlines() if "(" in line]
    return [(call, n + 1) for call in calls for n in range(names.count(call))]


def run(update, store, source, inject=None, trace=None):
    command = [update, "--store", store, "--from", source, "--id", "demo", "--root", ROOT]
    if inject:
        call = inject.split(":")[0]
        command = ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={inject}", *command]
    if trace:
        command = ["strace", "-qq", "-o", trace[0], "-e", "trace=" + ",".join(f"?{call}" for call in trace[1]), *command]
    return subprocess.run(command, capture_output=True, text=True)


def version(presend, store):
    """The version of the list, read to its last bit; none if there is none yet."""
    verify = subprocess.run([presend, "list", "verify", "--json", store], capture_output=True, text=True)
    if verify.returncode == 0:
        return json.loads(verify.stdout)["version"]
    assert "no list yet" in verify.stderr or "not a store" in verify.stderr, verify.stderr
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
