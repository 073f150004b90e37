"""A meter list: tens of thousands of meters in one CSV file, a line each.

A bad line is refused alone, with its number, its column and a sentence; the others go
on. What a line cannot know by itself, that is what other lines and the database say, is
judged by `accounts.meter_plan`.

    SiteError              (accounts.site)
    └── MeterListError     no line of the file can be used: one sentence
"""

import csv
import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from difflib import get_close_matches
from pathlib import Path

from accounts.meter_entry import PARTICULARS, Entry, Noted, Refused
from accounts.meter_line import COLUMNS, NEEDED, NOTE_COLUMNS, LineReader
from accounts.site import SiteError
from meters.quantity import REGISTERS, Quantity

_MOST_BYTES = 200_000_000
_LINE_END = re.compile(rb"\r\n|\n|\r")
_DIGITS = 60
"""More than counts and a resolution have together."""
_TELL_EVERY = 500
_UTF16 = (b"\xff\xfe", b"\xfe\xff")

Tell = Callable[[int, int], None]
"""Hears how many of how many lines are read."""


class MeterListError(SiteError):
    """No line of the list can be used; the message names file, place and reason."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MeterList:
    """What could be read of a list, and what could not."""

    lines: int
    """All that say something, below the header."""
    entries: tuple[Entry, ...]
    refused: tuple[Refused, ...]


def read_meter_list(path: Path, tell: Tell = lambda _done, _all: None) -> MeterList:
    """Read a list; paths of profiles in it start at its folder.

    Parameters
    ----------
    path : path
        UTF-8, with commas, semicolons or tabs between the columns.
    tell : callable
        Told now and then how many of how many lines are read.

    Raises
    ------
    MeterListError
        It cannot be read, or its header is not one of a meter list.

    """
    first, *rest = _lines(path)
    header, delimiter = _header(first, path)
    reader = LineReader(header, delimiter, path.parent)
    entries, refused = [], []
    for number, line in enumerate(rest, start=2):
        if number % _TELL_EVERY == 0:
            tell(number, len(rest))
        made = reader.read(number, line)
        if isinstance(made, Refused):
            refused.append(made)
        elif made is not None:
            entries.append(made)
    tell(len(rest), len(rest))
    return MeterList(
        lines=len(entries) + len(refused),
        entries=tuple(entries),
        refused=tuple(refused),
    )


def write_meter_list(entries: Iterable[Entry]) -> str:
    """Return a list that, when it is read, gives these entries."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for entry in entries:
        writer.writerow({n: _written(v) for n, v in _cells(entry).items()})
    return out.getvalue()


def _cells(entry: Entry) -> dict[str, object]:
    """Return what a line says of an entry, without what is not for its transport."""
    told = {name: getattr(entry, name) for name in COLUMNS if hasattr(entry, name)}
    told["new_point"] = "yes"
    for column, (when, register) in NOTE_COLUMNS.items():
        noted: Noted = getattr(entry, when)
        counts = noted[REGISTERS.index(Quantity(register))]
        told[column] = _shown(counts, entry.register_resolution)
    if entry.transport == "mqtt":
        told |= dict.fromkeys(PARTICULARS[2:])
        told["report_every_s"] = entry.poll_every_s
    elif entry.device is None:
        told |= dict.fromkeys(("baud_rate", "parity", "stop_bits"))
    return told


def _shown(counts: int | None, resolution: float) -> str | None:
    """Write what a display shows that stands at so many counts."""
    if counts is None:
        return None
    with localcontext(prec=_DIGITS):
        return f"{counts * Decimal(repr(resolution)):f}"


def _written(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return "" if value is None else value


def _lines(path: Path) -> list[bytes]:
    """Split a file into its lines: where a quote is open, only its line suffers."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise MeterListError(
                f"{path}: is over {_MOST_BYTES // 1_000_000} MB: no meter list."
            )
        content = path.read_bytes()
    except OSError as exc:
        why = exc.strerror or exc
        raise MeterListError(f"{path}: cannot be read: {why}.") from None
    if content.startswith(_UTF16):
        raise MeterListError(f"{path}: is UTF-16 text; save it as CSV UTF-8.")
    return _LINE_END.split(content.removeprefix(b"\xef\xbb\xbf"))


def _header(line: bytes, path: Path) -> tuple[list[str], str]:
    """Return the columns' names and what stands between them."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise MeterListError(f"{path}, header: is not UTF-8 text.") from None
    delimiter = max(",;\t", key=text.count)
    names = [name.strip().strip('"').strip() for name in text.split(delimiter)]
    named = [name for name in names if name]  # a spreadsheet leaves empty ones behind
    for name in named:
        if name not in COLUMNS:
            raise MeterListError(f"{path}, header: {_unknown(name)}")
        if named.count(name) > 1:
            raise MeterListError(f"{path}, header: {name} is there twice.")
    if absent := [name for name in NEEDED if name not in names]:
        raise MeterListError(f"{path}, header: {' and '.join(absent)} is missing.")
    return names, delimiter


def _unknown(name: str) -> str:
    meant = get_close_matches(name.lower(), COLUMNS, n=1)
    if meant:
        return f"{name!r} is no column (did you mean {meant[0]}?)."
    return f"{name!r} is no column; there are {', '.join(COLUMNS)}."
