"""The ledger of one point: every expected interval put down once. Pure.

What is expected comes from the calendar, not from what is stored, so that what was
never settled is seen. Expected = measured + estimated + edited + missing + not settled.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

import numpy as np

from accounts.calendar import SiteCalendar
from analytics.completeness.cause import Cause, Why, causes_of
from analytics.completeness.circumstances import (
    QUARTER_US,
    BoolArray,
    Circumstances,
    FloatArray,
    IntArray,
)


class Category(StrEnum):
    """What became of an expected interval, from the best to the worst."""

    MEASURED = "measured"
    EDITED = "edited"
    ESTIMATED = "estimated"
    MISSING = "missing"
    NOT_SETTLED = "not-settled"


class Unsettled(StrEnum):
    """Why an interval is not settled."""

    NOT_DUE = "not-due"
    """It is not over."""
    WAITING = "waiting"
    """It is over; its readings may still come, or nobody has settled it yet."""
    NOT_BEGUN = "not-begun"
    """A meter sat there, but had not been read for the first time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """How an interval is known."""

    category: Category
    method: str = ""
    """`Method.text` of what is estimated or edited."""
    cause: str = ""
    """`Cause` of what is missing or had to be estimated, or `Unsettled`."""
    detail: str = ""
    """What makes it the cause, as `Why.detail`."""

    @property
    def rank(self) -> tuple[int, str, str, str]:
        """Place in a list: from the best category to the worst."""
        place = list(Category).index(self.category)
        return place, self.method, self.cause, self.detail


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SettledRun:
    """Settled intervals of one point of one quality and method, shape (k,)."""

    quality: str
    method: str
    start_us: IntArray
    """Ascending. [microseconds since 1970 UTC]"""
    import_kwh: FloatArray
    """NaN = missing"""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Entries:
    """Every expected interval of some local days of a point."""

    days: tuple[date, ...]
    first: IntArray
    """shape (d + 1,): where in the rest each day begins, and the end."""
    start_us: IntArray
    """shape (n,) [microseconds since 1970 UTC]"""
    kinds: tuple[Kind, ...]
    kind: IntArray
    """shape (n,): which of them"""
    import_kwh: FloatArray
    """shape (n,); NaN = not known"""

    def day(self, place: int) -> slice:
        """Return the rows of a day."""
        return slice(int(self.first[place]), int(self.first[place + 1]))


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """Intervals of one kind."""

    kind: Kind
    intervals: int
    import_kwh: float | None
    """None where nothing is known."""


def entries_of(
    days: Sequence[date],
    calendar: SiteCalendar,
    settled: Iterable[SettledRun],
    about: Circumstances,
    *,
    now_us: int,
    begins_us: int | None,
) -> Entries:
    """Put down every expected interval of local days; causes are not sought yet.

    Parameters
    ----------
    days
        Each the one after the one before.
    calendar : SiteCalendar
    settled
        What is stored of the point, no interval twice.
    about : Circumstances
        Only when which meter sat there is needed.
    now_us : int
        [microseconds since 1970 UTC]
    begins_us : int or None
        Start of the point's oldest settled interval; None = there is none.

    """
    start_us = calendar.quarter_hours_us(days[0], days[-1])
    edges = [calendar.quarter_hours_us(day, day).size for day in days]
    kind = np.full(start_us.shape, -1, dtype=np.int64)
    import_kwh = np.full(start_us.shape, np.nan)
    kinds: list[Kind] = []
    for run in settled:
        place = np.searchsorted(start_us, run.start_us).clip(max=start_us.size - 1)
        same = start_us[place] == run.start_us
        category = Category(run.quality)
        is_missing = category is Category.MISSING
        named = Kind(
            category=category,
            method="" if is_missing else run.method,
            cause=run.method if is_missing else "",
        )
        kind[place[same]] = _number(kinds, named)
        import_kwh[place[same]] = run.import_kwh[same]
    for rows, named in _unsettled(start_us, about, now_us, begins_us):
        free = rows & (kind < 0)
        if free.any():
            kind[free] = _number(kinds, named)
    return Entries(
        days=tuple(days),
        first=np.concatenate([[0], np.cumsum(edges)]).astype(np.int64),
        start_us=start_us,
        kinds=tuple(kinds),
        kind=kind,
        import_kwh=import_kwh,
    )


def _number(kinds: list[Kind], named: Kind) -> int:
    if named not in kinds:
        kinds.append(named)
    return kinds.index(named)


def _unsettled(
    start_us: IntArray, about: Circumstances, now_us: int, begins_us: int | None
) -> Iterable[tuple[BoolArray, Kind]]:
    """Say of what is not stored why not; the first that holds."""

    def kind(why: Unsettled) -> Kind:
        return Kind(category=Category.NOT_SETTLED, cause=why)

    begun = np.inf if begins_us is None else begins_us
    yield start_us + QUARTER_US > now_us, kind(Unsettled.NOT_DUE)
    absent = about.meters(start_us) == 0
    yield absent, Kind(category=Category.MISSING, cause=Cause.NOT_INSTALLED)
    yield start_us < begun, kind(Unsettled.NOT_BEGUN)
    yield np.ones(start_us.shape, dtype=np.bool_), kind(Unsettled.WAITING)


def unknown(entries: Entries) -> BoolArray:
    """Tell which intervals need a cause, shape (n,)."""
    seeks = np.array([_seeks(kind) for kind in entries.kinds], dtype=np.bool_)
    return seeks[entries.kind]


def _seeks(kind: Kind) -> bool:
    return kind.category in {Category.ESTIMATED, Category.MISSING}


def with_causes(entries: Entries, about: Circumstances) -> Entries:
    """Say of what is missing or estimated why it was not measured."""
    rows = np.flatnonzero(unknown(entries))
    if not rows.size:
        return entries
    told = np.array([kind.method or kind.cause for kind in entries.kinds])
    of_row = entries.kind[rows]
    found, place = causes_of(entries.start_us[rows], told[of_row], about)
    kinds, number = list(entries.kinds), entries.kind.copy()
    pair = of_row * len(found) + place
    for each in np.unique(pair).tolist():
        was, why = kinds[each // len(found)], found[each % len(found)]
        number[rows[pair == each]] = _number(kinds, _because(was, why))
    return replace(entries, kinds=tuple(kinds), kind=number)


def _because(kind: Kind, why: Why) -> Kind:
    return replace(kind, cause=why.cause.value, detail=why.detail)


def counts_by_day(entries: Entries) -> list[tuple[Count, ...]]:
    """Count each day's intervals by kind, from the best to the worst."""
    days, kinds = len(entries.days), len(entries.kinds)
    of_day = np.repeat(np.arange(days), np.diff(entries.first))
    cell = of_day * kinds + entries.kind
    size = days * kinds
    number = np.bincount(cell, minlength=size).reshape(days, kinds)
    known = ~np.isnan(entries.import_kwh)
    # Whole millionths of a kWh: so fine is what is stored, and such sums are exact.
    millionths = np.zeros(size, dtype=np.int64)
    np.add.at(
        millionths, cell[known], np.rint(entries.import_kwh[known] * 1e6).astype(int)
    )
    any_known = np.bincount(cell[known], minlength=size).reshape(days, kinds) > 0
    energy = millionths.reshape(days, kinds) / 1e6
    return [
        total(
            Count(
                kind=entries.kinds[j],
                intervals=int(number[i, j]),
                import_kwh=float(energy[i, j]) if any_known[i, j] else None,
            )
            for j in np.flatnonzero(number[i]).tolist()
        )
        for i in range(days)
    ]


def total(counts: Iterable[Count]) -> tuple[Count, ...]:
    """Add up counts of the same kinds, in the order of kinds."""
    sums: dict[Kind, Count] = {}
    for one in counts:
        before = sums.get(one.kind)
        sums[one.kind] = one if before is None else _sum(before, one)
    return tuple(sums[kind] for kind in sorted(sums, key=lambda kind: kind.rank))


def _sum(one: Count, other: Count) -> Count:
    known = [kwh for kwh in (one.import_kwh, other.import_kwh) if kwh is not None]
    return Count(
        kind=one.kind,
        intervals=one.intervals + other.intervals,
        import_kwh=round(sum(known), 6) if known else None,
    )
