from datetime import UTC, datetime, timedelta

import pytest

from alerts.desk import acknowledge
from alerts.notice import DeliveryError, Notice
from alerts.routing import tell_next, to_be_told
from storage.alerts import add_event, load_alerts, open_alert, set_state

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Listener:
    """A channel that notes what it is told, or refuses."""

    name = "crews"

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.refuses = False

    def send(self, notice: Notice) -> None:
        if self.refuses:
            raise DeliveryError("The line is down.")
        self.told.append((notice.kind, notice.action.value))
        self.last = notice


@pytest.fixture
def listener() -> Listener:
    return Listener()


def opened(plant, kind: str, at: datetime = NOON) -> int:
    open_alert(
        plant.conn,
        plant.point_id,
        kind=kind,
        code=f"{kind}-code",
        figures={},
        who="keywatt",
        why="",
        at=at,
    )
    return next(a for a in load_alerts(plant.conn) if a.kind == kind).alert_id


def resolved(plant, alert_id: int, at: datetime) -> None:
    add_event(
        plant.conn, alert_id, action="resolved", who="keywatt", why="inside-band", at=at
    )
    set_state(plant.conn, alert_id, "resolved", at)


def at_once(_: int) -> float:
    return 0.0


def tell_all(plant, listener: Listener, now: datetime = NOON) -> None:
    to_be_told(plant.conn, [listener.name], now)
    while tell_next(plant.conn, listener, now, back_off_s=at_once):
        pass


def test_each_event_is_told_once_and_in_order(plant, listener) -> None:
    alert_id = opened(plant, "deviation")
    tell_all(plant, listener)
    acknowledge(plant.conn, alert_id, who="mei", why="", now=NOON)
    resolved(plant, alert_id, NOON + timedelta(hours=1))
    tell_all(plant, listener, NOON + timedelta(hours=1))
    tell_all(plant, listener, NOON + timedelta(hours=2))
    assert listener.told == [
        ("deviation", "opened"),
        ("deviation", "acknowledged"),
        ("deviation", "resolved"),
    ]


def test_it_is_told_in_the_language_that_is_set(plant, listener) -> None:
    resolved(plant, opened(plant, "deviation"), NOON)
    to_be_told(plant.conn, [listener.name], NOON)
    while tell_next(plant.conn, listener, NOON, "zh", back_off_s=at_once):
        pass
    assert (listener.last.language, listener.last.why) == ("zh", "已回到预期区间之内")


def test_a_refused_event_lets_others_pass_but_not_its_own_later_ones(
    plant, listener
) -> None:
    first = opened(plant, "deviation")
    acknowledge(plant.conn, first, who="mei", why="", now=NOON)
    opened(plant, "phase-loss")
    to_be_told(plant.conn, [listener.name], NOON)
    listener.refuses = True
    with pytest.raises(DeliveryError, match="line is down"):
        tell_next(plant.conn, listener, NOON, back_off_s=at_once)
    listener.refuses = False
    tell_all(plant, listener)
    assert listener.told == [
        ("phase-loss", "opened"),
        ("deviation", "opened"),
        ("deviation", "acknowledged"),
    ]


def test_a_refused_event_waits_alone_and_longer_each_time(plant, listener) -> None:
    first = opened(plant, "deviation")
    acknowledge(plant.conn, first, who="mei", why="", now=NOON)
    to_be_told(plant.conn, [listener.name], NOON)
    failures: list[int] = []

    def refused(wait_s: float) -> None:
        listener.refuses = True
        with pytest.raises(DeliveryError, match="line is down"):
            tell_next(
                plant.conn,
                listener,
                NOON,
                back_off_s=lambda n: failures.append(n) or wait_s,
            )
        listener.refuses = False

    refused(0)
    refused(3600)
    assert failures == [1, 2]
    assert to_be_told(plant.conn, [listener.name], NOON) == []
    opened(plant, "phase-loss")
    assert to_be_told(plant.conn, [listener.name], NOON) == [listener.name]
    tell_all(plant, listener)
    assert listener.told == [("phase-loss", "opened")]


def test_what_was_over_for_a_day_is_told_to_nobody(plant, listener) -> None:
    old = opened(plant, "deviation", NOON - timedelta(days=9))
    resolved(plant, old, NOON - timedelta(days=1))
    recent = opened(plant, "phase-loss", NOON - timedelta(days=9))
    resolved(plant, recent, NOON - timedelta(hours=23))
    standing = opened(plant, "low-pressure", NOON - timedelta(days=9))
    assert standing > recent > old
    tell_all(plant, listener)
    assert {kind for kind, _ in listener.told} == {"phase-loss", "low-pressure"}


def test_a_channel_added_later_is_told_what_stands(plant, listener) -> None:
    opened(plant, "deviation")
    tell_all(plant, listener)
    late = Listener()
    late.name = "apprise"
    assert to_be_told(plant.conn, ["crews", "apprise"], NOON) == ["apprise"]
    tell_all(plant, late)
    assert late.told == [("deviation", "opened")]
