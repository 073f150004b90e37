"""Settles one point over one span: every step in its order. Pure.

Readings become counts, counts the point's cumulative energy, that energy the intervals'
boundaries. Rules judge what was counted; what cannot be is distrusted. Holes are shared
out as like days and their surroundings let expect, then the rest is estimated.
"""

import numpy as np
import numpy.typing as npt

from analytics.settlement.boundary import fill, holes, widened
from analytics.settlement.counting import CountedPoint, count_point
from analytics.settlement.draft import Draft, draft
from analytics.settlement.evidence import Evidence
from analytics.settlement.filling import Filler
from analytics.settlement.judging import Judged, distrusted, judge
from analytics.settlement.method import Method, Missing, State
from analytics.settlement.profile import Decided, LoadProfile, Placed
from analytics.settlement.profile_taken import Taken, share_lumps, take_profile
from analytics.settlement.quanta import as_energy, common_quantum
from analytics.settlement.reference import expected_days
from analytics.settlement.repairing import calculate, turn_round
from analytics.settlement.ruleset import Rules
from analytics.settlement.settlement import Energy, Settlement
from analytics.settlement.span import Span
from analytics.settlement.track import energy_track, point_quantum
from analytics.settlement.verdict import Status, Verdict, worst
from meters.quantity import Quantity

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

IMPORT = Quantity.ENERGY_IMPORT_KWH
EXPORT = Quantity.ENERGY_EXPORT_KWH
_REACTIVE = (Quantity.ENERGY_LAGGING_KVARH, Quantity.ENERGY_LEADING_KVARH)


def settle_span(
    evidence: Evidence,
    start_us: IntArray,
    rules: Rules | None = None,
    *,
    length_min: int = 15,
) -> Settlement:
    """Settle a point.

    Parameters
    ----------
    evidence : Evidence
        What is known of it.
    start_us : array, shape (n,)
        Interval starts, each `length_min` after the one before, best of whole local
        days. [microseconds since 1970 UTC]
    rules : Rules, optional
        Those of docs/methods.md, Validation unless said.
    length_min : int
        A multiple of 15. [min]

    """
    rules = rules or Rules()
    length_us = length_min * 60_000_000
    counted = count_point(evidence, length_us, rules.stalled)
    steps = [c.track.longer_than(length_us) for c in counted.registers.values()]
    steps += [profile.longer_than(length_us) for profile in evidence.profiles]
    wide_us = widened(steps, start_us, length_us)
    span = Span.of(evidence.calendar, wide_us, length_min)
    settling = _Settling(evidence, counted, span, rules)
    first = int(np.searchsorted(wide_us, start_us[0]))
    return settling.settled().part(slice(first, first + start_us.size))


class _Settling:
    """What the steps of one span have in common."""

    def __init__(
        self, evidence: Evidence, counted: CountedPoint, span: Span, rules: Rules
    ) -> None:
        self._evidence = evidence
        self._counted = counted
        self._span = span
        self._rules = rules
        self._drafts = {
            quantity: draft(each.track, span, each.track.quantum)
            for quantity, each in counted.registers.items()
        }
        for quantity, profile in evidence.other_profiles.items():
            self._draft_of(quantity, profile)
        self._import = self._draft_of(IMPORT, evidence.profile)
        if evidence.edits is not None:
            evidence.edits.make_room(self._drafts, span)
            self._import = self._drafts[IMPORT]
        self._out = evidence.out_of_supply(span)
        self._taken: dict[Quantity, Taken] = {}

    def settled(self) -> Settlement:
        """Take every step."""
        self._take_profiles()
        mine = self._taken.get(IMPORT)
        own = None if mine is None else mine.own
        self._lay_edits()
        filler = self._filler(own)
        given = self._judged(mine, filler)
        verdicts = judge(given)
        never = distrusted(verdicts, self._span)
        self._import.distrusted |= never & (self._import.state != State.EDITED)
        failed = self._failed(verdicts)
        filler.firm = self._firm(own) & ~failed
        turn_round(verdicts, self._import, self._drafts.get(EXPORT))
        calculate(self._counted, self._import, filler)
        filler.fill_holes()
        fillable = self._metered()
        if mine is not None:
            filler.fill_lumps(mine, fillable)
        self._share_like_import()
        filler.fill_rest(fillable)
        self._lay_edits()
        return self._settlement(verdicts, fillable, failed)

    def _draft_of(self, quantity: Quantity, profile: LoadProfile | None) -> Draft:
        """Return a register's draft, in quanta that measure a profile's counts too."""
        found = self._drafts.get(quantity)
        quantum = point_quantum(self._evidence.fittings.get(quantity, ()))
        if profile is not None:
            quantum = common_quantum([quantum, profile.energy_of_count])
        if found is None or found.quantum != quantum:
            track = energy_track((), ()) if found is None else found.track
            found = draft(track.finer(quantum), self._span, quantum)
            self._drafts[quantity] = found
        return found

    def _lay_edits(self) -> None:
        """Set what persons set: before rules judge it, and again after all the rest."""
        if self._evidence.edits is not None:
            self._evidence.edits.lay_over(self._drafts)

    def _take_profiles(self) -> None:
        """Let the sum check decide between registers and the meters' intervals."""
        profiles = dict(self._evidence.other_profiles)
        if self._evidence.profile is not None:
            profiles[IMPORT] = self._evidence.profile
        for quantity, profile in profiles.items():
            fittings = self._evidence.fittings.get(quantity, ())
            unit = max(
                (f.energy_of_count(m.value) for f in fittings for m in f.multipliers),
                default=profile.energy_of_count,
            )
            self._taken[quantity] = take_profile(
                profile, self._drafts[quantity], unit, self._rules.sum_check
            )

    def _filler(self, own: Placed | None) -> Filler:
        check = self._evidence.check
        return Filler(
            draft=self._import,
            evidence=self._evidence,
            ladder=self._rules.estimation.as_ladder(),
            out=self._out,
            firm=self._firm(own),
            check_kwh=None if check is None else check.on(self._span),
        )

    def _firm(self, own: Placed | None) -> BoolArray:
        firm = self._import.counted & ~self._out
        if own is not None:
            firm &= ~own.power_failure
        return firm

    def _judged(self, taken: Taken | None, filler: Filler) -> Judged:
        decided = None if taken is None else taken.decided
        export = self._energy(EXPORT)
        feeding = not self._evidence.feeds and bool(np.nan_to_num(export).any())
        lagging, leading = (self._energy(each) for each in _REACTIVE)
        return Judged(
            span=self._span,
            evidence=self._evidence,
            counted=self._counted,
            rules=self._rules,
            import_kwh=self._import_at_first(taken),
            export_kwh=export,
            kvarh=np.where(np.isnan(leading), lagging, lagging + leading),
            check_kwh=filler.check_kwh,
            expected_kwh=self._expected(filler, export) if feeding else export * np.nan,
            out=self._out,
            off=self._evidence.off(self._span.edges_us),
            doubted=filler.doubted,
            metered=self._metered(),
            own=None if taken is None else taken.own,
            decided=decided,
            sum_passes=self._sum_passes(decided),
        )

    def _import_at_first(self, taken: Taken | None) -> FloatArray:
        """Return the import that is judged: lumps as if they had run evenly.

        Where a part of one had no supply, evenly over the rest.
        """
        kwh = self._import.kwh
        if taken is None:
            return kwh
        off = self._evidence.off(self._span.edges_us)
        for lump in taken.lumps:
            rows = np.arange(lump.first, lump.stop)
            open_ = rows[np.isnan(kwh[rows]) & ~off[rows]]
            if open_.size:
                left = lump.quanta - int(taken.quanta[rows][taken.known[rows]].sum())
                whole = as_energy(np.array([max(left, 0)]), self._import.quantum)[0]
                kwh[open_] = whole / open_.size
        return kwh

    def _energy(self, quantity: Quantity) -> FloatArray:
        found = self._drafts.get(quantity)
        if found is None:
            return np.full(self._span.start_us.shape, np.nan)
        return found.kwh

    def _expected(self, filler: Filler, export: FloatArray) -> FloatArray:
        """Return what like days that fed nothing let expect."""
        fed = np.nan_to_num(self._span.by_day(export)).any(axis=1)
        filler.firm &= ~np.repeat(fed, np.diff(self._span.first))
        history = filler.history
        days, slots = self._evidence.calendar.days_and_slots(self._span.start_us)
        if not history.usable.any():
            return export * np.nan
        rows = (self._span.days - history.days[0]).astype(np.int64)
        shapes = expected_days(history, rows, history.kind[rows])
        of_day = (days - self._span.days[0]).astype(np.int64)
        expected: FloatArray = shapes[of_day, slots * 15 // self._span.length_min]
        return expected

    def _sum_passes(self, decided: Decided | None) -> BoolArray:
        """Tell of each local day whether a register confirms its intervals.

        What is counted by a register is confirmed by it: it did go on that far. A
        highest interval that a person set is confirmed by none.
        """
        unset = ~self._highest_is_edited()
        if decided is None:
            return unset
        registers_alone = [
            not decided.by_profile[first:stop].any()
            for first, stop in self._span.day_rows()
        ]
        return unset & (decided.passes | np.array(registers_alone, dtype=np.bool_))

    def _highest_is_edited(self) -> BoolArray:
        """Tell of each local day whether its highest interval is a person's."""
        edited = self._import.state == State.EDITED
        if not edited.any():
            return np.zeros(self._span.days.size, dtype=np.bool_)
        kwh = np.nan_to_num(self._import.kwh, nan=-np.inf)
        highest = (
            first + int(kwh[first:stop].argmax())
            for first, stop in self._span.day_rows()
        )
        return np.array([edited[row] for row in highest], dtype=np.bool_)

    def _failed(self, verdicts: tuple[Verdict, ...]) -> BoolArray:
        """Tell what breaks a rule; an unusual week may be the new usual one."""
        status = worst(
            (one for one in verdicts if one.rule != "usage"),
            self._span.start_us,
            self._span.length_us,
        )
        failed: BoolArray = status >= Status.FAIL
        return failed

    def _share_like_import(self) -> None:
        """Share the holes of other registers out as the import flowed."""
        shape = self._import.kwh
        for quantity, other in self._drafts.items():
            if quantity is IMPORT:
                continue
            found = holes(other.bounds, other.track)
            for hole in found:
                weights = shape[hole.first : hole.last + 1]
                fill(other.bounds, other.track, hole, weights)
            if found:
                other.from_bounds()
            if quantity in self._taken:
                share_lumps(self._taken[quantity], other, shape)

    def _metered(self) -> BoolArray:
        """Tell of each interval whether a meter sat there at some time in it."""
        fittings = self._evidence.fittings.get(IMPORT, ())
        metered = np.zeros(self._span.start_us.shape, dtype=np.bool_)
        for each in fittings:
            metered |= self._span.touched(each.from_us, each.to_us)
        return metered

    def _settlement(
        self, verdicts: tuple[Verdict, ...], metered: BoolArray, failed: BoolArray
    ) -> Settlement:
        mine, span = self._import, self._span
        known = mine.known & ~mine.distrusted
        state = np.where(known, mine.state, State.MISSING).astype(np.uint8)
        cause = np.zeros(known.shape, dtype="<U24")
        cause[~known] = Missing.NO_READING
        for one in verdicts:
            if one.rule == "plausible" and one.status > Status.PASS:
                broken = span.touched(one.start_us, one.stop_us)
                cause[broken & ~known] = Missing.IMPLAUSIBLE_REGISTER
        cause[~metered & ~known] = Missing.NOT_INSTALLED
        return Settlement(
            start_us=span.start_us,
            length_min=span.length_min,
            energies={
                quantity: Energy(
                    quanta=np.where(one.known & ~one.distrusted, one.quanta, 0),
                    known=one.known & ~one.distrusted,
                    quantum=one.quantum,
                )
                for quantity, one in self._drafts.items()
            },
            state=state,
            method=np.where(known, mine.method, Method.NONE).astype(np.uint8),
            confidence=np.where(known, mine.confidence, 0.0),
            status=worst(verdicts, span.start_us, span.length_us),
            firm=(mine.counted | (state == State.EDITED)) & ~self._out & ~failed,
            cause=cause,
            verdicts=verdicts,
        )
