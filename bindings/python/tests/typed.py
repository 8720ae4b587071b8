"""What a type checker must take and what it must refuse; `check` runs it through mypy and never executes it."""

from pathlib import Path

import numpy as np

import presend

scanner = presend.Scanner(lists=[Path("list.presend"), b"list"], models=["model"], policy=presend.Policy.preset("teen"))
report = scanner.scan(np.zeros(9, np.uint8), deadline_ms=300, cancel=presend.CancelToken())
verdict: presend.Verdict = report.verdict
scanner.scan_frames(b"film", [np.zeros((9, 9, 3), np.uint8), memoryview(b"")])
session = scanner.session(limits=presend.Limits(frames=600))
session.push_frame(np.zeros((9, 9), np.uint8), 40.0)
report.clearance.check(bytearray(b"film"))
presend.hash_many([Path("a"), "b", b"c", np.zeros((9, 9), np.uint8)], threads=2, fidelity="fast").pdq.hex()

# Each must be refused, or mypy says that the comment is not needed.
scanner.scan("path")  # type: ignore[arg-type]
scanner.scan(b"", 300)  # type: ignore[call-arg]
presend.hash(b"", fidelity="best")  # type: ignore[arg-type]
report.verdict = "allow"  # type: ignore[misc]
unknown: presend.Verdict = "maybe"  # type: ignore[assignment]
