"""Hashes a folder with Ray Data, beside PyPI threatexchange in the same pipeline.

    python ray_corpus.py [FOLDER]

Each Ray worker hashes its batches on one thread, so that Ray decides how many run. On a cluster, `read_binary_files`
takes an object store's address in place of the folder.
"""

import logging
from pathlib import Path

import pyarrow as pa
import ray
from threatexchange.signal_type.pdq.pdq_hasher import pdq_from_bytes

import corpus
from presend.arrow import hash_column


def by_presend(batch: pa.Table, fidelity: str) -> pa.Table:
    return hash_column(batch, "bytes", threads=1, fidelity=fidelity)


def by_threatexchange(batch: pa.Table) -> pa.Table:
    hashes = [bytes.fromhex(pdq_from_bytes(content.as_buffer().to_pybytes())[0]) for content in batch.column("bytes")]
    return batch.select(["path"]).append_column("pdq", pa.array(hashes, pa.binary(32)))


def main(folder: Path) -> None:
    logging.disable(logging.WARNING)
    ray.init(log_to_driver=False, include_dashboard=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    files = ray.data.read_binary_files(str(folder), include_paths=True, override_num_blocks=12).materialize()
    count = files.count()

    def hashed(work, **options):
        rows = files.map_batches(work, batch_format="pyarrow", batch_size=4, fn_kwargs=options).take_all()
        return {row["path"]: row["pdq"] for row in rows}

    # The first start of a worker is not what is measured.
    hashed(by_presend, fidelity="fast")
    hashed(by_threatexchange)
    full, speed = corpus.timed("presend, every pixel, in Ray", count, lambda: hashed(by_presend, fidelity="full"))
    _, fast = corpus.timed("presend, fast, in Ray", count, lambda: hashed(by_presend, fidelity="fast"))
    others, slow = corpus.timed("threatexchange, in Ray", count, lambda: hashed(by_threatexchange))
    print(f"{speed / slow:.1f} times as many, {fast / slow:.1f} times with fast")
    corpus.compare(full, others)


if __name__ == "__main__":
    corpus.run(main)
