import asyncio
from datetime import UTC, datetime

import pytest

from collector.counts import new_counters
from collector.run import collect
from meters.meter import Transport
from storage.database import connect
from storage.health import load_outcomes
from storage.master import load_account, load_meters
from tests.fix_broker import free_port

CSV = "time,usage\n2026-03-01 00:00,1.5\n2026-03-01 00:15,2.5\n2026-03-01 00:30,0.5\n"
OPTIONS = ("--time", "time", "--column", "energy_import_kwh=usage")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mill.csv"
    path.write_text(CSV)
    return path


def test_over_mqtt_in_lockstep_it_gives_every_register_reading(
    keywatt, file, broker
) -> None:
    said = keywatt(
        *("replay", str(file), *OPTIONS, "--transport", "mqtt", "--serial", "RP-1"),
        broker_host=broker.host,
        broker_port=str(broker.port),
    )
    # Three intervals have four ends, and a register is read at each.
    assert said.out.splitlines() == [
        f"3 intervals: the meter publishes to {broker} as RP-1.",
        "Done: 4 readings were given.",
    ]
    assert said.code == 0


def test_over_modbus_a_registered_meter_is_read_by_a_collector(
    keywatt_started, file, database
) -> None:
    replaying = keywatt_started(
        *("replay", str(file), *OPTIONS, "--zone", "Asia/Seoul", "--country", "KR"),
        *("--port", str(free_port()), "--register", "River Mill"),
        database_url=database,
    )
    assert "River Mill is in the database" in replaying.stdout.readline()
    assert "answers on 127.0.0.1" in replaying.stdout.readline()
    with connect(database, autocommit=True) as conn:
        assert load_account(conn, "river-mill").country == "KR"
        assert [meter.serial for meter in load_meters(conn)] == ["mill"]
        counts = asyncio.run(read_until(replaying, database))
        stored = [
            row.readings for row in load_outcomes(conn) if row.outcome == "stored"
        ]
    assert replaying.stdout.readline() == "Done: 4 readings were given.\n"
    assert replaying.wait(timeout=20) == 0
    assert stored == [4]
    assert counts[Transport.MODBUS].refused == 0


async def read_until(replaying, url):
    """Collect until the replay is over."""
    counts = new_counters()
    collecting = asyncio.create_task(
        collect(url, None, lambda: datetime.now(UTC), counts=counts)
    )
    await asyncio.to_thread(replaying.wait, timeout=30)
    collecting.cancel()  # what it has read, it writes before it ends
    await asyncio.gather(collecting, return_exceptions=True)
    return counts


def test_what_was_repaired_is_said(keywatt, file, broker) -> None:
    first, *rows = CSV.splitlines()
    file.write_text("\n".join([first, *reversed(rows)]) + "\n")
    file.with_name("mill.csv.toml").write_text(
        "time = 'time'\ncolumns = { energy_import_kwh = 'usage' }\n"
    )
    said = keywatt(
        *("replay", str(file), "--transport", "mqtt"),
        broker_host=broker.host,
        broker_port=str(broker.port),
    )
    assert said.code == 0
    assert "from new to old" in said.err


def test_a_profile_of_the_other_transport_is_refused(keywatt, file) -> None:
    said = keywatt(
        *("replay", str(file), *OPTIONS),
        *("--transport", "modbus", "--profile", "keywatt-json"),
    )
    assert said.code == 2
    assert "read over mqtt, not modbus" in said.err
