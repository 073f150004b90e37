"""One interval, walked back to readings, rules, estimates, edits and bills."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from analytics.settlement.edited_values import EditedValues
from analytics.settlement.verdict import Status
from dashboard.trace_markup import _own
from meters.reading import utc_us
from reports.exchange.importing import import_files
from reports.interval_trace import TraceError, interval_trace
from reports.writing import Reader
from storage.bills import pin_bill
from storage.database import connect
from storage.edits import store_edit
from storage.master import UnknownAccountError
from tests.fix_seeded_accounts import add_account
from tests.keywatt.settled_point import LOAD_KW, QUARTER, START, Point
from tests.registers import part, readings_of, write
from tests.reports.exchange.made import campus, content, entered, order

NOW = START + 8 * QUARTER
GAP = START + 3 * QUARTER
LATER = START + timedelta(days=1, hours=1)


@pytest.fixture
def point(database: str) -> Point:
    """Boundaries 3 and 4 were not read: 95 kWh are shared out over three intervals."""
    with connect(database) as conn:
        seeded = add_account(conn, "mill", read_at=None)
        conn.execute(
            "INSERT INTO multiplier_change VALUES (1, %s, 2, 'Li Wei')",
            (START + 6 * QUARTER + timedelta(minutes=4),),
        )
        conn.execute(
            "INSERT INTO quarantine (received_at, transport, source, meter_id, reason,"
            ' "text", readings, raw)'
            " VALUES (%s, 'mqtt', 'mill', %s, 'not-json', 'Not JSON.', 1, '')",
            (GAP + timedelta(minutes=2), seeded.meter_id),
        )
        conn.execute(
            "INSERT INTO supply_outage (point_id, start, stop, kind, reason,"
            " entered_by) VALUES (1, %s, %s, 'planned', 'Works', 'Li Wei')",
            (GAP, GAP + timedelta(minutes=1)),
        )
    point = Point(database, seeded.point_id, seeded.meter_id)
    every = readings_of(point.meter_id, START, LOAD_KW)
    write(point.url, part(every, np.array([0, 1, 2, 5, 6, 7, 8])))
    point.settle(NOW)
    return point


def test_an_interval_walks_back_to_all_that_led_to_it(point) -> None:
    start_us = np.array([utc_us(GAP)])
    with connect(point.url) as conn:
        values = EditedValues.of_import(start_us, np.array([24.5]))
        edit_id = store_edit(conn, 1, values, reason="By hand", by="Li Wei", at=NOW)
    point.settle(LATER)
    with connect(point.url) as conn:
        day = (GAP + timedelta(hours=9)).date()  # in Seoul
        pin_bill(conn, 1, day, day, as_of=LATER, by="Mei Tan")
        found = interval_trace(conn, "mill", "Main supply", GAP + timedelta(minutes=7))
    assert (found.start, found.stop, found.local_day) == (GAP, GAP + QUARTER, day)
    edited, estimated = found.versions
    assert found.now == edited
    assert (edited.import_kwh, edited.quality, edited.version) == (24.5, "edited", 2)
    assert (estimated.quality, estimated.method) == ("estimated", "linear")
    assert (estimated.settled_at, estimated.replaced_at) == (NOW, LATER)
    assert [(e.edit_id, e.was_quality) for e in found.edits] == [(edit_id, "estimated")]
    [traced] = found.meters
    assert traced.meter.serial == "M-mill"
    assert (traced.meter.multiplier, traced.meter.changes_at) == (Decimal(1), None)
    # Two readings on either side of the gap, at boundaries 1, 2, 5 and 6.
    assert [r.import_counts for r in traced.readings] == [2500, 5500, 15000, 17500]
    assert traced.readings[1].measured_at == START + 2 * QUARTER
    assert [one.reason for one in found.refused] == ["not-json"]
    assert [one.bill_id for one in found.bills] == [1]
    assert len(found.outages) == 1
    assert found.rules == "usual"
    assert found.verdicts[-1].status <= Status.SKIPPED
    assert "plausible" in {one.rule for one in found.verdicts}


def test_a_verdict_elsewhere_on_the_day_is_not_shown(point) -> None:
    with connect(point.url) as conn:
        gap = interval_trace(conn, "mill", "", GAP)
        beside = interval_trace(conn, "mill", "", START)
    assert {v.rule for v in gap.verdicts if v.status > Status.SKIPPED} == {"gap"}
    assert not [v for v in beside.verdicts if v.status > Status.SKIPPED]


def test_a_multiplier_that_changes_within_the_interval_is_told(point) -> None:
    with connect(point.url) as conn:
        [inside] = interval_trace(conn, "mill", "", START + 6 * QUARTER).meters
        [after] = interval_trace(conn, "mill", "", START + 7 * QUARTER).meters
    assert inside.meter.multiplier == 1
    assert inside.meter.changes_to == 2
    assert inside.meter.changes_at == START + 6 * QUARTER + timedelta(minutes=4)
    assert (after.meter.multiplier, after.meter.changes_at) == (2, None)


def test_what_came_in_a_file_names_the_file(database, tmp_path) -> None:
    entered(database, campus(ratio=60))
    start = datetime(2019, 11, 1, 7, tzinfo=UTC)
    text = "t,kwh\n2019-11-01 07:00,90\n2019-11-01 07:15,96\n"
    said = {"zone": "UTC", "columns": {"time": "t", "import_kwh": "kwh"}}
    with connect(database) as conn:
        read = content(tmp_path, text, "november.csv", **said)
        assert import_files(conn, [read], order(apply=True)).applied
        [traced] = interval_trace(conn, "campus", "", start).meters
        [beside] = interval_trace(conn, "campus", "", start - QUARTER).meters
    # 90 kWh in the file, by a multiplier of 60.
    own = traced.own
    assert own is not None
    assert own.import_kwh == 1.5
    assert own.file is not None
    assert (own.file.name, own.file.imported_by) == ("november.csv", "Li Wei")
    assert beside.own is None
    told = _own(own, Reader())
    assert told.startswith('<div class="kw-note">File november.csv, imported by Li Wei')
    its_own = _own(replace(own, file=None), Reader())
    assert "It counted 1.5 kWh in the 15 minutes from Fri 1 Nov 07:00 itself" in its_own


def test_an_hour_that_came_in_a_file_is_told_at_each_of_its_quarters(
    database, tmp_path
) -> None:
    entered(database, campus())
    start = datetime(2019, 11, 1, 7, tzinfo=UTC)
    text = "t,kwh\n2019-11-01 07:00,90\n2019-11-01 08:00,96\n"
    said = {"zone": "UTC", "columns": {"time": "t", "import_kwh": "kwh"}}
    with connect(database) as conn:
        read = content(tmp_path, text, "november.csv", **said)
        assert import_files(conn, [read], order(apply=True)).applied
        for row in (0, 3, 4, 8):
            [its] = interval_trace(conn, "campus", "", start + row * QUARTER).meters
            told = None if its.own is None else (its.own.import_kwh, its.own.length_min)
            assert told == {0: (90, 60), 3: (90, 60), 4: (96, 60), 8: None}[row]


def test_what_was_never_settled_has_no_versions(point) -> None:
    with connect(point.url) as conn:
        found = interval_trace(conn, "mill", "", START - timedelta(days=40))
    assert (found.versions, found.now, found.rules, found.verdicts) == (
        (),
        None,
        None,
        (),
    )


def test_who_is_not_there_is_named(point) -> None:
    with connect(point.url) as conn:
        with pytest.raises(UnknownAccountError, match="mill"):
            interval_trace(conn, "mell", "", GAP)
        with pytest.raises(TraceError, match="there are: Main supply"):
            interval_trace(conn, "mill", "Hall", GAP)
