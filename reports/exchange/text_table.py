"""A text file as columns: its encoding, delimiter and header are recognised. Pure.

Lines before the header are passed over; a line that is the header again too.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO

from reports.exchange.form import ExchangeError

Tell = Callable[[int, int], None]
"""How many lines of how many are read."""

DELIMITERS = (",", ";", "\t", "|")
_MOST_PREAMBLE = 50
"""Lines before the header."""
_LOOKED_AT = 65536
"""Characters by which the delimiter is recognised."""
_TELL_EVERY = 20_000
_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_PART_NULS = 0.2
"""Of text without a mark, this share of zero bytes says UTF-16."""


@dataclass(frozen=True, slots=True)
class TextTable:
    """The columns that were asked for, in their order."""

    lines: list[int]
    """Where each row ends in the file."""
    columns: list[list[str]]
    refused: list[tuple[int, str]]
    """Lines that cannot be rows, and why."""


def read_text(
    data: bytes,
    file: str,
    delimiter: str | None,
    wanted: Sequence[str],
    tell: Tell | None = None,
) -> TextTable:
    """Read some columns of a text file.

    Raises
    ------
    ExchangeError
        Where there is no such column, or what is quoted never ends.

    """
    text = decoded(data)
    rows = csv.reader(StringIO(text, newline=""), delimiter=delimiter or _found(text))
    lines = text.count("\n") + 1
    found = TextTable([], [[] for _ in wanted], [])
    try:
        header, places = _header(rows, wanted, file)
        needed, told = max(places), 0
        for row in rows:
            if tell and rows.line_num >= told:
                tell(rows.line_num, lines)
                told = rows.line_num + _TELL_EVERY
            if len(row) > needed and row != header:
                found.lines.append(rows.line_num)
                for column, place in zip(found.columns, places, strict=True):
                    column.append(row[place].strip())
            elif any(row) and row != header:
                reason = f"It has {len(row)} of {len(header)} fields; complete it."
                found.refused.append((rows.line_num, reason))
    except csv.Error as exc:
        raise ExchangeError(f"{file}, line {rows.line_num}: {exc}.") from None
    return found


def first_line(data: bytes, delimiter: str | None) -> list[str]:
    """Return the fields of the first line."""
    text = decoded(data)
    rows = csv.reader(StringIO(text, newline=""), delimiter=delimiter or _found(text))
    return [name.strip() for name in next(rows, [])]


def decoded(data: bytes) -> str:
    """Decode a text file: by its mark, as UTF-8, or as what Windows wrote.

    Examples
    --------
    >>> decoded("Zähler".encode("utf-16"))
    'Zähler'
    >>> decoded("Zähler".encode("latin-1"))
    'Zähler'

    """
    for mark, encoding in _BOMS.items():
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    start = data[:4096]
    if start.count(0) > _PART_NULS * len(start):
        encoding = "utf-16-be" if start[:1] == b"\0" else "utf-16-le"
        return data.decode(encoding, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _found(text: str) -> str:
    """Find the delimiter that most of the first lines have, as often as each other."""
    lines = text[:_LOOKED_AT].splitlines()[:_MOST_PREAMBLE]
    lines = [line for line in lines if line.strip()]

    def agreement(delimiter: str) -> tuple[int, int]:
        counts = [len(row) for row in csv.reader(lines, delimiter=delimiter)]
        many = [count for count in counts if count > 1]
        most = max(set(many), key=many.count, default=0)
        return many.count(most), most

    return max(DELIMITERS, key=agreement)


def _header(
    rows: Iterator[list[str]], wanted: Sequence[str], file: str
) -> tuple[list[str], list[int]]:
    """Find the first line that names all columns, and where each is."""
    first: list[str] = []
    for number, row in enumerate(rows):
        names = [name.strip() for name in row]
        first = first or names
        if all(name in names for name in wanted):
            return row, [names.index(name) for name in wanted]
        if number == _MOST_PREAMBLE:
            break
    missing = next((name for name in wanted if name not in first), wanted[0])
    has = ", ".join(first) or "nothing"
    raise ExchangeError(
        f"{file}: has no column {missing!r}; its first line has: {has}."
    )
