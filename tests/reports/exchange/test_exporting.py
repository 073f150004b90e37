from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from reports.exchange.exporting import Format, Wish, export
from reports.exchange.form import ExchangeError
from reports.exchange.importing import import_files
from storage.database import connect
from storage.interval_store import store_intervals
from storage.meter_intervals import load_meter_intervals
from tests.reports.exchange.made import NOW, campus, content, entered, order
from tests.storage_data import intervals, meter, point, site

MIDNIGHT = datetime(2018, 11, 4, 7, tzinfo=UTC)  # of November 4th in Los Angeles
DAY = date(2018, 11, 4)  # of 100 quarter-hours
WISH = Wish(account="campus", first=DAY, last=DAY, format=Format.CSV, now=NOW)


@pytest.fixture
def conn(database):
    entered(database, campus(ratio=10))
    with connect(database) as conn:
        around = intervals(list(range(102)), MIDNIGHT - timedelta(minutes=15))
        store_intervals(conn, 1, around, settled_at=NOW)
        yield conn


def lines(conn, **said) -> list[str]:
    return export(conn, replace(WISH, **said)).data.decode().splitlines()


def test_days_are_the_accounts_own(conn) -> None:
    found = lines(conn)
    assert len(found) == 101
    assert found[1].startswith("campus,Main supply,2018-11-04T00:00-07:00,15,1.0,")
    assert found[-1].startswith("campus,Main supply,2018-11-04T23:45-08:00,15,100.0,")
    made = export(conn, WISH)
    assert (made.points, made.intervals, made.missing) == (("Main supply",), 100, 0)


def test_days_of_nem12_are_the_markets(conn) -> None:
    # November 5th of the market begins at 14:00 UTC of the 4th: 29 quarter-hours after
    # the first that is there, at 06:45.
    day = date(2018, 11, 5)
    found = lines(conn, format=Format.NEM12, first=day, last=day)
    assert found[1].split(",")[:2] == ["200", "KW00000001"]
    assert found[1].split(",")[6:9] == ["SD-1", "kWh", "15"]
    assert found[2].split(",")[1:4] == ["20181105", "29.000", "30.000"]
    assert found[3:5] == ["400,1,73,A,,", "400,74,96,N,,"]


def test_every_asked_day_is_in_a_file_of_nem12(conn) -> None:
    # Settled: from the market's 4th, 16:45, to its 5th, 18:15.
    asked = {"first": date(2018, 11, 2), "last": date(2018, 11, 6)}
    found = lines(conn, format=Format.NEM12, **asked)
    days = [line.split(",") for line in found if line.startswith("300")]
    days = days[:5]  # of import
    assert [day[1][-2:] for day in days] == ["02", "03", "04", "05", "06"]
    assert [day[98] for day in days] == ["N", "N", "V", "V", "N"]


@pytest.mark.parametrize("form", list(Format))
def test_every_format_is_written(conn, form) -> None:
    made = export(conn, replace(WISH, format=form))
    assert made.data
    assert made.intervals in (29, 100)  # of November 4th in the market: up to 14:00 UTC


def test_a_past_moment_can_be_asked_for(conn) -> None:
    corrected = intervals([77.0], MIDNIGHT)
    store_intervals(conn, 1, corrected, settled_at=NOW + timedelta(days=1))
    assert ",77.0," in lines(conn)[1]
    assert lines(conn)[1].split(",")[-2] == "2"
    then = lines(conn, as_of=NOW + timedelta(hours=1))
    assert (len(then), ",1.0," in then[1]) == (101, True)
    with pytest.raises(ExchangeError, match="was settled at 2026-03-19 12:00 UTC"):
        lines(conn, as_of=NOW - timedelta(days=1))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"account": "nobody"}, "No account is called nobody; there are: campus"),
        ({"point": "Attic"}, "No point 'Attic'; campus has: Main supply."),
        ({"last": date(2018, 11, 3)}, "2018-11-03 is before 2018-11-04; swap them."),
        (
            {"first": date(2020, 1, 1), "last": date(2020, 1, 2)},
            "Nothing of campus is settled from 2020-01-01 to 2020-01-02.",
        ),
    ],
)
def test_what_is_not_there_is_told(conn, said, told) -> None:
    with pytest.raises(ExchangeError, match=told):
        lines(conn, **said)


def test_an_export_comes_back_by_import(conn, database, tmp_path) -> None:
    points = [point(meter("SD-1", ratio=10)), point(meter("SD-2")) | {"name": "Hall"}]
    los_angeles = {"time_zone": "America/Los_Angeles", "country": "US"}
    conn.commit()
    entered(database, site(code="campus", points=points, **los_angeles))
    made = export(conn, replace(WISH, point="Main supply"))
    said = content(tmp_path, made.data, zone="UTC", point="Main supply")
    preview = import_files(
        conn, [said], order(apply=True, point="Main supply", skip_refused=False)
    )
    assert (preview.count("new"), preview.new_kwh) == (100, sum(range(1, 101)))
    known = load_meter_intervals(conn, 1, MIDNIGHT, MIDNIGHT + timedelta(days=2))
    np.testing.assert_allclose(known.import_kwh * 10, np.arange(1, 101))
    np.testing.assert_allclose(known.lagging_kvarh * 10, np.arange(1, 101) / 2)
