"""Settled intervals as AEMO's NEM12: interval metering data of the Australian market.

A day is one of market time, which knows no daylight saving. Energy is in kWh and kvarh
to three decimals; what is cut off is carried on, so that sums stay right. Records:

    100  header: version, when it was made, by whom, for whom
    200  one data stream of a point: its suffix, meter, unit and interval length
    300  one day of it: its values, then quality and method of all, or V
    400  after a day with V: intervals from and to, with quality, method and reason
    900  end

Quality A is measured, S substituted with AEMO's code of the method, F substituted for
good (edited by a person), N null: there is no value, and the number that the format
wants is 0. The codes are those of docs/methods.md; rules of the fields as AEMO's MDFF
specification has them.
"""

import csv
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import TextIO

import numpy as np
import numpy.typing as npt

from accounts.account import Point
from analytics.settlement.intervals import Quality
from analytics.settlement.method import Method
from meters.reading import from_utc_us
from reports.exchange.form import ExchangeError
from reports.exchange.outgoing import (
    Outgoing,
    method_of,
    rounded_in_sum,
    runs_of,
)
from reports.exchange.stamps import DAY_US
from storage.exports import SettledRows

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

MARKET_OFFSET = timedelta(hours=10)
"""Australian Eastern Standard Time, all year."""
LENGTHS_MIN = (5, 15, 30)
STREAMS = (("E1", "kWh"), ("B1", "kWh"), ("Q1", "kVArh"), ("K1", "kVArh"))
"""Suffix and unit of import, export, lagging and leading energy."""
_UNIT = 0.001
_DECIMALS = 3
_MINUTE_US = 60_000_000
_LONGEST_SERIAL = 12
_LONGEST_PARTICIPANT = 10
_NMI_LENGTH = 10
_EPOCH = date(1970, 1, 1)
_FREE_TEXT = "0"
"""Reason code: the description says it."""

Said = tuple[str, str, str]
"""Quality and method, reason code, description."""


def write_nem12(
    points: Sequence[Outgoing],
    file: TextIO,
    *,
    made_at: datetime,
    nmi: str | None = None,
    offset: timedelta = MARKET_OFFSET,
    days: tuple[date, date] | None = None,
) -> None:
    """Write the intervals of points.

    Parameters
    ----------
    points
        Whole days of market time, whatever is known of them.
    file
        Opened with ``newline=""``.
    made_at : datetime
    nmi : str, optional
        National Metering Identifier, of a single point; else `made_nmi`.
    offset : timedelta
        Market time's from UTC.
    days : tuple of date, optional
        Days of market time that are written, both included, known or not; None = from
        the first to the last of which something is known.

    Raises
    ------
    ExchangeError
        For lengths that the format does not know, or a wrong NMI.

    """
    if nmi is not None and (len(nmi) != _NMI_LENGTH or not nmi.isalnum()):
        text = f"An NMI has {_NMI_LENGTH} letters and digits; {nmi} has not."
        raise ExchangeError(text)
    if nmi is not None and len(points) != 1:
        raise ExchangeError("An NMI is of one point; name the point with --point.")
    lines = csv.writer(file, lineterminator="\r\n")
    stamp = f"{made_at + offset:%Y%m%d%H%M}"
    to = _plain(points[0].account.code)[:_LONGEST_PARTICIPANT] if points else ""
    lines.writerow(["100", "NEM12", stamp, "KEYWATT", to])
    for one in points:
        its_nmi = nmi or made_nmi(one.point)
        lines.writerows(_point(one, its_nmi, offset, days))
    lines.writerow(["900"])


def made_nmi(point: Point) -> str:
    """Return what stands for the identifier of a point that none is given for."""
    return f"KW{point.point_id:08}"


def _plain(code: str) -> str:
    return "".join(letter for letter in code.upper() if letter.isalnum())


def _point(
    one: Outgoing, nmi: str, offset: timedelta, days: tuple[date, date] | None
) -> Iterator[Sequence[str]]:
    length_min = one.length_min
    if length_min not in LENGTHS_MIN:
        lengths = ", ".join(map(str, LENGTHS_MIN))
        raise ExchangeError(
            f"NEM12 knows intervals of {lengths} min; {one.point.name} has those of "
            f"{length_min}."
        )
    known = [column for column in range(4) if _is_known(one.rows.values[:, column])]
    streams = known or [0]
    configuration = "".join(STREAMS[column][0] for column in streams)
    serial = one.serial if len(one.serial) <= _LONGEST_SERIAL else ""
    for column in streams:
        suffix, unit = STREAMS[column]
        yield [
            *("200", nmi, configuration, suffix, suffix, ""),
            *(serial, unit, f"{length_min}", ""),
        ]
        yield from _days(one, column, offset, days)


def _is_known(values: FloatArray) -> bool:
    return bool((~np.isnan(values)).any())


def _days(
    one: Outgoing, column: int, offset: timedelta, days: tuple[date, date] | None
) -> Iterator[Sequence[str]]:
    """Write each day of one data stream, what of it is not there as null."""
    rows = one.rows
    length_us = one.length_min * _MINUTE_US
    market_us = rows.start_us + offset // timedelta(microseconds=1)
    day, slot = market_us // DAY_US, market_us % DAY_US // length_us
    whole = rounded_in_sum(rows.values[:, column], _UNIT)
    said = [_said(one, column, row) for row in range(len(rows))]
    runs = {int(day[mine[0]]): mine for mine in runs_of(day)}
    first, last = map(_day_of, days) if days else (min(runs), max(runs))
    for each in range(first, last + 1):
        mine = runs.get(each, day[:0])
        values = np.zeros(DAY_US // length_us, dtype=np.int64)
        values[slot[mine]] = whole[mine]
        quality: list[Said] = [("N", "", "")] * values.size
        for row in mine.tolist():
            quality[slot[row]] = said[row]
        date_text = f"{from_utc_us(each * DAY_US):%Y%m%d}"
        yield from _day(date_text, values, quality, _updated(rows, mine, offset))


def _day_of(day: date) -> int:
    """Return days since 1970-01-01."""
    return day.toordinal() - _EPOCH.toordinal()


def _updated(rows: SettledRows, mine: npt.NDArray[np.intp], offset: timedelta) -> str:
    """Say when a day was settled last; a null day need not say it."""
    if not mine.size:
        return ""
    settled = from_utc_us(int(rows.settled_us[mine].max())) + offset
    return f"{settled:%Y%m%d%H%M%S}"


def _day(
    day: str, values: IntArray, quality: Sequence[Said], updated: str
) -> Iterator[Sequence[str]]:
    shown = [f"{value / 10**_DECIMALS:.{_DECIMALS}f}" for value in values.tolist()]
    runs = [(said, len(list(run))) for said, run in groupby(quality)]
    whole: Said = runs[0][0] if len(runs) == 1 else ("V", "", "")
    yield ["300", day, *shown, *whole, updated, ""]
    first = 1
    for said, length in runs if len(runs) > 1 else ():
        yield ["400", f"{first}", f"{first + length - 1}", *said]
        first += length


def _said(one: Outgoing, column: int, row: int) -> Said:
    """Say how one value is known."""
    rows = one.rows
    quality, method = rows.quality[row], rows.method[row]
    if np.isnan(rows.values[row, column]) or quality == Quality.MISSING:
        return "N", "", ""
    if quality == Quality.MEASURED:
        known = one.method_in(row, column)
        if known is Method.NONE:
            return "A", "", ""
        return f"S{known.aemo}", _FREE_TEXT, f"Estimated: {known.text}"
    if quality == Quality.EDITED:
        return "F18", _FREE_TEXT, "Edited by a person"
    code = method_of(str(method)).aemo or Method.CALCULATED.aemo
    return f"S{code}", _FREE_TEXT, f"Estimated: {method or 'calculated'}"


def market_days(
    first: datetime, last: datetime, offset: timedelta = MARKET_OFFSET
) -> tuple[datetime, datetime]:
    """Return when days of market time begin and end, both included.

    Parameters
    ----------
    first, last : datetime
        Midnights, as if in UTC.

    """
    return first - offset, last + timedelta(days=1) - offset
