from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pyarrow.parquet as pq
import pytest

from accounts.tariff import Period
from reports.account_review import account_review
from reports.finding import told
from reports.today import NoSuchAccountError
from reports.writing import Reader
from storage.bills import pin_bill
from storage.database import connect
from storage.interval_store import store_intervals
from storage.intervals import load_intervals
from tests.fix_seeded_accounts import NOW, SEOUL, add_account, add_load, add_process
from tests.support import shared_data


@pytest.fixture
def conn(seeded):
    with connect(seeded.url) as conn:
        yield conn


def found(review) -> list[str]:
    return [finding.code for finding in review.findings]


def test_a_period_is_whole_local_days_and_ends_today(conn) -> None:
    review = account_review(conn, "steel", NOW, days=7)
    assert len(review.curve) == 7 * 96
    # 6 March, 00:00 in Seoul is 15:00 UTC the day before.
    first = datetime(2026, 3, 5, 15, tzinfo=UTC)
    assert review.curve.start_us[0] == int(first.timestamp()) * 1_000_000
    assert review.data_until == datetime(2026, 3, 12, 5, tzinfo=UTC)
    assert review.quality.expected == 6 * 96 + 56
    assert not np.isnan(review.curve.expected_kw).any()


def test_longer_periods_have_no_band(conn) -> None:
    assert np.isnan(account_review(conn, "steel", NOW, days=90).curve.expected_kw).all()


def test_a_period_longer_than_the_data_begins_with_the_data(conn) -> None:
    review = account_review(conn, "steel", NOW, days=730)
    assert review.data_from is not None
    assert review.curve.start_us[0] == int(review.data_from.timestamp()) * 1_000_000
    assert review.quality.missing == 0


def test_peak_load_factor_and_energy(conn, seeded) -> None:
    # Two days: yesterday as stored; today 14 h of 100 kW but for one 612.56 kW.
    midnight = datetime(2026, 3, 11, 15, tzinfo=UTC)
    load_kw = np.full(56, 100.0)
    load_kw[54] = 612.56
    add_load(conn, seeded.steel.point_id, midnight, load_kw)
    review = account_review(conn, "steel", NOW, days=1)
    assert review.peak_kw == 612.56
    assert review.peak_at == datetime(2026, 3, 12, 4, 30, tzinfo=UTC)
    # 55 * 100 / 4 + 612.56 / 4 = 1375 + 153.14
    assert review.energy_kwh == pytest.approx(1528.14)
    assert review.mean_kw == pytest.approx(1528.14 / 14)
    assert review.load_factor == pytest.approx(1528.14 / 14 / 612.56)
    assert review.duration.load_kw[0] == 612.56


def test_energy_is_priced_by_period(conn, seeded) -> None:
    # 100 kW from midnight to 14:00: valley to 08:00, flat to 10:00, peak to 12:00,
    # flat to 14:00. 800 kWh at 60, 400 at 100, 200 at 150.
    midnight = datetime(2026, 3, 11, 15, tzinfo=UTC)
    add_load(conn, seeded.steel.point_id, midnight, np.full(56, 100.0))
    review = account_review(conn, "steel", NOW, days=1)
    lines = {share.period: (share.kwh, share.charge) for share in review.tou}
    assert lines == {
        Period.VALLEY: (pytest.approx(800), Decimal(48000)),
        Period.FLAT: (pytest.approx(400), Decimal(40000)),
        Period.PEAK: (pytest.approx(200), Decimal(30000)),
    }
    assert review.energy_charge == Decimal(118000)


def test_the_hint_moves_the_furnace_to_where_it_costs_least(conn) -> None:
    # 100 kW for 2 h: 200 kWh at 150 from 10:00, at 60 from 06:00: 18,000 a day.
    advice = account_review(conn, "steel", NOW).advice
    assert advice is not None
    assert (advice.process, advice.to_time.hour) == ("Arc furnace", 6)
    assert advice.moved_kwh == pytest.approx(200)
    assert advice.saved_money >= Decimal(18000)  # and no more peak than before
    assert advice.year_money == advice.saved_money * advice.working_days
    assert account_review(conn, "clinic", NOW).has_processes is False


def test_without_tariff_there_is_energy_but_no_money(conn) -> None:
    point = add_account(conn, "bare", tariff=None, contract_kw=None)
    add_process(conn, point.point_id)
    add_load(
        conn, point.point_id, NOW - timedelta(days=2, minutes=10), np.full(192, 50.0)
    )
    review = account_review(conn, "bare", NOW)
    assert review.energy_kwh == pytest.approx(2400)
    assert (review.tou, review.energy_charge, review.advice) == ((), None, None)
    assert found(review) == ["too-few-like-days", "no-tariff", "no-contract-demand"]


def test_gaps_estimates_and_a_late_meter_are_found(conn, seeded) -> None:
    start = NOW - timedelta(days=3, minutes=10)
    load_kw = np.full(96, 100.0)
    load_kw[:12] = np.nan
    estimated = np.arange(96) < 20
    edited = (np.arange(96) >= 20) & (np.arange(96) < 25)
    add_load(
        conn,
        seeded.steel.point_id,
        start,
        load_kw,
        estimated=estimated,
        edited=edited,
    )
    review = account_review(conn, "steel", NOW + timedelta(minutes=33), days=7)
    assert found(review)[:4] == ["late-meter", "gaps", "estimated", "edited"]
    _, gaps, guessed, by_hand, *_ = (one.figures for one in review.findings)
    assert (gaps["missing"], guessed["estimated"], by_hand["edited"]) == (12, 8, 5)
    quality = review.quality
    assert (quality.missing, quality.estimated, quality.edited) == (12, 8, 5)
    assert quality.measured == quality.expected - 25


def test_an_account_without_load_has_one_finding(conn) -> None:
    review = account_review(conn, "other", NOW)
    assert found(review) == ["no-data"]
    assert review.data_from is None
    assert np.isnan(review.peak_kw)


def test_another_managers_account_is_refused(conn) -> None:
    with pytest.raises(NoSuchAccountError):
        account_review(conn, "other", NOW, manager="Mei Tan")


def test_a_year_of_a_steel_plant_gives_the_reference_figures(database) -> None:
    # docs/methods.md: January to August 2018, 671,433.60 kWh, peak 612.56 kW in the
    # interval from 2018-01-15 13:30 in Seoul, load factor 0.1879.
    table = pq.read_table(
        shared_data("steel_industry_kr") / "steel_2018_jan_aug.parquet"
    )
    kwh = table["usage_kwh"].to_numpy()
    start = datetime(2017, 12, 31, 15, tzinfo=UTC)
    now = datetime(2018, 8, 31, 15, tzinfo=UTC) - timedelta(seconds=1)
    with connect(database) as conn:
        point = add_account(conn, "steel", read_at=now)
        add_load(conn, point.point_id, start, 4 * kwh)
        review = account_review(conn, "steel", now, days=243)
    assert review.quality.measured == 23_328
    assert review.energy_kwh == pytest.approx(671_433.60, abs=0.01)
    assert review.peak_kw == pytest.approx(612.56)
    assert review.peak_at == datetime(2018, 1, 15, 4, 30, tzinfo=UTC)
    assert review.load_factor == pytest.approx(0.1879, abs=5e-5)
    assert sum(share.kwh for share in review.tou) == pytest.approx(671_433.60, abs=0.01)
    assert review.duration.load_kw.size == 400


def test_bills_that_differ_are_told_first(conn, seeded) -> None:
    week = datetime(2026, 3, 1, 15, tzinfo=UTC)
    start = week + timedelta(days=1)
    point_id = seeded.steel.point_id
    days = [date(2026, 3, 2), date(2026, 3, 3)]
    said = {"as_of": NOW, "by": "Mei Tan"}
    for day in days:
        pin_bill(conn, seeded.steel.account_id, day, day, **said)
    assert "bill-differs" not in found(account_review(conn, "steel", NOW))
    before = load_intervals(conn, point_id, week, week + timedelta(hours=1))
    later = NOW + timedelta(hours=1)
    # The first day is billed by bill 1: each of four quarter-hours has 2 kWh more.
    more = replace(before, import_kwh=before.import_kwh + 2)
    store_intervals(conn, point_id, more, settled_at=later)
    review = account_review(conn, "steel", later)
    assert found(review)[0] == "bill-differs"
    reader = Reader(zone=SEOUL)
    told_in_english = told(review.findings[0], reader)
    assert told_in_english == (
        "Bill 1 of 2 Mar 2026 to 2 Mar 2026 is no longer what is believed: 4"
        " quarter-hours differ, by 8 kWh in all; “keywatt bill differences ACCOUNT”"
        " shows them."
    )
    assert "账单 1（2026年3月2日" in told(review.findings[0], Reader(language="zh"))
    add_load(conn, point_id, start, np.array([4000.0]), settled_at=later)
    [first, *_] = account_review(conn, "steel", later).findings
    assert (first.code, first.figures["bills"], first.figures["bill"]) == (
        "bills-differ",
        2,
        "2",
    )
    assert "2 bills are no longer" in told(first, reader)
    assert "bills-differ" not in found(account_review(conn, "clinic", later))
