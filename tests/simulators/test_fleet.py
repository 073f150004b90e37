import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from accounts.site import ModbusConnection
from meters.meter import Meter, Transport
from meters.quantity import COLUMN, REGISTERS, Quantity
from meters.reading import joined, utc_us
from simulators.faults import Fault, FaultKind
from simulators.fleet import (
    KEY_ACCOUNTS,
    demo_calendar,
    demo_meters,
    demo_site,
    ports_from,
)
from simulators.history import history, reading_times
from simulators.running import run_fleet
from simulators.scenario import Scenario, first_scenario, load_scenario
from simulators.simulator_error import SimulatorError

NOW = datetime(2026, 11, 22, 12, 7, 13, tzinfo=UTC)
SCENARIO = first_scenario(NOW, days=12)
HOST = "127.0.0.1"


def meters_of(simulated) -> list[Meter]:
    return [
        Meter(
            meter_id=number,
            serial=meter.serial,
            profile=meter.profile.name,
            transport=Transport(meter.profile.transport),
        )
        for number, meter in enumerate(simulated.values(), start=1)
    ]


def test_the_fleet_is_what_was_asked_for() -> None:
    site = demo_site(epoch=SCENARIO.epoch, host=HOST, ports=ports_from(15020))
    assert len(site.accounts) >= 10
    assert len({account.sector for account in site.accounts}) >= 6
    assert len({account.manager for account in site.accounts}) == 2
    meters = site.meters()
    polled = [
        m.connection for m in meters if isinstance(m.connection, ModbusConnection)
    ]
    behind = Counter(connection.port for connection in polled)
    assert len(polled) >= 5
    assert max(behind.values()) >= 2
    assert len(meters) > len(polled)
    profiles = {meter.profile for meter in meters}
    assert len(profiles) >= 4
    assert "keywatt-json" in profiles


@pytest.mark.parametrize("code", KEY_ACCOUNTS)
def test_what_can_be_shifted_is_equipment_of_the_plant(code) -> None:
    account = KEY_ACCOUNTS[code]
    ratings = {e.name: e.rated_kw for e in account.plan().equipment}
    assert ratings[account.process.name] == account.process.power_kw


@pytest.mark.parametrize("code", KEY_ACCOUNTS)
def test_every_plant_has_something_that_rests_at_night(code) -> None:
    assert any(e.rests_at_night for e in KEY_ACCOUNTS[code].plan().equipment)


@pytest.mark.parametrize("code", KEY_ACCOUNTS)
def test_history_goes_on_live_without_a_jump(code) -> None:
    moment = NOW
    simulated = demo_meters(
        epoch=SCENARIO.epoch, now=lambda: moment, faults=SCENARIO.faults
    )
    meter = simulated[code]
    (known,) = (m for m in meters_of(simulated) if m.serial == meter.serial)
    start = demo_calendar().day_bounds(SCENARIO.epoch)[0]
    past = joined(history([known], {meter.serial: meter}, start=start, stop=NOW))
    assert past.measured_us[-1] == utc_us(NOW.replace(minute=0, second=0))
    live = meter.readings(known, np.array([utc_us(NOW)]))
    registers = [COLUMN[q] for q in REGISTERS]
    step = live.values[0, registers] - past.values[-1, registers]
    power_kw = past.values[:, COLUMN[Quantity.ACTIVE_POWER_KW]].max()
    assert (step >= 0).all()
    assert step[0] < power_kw * 8 / 60  # 7 min and 13 s have gone by
    # A meter made anew at a later start shows the same at the same moment.
    moment = start + timedelta(days=11)
    again = demo_meters(
        epoch=SCENARIO.epoch, now=lambda: moment, faults=SCENARIO.faults
    )[code]
    assert again.show() == meter.show()


def test_history_counts_every_quarter_hour_of_every_meter() -> None:
    simulated = demo_meters(epoch=SCENARIO.epoch, now=lambda: NOW)
    start = demo_calendar().day_bounds(SCENARIO.epoch)[0]
    by_serial = {meter.serial: meter for meter in simulated.values()}
    batches = list(history(meters_of(simulated), by_serial, start=start, stop=NOW))
    expected = reading_times(start, NOW).size * len(simulated)
    assert sum(map(len, batches)) == expected
    everything = joined(batches)
    steps = np.diff(everything.values[everything.meter_id == 1][:, :4], axis=0)
    assert (steps >= 0).all()


def test_a_silent_meter_shows_nothing_and_has_no_history() -> None:
    silent = Fault(
        kind=FaultKind.SILENT,
        account="steel",
        starts_at=NOW - timedelta(hours=1),
        ends_at=NOW + timedelta(hours=1),
    )
    simulated = demo_meters(epoch=SCENARIO.epoch, now=lambda: NOW, faults=[silent])
    meter = simulated["steel"]
    assert meter.show() is None
    times_us = reading_times(NOW - timedelta(hours=2), NOW)
    given = meter.readings(meters_of(simulated)[0], times_us).measured_us
    assert given.tolist() == times_us[times_us < utc_us(silent.starts_at)].tolist()


def test_a_scenario_outlives_the_program(tmp_path) -> None:
    file = tmp_path / "scenario.json"
    assert load_scenario(file) is None
    SCENARIO.save(file)
    assert load_scenario(file) == SCENARIO
    file.write_text("{}")
    with pytest.raises(SimulatorError, match="remove it together with the demo"):
        load_scenario(file)


def test_the_next_start_ends_what_went_on() -> None:
    open_ended = Fault(kind=FaultKind.OUTAGE, account="steel", starts_at=NOW)
    asked = replace(open_ended, account="office")
    later = NOW + timedelta(hours=3)
    before = Scenario(epoch=SCENARIO.epoch, faults=(open_ended,))
    after = before.goes_on(later, [asked])
    assert after.faults == (replace(open_ended, ends_at=later), asked)
    # So the registers go on where they were, and do not jump.
    simulated = [
        demo_meters(epoch=s.epoch, now=lambda: later, faults=s.faults)["steel"]
        for s in (before, after)
    ]
    assert simulated[0].show() == simulated[1].show()


@pytest.mark.parametrize("hour", range(0, 24, 5))
def test_a_first_start_has_something_open_and_something_past(hour) -> None:
    now = NOW.replace(hour=hour)
    faults = first_scenario(now).faults
    assert all(fault.starts_at < now for fault in faults)
    still = [fault.active_at(now) for fault in faults]
    assert any(still)
    assert not all(still)


def test_a_taken_port_is_said_in_one_sentence() -> None:
    async def run() -> None:
        server = await asyncio.start_server(lambda *_: None, HOST, 0)
        async with server:
            taken = server.sockets[0].getsockname()[1]
            meters = demo_meters(epoch=SCENARIO.epoch, now=lambda: NOW)
            ports = dict.fromkeys(ports_from(0), taken)

            async def publish(_topic: str, _payload: bytes) -> None:
                raise AssertionError

            with pytest.raises(
                SimulatorError, match=f"cannot listen on {HOST}:{taken}"
            ):
                await run_fleet(meters, host=HOST, ports=ports, publish=publish)

    asyncio.run(run())
