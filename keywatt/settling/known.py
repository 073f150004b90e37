"""Evidence for some days of a point, out of the database: no more than is needed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Installation
from analytics.settlement.edits import Edits
from analytics.settlement.evidence import Evidence, Series
from analytics.settlement.method import Method, State
from analytics.settlement.profile import LoadProfile
from analytics.settlement.ruleset import Rules
from analytics.settlement.settlement import Settlement
from analytics.settlement.settling import settle_span
from analytics.settlement.verdict import Status
from keywatt.settling.days import LENGTH_MIN, Days
from keywatt.settling.master import Master, sits
from keywatt.settling.own import profile_of
from meters.quantity import REGISTERS, Quantity
from meters.reading import IntArray, ReadingBatch, joined
from storage.edit_records import load_active_edits
from storage.evidence import load_history
from storage.meter_intervals import (
    LONGEST_OWN,
    BoolArray,
    MeterIntervals,
    load_meter_intervals,
)
from storage.readings import load_readings

NEIGHBOURS = 12
"""Readings beyond a span that are loaded on either side: so many tell whether the
first and the last of it are to be believed."""
_HISTORY = timedelta(days=45)
_YEAR, _FORTNIGHT = timedelta(days=364), timedelta(days=14)
IMPORT = Quantity.ENERGY_IMPORT_KWH
_ASKED = (*REGISTERS, Quantity.ACTIVE_POWER_KW)
"""What settlement looks at of a reading."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Window:
    """What meters said on some days and a little beyond."""

    days: Days
    start: datetime
    stop: datetime
    main: ReadingBatch
    check: ReadingBatch
    own: tuple[tuple[Installation, MeterIntervals], ...]
    """Intervals that main meters counted themselves."""
    edits: Edits | None


def load_window(conn: Connection[TupleRow], master: Master, days: Days) -> Window:
    """Load what meters said on days, and a little beyond."""
    start = master.calendar.day_bounds(days[0])[0]
    stop = master.calendar.day_bounds(days[1])[1]
    here = [one for one in master.main if sits(one, start, stop)]
    beside = [one for one in master.check if sits(one, start, stop)]
    return Window(
        days=days,
        start=start,
        stop=stop,
        main=_readings(conn, here, start, stop),
        check=_readings(conn, beside, start, stop),
        own=_own_intervals(conn, here, start, stop) if master.has_profile else (),
        edits=load_active_edits(conn, master.point.point_id, start, stop)
        if master.is_edited
        else None,
    )


def _readings(
    conn: Connection[TupleRow],
    installations: Sequence[Installation],
    start: datetime,
    stop: datetime,
) -> ReadingBatch:
    # A meter may sit twice at one point, as under other terms.
    meter_ids = dict.fromkeys(one.meter_id for one in installations)
    parts = [
        load_readings(conn, meter_id, start, stop, beyond=NEIGHBOURS, only=_ASKED)
        for meter_id in meter_ids
    ]
    return parts[0] if len(parts) == 1 else joined(parts)


def _own_intervals(
    conn: Connection[TupleRow],
    installations: Sequence[Installation],
    start: datetime,
    stop: datetime,
) -> tuple[tuple[Installation, MeterIntervals], ...]:
    loaded = {
        meter_id: load_meter_intervals(conn, meter_id, start - LONGEST_OWN, stop)
        for meter_id in {one.meter_id for one in installations}
    }
    return tuple(
        (one, loaded[one.meter_id])
        for one in installations
        if len(loaded[one.meter_id])
    )


def settled_window(
    conn: Connection[TupleRow],
    master: Master,
    window: Window,
    start_us: IntArray,
    rules: Rules,
    *,
    wanted: BoolArray,
    judged: bool,
) -> Settlement:
    """Settle a window, with as much history as it turns out to need.

    Parameters
    ----------
    conn : Connection
    master : Master
    window : Window
    start_us : array, shape (n,)
        Interval starts. [microseconds since 1970 UTC]
    rules : Rules
    wanted : array, shape (n,)
        Which intervals will be stored.
    judged
        Whether any of its days is over, so that it is held against those before.

    """
    evidence = _evidence(master, window, start_us, rules)
    # What a day is held against lies before it; what a gap is like, on either side.
    history = _before(conn, master, window) if judged else Series.none()
    settled = _settle(evidence, history, start_us, rules)
    if _guessed(settled)[wanted].any() or _fed(settled):
        before = history if judged else _before(conn, master, window)
        after = _after(conn, master, window)
        if (before is not history and before.start_us.size) or after.start_us.size:
            history = joined_series(before, after)
            settled = _settle(evidence, history, start_us, rules)
    if (settled.state[wanted] == State.MISSING).any():
        earlier = _last_year(conn, master, window)
        if earlier.start_us.size:
            both = joined_series(earlier, history)
            settled = _settle(evidence, both, start_us, rules)
    return settled


def _settle(
    evidence: Evidence, history: Series, start_us: IntArray, rules: Rules
) -> Settlement:
    known = replace(evidence, history=history)
    return settle_span(known, start_us, rules, length_min=LENGTH_MIN)


def _guessed(settled: Settlement) -> BoolArray:
    """Tell which intervals no register knows, or only as part of a longer time."""
    guessed: BoolArray = (settled.state == State.MISSING) | (
        (settled.state == State.ESTIMATED) & (settled.method != Method.INTERPOLATED)
    )
    return guessed


def _fed(settled: Settlement) -> bool:
    """Whether energy was fed that should not be: like days tell if it was drawn."""
    return any(
        one.rule == "reverse" and one.status is Status.FAIL for one in settled.verdicts
    )


def _evidence(
    master: Master, window: Window, start_us: IntArray, rules: Rules
) -> Evidence:
    profiles = _profiles(master, window)
    return Evidence(
        calendar=master.calendar,
        readings=window.main,
        fittings=master.fittings,
        most_kw=master.most_kw,
        feeds=master.point.feeds,
        profile=profiles.pop(IMPORT, None),
        other_profiles=profiles,
        check=_check(master, window, start_us, rules),
        outages=master.outages,
        edits=window.edits,
        stated=master.stated,
    )


def _profiles(master: Master, window: Window) -> dict[Quantity, LoadProfile]:
    """Return the meters' own intervals, of the registers of which there are any."""
    if not window.own:
        return {}
    fittings = zip(master.main, master.fittings[IMPORT], strict=True)
    fitting_of = {one.installation_id: fitting for one, fitting in fittings}
    counted = [(fitting_of[one.installation_id], own) for one, own in window.own]
    every = {quantity: profile_of(counted, quantity) for quantity in REGISTERS}
    return {quantity: found for quantity, found in every.items() if found}


def _check(
    master: Master, window: Window, start_us: IntArray, rules: Rules
) -> Series | None:
    """Settle the check meter's import by itself."""
    if not len(window.check):
        return None
    alone = Evidence(
        calendar=master.calendar,
        readings=window.check,
        fittings=master.check_fittings,
        most_kw=master.most_kw,
        feeds=master.point.feeds,
        outages=master.outages,
    )
    settled = settle_span(alone, start_us, rules, length_min=LENGTH_MIN)
    return Series(start_us=settled.start_us, kwh=settled.import_kwh, firm=settled.firm)


def _before(conn: Connection[TupleRow], master: Master, window: Window) -> Series:
    point_id = master.point.point_id
    return load_history(conn, point_id, window.start - _HISTORY, window.start)


def _after(conn: Connection[TupleRow], master: Master, window: Window) -> Series:
    point_id = master.point.point_id
    return load_history(conn, point_id, window.stop, window.stop + _HISTORY)


def _last_year(conn: Connection[TupleRow], master: Master, window: Window) -> Series:
    """Load the same weeks of the year before, up to what is loaded anyway."""
    start = window.start - _YEAR - _FORTNIGHT
    stop = min(window.stop - _YEAR + _FORTNIGHT, window.start - _HISTORY)
    return load_history(conn, master.point.point_id, start, stop)


def joined_series(one: Series, other: Series) -> Series:
    """Lay two series end to end."""
    return Series(
        start_us=np.concatenate([one.start_us, other.start_us]),
        kwh=np.concatenate([one.kwh, other.kwh]),
        firm=np.concatenate([one.firm, other.firm]),
    )
