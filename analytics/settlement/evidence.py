"""All that is known of a point when a span of it is settled. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from accounts.account import Installation
from accounts.calendar import SiteCalendar
from analytics.settlement.edits import Edits
from analytics.settlement.fitting import Fitting, refuse_overlaps
from analytics.settlement.profile import LoadProfile
from analytics.settlement.span import Span
from meters.quantity import REGISTERS, Quantity
from meters.reading import ReadingBatch

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Series:
    """Interval energy of other times or of another meter; arrays have shape (k,)."""

    start_us: IntArray
    """Ascending. [microseconds since 1970 UTC]"""
    kwh: FloatArray
    firm: BoolArray
    """Measured or edited, no outage, no failed rule."""

    def on(self, span: Span) -> FloatArray:
        """Return what is firm on the intervals of a span, shape (n,), else NaN."""
        kwh = np.full(span.start_us.shape, np.nan)
        row = np.searchsorted(span.start_us, self.start_us).clip(max=kwh.size - 1)
        same = (span.start_us[row] == self.start_us) & self.firm
        kwh[row[same]] = self.kwh[same]
        return kwh

    @classmethod
    def none(cls) -> "Series":
        """Return a series of nothing."""
        return cls(
            start_us=np.zeros(0, dtype=np.int64),
            kwh=np.zeros(0),
            firm=np.zeros(0, dtype=np.bool_),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Outage:
    """Time without supply, [start_us, stop_us): planned, or reported by the meter."""

    start_us: int
    stop_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class StatedMultiplier:
    """CT x PT as it was set in a meter that leaves its registers unmultiplied."""

    meter_id: int
    since_us: int
    value: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Evidence:
    """What is known of one point."""

    calendar: SiteCalendar
    readings: ReadingBatch
    """Of any meters, in any order; should reach one reading beyond the span."""
    fittings: Mapping[Quantity, Sequence[Fitting]]
    """By register, each by time."""
    most_kw: float | None = None
    """The most that can be drawn, of contract and transformers."""
    feeds: bool = True
    """Whether the account has anything that can feed the grid."""
    profile: LoadProfile | None = None
    """The meter's own intervals of import."""
    other_profiles: Mapping[Quantity, LoadProfile] = field(default_factory=dict)
    """Those of the other registers."""
    check: Series | None = None
    """The check meter's."""
    history: Series = field(default_factory=Series.none)
    """Settled intervals of the point at other times."""
    outages: tuple[Outage, ...] = ()
    edits: Edits | None = None
    """What persons set."""
    stated: tuple[StatedMultiplier, ...] = ()
    """What the meters say of their transformers, by time."""

    @property
    def profiles(self) -> tuple[LoadProfile, ...]:
        """The meter's own intervals of every register."""
        own = () if self.profile is None else (self.profile,)
        return (*own, *self.other_profiles.values())

    def closed(self, span: Span) -> BoolArray:
        """Tell which intervals lie on a day on which the site is closed, shape (n,)."""
        days = np.array(sorted(self.calendar.closures), dtype="datetime64[D]")
        return np.repeat(np.isin(span.days, days), np.diff(span.first))

    def out_of_supply(self, span: Span) -> BoolArray:
        """Tell which intervals an outage touches, shape (n,)."""
        out = np.zeros(span.start_us.shape, dtype=np.bool_)
        for one in self.outages:
            out |= span.touched(one.start_us, one.stop_us)
        return out

    def off(self, cuts_us: IntArray) -> BoolArray:
        """Tell of each time between two cuts whether all of it lies in outages.

        Parameters
        ----------
        cuts_us : array, shape (n + 1,)
            Ascending. [microseconds since 1970 UTC]

        Returns
        -------
        array, shape (n,)

        """
        off = np.zeros(cuts_us.size - 1, dtype=np.bool_)
        for start_us, stop_us in _merged(self.outages):
            off |= (cuts_us[:-1] >= start_us) & (cuts_us[1:] <= stop_us)
        return off


def _merged(outages: Iterable[Outage]) -> list[tuple[int, int]]:
    """Return the times without supply; outages that meet or overlap are one."""
    merged: list[tuple[int, int]] = []
    for one in sorted(outages, key=lambda each: each.start_us):
        start_us, stop_us = one.start_us, one.stop_us
        if merged and start_us <= merged[-1][1]:
            first_us, last_us = merged.pop()
            start_us, stop_us = first_us, max(last_us, stop_us)
        merged.append((start_us, stop_us))
    return merged


def fittings_of(
    installations: Sequence[Installation],
    *,
    most_kw: float | None = None,
    feeds: bool = True,
    readings_at_swaps: Mapping[tuple[int, Quantity], tuple[int | None, int | None]]
    | None = None,
    changes: Mapping[int, Sequence[tuple[datetime, Fraction]]] | None = None,
) -> dict[Quantity, tuple[Fitting, ...]]:
    """Make the fittings of a point's registers out of its installations.

    Parameters
    ----------
    installations
        In any order.
    most_kw : float, optional
        The most that can be drawn here. [kW]
    feeds
        Whether something can feed: what is fed is not bounded by what can be drawn.
        Where nothing can, no more is counted as fed than flows through a meter that is
        connected the wrong way round.
    readings_at_swaps
        Opening and closing counts, by installation and quantity.
    changes
        Later multipliers by installation, each with the moment from which it holds.

    Raises
    ------
    FittingError
        Where they overlap or cannot be.

    """
    written = readings_at_swaps or {}
    in_order = sorted(installations, key=lambda one: one.installed_at)
    fittings = {}
    made: dict[object, Fitting] = {}  # most registers of a meter are fitted alike
    for quantity in REGISTERS:
        is_fed = quantity is Quantity.ENERGY_EXPORT_KWH
        bound = None if feeds and is_fed else most_kw
        each = []
        for installation in in_order:
            number = installation.installation_id
            opening, closing = written.get((number, quantity), (None, None))
            form = (number, bound, opening, closing)
            if form not in made:
                made[form] = Fitting.of(
                    installation,
                    most_kw=bound,
                    opening=opening,
                    closing=closing,
                    changes=(changes or {}).get(number, ()),
                )
            each.append(made[form])
        fittings[quantity] = tuple(each)
    refuse_overlaps(next(iter(fittings.values())))
    return fittings
