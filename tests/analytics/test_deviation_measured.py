"""The band and its hysteresis on a year of measured load, with faults put in.

The defaults (docs/methods.md, Deviation) gave over five buildings 3.1 false alarms an
account and 30 days; 94 % of one-hour drops to zero found, after 45 minutes (median).
Only two of the five are in the data, so they are held to bounds. Seen here: 1.2 and
2.0 alarms, 92 and 98 % found after 45 minutes.
"""

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from accounts.calendar import SiteCalendar
from analytics.deviation import Hysteresis, Verdict, expected_band, like_days, z_scores
from analytics.load import day_grid
from tests.support import shared_data

SAN_DIEGO = SiteCalendar(ZoneInfo("America/Los_Angeles"), "US")
HISTORY, FIRST, LAST = date(2018, 12, 1), date(2019, 3, 1), date(2020, 2, 29)
SLOTS = np.arange(96)
RULE = Hysteresis()


def openings(z) -> list[int]:
    """Walk through scores; return where an alert opens."""
    opened, is_open = [], False
    for i in np.flatnonzero(np.abs(z) < np.inf):
        verdict = RULE.judge(z[max(0, i - 7) : i + 1], is_open=is_open)
        if verdict is Verdict.OPEN:
            opened.append(int(i))
        is_open = verdict is Verdict.OPEN or (is_open and verdict is Verdict.STAY)
    return opened


@pytest.fixture(scope="module", params=["StudentServices", "EastCampus"])
def judged_year(request):
    """Load of the year's days, shape (366, 96), and the band of each."""
    table = pq.read_table(
        shared_data("ucsd_campus_us") / "meters_15min.parquet",
        columns=["ts_utc", "p_kw"],
        filters=pc.field("meter_id") == request.param,
    )
    days, slots = SAN_DIEGO.days_and_slots(table["ts_utc"].cast("int64").to_numpy())
    kept = (days >= np.datetime64(HISTORY)) & (days <= np.datetime64(LAST))
    power_kw = table["p_kw"].to_numpy().astype(float)
    grid = day_grid(power_kw[kept], days[kept], slots[kept])
    day_type = SAN_DIEGO.day_types(grid.days)
    complete = (~np.isnan(grid.power_kw)).sum(axis=1) >= 72
    bands = []
    for row in range(grid.row(FIRST), grid.days.size):
        like = like_days(day_type[:row], day_type[row], complete[:row])
        assert isinstance(like, np.ndarray)
        bands.append(expected_band(grid.power_kw[like]))
    return grid.power_kw[grid.row(FIRST) :], bands


def test_false_alarms_are_few(judged_year) -> None:
    load_kw, bands = judged_year
    pairs = zip(load_kw, bands, strict=True)
    z = np.concatenate([z_scores(day, SLOTS, band) for day, band in pairs])
    a_month = len(openings(z)) * 30 / len(bands)
    assert 0.5 < a_month < 3.1


def test_a_drop_to_zero_is_found(judged_year) -> None:
    """One hour, every day, from some quarter-hour between 08:00 and 18:00."""
    load_kw, bands = judged_year
    delays_min, drops = [], 0
    starts = np.random.default_rng(1).integers(32, 72, size=len(bands))
    for day_kw, band, start in zip(load_kw, bands, starts.tolist(), strict=True):
        window = slice(start - 8, start + 4)
        if np.isnan(day_kw[window]).any():
            continue
        dropped_kw = day_kw[window].copy()
        dropped_kw[8:] = 0.0
        found = openings(z_scores(dropped_kw, SLOTS[window], band))
        delays_min += [(i - 7) * 15 for i in found if i >= 8][:1]
        drops += 1
    assert drops > 350
    assert len(delays_min) / drops > 0.9
    assert np.median(delays_min) == 45
