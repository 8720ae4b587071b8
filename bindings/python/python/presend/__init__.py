"""The check on a picture before a messenger encrypts and sends it; and PDQ hashes of a corpus.

Nothing leaves the device: there is no network code. See Scanner to check, and hash_many to hash.
"""

from typing import Literal

from ._presend import (
    CancelToken,
    Clearance,
    Error,
    Finding,
    Hash,
    Hashes,
    Limits,
    Media,
    NotScanned,
    Policy,
    Report,
    Scanner,
    Session,
    Timings,
    hash,
    hash_many,
)

Verdict = Literal["allow", "warn", "ask", "block"]
"""What the host does with a picture, mildest first."""

Fidelity = Literal["fast", "full"]
"""How much of a large JPEG or PNG file is decoded: as much as a hash and a classifier need, or every pixel."""

__all__ = [
    "CancelToken",
    "Clearance",
    "Error",
    "Fidelity",
    "Finding",
    "Hash",
    "Hashes",
    "Limits",
    "Media",
    "NotScanned",
    "Policy",
    "Report",
    "Scanner",
    "Session",
    "Timings",
    "Verdict",
    "hash",
    "hash_many",
]
