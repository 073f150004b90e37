"""What an import would change: rows, energy, and days to settle again. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import numpy.typing as npt

from accounts.calendar import SLOT_MIN, SiteCalendar
from meters.reading import from_utc_us
from reports.exchange.content import MINUTE_US, Content, says_the_same
from reports.exchange.form import Found, Kind, Refused

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class DayChange:
    """What would change on one local day."""

    day: date
    new: int
    changed: int
    new_kwh: float
    """Import energy of the new rows; 0 of registers."""
    delta_kwh: float
    """By how much the changed rows raise the import energy; 0 of registers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FilePreview:
    """What one file would change."""

    file: str
    sha256: str
    first: str
    """Start of the first row, as the account's clock shows it."""
    last: str
    length_min: int | None
    new: int
    changed: int
    same: int
    repeated: int
    empty: int
    refused: tuple[Refused, ...]
    found: tuple[Found, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Beside:
    """What is settled where rows say something, whatever was stored of them."""

    file_kwh: float
    """Import of those rows."""
    settled_kwh: float
    rows: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """What all files together would change, or have changed."""

    account: str
    point: str
    kind: Kind
    meters: tuple[str, ...]
    """Serials of those that the rows are of."""
    files: tuple[FilePreview, ...]
    days: tuple[DayChange, ...]
    """Those with new or changed rows."""
    settle: tuple[tuple[date, date], ...]
    """First and last of each run of local days that are settled again."""
    beside: Beside | None
    """None of registers, and where nothing is settled."""
    applied: bool = False
    why_not: str = ""
    """What stands in the way of storing it."""

    def count(self, what: str) -> int:
        """Sum up `new`, `changed`, `same`, `repeated` or `empty` over the files."""
        return sum(int(getattr(one, what)) for one in self.files)

    @property
    def refused(self) -> tuple[Refused, ...]:
        """All refused rows."""
        return tuple(row for one in self.files for row in one.refused)

    @property
    def new_kwh(self) -> float:
        """Import energy that would be new."""
        return sum(day.new_kwh for day in self.days)

    @property
    def delta_kwh(self) -> float:
        """By how much changed rows would raise the import energy."""
        return sum(day.delta_kwh for day in self.days)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Compared:
    """A file's rows beside what is stored of them; arrays have its length n."""

    content: Content
    is_stored: BoolArray
    """Whether something is stored of a row's moment."""
    stored: FloatArray
    """shape (n, k), NaN = not known; in what `content.values` is in"""
    given: FloatArray = field(init=False)
    """shape (n, k), what would be known: the row's values, else those stored"""
    is_new: BoolArray = field(init=False)
    is_changed: BoolArray = field(init=False)

    def __post_init__(self) -> None:
        """Tell what each row does."""
        given = np.where(
            np.isnan(self.content.values), self.stored, self.content.values
        )
        same = says_the_same(given, self.stored)
        object.__setattr__(self, "given", given)
        object.__setattr__(self, "is_new", ~self.is_stored)
        object.__setattr__(self, "is_changed", self.is_stored & ~same)

    @property
    def is_written(self) -> BoolArray:
        """Whether a row would be stored."""
        return self.is_new | self.is_changed


def makes_quarter_hours(length_min: int) -> bool:
    """Tell whether intervals are whole quarter-hours, or two of them at most are.

    Examples
    --------
    >>> [n for n in (5, 10, 15, 20, 30, 45, 60, 90) if makes_quarter_hours(n)]
    [5, 10, 15, 30, 45, 60, 90]

    """
    return length_min % SLOT_MIN == 0 or 2 * SLOT_MIN % length_min == 0


def file_preview(compared: Compared, calendar: SiteCalendar) -> FilePreview:
    """Sum up one file."""
    content = compared.content
    ends = [int(content.at_us[at]) for at in (0, -1)] if len(content) else []
    shown = [
        from_utc_us(us).astimezone(calendar.time_zone).isoformat(" ", "minutes")
        for us in ends
    ]
    changed = int(compared.is_changed.sum())
    new = int(compared.is_new.sum())
    return FilePreview(
        file=content.file,
        sha256=content.sha256,
        first=shown[0] if shown else "",
        last=shown[1] if shown else "",
        length_min=content.length_min,
        new=new,
        changed=changed,
        same=len(content) - new - changed,
        repeated=content.repeated,
        empty=content.empty,
        refused=content.refused,
        found=content.found,
    )


def settled_beside(
    compared: Sequence[Compared], settled_us: IntArray, settled_kwh: FloatArray
) -> Beside | None:
    """Compare import with what is settled, of the rows of which all of it is.

    Parameters
    ----------
    compared
    settled_us : array, shape (m,)
        Starts of settled quarter-hours, ascending. [microseconds since 1970 UTC]
    settled_kwh : array, shape (m,)
        NaN = missing.

    """
    known = ~np.isnan(settled_kwh)
    at_us = settled_us[known]
    counted = np.arange(at_us.size + 1)
    running = np.concatenate([[0.0], np.cumsum(settled_kwh[known])])
    file_kwh = beside_kwh = 0.0
    rows = 0
    for one in compared:
        length_min = one.content.length_min
        if length_min is None or length_min % SLOT_MIN:
            continue
        first = np.searchsorted(at_us, one.content.at_us)
        stop = np.searchsorted(at_us, one.content.at_us + length_min * MINUTE_US)
        given = one.content.values[:, 0]
        whole = counted[stop] - counted[first] == length_min // SLOT_MIN
        whole &= ~np.isnan(given)
        file_kwh += float(given[whole].sum())
        beside_kwh += float((running[stop] - running[first])[whole].sum())
        rows += int(whole.sum())
    if not rows:
        return None
    return Beside(file_kwh=file_kwh, settled_kwh=beside_kwh, rows=rows)


def day_changes(
    compared: Sequence[Compared], calendar: SiteCalendar
) -> tuple[DayChange, ...]:
    """Sum up what changes by local day of the account."""
    sums: dict[int, FloatArray] = {}
    for one in compared:
        local, _ = calendar.days_and_slots(one.content.at_us)
        days, place = np.unique(local.astype(np.int64), return_inverse=True)
        for day, total in zip(days.tolist(), _sums(one, place, days.size), strict=True):
            sums[day] = sums.get(day, 0.0) + total
    return tuple(
        DayChange(
            day=_date(day),
            new=int(new),
            changed=int(changed),
            new_kwh=float(new_kwh),
            delta_kwh=float(delta_kwh),
        )
        for day, (new, changed, new_kwh, delta_kwh) in sorted(sums.items())
        if new or changed
    )


def _sums(one: Compared, place: npt.NDArray[np.intp], days: int) -> FloatArray:
    """Count new and changed rows and their energy by day, shape (days, 4)."""
    is_energy = one.content.kind is Kind.INTERVALS
    given = np.nan_to_num(one.given[:, 0]) * is_energy
    more = (given - np.nan_to_num(one.stored[:, 0])) * is_energy
    weights = (
        one.is_new.astype(np.float64),
        one.is_changed.astype(np.float64),
        given * one.is_new,
        more * one.is_changed,
    )
    return np.column_stack([np.bincount(place, each, days) for each in weights])


def days_to_settle(
    compared: Sequence[Compared], calendar: SiteCalendar, reach_min: float
) -> tuple[tuple[date, date], ...]:
    """Return the runs of local days that written rows touch.

    Registers tell of all the time between them, and `reach_min` beyond.
    """
    touched: list[IntArray] = []
    for one in compared:
        at_us = one.content.at_us[one.is_written]
        if not at_us.size:
            continue
        if one.content.length_min is None:
            reach_us = int(reach_min * MINUTE_US)
            first, last = int(at_us.min()) - reach_us, int(at_us.max()) + reach_us
            days = _days(np.array([first, last]), calendar)
            touched.append(np.arange(days[0], days[-1] + 1))
        else:
            last_us = at_us + one.content.length_min * MINUTE_US - 1
            touched += [_days(at_us, calendar), _days(last_us, calendar)]
    if not touched:
        return ()
    days = np.unique(np.concatenate(touched))
    runs = np.split(days, np.flatnonzero(np.diff(days) > 1) + 1)
    return tuple((_date(int(run[0])), _date(int(run[-1]))) for run in runs)


def _days(at_us: IntArray, calendar: SiteCalendar) -> IntArray:
    local, _ = calendar.days_and_slots(at_us)
    return np.unique(local).astype(np.int64)


def _date(day: int) -> date:
    return date.fromordinal(day + date(1970, 1, 1).toordinal())
