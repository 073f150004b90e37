"""A register that was not read is not told to be measured."""

from datetime import date, timedelta

import numpy as np
import pytest

from meters.quantity import COLUMN, Quantity
from reports.exchange.exporting import Format, Wish, export
from storage.database import connect
from tests.fix_seeded_accounts import add_account
from tests.keywatt.settled_point import START, Point
from tests.registers import readings_of, write

NOW = START + timedelta(days=3, hours=1)
DAY = date(2026, 3, 4)


@pytest.fixture
def point(database) -> Point:
    """Three days of 25 kWh and 5 kvarh a quarter-hour, lagging energy with a hole.

    It is not read from the 110th boundary to the 139th: the 109th to the 139th
    interval are shared out, of March 4th (which begins with the 96th) the 14th to the
    44th when counted from one.
    """
    with connect(database) as conn:
        seeded = add_account(conn, "mill", read_at=None)
    read = readings_of(seeded.meter_id, START, np.full(96 * 3, 100.0))
    lagging = read.values[:, COLUMN[Quantity.ENERGY_LAGGING_KVARH]]
    lagging[:] = np.arange(lagging.size) * 5.0
    lagging[110:140] = np.nan
    write(database, read)
    made = Point(database, seeded.point_id, seeded.meter_id)
    made.settle(NOW)
    return made


def exported(point: Point, form: Format) -> str:
    with connect(point.url) as conn:
        wish = Wish(account="mill", first=DAY, last=DAY, format=form, now=NOW)
        return export(conn, wish).data.decode()


def test_nem12_says_which_register_was_shared_out(point) -> None:
    # Market time is an hour ahead of Seoul's: its March 4th begins 4 intervals earlier,
    # with the 92nd, so the hole is there from the 18th to the 48th interval.
    found = exported(point, Format.NEM12).splitlines()
    assert [line[-20:].split(",")[-5:-2] for line in found[2:3]] == [["A", "", ""]]
    assert found[3].split(",")[3] == "Q1"
    assert found[5:8] == [
        "400,1,17,A,,",
        "400,18,48,S24,0,Estimated: scaled",
        "400,49,96,A,,",
    ]


def test_a_line_of_csv_names_what_is_estimated_in_it(point) -> None:
    header, *lines = (
        line.split(",") for line in exported(point, Format.CSV).splitlines()
    )
    at = header.index("estimated_energies")
    told = [line[at] for line in lines]
    assert told == [""] * 13 + ["lagging_kvarh"] * 31 + [""] * 52
    assert {line[header.index("quality")] for line in lines} == {"measured"}


def test_green_button_says_so_of_the_register_alone(point) -> None:
    # As many as the intervals of the hole: 8 is estimated by like days.
    assert exported(point, Format.GREEN_BUTTON).count("quality>8<") == 31
