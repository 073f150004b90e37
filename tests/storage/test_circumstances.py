"""What happened around gaps, worked by hand; test_same_answers.py has TimescaleDB."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from analytics.completeness.circumstances import Doubt, NoSupply, Sitting
from analytics.settlement.verdict import Status, Verdict
from meters.quantity import COLUMN, Quantity
from meters.reading import utc_us
from meters.refusal import Reason, Refusal
from storage import circumstances
from storage.completeness import load_beginnings, load_settled_runs
from storage.database import connect
from storage.interval_store import ensure_partitions, store_intervals
from storage.master import apply_site
from storage.meter_counts import add_failed, summed
from storage.settled_days import SettledDay, store_settled_days
from tests.fix_timescale import Store
from tests.storage_data import (
    NOON,
    QUARTER,
    batch,
    intervals,
    meter,
    point,
    site,
    write,
)

HOUR = timedelta(hours=1)
NOON_US, HOUR_US = utc_us(NOON), 3_600_000_000


def polled(serial: str, unit: int, port: int = 502) -> dict[str, object]:
    line = {"transport": "modbus", "host": "10.0.0.9", "port": port, "unit": unit}
    return meter(serial, profile="eastron-sdm630", connection=line)


@pytest.fixture
def store(plain_database: str) -> Store:
    return Store(plain_database)


@pytest.fixture
def conn(store: Store):
    """One MQTT meter at point 1, three polled: two on a line, one alone."""
    points = [point(meter("A-1"), name="A")]
    for serial, unit, port in (("B-1", 1, 502), ("C-1", 2, 502), ("D-1", 1, 503)):
        points.append(point(polled(serial, unit, port), name=serial))
    with connect(store.url) as conn:
        apply_site(conn, site(points=points))
        ensure_partitions(conn, NOON, NOON)
        conn.commit()
        yield conn


def failed(conn, *polls: tuple[int, int]) -> None:
    """Count polls without an answer at noon, by meter."""
    meter_id, number = np.array(polls).T
    readings = np.zeros((len(polls), 5), np.int64)
    readings[:, 4] = number
    add_failed(conn, summed(meter_id, np.full(len(polls), NOON_US), readings), "modbus")
    conn.commit()


def test_meters_on_one_line_are_compared(conn, store: Store) -> None:
    # At noon B fails 30 of 40, C 4 of 12 polls, D all 50.
    failed(conn, (2, 30), (3, 4), (4, 50))
    write(store, batch(10, meter_id=2, every=timedelta(seconds=10)), transport="modbus")
    write(store, batch(8, meter_id=3, every=timedelta(seconds=10)), transport="modbus")
    hours = circumstances.load_meter_hours(conn, {2, 4}, np.array([NOON_US]))
    assert hours.meter_id.tolist() == [2, 4]
    assert hours.hour_us.tolist() == [NOON_US] * 2
    assert hours.answered.tolist() == [10, 0]
    assert hours.failed.tolist() == [30, 50]
    assert hours.on_line.tolist() == [2, 1]
    assert hours.least_failed == pytest.approx([4 / 12, 1.0])


def test_meters_that_send_have_no_line(conn, store: Store) -> None:
    write(store, batch(2))
    hours = circumstances.load_meter_hours(conn, {1}, np.array([NOON_US]))
    assert hours.answered.tolist() == [2]
    assert hours.on_line.tolist() == [0]
    nobody = circumstances.load_meter_hours(conn, {1}, np.array([NOON_US + HOUR_US]))
    assert nobody.meter_id.size == 0


def refusal(reason: Reason, at: datetime, readings: int = 1) -> Refusal:
    return Refusal(
        reason=reason,
        text="It cannot be.",
        source="keywatt/meters/A-1/readings",
        transport="mqtt",
        received_at=at,
        raw=b"x",
        meter_id=1,
        readings=readings,
    )


def test_of_what_was_refused_in_a_quarter_hour_the_most_is_told(conn, store) -> None:
    refusals = [
        refusal(Reason.NOT_JSON, NOON),
        refusal(Reason.OUT_OF_RANGE, NOON + timedelta(minutes=14), readings=2),
        refusal(Reason.NOT_JSON, NOON + QUARTER),
    ]
    write(store, batch(0), refusals)
    found = circumstances.load_refused(conn, {1}, NOON, NOON + HOUR)
    assert found == {
        (1, NOON_US): "out-of-range",
        (1, NOON_US + HOUR_US // 4): "not-json",
    }
    assert circumstances.load_refused(conn, {2}, NOON, NOON + HOUR) == {}


def test_hours_in_which_nothing_was_counted(conn, store: Store) -> None:
    asked = NOON_US + HOUR_US * np.arange(-1, 3)
    assert circumstances.load_idle_hours(conn, asked) == {}
    write(store, batch(1), transport="mqtt")
    failed(conn, (2, 1))
    idle = circumstances.load_idle_hours(conn, asked)
    # Polling began at noon. Of MQTT meters there is one: it may be its own silence.
    assert {name: hours.tolist() for name, hours in idle.items()} == {
        "modbus": [NOON_US + HOUR_US, NOON_US + 2 * HOUR_US]
    }


def test_in_which_quarter_hours_a_meter_was_read_without_its_register(
    conn, store: Store
) -> None:
    said = batch(3, start=NOON + timedelta(minutes=14, seconds=59))
    said.values[1, COLUMN[Quantity.ENERGY_IMPORT_KWH]] = np.nan
    write(store, said)
    asked = NOON_US + HOUR_US // 4 * np.arange(4)
    meters = np.array([1, 1, 1, 1])
    found = circumstances.load_without_register(conn, meters, asked)
    assert {meter_id: us.tolist() for meter_id, us in found.items()} == {
        1: [asked[1]]  # at 12:29:59
    }
    assert circumstances.load_without_register(conn, meters + 1, asked) == {}


def test_who_sat_there_and_when_the_supply_was_off(conn) -> None:
    conn.execute(
        "INSERT INTO supply_outage (point_id, start, stop, kind, reason, entered_by)"
        " VALUES (1, %(noon)s, %(one)s, 'planned', 'New relay', 'Li Wei'),"
        " (1, %(one)s, %(two)s, 'reported', 'Storm', 'Li Wei')",
        {"noon": NOON, "one": NOON + HOUR, "two": NOON + 2 * HOUR},
    )
    found = circumstances.load_no_supply(conn, [1, 2], NOON, NOON + HOUR)
    assert found == {
        1: (
            NoSupply(
                start_us=NOON_US,
                stop_us=NOON_US + HOUR_US,
                planned=True,
                reason="New relay",
            ),
        )
    }
    conn.execute(
        "UPDATE installation SET removed_at = %(at)s WHERE meter_id = 2", {"at": NOON}
    )
    came_us = utc_us(datetime(2018, 1, 1, tzinfo=UTC))
    sat = circumstances.load_sittings(conn, [1, 2])
    assert sat == {
        1: (Sitting(meter_id=1, transport="mqtt", from_us=came_us),),
        2: (Sitting(meter_id=2, transport="modbus", from_us=came_us, to_us=NOON_US),),
    }


def test_of_verdicts_only_those_that_make_energy_unbelievable_count(conn) -> None:
    def verdict(rule: str, status: Status, **figures: float) -> Verdict:
        stop_us = NOON_US + HOUR_US
        return Verdict(
            rule=rule, status=status, start_us=NOON_US, stop_us=stop_us, figures=figures
        )

    def judged(at: datetime, *verdicts: Verdict) -> SettledDay:
        return SettledDay(
            local_day=date(2026, 3, 2),
            ends_at=NOON + HOUR,
            rules="usual",
            settled_at=at,
            verdicts=verdicts,
        )

    fail = Status.FAIL
    was = judged(NOON + HOUR, verdict("cap", fail))
    store_settled_days(conn, 1, [was])
    now = judged(
        NOON + 2 * HOUR,
        verdict("spike", fail, highest_kw=900),
        verdict("stalled", Status.WARN),
        verdict("gap", fail),
        verdict("reverse", fail, reversed=1.0),
        verdict("reverse", fail, reversed=0.0),
    )
    store_settled_days(conn, 1, [now])
    day = date(2026, 3, 2)
    assert circumstances.load_doubts(conn, [1], day, day) == {
        1: (
            Doubt(rule="spike", start_us=NOON_US, stop_us=NOON_US + HOUR_US),
            Doubt(rule="reverse", start_us=NOON_US, stop_us=NOON_US + HOUR_US),
        )
    }


def test_what_is_settled_comes_by_quality_and_method(conn) -> None:
    stored = intervals([1.0, np.nan, 3.5, 2.0])
    stored.method[:] = ["", "no-reading", "", ""]
    store_intervals(conn, 1, stored, settled_at=NOON + HOUR)
    (runs,) = load_settled_runs(conn, [1, 2], NOON, NOON + 3 * QUARTER).values()
    told = [(r.quality, r.method, r.start_us.tolist()) for r in runs]
    quarter_us = HOUR_US // 4
    assert told == [
        ("measured", "", [NOON_US, NOON_US + 2 * quarter_us]),
        ("missing", "no-reading", [NOON_US + quarter_us]),
    ]
    assert runs[0].import_kwh.tolist() == [1.0, 3.5]
    assert np.isnan(runs[1].import_kwh).all()
    assert load_beginnings(conn, [1, 2]) == {1: NOON}
