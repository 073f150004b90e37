"""Killed in the middle, or two at once: nothing is half done, nothing done twice."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import pytest

from meters.reading import utc_us
from storage.database import connect
from storage.dirty import mark_days
from storage.intervals import load_intervals
from tests.fix_seeded_accounts import add_account
from tests.keywatt.settled_point import START, Point
from tests.registers import readings_of, write

DAYS = 62
END = START + timedelta(days=DAYS)
LATER = END + timedelta(minutes=1)
FIRST, LAST = date(2026, 3, 3), date(2026, 5, 3)
CHILD = """
import sys
from datetime import datetime
from keywatt.settling import settle_point
from storage.database import connect
with connect(sys.argv[1]) as conn:
    settle_point(conn, 1, datetime.fromisoformat(sys.argv[2]))
"""
HALVES = """
    SELECT count(*) FILTER (WHERE version = 2),
           (SELECT count(*) FROM energy_interval_past),
           count(*)
      FROM energy_interval
"""


@pytest.fixture
def point(database: str) -> Point:
    """Two passes of 31 days at 100 kW, settled; then a count is worth twice as much."""
    with connect(database) as conn:
        seeded = add_account(conn, "mill", read_at=None)
    point = Point(database, seeded.point_id, seeded.meter_id)
    write(database, readings_of(point.meter_id, START, np.full(96 * DAYS, 100.0)))
    point.settle(END)
    with connect(database) as conn:
        conn.execute("UPDATE installation SET ratio = 2")
        mark_days(conn, point.point_id, FIRST, LAST)
    return point


@pytest.fixture
def settlers() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def settler(point: Point) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", CHILD, point.url, LATER.isoformat()])


def row(point: Point, query: str) -> tuple[int, ...]:
    with connect(point.url) as conn:
        found = conn.execute(query).fetchone()
    assert found is not None
    return found


def all_then(point: Point) -> np.ndarray:
    with connect(point.url) as conn:
        return load_intervals(conn, 1, START, END, as_of=END).import_kwh


@pytest.mark.parametrize("passes", [0, 1])
def test_a_settler_that_is_killed_leaves_each_pass_done_or_not(
    point, settlers, passes
) -> None:
    with connect(point.url) as gate:
        # It stops where it would replace an interval of its first or second pass.
        held = START + timedelta(days=31 * passes)
        gate.execute("SELECT FROM energy_interval WHERE start = %s FOR UPDATE", (held,))
        settlers.append(settler(point))
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while row(point, waiting) == (0,):
            assert settlers[0].poll() is None
            time.sleep(0.02)
        os.kill(settlers[0].pid, signal.SIGKILL)
        settlers[0].wait()
        gate.rollback()
    # Its server process ends what it had begun, and lets go of the point.
    while row(point, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") != (
        0,
    ):
        time.sleep(0.02)
    replaced, past, every = row(point, HALVES)
    assert (replaced, past, every) == (96 * 31 * passes, 96 * 31 * passes, 96 * DAYS)
    dirty = row(point, "SELECT count(DISTINCT local_day) FROM dirty_point_day")
    assert dirty == (DAYS - 31 * passes,)
    assert (all_then(point) == 25).all()
    point.settle(LATER)
    assert row(point, HALVES) == (96 * DAYS, 96 * DAYS, 96 * DAYS)
    assert set(point.kwh()) == {50.0}
    assert (all_then(point) == 25).all()


def test_of_many_at_once_one_settles_a_point_and_once(point, settlers) -> None:
    settlers += [settler(point) for _ in range(3)]
    assert [process.wait(60) for process in settlers] == [0, 0, 0]
    point.settle(LATER)
    # Each interval was replaced once.
    assert row(point, HALVES) == (96 * DAYS, 96 * DAYS, 96 * DAYS)
    assert row(point, "SELECT count(*) FROM dirty_point_day") == (0,)
    assert utc_us(START) == point.intervals().start_us[0]
