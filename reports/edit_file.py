"""A file of edited intervals: a line each, and each wrong line told by its number.

It is used whole or not at all. Errors: `EditError` where no line can be used.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from accounts.wall_clock import WallClockError, moment_on_wall
from analytics.settlement.edit_entry import amount_typed, run_of
from analytics.settlement.edited_values import EditedValues, EditError, at_text
from meters.quantity import REGISTERS
from meters.reading import utc_us
from reports.exchange.text_table import DELIMITERS, decoded

COLUMNS = ("start", "import_kwh", "export_kwh", "lagging_kvarh", "leading_kvarh")
_NEEDED = COLUMNS[:2]
_MOST_BYTES = 20_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class RefusedLine:
    """A line of which no edit can be made."""

    line: int
    reason: str

    def told(self, file: Path) -> str:
        """Say it to whoever wrote the file."""
        return f"{file}, line {self.line}: {self.reason}"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EditFile:
    """What a file asks for; without any refused line it can be stored."""

    values: EditedValues
    refused: tuple[RefusedLine, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    start_us: int
    energies: tuple[float, ...]
    """By register; NaN = as settled."""


def read_edit_file(path: Path, zone: ZoneInfo) -> EditFile:
    """Read a file of edits of one point.

    Parameters
    ----------
    path : path
        CSV with a header: `start` and `import_kwh`, and what else of `COLUMNS`.
    zone : ZoneInfo
        Of times without an offset.

    Raises
    ------
    EditError
        It cannot be read, or its header is not one of edits.

    """
    text = _text(path)
    header, delimiter = _header(text, path)
    rows = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
    next(rows)
    lines: dict[int, _Line] = {}
    refused: list[RefusedLine] = []
    try:
        for row in rows:
            if not any(field.strip() for field in row):
                continue
            try:
                made = _line(rows.line_num, row, header, zone)
                _refuse_repeat(made, lines, zone)
            except (EditError, WallClockError) as exc:
                refused.append(RefusedLine(line=rows.line_num, reason=str(exc)))
            else:
                lines[made.start_us] = made
    except csv.Error as exc:
        raise EditError(f"{path}, line {rows.line_num}: {exc}.") from None
    return EditFile(values=_values(lines.values()), refused=tuple(refused))


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise EditError(f"{path}: is over {_MOST_BYTES // 1_000_000} MB.")
        return decoded(path.read_bytes())
    except OSError as exc:
        raise EditError(f"{path}: cannot be read: {exc.strerror or exc}.") from None


def _header(text: str, path: Path) -> tuple[list[str], str]:
    first, _, _ = text.partition("\n")
    delimiter = max(DELIMITERS, key=first.count)
    header = [name.strip().strip('"') for name in first.split(delimiter)]
    known = ", ".join(COLUMNS)
    for name in header:
        if name not in COLUMNS:
            raise EditError(f"{path}: {name!r} is no column of edits; known: {known}.")
        if header.count(name) > 1:
            raise EditError(f"{path}: has the column {name} twice; leave one.")
    for name in _NEEDED:
        if name not in header:
            raise EditError(f"{path}: has no column {name!r}; give it.")
    return header, delimiter


def _line(
    number: int, row: Sequence[str], header: Sequence[str], zone: ZoneInfo
) -> _Line:
    if len(row) != len(header):
        raise EditError(f"It has {len(row)} of {len(header)} fields; complete it.")
    given = dict(zip(header, (field.strip() for field in row), strict=True))
    for name in _NEEDED:
        if not given[name]:
            raise EditError(f"{name} is empty; give it.")
    start = run_of(moment_on_wall(given["start"], zone), None, zone).start
    return _Line(
        number,
        utc_us(start),
        tuple(_energy(given, name) for name in COLUMNS[1:]),
    )


def _energy(given: Mapping[str, str], name: str) -> float:
    text = given.get(name, "")
    return float(amount_typed(text, name)) if text else float("nan")


def _refuse_repeat(made: _Line, lines: Mapping[int, _Line], zone: ZoneInfo) -> None:
    other = lines.get(made.start_us)
    if other is not None:
        when = at_text(made.start_us, zone)
        raise EditError(f"{when} is on line {other.number} already; leave one.")


def _values(lines: Iterable[_Line]) -> EditedValues:
    by_time = sorted(lines, key=lambda line: line.start_us)
    energies = np.array([line.energies for line in by_time], dtype=np.float64)
    return EditedValues.of_columns(
        np.array([line.start_us for line in by_time], dtype=np.int64),
        dict(zip(REGISTERS, energies.reshape(-1, len(REGISTERS)).T, strict=True)),
    )
