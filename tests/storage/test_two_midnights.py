"""Where clocks are put back at midnight, days begin at the first of two midnights.

In Havana clocks went from 01:00 back to 00:00 on 1 November 2026 (05:00 UTC): the day
began at 04:00 UTC and had 25 hours, 100 quarter-hours.
"""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from analytics.settlement.intervals import Intervals
from meters.reading import utc_us
from storage.bill_changes import load_bill_changes
from storage.bills import load_billed_energy, load_bills, pin_bill
from storage.closures import close
from storage.database import connect
from storage.interval_store import ENSURE_PARTITIONS, store_intervals
from storage.settled_days import load_settled_days
from tests.fix_seeded_accounts import QUARTER_US, add_account

OCTOBER, NOVEMBER = date(2026, 10, 31), date(2026, 11, 1)
BEGINS = datetime(2026, 11, 1, 4, tzinfo=UTC)
ENDS = BEGINS + timedelta(hours=25)
SETTLED = datetime(2026, 11, 3, tzinfo=UTC)


@pytest.fixture
def conn(database):
    with connect(database) as conn:
        add_account(conn, "mill", read_at=None, zone="America/Havana", country="CU")
        yield conn


def store(conn, begin, kwh, at=SETTLED) -> None:
    none = np.full(len(kwh), np.nan)
    intervals = Intervals(
        start_us=utc_us(begin) + QUARTER_US * np.arange(len(kwh)),
        length_min=15,
        import_kwh=np.array(kwh, dtype=np.float64),
        export_kwh=none,
        lagging_kvarh=none,
        leading_kvarh=none,
        quality=np.full(len(kwh), "measured"),
        method=np.full(len(kwh), ""),
    )
    store_intervals(conn, 1, intervals, settled_at=at)


def test_a_bill_is_of_whole_local_days(conn) -> None:
    store(conn, BEGINS - timedelta(hours=24), [1.0] * 96 + [2.0] * 100 + [4.0] * 4)
    october, november = (
        pin_bill(conn, 1, day, day, as_of=SETTLED, by="Mei Tan")
        for day in (OCTOBER, NOVEMBER)
    )
    billed = [load_billed_energy(conn, bill)[0] for bill in (october, november)]
    assert [(of.import_kwh, of.measured) for of in billed] == [(96, 96), (200, 100)]
    bounds = [(bill.starts_at, bill.stops_at) for bill in load_bills(conn)]
    assert bounds == [(BEGINS - timedelta(hours=24), BEGINS), (BEGINS, ENDS)]


def test_a_change_in_the_first_of_two_midnights_is_of_its_bill(conn) -> None:
    store(conn, BEGINS - timedelta(hours=24), [1.0] * 196)
    for day in (OCTOBER, NOVEMBER):
        pin_bill(conn, 1, day, day, as_of=SETTLED, by="Mei Tan")
    store(conn, BEGINS, [3.0], at=SETTLED + timedelta(days=1))
    (change,) = load_bill_changes(conn)
    assert (change.first_day, change.change_kwh) == (NOVEMBER, 2)


def test_a_judged_day_has_its_hours(conn) -> None:
    conn.execute(ENSURE_PARTITIONS, {"first": BEGINS, "last": ENDS})
    conn.execute(
        "INSERT INTO settled_day (point_id, local_day, settled_at, rules, worst,"
        " verdicts, held) VALUES (1, '2026-11-01', now(), 'default', 0, '[]',"
        """ '{"cap": {"status": 0, "figures": {}}}')"""
    )
    (day,) = load_settled_days(conn, 1, NOVEMBER, NOVEMBER)
    (cap,) = day.verdicts
    assert day.ends_at == ENDS
    assert (cap.start_us, cap.stop_us) == (utc_us(BEGINS), utc_us(ENDS))


def test_a_closed_day_is_settled_again_for_its_first_hour(conn) -> None:
    store(conn, BEGINS, [1.0] * 4)
    conn.execute("DELETE FROM dirty_point_day")
    close(conn, 1, [NOVEMBER], reason="holiday", by="Li Wei", now=SETTLED)
    marked = conn.execute("SELECT DISTINCT local_day FROM dirty_point_day").fetchall()
    assert marked == [(NOVEMBER,)]
