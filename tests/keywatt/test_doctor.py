import asyncio
import json
from datetime import UTC, datetime

import pytest

from meters.meter import Transport
from meters.reading import Reading, batch_of
from meters.refusal import Reason, Refusal
from storage.clocks import store_drifts
from storage.database import connect_async
from storage.reading_store import write_batch
from tests.fix_broker import free_port

NOW = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)
CLOCK = "2026-11-22T13:00:00Z@{unix}*1"


def by_subject(out: str) -> dict[str, dict[str, str]]:
    return {check["subject"]: check for check in json.loads(out)["checks"]}


@pytest.fixture
def healthy(broker, database) -> dict[str, str]:
    """Settings with which everything can be reached, at a known time."""
    unix = datetime.now(UTC).timestamp()
    return {
        "database_url": database,
        "broker_host": broker.host,
        "broker_port": str(broker.port),
        "clock": CLOCK.format(unix=unix),
    }


def test_what_can_be_reached_is_ok_and_what_is_not_set_up_is_said(
    keywatt, healthy
) -> None:
    said = keywatt("doctor", "--json", **healthy)
    found = by_subject(said.out)
    assert said.code == 0
    assert found["database"]["verdict"] == "ok"
    assert found["migrations"]["verdict"] == "ok"
    assert found["broker"]["verdict"] == "ok"
    assert found["meters"]["remedy"] == "Run: keywatt site apply FILE"


def test_without_database_and_broker_it_fails_and_names_both(keywatt) -> None:
    port = str(free_port())
    said = keywatt("doctor", broker_port=port)
    assert said.code == 1
    assert said.out.count("fail") == 2
    assert "KEYWATT_DATABASE_URL" in said.out
    assert f"127.0.0.1:{port}" in said.out
    assert said.err == ""


def test_a_database_that_was_never_migrated_fails(keywatt, healthy, empty_database):
    said = keywatt("doctor", "--json", **healthy | {"database_url": empty_database})
    assert said.code == 1
    assert by_subject(said.out)["migrations"]["remedy"] == "Run: keywatt migrate"


async def arrive(url: str, meter_id: int) -> None:
    """Store a reading of 11:00 and refuse one of 12:00."""
    reading = Reading(
        meter_id=meter_id,
        measured_at=NOW.replace(hour=11),
        received_at=NOW.replace(hour=11),
        values={},
    )
    refusal = Refusal(
        reason=Reason.NOT_JSON,
        text="The payload is not JSON.",
        source="keywatt/meters/CS-2001/reading",
        transport=Transport.MQTT,
        received_at=NOW.replace(hour=12),
        raw=b"?",
    )
    async with await connect_async(url) as conn:
        await write_batch(
            conn, batch_of([reading]), transport=Transport.MQTT, refusals=[refusal]
        )


def test_late_meters_and_refusals_are_named(keywatt, healthy, example_site) -> None:
    assert keywatt("site", "apply", example_site, **healthy).code == 0
    asyncio.run(arrive(healthy["database_url"], meter_id=2))
    said = keywatt("doctor", "--json", **healthy)
    found = by_subject(said.out)
    # Of the example's two meters one never spoke, the other 2 h before 13:00.
    assert found["meters"]["verdict"] == "warn"
    assert "2 of 2 are late" in found["meters"]["text"]
    assert "ST-1001 (no reading ever)" in found["meters"]["text"]
    assert "CS-2001 (silent for 2 h)" in found["meters"]["text"]
    assert found["readings"]["text"] == ("In 24 h: mqtt not-json 1, mqtt stored 1.")
    assert found["quarantine"]["text"].startswith("Refused in 24 h: not-json 1.")
    assert said.code == 0


async def compare(url: str, *drifts: tuple[int, float]) -> None:
    """Store how far meters' clocks are ahead."""
    async with await connect_async(url) as conn:
        ids, drift_s = zip(*drifts, strict=True)
        await store_drifts(conn, ids, [NOW] * len(ids), drift_s)


def test_clocks_that_are_off_are_named(keywatt, healthy, example_site) -> None:
    assert keywatt("site", "apply", example_site, **healthy).code == 0

    def clocks(*drifts: tuple[int, float]) -> tuple[str, str]:
        if drifts:
            asyncio.run(compare(healthy["database_url"], *drifts))
        found = by_subject(keywatt("doctor", "--json", **healthy).out)["clocks"]
        return found["verdict"], found["text"]

    assert clocks() == ("ok", "No meter's clock could be compared yet.")
    within = "All 1 that could be compared are within 3 min."
    assert clocks((1, 180.0)) == ("ok", within)
    named = "CS-2001 (2 h behind), ST-1001 (7 min ahead)."
    off = f"2 of 2 are off by more than 3 min: {named}"
    assert clocks((1, 400.0), (2, -7500.0)) == ("warn", off)
