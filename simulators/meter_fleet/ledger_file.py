"""A ledger's rows on disk: Parquet, a row group a chunk.

Errors: `SimulatorError`, one sentence, if the file cannot be written or read.
"""

import json
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from meters.quantity import REGISTERS
from meters.reading import FloatArray, IntArray
from simulators.meter_fleet.faults import Fault
from simulators.meter_fleet.ledger import NO_TIME, Standing
from simulators.simulator_error import SimulatorError

_CHUNK_ROWS = 131_072
_WORD = pa.dictionary(pa.int32(), pa.string())
_MOMENT = pa.timestamp("ms", tz="UTC")
SCHEMA = pa.schema(
    [
        ("serial", _WORD),
        ("measured_at", _MOMENT),
        ("given_at", _MOMENT),
        *((str(quantity), pa.float64()) for quantity in REGISTERS),
        ("standing", _WORD),
        ("faults", _WORD),
    ]
)
"""Columns of the file; no `measured_at` where the meter has no clock."""
_METERS = b"keywatt.meters"
"""In the file's metadata: all meters, as JSON."""


class LedgerWriter:
    """Rows by the column, written out a chunk at a time."""

    def __init__(self, file: Path, meters: Sequence[tuple[str, bool]]) -> None:
        """Begin a file with all meters: serial, and whether it has a clock."""
        self._serials = pa.array([serial for serial, _ in meters], pa.string())
        about = {_METERS: json.dumps(meters)}
        self._standings = pa.array([s.name.lower() for s in Standing], pa.string())
        self._fault_sets: dict[tuple[Fault, ...], int] = {(): 0}
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._file = pq.ParquetWriter(
                file, SCHEMA.with_metadata(about), compression="zstd"
            )
        except OSError as exc:
            raise SimulatorError(
                f"The ledger {file} cannot be written: {exc.strerror or exc}."
            ) from None
        self._clear()

    def append(
        self,
        meter: int,
        measured_and_given_ms: tuple[int, int],
        registers: Sequence[float],
        standing: Standing,
        faults: Sequence[Fault],
    ) -> None:
        """Add one row."""
        self._meter.append(meter)
        self._times.extend(measured_and_given_ms)
        self._registers.extend(registers)
        self._standing.append(standing)
        self._faults.append(
            self._fault_sets.setdefault(tuple(faults), len(self._fault_sets))
        )
        if len(self._meter) >= _CHUNK_ROWS:
            self._spill()

    def close(self) -> None:
        """Write the rest and the footer, without which the file cannot be read."""
        if self._meter:
            self._spill()
        self._file.close()

    def _clear(self) -> None:
        self._meter, self._times = array("i"), array("q")
        self._registers = array("d")
        self._standing, self._faults = array("i"), array("i")

    def _spill(self) -> None:
        measured, given = np.array(self._times).reshape(-1, 2).T
        registers = np.array(self._registers).reshape(-1, len(REGISTERS))
        faults = pa.array([",".join(of) for of in self._fault_sets], pa.string())
        arrays = [
            _named(self._meter, self._serials),
            pa.array(measured, mask=measured == NO_TIME).cast(_MOMENT),
            pa.array(given).cast(_MOMENT),
            *(pa.array(column, from_pandas=True) for column in registers.T),
            _named(self._standing, self._standings),
            _named(self._faults, faults),
        ]
        table = pa.Table.from_arrays(arrays, schema=self._file.schema)
        self._file.write_table(table)
        self._clear()


def _named(codes: "array[int]", words: pa.Array) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.array(codes)), words)


@dataclass(frozen=True, kw_only=True, slots=True)
class GivenTable:
    """What a fleet gave, by the column; all arrays have its length n."""

    serials: tuple[str, ...]
    """Of all meters, those too that gave nothing."""
    has_clock: npt.NDArray[np.bool_]
    """shape (len(serials),)"""
    meter: npt.NDArray[np.int32]
    """shape (n,), index into `serials`"""
    measured_us: IntArray
    """shape (n,), microseconds since 1970 UTC; `NO_TIME` where the meter has none"""
    given_us: IntArray
    """shape (n,), microseconds since 1970 UTC"""
    registers: FloatArray
    """shape (n, len(REGISTERS)), NaN = not given"""
    standing: npt.NDArray[np.int8]
    """shape (n,), of `Standing`"""

    def __len__(self) -> int:
        """Count the readings."""
        return int(self.meter.size)

    @classmethod
    def joined(cls, tables: Sequence["GivenTable"]) -> "GivenTable":
        """Lay ledgers end to end: of the same meters at different times."""
        clocks = {
            serial: bool(has_clock)
            for table in tables
            for serial, has_clock in zip(table.serials, table.has_clock, strict=True)
        }
        number = {serial: at for at, serial in enumerate(clocks)}
        places = [
            np.array([number[s] for s in t.serials], dtype=np.int32) for t in tables
        ]
        return cls(
            serials=tuple(clocks),
            has_clock=np.array(list(clocks.values()), dtype=np.bool_),
            meter=np.concatenate(
                [
                    np.zeros(0, dtype=np.int32),
                    *(p[t.meter] for p, t in zip(places, tables, strict=True)),
                ]
            ),
            measured_us=_end_to_end([t.measured_us for t in tables]),
            given_us=_end_to_end([t.given_us for t in tables]),
            registers=np.concatenate(
                [np.zeros((0, len(REGISTERS))), *(t.registers for t in tables)]
            ),
            standing=np.concatenate(
                [np.zeros(0, dtype=np.int8), *(t.standing for t in tables)]
            ),
        )


def _end_to_end(columns: Sequence[IntArray]) -> IntArray:
    return np.concatenate([np.zeros(0, dtype=np.int64), *columns])


def read_ledger(file: Path) -> GivenTable:
    """Read a whole ledger.

    Raises
    ------
    SimulatorError
        It is not there, or its simulator did not live to close it.

    """
    try:
        table = pq.read_table(file).unify_dictionaries()
        meters = json.loads(table.schema.metadata[_METERS])
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as exc:
        raise SimulatorError(
            f"{file} is no ledger of a fleet, or its simulator was killed before the "
            f"end ({exc})."
        ) from None
    serials = [serial for serial, _ in meters]
    place = {serial: number for number, serial in enumerate(serials)}
    measured = table["measured_at"].cast(pa.int64())
    columns = [
        table[str(quantity)].to_numpy(zero_copy_only=False) for quantity in REGISTERS
    ]
    return GivenTable(
        serials=tuple(serials),
        has_clock=np.array([has_clock for _, has_clock in meters], dtype=np.bool_),
        meter=_numbered(table, "serial", place).astype(np.int32),
        measured_us=np.where(
            measured.is_null().to_numpy(),
            NO_TIME,
            measured.fill_null(0).to_numpy() * 1000,
        ),
        given_us=table["given_at"].cast(pa.int64()).to_numpy() * 1000,
        registers=np.column_stack(columns).astype(np.float64),
        standing=_numbered(table, "standing", _STANDINGS).astype(np.int8),
    )


_STANDINGS = {standing.name.lower(): int(standing) for standing in Standing}


def _numbered(table: pa.Table, name: str, numbers: Mapping[str, int]) -> IntArray:
    """Return a column of words as their numbers."""
    parts = [
        np.array([numbers[w] for w in chunk.dictionary.to_pylist()], dtype=np.int64)[
            chunk.indices.to_numpy()
        ]
        for chunk in table[name].chunks
        if len(chunk)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
