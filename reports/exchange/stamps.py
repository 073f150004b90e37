"""Times that are written as text: recognised, or read by a given format. Pure.

A day that closes at 24:00 is understood. Errors: `ExchangeError` where the whole column
cannot be; a single wrong time is told by its index.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from meters.reading import utc_us
from reports.exchange.form import ExchangeError

IntArray = npt.NDArray[np.int64]

DAY_US = 86_400_000_000
_DAY = timedelta(days=1)
_MOST_MONTHS = 12
_NUMERIC = re.compile(
    r"(?P<a>\d{1,4})[-/.](?P<b>\d{1,2})[-/.](?P<c>\d{1,4})"
    r"(?:[ T]+(?P<h>\d{1,2}):(?P<m>\d{2})(?::(?P<s>\d{2})(?:\.0+)?)?"
    r"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?)?"
)
_CLOSES = re.compile(r"(.*\b)24(:00(?::00)?.*)")
_YEAR_DIGITS = 4
_PLAINLY = 4
"""Read with day and month the wrong way round, rows of one day after the other leap by
months: this many times further is no chance."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """Texts as times; arrays have shape (n,)."""

    us: IntArray
    """Of UTC if `aware`, else on the wall. [microseconds since 1970]; 0 where wrong"""
    aware: bool
    wrong: dict[int, str]
    """What is wrong, by index."""


def parsed(texts: Sequence[str], time_format: str | None, file: str) -> Parsed:
    """Read a column of times.

    Parameters
    ----------
    texts
        All in one form.
    time_format
        As in strptime; None = ISO 8601, or numbers whose order the column tells.
    file
        For messages.

    Examples
    --------
    >>> found = parsed(["2/29/2020 23:45", "2/29/2020 24:00"], None, "a.csv")
    >>> found.us.astype("datetime64[us]").astype("datetime64[m]").tolist()
    [datetime.datetime(2020, 2, 29, 23, 45), datetime.datetime(2020, 3, 1, 0, 0)]

    """
    read = _reader(texts, time_format, file)
    us = np.zeros(len(texts), dtype=np.int64)
    wrong: dict[int, str] = {}
    zoned: list[int] = []
    for at, text in enumerate(texts):
        moment = _moment(text, read)
        if moment is None:
            wanted = time_format or "such as 2026-03-01 00:15"
            wrong[at] = f"{text!r} is no time ({wanted})."
        elif moment.tzinfo is None:
            us[at] = utc_us(moment.replace(tzinfo=UTC))
        else:
            us[at] = utc_us(moment)
            zoned.append(at)
    right = len(texts) - len(wrong)
    if 0 < len(zoned) < right:
        raise ExchangeError(
            f"{file}: {texts[zoned[0]]} has a zone and other times have none; "
            "give all of them one."
        )
    return Parsed(us, bool(zoned), wrong)


def _moment(text: str, read: Callable[[str], datetime | None]) -> datetime | None:
    moment = read(text)
    if moment is not None:
        return moment
    closes = _CLOSES.fullmatch(text)
    if closes is None:
        return None
    opens = read(f"{closes[1]}00{closes[2]}")
    return None if opens is None else opens + _DAY


def _reader(
    texts: Sequence[str], time_format: str | None, file: str
) -> Callable[[str], datetime | None]:
    if time_format is not None:
        return lambda text: _strptime(text, time_format)
    first = next((text for text in texts if text), "")
    if _iso(first) is not None or not _NUMERIC.fullmatch(first.strip()):
        return _iso
    order = _order(texts, file)
    return lambda text: _numeric(text, order)


def _strptime(text: str, time_format: str) -> datetime | None:
    try:
        return datetime.strptime(text, time_format)  # noqa: DTZ007  zone is given apart
    except ValueError:
        return None


def _iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _order(texts: Sequence[str], file: str) -> str:
    """Find which of three numbers is the year, the month and the day."""
    found = [m for m in map(_NUMERIC.fullmatch, dict.fromkeys(texts)) if m]
    if all(len(m["a"]) == _YEAR_DIGITS for m in found):
        return "ymd"
    if all("." in m[0][:3] for m in found):  # as in 31.1.2018
        return "dmy"
    first = max(int(m["a"]) for m in found)
    second = max(int(m["b"]) for m in found)
    if first > _MOST_MONTHS >= second:
        return "dmy"
    if second > _MOST_MONTHS >= first:
        return "mdy"
    texts = [one[0] for one in found]
    wandered = {order: _wandered(texts, order) for order in ("mdy", "dmy")}
    likely = min(wandered, key=lambda order: wandered[order])
    if _PLAINLY * wandered[likely] < max(wandered.values()):
        return likely
    shown = texts[0]
    raise ExchangeError(
        f"{file}: is the day or the month first in {shown}? Say it with --time-format, "
        "such as '%d/%m/%Y %H:%M'."
    )


def _wandered(texts: Sequence[str], order: str) -> float:
    """Return how far times go in all, to and fro, if read in an order. [s]."""
    read = [moment for text in texts if (moment := _numeric(text, order)) is not None]
    return sum(abs((b - a).total_seconds()) for a, b in pairwise(read))


def _numeric(text: str, order: str) -> datetime | None:
    found = _NUMERIC.fullmatch(text.strip())
    if found is None:
        return None
    place = dict(zip(order, (int(found[one]) for one in "abc"), strict=True))
    year = place["y"] + (2000 if place["y"] < 100 else 0)  # noqa: PLR2004
    hour = int(found["h"] or 0)
    if found["half"]:
        if not 1 <= hour <= 12:  # noqa: PLR2004
            return None
        hour = hour % 12 + (12 if found["half"] in "Pp" else 0)
    try:
        return datetime(  # noqa: DTZ001  the zone is given apart
            year,
            place["m"],
            place["d"],
            hour,
            int(found["m"] or 0),
            int(found["s"] or 0),
        )
    except ValueError:
        return None
