"""Fills what a draft does not know: holes that registers span, then the rest."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from analytics.settlement.boundary import Hole, cuts_of, fill
from analytics.settlement.conditional import AROUND
from analytics.settlement.draft import Draft
from analytics.settlement.estimate import ZERO_CONFIDENCE, Estimate, Gap
from analytics.settlement.evidence import Evidence
from analytics.settlement.ladder import Ladder, estimate
from analytics.settlement.method import Method, State
from analytics.settlement.profile import Lump
from analytics.settlement.profile_taken import Taken
from analytics.settlement.quanta import as_energy
from analytics.settlement.reference import LoadHistory, load_history
from analytics.settlement.supply import SuppliedHole, supplied_holes
from analytics.settlement.verdict import runs

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(eq=False)
class Filler:
    """Estimates intervals of a draft; what like days are is made only when asked."""

    draft: Draft
    evidence: Evidence
    ladder: Ladder
    out: BoolArray
    """shape (n,): known outages"""
    firm: BoolArray
    """shape (n,): may serve as an example"""
    check_kwh: FloatArray | None = None
    """shape (n,)"""

    @cached_property
    def history(self) -> LoadHistory:
        """Days that may serve: of other times, and of the span itself."""
        other, span = self.evidence.history, self.draft.span
        first, last = span.start_us[0], span.start_us[-1]
        before, after = other.start_us < first, other.start_us > last
        return load_history(
            self.evidence.calendar,
            np.concatenate(
                [other.start_us[before], span.start_us, other.start_us[after]]
            ),
            np.concatenate([other.kwh[before], self.draft.kwh, other.kwh[after]]),
            np.concatenate([other.firm[before], self.firm, other.firm[after]]),
            length_min=span.length_min,
        )

    def gap(self, asked: BoolArray) -> Gap:
        """Return intervals to estimate, with what is known around them.

        Parameters
        ----------
        asked : array, shape (n,)

        """
        rows = np.flatnonzero(asked)
        around = slice(max(int(rows[0]) - AROUND, 0), int(rows[-1]) + 1 + AROUND)
        draft, history = self.draft, self.history
        start_us = draft.span.start_us[around]
        local_day, quarter = self.evidence.calendar.days_and_slots(start_us)
        kwh = np.where(asked, np.nan, draft.kwh)[around]
        day = (local_day - history.days[0]).astype(np.int64)
        return Gap(
            asked=asked[around],
            kwh=kwh,
            end_point=(self.firm & draft.counted & ~self.out)[around],
            local_day=local_day,
            slot=quarter * 15 // draft.span.length_min,
            kind=history.kind[day],
            check_kwh=None if self.check_kwh is None else self.check_kwh[around],
            out=self.out[around],
            length_min=draft.span.length_min,
        )

    @cached_property
    def holes(self) -> list[SuppliedHole]:
        """What registers counted between readings far apart."""
        return supplied_holes(self.draft, self.evidence)

    @property
    def doubted(self) -> tuple[tuple[int, int, float], ...]:
        """First interval, end and kWh of holes whose energy contradicts an outage."""
        doubted = [one.hole for one in self.holes if one.doubted]
        quanta = np.array([hole.quanta for hole in doubted], dtype=np.int64)
        kwh = as_energy(quanta, self.draft.quantum).tolist()
        places = [(hole.first, hole.last + 1) for hole in doubted]
        return tuple((*place, each) for place, each in zip(places, kwh, strict=True))

    def fill_holes(self) -> None:
        """Share out what registers counted between readings far apart."""
        for each in self.holes:
            self._fill_hole(each.hole, each.takes)
        if self.holes:
            self.draft.from_bounds()

    def _fill_hole(self, hole: Hole, takes: BoolArray) -> None:
        """Share a hole out over those of its parts that had supply."""
        draft = self.draft
        rows = np.arange(hole.first, hole.last + 1)
        counted = np.zeros(rows.size, dtype=np.int64)
        counted[0], counted[-1] = self._counted_beside(hole)
        asked = np.zeros(draft.known.shape, dtype=np.bool_)
        asked[rows[takes]] = True
        total = np.array([hole.quanta + counted[takes].sum()])
        total_kwh = float(as_energy(total, draft.quantum)[0])
        found = estimate(self.gap(asked), self.history, self.ladder, total_kwh)
        if found is None:  # never: an energy that is known can be shared out evenly
            return
        weights = np.zeros(rows.size)
        beside_kwh = as_energy(counted[takes], draft.quantum)
        weights[takes] = np.maximum(found.kwh - beside_kwh, 0.0)
        if not weights.any():  # by length, of the time with supply alone
            lengths = np.diff(cuts_of(hole, draft.bounds))
            weights[takes] = lengths[takes]
        fill(draft.bounds, draft.track, hole, weights)
        how = takes | (counted > 0)
        draft.state[rows] = State.ESTIMATED
        draft.method[rows] = np.where(how, found.method, Method.ZERO)
        draft.confidence[rows] = np.where(how, found.confidence, ZERO_CONFIDENCE)

    def _counted_beside(self, hole: Hole) -> tuple[int, int]:
        """Return what is known of its first and its last interval, in quanta."""
        bounds, track = self.draft.bounds, self.draft.track
        before = after = 0
        if bounds.known[hole.first]:
            before = int(track.quanta[hole.step] - bounds.quanta[hole.first])
        if bounds.known[hole.last + 1]:
            after = int(bounds.quanta[hole.last + 1] - track.quanta[hole.step + 1])
        return max(before, 0), max(after, 0)

    def fill_lumps(self, taken: Taken, fillable: BoolArray) -> None:
        """Share out what is known of several intervals together.

        Parameters
        ----------
        taken : Taken
            Own long intervals first, then what registers leave beside own intervals.
        fillable : array, shape (n,)
            A meter sat there.

        """
        draft = self.draft
        quanta, known = taken.quanta.copy(), taken.known.copy()
        believed = [
            lump
            for lump in taken.lumps
            if not (draft.distrusted & ~known)[lump.first : lump.stop].any()
        ]
        for lumps in (believed, taken.left):
            # All are estimated before any is taken: none leans on another.
            shares = [self._share(lump, quanta, known, fillable) for lump in lumps]
            for share in filter(None, shares):
                rows = share.rows
                how = (share.found.method, share.found.confidence)
                draft.put_shared(rows, share.found.kwh, share.total, how)
                quanta[rows], known[rows] = draft.quanta[rows], True

    def _share(
        self, lump: Lump, quanta: IntArray, known: BoolArray, fillable: BoolArray
    ) -> "_Share | None":
        """Estimate those intervals of a lump that are not known."""
        inside = np.zeros(known.shape, dtype=np.bool_)
        inside[lump.first : lump.stop] = True
        asked = inside & fillable & (~known | self.draft.distrusted)
        if (asked & ~self.dead).any():
            asked &= ~self.dead
        if not asked.any():
            return None
        total = max(lump.quanta - int(quanta[inside & known & ~asked].sum()), 0)
        kwh = float(as_energy(np.array([total]), self.draft.quantum)[0])
        found = estimate(self.gap(asked), self.history, self.ladder, kwh)
        if found is None:  # never: an energy that is known can be shared out evenly
            return None
        return _Share(rows=np.flatnonzero(asked), found=found, total=total)

    def fill_rest(self, fillable: BoolArray) -> None:
        """Estimate what no register knows, and what is not believed.

        Parameters
        ----------
        fillable : array, shape (n,)
            A meter sat there.

        """
        draft = self.draft
        left = fillable & (~draft.known | draft.distrusted)
        for first, stop in runs(left & self.dead) + runs(left & ~self.dead):
            asked = np.zeros(draft.known.shape, dtype=np.bool_)
            asked[first:stop] = True
            found = estimate(self.gap(asked), self.history, self.ladder)
            if found is not None:
                rows = np.flatnonzero(asked)
                draft.put(rows, found.kwh, found.method, found.confidence)

    @cached_property
    def dead(self) -> BoolArray:
        """Which intervals had no supply at all, and no check meter that says so."""
        span = self.draft.span
        dead = self.evidence.off(span.edges_us)
        return dead if self.check_kwh is None else dead & np.isnan(self.check_kwh)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Share:
    """What of a lump some intervals have."""

    rows: IntArray
    found: Estimate
    total: int
    """[quanta]"""
