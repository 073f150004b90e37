"""Replays settled load against the expected band and says what changes. Pure.

Each local day is judged by its band (analytics.expectation); days whose alerts the
replay itself finds are not learnt by the days after them. A missing interval proves
nothing either way: without data nothing opens and nothing closes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from accounts.calendar import QUARTER_HOUR_US
from analytics.deviation import Hysteresis, Verdict
from analytics.expectation import Layout, Span, days_of, expect
from analytics.finding import Finding

FloatArray = npt.NDArray[np.float64]

_TAIL = 8
"""Intervals shown to the hysteresis: more than it needs."""
_HOURS = 0.25
PLANNED_ENDED = "planned-change-ended"
LOW = "load-below-expected"
HIGH = "load-above-expected"


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """Why an alert opened: means and sums over the intervals that proved it."""

    code: str
    since_us: int
    """Start of the first of them."""
    intervals: int
    load_kw: float
    expected_kw: float
    low_kw: float
    """Mean lower edge of the band."""
    high_kw: float
    measured_kwh: float
    expected_kwh: float
    like_days: int
    """How many days the band was made of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """An alert opens (with evidence) or closes."""

    at_us: int
    """End of the interval that proved it."""
    evidence: Evidence | None
    """None = closes."""
    why: str
    """Its code; reports.wording.reason says it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """A deviation alert that is not resolved."""

    planned_until_us: int | None = None
    """End of its planned change: it closes then, and the load is judged again."""


class Replay:
    """Walks over a point's load, day by day, from the first interval to judge.

    Parameters
    ----------
    on : Layout
        With the days before the first to judge that `expect` needs.
    load_kw : array, shape (n,)
        Mean load of its quarter-hours; NaN = missing. [kW]
    windows : iterable of Span
        Planned changes: within them nothing opens, and nothing is learnt.
    alerts : iterable of Span
        Deviation alerts on record, the standing one up to the first interval to judge.
    silences : iterable of Span
        When the meter was silent: what is known of that time is worked out, and proves
        nothing about the load (docs/methods.md, Deviation).

    """

    def __init__(
        self,
        on: Layout,
        load_kw: FloatArray,
        *,
        windows: Iterable[Span],
        alerts: Iterable[Span],
        silences: Iterable[Span] = (),
    ) -> None:
        windows = list(windows)
        self._on, self._load_kw = on, load_kw
        self._hysteresis = Hysteresis()
        self._days = days_of(on, load_kw, planned=windows, alarms=alerts)
        self._muted = np.zeros(load_kw.size, dtype=np.bool_)
        for muted in (*windows, *silences):
            self._muted[self._quarter_hours(muted)] = True
        self._z = np.full(load_kw.size, np.nan)
        self._band_kw = np.full((3, load_kw.size), np.nan)
        self._like_days = 0

    def changes(
        self, from_us: int, stop_us: int, standing: Standing | None
    ) -> list[Change]:
        """Judge every interval that starts in [from_us, stop_us).

        Parameters
        ----------
        from_us, stop_us : int
            What is settled and not judged yet. [microseconds since 1970 UTC]
        standing : Standing or None
            The deviation alert that stood at that time, if one did.

        Returns
        -------
        list of Change
            In their order; openings and closings alternate.

        """
        judged = self._quarter_hours(Span(start_us=from_us, stop_us=stop_us))
        if judged.start == judged.stop:
            return []
        first_day, last_day = self._on.day[[judged.start, judged.stop - 1]].tolist()
        if first_day > 0:  # what is proven now may have begun the evening before
            self._score(first_day - 1)
        changes: list[Change] = []
        since_us = None if standing is None else from_us
        for day in range(first_day, last_day + 1):
            self._score(day)
            hours = self._on.quarter_hours(day)
            start, stop = max(hours.start, judged.start), min(hours.stop, judged.stop)
            for change in self._walk(start, stop, standing):
                changes.append(change)
                if change.evidence is None:
                    self._alarm(since_us, change.at_us)
                    standing, since_us = None, None
                else:
                    standing, since_us = Standing(), change.at_us
            self._alarm(since_us, int(self._on.edges_us[day + 1]))
        return changes

    def _walk(self, start: int, stop: int, standing: Standing | None) -> list[Change]:
        """Judge the intervals of one day, [start, stop)."""
        starts_us, changes = self._on.start_us, []
        if standing and standing.planned_until_us is not None:
            until_us = standing.planned_until_us
            start += int(np.searchsorted(starts_us[start:stop], until_us))
            if start == stop:
                return []
            changes.append(Change(at_us=until_us, evidence=None, why=PLANNED_ENDED))
            standing = None
        is_open = standing is not None
        size = np.abs(self._z[start:stop])
        # Only a loud interval can open an alert and only a calm one can close it.
        loud, calm = size > self._hysteresis.k, size < self._hysteresis.k / 2
        for i in start + np.flatnonzero(loud | calm):
            if loud[i - start] == is_open:
                continue
            tail = self._z[max(0, i + 1 - _TAIL) : i + 1]
            verdict = self._hysteresis.judge(tail, is_open=is_open)
            if verdict is not Verdict.STAY:
                is_open = verdict is Verdict.OPEN
                end_us = int(starts_us[i]) + QUARTER_HOUR_US
                evidence = self._evidence(int(i)) if is_open else None
                why = verdict.value
                changes.append(Change(at_us=end_us, evidence=evidence, why=why))
        return changes

    def _score(self, day: int) -> None:
        """Fill in z and the band of one day's intervals; without one they stay NaN."""
        expected = expect(self._days, day)
        if isinstance(expected, Finding):
            return
        now = self._on.quarter_hours(day)
        slot, band = self._on.slot[now], expected.band
        edges = (band.median_kw, band.low_kw, band.high_kw)
        self._band_kw[:, now] = np.stack([edge[slot] for edge in edges])
        z = expected.z(self._load_kw[now], slot)
        self._z[now] = np.where(self._muted[now], np.nan, z)
        self._like_days = int(expected.made_of.size)

    def _alarm(self, since_us: int | None, until_us: int) -> None:
        """Keep the days on which an alert stood from being learnt."""
        if since_us is not None:
            touched = self._on.touched([Span(start_us=since_us, stop_us=until_us)])
            self._days = replace(self._days, alarmed=self._days.alarmed | touched)

    def _quarter_hours(self, span: Span) -> slice:
        """Return where the quarter-hours that start within a span stand."""
        starts_us = self._on.start_us
        stop = starts_us.size
        if span.stop_us is not None:
            stop = int(np.searchsorted(starts_us, span.stop_us))
        return slice(int(np.searchsorted(starts_us, span.start_us)), stop)

    def _evidence(self, i: int) -> Evidence:
        """Sum up the intervals that prove the deviation, the last being `i`."""
        measured = np.flatnonzero(~np.isnan(self._z[: i + 1]))
        proof = measured[-self._hysteresis.n :]
        kw, (expected, low, high) = self._load_kw[proof], self._band_kw[:, proof]
        return Evidence(
            code=LOW if self._z[i] < 0 else HIGH,
            since_us=int(self._on.start_us[proof[0]]),
            intervals=int(proof.size),
            load_kw=float(kw.mean()),
            expected_kw=float(expected.mean()),
            low_kw=float(low.mean()),
            high_kw=float(high.mean()),
            measured_kwh=float(kw.sum()) * _HOURS,
            expected_kwh=float(expected.sum()) * _HOURS,
            like_days=self._like_days,
        )
