"""Which settled intervals are stored, and what the rules said of each day. Pure."""

from datetime import datetime

import numpy as np

from accounts.calendar import SiteCalendar
from analytics.settlement.method import Method, State
from analytics.settlement.settlement import Settlement
from analytics.settlement.verdict import Status, Verdict
from keywatt.settling.days import LENGTH_US
from keywatt.settling.known import Window
from keywatt.settling.master import Master
from meters.reading import IntArray, utc_us
from storage.judging import GRACE
from storage.meter_intervals import BoolArray
from storage.settled_days import SettledDay


def settled_until(window: Window, moments_us: IntArray, now: datetime) -> int:
    """Return up to when intervals can be settled. [microseconds since 1970 UTC].

    Up to the newest moment that is known, or longer ago than `GRACE`: until then what
    is missing may still come.
    """
    now_us = utc_us(now)
    newest_us = utc_us(now - GRACE)
    past = moments_us[moments_us <= now_us]
    if past.size:
        newest_us = max(newest_us, int(past[-1]))
    for _, own in window.own:
        stops_us = own.start_us + own.length_min * 60_000_000
        stops_us = stops_us[stops_us <= now_us]
        newest_us = max(newest_us, int(stops_us.max(initial=0)))
    return min(newest_us, utc_us(window.stop)) // LENGTH_US * LENGTH_US


def began(window: Window, moments_us: IntArray, before: datetime | None) -> int | None:
    """Return when a point's history begins: with its first energy, not with a gap.

    Parameters
    ----------
    window : Window
    moments_us : array, shape (m,)
        When the import register was known, ascending.
    before : datetime or None
        Start of the oldest stored interval.

    """
    known = [int(us) for us in moments_us[:1]]
    known += [int(own.start_us.min()) for _, own in window.own if len(own)]
    if before is not None:
        known.append(utc_us(before))
    return min(known, default=None)


def metered(start_us: IntArray, master: Master) -> BoolArray:
    """Tell of each interval whether a main meter sat there at some time in it."""
    sat = np.zeros(start_us.shape, dtype=np.bool_)
    for each in master.main:
        here = start_us + LENGTH_US > utc_us(each.installed_at)
        if each.removed_at is not None:
            here &= start_us < utc_us(each.removed_at)
        sat |= here
    return sat


def awaited(settled: Settlement, now: datetime) -> BoolArray:
    """Tell which intervals at the end may turn out to be known.

    A reading that is not believed may be the first of a new level of its register:
    that shows with the next ones.
    """
    known = settled.state <= State.MEASURED
    known |= settled.method == Method.INTERPOLATED
    last = np.flatnonzero(known)[-1:]
    doubted = np.zeros(known.shape, dtype=np.bool_)
    for one in settled.verdicts:
        if one.rule == "plausible" and one.status > Status.PASS:
            doubted |= (settled.start_us < one.stop_us) & (
                settled.start_us > one.start_us - LENGTH_US
            )
    young = settled.start_us + LENGTH_US > utc_us(now - GRACE)
    after = np.arange(known.size) > (last[0] if last.size else -1)
    waiting: BoolArray = doubted & young & after & ~known
    return waiting


def settled_days(
    calendar: SiteCalendar,
    start_us: IntArray,
    verdicts: tuple[Verdict, ...],
    rules: str,
    settled_at: datetime,
) -> list[SettledDay]:
    """Cut verdicts into local days.

    Parameters
    ----------
    calendar : SiteCalendar
    start_us : array, shape (n,)
        Intervals that were settled, ascending.
    verdicts
    rules
        Code of the rule set.
    settled_at : datetime

    """
    if not start_us.size:
        return []
    days, _ = calendar.days_and_slots(start_us[[0, -1]])
    every = np.arange(days[0], days[1] + 1).astype(object).tolist()
    edges = [calendar.day_bounds(day) for day in every]
    first_us, end_us = int(start_us[0]), int(start_us[-1]) + LENGTH_US
    cut = _Cut(verdicts, first_us, end_us)
    return [
        SettledDay(
            local_day=day,
            ends_at=stop,
            rules=rules,
            settled_at=settled_at,
            verdicts=cut.within(
                max(utc_us(start), first_us), min(utc_us(stop), end_us)
            ),
        )
        for day, (start, stop) in zip(every, edges, strict=True)
    ]


class _Cut:
    """Verdicts on some time, to be cut into parts of it."""

    def __init__(
        self, verdicts: tuple[Verdict, ...], start_us: int, stop_us: int
    ) -> None:
        # What held all the time says the same of each part: told as it is.
        self._everywhere: list[Verdict] = []
        self._somewhere: list[Verdict] = []
        for one in verdicts:
            whole = one.start_us <= start_us and one.stop_us >= stop_us
            held = whole and one.status <= Status.SKIPPED
            (self._everywhere if held else self._somewhere).append(one)
        self._held = {
            one.rule: Verdict(
                rule=one.rule, status=Status.PASS, start_us=start_us, stop_us=stop_us
            )
            for one in self._somewhere
        }

    def within(self, start_us: int, stop_us: int) -> tuple[Verdict, ...]:
        """Return what they say of a part; what broke elsewhere alone held here."""
        here = [
            Verdict(
                rule=one.rule,
                status=one.status,
                start_us=max(one.start_us, start_us),
                stop_us=min(one.stop_us, stop_us),
                figures=one.figures,
            )
            for one in self._somewhere
            if one.start_us < stop_us and one.stop_us > start_us
        ]
        said = {one.rule for one in (*here, *self._everywhere)}
        held = [one for rule, one in self._held.items() if rule not in said]
        return (*here, *self._everywhere, *held)
