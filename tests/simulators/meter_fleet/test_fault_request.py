import pytest

from meters.meter import Transport
from simulators.meter_fleet.fault_request import (
    FleetFaultError,
    parse_fleet_fault,
    seconds,
)
from simulators.meter_fleet.faults import KINDS, Fault
from simulators.meter_fleet.plan import make_fleet
from tests.simulators.meter_fleet.made import START_MS, plan


def test_every_fault_is_described_and_stands_for_a_pain() -> None:
    assert set(KINDS) == set(Fault)
    assert all(1 <= kind.peers_line <= 17 for kind in KINDS.values())
    assert all(kind.told.endswith(".") for kind in KINDS.values())


def test_each_part_of_a_fault_is_read() -> None:
    request = parse_fleet_fault("late-reply=7.5@5%:30s..2m")
    assert request.fault is Fault.LATE_REPLY
    assert request.size == 7.5
    assert request.share == 0.05
    assert (request.from_s, request.until_s) == (30.0, 120.0)
    assert parse_fleet_fault("dead").share == 1.0
    assert parse_fleet_fault("dead@FQ00001").serial == "FQ00001"
    assert parse_fleet_fault("dead:..5").until_s == 5.0
    assert parse_fleet_fault("slow").size == KINDS[Fault.SLOW].size


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lazy@5%", "There is no fault"),
        ("dead@0%", "no share"),
        ("dead@200%", "no share"),
        ("dead@x%", "no share"),
        ("dead=3", "has no size"),
        ("slow=1.2.3", "no number"),
        ("dead:2m..30s", "ends before"),
        ("dead:..1.2.3s", "no length of time"),
    ],
)
def test_what_is_no_fault_is_said_in_one_sentence(text, said) -> None:
    with pytest.raises(FleetFaultError, match=said):
        parse_fleet_fault(text)


def test_lengths_of_time() -> None:
    assert [seconds(text) for text in ("90", "90s", "15m", "2h")] == [90, 90, 900, 7200]


def test_a_share_falls_on_the_same_meters_in_every_run() -> None:
    request = parse_fleet_fault("garbage@10%:10..20")

    def stricken(seed: int) -> list[str]:
        fleet = make_fleet(plan(mqtt=60, modbus=40, seed=seed), [request])
        return [meter.serial for meter in fleet if meter.spells]

    assert len(stricken(1)) == 10
    assert stricken(1) == stricken(1) != stricken(2)
    [spell] = next(m.spells for m in make_fleet(plan(mqtt=60), [request]) if m.spells)
    assert (spell.from_ms, spell.until_ms) == (START_MS + 10_000, START_MS + 20_000)


def test_faults_fall_only_on_meters_that_can_have_them() -> None:
    for fault, kind in KINDS.items():
        if fault is Fault.BROKER_RESTART:
            continue
        fleet = make_fleet(plan(mqtt=6, modbus=6), [parse_fleet_fault(fault)])
        stricken = [meter for meter in fleet if meter.spells]
        assert {meter.transport for meter in stricken} <= set(kind.transports)
        if fault in (Fault.CLOCK_DRIFT, Fault.SUMMER_CLOCK):
            assert all(meter.has_clock for meter in stricken)
        else:
            able = [m for m in fleet if m.transport in kind.transports]
            assert stricken == able


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dead@nobody", "There is no meter nobody"),
        ("late-reply@FQ00001", "cannot have"),
        ("clock-drift@FB00001", "cannot have"),  # an SDM630 has no clock
    ],
)
def test_a_victim_that_cannot_be_is_named(text, said) -> None:
    with pytest.raises(FleetFaultError, match=said):
        make_fleet(plan(mqtt=1, modbus=1), [parse_fleet_fault(text)])
    with pytest.raises(FleetFaultError, match="No meter of the fleet"):
        make_fleet(plan(mqtt=1), [parse_fleet_fault("hole")])


def test_addresses_are_unique_and_units_stay_below_the_port_s_number() -> None:
    fleet = make_fleet(plan(mqtt=2, modbus=120, units_per_port=50))
    places = [meter.place for meter in fleet if meter.transport is Transport.MODBUS]
    assert len({(place.port, place.unit) for place in places}) == 120
    assert {place.port for place in places} == set(plan(modbus=120).ports)
    assert max(place.unit for place in places) == 50
