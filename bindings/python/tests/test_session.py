"""What Session promises: frames as NumPy arrays, a verdict at any time, a report that clears the file."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import presend

ROOT = Path(__file__).resolve().parents[3]
LISTED = np.asarray(Image.open(ROOT / "tests" / "data" / "media" / "test-picture.png").convert("RGB"))
PLAIN = np.asarray(Image.open(ROOT / "tests" / "data" / "vectors" / "waves.png").convert("RGB"))


@pytest.fixture(scope="module")
def scanner():
    return presend.Scanner(lists=[ROOT / "hashlists" / "demo" / "demo.presend"])


def test_a_listed_frame_blocks_from_then_on(scanner):
    session = scanner.session()
    assert session.push_frame(PLAIN, 0) == "allow"
    assert session.push_frame(LISTED, 2000) == "block"
    assert session.push_frame(PLAIN, 4000) == "block" == session.verdict
    report = session.finish()
    assert (report.verdict, report.reason.code, report.frames) == ("block", "list.near", 3)


def test_what_is_refused_was_not_seen(scanner):
    for refused in (lambda s: s.push_frame(np.zeros((4, 4, 5), np.uint8), 0), lambda s: s.push_frame(PLAIN, -1)):
        session = scanner.session()
        session.push_frame(PLAIN, 0)
        with pytest.raises(ValueError):
            refused(session)
        assert session.verdict == "ask"
        assert session.push_frame(LISTED, 2000) == "block"
        codes = {finding.code for finding in session.finish().findings}
        assert {"list.near", "incomplete.internal"} <= codes


def test_a_piece_that_is_refused_clears_nothing(scanner):
    session = scanner.session()
    session.push_frame(PLAIN, 0)
    session.push_bytes(b"the ")
    with pytest.raises(TypeError):
        session.push_bytes("film")
    report = session.finish()
    assert (report.verdict, report.reason.code) == ("ask", "incomplete.internal")
    with pytest.raises(presend.NotScanned):
        report.clearance.check(b"the ")


def test_frames_are_sampled_by_time_and_the_last_is_looked_at(scanner):
    session = scanner.session(every_ms=1000)
    due = []
    for number in range(50):
        due.append(session.is_due(40 * number))
        session.push_frame(PLAIN, 40 * number)
    assert due == [number in (0, 25) for number in range(50)]
    assert session.push_frame(LISTED, 1970) == "allow"
    report = session.finish()
    assert (report.frames, report.verdict) == (3, "block")


def test_a_frame_is_copied_before_it_can_change(scanner):
    session = scanner.session()
    session.push_frame(PLAIN, 0)
    frame = LISTED.copy()
    session.push_frame(frame, 10)
    frame[:] = 0
    assert session.finish().verdict == "block"


def test_the_report_clears_the_file(scanner):
    film = [b"a film ", bytearray(b"in "), b"pieces"]
    session = scanner.session()
    session.push_frame(PLAIN, 0)
    for piece in film:
        assert session.push_bytes(piece) == "allow"
    clearance = session.finish().clearance
    clearance.check(b"a film in pieces")
    clearance.check_pieces(film)
    with pytest.raises(presend.NotScanned):
        clearance.check_pieces(film[:2])
    with pytest.raises(TypeError):
        clearance.check_pieces([5])
    without = scanner.session()
    without.push_frame(PLAIN, 0)
    with pytest.raises(presend.NotScanned):
        without.finish().clearance.check(b"")


def test_limits_a_deadline_and_a_cancel_end_the_looks(scanner):
    token = presend.CancelToken()
    token.cancel()
    for options, code in [
        ({"limits": presend.Limits(frames=1)}, "incomplete.too-many-frames"),
        ({"deadline_ms": 0}, "incomplete.deadline-passed"),
        ({"cancel": token}, "incomplete.cancelled"),
    ]:
        session = scanner.session(**options)
        session.push_frame(PLAIN, 0)
        assert session.push_frame(PLAIN, 5000) == "ask"
        assert session.finish().reason.code == code
    assert scanner.session().finish().reason.code == "incomplete.malformed"


def test_what_is_no_frame_and_what_comes_after_the_end_is_refused(scanner):
    session = scanner.session()
    for wrong, error in [(np.zeros((4, 4), np.float32), TypeError), (np.zeros((4, 4, 7), np.uint8), ValueError)]:
        with pytest.raises(error):
            session.push_frame(wrong, 0)
    with pytest.raises(ValueError):
        session.push_frame(PLAIN, -1)
    session.finish()
    for late in (lambda: session.push_frame(PLAIN, 0), lambda: session.push_bytes(b""), lambda: session.verdict,
                 lambda: session.is_due(0), session.finish):
        with pytest.raises(ValueError, match="ended"):
            late()
    assert repr(session) == "Session(ended)"
