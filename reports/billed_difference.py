"""What is believed now of a billed period, against what it was billed for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from psycopg import Connection
from psycopg.rows import TupleRow

from analytics.settlement.intervals import Intervals
from meters.reading import from_utc_us
from storage.bills import (
    Bill,
    BilledEnergy,
    BillError,
    load_billed_energy,
    load_bills,
    sums_of,
)
from storage.intervals import load_intervals
from storage.master import load_points

_ENERGIES = ("import_kwh", "export_kwh", "lagging_kvarh", "leading_kvarh")


@dataclass(frozen=True, kw_only=True, slots=True)
class Believed:
    """One interval as it was believed at a moment; None = not known."""

    import_kwh: float | None
    export_kwh: float | None
    lagging_kvarh: float | None
    leading_kvarh: float | None
    quality: str
    method: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedInterval:
    """An interval that is not what was billed; None = there was, or is, none."""

    start: datetime
    billed: Believed | None
    now: Believed | None

    @property
    def import_kwh(self) -> float:
        """By how much its import is more than was billed; what is not known is 0."""
        now = self.now.import_kwh if self.now else None
        billed = self.billed.import_kwh if self.billed else None
        return round((now or 0.0) - (billed or 0.0), 6)


@dataclass(frozen=True, kw_only=True, slots=True)
class PointDifference:
    """One point of a bill."""

    point_id: int
    name: str
    billed: BilledEnergy
    """As it was pinned."""
    now: BilledEnergy
    intervals: tuple[ChangedInterval, ...]
    """Those that differ, by time."""

    @property
    def differs(self) -> bool:
        """Whether anything was changed since."""
        return bool(self.intervals)


@dataclass(frozen=True, kw_only=True, slots=True)
class BilledDifference:
    """A bill against now."""

    bill: Bill
    points: tuple[PointDifference, ...]

    @property
    def import_kwh(self) -> float:
        """By how much the import is more than was billed. [kWh]."""
        return round(
            sum(
                (one.now.import_kwh or 0.0) - (one.billed.import_kwh or 0.0)
                for one in self.points
            ),
            6,
        )

    @property
    def differs(self) -> bool:
        """Whether anything was changed since."""
        return any(one.differs for one in self.points)


def billed_difference(conn: Connection[TupleRow], bill_id: int) -> BilledDifference:
    """Hold a bill against what is believed now.

    Raises
    ------
    BillError
        There is no such bill.

    """
    bills = load_bills(conn, bill_id=bill_id)
    if not bills:
        raise BillError(f"There is no bill {bill_id}.")
    [bill] = bills
    names = {one.point_id: one.name for one in load_points(conn, bill.account_id)}
    return BilledDifference(
        bill=bill,
        points=tuple(
            _point(conn, bill, billed, names.get(billed.point_id, "?"))
            for billed in load_billed_energy(conn, bill_id)
        ),
    )


def _point(
    conn: Connection[TupleRow], bill: Bill, billed: BilledEnergy, name: str
) -> PointDifference:
    window = (billed.point_id, bill.starts_at, bill.stops_at)
    now = load_intervals(conn, *window)
    then = load_intervals(conn, *window, as_of=bill.as_of)
    sums: Mapping[str, object] = sums_of(now)
    return PointDifference(
        point_id=billed.point_id,
        name=name,
        billed=billed,
        now=BilledEnergy(point_id=billed.point_id, **sums),  # type: ignore[arg-type]
        intervals=tuple(changed(then, now)),
    )


def changed(then: Intervals, now: Intervals) -> list[ChangedInterval]:
    """Return the intervals that are not what they were, by time."""
    every = np.union1d(then.start_us, now.start_us)
    one, other = laid(then, every), laid(now, every)
    differs = one.there != other.there
    for before, after in zip(one.energies, other.energies, strict=True):
        same = (before == after) | (np.isnan(before) & np.isnan(after))
        differs |= ~same
    differs |= one.quality != other.quality
    return [
        ChangedInterval(
            start=from_utc_us(int(every[row])),
            billed=one.believed(row),
            now=other.believed(row),
        )
        for row in np.flatnonzero(differs).tolist()
    ]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Laid:
    """Intervals laid on given starts."""

    there: np.ndarray
    energies: tuple[np.ndarray, ...]
    quality: np.ndarray
    method: np.ndarray

    def believed(self, row: int) -> Believed | None:
        """Return what is believed of one; None = there is none."""
        if not self.there[row]:
            return None
        known = (float(column[row]) for column in self.energies)
        figures = (None if np.isnan(figure) else figure for figure in known)
        return Believed(
            **dict(zip(_ENERGIES, figures, strict=True)),
            quality=str(self.quality[row]),
            method=str(self.method[row]),
        )


def laid(intervals: Intervals, every: np.ndarray) -> Laid:
    """Lay intervals on starts, ascending, that have all of theirs."""
    row = np.searchsorted(every, intervals.start_us)
    there = np.zeros(every.size, dtype=np.bool_)
    there[row] = True
    energies = []
    for name in _ENERGIES:
        column = np.full(every.size, np.nan)
        column[row] = getattr(intervals, name)
        energies.append(column)
    quality = np.full(every.size, "", dtype="<U24")
    quality[row] = intervals.quality
    method = np.full(every.size, "", dtype="<U24")
    method[row] = intervals.method
    return Laid(there=there, energies=tuple(energies), quality=quality, method=method)
