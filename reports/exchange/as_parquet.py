"""Settled intervals as Parquet: the columns of the CSV, typed."""

from collections.abc import Sequence
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from reports.exchange.form import ENERGIES
from reports.exchange.outgoing import Outgoing

SCHEMA = pa.schema(
    [
        ("account", pa.string()),
        ("point", pa.string()),
        ("start", pa.timestamp("us", "UTC")),
        ("length_min", pa.int16()),
        *((name, pa.float64()) for name in ENERGIES),
        ("quality", pa.string()),
        ("method", pa.string()),
        ("estimated_energies", pa.string()),
        ("confidence", pa.float32()),
        ("version", pa.int32()),
        ("settled_at", pa.timestamp("us", "UTC")),
    ]
)


def write_parquet(points: Sequence[Outgoing], file: BinaryIO) -> None:
    """Write the intervals of points, one row group a point; not known is null."""
    with pyarrow.parquet.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        for one in points:
            writer.write_table(_table(one))


def _table(one: Outgoing) -> pa.Table:
    rows = one.rows
    columns = [
        np.full(len(rows), one.account.code),
        np.full(len(rows), one.point.name),
        rows.start_us,
        rows.length_min,
        *rows.values.T,
        rows.quality,
        rows.method,
        np.array(one.estimated_energies(), dtype=np.str_),
        rows.confidence,
        rows.version,
        rows.settled_us,
    ]
    arrays = [
        pa.array(column, mask=np.isnan(column)).cast(field.type)
        if column.dtype.kind == "f"
        else pa.array(column).cast(field.type)
        for column, field in zip(columns, SCHEMA, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)
