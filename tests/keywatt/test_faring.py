"""What `keywatt status` and `keywatt doctor` say of collectors and ailing meters."""

import asyncio
import json
from datetime import timedelta

import pytest

from alerts.judge_meters import judge_meters
from keywatt.faring import load_faring
from storage.collector_beats import CollectorBeat, store_beat
from storage.database import connect, connect_async
from storage.interval_store import ENSURE_PARTITIONS
from storage.meter_events import ToldEvents, store_events
from storage.meter_troubles import Trouble, store_troubles
from tests.collector.master import enter_meters
from tests.fix_seeded_accounts import INSERT_READING
from tests.keywatt.test_doctor import by_subject
from tests.keywatt.test_status import NOW, at_now

HOUR = timedelta(hours=1)


@pytest.fixture
def ailing(database) -> str:
    """A collector that stopped an hour ago, and meters that do not fare well."""
    at = {"host": "10.0.0.1", "port": 502}
    dead, lacking, open_ = enter_meters(
        database, *({"serial": f"P{unit}", **at, "unit": unit} for unit in (1, 2, 3))
    )
    beat = CollectorBeat(
        collector="north",
        polls=True,
        hears=False,
        since_at=NOW - 9 * HOUR,
        beat_at=NOW - HOUR,
    )
    troubles = [
        (dead.meter_id, Trouble(since_at=NOW - 3 * HOUR, text="no answer in time")),
        (lacking.meter_id, Trouble(since_at=NOW - HOUR, holes=("frequency_hz",))),
    ]
    told = ToldEvents(
        meter_id=open_.meter_id,
        at=NOW - 2 * HOUR,
        events=[("cover-open", "register 120 (manual 40121) holds 0x0020")],
        raw=b"\0\x20",
    )

    async def tell() -> None:
        async with await connect_async(database) as conn:
            await store_beat(conn, beat)
            await store_troubles(conn, troubles, ())
            await store_events(conn, [told])

    asyncio.run(tell())
    with connect(database) as conn:
        at_last = {"at": NOW - HOUR}
        conn.execute(ENSURE_PARTITIONS, {"first": NOW - HOUR, "last": NOW})
        for meter in (dead, lacking, open_):
            conn.execute(INSERT_READING, at_last | {"meter_id": meter.meter_id})
        judge_meters(conn, NOW - timedelta(minutes=2))
        judge_meters(conn, NOW - timedelta(minutes=1))
    return database


def test_status_shows_who_does_not_fare_well(keywatt, ailing) -> None:
    said = keywatt("status", "--json", database_url=ailing, clock=at_now())
    assert said.code == 0
    found = json.loads(said.out)
    (collector,) = found["collectors"]
    assert (collector["collector"], collector["is_there"]) == ("north", False)
    assert collector["transports"] == ["modbus"]
    assert [(t["serial"], t["text"], t["holes"]) for t in found["troubles"]] == [
        ("P1", "no answer in time", []),
        ("P2", "", ["frequency_hz"]),
    ]
    assert [(e["meter"], e["code"]) for e in found["events"]] == [("P3", "cover-open")]
    assert [(a["kind"], a["subject"]) for a in found["alerts"]] == [
        ("collector-silent", "north")
    ]
    shown = keywatt("status", "--once", database_url=ailing, clock=at_now()).out
    assert "collector north: not there since 2026-11-22 12:20 UTC" in shown
    assert "3 meters (modbus) are collected by nobody." in shown
    for text in ("no answer in time", "does not have frequency_hz", "says: cover-open"):
        assert text in shown


def test_doctor_names_them_with_a_remedy(keywatt, ailing) -> None:
    said = keywatt("doctor", "--json", database_url=ailing, clock=at_now())
    found = by_subject(said.out)
    assert found["collectors"]["verdict"] == "warn"
    assert "north (last 2026-11-22 12:20)" in found["collectors"]["text"]
    assert found["polling"]["text"] == (
        "1 are not read now: P1: no answer in time. 1 lack quantities of their type."
    )
    assert found["events"]["text"] == ("Meters say so of themselves: P3 (cover-open).")


def test_where_the_sites_clock_runs_ahead_a_collector_has_longer_to_speak(
    ailing,
) -> None:
    with connect(ailing) as conn:
        (beat,) = load_faring(conn, NOW).collectors
        assert not load_faring(conn, NOW).is_there(beat)
        assert load_faring(conn, NOW, speed=120).is_there(beat)
