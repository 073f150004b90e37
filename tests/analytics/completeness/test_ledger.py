"""The ledger closes, whatever is stored and whoever sat there."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.calendar import SiteCalendar
from analytics.completeness.cause import Cause
from analytics.completeness.circumstances import QUARTER_US, Circumstances, Sitting
from analytics.completeness.ledger import (
    Category,
    Count,
    Kind,
    SettledRun,
    Unsettled,
    counts_by_day,
    entries_of,
    total,
    with_causes,
)
from meters.reading import utc_us

BERLIN = SiteCalendar(ZoneInfo("Europe/Berlin"), "DE")
NEW_YORK = SiteCalendar(ZoneInfo("America/New_York"), "US")
QUALITIES = (
    ("measured", ""),
    ("estimated", "linear"),
    ("estimated", "scaled"),
    ("estimated", "interpolated"),
    ("edited", "agreed"),
    ("missing", "no-reading"),
    ("missing", "implausible-register"),
)


def run(
    quality: str, method: str, start_us: np.ndarray, kwh: float = 1.0
) -> SettledRun:
    known = np.nan if quality == "missing" else kwh
    return SettledRun(
        quality=quality,
        method=method,
        start_us=start_us,
        import_kwh=np.full(start_us.size, known),
    )


def sat(calendar: SiteCalendar, day: date) -> Circumstances:
    """One meter from the beginning of a day."""
    from_us = utc_us(calendar.day_bounds(day)[0])
    return Circumstances(
        sittings=(Sitting(meter_id=1, transport="mqtt", from_us=from_us),)
    )


@given(data=st.data())
def test_expected_is_the_sum_of_all_that_became_of_it(data) -> None:
    calendar = data.draw(st.sampled_from([BERLIN, NEW_YORK]))
    first = data.draw(
        st.sampled_from([date(2026, 3, 7), date(2026, 3, 28), date(2026, 10, 24)])
    )
    days = [first + timedelta(days=n) for n in range(data.draw(st.integers(1, 4)))]
    grid = calendar.quarter_hours_us(days[0], days[-1])
    # Also some before and after, and some off the grid, as none should be.
    around = np.arange(grid[0] - 8 * QUARTER_US, grid[-1] + 8 * QUARTER_US, QUARTER_US)
    stored = data.draw(
        st.lists(
            st.integers(-1, len(QUALITIES) - 1),
            min_size=around.size,
            max_size=around.size,
        ).map(np.array)
    )
    runs = [
        run(quality, method, around[stored == i])
        for i, (quality, method) in enumerate(QUALITIES)
    ]
    runs.append(run("measured", "", around[:3] + 1))
    at = st.integers(int(around[0]), int(around[-1]))
    sittings = tuple(
        Sitting(meter_id=n, transport="modbus", from_us=first_us, to_us=first_us + far)
        for n, (first_us, far) in enumerate(
            data.draw(st.lists(st.tuples(at, st.integers(1, 10**11)), max_size=3)), 1
        )
    )
    about = Circumstances(sittings=sittings)
    entries = entries_of(
        days,
        calendar,
        runs,
        about,
        now_us=data.draw(at),
        begins_us=data.draw(st.none() | at),
    )
    counts = counts_by_day(with_causes(entries, about))
    hours = [
        (stop - start).total_seconds() / 3600
        for start, stop in map(calendar.day_bounds, days)
    ]
    assert [sum(one.intervals for one in day) for day in counts] == [
        round(4 * n) for n in hours
    ]
    # And each settled one is where it was put.
    inside = np.isin(around, grid)
    for quality in ("measured", "estimated", "edited"):
        wanted = [i for i, (name, _) in enumerate(QUALITIES) if name == quality]
        found = sum(
            one.intervals
            for day in counts
            for one in day
            if one.kind.category == quality
        )
        assert found == int((np.isin(stored, wanted) & inside).sum())
    for day in counts:
        for one in day:
            unsure = one.kind.category in {Category.ESTIMATED, Category.MISSING}
            assert not unsure or one.kind.cause in set(Cause)


@pytest.mark.parametrize(
    ("calendar", "day", "expected"),
    [
        (BERLIN, date(2026, 3, 29), 92),
        (BERLIN, date(2026, 10, 25), 100),
        (NEW_YORK, date(2026, 3, 8), 92),
        (NEW_YORK, date(2026, 11, 1), 100),
        (BERLIN, date(2026, 3, 30), 96),
    ],
)
def test_days_on_which_clocks_change(calendar, day, expected) -> None:
    grid = calendar.quarter_hours_us(day, day)
    entries = entries_of(
        [day],
        calendar,
        [run("measured", "", grid[:-3], 0.25), run("estimated", "linear", grid[-2:])],
        sat(calendar, day),
        now_us=int(grid[-1]) + QUARTER_US,
        begins_us=int(grid[0]),
    )
    (counts,) = counts_by_day(with_causes(entries, sat(calendar, day)))
    measured, estimated, waiting = counts
    # All but the last three measured, the last two estimated, one between them waits.
    assert measured == Count(
        kind=Kind(category=Category.MEASURED),
        intervals=expected - 3,
        import_kwh=(expected - 3) / 4,
    )
    assert (estimated.kind.method, estimated.kind.cause) == ("linear", "meter-silent")
    assert (estimated.intervals, estimated.import_kwh) == (2, 2.0)
    assert waiting.kind == Kind(category=Category.NOT_SETTLED, cause=Unsettled.WAITING)
    assert (waiting.intervals, waiting.import_kwh) == (1, None)


def test_what_is_not_settled_says_why_not() -> None:
    """A meter from 06:00 on, first read at 08:00, settled to 10:00, now 10:20."""
    day = date(2026, 6, 3)

    def at(hour: int, minute: int = 0) -> int:
        return utc_us(datetime(2026, 6, 3, hour, minute, tzinfo=BERLIN.time_zone))

    sitting = Sitting(meter_id=1, transport="mqtt", from_us=at(6))
    grid = BERLIN.quarter_hours_us(day, day)
    settled = grid[(grid >= at(8)) & (grid < at(10))]
    entries = entries_of(
        [day],
        BERLIN,
        [run("measured", "", settled)],
        Circumstances(sittings=(sitting,)),
        now_us=at(10, 20),
        begins_us=at(8),
    )
    (counts,) = counts_by_day(entries)
    by_cause = {one.kind.cause: one.intervals for one in counts}
    # 10:00 to 10:15 is over and waits; 10:15 on is not: 96 - 41 quarter-hours.
    assert by_cause == {
        "": 8,
        "not-installed": 24,
        "not-begun": 8,
        "waiting": 1,
        "not-due": 55,
    }


def test_totals_add_up_kind_by_kind() -> None:
    kind, other = Kind(category=Category.MEASURED), Kind(category=Category.MISSING)
    sums = total(
        [
            Count(kind=other, intervals=1, import_kwh=None),
            Count(kind=kind, intervals=2, import_kwh=0.1),
            Count(kind=kind, intervals=3, import_kwh=0.2),
        ]
    )
    assert sums == (
        Count(kind=kind, intervals=5, import_kwh=0.3),
        Count(kind=other, intervals=1, import_kwh=None),
    )
