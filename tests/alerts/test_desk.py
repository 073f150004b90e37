import threading
from datetime import UTC, datetime, timedelta

import pytest

from alerts.desk import acknowledge, mark_planned
from alerts.lifecycle import AlertError, IllegalStepError
from storage.alerts import load_alerts, load_events, load_planned_changes, open_alert
from storage.database import connect

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
EVENING = NOON + timedelta(hours=6)


@pytest.fixture
def alert_id(plant) -> int:
    """An alert that opened an hour before noon."""
    open_alert(
        plant.conn,
        plant.point_id,
        kind="deviation",
        code="load-below-expected",
        figures={},
        who="keywatt",
        why="",
        at=NOON - timedelta(hours=1),
    )
    [alert] = load_alerts(plant.conn)
    plant.conn.commit()
    return alert.alert_id


def test_acknowledging_is_kept_with_who_when_and_why(plant, alert_id) -> None:
    event = acknowledge(plant.conn, alert_id, who="mei", why="on it", now=NOON)
    plant.conn.rollback()  # it is committed already
    [alert] = load_alerts(plant.conn)
    assert alert.state == "acknowledged"
    assert load_events(plant.conn, alert_id)[-1] == event
    assert (event.who, event.why, event.at) == ("mei", "on it", NOON)


def test_a_planned_change_covers_the_alert_up_to_its_end(plant, alert_id) -> None:
    mark_planned(
        plant.conn, alert_id, who="mei", why="relining", until=EVENING, now=NOON
    )
    [change] = load_planned_changes(plant.conn, plant.point_id, NOON, EVENING)
    assert (change.starts_at, change.ends_at) == (NOON - timedelta(hours=1), EVENING)
    assert (change.who, change.why, change.at) == ("mei", "relining", NOON)
    assert change.alert_id == alert_id


@pytest.mark.parametrize(
    ("why", "until", "sentence"),
    [
        pytest.param("", EVENING, "Say why the change is planned", id="no reason"),
        pytest.param("relining", NOON, "ends in the past", id="no future"),
    ],
)
def test_a_plan_that_makes_no_sense_changes_nothing(
    plant, alert_id, why, until, sentence
) -> None:
    with pytest.raises(AlertError, match=sentence):
        mark_planned(plant.conn, alert_id, who="mei", why=why, until=until, now=NOON)
    [alert] = load_alerts(plant.conn)
    assert alert.state == "open"
    assert load_planned_changes(plant.conn, plant.point_id, NOON, EVENING) == []


def test_an_unknown_alert_is_one_sentence(plant) -> None:
    with pytest.raises(AlertError, match="There is no alert 4711"):
        acknowledge(plant.conn, 4711, who="mei", why="", now=NOON)


def test_of_two_at_the_same_time_the_second_learns_who_was_first(
    plant, alert_id
) -> None:
    refusals: list[str] = []
    together = threading.Barrier(2)

    def act(who: str) -> None:
        with connect(plant.url) as conn:
            together.wait(5)
            try:
                acknowledge(conn, alert_id, who=who, why="", now=NOON)
            except IllegalStepError as exc:
                refusals.append(str(exc))

    people = [threading.Thread(target=act, args=(who,)) for who in ("mei", "jo")]
    for person in people:
        person.start()
    for person in people:
        person.join()
    steps = load_events(plant.conn, alert_id)
    assert [step.action for step in steps] == ["opened", "acknowledged"]
    [refusal] = refusals
    assert refusal == (
        "The alert cannot be acknowledged: it is already acknowledged by "
        f"{steps[1].who} at 2026-03-02 12:00 UTC."
    )
