"""A whole fleet against a real collector: what it gave is stored once."""

import asyncio
import csv
import random
import time

import pytest

from accounts.site import Site
from collector.counting.counts import new_counters
from collector.run import collect
from keywatt.demo.state import free_range
from meters.meter import Transport
from meters.reading import from_utc_us
from simulators.meter_fleet.fault_request import parse_fleet_fault
from simulators.meter_fleet.ledger_file import read_ledger
from simulators.meter_fleet.meter_list import HEADS, fleet_site, write_meter_list
from simulators.meter_fleet.mqtt_line import BrokerPlace
from simulators.meter_fleet.plan import FleetPlan, make_fleet
from simulators.meter_fleet.reckoning import reckon
from simulators.meter_fleet.report import FleetReport, FleetRun
from simulators.meter_fleet.running import run_meter_fleet
from simulators.simulator_error import SimulatorError
from storage.database import connect
from storage.site import apply_site
from storage.stored import load_stored
from tests.collector.waiting import until
from tests.fix_broker import HOST
from tests.simulators.meter_fleet.made import START_MS, plan

EVERY_S = 0.2


def free_ports(count: int) -> int:
    """Return the first of some ports in a row that nobody listens on."""
    return free_range(random.randrange(20_000, 30_000), count)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def planned(mqtt: int, modbus: int, unique: str) -> FleetPlan:
    return FleetPlan(
        mqtt=mqtt,
        modbus=modbus,
        start_ms=now_ms(),
        every_ms=round(EVERY_S * 1000),
        base_port=free_ports(3),
        units_per_port=4,
        prefix=f"F-{unique}-",
    )


async def collected(database, broker, run: FleetRun, enough: int) -> FleetReport:
    """Run both until enough was published, and a tenth of it polled."""
    counts, stop = new_counters(), asyncio.Event()
    ready = asyncio.Event()
    collecting = asyncio.create_task(
        collect(
            database,
            broker,
            lambda: from_utc_us(now_ms() * 1000),
            counts=counts,
            on_ready=ready.set,
            client_id=run.plan.prefix,
            timeout_s=0.5,
        )
    )
    await ready.wait()
    fleet = asyncio.create_task(run_meter_fleet(run, stop))
    polled = counts[Transport.MODBUS]
    await until(
        lambda: (
            fleet.done()
            or (
                counts[Transport.MQTT].stored >= enough and polled.stored >= enough / 10
            )
        )
    )
    stop.set()
    report = await fleet
    mqtt = counts[Transport.MQTT]
    await until(lambda: mqtt.answered >= report.messages and not mqtt.waiting)
    collecting.cancel()
    await asyncio.wait([collecting])
    return report


def enter(database, plan: FleetPlan) -> None:
    site = fleet_site(make_fleet(plan), every_s=EVERY_S)
    with connect(database) as conn:
        apply_site(conn, site, from_utc_us(plan.start_ms * 1000))


def test_all_that_a_fleet_with_faults_gave_is_stored_once(
    database, mosquitto, unique, tmp_path
) -> None:
    plan = planned(40, 12, unique)
    enter(database, plan)
    run = FleetRun(
        plan=plan,
        now_ms=now_ms,
        broker=BrokerPlace(host=HOST, port=mosquitto.port),
        ledger=tmp_path / "ledger.parquet",
        faults=[
            parse_fleet_fault(text)
            for text in (
                "dead@10%",
                "garbage@10%",
                "stuck@10%",
                "counter-glitch@10%",
                "rollover=1@10%",
                "swap@10%:1..",
                "clock-drift@10%",
                "out-of-order@10%",
                "burst@10%:0..1",
                "slow=0.3@10%",
                "wrong-unit-echo@10%",
                "word-order@10%",
            )
        ],
    )
    report = asyncio.run(collected(database, mosquitto, run, 200))
    given = read_ledger(run.ledger)
    with connect(database) as conn:
        found = reckon(given, load_stored(conn, given.serials))
    assert found.holds, found.examples
    assert found.certain > 100
    assert report.forgotten == 0
    counted = sum(sum(by.values()) for by in report.given.values())
    assert counted == len(given)


def test_a_collector_that_loses_one_reading_is_found_out(
    database, mosquitto, unique, tmp_path
) -> None:
    plan = planned(5, 2, unique)
    enter(database, plan)
    run = FleetRun(
        plan=plan,
        now_ms=now_ms,
        broker=BrokerPlace(host=HOST, port=mosquitto.port),
        ledger=tmp_path / "ledger.parquet",
    )
    asyncio.run(collected(database, mosquitto, run, 10))
    given = read_ledger(run.ledger)
    with connect(database) as conn:
        conn.execute(
            "DELETE FROM reading WHERE (meter_id, measured_at) IN (SELECT meter_id,"
            " min(measured_at) FROM reading GROUP BY meter_id LIMIT 1)"
        )
        found = reckon(given, load_stored(conn, given.serials))
    assert found.missing == 1


def test_a_meter_with_a_will_says_that_it_is_there_and_the_broker_that_it_went(
    mosquitto, unique
) -> None:
    plan = planned(1, 0, unique)
    run = FleetRun(
        plan=plan,
        now_ms=now_ms,
        broker=BrokerPlace(host=HOST, port=mosquitto.port),
        faults=[parse_fleet_fault("last-will:0.3..0.6")],
    )

    async def main() -> None:
        from tests.simulators.meter_fleet.test_mqtt_line import (  # noqa: PLC0415
            heard_at,
        )

        stop = asyncio.Event()
        serial = make_fleet(plan)[0].serial
        topic = f"keywatt/meters/{serial}/status"  # as the profile has it
        async with heard_at(mosquitto, topic) as heard:
            fleet = asyncio.create_task(run_meter_fleet(run, stop))
            await until(lambda: heard[-2:] == [b"offline", b"online"])
            stop.set()
            await fleet
            assert heard[0] == b"online"

    asyncio.run(main())


def test_the_list_of_meters_is_the_form_of_a_site(tmp_path) -> None:
    fleet = make_fleet(plan(mqtt=60, modbus=3))
    write_meter_list(fleet, tmp_path / "m.csv", every_s=2.5, reached_at="meters")
    with (tmp_path / "m.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == HEADS
    site = fleet_site(fleet, every_s=2.5, reached_at="meters")
    assert isinstance(site, Site)
    as_form = [
        (account.code, point.name, meter)
        for account in site.accounts
        for point in account.points
        for meter in point.meters
    ]
    assert [(r["account"], r["point"], r["serial"]) for r in rows] == [
        (code, point, meter.serial) for code, point, meter in as_form
    ]
    assert len({row["account"] for row in rows}) == 2
    last = rows[-1]
    assert (last["host"], last["unit"], last["poll_every_s"]) == ("meters", "3", "2.5")
    assert rows[0]["host"] == rows[0]["port"] == ""
    assert (
        last["installed_at"] == from_utc_us((START_MS - 86_400_000) * 1000).isoformat()
    )


def test_a_port_that_is_taken_ends_the_fleet_with_one_sentence(unique) -> None:
    async def main() -> None:
        server = await asyncio.start_server(lambda *_: None, HOST, 0)
        port = server.sockets[0].getsockname()[1]
        run = FleetRun(
            plan=plan(modbus=1, base_port=port, prefix=unique), now_ms=now_ms
        )
        try:
            await run_meter_fleet(run, asyncio.Event())
        finally:
            server.close()

    with pytest.raises(SimulatorError, match="cannot listen on"):
        asyncio.run(main())
