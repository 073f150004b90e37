"""A file as columns of what it says, each row with its place. Reads the disk.

CSV and Parquet, also packed by gzip. Errors: `ExchangeError`.
"""

import gzip
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet

from reports.exchange.form import ExchangeError, FileForm, Refused
from reports.exchange.text_table import Tell, first_line, read_text

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

_GZIP, _BOM = b"\x1f\x8b", b"\xef\xbb\xbf"
_AS_TABLE = "give the same energy as CSV or Parquet"
_NOT_READ = (
    (b"<", "XML, such as Green Button", _AS_TABLE),
    (b"100,NEM12", "NEM12", _AS_TABLE),
    (b"PK\x03\x04", "a workbook or an archive", "save each sheet or file as CSV"),
)
"""How files of other forms begin, and what to do instead."""
_PARQUET = b"PAR1"


@dataclass(frozen=True, slots=True)
class Stamps:
    """Times that a file holds as times."""

    us: IntArray
    """Microseconds since 1970, of UTC if `aware`, else on the wall."""
    aware: bool


Column = list[str] | FloatArray | Stamps


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """The columns that were asked for; all have the length of `places`."""

    file: str
    sha256: str
    at: str
    """What a place is: `line`, or `row` of a Parquet file."""
    places: IntArray
    columns: Mapping[str, Column]
    refused: tuple[Refused, ...] = ()
    """Lines that have too few fields."""

    def __len__(self) -> int:
        """Count the rows."""
        return int(self.places.size)

    def column(self, name: str) -> Column:
        """Return a column; `Date+Time` is two of text, joined by a space."""
        if name in self.columns:
            return self.columns[name]
        parts = [self.columns[part] for part in name.split("+")]
        texts = [part for part in parts if isinstance(part, list)]
        if len(texts) != len(parts):
            raise ExchangeError(f"{self.file}: {name} can be joined only as text.")
        return [" ".join(both) for both in zip(*texts, strict=True)]


@dataclass(frozen=True, slots=True)
class Packet:
    """A file's bytes, unpacked, and the mark of what is on the disk."""

    path: Path
    sha256: str
    data: bytes = field(repr=False)

    @property
    def is_parquet(self) -> bool:
        """Whether it is a Parquet file, by how it begins."""
        return self.data.startswith(_PARQUET)

    def header(self, form: FileForm) -> list[str]:
        """Return the names of the columns; of a text file, of its first line."""
        if self.is_parquet:
            return list(_schema(self).names)
        return first_line(self.data, form.delimiter)


def open_packet(path: Path) -> Packet:
    """Read a file whole."""
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise ExchangeError(f"{path}: cannot be read: {exc.strerror}.") from None
    digest = hashlib.sha256(data).hexdigest()
    if data.startswith(_GZIP):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError):
            raise ExchangeError(f"{path}: is no whole gzip file.") from None
    for begins, what, instead in _NOT_READ:
        if data.removeprefix(_BOM).lstrip().startswith(begins):
            raise ExchangeError(f"{path}: is {what}, which is not read; {instead}.")
    return Packet(path, digest, data)


def read_table(
    packet: Packet,
    form: FileForm,
    roles: Mapping[str, str],
    tell: Tell | None = None,
) -> Table:
    """Read the columns of some roles, and of `form.where`, of chosen rows.

    Parameters
    ----------
    packet : Packet
    form : FileForm
    roles
        Column of each role. A time may be two columns, joined by a plus.
    tell : callable, optional
        Called with how many lines of how many are read.

    """
    names = [name for role, name in roles.items() if role != "time"]
    wanted = [*roles["time"].split("+"), *names, *form.where]
    wanted = list(dict.fromkeys(wanted))
    if packet.is_parquet:
        table = _parquet(packet, wanted)
    else:
        table = _text(packet, form, wanted, tell)
    return _chosen(table, form.where)


def _text(
    packet: Packet, form: FileForm, wanted: Sequence[str], tell: Tell | None
) -> Table:
    name = packet.path.name
    read = read_text(packet.data, name, form.delimiter, wanted, tell)
    return Table(
        file=name,
        sha256=packet.sha256,
        at="line",
        places=np.array(read.lines, dtype=np.int64),
        columns=dict(zip(wanted, read.columns, strict=True)),
        refused=tuple(Refused(name, line, text) for line, text in read.refused),
    )


def _schema(packet: Packet) -> pa.Schema:
    try:
        return pa.parquet.read_schema(BytesIO(packet.data))
    except pa.ArrowException as exc:
        raise _unreadable(packet, exc) from None


def _unreadable(packet: Packet, exc: Exception) -> ExchangeError:
    reason = str(exc).splitlines()[0].rstrip(".")
    return ExchangeError(f"{packet.path}: is no whole Parquet file: {reason}.")


def _parquet(packet: Packet, wanted: Sequence[str]) -> Table:
    names = _schema(packet).names
    for name in wanted:
        if name not in names:
            has = ", ".join(names)
            text = f"{packet.path}: has no column {name!r}; it has: {has}."
            raise ExchangeError(text)
    try:
        table = pa.parquet.read_table(BytesIO(packet.data), columns=list(wanted))
    except (pa.ArrowException, OSError) as exc:
        raise _unreadable(packet, exc) from None
    return Table(
        file=packet.path.name,
        sha256=packet.sha256,
        at="row",
        places=np.arange(1, table.num_rows + 1, dtype=np.int64),
        columns={name: _typed(table[name], name, packet.path) for name in wanted},
    )


def _typed(column: pa.ChunkedArray, name: str, file: Path) -> Column:
    kind = column.type
    if pa.types.is_timestamp(kind):
        if column.null_count:
            row = column.is_null().index(pa.scalar(value=True)).as_py() + 1
            raise ExchangeError(f"{file}, row {row}: {name} is empty.")
        plain = column.cast(pa.timestamp("us", kind.tz), safe=False).to_numpy()
        return Stamps(plain.astype("datetime64[us]").astype(np.int64), bool(kind.tz))
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if is_number or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        numbers: FloatArray = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        return numbers
    texts = column.cast(pa.string()).to_pylist()
    return ["" if text is None else text for text in texts]


def _chosen(table: Table, where: Mapping[str, str]) -> Table:
    """Leave out the rows that say something else."""
    kept = np.ones(len(table), dtype=np.bool_)
    for name, text in where.items():
        column = table.columns[name]
        texts = column if isinstance(column, list) else _texts(column)
        kept &= np.array([one == text for one in texts], dtype=np.bool_)
    if kept.all():
        return table
    rows = np.flatnonzero(kept)
    columns = {name: _part(column, rows) for name, column in table.columns.items()}
    return replace(table, places=table.places[rows], columns=columns)


def _texts(column: FloatArray | Stamps) -> list[str]:
    numbers = column.us if isinstance(column, Stamps) else column
    return [f"{number:.15g}" for number in numbers.tolist()]


def _part(column: Column, rows: npt.NDArray[np.intp]) -> Column:
    if isinstance(column, list):
        return [column[row] for row in rows.tolist()]
    if isinstance(column, Stamps):
        return Stamps(column.us[rows], column.aware)
    return column[rows]
