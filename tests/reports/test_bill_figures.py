"""A bill's energy and cost, worked out by hand, and the same whenever it is asked."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from accounts.tariff import Prices
from reports.bill_figures import bill_figures
from storage.bills import BillError, pin_bill
from storage.database import connect
from storage.interval_store import delete_intervals
from tests.fix_seeded_accounts import (
    INSERT_CONTRACT,
    INSERT_POINT,
    INSERT_TARIFF,
    QUARTER_US,
    TARIFF,
    add_account,
    add_load,
    scalar,
)

# Midnight of 1 March in Seoul; March has 31 x 96 = 2976 quarter-hours.
START = datetime(2026, 2, 28, 15, tzinfo=UTC)
MARCH = 2976
SETTLED = datetime(2026, 4, 2, tzinfo=UTC)
PINNED = datetime(2026, 4, 3, tzinfo=UTC)
HOLD_UNTIL = "UPDATE contract SET valid_to = %s WHERE valid_to IS NULL"
DEARER = TARIFF.model_copy(
    update={
        "code": "dearer",
        "price_per_kwh": Prices(valley="70", flat="110.5", peak="160"),
        "demand_price_per_kw_month": Decimal(9000),
    }
)


@pytest.fixture
def conn(database):
    with connect(database) as conn:
        yield conn


def hold_from(conn, account_id: int, tariff, since: datetime) -> None:
    """Let a tariff hold from a moment on, as a site file does."""
    form = {"code": tariff.code, "definition": tariff.model_dump_json()}
    tariff_id = scalar(conn, INSERT_TARIFF, form)
    conn.execute(HOLD_UNTIL, (since,))
    held = INSERT_CONTRACT.replace("'-infinity'", "%(since)s")
    named = {"account_id": account_id, "tariff_id": tariff_id, "since": since}
    conn.execute(held, named)


def pin(conn, account_id, first=date(2026, 3, 1), last=date(2026, 3, 31)):
    said = {"as_of": PINNED, "by": "Mei Tan"}
    return bill_figures(conn, pin_bill(conn, account_id, first, last, **said))


def test_a_month_is_priced_by_the_tariffs_that_held_in_it(conn) -> None:
    mill = add_account(conn, "mill", read_at=None)
    # From midnight of the 15th on: 14 days by the old one, 17 by the new.
    turn = START + timedelta(days=14)
    hold_from(conn, mill.account_id, DEARER, turn)
    load_kw = np.full(MARCH, 100.0)
    load_kw[20 * 96 + 40] = 612.56
    add_load(conn, mill.point_id, START, load_kw, settled_at=SETTLED)
    found = pin(conn, mill.account_id)
    old, new = found.parts
    # A day of 100 kW: 900 kWh from 23 to 8, 1100 flat, 400 from 10 to 12 and 17 to 19.
    assert [one.kwh for one in old.lines] == [12_600, 15_400, 5_600]
    assert [one.charge for one in old.lines] == [756_000, 1_540_000, 840_000]
    # 17 days; the peak of the 21st is at 10:00 and has 128.14 kWh more than 25.
    assert [one.kwh for one in new.lines] == pytest.approx([15_300, 18_700, 6_928.14])
    assert [one.charge for one in new.lines] == [
        1_071_000,
        Decimal("2066350.00"),
        Decimal("1108502.40"),
    ]
    assert (old.stop, new.start, new.name) == (turn, turn, TARIFF.name)
    # 612.56 kW x 9000, the tariff of the day of the peak.
    [demand] = found.demand
    assert (demand.month, demand.peak_kw) == (date(2026, 3, 1), 612.56)
    assert demand.peak_at == START + timedelta(days=20, hours=10)
    assert demand.charge == 5_513_040
    assert found.charge == Decimal("12894892.40")
    assert found.import_kwh == pytest.approx(74_528.14)


def test_what_is_entered_later_changes_no_bill(conn) -> None:
    mill = add_account(conn, "mill", read_at=None)
    add_load(conn, mill.point_id, START, np.full(MARCH, 100.0), settled_at=SETTLED)
    before = pin(conn, mill.account_id)
    # 31 x (900 x 60 + 1100 x 100 + 400 x 150) + 100 x 8320
    assert before.charge == 31 * 224_000 + 832_000
    since = PINNED + timedelta(hours=1)
    hold_from(conn, mill.account_id, DEARER, since)
    add_load(conn, mill.point_id, START, np.full(9, 50.0), settled_at=since)
    gone = START + timedelta(days=3)
    start_us = int(gone.timestamp()) * 1_000_000 + QUARTER_US * np.arange(4)
    delete_intervals(conn, mill.point_id, start_us, at=since)
    assert bill_figures(conn, before.bill.bill_id) == before


def test_a_quarter_hour_that_one_point_does_not_know_is_no_peak(conn) -> None:
    mill = add_account(conn, "mill", read_at=None)
    hall = {"account_id": mill.account_id, "name": "Hall", "contract_kw": 100.0}
    hall_id = scalar(conn, INSERT_POINT, hall)
    load_kw = np.full(MARCH, 100.0)
    load_kw[[10, 20, 30]] = 300.0, 280.0, 290.0
    add_load(conn, mill.point_id, START, load_kw, settled_at=SETTLED)
    # The other point is there from the third day on, but for quarter-hours 10 and 20.
    beside = np.full(MARCH, 40.0)
    beside[[10, 20]] = np.nan
    add_load(conn, hall_id, START, beside[:40], settled_at=SETTLED)
    found = pin(conn, mill.account_id)
    # 290 kW and 40 kW beside; at 300 and at 280 kW the hall is not known.
    assert [one.peak_kw for one in found.demand] == [330.0]
    assert found.missing == 2
    # (2973 x 100 + 870) / 4 and 38 x 10
    assert found.import_kwh == (297_300 + 870) / 4 + 380
    assert [one.name for one in found.points] == ["Main supply", "Hall"]


@pytest.mark.parametrize(
    ("first", "last", "months"),
    [
        pytest.param(date(2026, 3, 1), date(2026, 3, 30), [], id="not to the end"),
        pytest.param(date(2026, 2, 20), date(2026, 3, 31), [3], id="and some before"),
        pytest.param(date(2026, 1, 1), date(2026, 3, 31), [1, 2, 3], id="a quarter"),
    ],
)
def test_demand_is_priced_of_whole_months(conn, first, last, months) -> None:
    mill = add_account(conn, "mill", read_at=None)
    start = START - timedelta(days=59)
    load_kw = np.full(90 * 96, 100.0)
    add_load(conn, mill.point_id, start, load_kw, settled_at=SETTLED)
    found = pin(conn, mill.account_id, first, last)
    assert [one.month.month for one in found.demand] == months


def test_a_day_of_25_hours_is_priced_by_the_clock_on_the_wall(conn) -> None:
    # 25 October 2026 in Berlin: the hour from 2 to 3 comes twice, both in the valley.
    place = {"zone": "Europe/Berlin", "country": "DE"}
    inn = add_account(conn, "inn", read_at=None, **place)
    start = datetime(2026, 10, 24, 22, tzinfo=UTC)
    later = datetime(2026, 11, 2, tzinfo=UTC)
    add_load(conn, inn.point_id, start, np.full(100, 100.0), settled_at=later)
    day = date(2026, 10, 25)
    bill_id = pin_bill(conn, inn.account_id, day, day, as_of=later, by="Mei Tan")
    [part] = bill_figures(conn, bill_id).parts
    assert [one.kwh for one in part.lines] == [1000, 1100, 400]


def test_sums_that_are_not_those_that_were_pinned_are_noticed(conn) -> None:
    mill = add_account(conn, "mill", read_at=None)
    add_load(conn, mill.point_id, START, np.full(MARCH, 100.0), settled_at=SETTLED)
    bill_id = pin(conn, mill.account_id).bill.bill_id
    conn.execute("DELETE FROM energy_interval WHERE start = %s", (START,))
    assert [one.as_pinned for one in bill_figures(conn, bill_id).points] == [False]


def test_a_bill_that_is_not_there_is_refused(conn) -> None:
    with pytest.raises(BillError, match="There is no bill 7"):
        bill_figures(conn, 7)
