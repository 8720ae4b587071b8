"""Hashes of Arrow columns, for whoever hands out work in record batches: Spark's mapInArrow, Ray Data, DataFusion.

Needs pyarrow, which the rest of presend does not.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pyarrow as pa

from ._presend import Hashes, hash_many

SCHEMA = pa.schema(
    [
        pa.field("item", pa.uint64(), nullable=False),
        pa.field("frame", pa.uint32(), nullable=False),
        pa.field("background", pa.string(), nullable=False),
        pa.field("pdq", pa.binary(32)),
        pa.field("quality", pa.uint8()),
        pa.field("fault", pa.string()),
    ]
)
"""A row for each hash. `pdq` and `quality` are null where an item has none, and `fault` then says why; a fault beside a
hash says that there should have been more."""


def record_batch(hashes: Hashes) -> pa.RecordBatch:
    """The columns of SCHEMA. Those that hold numbers are not copied again."""
    rows = len(hashes)
    # Arrow wants a bit for each row, the lowest first.
    present = pa.array(list(hashes.valid), pa.uint8()).cast(pa.bool_())
    valid = present.buffers()[1]

    def column(kind: pa.DataType, values: bytes, validity: pa.Buffer | None = None) -> pa.Array:
        return pa.Array.from_buffers(kind, rows, [validity, pa.py_buffer(values)])

    item = column(pa.uint64(), hashes.item)
    faults = dict(hashes.faults)
    return pa.record_batch(
        [
            item,
            column(pa.uint32(), hashes.frame),
            pa.array(hashes.background, pa.string()),
            column(pa.binary(32), hashes.pdq, valid),
            column(pa.uint8(), hashes.quality, valid),
            pa.array([faults.get(number) for number in item.to_pylist()], pa.string()),
        ],
        schema=SCHEMA,
    )


def hash_column(batch: Any, column: str, **options: Any) -> pa.Table:
    """Hashes a column of a record batch or table, of files' content or of paths, and puts the hashes beside the other
    columns of their rows. Options are those of hash_many."""
    hashes = record_batch(hash_many(batch.column(column), **options))
    others = [name for name in batch.schema.names if name != column]
    taken = batch.select(others).take(hashes.column("item"))
    names = [*others, *SCHEMA.names[1:]]
    return pa.table([*taken.columns, *hashes.columns[1:]], names=names)


def mapper(column: str, **options: Any) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """What Spark's mapInArrow calls: record batches in, record batches out."""

    def map_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield from hash_column(batch, column, **options).to_batches()

    return map_batches
