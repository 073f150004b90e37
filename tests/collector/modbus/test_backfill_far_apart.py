"""Gaps of meters that are polled less often than their memory records."""

from datetime import UTC, datetime

import numpy as np

from benchmarks.campaign.polling import poll_all
from meters.meter import Meter, Transport
from meters.reading import Source, from_utc_us
from simulators.meter_fleet.fault_request import FaultRequest
from simulators.meter_fleet.faults import Fault
from simulators.meter_fleet.plan import FleetPlan, make_fleet

NOON = datetime(2027, 1, 15, 12, tzinfo=UTC)
DAY_S, HOUR_S = 86_400, 3600


def test_a_day_is_read_in_a_few_polls_of_which_none_begins_again() -> None:
    plan = FleetPlan(
        mqtt=0,
        modbus=1,
        start_ms=round(NOON.timestamp() * 1000),
        modbus_profiles=("keywatt-logger",),
    )
    silent = FaultRequest(
        fault=Fault.DEAD, size=0, serial="FB00001", from_s=HOUR_S, until_s=DAY_S
    )
    [one] = fleet = make_fleet(plan, [silent])
    known = Meter(
        meter_id=7,
        serial=one.serial,
        profile=one.profile.name,
        transport=Transport.MODBUS,
        host=one.place.host,
        port=one.place.port,
        unit=one.place.unit,
        poll_every_s=900,
    )
    collected = poll_all(plan, fleet, [known], 2 * DAY_S, lambda _: None)
    [remembered] = [
        batch
        for origin, batch, _ in collected.received(0, 1 << 62)
        if origin.source is Source.LOAD_PROFILE
    ]
    # 13:00 to 12:00 the next day: 92 quarter-hours, from 13:00 or 13:15 on.
    got = np.unique(remembered.measured_us)
    assert np.diff(got).tolist() == [900_000_000] * (got.size - 1)
    assert 91 <= got.size <= 93
    assert from_utc_us(int(got[-1])) in {
        datetime(2027, 1, 16, 11, 45, tzinfo=UTC),
        datetime(2027, 1, 16, 12, 0, tzinfo=UTC),
    }
    # 16 requests of six records, four at a poll: within a few hours, not for ever.
    assert (
        remembered.received_us.max() - remembered.received_us.min() < 3 * HOUR_S * 10**6
    )
    # Each once, but for what is read again where a poll goes on.
    assert len(remembered) <= got.size + 12
