"""Measured data in, the same figures out: over both transports, on both databases."""

import asyncio
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from accounts.calendar import SiteCalendar
from analytics.settlement.intervals import Intervals, Quality
from meters.quantity import REGISTERS, Quantity
from meters.reading import from_utc_us
from simulators.replay_file import read_series
from simulators.replay_form import make_form
from tests.end_to_end.replaying import (
    Replay,
    brought_over,
    energy_only,
    over_modbus,
    over_mqtt,
    settled,
)
from tests.fix_database import new_database
from tests.support import shared_data

RESOLUTION = 0.001
"""Of both meters, in kWh and kvarh."""
TRANSPORTS = ["modbus", "mqtt"]
SEOUL = ZoneInfo("Asia/Seoul")
SAN_DIEGO = "America/Los_Angeles"
CAMPUS_METERS = ["EastCampus", "StudentServices"]
CLOCK_CHANGES = {"spring": (date(2018, 3, 11), 92), "autumn": (date(2018, 11, 4), 100)}


def steel_replay(code: str) -> Replay:
    form = {
        "time": "interval_end_local",
        "stamp": "end",
        "zone": "Asia/Seoul",
        "columns": {
            "energy_import_kwh": "usage_kwh",
            "energy_lagging_kvarh": "lagging_kvarh",
            "energy_leading_kvarh": "leading_kvarh",
        },
    }
    file = shared_data("steel_industry_kr") / "steel_2018_jan_aug.parquet"
    series = read_series(file, make_form(form, "test"))
    return Replay(code=code, series=series, zone="Asia/Seoul", country="KR")


def campus_replays(folder: Path) -> list[Replay]:
    """Five local days around each clock change, by the source's wall clock."""
    table = pq.read_table(shared_data("ucsd_campus_us") / "meters_15min.parquet")
    replays = []
    for season, (day, _) in CLOCK_CHANGES.items():
        first, stop = day - timedelta(days=2), day + timedelta(days=3)
        days = pc.cast(table["ts_local"], pa.date32())
        kept = pc.and_(pc.greater_equal(days, first), pc.less(days, stop))
        file = folder / f"{season}.parquet"
        pq.write_table(table.filter(kept).drop_columns("ts_utc"), file)
        for meter in CAMPUS_METERS:
            form = {
                "time": "ts_local",
                "zone": SAN_DIEGO,
                "columns": {"active_power_kw": "p_kw", "reactive_power_kvar": "q_kvar"},
                "where": {"meter_id": meter},
            }
            series = read_series(file, make_form(form, "test"))
            code = f"{meter.lower()}-{season}"
            replays.append(
                Replay(code=code, series=series, zone=SAN_DIEGO, country="US")
            )
    return replays


@pytest.fixture(scope="module", params=TRANSPORTS)
def steel(request, postgres, migrated_template, tmp_path_factory):
    """URL of a database with the collected readings of STEEL, and what was replayed."""
    replay = steel_replay(f"steel-{request.param}")
    with new_database(postgres, migrated_template) as database:
        if request.param == "modbus":
            profile = energy_only(tmp_path_factory.mktemp("profile"))
            counts = asyncio.run(over_modbus(database, [replay], profile))
        else:
            broker = request.getfixturevalue("iotcore")
            counts = asyncio.run(over_mqtt(database, broker, [replay]))
        assert counts.stored == 23_328 + 1  # the opening reading too
        assert counts.refused == 0
        yield database, replay


@pytest.fixture(scope="module", params=TRANSPORTS)
def campus(request, postgres, migrated_template, tmp_path_factory):
    """URL of a database with the collected readings of UCSD, and what was replayed."""
    replays = campus_replays(tmp_path_factory.mktemp("campus"))
    with new_database(postgres, migrated_template) as database:
        if request.param == "modbus":
            counts = asyncio.run(over_modbus(database, replays))
        else:
            broker = request.getfixturevalue("mosquitto")
            counts = asyncio.run(over_mqtt(database, broker, replays))
        assert counts.refused == 0
        yield database, replays


@pytest.mark.slow
def test_steel(steel) -> None:
    database, replay = steel
    expect_steel(settled(database, replay), replay)


@pytest.mark.slow
def test_steel_on_timescaledb(steel, timescale) -> None:
    database, replay = steel
    brought_over(database, timescale.url, [replay], copy=timescale.copy)
    expect_steel(settled(timescale.url, replay), replay)


@pytest.mark.slow
def test_clock_changes(campus) -> None:
    database, replays = campus
    for replay in replays:
        expect_clock_change(settled(database, replay), replay)


@pytest.mark.slow
def test_clock_changes_on_timescaledb(campus, timescale) -> None:
    database, replays = campus
    brought_over(database, timescale.url, replays, copy=timescale.copy)
    for replay in replays:
        expect_clock_change(settled(timescale.url, replay), replay)


def expect_steel(intervals: Intervals, replay: Replay) -> None:
    # Sums of the file's columns, January to August (docs/methods.md, Registers).
    assert len(intervals) == 23_328
    assert intervals.import_kwh.sum() == pytest.approx(671_433.60, abs=RESOLUTION)
    assert intervals.lagging_kvarh.sum() == pytest.approx(306_315.73, abs=RESOLUTION)
    assert intervals.leading_kvarh.sum() == pytest.approx(94_382.73, abs=RESOLUTION)
    highest = int(intervals.import_kwh.argmax())
    # 153.14 kWh in a quarter of an hour: 612.56 kW.
    assert intervals.import_kwh[highest] * 4 == pytest.approx(612.56, abs=RESOLUTION)
    starts_at = from_utc_us(intervals.start_us[highest]).astimezone(SEOUL)
    assert starts_at.isoformat() == "2018-01-15T13:30:00+09:00"
    expect_same(intervals, replay)


def expect_clock_change(intervals: Intervals, replay: Replay) -> None:
    day, quarter_hours = CLOCK_CHANGES[replay.code.rpartition("-")[2]]
    calendar = SiteCalendar(ZoneInfo(replay.zone), replay.country)
    days = [calendar.local_day(from_utc_us(us)) for us in intervals.start_us]
    counted = {each: days.count(each) for each in sorted(set(days))}
    assert counted == {
        day + timedelta(days=n): quarter_hours if n == 0 else 96 for n in range(-2, 3)
    }
    expect_same(intervals, replay)


def expect_same(intervals: Intervals, replay: Replay) -> None:
    """Nothing lost, nothing doubled: interval by interval what the file says."""
    np.testing.assert_array_equal(intervals.start_us, replay.series.start_us)
    assert set(intervals.quality) == {Quality.MEASURED}
    settled_as = {
        Quantity.ENERGY_IMPORT_KWH: intervals.import_kwh,
        Quantity.ENERGY_EXPORT_KWH: intervals.export_kwh,
        Quantity.ENERGY_LAGGING_KVARH: intervals.lagging_kvarh,
        Quantity.ENERGY_LEADING_KVARH: intervals.leading_kvarh,
    }
    for register, expected in zip(REGISTERS, replay.series.energy, strict=True):
        if not np.isnan(expected).all():
            # Two roundings of a register to whole counts, half a count each.
            np.testing.assert_allclose(
                settled_as[register], expected, rtol=0, atol=1.001 * RESOLUTION
            )
