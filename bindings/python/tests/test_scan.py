"""What Scanner promises."""

import asyncio
import gc
import itertools
import mmap
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import presend

ROOT = Path(__file__).resolve().parents[3]
MEDIA = ROOT / "tests" / "data" / "media"
BROKEN = ROOT / "tests" / "data" / "broken"
LIST = ROOT / "hashlists" / "demo" / "demo.presend"
TEST_PICTURE = (MEDIA / "test-picture.png").read_bytes()
WAVES = (MEDIA / "waves.jpg").read_bytes()


@pytest.fixture(scope="module")
def scanner():
    return presend.Scanner(lists=[LIST], models=[ROOT / "models" / "nsfwjs-mid-1"])


def test_the_test_picture_is_blocked_and_a_photo_allowed(scanner):
    report = scanner.scan(TEST_PICTURE)
    assert report.verdict == "block"
    assert (report.reason.code, report.reason.rule, report.reason.list) == ("list.exact", "list.default.exact", ("demo", 1))
    assert (report.media.format, report.media.width, report.media.height) == ("png", 512, 512)
    report = scanner.scan(WAVES)
    assert (report.verdict, report.reason, report.frames, report.inferences) == ("allow", None, 1, 1)
    assert 0 <= report.timings.decode <= report.timings.total
    assert all(0 <= finding.score <= 1 for finding in report.findings if finding.model == ("nsfwjs-mid", "1"))


def test_a_near_copy_is_blocked(scanner):
    report = scanner.scan((MEDIA / "test-picture-halved-q50.jpg").read_bytes())
    assert (report.verdict, report.reason.code, report.reason.frame) == ("block", "list.near", 0)


def test_every_buffer_is_read(scanner, tmp_path):
    file = tmp_path / "picture"
    file.write_bytes(TEST_PICTURE)
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert scanner.scan(mapped).verdict == "block"
    padded = np.zeros(2 * len(TEST_PICTURE), np.uint8)
    padded[::2] = np.frombuffer(TEST_PICTURE, np.uint8)
    for lent in (bytearray(TEST_PICTURE), memoryview(TEST_PICTURE), padded[::2]):
        report = scanner.scan(lent)
        assert report.reason.code == "list.exact"
        report.clearance.check(TEST_PICTURE)


@pytest.mark.parametrize("given", ["path.jpg", None, 5, np.zeros(9, np.float32), np.bytes_(WAVES), np.zeros((4, 4), np.uint8)])
def test_what_is_not_a_files_content_is_refused(scanner, given):
    with pytest.raises(TypeError):
        scanner.scan(given)


def test_broken_files_are_findings(scanner):
    for file, verdict, code in [
        ("truncated-baseline.jpg", "ask", "incomplete.truncated"),
        ("header-only.heic", "ask", "unsupported.image.heif"),
        ("too-large-60000x60000.png", "ask", "incomplete.too-many-pixels"),
        ("text-named.jpg", "ask", "unsupported.other.unknown"),
    ]:
        report = scanner.scan((BROKEN / file).read_bytes())
        assert (report.verdict, report.reason.code) == (verdict, code), file


def test_a_clearance_holds_for_its_bytes_alone(scanner):
    clearance = scanner.scan(WAVES).clearance
    assert len(clearance.blake3) == 32
    clearance.check(WAVES)
    for other in (TEST_PICTURE, WAVES + b"\0", b""):
        with pytest.raises(presend.NotScanned):
            clearance.check(other)
    late = scanner.scan(WAVES, deadline_ms=0).clearance
    assert late.blake3 is None
    with pytest.raises(presend.NotScanned):
        late.check(WAVES)


def test_a_deadline_a_cancel_and_limits_end_a_scan_with_ask(scanner):
    token = presend.CancelToken()
    token.cancel()
    for options, code in [
        ({"deadline_ms": 0}, "incomplete.deadline-passed"),
        ({"cancel": token}, "incomplete.cancelled"),
        ({"limits": presend.Limits(input_bytes=10)}, "incomplete.too-many-bytes"),
        ({"limits": presend.Limits(pixels=10)}, "incomplete.too-many-pixels"),
    ]:
        report = scanner.scan(WAVES, **options)
        assert (report.verdict, report.reason.code) == ("ask", code)
    for deadline_ms in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError):
            scanner.scan(WAVES, deadline_ms=deadline_ms)


def test_what_is_too_large_is_refused_before_it_is_copied(scanner, tmp_path):
    # Larger than any memory, and nothing on the disk.
    with open(tmp_path / "film", "w+b") as film:
        film.truncate(1 << 40)
        with mmap.mmap(film.fileno(), 0) as mapped:
            assert scanner.scan(mapped).reason.code == "incomplete.too-many-bytes"
            assert scanner.scan_frames(mapped, []).reason.code == "incomplete.too-many-bytes"
            assert presend.hash(mapped) == ([], "incomplete.too-many-bytes")
            assert presend.hash_many([mapped]).faults == [(0, "incomplete.too-many-bytes")]


def test_another_thread_runs_during_a_scan_and_can_cancel_it(scanner):
    # The frames never end and have no limit: only the other thread ends the scan.
    token = presend.CancelToken()
    first, ticks = threading.Event(), 0

    def frames():
        frame = np.zeros((64, 64), np.uint8)
        while True:
            first.set()
            yield frame

    def cancel():
        nonlocal ticks
        first.wait()
        ticks += 1
        token.cancel()

    other = threading.Thread(target=cancel)
    other.start()
    limits = presend.Limits(frames=2**32 - 1, pixels=2**63)
    report = scanner.scan_frames(b"", frames(), cancel=token, limits=limits)
    other.join()
    assert (ticks, report.reason.code) == (1, "incomplete.cancelled")


def test_an_event_loop_ticks_during_a_scan(scanner):
    # Only a loop that goes on can end this scan.
    token, frame = presend.CancelToken(), np.zeros((64, 64), np.uint8)
    limits = presend.Limits(frames=2**32 - 1, pixels=2**63)

    async def send():
        frames = itertools.repeat(frame)
        scan = asyncio.create_task(asyncio.to_thread(scanner.scan_frames, b"", frames, cancel=token, limits=limits))
        ticks = 0
        while not scan.done():
            await asyncio.sleep(0.001)
            ticks += 1
            if ticks == 100:
                token.cancel()
        return ticks, await scan

    ticks, report = asyncio.run(send())
    assert ticks >= 100 and report.reason.code == "incomplete.cancelled"


def test_frames_of_the_host_are_scanned(scanner):
    rgb = np.asarray(Image.open(MEDIA / "test-picture.png").convert("RGB"))
    rgba = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
    fortran = np.asfortranarray(rgb)
    blank = np.zeros((32, 32), np.uint8)
    for frame in (rgb, rgba, fortran, np.asarray(Image.fromarray(rgb).convert("L")), rgb[:, ::-1]):
        report = scanner.scan_frames(b"a film", [blank, frame])
        assert (report.verdict, report.frames, report.reason.frame) == ("block", 2, 1)
        report.clearance.check(b"a film")
    assert scanner.scan_frames(b"a film", []).reason.code == "incomplete.malformed"


def test_what_is_raised_while_frames_are_made_is_raised(scanner):
    def frames():
        yield np.zeros((32, 32), np.uint8)
        raise KeyError("the decoder")

    with pytest.raises(KeyError):
        scanner.scan_frames(b"", frames())
    for wrong in (np.zeros((4, 4, 5), np.uint8), np.zeros((0, 4), np.uint8)):
        with pytest.raises(ValueError):
            scanner.scan_frames(b"", [wrong])
    with pytest.raises(TypeError):
        scanner.scan_frames(b"", [np.zeros((4, 4), np.float32)])


def test_a_policy_decides():
    picture = TEST_PICTURE
    off = presend.Scanner(lists=[LIST], policy=presend.Policy.preset("off"))
    assert off.scan(picture).verdict == "allow"
    milder = presend.Scanner(lists=[LIST.read_bytes()], policy=presend.Policy.preset("default").at_most("demo", "warn"))
    assert milder.scan(picture).verdict == "warn"
    text = (ROOT / "src" / "policy" / "default.toml").read_text()
    parsed = presend.Policy.parse(text + '[list.demo]\nexact = "ask"\n')
    assert presend.Scanner(lists=[LIST], policy=parsed).scan(picture).reason.rule == "list.default.near"
    with pytest.raises(presend.Error, match="line 1"):
        presend.Policy.parse("x")
    with pytest.raises(ValueError, match="default, teen, off"):
        presend.Policy.preset("none")


def test_without_a_list_it_asks():
    report = presend.Scanner().scan(WAVES)
    assert (report.verdict, report.reason.code) == ("ask", "no-data.list")


def test_what_cannot_be_opened_is_said(scanner, tmp_path):
    damaged = bytearray(LIST.read_bytes())
    damaged[-1] ^= 1
    with pytest.raises(presend.Error, match="digest"):
        presend.Scanner(lists=[bytes(damaged)])
    with pytest.raises(presend.Error, match="two lists"):
        presend.Scanner(lists=[LIST, LIST])
    with pytest.raises(OSError):
        presend.Scanner(lists=[tmp_path / "none"])
    with pytest.raises(presend.Error, match="model.toml"):
        presend.Scanner(models=[tmp_path])
    for wrong in ({"views": 2}, {"fidelity": "best"}):
        with pytest.raises(ValueError):
            presend.Scanner(**wrong)
    assert issubclass(presend.Error, ValueError)


def test_an_edition_takes_over_from_its_own_list_alone():
    first = presend.Scanner(lists=[LIST])
    first.reload(LIST.read_bytes())
    assert first.lists == [("demo", 1)]
    with pytest.raises(presend.Error, match="no list with the id"):
        first.reload(ROOT / "examples" / "matrix" / "warned" / "warned.presend")


def test_nothing_printed_tells_of_the_picture(scanner):
    report = scanner.scan(TEST_PICTURE)
    shown = repr(report) + repr(report.reason) + str(report.reason) + repr(report.clearance) + repr(report.findings)
    (hashed,), _ = presend.hash(TEST_PICTURE)
    shown += repr(hashed) + repr(presend.hash_many([TEST_PICTURE]))
    for secret in (hashed.pdq.hex()[:8], repr(hashed.pdq)[2:10], report.clearance.blake3.hex()[:8], "0."):
        assert secret not in shown
    assert "list.exact" in shown


def test_many_threads_share_one_scanner(scanner):
    verdicts = []
    def scan(picture):
        verdicts.append(scanner.scan(picture).verdict)
    threads = [threading.Thread(target=scan, args=(picture,)) for picture in [TEST_PICTURE, WAVES] * 8]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(verdicts) == ["allow"] * 8 + ["block"] * 8


def test_nothing_that_was_lent_is_kept(scanner):
    lent = bytearray(WAVES)
    report = scanner.scan(lent)
    # A buffer that is lent cannot be resized.
    lent.clear()
    gc.collect()
    assert report.verdict == "allow"
