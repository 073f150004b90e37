from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from reports.portfolio import account_today, accounts_of, portfolio
from reports.today import NoSuchAccountError
from storage import alerts as stored
from storage.alerts import add_planned_change
from storage.database import connect
from tests.fix_seeded_accounts import NOW, add_account, add_load


@pytest.fixture
def conn(seeded):
    with connect(seeded.url) as conn:
        yield conn


def open_alert(conn, point_id, at=NOW) -> None:
    figures = {
        "load_kw": 1.0,
        "low_kw": 2.0,
        "high_kw": 3.0,
        "since_at": NOW.isoformat(),
    }
    stored.open_alert(
        conn,
        point_id,
        kind="deviation",
        code="load-below-expected",
        figures=figures,
        who="keywatt",
        why="three intervals",
        at=at,
    )


def codes(report) -> list[str]:
    return [row.account.code for row in report.rows]


def test_open_alerts_rank_first_and_those_taken_after_those_that_wait(
    conn, seeded
) -> None:
    open_alert(conn, seeded.other.point_id)
    assert codes(portfolio(conn, NOW))[0] == "other"
    open_alert(conn, seeded.clinic.point_id)
    (alert,) = [
        a for a in stored.load_alerts(conn) if a.point_id == seeded.other.point_id
    ]
    stored.set_state(conn, alert.alert_id, "acknowledged", NOW)
    report = portfolio(conn, NOW)
    assert codes(report) == ["clinic", "other", "steel"]
    assert (report.open_alerts, report.waiting) == (2, 1)


def test_without_alerts_the_furthest_from_expected_ranks_first(conn, seeded) -> None:
    # The last hour, 13:00 to 14:00, far above the 400 kW of other workdays.
    start = NOW - timedelta(minutes=70)
    add_load(conn, seeded.clinic.point_id, start, np.full(4, 480.0))
    assert codes(portfolio(conn, NOW))[0] == "clinic"


def test_today_so_far_against_expected(conn, seeded) -> None:
    midnight = datetime(2026, 3, 11, 15, tzinfo=UTC)  # in Seoul
    # 8 h of 100 kW and 6 h of 500 kW are 3800 kWh; like days give 100 and 400 kW,
    # 3200 kWh: 18.75 % more.
    load_kw = np.repeat([100.0, 500.0], [32, 24])
    add_load(conn, seeded.steel.point_id, midnight, load_kw)
    today = account_today(conn, "steel", NOW)
    assert len(today.curve) == 96
    assert today.curve.energy_kwh == pytest.approx(3800)
    assert today.curve.expected_so_far_kwh == pytest.approx(3200, rel=0.01)
    assert today.difference_percent == pytest.approx(18.75, abs=1)
    assert today.curve.peak_kw == 500.0
    assert today.contract_percent == pytest.approx(100.0)
    assert today.like_days == 10
    assert (today.late, today.missing, today.estimated) == (False, 0, 0)


def test_gaps_and_estimates_of_today_are_counted(conn, seeded) -> None:
    midnight = datetime(2026, 3, 11, 15, tzinfo=UTC)
    load_kw = np.full(8, 100.0)
    load_kw[2:5] = np.nan
    estimated = np.arange(8) == 6
    add_load(conn, seeded.steel.point_id, midnight, load_kw, estimated=estimated)
    today = account_today(conn, "steel", NOW)
    assert (today.missing, today.estimated) == (3, 1)


def test_what_is_just_over_is_not_missing_yet(conn) -> None:
    # Load is known until 14:00 and it is 14:10; at 14:50 the quarter-hours until
    # 14:15 (ended 35 minutes ago) are missing, those after are not yet.
    assert account_today(conn, "steel", NOW).missing == 0
    assert account_today(conn, "steel", NOW + timedelta(minutes=40)).missing == 1


def test_a_meter_is_late_after_two_quarter_hours(conn) -> None:
    # The newest reading is of 14:08.
    at = NOW - timedelta(minutes=2)
    assert not account_today(conn, "steel", at + timedelta(minutes=30)).late
    assert account_today(conn, "steel", at + timedelta(minutes=31)).late
    assert account_today(conn, "other", NOW).late


def test_days_with_alerts_and_planned_changes_are_not_learnt(conn, seeded) -> None:
    before = account_today(conn, "steel", NOW).curve.expected_kw[48]
    point_id = seeded.steel.point_id
    # Tuesday, 24 February, to Saturday, 7 March: eight of the last ten workdays,
    # for Monday the 2nd was a substitute holiday.
    begun = datetime(2026, 2, 23, 15, tzinfo=UTC)
    add_load(conn, point_id, begun, np.full(96 * 11, 900.0))
    learnt = account_today(conn, "steel", NOW).curve.expected_kw[48]
    add_planned_change(
        conn,
        point_id,
        starts_at=begun,
        ends_at=begun + timedelta(days=11),
        who="Mei Tan",
        why="trial run",
        at=NOW,
    )
    after = account_today(conn, "steel", NOW).curve.expected_kw[48]
    assert learnt > 1.3 * before
    assert after == pytest.approx(before, rel=0.02)


@pytest.mark.parametrize(
    ("now", "quarter_hours"),
    [
        pytest.param(datetime(2026, 3, 8, 20, tzinfo=UTC), 92, id="spring"),
        pytest.param(datetime(2026, 11, 1, 20, tzinfo=UTC), 100, id="autumn"),
    ],
)
def test_a_day_of_a_clock_change_has_its_own_length(conn, now, quarter_hours) -> None:
    zone = ZoneInfo("America/Los_Angeles")
    point = add_account(conn, "campus", zone=zone.key, country="US", read_at=None)
    start = now - timedelta(days=40)
    add_load(conn, point.point_id, start, np.full(40 * 96, 100.0))
    curve = account_today(conn, "campus", now).curve
    assert len(curve) == quarter_hours
    assert not np.isnan(curve.expected_kw).any()
    # From midnight to noon: 11 hours in spring, 13 in autumn, each 100 kWh.
    noon = int(np.isfinite(curve.load_kw).sum())
    assert curve.energy_kwh == pytest.approx(25.0 * noon)


def test_a_manager_asks_for_their_own_accounts_only(conn) -> None:
    assert codes(portfolio(conn, NOW, "Jo Park")) == ["other"]
    assert [a.code for a in accounts_of(conn, "Mei Tan")] == ["steel", "clinic"]
    with pytest.raises(NoSuchAccountError, match="other"):
        account_today(conn, "other", NOW, "Mei Tan")
    assert account_today(conn, "other", NOW, None).account.code == "other"


def test_nobody_has_no_rows(conn) -> None:
    report = portfolio(conn, NOW, "Nobody")
    assert (report.rows, report.open_alerts, report.energy_kwh) == ((), 0, 0)
