"""A probe against real servers: every shipped profile finds its own meter."""

import asyncio
from datetime import UTC, datetime

import pytest
from pymodbus.constants import ExcCodes

from collector.modbus.bus import ModbusBus
from collector.modbus.probing import Found, ProbeError, probe_unit
from meters.candidates import first_request, turn
from meters.plausibility import DECIDES
from meters.profile import ModbusProfile, load_profile, profile_names
from meters.quantity import Quantity
from meters.sunspec import Chain, Model, resolve
from tests.collector.modbus.whole_meter import Answering, whole_meters
from tests.fix_broker import HOST, free_port
from tests.meters.meter_memory import MeterMemory, memory_of

Q = Quantity
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PROFILES = [
    profile
    for profile in map(load_profile, profile_names())
    if isinstance(profile, ModbusProfile)
]
BY_NAME = {profile.name: profile for profile in PROFILES}
SDM630 = BY_NAME["eastron-sdm630"]
# One phase of 230 V and 10 A at 0.8; a meter with three has the others without load.
PLANT = {
    Q.VOLTAGE_L1_V: 230.0,
    Q.VOLTAGE_L2_V: 231.0,
    Q.VOLTAGE_L3_V: 229.0,
    Q.CURRENT_L1_A: 10.0,
    Q.ACTIVE_POWER_L1_KW: 1.84,
    Q.ACTIVE_POWER_L2_KW: 0.0,
    Q.ACTIVE_POWER_L3_KW: 0.0,
    Q.ACTIVE_POWER_KW: 1.84,
    Q.REACTIVE_POWER_KVAR: 1.38,
    Q.POWER_FACTOR: 0.8,
    Q.FREQUENCY_HZ: 50.02,
    Q.ENERGY_IMPORT_KWH: 1234.5,
    Q.ENERGY_EXPORT_KWH: 12.0,
    Q.ENERGY_LAGGING_KVARH: 321.0,
    Q.ENERGY_LEADING_KVARH: 1.0,
}
NOTHING = MeterMemory(held={})


def meter(name: str = "eastron-sdm630", **fields) -> Answering:
    return Answering(memory_of(BY_NAME[name], PLANT, NOON), **fields)


async def probed(meters, unit: int = 1, profiles=PROFILES, **options) -> Found:
    timeout_s = options.pop("timeout_s", 1.0)
    async with whole_meters(meters) as port:
        bus = ModbusBus.tcp(HOST, port, timeout_s=timeout_s)
        try:
            return await probe_unit(bus, unit, profiles, **options)
        finally:
            bus.close()


def test_each_shipped_profile_finds_its_own_meter() -> None:
    names = list(BY_NAME)

    async def run() -> dict[str, Found]:
        found = {}
        async with whole_meters(
            {n: meter(name) for n, name in enumerate(names, 1)}
        ) as p:
            bus = ModbusBus.tcp(HOST, p, timeout_s=5.0)
            for unit, name in enumerate(names, 1):
                found[name] = await probe_unit(bus, unit, PROFILES)
            bus.close()
        return found

    for name, found in asyncio.run(run()).items():
        best = found.fits[0]
        assert best.profile.name == name
        assert best.values[Q.ENERGY_IMPORT_KWH] == pytest.approx(1234.5)
        assert [one.score < best.score for one in found.candidates[1:]].count(
            False
        ) == 0


def test_a_request_that_several_profiles_share_is_made_once() -> None:
    one = meter()
    asyncio.run(probed({1: one}))
    assert len(one.asked) == len(set(one.asked))


def test_a_profile_that_its_first_answer_speaks_against_is_asked_no_further() -> None:
    # The first words of an SDM630, 4366 0000, are as EM340 1725.4 V, or 113 MV with its
    # words turned. What an EM340 would say of itself is not asked then.
    one = meter()
    one.memory = memory_of(SDM630, PLANT, has_holes=False)
    asyncio.run(probed({1: one}))
    em340 = BY_NAME["carlo-gavazzi-em340"]
    first = first_request(em340)
    assert ("input", first.address, first.count) in one.asked
    assert ("input", 0x000B, 1) not in one.asked


def test_a_dead_unit_costs_two_requests() -> None:
    dead = Answering(NOTHING, silent=True)
    found = asyncio.run(probed({1: dead}, timeout_s=0.1))
    assert (found.answers, found.candidates, found.requests) == (False, (), 2)
    assert {table for table, _, _ in dead.asked} == {"input", "holding"}


@pytest.mark.parametrize(
    "code", [ExcCodes.GATEWAY_PATH_UNAVIABLE, ExcCodes.GATEWAY_NO_RESPONSE]
)
def test_a_gateway_that_answers_for_a_dead_unit_is_not_the_unit(code) -> None:
    found = asyncio.run(probed({1: Answering(NOTHING, refusal=code)}))
    assert (found.answers, found.requests) == (False, 2)


def test_a_unit_that_refuses_everything_answers_but_fits_nothing() -> None:
    found = asyncio.run(probed({1: Answering(NOTHING)}))
    assert found.answers
    assert (found.candidates, found.fits, found.turned) == ((), (), ())
    assert found.objections == ("exception 2 (illegal address)",)


def test_a_busy_meter_is_asked_again() -> None:
    found = asyncio.run(probed({1: meter(busy=1)}, profiles=[SDM630]))
    assert found.fits[0].profile is SDM630


def test_what_a_silent_meter_does_not_answer_is_held_against_the_profile() -> None:
    # It keeps silent to every function 3, and is known by function 4 all the same.
    one = meter(silent=True)
    found = asyncio.run(
        probed({1: one}, profiles=[SDM630, BY_NAME["abb-b23"]], timeout_s=0.3)
    )
    assert [c.profile.name for c in found.candidates] == ["eastron-sdm630"]


def test_a_meter_that_is_silent_to_what_it_does_not_have_is_found_with_patience() -> (
    None
):
    # Of all profiles' first requests an SDM630 that says nothing else answers one.
    one = meter(silent=True)
    profiles = [BY_NAME["abb-b23"], BY_NAME["janitza-umg96"], SDM630]
    found = asyncio.run(probed({1: one}, profiles=profiles, timeout_s=0.3))
    assert found.answers
    profiles = [BY_NAME["carlo-gavazzi-em340"], *profiles]
    found = asyncio.run(probed({1: one}, profiles=profiles, timeout_s=0.1))
    assert not found.answers
    found = asyncio.run(
        probed({1: one}, profiles=profiles, timeout_s=0.3, most_silent=4)
    )
    assert found.fits[0].profile is SDM630


def test_a_sunspec_meter_is_found_where_its_device_has_it() -> None:
    # Behind an inverter, in a chain that begins at 0: 1, 103, 1 and the meter's 203.
    form = BY_NAME["sunspec-meter"].form
    models = ((1, 2, 66), (103, 70, 50), (1, 122, 65), (203, 189, 105))
    chain = Chain(
        base=0,
        models=tuple(
            Model(model_id=n, address=address, length=length)
            for n, address, length in models
        ),
    )
    own = resolve(form, chain)
    found = asyncio.run(probed({1: Answering(memory_of(own, PLANT))}))
    best = found.fits[0]
    assert best.profile is own
    assert best.values[Q.ENERGY_IMPORT_KWH] == 1234.5
    said = "it says of itself: SunSpec models 1, 103, 1, 203"
    assert best.verdict.remarks[0] == (DECIDES, said)


def test_a_slow_unit_takes_no_more_than_its_time() -> None:
    found = asyncio.run(probed({1: meter(delay_s=0.1)}, budget_s=0.25))
    assert found.answers
    assert found.requests <= 4
    assert found.unasked > 0


@pytest.mark.parametrize(
    "keys", [("word_order",), ("byte_order",), ("word_order", "byte_order")]
)
def test_a_meter_in_another_order_is_told_by_its_order(keys) -> None:
    turned = turn(SDM630, keys)
    one = Answering(memory_of(turned, PLANT))
    found = asyncio.run(probed({1: one}))
    assert found.fits == ()
    best = found.turned[0].profile
    assert best.name == "eastron-sdm630"
    assert (best.word_order, best.byte_order) == (turned.word_order, turned.byte_order)


def test_a_bus_that_is_not_there_is_one_sentence() -> None:
    async def run() -> None:
        port = free_port()
        bus = ModbusBus.tcp(HOST, port, timeout_s=0.2)
        with pytest.raises(ProbeError, match=f"no connection to {HOST}:{port}: see "):
            await probe_unit(bus, 1, [SDM630])

    asyncio.run(run())
