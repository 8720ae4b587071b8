"""The check on a picture before a messenger encrypts and sends it; and PDQ hashes of a corpus.

Nothing leaves the device: there is no network code. See Scanner to check, and hash_many to hash.
"""

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

__all__ = [
    "CancelToken",
    "Clearance",
    "Error",
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
    "hash",
    "hash_many",
]
