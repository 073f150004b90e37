import asyncio
import logging
from datetime import timedelta

from collector.modbus.bus import ModbusBus
from collector.modbus.drift import ClockDrift
from tests.collector.modbus.gateway import Unit, gateway, modbus_profile
from tests.collector.modbus.polling import AT, meter, polled
from tests.fix_broker import HOST


def drift_after(*clocks: timedelta) -> list[ClockDrift]:
    """Read a meter whose clock is off by so much each time; our time is AT."""
    told: list[ClockDrift] = []

    async def run() -> None:
        unit = Unit(1, profile=modbus_profile("schneider-iem3155"))
        async with gateway(unit) as port:
            bus = ModbusBus.tcp(HOST, port)
            one = polled(meter(1, port, profile="schneider-iem3155"), bus)
            one.on_drift = told.append
            for clock in clocks:
                unit.measured_at = AT + clock
                await one.read(lambda: AT)
                assert one.health.drift is told[-1]
            bus.close()

    asyncio.run(run())
    return told


def test_the_clock_is_compared_with_ours_at_every_read() -> None:
    ahead, behind = drift_after(timedelta(seconds=12), -timedelta(minutes=2))
    assert ahead == ClockDrift(meter_id=1, measured_at=AT, drift_s=12.0)
    assert behind.drift_s == -120.0
    assert not behind.is_wrong


def test_more_than_three_minutes_is_said_when_it_begins_and_when_it_ends(
    caplog,
) -> None:
    caplog.set_level(logging.INFO, "collector")
    minutes = [0, 3, -4.2, -4.2, 5, 2]
    told = drift_after(*(timedelta(minutes=m) for m in minutes))
    assert [one.is_wrong for one in told] == [False, False, True, True, True, False]
    assert [record.getMessage() for record in caplog.records] == [
        "The clock of meter M1 is 4 min 12 s behind: set it.",
        "The clock of meter M1 is right again.",
    ]


def test_a_clock_too_far_ahead_is_compared_though_its_reading_is_refused() -> None:
    (told,) = drift_after(timedelta(hours=2))
    assert told.drift_s == 7200.0
