import asyncio
import re
from datetime import UTC, datetime

import pytest

from collector.counting.counts import new_counters
from collector.run import collect
from meters.meter import Transport
from meters.profile import PROFILES
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


MODBUS_PROFILE = (PROFILES / "schneider-iem3155.toml").read_text("utf-8")


def test_a_profile_of_ones_own_can_be_registered(
    keywatt_started, file, tmp_path, database
) -> None:
    own = tmp_path / "acme.toml"
    own.write_text(MODBUS_PROFILE.replace("schneider-iem3155", "acme"), "utf-8")
    replaying = keywatt_started(
        *("replay", str(file), *OPTIONS, "--profile", "acme.toml"),
        *("--port", str(free_port()), "--register", "Mill"),
        database_url=database,
    )
    assert "Mill is in the database" in replaying.stdout.readline()
    with connect(database) as conn:
        assert [meter.profile for meter in load_meters(conn)] == [str(own)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--country", "QQ"], "no public holidays are known for country 'QQ'"),
        (["--country", ""], "accounts[mill].country"),
        (["--serial", "bad serial!"], "--serial is 'bad serial!'; a serial has 1 to"),
        (["--serial", ""], "--serial is ''"),
        (["--register", " "], "name: is ' ', string should have at least 1"),
        (["--port", "0"], "--register needs a --port"),
        (["--port", "70000"], "--port"),
        (["--unit", "256"], "--unit"),
        (["--speed", "0"], "--speed"),
        (["--speed", "nan"], "--speed"),
        (["--speed", "inf"], "--speed"),
        (["--speed", "2", "--lockstep"], "either --lockstep or --speed"),
        (["--transport", "rs485"], "--transport is modbus or mqtt, not 'rs485'"),
        (["--transport", "mqtt", "--profile", "eastron-sdm630"], "not mqtt"),
        (["--profile", "abacus"], "no profile 'abacus'"),
        (["--profile", "none.toml"], "none.toml: cannot be read: No such file"),
        (["--profile", "mill.csv"], "no profile 'mill.csv'"),
        (["--column", "usage"], "--column takes LEFT=RIGHT, not 'usage'"),
        (["--column", "energy_import_kwh=x"], "--column names energy_import_kwh twice"),
        (["--column", "heat=usage"], "heat"),
        (["--column", "voltage_l1_v=usage"], "voltage_l1_v cannot be replayed"),
        (["--column", "energy_export_kwh=none"], "there is no column none"),
        (["--where", "usage"], "--where takes LEFT=RIGHT"),
        (["--where", "plant=A"], "there is no column plant"),
        (["--where", "usage=7"], "has no rows with usage = 7"),
        (["--time", "when"], "there is no column when"),
        (["--time", "usage"], "usage"),
        (["--time-format", "%d/%m/%Y"], "%d/%m/%Y"),
        (["--time-format", "%Q"], "%Q"),
        (["--time-format", ""], "time"),
        (["--stamp", "middle"], "stamp: is 'middle', should be 'start' or 'end'"),
        (["--zone", "Asia/Atlantis"], "which is no known time zone"),
        (["--zone", ""], "zone"),
        (["--zone", "../etc"], "zone"),
        (["--step-min", "0"], "step_min: is 0, should be greater than 0"),
        (["--step-min", "7"], "mill.csv"),
    ],
    ids=str,
)
def test_what_is_typed_wrong_is_one_sentence(keywatt, file, options, said) -> None:
    told = keywatt(
        *("replay", str(file), *OPTIONS, "--register", "Mill", *options),
        database_url="postgresql://keywatt@127.0.0.1:1/keywatt",
    )
    assert told.code == 2
    assert said in " ".join(re.sub("[│╭╮╰╯─]", " ", told.err).split())
    assert "fault in Keywatt" not in told.err
