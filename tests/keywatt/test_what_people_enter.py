"""What people enter is what energy is settled with, and was settled with before."""

import tomllib
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from accounts.supply import Outage
from analytics.settlement.ruleset import rule_sets_of
from keywatt.settling import settle_point
from storage.database import connect
from storage.intervals import load_intervals
from storage.master import apply_site, load_meters, load_point
from storage.outages import add_outage, remove_outage
from storage.rule_sets import apply_rule_sets
from storage.settled_days import load_settled_days
from tests.registers import part, readings_of, write
from tests.storage_data import meter, site
from tests.storage_data import point as site_point

# Midnight of 3 March in Shanghai.
START = datetime(2026, 3, 2, 16, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
NOW = START + 8 * QUARTER
LOAD_KW = np.array([100.0, 120.0, 80.0, 100.0, 200.0, 100.0, 100.0, 100.0])
"""25, 30, 20, 25, 50, 25, 25 and 25 kWh."""


class Mill:
    """One point, settled whenever something was entered."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.enter(meter("A"))

    def enter(self, *meters: dict[str, object]) -> None:
        with connect(self.url) as conn:
            apply_site(conn, site(points=[site_point(*meters)]), NOW)

    def meter_id(self, serial: str) -> int:
        with connect(self.url) as conn:
            return next(
                m.meter_id for m in load_meters(conn, NOW) if m.serial == serial
            )

    def settle(self):
        with connect(self.url) as conn:
            settle_point(conn, 1, NOW)
            return load_intervals(conn, 1, START, NOW)

    def kwh(self) -> list[float]:
        return self.settle().import_kwh.tolist()


@pytest.fixture
def mill(database: str) -> Mill:
    return Mill(database)


def test_other_transformers_count_from_their_moment_on(mill) -> None:
    write(mill.url, readings_of(1, START, LOAD_KW))
    assert mill.kwh() == [25, 30, 20, 25, 50, 25, 25, 25]
    # In the middle of the third. The load goes on as it was, so its display, slower by
    # half from then on, showed 2/3 of its 20 counted kWh before and 1/3 after:
    # 13.33 + 2 x 6.67 = 26.67.
    change = {"since": START + 2.5 * QUARTER, "ct": "10/5"}
    mill.enter(meter("A", multiplier_changes=[change]))
    assert mill.kwh() == [25, 30, 26.67, 50, 100, 50, 50, 50]
    mill.enter(meter("A"))
    assert mill.kwh() == [25, 30, 20, 25, 50, 25, 25, 25]


def test_what_displays_showed_makes_a_swap_exact(mill) -> None:
    # The old meter is read until 00:15 and leaves at 00:30; the new one's first reading
    # is of 00:45, at 20 kWh more than it came with.
    swap = START + 2 * QUARTER
    old, new = meter("A", removed_at=swap), meter("B", installed_at=swap)
    mill.enter(old, new)
    every = readings_of(1, START, LOAD_KW)
    write(mill.url, part(every, slice(2)))
    later = readings_of(mill.meter_id("B"), swap, LOAD_KW[2:])
    write(mill.url, part(later, slice(1, None)))
    before = mill.settle()
    assert before.quality.tolist()[1:3] != ["measured", "measured"]
    noted = {"energy_import_kwh": 55.0}
    opening = {"energy_import_kwh": 0.0}
    mill.enter(old | {"closing": noted}, new | {"opening": opening})
    settled = mill.settle()
    assert settled.import_kwh.tolist() == [25, 30, 20, 25, 50, 25, 25, 25]
    assert settled.quality.tolist() == ["measured"] * 8


def test_an_outage_is_zero_by_right(mill) -> None:
    # Nothing is read from 00:45 on; the last quarter-hour may still come.
    write(mill.url, part(readings_of(1, START, LOAD_KW), slice(4)))
    assert mill.settle().quality.tolist()[3:] == ["missing"] * 4
    outage = Outage(
        start=START + 3 * QUARTER, stop=NOW, kind="reported", reason="Cable fault"
    )
    with connect(mill.url) as conn:
        point = load_point(conn, 1)
        entered, days = add_outage(conn, point, outage, by="anna", now=NOW)
    assert days == 1
    assert mill.kwh() == [25, 30, 20, 0, 0, 0, 0]
    with connect(mill.url) as conn:
        remove_outage(conn, entered.outage_id, reason="Wrong", by="anna", now=NOW)
    assert mill.settle().quality.tolist()[3:] == ["missing"] * 4


def test_a_day_is_judged_by_the_rules_that_count(mill) -> None:
    write(mill.url, readings_of(1, START, LOAD_KW))
    mill.settle()
    text = """
        [[rule_sets]]
        code = "lenient"
        valid_from = 2026-03-03
        rules = { spike.severity = "off", gap.severity = "warn" }
    """
    day = date(2026, 3, 3)
    with connect(mill.url) as conn:
        (before,) = load_settled_days(conn, 1, day, day)
        assert before.rules == "usual"
        rule_sets = rule_sets_of(tomllib.loads(text), "rules.toml")
        apply_rule_sets(conn, text, rule_sets, by="anna", now=NOW)
    mill.settle()
    with connect(mill.url) as conn:
        newest = load_settled_days(conn, 1, day, day)[-1]
    assert newest.rules == "lenient"
    assert NOW.astimezone(ZoneInfo("Asia/Shanghai")).date() == day
