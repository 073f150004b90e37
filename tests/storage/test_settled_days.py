from datetime import UTC, date, datetime, timedelta

import pytest

from analytics.settlement.verdict import Status, Verdict
from meters.reading import utc_us
from storage.database import connect
from storage.interval_store import ensure_partitions
from storage.master import apply_site
from storage.settled_days import SettledDay, load_settled_days, store_settled_days
from storage.verdicts import BrokenThen, load_broken, load_worst
from tests.fix_timescale import Store
from tests.storage_data import site

DAY = date(2026, 3, 3)
# Midnight in Shanghai.
BEGINS = datetime(2026, 3, 2, 16, tzinfo=UTC)
ENDS = BEGINS + timedelta(days=1)
HOUR = timedelta(hours=1)


def verdict(rule: str, status: Status, **figures: float) -> Verdict:
    return Verdict(
        rule=rule,
        status=status,
        start_us=utc_us(BEGINS),
        stop_us=utc_us(ENDS),
        figures=figures,
    )


def judged(at: datetime, *verdicts: Verdict, rules: str = "usual") -> SettledDay:
    return SettledDay(
        local_day=DAY, ends_at=ENDS, rules=rules, settled_at=at, verdicts=verdicts
    )


@pytest.fixture
def conn(store: Store):
    with connect(store.url) as conn:
        apply_site(conn, site())
        ensure_partitions(conn, BEGINS, ENDS)
        yield conn


def kept(conn) -> list[datetime]:
    rows = conn.execute("SELECT settled_at FROM settled_day ORDER BY 1").fetchall()
    return [at for (at,) in rows]


def test_verdicts_are_loaded_as_they_were_said(conn) -> None:
    gap = verdict("gap", Status.FAIL, intervals=3)
    cap = verdict("cap", Status.PASS, highest_kw=12.5)
    day = judged(ENDS, gap, cap)
    store_settled_days(conn, 1, [day])
    assert load_settled_days(conn, 1, DAY, DAY) == [day]
    assert (day.worst, day.broken) == (Status.FAIL, (gap,))


def test_what_says_nothing_new_makes_no_row(conn) -> None:
    gap = verdict("gap", Status.FAIL, intervals=3)
    store_settled_days(conn, 1, [judged(ENDS, gap)])
    store_settled_days(conn, 1, [judged(ENDS + HOUR, gap)])
    assert kept(conn) == [ENDS]
    store_settled_days(conn, 1, [judged(ENDS + 2 * HOUR)])
    store_settled_days(conn, 1, [judged(ENDS + 3 * HOUR, rules="strict")])
    assert kept(conn) == [ENDS, ENDS + 2 * HOUR, ENDS + 3 * HOUR]


def test_a_running_day_makes_a_row_only_when_a_rule_breaks_and_one_when_it_is_over(
    conn,
) -> None:
    for hour in range(1, 6):
        cap = verdict("cap", Status.PASS, highest_kw=float(hour))
        store_settled_days(conn, 1, [judged(BEGINS + hour * HOUR, cap)])
    assert kept(conn) == [BEGINS + HOUR]
    last = judged(ENDS + HOUR, verdict("cap", Status.PASS, highest_kw=24.0))
    store_settled_days(conn, 1, [last])
    store_settled_days(conn, 1, [judged(ENDS + 2 * HOUR, *last.verdicts)])
    assert load_settled_days(conn, 1, DAY, DAY) == [last]


def test_what_was_said_when(conn) -> None:
    early = judged(ENDS, verdict("gap", Status.FAIL, intervals=3))
    late = judged(ENDS + HOUR, verdict("gap", Status.PASS, intervals=0))
    store_settled_days(conn, 1, [early])
    store_settled_days(conn, 1, [late])
    assert load_settled_days(conn, 1, DAY, DAY) == [late]
    before = ENDS + HOUR - timedelta(seconds=1)
    assert load_settled_days(conn, 1, DAY, DAY, as_of=before) == [early]
    assert load_settled_days(conn, 1, DAY, DAY, as_of=BEGINS) == []


def test_a_figure_that_is_no_number_is_none(conn) -> None:
    store_settled_days(
        conn, 1, [judged(ENDS, verdict("usage", Status.WARN, ratio=float("nan")))]
    )
    [day] = load_settled_days(conn, 1, DAY, DAY)
    assert day.broken[0].figures == {"ratio": None}


def test_the_newest_verdict_stands_though_its_clock_is_behind(conn) -> None:
    gap = verdict("gap", Status.FAIL, intervals=3)
    cap = verdict("cap", Status.WARN, highest_kw=12.5)
    store_settled_days(conn, 1, [judged(ENDS + 2 * HOUR, gap)])
    store_settled_days(conn, 1, [judged(ENDS + HOUR, cap)])
    assert load_settled_days(conn, 1, DAY, DAY)[0].broken == (cap,)


def test_the_newest_word_on_a_day_says_what_is_broken(conn) -> None:
    gap = verdict("gap", Status.FAIL, intervals=3)
    cap = verdict("cap", Status.WARN, highest_kw=12.5)
    store_settled_days(conn, 1, [judged(ENDS, gap)])
    store_settled_days(conn, 1, [judged(ENDS + HOUR, cap, gap)])
    both = [BrokenThen(point_id=1, local_day=DAY, verdict=one) for one in (gap, cap)]
    said = load_broken(conn, [1, 2], DAY, DAY)
    assert sorted(said, key=lambda one: -one.verdict.status) == both
    assert load_broken(conn, [1], DAY, DAY, status=Status.FAIL) == both[:1]
    assert load_broken(conn, [1], DAY, DAY, rule="cap") == both[1:]
    assert load_worst(conn, [1, 2], DAY, DAY) == {1: {DAY: Status.FAIL}}
    store_settled_days(conn, 1, [judged(ENDS + 2 * HOUR, cap)])
    assert load_broken(conn, [1], DAY, DAY, status=Status.FAIL) == []
    assert load_worst(conn, [1], DAY, DAY) == {1: {DAY: Status.WARN}}
    store_settled_days(conn, 1, [judged(ENDS + 3 * HOUR)])
    assert load_broken(conn, [1], DAY, DAY) == []
    assert load_worst(conn, [1], DAY, DAY) == {1: {DAY: Status.PASS}}
    assert load_worst(conn, [2], DAY, DAY) == {}
