"""What hash and hash_many promise: Meta's hashes, in the items' order, whatever form a picture comes in."""

import csv
import io
import os
import signal
import threading
from pathlib import Path

import numpy as np
import pdqhash
import pyarrow as pa
import pytest
from PIL import Image

import presend
from presend.arrow import SCHEMA, hash_column, mapper, record_batch

DATA = Path(__file__).resolve().parents[3] / "tests" / "data"
VECTORS = sorted((DATA / "vectors").glob("*.png"))
SOLID = [file for file in VECTORS if file.stem not in ("flat", "tiny-1x1")]


def reference(pixels):
    """Meta's own code, in Meta's order of bits."""
    bits, quality = pdqhash.compute(np.ascontiguousarray(pixels))
    return np.packbits(bits.astype(np.uint8)).tobytes(), quality


def pixels(file):
    return np.asarray(Image.open(file).convert("RGB"))


def test_hashes_are_those_of_pdqhash():
    hashes = presend.hash_many(SOLID)
    assert (len(hashes), hashes.items, hashes.faults) == (len(SOLID), len(SOLID), [])
    computed = np.frombuffer(hashes.pdq, "V32")
    qualities = np.frombuffer(hashes.quality, np.uint8)
    for number, file in enumerate(SOLID):
        assert (computed[number].tobytes(), qualities[number]) == reference(pixels(file)), file.name
    assert np.frombuffer(hashes.item, np.uint64).tolist() == list(range(len(SOLID)))


def test_every_form_of_a_picture_has_the_same_hash(tmp_path):
    file = DATA / "vectors" / "waves.png"
    content = file.read_bytes()
    spread = np.zeros(2 * len(content), np.uint8)
    spread[::2] = np.frombuffer(content, np.uint8)
    forms = [file, str(file), content, bytearray(content), spread[::2], pixels(file), np.asfortranarray(pixels(file)),
             pa.scalar(content), pa.scalar(content, pa.large_binary()), pa.scalar(str(file)), pa.py_buffer(content)]
    hashes = presend.hash_many(forms)
    expected, quality = reference(pixels(file))
    assert hashes.faults == []
    assert hashes.pdq == expected * len(forms)
    assert hashes.quality == bytes([quality] * len(forms))
    (hashed,), fault = presend.hash(content)
    assert (hashed.pdq, hashed.quality, hashed.frame, hashed.background, fault) == (expected, quality, 0, "none", None)
    assert not hashed.is_low_quality


def test_arrow_columns_of_every_layout_are_read():
    contents = [file.read_bytes() for file in SOLID[:5]]
    expected = presend.hash_many(contents).pdq
    column = pa.array([contents[0], *contents])[1:]
    columns = [column, pa.array(contents, pa.large_binary()), pa.array(contents, pa.binary_view()),
               pa.chunked_array([contents[:2], contents[2:]]), pa.array(map(str, SOLID[:5])),
               pa.array(map(str, SOLID[:5]), pa.string_view())]
    for column in columns:
        assert presend.hash_many(column).pdq == expected, column.type


def test_a_batch_of_decoded_pixels_is_read():
    batch = np.stack([np.asarray(Image.open(file).convert("RGB").resize((200, 150))) for file in SOLID[:4]])
    hashes = presend.hash_many(batch)
    assert hashes.pdq == b"".join(reference(picture)[0] for picture in batch)
    luma = np.stack([np.asarray(Image.open(file).convert("L").resize((200, 150))) for file in SOLID[:4]])
    assert presend.hash_many(luma).pdq == b"".join(reference(np.dstack([p] * 3))[0] for p in luma)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pixels_of_every_layout_are_read(channels):
    rgb = pixels(DATA / "vectors" / "waves.png")
    luma = np.asarray(Image.fromarray(rgb).convert("L"))
    opaque = np.full_like(luma, 255)
    array = {1: luma[..., None], 2: np.dstack([luma, opaque]), 3: rgb, 4: np.dstack([rgb, opaque])}[channels]
    assert array.shape == (480, 640, channels)
    (hashed,), fault = presend.hash(array)
    assert fault is None
    assert hashed.pdq == reference(rgb if channels > 2 else np.dstack([luma] * 3))[0]


def test_every_frame_and_background_has_a_row():
    with (DATA / "modes" / "modes.csv").open() as rows:
        expected = {}
        for row in csv.DictReader(rows):
            if row["pdq"]:
                expected.setdefault(row["file"], []).append(row)
    for name in ("gif-animated.gif", "apng-animated.png", "png-rgba8.png"):
        batch = record_batch(presend.hash_many([DATA / "modes" / name])).to_pylist()
        displayed = [row for row in expected[name] if row["frame"] != "default"]
        assert len(batch) == len(displayed), name
        for row, one in zip(displayed, sorted(batch, key=lambda one: (one["frame"], one["background"] != "white"))):
            distance = (int(row["pdq"], 16) ^ int(one["pdq"].hex(), 16)).bit_count()
            assert distance <= int(row["max_distance"]), (name, row)


def test_what_is_missing_is_said_beside_what_is_there(tmp_path):
    items = [DATA / "vectors" / "waves.png", DATA / "broken" / "truncated-baseline.jpg", None, tmp_path / "none", tmp_path,
             b"a text", DATA / "broken" / "header-only.heic", DATA / "vectors" / "dunes.png"]
    hashes = presend.hash_many(items)
    assert hashes.items == len(items)
    assert hashes.faults == [
        (1, "incomplete.truncated"), (2, "null"), (3, "file.not-found"), (4, "file.unreadable"),
        (5, "unsupported.other.unknown"), (6, "unsupported.image.heif")]
    batch = record_batch(hashes)
    assert batch.schema == SCHEMA
    assert [row["fault"] for row in batch.to_pylist()][0] is None
    has = [(row["item"], row["pdq"] is not None) for row in batch.to_pylist()]
    assert has == [(0, True), (1, True), (2, False), (3, False), (4, False), (5, False), (6, False), (7, True)]
    assert batch.column("pdq").null_count == batch.column("quality").null_count == 5


def test_limits_and_a_deadline_are_for_each_item():
    file = DATA / "vectors" / "waves.png"
    for options, code in [
        ({"deadline_ms": 0}, "incomplete.deadline-passed"),
        ({"limits": presend.Limits(input_bytes=100)}, "incomplete.too-many-bytes"),
        ({"limits": presend.Limits(pixels=100)}, "incomplete.too-many-pixels"),
    ]:
        assert presend.hash_many([file, pixels(file)], **options).faults[0] == (0, code)
    many = presend.Limits(pixels=640 * 480)
    assert presend.hash_many([pixels(file)] * 4, limits=many).faults == []


def test_a_cancel_ends_it_early():
    token = presend.CancelToken()

    def items():
        for _ in range(20):
            yield VECTORS[0]
        token.cancel()
        yield VECTORS[0]
        raise AssertionError("asked for more after the cancel")

    hashes = presend.hash_many(items(), cancel=token)
    assert hashes.items == 21
    assert hashes.faults[-1] == (20, "incomplete.cancelled")


def test_what_the_items_raise_is_raised():
    def items():
        yield VECTORS[0]
        raise KeyError("the corpus")

    with pytest.raises(KeyError):
        presend.hash_many(items())
    for wrong in ([5], [np.zeros((2, 2), np.float32)], [np.bytes_(b"x")], b"bytes", "path", 5):
        with pytest.raises(TypeError):
            presend.hash_many(wrong)
    with pytest.raises(ValueError):
        presend.hash_many([], threads=0)


def test_items_are_asked_on_the_callers_thread_and_few_ahead():
    seen, threads = [], set()

    def items():
        for number in range(64):
            threads.add(threading.get_ident())
            seen.append(number)
            yield np.full((64, 64, 3), number, np.uint8)

    hashes = presend.hash_many(items(), threads=2)
    assert (threads, hashes.items) == ({threading.get_ident()}, 64)
    for count in (8, 1_000_000):
        assert presend.hash_many(iter([pixels(VECTORS[0])]), threads=count).items == 1


def test_an_interrupt_ends_it():
    def items():
        for number in range(10_000):
            if number == 3:
                os.kill(os.getpid(), signal.SIGINT)
            yield VECTORS[0]

    # Who starts the tests in the background has them ignore interrupts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            presend.hash_many(items())
    finally:
        signal.signal(signal.SIGINT, before)


def test_fast_is_near_full_on_a_large_jpeg():
    out = io.BytesIO()
    Image.open(DATA / "vectors" / "dunes.png").convert("RGB").resize((4032, 3024)).save(out, "JPEG", quality=90)
    (full,), _ = presend.hash(out.getvalue())
    (fast,), _ = presend.hash(out.getvalue(), fidelity="fast")
    assert full.pdq == reference(np.asarray(Image.open(out)))[0]
    assert (int(full.pdq.hex(), 16) ^ int(fast.pdq.hex(), 16)).bit_count() <= 4


def test_a_mapped_batch_keeps_its_other_columns():
    contents = [SOLID[0].read_bytes(), (DATA / "modes" / "gif-animated.gif").read_bytes(), b"no picture"]
    batch = pa.record_batch({"id": ["a", "b", "c"], "content": contents})
    mapped = pa.Table.from_batches(mapper("content")([batch, batch]))
    assert mapped.schema.names == ["id", "frame", "background", "pdq", "quality", "fault"]
    ids = mapped.column("id").to_pylist()
    assert ids.count("a") == ids.count("c") == 2 and ids.count("b") > 2
    assert mapped.column("fault").to_pylist().count("unsupported.other.unknown") == 2
    assert hash_column(batch, "content", threads=1).equals(mapped.slice(0, len(mapped) // 2).combine_chunks())


def test_empty_batches_and_nulls_are_mapped():
    empty = pa.record_batch({"id": pa.array([], pa.string()), "content": pa.array([], pa.binary())})
    assert hash_column(empty, "content").num_rows == 0
    null = pa.record_batch({"id": ["a"], "content": pa.array([None], pa.binary())})
    (row,) = hash_column(null, "content").to_pylist()
    assert (row["id"], row["pdq"], row["fault"]) == ("a", None, "null")
