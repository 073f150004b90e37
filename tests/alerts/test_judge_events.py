"""Alerts of what meters say of themselves."""

import asyncio
from datetime import datetime, timedelta

import pytest

from alerts.judge_meters import judge_meters
from alerts.meter_event import KINDS, TOLD
from reports.texts import LANGUAGES
from reports.wording import say
from storage.alerts import load_alerts, load_events
from storage.database import connect, connect_async
from storage.meter_events import ToldEvents, store_events
from tests.fix_seeded_accounts import NOW, add_account

MINUTE = timedelta(minutes=1)


def tell(url: str, meter_id: int, at: datetime, *codes: str) -> None:
    told = ToldEvents(
        meter_id=meter_id,
        at=at,
        events=[(code, "register 120 (manual 40121) holds 0x0020") for code in codes],
        raw=b"",
    )

    async def work() -> None:
        async with await connect_async(url) as conn:
            await store_events(conn, [told])

    asyncio.run(work())


def test_what_matters_is_an_alert_as_long_as_it_lasts(database) -> None:
    with connect(database, autocommit=True) as conn:
        mill = add_account(conn, "mill")
        # A voltage too low is kept, but nobody is sent for it.
        tell(database, mill.meter_id, NOW, "cover-open", "undervoltage")
        assert len(judge_meters(conn, NOW)) == 1
        (alert,) = load_alerts(conn)
        assert (alert.kind, alert.opened_at) == ("meter-says-cover-open", NOW)
        assert alert.figures == {
            "serial": "M-mill",
            "since_at": NOW.isoformat(),
            "severity": "urgent",
            "where": "register 120 (manual 40121) holds 0x0020",
        }
        tell(database, mill.meter_id, NOW + MINUTE, "cover-open", "battery-low")
        assert len(judge_meters(conn, NOW + MINUTE)) == 1
        assert judge_meters(conn, NOW + MINUTE) == []
        tell(database, mill.meter_id, NOW + 2 * MINUTE, "battery-low")
        assert len(judge_meters(conn, NOW + 2 * MINUTE)) == 1
        steps = [(e.action, e.why) for e in load_events(conn, alert.alert_id)]
        assert steps == [
            ("opened", "meter-says-so"),
            ("resolved", "meter-says-no-more"),
        ]
        (left,) = load_alerts(conn)
        assert left.kind == "meter-says-battery-low"


def test_told_again_nothing_begins_anew(database) -> None:
    with connect(database, autocommit=True) as conn:
        mill = add_account(conn, "mill")
        for n in range(3):
            tell(database, mill.meter_id, NOW + n * MINUTE, "cover-open")
        tell(database, mill.meter_id, NOW + 3 * MINUTE)
        tell(database, mill.meter_id, NOW + 3 * MINUTE, "cover-open")
        rows = conn.execute("SELECT at, ended_at FROM meter_event ORDER BY at")
        assert rows.fetchall() == [
            (NOW, NOW + 3 * MINUTE),
            (NOW + 3 * MINUTE, None),
        ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_of_them_can_be_said(language) -> None:
    assert len(KINDS) == len(TOLD)
    for kind in KINDS:
        figures = {"serial": "M-1", "since_at": NOW.isoformat()}
        assert "M-1" in say(kind, language, **figures)
        assert say(f"alert-title-{kind}", language)
