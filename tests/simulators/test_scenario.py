"""Whenever a demo is started first, there is an alert to look at."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from accounts.calendar import QUARTER_HOUR_US
from alerts.deviation import LOW, Replay
from analytics.expectation import Layout, layout
from meters.reading import FloatArray, utc_us
from simulators.faults import Fault
from simulators.fleet import KEY_ACCOUNTS, demo_calendar
from simulators.plants import Plant
from simulators.scenario import first_scenario

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
CALENDAR = demo_calendar()
MONDAY = datetime(2026, 3, 16, tzinfo=UTC)
A_WEEK = [MONDAY + n * 3 * HOUR + timedelta(minutes=7) for n in range(7 * 8)]
"""2026-03-20 20:00 UTC is a Saturday at the plants, with few Saturdays before it."""
A_YEAR = [MONDAY + n * (23 * DAY + 5 * HOUR) for n in range(16)]
HOLIDAYS = [datetime(2026, 10, 1, hour, tzinfo=UTC) for hour in (0, 5, 16)]
DAYS = 60
"""Of history before a first start."""


def load_kw(
    on: Layout, epoch, faults: tuple[Fault, ...] = (), code: str = "data-centre"
) -> FloatArray:
    """Mean load of each quarter-hour from the epoch on; NaN before."""
    plan = KEY_ACCOUNTS[code].plan()
    plant = Plant(plan, CALENDAR, epoch=epoch, faults=faults)
    begun = on.start_us >= utc_us(CALENDAR.day_bounds(epoch)[0])
    edges_us = np.append(on.start_us[begun], on.start_us[-1] + QUARTER_HOUR_US)
    load = np.full(on.start_us.size, np.nan)
    load[begun] = 4 * np.diff(plant.energy(edges_us)[0])
    return load


def first_days(now: datetime) -> Layout:
    today = CALENDAR.local_day(now)
    return layout(CALENDAR, today - DAYS * DAY, today)


def is_open(now: datetime, usual_kw: FloatArray) -> bool:
    """Replay what is settled when a demo starts: does it end with an alert?"""
    on = first_days(now)
    yesterday = CALENDAR.local_day(now) - DAY
    spoilt_kw = load_kw(on, yesterday, first_scenario(now).faults)
    kw = np.where(np.isnan(spoilt_kw), usual_kw, spoilt_kw)
    stop_us = utc_us(now) // QUARTER_HOUR_US * QUARTER_HOUR_US
    kw[on.start_us >= stop_us] = np.nan
    replay = Replay(on, kw, windows=(), alerts=())
    changes = replay.changes(utc_us(now - 6 * HOUR), stop_us, None)
    return (
        bool(changes)
        and changes[-1].evidence is not None
        and (changes[-1].evidence.code == LOW)
    )


@pytest.mark.parametrize(
    "moments",
    [
        pytest.param(A_WEEK, id="week"),
        pytest.param(A_YEAR, id="year"),
        pytest.param(HOLIDAYS, id="holidays"),
    ],
)
def test_an_alert_is_open_at_a_first_start(moments) -> None:
    usual: dict = {}  # by first day: most starts of a week share it
    silent = []
    for now in moments:
        first = first_days(now).local_day[0]
        if first not in usual:
            usual[first] = load_kw(first_days(now), first.item())
        if not is_open(now, usual[first]):
            silent.append(now)
    assert silent == []


@pytest.mark.parametrize("now", [A_WEEK[0], A_WEEK[30], A_WEEK[47], HOLIDAYS[1]])
def test_two_or_three_more_were_noticed_and_are_over(now) -> None:
    on, scenario = first_days(now), first_scenario(now)
    over = [fault for fault in scenario.faults if fault.ends_at < now]
    assert len(over) in (2, 3)  # the last one ends at 3 in the morning
    for fault in over:
        kw = load_kw(on, scenario.epoch, scenario.faults, fault.account)
        replay = Replay(on, kw, windows=(), alerts=())
        opened, closed = replay.changes(int(on.start_us[0]), utc_us(now), None)
        assert utc_us(fault.starts_at) < opened.at_us < utc_us(fault.ends_at)
        assert closed.evidence is None
