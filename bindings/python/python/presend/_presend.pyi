"""What the extension module gives. `data` is a file's bytes, exactly as they would be sent: `bytes` is read in place,
any other buffer (bytearray, memoryview, mmap, a NumPy or Arrow array of uint8) is copied first."""

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any, Literal, Protocol, TypeAlias, final

from typing_extensions import Buffer

from . import Fidelity, Verdict

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

class _Array(Protocol):
    """What NumPy's arrays are before Python 3.12 has a name for whatever lends a buffer."""

    @property
    def __array_interface__(self) -> Any: ...

_Lends: TypeAlias = Buffer | _Array

class Error(ValueError):
    """A list, a model or a policy cannot be used; the message says what to do."""

class NotScanned(Exception):
    """The bytes are not the ones that were scanned; scan them before sending."""

@final
class Scanner:
    """Scans pictures. One serves all threads, and lets go of the interpreter while it scans."""

    def __new__(
        cls,
        *,
        lists: Sequence[str | PathLike[str] | bytes] = ...,
        models: Sequence[str | PathLike[str]] = ...,
        policy: Policy | None = None,
        views: Literal[1, 9, 25] = 9,
        fidelity: Fidelity = "fast",
    ) -> Scanner:
        """`lists`: list files, or their bytes; `models`: folders with a model.toml.

        Raises Error for what cannot be used, OSError for a list that cannot be read.
        """

    def scan(
        self,
        data: _Lends,
        *,
        deadline_ms: float | None = None,
        cancel: CancelToken | None = None,
        limits: Limits | None = None,
    ) -> Report:
        """Bytes never make it fail: what could not be looked at is a finding, and the policy decides.

        `deadline_ms` counts from the call.
        """

    def scan_frames(
        self,
        data: _Lends,
        frames: Iterable[_Lends],
        *,
        deadline_ms: float | None = None,
        cancel: CancelToken | None = None,
        limits: Limits | None = None,
    ) -> Report:
        """Scans what the host decoded from `data` (HEIC, a video's frames): uint8 arrays of shape (height, width) or
        (height, width, channels), 1 to 4 channels: luma, luma and alpha, RGB, RGBA; alpha is straight.

        Raises ValueError or TypeError for what is no such array, and what the iterable raises.
        """

    def session(
        self,
        *,
        every_ms: float = 1000.0,
        passed_over: int = 120,
        deadline_ms: float | None = None,
        cancel: CancelToken | None = None,
        limits: Limits | None = None,
    ) -> Session:
        """Begins a film or a live picture. Looks at the first frame, at one every so often, after so many in a row that
        were passed over, and at the last. `deadline_ms` and `limits` are for the whole session."""

    def reload(self, list: str | PathLike[str] | bytes) -> None:
        """Takes a later edition of a list; scans that run end with the one they began with. Raises Error."""

    @property
    def lists(self) -> list[tuple[str, int]]:
        """Id and version."""

    @property
    def models(self) -> list[tuple[str, str]]:
        """Name and version."""

@final
class Session:
    """One film or live picture on its way. Frames come in order; every call after finish raises ValueError."""

    def is_due(self, at_ms: float) -> bool:
        """Whether a frame of this time would be looked at now, for a host whose frames are dear to convert."""

    def push_frame(self, frame: _Lends, at_ms: float) -> Verdict:
        """Takes the next frame, as Scanner.scan_frames has them, shown so long after the start; the verdict so far."""

    def push_bytes(self, piece: _Lends) -> Verdict:
        """Reads the next bytes of the file, as it would be sent: its report then clears them."""

    @property
    def verdict(self) -> Verdict:
        """So far; it never becomes milder."""

    def finish(self) -> Report:
        """Looks at the last frame, and ends. Without the file's bytes the clearance refuses all."""

@final
class Policy:
    """Findings to a verdict."""

    @staticmethod
    def preset(name: str) -> Policy:
        """`default`, `teen` or `off`."""

    @staticmethod
    def parse(text: str) -> Policy:
        """Of a policy file's text (TOML). Raises Error with the line."""

    def at_most(self, list: str, verdict: Verdict) -> Policy:
        """The same, but no more than this follows from the list with this id."""

@final
class Report:
    """The answer to one scan, safe to log."""

    @property
    def verdict(self) -> Verdict:
        """The gravest of all findings."""

    @property
    def findings(self) -> list[Finding]:
        """Gravest first."""

    @property
    def reason(self) -> Finding | None:
        """The finding that decided; None when all is well."""

    @property
    def clearance(self) -> Clearance: ...
    @property
    def media(self) -> Media | None: ...
    @property
    def frames(self) -> int:
        """Displayed frames that were looked at."""

    @property
    def inferences(self) -> int: ...
    @property
    def timings(self) -> Timings: ...

@final
class Finding:
    """One thing found. str() is a sentence for people."""

    @property
    def code(self) -> str:
        """Stable: `list.near`, `incomplete.truncated`, ..."""

    @property
    def verdict(self) -> Verdict:
        """What follows from it alone."""

    @property
    def rule(self) -> str:
        """The rule of the policy that says so."""

    @property
    def list(self) -> tuple[str, int] | None:
        """Id and version of the list that matched."""

    @property
    def frame(self) -> int | None:
        """The displayed frame that matched, from 0, for a near copy."""

    @property
    def model(self) -> tuple[str, str] | None:
        """Name and version of the model that gave the label."""

    @property
    def score(self) -> float | None:
        """0 to 1, for a label. Says more about the picture than a log should keep."""

@final
class Clearance:
    """Proof of which bytes a report speaks of."""

    def check(self, data: _Lends) -> None:
        """Just before encrypting: raises NotScanned for any bytes but the scanned ones."""

    def check_pieces(self, pieces: Iterable[_Lends]) -> None:
        """The same for a file in pieces. Encrypt nothing of it before this has seen all."""

    @property
    def blake3(self) -> bytes | None:
        """32 bytes; None when the scan had not read them all."""

@final
class Media:
    """What the content is."""

    @property
    def format(self) -> str: ...
    @property
    def width(self) -> int:
        """Pixels, upright."""

    @property
    def height(self) -> int:
        """Pixels, upright."""

    @property
    def scale(self) -> int:
        """Rows and columns that one pixel stood for which was looked at: 1, 2, 4 or 8."""

@final
class Timings:
    """Milliseconds that each stage took."""

    @property
    def digest(self) -> float: ...
    @property
    def sniff(self) -> float: ...
    @property
    def decode(self) -> float: ...
    @property
    def hash(self) -> float: ...
    @property
    def views(self) -> float: ...
    @property
    def lookup(self) -> float: ...
    @property
    def classify(self) -> float: ...
    @property
    def policy(self) -> float: ...
    @property
    def total(self) -> float: ...

@final
class Limits:
    """What one scan may spend."""

    def __new__(
        cls,
        *,
        input_bytes: int | None = None,
        pixels: int | None = None,
        frames: int | None = None,
        memory: int | None = None,
    ) -> Limits:
        """Bytes of the file (64 MiB), pixels of all frames (100 million), frames (64), bytes held for decoding
        (512 MiB)."""

    @property
    def input_bytes(self) -> int: ...
    @property
    def pixels(self) -> int: ...
    @property
    def frames(self) -> int: ...
    @property
    def memory(self) -> int: ...

@final
class CancelToken:
    """Stops every scan that carries it, from another thread, for good."""

    def __new__(cls) -> CancelToken: ...
    def cancel(self) -> None: ...
    @property
    def is_cancelled(self) -> bool: ...

@final
class Hash:
    """PDQ of one displayed frame on one background."""

    @property
    def frame(self) -> int: ...
    @property
    def background(self) -> Literal["none", "white", "black"]:
        """What its transparent pixels lay on; none when there are none."""

    @property
    def pdq(self) -> bytes:
        """32 bytes, bit 255 first; .hex() is as the reference writes it."""

    @property
    def quality(self) -> int:
        """0 to 100."""

    @property
    def is_low_quality(self) -> bool:
        """49 or less: too little in it to be compared."""

@final
class Hashes:
    """Columns of equal length, a row for each hash in the order of the items; an item without one has a row that is
    not valid. Numbers are in native byte order, for numpy.frombuffer or presend.arrow."""

    @property
    def items(self) -> int:
        """How many items were looked at: all, unless they were cancelled."""

    @property
    def item(self) -> bytes:
        """uint64: the item's number, from 0."""

    @property
    def frame(self) -> bytes:
        """uint32."""

    @property
    def background(self) -> list[str]: ...
    @property
    def pdq(self) -> bytes:
        """32 bytes a row, zeros where not valid."""

    @property
    def quality(self) -> bytes:
        """uint8."""

    @property
    def valid(self) -> bytes:
        """uint8: 1 where the row has a hash."""

    @property
    def faults(self) -> list[tuple[int, str]]:
        """Items whose hashes are not all there are, and why: a finding's code, `file.not-found`,
        `file.not-permitted`, `file.unreadable` or `null`."""

    def __len__(self) -> int: ...

def hash(
    data: Any,
    *,
    fidelity: Fidelity = "full",
    deadline_ms: float | None = None,
    cancel: CancelToken | None = None,
    limits: Limits | None = None,
) -> tuple[list[Hash], str | None]:
    """The hashes of one item, as hash_many takes them, and why they are not all there are.

    `full` gives the bits of the reference on the same pixels; `fast` differs by a bit or two on large pictures.
    """

def hash_many(
    items: Iterable[Any],
    *,
    threads: int | None = None,
    fidelity: Fidelity = "full",
    deadline_ms: float | None = None,
    cancel: CancelToken | None = None,
    limits: Limits | None = None,
) -> Hashes:
    """Hashes many on threads of its own, one for each processor unless told otherwise.

    An item is a path (str, os.PathLike, an Arrow string), a file's content (bytes, any buffer, an Arrow binary) or
    decoded pixels (a uint8 array as in Scanner.scan_frames). The iterable is asked on the calling thread, a few items
    ahead; what it raises is raised. `deadline_ms` is for each item. Cancelling ends it after those that were fetched.
    """
