"""Whatever comes when: what is stored sums to what the registers counted."""

from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from itertools import count, pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.calendar import SiteCalendar
from keywatt.settling import settle_point
from meters.quantity import COLUMN, QUANTITIES, Quantity
from meters.reading import ReadingBatch, utc_us
from storage.database import connect
from storage.intervals import load_daily, load_intervals
from storage.master import load_account
from tests.fix_seeded_accounts import INSERT_METER, add_account, add_load, scalar
from tests.keywatt.settled_point import START
from tests.registers import part, readings_of, write

START_US = utc_us(START)
MINUTE_US = 60_000_000


@dataclass
class Meter:
    """What one meter showed, from its first reading to its last."""

    digits: int
    minutes: list[int]
    counts: list[int]
    """Turns counted on."""
    change_min: int | None
    """From then on a count is worth ten times as much."""

    def energy(self) -> int:
        """Exact energy in counts of 0.01 kWh; half a count is rounded to even."""
        total = 0
        steps = zip(pairwise(self.minutes), pairwise(self.counts), strict=True)
        for (begin, end), (before, after) in steps:
            ran, change = after - before, self.change_min
            if change is None or end <= change:
                total += ran
            elif begin >= change:
                total += ran * 10
            else:
                # It runs ten times as far a minute before it as after.
                slow, fast = (change - begin) * 10, end - change
                early = round(Fraction(ran * slow, slow + fast))
                total += early + (ran - early) * 10
        return total


@st.composite
def points(draw) -> list[Meter]:
    """One or two meters over hours or days, with holes, turns and a new multiplier."""
    meters, minute = [], 0
    for _ in range(draw(st.integers(1, 2))):
        digits = draw(st.integers(5, 8))
        minutes, counts = [minute], [draw(st.integers(0, 10**digits - 1))]
        for _ in range(draw(st.integers(1, 8))):
            minute += draw(st.integers(1, 20) | st.integers(30, 2000))
            minutes.append(minute)
            counts.append(counts[-1] + draw(st.integers(0, 10**digits // 1000)))
        change = None
        if draw(st.booleans()):
            change = draw(st.integers(minutes[0] + 1, minutes[-1]))
        meters.append(Meter(digits, minutes, counts, change))
    last = meters[-1]
    last.minutes.append(-(-minute // 15) * 15 + 15)
    last.counts.append(last.counts[-1])
    return meters


SIT = """
    INSERT INTO installation (point_id, meter_id, installed_at, removed_at, ratio,
                              register_digits, register_resolution)
    VALUES (%(point_id)s, %(meter_id)s, %(since)s, %(until)s, 1, %(digits)s, 0.01)
    RETURNING installation_id
"""
CHANGE = "INSERT INTO multiplier_change VALUES (%s, %s, 10, 'Li Wei')"


def enter(conn, code: str, meters: list[Meter]) -> tuple[int, list[int]]:
    """An account with these meters at one point."""
    seeded = add_account(conn, code, contract_kw=None, tariff=None, read_at=None)
    conn.execute("DELETE FROM installation WHERE meter_id = %s", (seeded.meter_id,))
    ids = []
    for number, meter in enumerate(meters):
        meter_id = scalar(conn, INSERT_METER, {"serial": f"{code}-{number}"})
        last = meter is meters[-1]
        sat = {
            "point_id": seeded.point_id,
            "meter_id": meter_id,
            "since": START + timedelta(minutes=meter.minutes[0]),
            "until": None if last else START + timedelta(minutes=meter.minutes[-1]),
            "digits": meter.digits,
        }
        installation_id = scalar(conn, SIT, sat)
        if meter.change_min is not None:
            since = START + timedelta(minutes=meter.change_min)
            conn.execute(CHANGE, (installation_id, since))
        ids.append(meter_id)
    return seeded.point_id, ids


def said(meters: list[Meter], ids: list[int]) -> ReadingBatch:
    rows = [
        (meter_id, minute, counts % 10**meter.digits / 100)
        for meter, meter_id in zip(meters, ids, strict=True)
        for minute, counts in zip(meter.minutes, meter.counts, strict=True)
    ]
    values = np.full((len(rows), len(QUANTITIES)), np.nan)
    values[:, COLUMN[Quantity.ENERGY_IMPORT_KWH]] = [shown for _, _, shown in rows]
    at_us = START_US + MINUTE_US * np.array([minute for _, minute, _ in rows])
    return ReadingBatch(
        meter_id=np.array([meter_id for meter_id, _, _ in rows], dtype=np.int32),
        measured_us=at_us,
        received_us=at_us,
        values=values,
    )


codes = count(1)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(points(), st.data())
def test_in_whatever_order_readings_come_intervals_sum_to_the_registers(
    database, meters, data
) -> None:
    with connect(database) as conn:
        point_id, ids = enter(conn, f"a{next(codes)}", meters)
    batch = said(meters, ids)
    order = data.draw(st.permutations(range(len(batch))))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(batch) - 1), max_size=2)))
    end = START + timedelta(minutes=meters[-1].minutes[-1])
    for first, stop in pairwise([0, *cuts, len(batch)]):
        write(database, part(batch, np.array(order[first:stop])))
        with connect(database) as conn:
            settle_point(conn, point_id, end)
    with connect(database) as conn:
        settled = load_intervals(conn, point_id, START, end)
    assert len(settled) == meters[-1].minutes[-1] // 15
    assert settled.import_kwh.sum() * 100 == pytest.approx(
        sum(meter.energy() for meter in meters), abs=1e-3
    )


@pytest.mark.parametrize(
    ("zone", "country", "day", "quarters"),
    [
        ("America/Los_Angeles", "US", date(2026, 3, 8), 92),
        ("America/Los_Angeles", "US", date(2026, 11, 1), 100),
        ("Europe/Berlin", "DE", date(2026, 3, 29), 92),
        ("Europe/Berlin", "DE", date(2026, 10, 25), 100),
    ],
)
def test_a_gap_over_a_clock_change_is_filled_and_keeps_its_sum(
    database, zone, country, day, quarters
) -> None:
    with connect(database) as conn:
        seeded = add_account(conn, "site", zone=zone, country=country, read_at=None)
        account = load_account(conn, "site")
        calendar = SiteCalendar(account.time_zone, country)
        first = day - timedelta(days=21)
        begin = calendar.day_bounds(first)[0]
        start, stop = calendar.day_bounds(day)
        known = int((start - begin).total_seconds()) // 900
        add_load(conn, seeded.point_id, begin, 100.0 + np.arange(known) % 7)
    load_kw = 100.0 + np.arange(quarters) % 5
    every = readings_of(seeded.meter_id, start, load_kw)
    # From 01:00 on for five hours of the clock's day nothing was read.
    read = np.delete(np.arange(quarters + 1), np.arange(5, 24))
    write(database, part(every, read))
    with connect(database) as conn:
        settle_point(conn, seeded.point_id, stop)
        settled = load_intervals(conn, seeded.point_id, start, stop)
        [of_day] = load_daily(conn, seeded.point_id, day, day)
    assert len(settled) == quarters
    assert settled.method.tolist().count("scaled") == 20
    assert settled.import_kwh.sum() == pytest.approx(load_kw.sum() / 4, abs=1e-6)
    assert of_day.import_kwh == pytest.approx(load_kw.sum() / 4, abs=1e-6)
    assert (of_day.hours, of_day.estimated) == (quarters / 4, 20)


def test_a_meter_that_was_silent_for_months_loses_nothing(database) -> None:
    days = 100
    with connect(database) as conn:
        seeded = add_account(conn, "site", read_at=None)
    every = readings_of(seeded.meter_id, START, np.full(96 * days, 100.0))
    write(database, part(every, slice(96 * 20 + 1)))
    with connect(database) as conn:
        settle_point(conn, seeded.point_id, START + timedelta(days=80))
    write(database, part(every, slice(96 * 90, None)))
    end = START + timedelta(days=days)
    with connect(database) as conn:
        settle_point(conn, seeded.point_id, end)
        settled = load_intervals(conn, seeded.point_id, START, end)
    assert len(settled) == 96 * days
    assert settled.import_kwh.sum() == pytest.approx(96 * days * 25, abs=1e-6)
    quality = settled.quality.reshape(days, 96)
    assert set(quality[:20].ravel()) == set(quality[90:].ravel()) == {"measured"}
    assert set(quality[20:90].ravel()) == {"estimated"}
