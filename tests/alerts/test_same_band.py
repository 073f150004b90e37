"""What an alert says was expected is what the account's page draws for that day."""

import math
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.calendar import DayType
from alerts.desk import mark_planned
from alerts.deviation import Change, Replay, Standing
from analytics.expectation import LOOK_BACK_DAYS, Span, layout
from meters.reading import from_utc_us, utc_us
from reports.account_review import account_review
from reports.expectation import curve_of, lay_out
from reports.load_curve import LoadCurve
from reports.portfolio import account_today
from storage.alerts import Alert
from storage.portfolio import PointLoad, UnusualSpan
from tests.plant import CALENDAR, FIRST_DAY, QUARTER, at, usual_kw

DAYS = 120
LAST_DAY = FIRST_DAY + timedelta(days=DAYS - 1)
QUARTERS = 96 * DAYS
ON = layout(CALENDAR, FIRST_DAY, LAST_DAY)
START_US, STOP_US = int(ON.edges_us[0]), int(ON.edges_us[-1])

# Where it starts, how many quarter-hours it lasts, and at which load.
PIECES = st.tuples(
    st.integers(30 * 96, QUARTERS - 1),
    st.integers(1, 5 * 96),
    st.sampled_from([0.0, 250.0, 400.0, 800.0, math.nan]),
)
WINDOWS = st.tuples(st.integers(30 * 96, QUARTERS - 1), st.integers(1, 5 * 96))
SHIFTS = st.tuples(st.integers(30, 100), st.sampled_from([0.5, 1.0, 2.0]))


def record_of(changes: list[Change]) -> list[UnusualSpan]:
    """The record that a replay leaves."""
    ends: list[int | None] = [c.at_us for c in changes if c.evidence is None]
    opened = [c.at_us for c in changes if c.evidence is not None]
    return [
        UnusualSpan(
            point_id=1,
            starts_at=from_utc_us(start),
            ends_at=None if end is None else from_utc_us(end),
            planned=False,
        )
        for start, end in zip(opened, [*ends, None], strict=False)
    ]


def drawn(
    load_kw: np.ndarray, record: list[UnusualSpan], today: date
) -> tuple[LoadCurve, object]:
    """What the page of that day shows, with all that is on record by now."""
    on = layout(CALENDAR, today - timedelta(days=LOOK_BACK_DAYS), today)
    known = PointLoad(
        point_id=1,
        start_us=ON.start_us,
        load_kw=load_kw,
        estimated=np.zeros(load_kw.size, dtype=np.bool_),
        edited=np.zeros(load_kw.size, dtype=np.bool_),
    )
    return curve_of(lay_out([known], record, on), LOOK_BACK_DAYS - 1, at(today, 23))


@st.composite
def histories(draw) -> tuple[np.ndarray, list[UnusualSpan]]:
    """Load of seventeen weeks, and planned changes in them."""
    load_kw = usual_kw(at(FIRST_DAY, 0), at(LAST_DAY + timedelta(days=1), 0))
    day, factor = draw(SHIFTS)
    load_kw[day * 96 :] *= factor
    for start, length, kw in draw(st.lists(PIECES, max_size=12)):
        load_kw[start : start + length] = kw
    planned = [
        UnusualSpan(
            point_id=1,
            starts_at=from_utc_us(START_US) + start * QUARTER,
            ends_at=from_utc_us(START_US) + (start + length) * QUARTER,
            planned=True,
        )
        for start, length in draw(st.lists(WINDOWS, max_size=3))
    ]
    return load_kw, planned


@settings(max_examples=40, deadline=None)
@given(histories())
def test_judge_and_page_expect_the_same(history) -> None:
    load_kw, planned = history
    windows = [Span.of(each.starts_at, each.ends_at) for each in planned]
    replay = Replay(ON, load_kw, windows=windows, alerts=[])
    changes = replay.changes(START_US, STOP_US, None)
    record = record_of(changes) + planned
    for change in changes:
        told = change.evidence
        if told is None:
            continue
        today = CALENDAR.local_day(from_utc_us(change.at_us - 1))
        curve, like_days = drawn(load_kw, record, today)
        proof = (curve.start_us >= told.since_us) & (curve.start_us < change.at_us)
        proof &= curve.known & ~np.isnan(curve.expected_kw)
        for window in windows:  # within it nothing is proven
            proof &= ~(
                (curve.start_us >= window.start_us) & (curve.start_us < window.stop_us)
            )
        assert proof.sum() == told.intervals
        assert like_days == told.like_days
        assert curve.low_kw[proof].mean() == pytest.approx(told.low_kw)
        assert curve.expected_kw[proof].mean() == pytest.approx(told.expected_kw)
        assert curve.high_kw[proof].mean() == pytest.approx(told.high_kw)


@settings(max_examples=40, deadline=None)
@given(histories(), st.integers(30 * 96, QUARTERS - 1))
def test_judging_in_two_parts_comes_to_the_same(history, cut) -> None:
    load_kw, planned = history
    windows = [Span.of(each.starts_at, each.ends_at) for each in planned]
    cut_us = int(ON.start_us[cut])
    whole = Replay(ON, load_kw, windows=windows, alerts=[])
    at_once = whole.changes(START_US, STOP_US, None)
    first = Replay(ON, load_kw, windows=windows, alerts=[])
    begun = first.changes(START_US, cut_us, None)
    alerts = [
        Span.of(alert.starts_at, alert.ends_at or from_utc_us(cut_us))
        for alert in record_of(begun)
    ]
    second = Replay(ON, load_kw, windows=windows, alerts=alerts)
    stands = len(begun) % 2 == 1
    ended = second.changes(cut_us, STOP_US, Standing() if stands else None)
    assert begun + ended == at_once


def shown(plant, alert: Alert, days: int) -> tuple[float, float, float]:
    """The band that the page of the alert's day draws where the alert was proven."""
    curve = (
        account_today(plant.conn, "mill", alert.opened_at - QUARTER).curve
        if days == 1
        else account_review(plant.conn, "mill", alert.opened_at, days=days).curve
    )
    since_us = utc_us(alert.opened_at - 3 * QUARTER)
    first = int(np.searchsorted(curve.start_us, since_us))
    proof = slice(first, first + 3)
    return (
        float(curve.low_kw[proof].mean()),
        float(curve.expected_kw[proof].mean()),
        float(curve.high_kw[proof].mean()),
    )


@pytest.fixture
def eventful_plant(plant):
    """Twelve weeks: a drop, a planned change, a new level, and a loud Sunday."""
    week = [FIRST_DAY + timedelta(days=56 + n) for n in range(7)]  # from a Tuesday
    plant.run(at(week[0], 10))
    plant.run(at(week[0], 14), load_kw=100.0)
    plant.run(at(week[1], 10))
    plant.run(at(week[1], 11), load_kw=0.0)
    planned = plant.alerts()[-1]
    mark_planned(
        plant.conn,
        planned.alert_id,
        who="mei",
        why="relining",
        until=at(week[2], 12),
        now=at(week[1], 11),
    )
    plant.run(at(week[2], 12), load_kw=0.0)
    # After one more usual Monday, 800 kW: five alerts, then it is the new level, to
    # which the old one on 18 May is low. Sunday, 24 May, is loud.
    for day in (date(2026, 5, 6) + timedelta(days=n) for n in range(18)):
        if CALENDAR.day_type(day) is DayType.WORKDAY:
            old = day == date(2026, 5, 18)
            plant.run(at(day, 8))
            plant.run(at(day, 18), load_kw=400.0 if old else 800.0)
    plant.run(at(date(2026, 5, 24), 9))
    plant.run(at(date(2026, 5, 24), 12), load_kw=300.0)
    return plant


def test_every_alert_on_record_says_what_its_page_draws(eventful_plant) -> None:
    alerts = eventful_plant.alerts()
    edges = ("low_kw", "expected_kw", "high_kw")
    told = np.array([[alert.figures[edge] for edge in edges] for alert in alerts])
    # A drop, the planned one, five at the new level, the old level, and the Sunday.
    assert told[:, 1].tolist() == [400.0] * 7 + [800.0, 100.0]
    # Ten Sundays: 0.04 * 100 kW is the scale, the band 6 of it to either side.
    assert told[-1].tolist() == [76.0, 100.0, 124.0]
    for days in (1, 7, 31):
        drawn_then = np.array([shown(eventful_plant, a, days) for a in alerts])
        assert drawn_then == pytest.approx(told)
