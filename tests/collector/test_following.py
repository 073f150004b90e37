"""A running collector follows what is changed about its meters, and only that."""

import asyncio
from datetime import timedelta

import pytest

from meters.meter import Transport
from meters.profile import PROFILES
from storage.database import connect
from tests.collector.master import enter_meters, stored
from tests.collector.modbus.gateway import Unit, gateway
from tests.collector.test_run import (
    asked_no_more,
    collecting,
    now,
    payload,
    send,
    topic,
)
from tests.collector.waiting import until
from tests.fix_broker import HOST

MQTT, MODBUS = Transport.MQTT, Transport.MODBUS


def at(port: int, unit: int, serial: str, **keys: object) -> dict[str, object]:
    return {"serial": serial, "host": HOST, "port": port, "unit": unit} | keys


def change(url: str, statement: str, **values: object) -> None:
    with connect(url) as conn:
        conn.execute(statement, values)


def polls() -> dict[str, asyncio.Task[None]]:
    """The collector's polls by the meter's serial."""
    named = {task.get_name(): task for task in asyncio.all_tasks()}
    start = "poll of "
    return {n.removeprefix(start): t for n, t in named.items() if n.startswith(start)}


async def asked_again(*units: Unit) -> None:
    """Wait until each unit is asked twice more: once may be an old request."""
    counts = [len(unit.asked_at) + 6 for unit in units]
    for unit, count in zip(units, counts, strict=True):
        await until(lambda unit=unit, count=count: len(unit.asked_at) >= count)


MOVE = "UPDATE meter SET port = %(port)s WHERE serial = %(serial)s"


def test_a_meter_moves_to_another_gateway_and_the_others_go_on(database) -> None:
    old, moved, staying = Unit(1), Unit(1), Unit(2)

    async def run() -> None:
        async with (
            gateway(old, staying) as first,
            gateway(moved) as second,
            collecting(database, None, ""),
        ):
            enter_meters(database, at(first, 1, "A"), at(first, 2, "B"))
            await asked_again(old, staying)
            before = polls()
            change(database, MOVE, port=second, serial="A")
            await asked_again(moved)
            await asked_no_more(old, staying)
            after = polls()
            assert before.keys() == after.keys() == {"A", "B"}
            assert after["B"] is before["B"]
            assert after["A"] is not before["A"]

    asyncio.run(run())


SWAP = """
    WITH old AS (
        UPDATE installation SET removed_at = %(at)s
         WHERE meter_id = (SELECT meter_id FROM meter WHERE serial = %(old)s)
        RETURNING point_id),
    new AS (
        INSERT INTO meter (serial, profile, transport, host, port, unit, poll_every_s)
        SELECT %(new)s, profile, transport, host, port, unit, poll_every_s
          FROM meter WHERE serial = %(old)s
        RETURNING meter_id)
    INSERT INTO installation (point_id, meter_id, installed_at, register_digits,
                              register_resolution)
    SELECT point_id, meter_id, %(at)s, 9, 0.01 FROM old, new
"""


def test_a_swap_at_one_address_ends_one_poll_and_starts_another(database) -> None:
    unit = Unit(1)

    async def run() -> None:
        async with gateway(unit) as port, collecting(database, None, "") as counts:
            enter_meters(database, at(port, 1, "A"))
            await until(lambda: counts[MODBUS].stored >= 1)
            swapped_at = now() - timedelta(minutes=1)
            change(database, SWAP, old="A", new="B", at=swapped_at)
            await until(lambda: polls().keys() == {"B"})
            await until(lambda: counts[MODBUS].stored >= 2)

    asyncio.run(run())
    assert [serial for serial, *_ in stored(database)] == ["A", "B"]


def test_a_topic_follows_its_meter(database, broker, unique) -> None:
    old, new = f"C-{unique}", f"D-{unique}"

    async def run() -> None:
        enter_meters(database, {"serial": old}, {"serial": f"E-{unique}"})
        async with collecting(database, broker, unique) as counts:
            await send(broker, (topic(old), payload(old, 1)))
            await until(lambda: counts[MQTT].stored == 1)
            rename = "UPDATE meter SET serial = %(new)s WHERE serial = %(old)s"
            change(database, rename, old=old, new=new)
            await send(broker, (topic(new), payload(new, 2)))
            await until(lambda: counts[MQTT].stored == 2)
            await send(broker, (topic(old), payload(old, 3)))
            await until(lambda: counts[MQTT].refused == 1)
            other = f"E-{unique}"
            await send(broker, (topic(other), payload(other, 4)))
            await until(lambda: counts[MQTT].stored == 3)

    asyncio.run(run())


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param({"profile": "none-such"}, id="no profile"),
        pytest.param({"profile": "keywatt-json"}, id="a profile of MQTT"),
        pytest.param({"host": "a..b"}, id="no host"),
    ],
)
def test_a_meter_that_becomes_bad_hurts_no_other_and_is_mended(
    database, caplog, bad
) -> None:
    hurt, healthy = Unit(1), Unit(2)
    good = {"profile": "eastron-sdm630", "host": HOST}

    async def run() -> None:
        async with (
            gateway(hurt, healthy) as port,
            collecting(database, None, "") as counts,
        ):
            enter_meters(database, at(port, 1, "A"), at(port, 2, "B"))
            await asked_again(hurt, healthy)
            before = polls()["B"]
            ((column, value),) = bad.items()
            turn = f"UPDATE meter SET {column} = %(value)s WHERE serial = 'A'"
            change(database, turn, value=value)
            await asked_no_more(hurt, healthy)
            change(database, turn, value=good[column])
            await asked_again(hurt, healthy)
            assert polls()["B"] is before
            assert counts[MODBUS].refused == 0

    asyncio.run(run())
    named = [r.getMessage() for r in caplog.records if "Meter A" in r.getMessage()]
    assert [text for text in named if "cannot be polled" in text or "stopped" in text]
    assert not [r for r in caplog.records if "Meter B" in r.getMessage()]


def test_a_profile_that_comes_later_is_found(
    database, broker, unique, tmp_path, caplog
) -> None:

    unit, serial = Unit(1), f"C-{unique}"
    asked = tmp_path / "asked.toml"
    told = tmp_path / "told.toml"

    def write(path, shipped: str) -> None:
        text = (PROFILES / f"{shipped}.toml").read_text("utf-8")
        path.write_text(text.replace(f'"{shipped}"', f'"{path.stem}"'), "utf-8")

    async def run() -> None:
        async with (
            gateway(unit) as port,
            collecting(database, broker, unique) as counts,
        ):
            enter_meters(
                database,
                at(port, 1, "A", profile=str(asked)),
                {"serial": serial, "profile": str(told)},
            )
            await until(lambda: "Meter A cannot be polled" in caplog.text)
            await until(lambda: f"{serial} cannot be listened to" in caplog.text)
            write(asked, "eastron-sdm630")
            write(told, "keywatt-json")
            await asked_again(unit)
            await send(broker, (topic(serial), payload(serial)))
            await until(lambda: counts[MQTT].stored == 1)

    asyncio.run(run())


def test_a_thousand_meters_come_at_once_and_no_poll_waits_for_them(database) -> None:
    unit = Unit(1)
    more = [at(1, n, f"X-{n}-{g}") for n in range(1, 201) for g in range(5)]
    for g in range(5):
        for n in range(200):
            more[5 * n + g]["port"] = 2 + g  # nobody listens there
            more[5 * n + g]["poll_every_s"] = 60.0

    async def run() -> None:
        async with gateway(unit) as port, collecting(database, None, ""):
            enter_meters(database, at(port, 1, "A"))
            await asked_again(unit)
            await asyncio.to_thread(enter_meters, database, *more)
            most, there = 0, 1
            while there < 1001:
                before, there = there, len(polls())
                most = max(most, there - before)
                await asyncio.sleep(0)
            assert most == 20  # then it is the turn of whoever else waits
            await asked_again(unit)

    asyncio.run(run())
