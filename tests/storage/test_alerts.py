from datetime import timedelta

import pytest

from storage.alerts import (
    Alert,
    add_event,
    add_planned_change,
    load_alerts,
    load_events,
    load_planned_changes,
    lock_alert,
    lock_standing_alert,
    open_alert,
    set_state,
)
from storage.database import connect
from storage.deliveries import (
    channels_waiting,
    mark_delivered,
    mark_failed,
    next_untold,
    note_news,
)
from storage.master import apply_site
from tests.fix_timescale import Store
from tests.storage_data import NOON, site

HOUR = timedelta(hours=1)


@pytest.fixture
def conn(store: Store):
    with connect(store.url) as conn:
        apply_site(conn, site())
        yield conn


def opened(conn, *, at=NOON, kind: str = "deviation") -> int | None:
    return open_alert(
        conn,
        1,
        kind=kind,
        code="below-band",
        figures={"load_kw": 12.5},
        who="keywatt",
        why="three quarter-hours below",
        at=at,
    )


def test_one_stands_for_a_point_and_kind(conn) -> None:
    event_id = opened(conn)
    assert event_id is not None
    assert opened(conn) is None
    assert opened(conn, kind="other") is not None
    alert = lock_standing_alert(conn, 1, "deviation")
    assert alert is not None
    (event,) = load_events(conn, alert.alert_id)
    assert event.event_id == event_id
    assert (event.action, event.at, event.who) == ("opened", NOON, "keywatt")
    assert alert == Alert(
        alert_id=event.alert_id,
        account_id=1,
        point_id=1,
        kind="deviation",
        state="open",
        opened_at=NOON,
        resolved_at=None,
        code="below-band",
        figures={"load_kw": 12.5},
    )


def test_the_whole_history_is_kept_and_the_next_may_open(conn) -> None:
    opened(conn)
    (alert,) = load_alerts(conn)
    for action, state in [("acknowledged", "acknowledged"), ("resolved", "resolved")]:
        add_event(conn, alert.alert_id, action=action, who="Li", why="seen", at=NOON)
        set_state(conn, alert.alert_id, state, NOON + HOUR)
    closed = lock_alert(conn, alert.alert_id)
    assert closed is not None
    assert (closed.state, closed.resolved_at) == ("resolved", NOON + HOUR)
    actions = [event.action for event in load_events(conn, alert.alert_id)]
    assert actions == ["opened", "acknowledged", "resolved"]
    assert lock_standing_alert(conn, 1, "deviation") is None
    assert opened(conn, at=NOON + 2 * HOUR) is not None


def test_alerts_are_listed_by_account_and_by_manager(conn) -> None:
    opened(conn)
    (alert,) = load_alerts(conn)
    assert load_alerts(conn, account_id=1, manager="Li Wei") == [alert]
    assert load_alerts(conn, account_id=2) == []
    assert load_alerts(conn, manager="Nobody") == []
    set_state(conn, alert.alert_id, "resolved", NOON + HOUR)
    assert load_alerts(conn) == []
    assert len(load_alerts(conn, resolved_since=NOON)) == 1
    assert load_alerts(conn, resolved_since=NOON + 2 * HOUR) == []


def test_planned_changes_are_found_by_their_window(conn) -> None:
    add_planned_change(
        conn, 1, starts_at=NOON, ends_at=NOON + HOUR, who="Li", why="works", at=NOON
    )
    # [12:00, 13:00) touches [12:59, ...) and not [13:00, ...) nor [..., 12:00).
    minute = timedelta(minutes=1)
    (change,) = load_planned_changes(conn, 1, NOON + 59 * minute, NOON + 9 * HOUR)
    assert (change.why, change.ends_at) == ("works", NOON + HOUR)
    assert load_planned_changes(conn, 1, NOON + HOUR, NOON + 2 * HOUR) == []
    assert load_planned_changes(conn, 1, NOON - HOUR, NOON) == []


def test_a_delivery_is_told_once_and_tried_until_then(conn) -> None:
    event_id = opened(conn)
    assert event_id is not None
    channels = ["crew", "mail"]
    for _ in range(2):
        note_news(conn, channels, NOON)
    assert channels_waiting(conn, channels, NOON) == channels
    mark_failed(conn, event_id, "crew", "the broker is away")
    untold = next_untold(conn, "crew", NOON)
    assert untold is not None
    assert untold.event_id == event_id
    mark_delivered(conn, event_id, "crew", NOON)
    assert next_untold(conn, "crew", NOON) is None
    assert channels_waiting(conn, channels, NOON) == ["mail"]
    row = conn.execute(
        "SELECT attempts, error FROM delivery WHERE channel = 'crew'"
    ).fetchone()
    assert row == (2, None)
