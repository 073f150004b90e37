import math
from datetime import date, timedelta

import numpy as np
import pytest

from accounts.supply import Outage
from alerts.desk import acknowledge, mark_planned
from alerts.judge import judge_point
from analytics.settlement.edited_values import EditedValues
from meters.reading import utc_us
from storage.alerts import lock_standing_alert, open_alert, set_state
from storage.closures import close
from storage.deliveries import channels_waiting, note_news
from storage.edits import store_edit
from storage.judging import judge_again, points_due
from storage.master import load_point
from storage.outages import add_outage
from tests.fix_seeded_accounts import add_load
from tests.plant import FIRST_DAY, QUARTER, TODAY, at

TOMORROW = TODAY + timedelta(days=1)


def test_a_drop_opens_one_alert_with_its_evidence(running_plant) -> None:
    plant = running_plant
    plant.run_each_quarter(at(TODAY, 10))
    plant.run_each_quarter(at(TODAY, 13), load_kw=100.0)
    [alert] = plant.alerts()
    assert (alert.kind, alert.code) == ("deviation", "load-below-expected")
    assert alert.opened_at == at(TODAY, 10, 45)
    assert alert.state == "open"
    # Like days all have 400 kW and a peak of 400: s = max(0, 0.04 * 400) = 16 kW,
    # band 400 -/+ 6 * 16 = 304 to 496. Three quarters: 75 kWh instead of 300.
    assert alert.figures == {
        "since_at": "2026-04-29T01:00:00+00:00",
        "intervals": 3,
        "load_kw": 100.0,
        "expected_kw": 400.0,
        "low_kw": 304.0,
        "high_kw": 496.0,
        "measured_kwh": 75.0,
        "expected_kwh": 300.0,
        "like_days": 10,
    }


def test_it_stays_one_is_acknowledged_and_closes_by_itself(running_plant) -> None:
    plant = running_plant
    plant.run_each_quarter(at(TODAY, 10))
    plant.run_each_quarter(at(TODAY, 12), load_kw=100.0)
    [alert] = plant.alerts()
    seen_at = at(TODAY, 12, 5)
    acknowledge(plant.conn, alert.alert_id, who="mei", why="I call them", now=seen_at)
    plant.run_each_quarter(at(TODAY, 14), load_kw=100.0)
    plant.run_each_quarter(at(TODAY, 16))
    [alert] = plant.alerts()
    assert alert.state == "resolved"
    # Calm from 14:00 on; two calm intervals close it.
    assert alert.resolved_at == at(TODAY, 14, 30)
    steps = [(e.action, e.who, e.why) for e in plant.history(alert)]
    assert steps == [
        ("opened", "keywatt", "outside-band"),
        ("acknowledged", "mei", "I call them"),
        ("resolved", "keywatt", "inside-band"),
    ]


def test_a_rise_opens_too(running_plant) -> None:
    running_plant.run(at(TODAY, 2))
    running_plant.run(at(TODAY, 4), load_kw=300.0)
    [alert] = running_plant.alerts()
    assert alert.code == "load-above-expected"


def test_two_intervals_are_not_enough(running_plant) -> None:
    running_plant.run(at(TODAY, 10))
    running_plant.run(at(TODAY, 10, 30), load_kw=100.0)
    running_plant.run(at(TODAY, 12))
    assert running_plant.alerts() == []


def test_a_gap_proves_nothing(running_plant) -> None:
    plant = running_plant
    plant.run(at(TODAY, 10))
    plant.run(at(TODAY, 10, 30), load_kw=100.0)
    plant.run(at(TODAY, 12), load_kw=math.nan)
    assert plant.alerts() == []
    plant.run(at(TODAY, 12, 45), load_kw=100.0)
    plant.run(at(TODAY, 14), load_kw=math.nan)
    [alert] = plant.alerts()  # neither does it close one
    assert alert.state == "open"


def test_without_five_like_days_there_is_no_verdict(plant) -> None:
    # The first four workdays: Tuesday 3 March to Friday 6 March.
    plant.run(at(FIRST_DAY + timedelta(days=4), 0))
    plant.run(at(FIRST_DAY + timedelta(days=6), 10))
    plant.run(at(FIRST_DAY + timedelta(days=6), 16), load_kw=0.0)
    assert plant.alerts() == []


def test_a_planned_change_mutes_and_the_load_is_judged_again_after_it(
    running_plant,
) -> None:
    plant = running_plant
    plant.run_each_quarter(at(TODAY, 10))
    plant.run_each_quarter(at(TODAY, 11), load_kw=100.0)
    [alert] = plant.alerts()
    mark_planned(
        plant.conn,
        alert.alert_id,
        who="mei",
        why="furnace relined",
        until=at(TOMORROW, 12),
        now=at(TODAY, 11, 5),
    )
    plant.run_each_quarter(at(TOMORROW, 12), load_kw=100.0)
    [alert] = plant.alerts()
    assert alert.state == "planned"
    plant.run_each_quarter(at(TOMORROW, 13), load_kw=100.0)
    first, second = plant.alerts()
    assert (first.state, first.resolved_at) == ("resolved", at(TOMORROW, 12))
    assert plant.history(first)[-1].why == "planned-change-ended"
    # Three fresh intervals after the window's end.
    assert (second.state, second.opened_at) == ("open", at(TOMORROW, 12, 45))
    plant.run_each_quarter(at(TOMORROW, 14))
    assert [a.state for a in plant.alerts()] == ["resolved", "resolved"]


def test_five_like_days_with_alerts_are_a_new_level(plant) -> None:
    plant.run(at(date(2026, 3, 30), 0))
    workdays = [date(2026, 3, 30) + timedelta(days=n) for n in (0, 1, 2, 3, 4)]
    workdays += [date(2026, 4, 6) + timedelta(days=n) for n in (0, 1, 2, 3, 4)]
    for day in workdays:
        plant.run(at(day, 8))
        plant.run(at(day, 18), load_kw=800.0)
        plant.run(at(day + timedelta(days=1), 0))
    opened = [alert.opened_at.astimezone(at(day, 0).tzinfo) for alert in plant.alerts()]
    assert [moment.date() for moment in opened] == workdays[:5]
    assert all(alert.state == "resolved" for alert in plant.alerts())


def bent_weeks(run) -> None:
    """Eight weeks with a drop, a gap and a rise; `run` piece by piece."""
    pieces = [
        (at(date(2026, 4, 1), 10), None),
        (at(date(2026, 4, 1), 14), 100.0),
        (at(date(2026, 4, 15), 9), None),
        (at(date(2026, 4, 15), 12), math.nan),
        (at(date(2026, 4, 22), 1), None),
        (at(date(2026, 4, 22), 7, 45), 300.0),
        (at(TODAY, 0), None),
    ]
    for until, load_kw in pieces:
        run(until, load_kw)


def seen(plant) -> list[tuple[object, ...]]:
    return [
        (a.code, a.opened_at, a.resolved_at, a.state, tuple(a.figures.items()))
        for a in plant.alerts()
    ]


def test_history_that_arrives_at_once_leaves_the_alerts_it_would_have_had(
    plant, monkeypatch
) -> None:
    with monkeypatch.context() as later:
        later.setattr(plant, "judge", list)
        bent_weeks(plant.run)
    plant.judge()
    at_once = seen(plant)
    assert [row[0] for row in at_once] == [
        "load-below-expected",
        "load-above-expected",
    ]
    assert at_once[0][1:3] == (
        at(date(2026, 4, 1), 10, 45),
        at(date(2026, 4, 1), 14, 30),
    )
    # Both are over for days: nobody is told.
    note_news(plant.conn, ["crews"], at(TODAY, 0))
    assert channels_waiting(plant.conn, ["crews"], at(TODAY, 0)) == []
    note_news(plant.conn, ["crews"], at(date(2026, 4, 22), 12))
    assert channels_waiting(plant.conn, ["crews"], at(date(2026, 4, 22), 12)) == [
        "crews"
    ]


def test_judging_piece_by_piece_comes_to_the_same(plant) -> None:
    bent_weeks(plant.run)
    by_piece = seen(plant)
    assert len(by_piece) == 2
    for table in ("delivery", "alert_event", "alert", "judged"):
        plant.conn.execute(f"DELETE FROM {table}")
    plant.judge()
    assert seen(plant) == by_piece


def test_late_intervals_are_judged_without_a_second_alert(running_plant) -> None:
    plant = running_plant
    plant.run(at(TODAY, 10))
    plant.run(at(TODAY, 12), load_kw=100.0)
    plant.run(at(TODAY, 16))
    [before] = plant.alerts()
    judge_again(plant.conn, plant.point_id, at(TODAY, 9))
    assert plant.judge() == []
    assert plant.alerts() == [before]


def test_an_alert_that_late_data_disproves_closes(running_plant) -> None:
    plant = running_plant
    plant.run(at(TODAY, 10))
    plant.run(at(TODAY, 12), load_kw=100.0)
    [alert] = plant.alerts()
    assert alert.state == "open"
    plant.settled_to = at(TODAY, 10)
    judge_again(plant.conn, plant.point_id, at(TODAY, 10))
    plant.run(at(TODAY, 12))  # it was a broken line: the load was as usual
    plant.run(at(TODAY, 12, 30))
    [alert] = plant.alerts()
    assert alert.state == "resolved"


def test_what_late_data_shows_is_opened_at_its_time(running_plant) -> None:
    plant = running_plant
    plant.run(at(TODAY, 10))
    plant.run(at(TODAY, 12), load_kw=math.nan)
    plant.run(at(TODAY, 14))
    assert plant.alerts() == []
    plant.settled_to = at(TODAY, 10)
    judge_again(plant.conn, plant.point_id, at(TODAY, 10))
    add_load(plant.conn, plant.point_id, at(TODAY, 10), np.full(8, 100.0))
    plant.settled_to = at(TODAY, 14)
    plant.judge()
    [alert] = plant.alerts()
    assert (alert.opened_at, alert.resolved_at) == (
        at(TODAY, 10, 45),
        at(TODAY, 12, 30),
    )


def test_an_earlier_deviation_that_comes_late_does_not_close_the_one_that_stands(
    running_plant,
) -> None:
    plant = running_plant
    plant.run(at(TODAY, 9))
    plant.run(at(TODAY, 11), load_kw=math.nan)
    plant.run(at(TODAY, 14))
    plant.run(at(TODAY, 15), load_kw=100.0)
    [alert] = plant.alerts()
    judge_again(plant.conn, plant.point_id, at(TODAY, 9))
    add_load(plant.conn, plant.point_id, at(TODAY, 9), np.full(8, 100.0))
    assert plant.judge() == []
    assert plant.alerts() == [alert]


def test_a_judged_point_is_not_due_until_the_next_interval(running_plant) -> None:
    plant = running_plant
    now = plant.settled_to
    assert points_due(plant.conn, now) == []
    # The meter is silent: due once the next interval is missing for sure.
    assert points_due(plant.conn, now + QUARTER + timedelta(minutes=14)) == []
    assert points_due(plant.conn, now + QUARTER + timedelta(minutes=15)) == [
        plant.point_id
    ]
    judge_again(plant.conn, plant.point_id, now - QUARTER)
    assert points_due(plant.conn, now) == [plant.point_id]


def enter_closure(plant, now) -> None:
    close(plant.conn, plant.account_id, [TODAY], reason="Works", by="anna", now=now)


def enter_outage(plant, now) -> None:
    off = Outage(
        start=at(TODAY, 10), stop=at(TODAY, 12), kind="reported", reason="Cable"
    )
    point = load_point(plant.conn, plant.point_id)
    add_outage(plant.conn, point, off, by="anna", now=now)
    add_load(plant.conn, plant.point_id, at(TODAY, 10), np.zeros(8))


def enter_edit(plant, now) -> None:
    starts_us = utc_us(at(TODAY, 10)) + 900_000_000 * np.arange(8)
    values = EditedValues.of_import(starts_us, np.zeros(8))
    said = {"reason": "By hand", "by": "anna", "at": now}
    store_edit(plant.conn, plant.point_id, values, **said)
    add_load(plant.conn, plant.point_id, at(TODAY, 10), np.zeros(8))


@pytest.mark.parametrize("enter", [enter_closure, enter_outage, enter_edit])
def test_what_is_entered_about_the_past_tells_nothing_new_of_it(
    running_plant, enter
) -> None:
    # 400 kW on a day that was closed, it is said later; or none where it was 400.
    plant = running_plant
    now = at(TODAY, 20)
    plant.run(now)
    enter(plant, now)
    # What settling does with the days that are marked for it.
    judge_again(plant.conn, plant.point_id, at(TODAY, 0))
    plant.run(at(TODAY, 21))
    assert plant.alerts() == []
    # From then on it is judged as ever.
    plant.run_each_quarter(at(TODAY, 22), load_kw=300.0)
    [alert] = plant.alerts()
    assert alert.opened_at == at(TODAY, 21, 45)


def test_an_outage_to_come_opens_nothing(running_plant) -> None:
    plant = running_plant
    plant.run_each_quarter(at(TODAY, 9))
    off = Outage(
        start=at(TODAY, 10), stop=at(TODAY, 12), kind="planned", reason="Cable"
    )
    point = load_point(plant.conn, plant.point_id)
    add_outage(plant.conn, point, off, by="anna", now=at(TODAY, 9))
    plant.run_each_quarter(at(TODAY, 10))
    plant.run_each_quarter(at(TODAY, 12), load_kw=0.0)
    assert plant.alerts() == []
    plant.run_each_quarter(at(TODAY, 13), load_kw=0.0)
    # Three quarter-hours without load after its end.
    assert [one.opened_at for one in plant.alerts()] == [at(TODAY, 12, 45)]


@pytest.mark.parametrize("hours", [0, 3])
def test_nothing_settled_is_nothing_judged(plant, hours) -> None:
    now = at(FIRST_DAY, hours)
    assert judge_point(plant.conn, plant.point_id, now) == []


@pytest.mark.parametrize("is_over", [True, False], ids=["over", "still silent"])
def test_what_is_worked_out_over_a_silence_alarms_nobody(
    running_plant, is_over
) -> None:
    # Silent from 10:10 to 13:00; the energy in between is known only as a whole.
    plant = running_plant
    plant.run_each_quarter(at(TODAY, 10))
    figures = {"serial": "M", "since_at": at(TODAY, 10, 10).isoformat()}
    said = {"who": "keywatt", "why": "", "at": at(TODAY, 10, 25)}
    named = {"kind": "meter-silent", "code": "meter-silent", "figures": figures}
    open_alert(plant.conn, plant.point_id, **named, **said)
    silent = lock_standing_alert(plant.conn, plant.point_id, "meter-silent")
    if is_over:
        set_state(plant.conn, silent.alert_id, "resolved", at(TODAY, 13))
    plant.run_each_quarter(at(TODAY, 13), load_kw=100.0)
    assert [a.kind for a in plant.alerts()] == ["meter-silent"]
    # What is measured after it counts again, once three intervals prove it.
    plant.run_each_quarter(at(TODAY, 14), load_kw=100.0)
    deviations = [a.opened_at for a in plant.alerts() if a.kind == "deviation"]
    assert deviations == ([at(TODAY, 13, 45)] if is_over else [])
