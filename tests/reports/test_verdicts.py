from datetime import UTC, date, datetime, timedelta

import pytest
from psycopg import Connection

from analytics.settlement.verdict import Status, Verdict
from meters.reading import utc_us
from reports.today import NoSuchAccountError
from reports.verdict_lines import as_json, figures_told, when_told
from reports.verdicts import (
    Only,
    VerdictError,
    Verdicts,
    rule_called,
    verdicts_of,
    verdicts_of_all,
)
from reports.writing import Reader
from storage.database import connect
from storage.interval_store import ensure_partitions
from storage.settled_days import SettledDay, store_settled_days
from tests.fix_seeded_accounts import SEOUL, add_account

# Midnight in Seoul, when the 11th began.
BEGINS = datetime(2026, 3, 10, 15, tzinfo=UTC)
DAY = timedelta(days=1)
THE_11TH = date(2026, 3, 11)
WEEK = (date(2026, 3, 6), date(2026, 3, 12))
SPIKE = {
    "highest_kwh": 812.0,
    "third_kwh": 90.0,
    "ratio": 9.0,
    "limit_ratio": 1.8,
    "sum_passes": 0.0,
}


def verdict(
    rule: str, status: Status, start_h: float, stop_h: float, **figures: float
) -> Verdict:
    """One verdict, so many hours after midnight of the 11th."""
    return Verdict(
        rule=rule,
        status=status,
        start_us=utc_us(BEGINS + start_h * timedelta(hours=1)),
        stop_us=utc_us(BEGINS + stop_h * timedelta(hours=1)),
        figures=figures,
    )


def judge(conn: Connection, point_id: int, day: date, *verdicts: Verdict) -> None:
    ends_at = BEGINS + (day - THE_11TH) + DAY
    settled = SettledDay(
        local_day=day,
        ends_at=ends_at,
        rules="usual",
        verdicts=verdicts,
        settled_at=ends_at,
    )
    store_settled_days(conn, point_id, [settled])


@pytest.fixture
def conn(database: str):
    """Steel broke three rules on the 11th and one on the 10th, the office none."""
    with connect(database) as conn:
        steel = add_account(conn, "steel", read_at=None)
        office = add_account(conn, "office", manager="Jo Park", read_at=None)
        ensure_partitions(conn, BEGINS - DAY, BEGINS + DAY)
        judge(
            conn,
            steel.point_id,
            THE_11TH,
            verdict("peak", Status.WARN, 0, 24, ratio=2.5),
            verdict("gap", Status.FAIL, 20, 20.5, intervals=2),
            verdict("gap", Status.FAIL, 3.25, 3.5, intervals=1),
            verdict("spike", Status.FAIL, 10, 10.25, **SPIKE),
        )
        # A register that stood from the evening of the 9th to the morning of the 10th.
        stood = verdict("stalled", Status.FAIL, -26, -18, hours=8.0)
        judge(conn, steel.point_id, THE_11TH - DAY, stood)
        judge(conn, office.point_id, THE_11TH)
        yield conn


def told(found: Verdicts) -> list[tuple[str, ...]]:
    reader = Reader(zone=SEOUL)
    return [
        (str(one.local_day), one.rule, one.status.name, when_told(one, reader))
        for one in found.broken
    ]


def test_what_failed_comes_first_and_of_that_the_newest(conn) -> None:
    found = verdicts_of_all(conn, WEEK)
    assert told(found) == [
        ("2026-03-11", "gap", "FAIL", "03:15 to 03:30, the first of 2"),
        ("2026-03-11", "spike", "FAIL", "10:00 to 10:15"),
        ("2026-03-10", "stalled", "FAIL", "00:00 to 06:00"),
        ("2026-03-11", "peak", "WARN", "all day"),
    ]
    # Three point-days were judged: two of steel failed, the office's did not.
    assert (found.judged, found.failed) == (3, 2)


def test_the_figures_are_told_in_words(conn) -> None:
    spike = verdicts_of(conn, "steel", WEEK, Only(rule="spike")).broken[0]
    assert figures_told(spike, Reader(zone=SEOUL)) == (
        "highest 812 kWh, third-highest 90 kWh, ratio 9, limit 1.8, "
        "not confirmed by the register"
    )


def test_a_line_opens_the_first_quarter_hour_it_touches(conn) -> None:
    gap, spike, stood, peak = verdicts_of_all(conn, WEEK).broken
    assert gap.opens == BEGINS + timedelta(hours=3.25)
    assert spike.opens == BEGINS + timedelta(hours=10)
    # Of what began on the day before, the first of its own.
    assert stood.opens == BEGINS - DAY
    assert peak.opens == BEGINS


def test_only_what_is_asked_for(conn) -> None:
    assert [one.rule for one in verdicts_of_all(conn, WEEK, Only(rule="gap")).broken]
    warned = verdicts_of_all(conn, WEEK, Only(status=Status.WARN))
    assert [one.rule for one in warned.broken] == ["peak"]
    early = verdicts_of_all(conn, (WEEK[0], THE_11TH - DAY))
    assert [one.rule for one in early.broken] == ["stalled"]
    assert verdicts_of_all(conn, WEEK, manager="Jo Park").broken == ()
    assert verdicts_of(conn, "office", WEEK, point="Main supply").judged == 1


def test_what_is_not_there_is_one_sentence(conn) -> None:
    with pytest.raises(NoSuchAccountError):
        verdicts_of(conn, "steel", WEEK, manager="Jo Park")
    with pytest.raises(VerdictError, match="no point called Hall; there are: Main"):
        verdicts_of(conn, "steel", WEEK, point="Hall")
    with pytest.raises(VerdictError, match="no rule estimation; there are: gap, "):
        rule_called("estimation")


def test_a_script_gets_every_verdict(conn) -> None:
    lines = as_json(verdicts_of_all(conn, WEEK))["verdicts"]
    assert isinstance(lines, list)
    assert [(one["rule"], one["start"]) for one in lines[:2]] == [
        ("gap", "2026-03-10T18:15:00+00:00"),
        ("gap", "2026-03-11T11:00:00+00:00"),
    ]
    assert lines[2]["figures"] == SPIKE
