"""Hashes a folder with Spark's mapInArrow, beside PyPI threatexchange in the same job.

    python spark_corpus.py [FOLDER]

Each Spark task hashes on one thread, so that Spark decides how many run. On a cluster, install the wheel on the workers
and read from wherever the files are.
"""

import os
import sys
from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession

import corpus
from presend.arrow import mapper

COLUMNS = "path string, frame long, background string, pdq binary, quality short, fault string"


def by_threatexchange(batches):
    from threatexchange.signal_type.pdq.pdq_hasher import pdq_from_bytes

    for batch in batches:
        pdq = [bytes.fromhex(pdq_from_bytes(content.as_py())[0]) for content in batch.column("content")]
        yield pa.record_batch({"path": batch.column("path"), "pdq": pa.array(pdq, pa.binary())})


def by_presend(fidelity):
    hash_batches = mapper("content", threads=1, fidelity=fidelity)

    def map_batches(batches):
        # Spark knows neither unsigned numbers nor binaries of one length.
        schema = pa.schema([("path", pa.string()), ("frame", pa.int64()), ("background", pa.string()),
                            ("pdq", pa.binary()), ("quality", pa.int16()), ("fault", pa.string())])
        for batch in hash_batches(batches):
            yield batch.cast(schema)

    return map_batches


def main(folder: Path) -> None:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    spark = (SparkSession.builder.master("local[*]").appName("presend").config("spark.ui.enabled", "false")
             .config("spark.ui.showConsoleProgress", "false")
             .config("spark.sql.execution.arrow.maxRecordsPerBatch", 16).getOrCreate())
    spark.sparkContext.setLogLevel("ERROR")
    files = spark.read.format("binaryFile").load(str(folder)).select("path", "content")
    # A few tasks for each processor: to start one costs as much as to hash some pictures.
    files = files.repartition(2 * spark.sparkContext.defaultParallelism).cache()
    count = files.count()

    def hashed(work, columns):
        rows = files.mapInArrow(work, columns).select("path", "pdq").collect()
        return {row.path: bytes(row.pdq) for row in rows}

    # The first start of a worker is not what is measured.
    hashed(by_presend("fast"), COLUMNS)
    hashed(by_threatexchange, "path string, pdq binary")
    full, speed = corpus.timed("presend, every pixel, in Spark", count, lambda: hashed(by_presend("full"), COLUMNS))
    _, fast = corpus.timed("presend, fast, in Spark", count, lambda: hashed(by_presend("fast"), COLUMNS))
    others, slow = corpus.timed("threatexchange, in Spark", count,
                                lambda: hashed(by_threatexchange, "path string, pdq binary"))
    spark.stop()
    print(f"{speed / slow:.1f} times as many, {fast / slow:.1f} times with fast")
    corpus.compare(full, others)


if __name__ == "__main__":
    corpus.run(main)
