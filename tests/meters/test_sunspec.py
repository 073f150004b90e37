"""Chains that devices could have, walked; and words of meters worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.blocks import plan_blocks
from meters.decode import decode_blocks, encode_registers
from meters.event import MeterEvent
from meters.identity import decode_identity, encode_identity, plan_identity
from meters.profile import load_profile
from meters.quantity import QUANTITIES, Quantity
from meters.sunspec import (
    Chain,
    Model,
    SunspecError,
    SunspecProfile,
    resolve,
    walk,
)
from meters.sunspec_form import SunspecForm

Q = Quantity
METERS = {
    201: 105,
    202: 105,
    203: 105,
    204: 105,
    211: 124,
    212: 124,
    213: 124,
    214: 124,
}
PROFILE = load_profile("sunspec-meter")
assert isinstance(PROFILE, SunspecProfile)
FORM = PROFILE.form


def chain_of(base, models) -> Chain:
    """A chain of models with (id, length)."""
    address, laid = base + 2, []
    for model_id, length in models:
        laid.append(Model(model_id=model_id, address=address, length=length))
        address += 2 + length
    return Chain(base=base, models=tuple(laid))


def words_of(chain: Chain) -> dict[int, int]:
    """What stands in the device, from "SunS" to the end marker."""
    held = {chain.base: 0x5375, chain.base + 1: 0x6E53}
    end = chain.base + 2
    for model in chain.models:
        held |= dict.fromkeys(range(model.address, model.address + model.length + 2), 0)
        held |= {model.address: model.model_id, model.address + 1: model.length}
        end = model.address + model.length + 2
    return held | {end: 0xFFFF, end + 1: 0}


def walked(held: dict[int, int]) -> tuple[Chain, int]:
    """Walk what a device holds; a request beyond it gets no answer."""
    walking, words, requests = walk(), None, 0
    try:
        address, count = next(walking)
        while True:
            requests += 1
            places = range(address, address + count)
            words = [held[p] for p in places] if set(places) <= set(held) else None
            address, count = walking.send(words)
    except StopIteration as stop:
        return stop.value, requests


CHAINS = st.builds(
    chain_of,
    st.sampled_from([0, 40000, 50000]),
    st.lists(st.tuples(st.integers(0, 0xFFFE), st.integers(0, 900)), max_size=9),
)


@given(CHAINS)
def test_a_chain_is_walked_to_its_end(chain) -> None:
    found, requests = walked(words_of(chain))
    assert found == chain
    assert requests <= 3 + len(chain.models) + 1


def test_an_end_marker_in_the_devices_last_register_is_found() -> None:
    held = words_of(chain_of(40000, [(1, 66), (203, 105)]))
    del held[max(held)]
    chain, _ = walked(held)
    assert [model.model_id for model in chain.models] == [1, 203]


@pytest.mark.parametrize(
    ("held", "told"),
    [
        ({}, 'There is no "SunS" in the holding registers at 40000 or 0 or 50000.'),
        ({40000: 1, 40001: 2}, 'There is no "SunS"'),
        ({0: 0x5375, 1: 0x6E53, 2: 1, 3: 66}, "breaks off at 70 without an end"),
        ({0: 0x5375, 1: 0x6E53, 2: 1, 3: 65533}, "runs past the last register, 65535"),
        # A device that answers everything with nothing.
        (dict.fromkeys(range(65536), 0) | {0: 0x5375, 1: 0x6E53}, "has no end at 402"),
    ],
)
def test_what_is_no_chain_is_told_in_one_sentence(held, told) -> None:
    with pytest.raises(SunspecError, match=told):
        walked(held)


def answers(held, blocks):
    return {b: [held.get(b.address + i, 0) for i in range(b.count)] for b in blocks}


def read(profile, held):
    return decode_blocks(profile, answers(held, plan_blocks(profile)))


def test_an_integer_meter_by_hand() -> None:
    # "SunS" and the common model take 40000 to 40069: the meter's id is at 40070.
    profile = resolve(FORM, chain_of(40000, [(1, 66), (203, 105)]))
    assert [(b.address, b.count) for b in plan_blocks(profile)] == [(40073, 104)]
    held = dict.fromkeys(range(40070, 40177), 0)
    # 230.5 V as 2305 = 0x0901 with 10**-1; no third phase: 8000h.
    held |= {40078: 0x0901, 40079: 0x0901, 40080: 0x8000, 40085: 0xFFFF}
    # 1234 W x 10**1 = 12.34 kW; -500 = 0xFE0C x 10**1 W = -5 kW.
    held |= {40088: 0x04D2, 40089: 0xFE0C, 40092: 1}
    # Not even a scale: no reactive power.
    held |= {40102: 0x8000}
    # Power factor 98.5 % = 985 = 0x03D9 x 10**-1 %.
    held |= {40103: 0x03D9, 40107: 0xFFFF}
    # 671433600 Wh = 0x2805_4380; exported nothing.
    held |= {40116: 0x2805, 40117: 0x4380}
    # Bits 2 and 6 of Evt: 0x0000_0044.
    held |= {40175: 0, 40176: 0x0044}
    decoded = read(profile, held)
    assert decoded.values[Q.VOLTAGE_L1_V] == 230.5
    assert Q.VOLTAGE_L3_V not in decoded.values
    assert decoded.values[Q.ACTIVE_POWER_KW] == 12.34
    assert decoded.values[Q.ACTIVE_POWER_L1_KW] == -5.0
    assert Q.REACTIVE_POWER_KVAR not in decoded.values
    assert decoded.values[Q.POWER_FACTOR] == 0.985
    assert decoded.values[Q.ENERGY_IMPORT_KWH] == 671433.6
    assert decoded.values[Q.ENERGY_EXPORT_KWH] == 0.0
    assert decoded.events == {MeterEvent.POWER_FAILURE, MeterEvent.OVERVOLTAGE}


def test_a_float_meter_by_hand() -> None:
    profile = resolve(FORM, chain_of(0, [(1, 65), (213, 124)]))
    # The common model may be one register shorter: the meter's id is at 2 + 67 = 69.
    held = dict.fromkeys(range(69, 195), 0)
    # 230.5 is 0x43668000; a NaN is not available; 12340 W = 0x4640D000: exponent 0x8C =
    # 140 - 127 = 13, mantissa 0xC0D000 / 2**23 x 2**13 = 12340.
    held |= {81: 0x4366, 82: 0x8000, 83: 0x7FC0, 84: 0, 97: 0x4640, 98: 0xD000}
    decoded = read(profile, held)
    assert decoded.values[Q.VOLTAGE_L1_V] == 230.5
    assert Q.VOLTAGE_L2_V not in decoded.values
    assert decoded.values[Q.ACTIVE_POWER_KW] == 12.34


def test_the_third_meter_behind_an_inverter() -> None:
    models = [(1, 66), (103, 50), (1, 65), (203, 105), (1, 65), (202, 105), (1, 65)]
    chain = chain_of(40000, [*models, (204, 105)])
    third = resolve(FORM.model_copy(update={"meter": 3}), chain)
    # 40002 + 68 + 52 + (67 + 107) + (67 + 107) + 67 = 40537.
    assert min(r.address for r in third.registers) == 40537 + 3
    assert min(i.address for i in third.identity) == 40537 - 67 + 2
    with pytest.raises(SunspecError, match=r"has 3 SunSpec meters .* not a number 4"):
        resolve(FORM.model_copy(update={"meter": 4}), chain)


def test_a_device_without_a_meter_names_what_it_has() -> None:
    with pytest.raises(SunspecError, match="its models are 1, 103"):
        resolve(FORM, chain_of(0, [(1, 66), (103, 50)]))
    with pytest.raises(SunspecError, match="model 203 at 2 has 3 registers only"):
        resolve(FORM, chain_of(0, [(203, 3)]))


def test_a_short_meter_gives_what_it_has_room_for() -> None:
    profile = resolve(FORM, chain_of(0, [(203, 60)]))
    given_ = {register.quantity for register in profile.registers}
    assert Q.ENERGY_IMPORT_KWH in given_
    assert Q.ENERGY_LAGGING_KVARH not in given_
    assert profile.events == ()


def test_devices_built_alike_share_a_profile() -> None:
    assert resolve(FORM, chain_of(0, [(203, 105)])) is resolve(
        FORM, chain_of(0, [(203, 105)])
    )


def test_power_may_be_reversed_where_a_device_counts_it_so() -> None:
    form = FORM.model_copy(update={"reverse_power": True})
    profile = resolve(form, chain_of(0, [(203, 105)]))
    held = dict.fromkeys(range(2, 109), 0) | {20: 500}  # 500 W
    values = read(profile, held).values
    assert values[Q.ACTIVE_POWER_KW] == -0.5
    assert values[Q.ENERGY_IMPORT_KWH] == 0.0


@given(data=st.data(), model=st.sampled_from(sorted(METERS)), at=st.integers(0, 900))
def test_decode_undoes_encode(data, model, at) -> None:
    chain = chain_of(40000, [(1, 66), (64999, at), (model, METERS[model])])
    profile = resolve(FORM, chain)
    most = {q: 9e5 if q.is_register else 9e4 for q in QUANTITIES}
    sent = {q: data.draw(st.floats(0, most[q]), str(q)) for q in QUANTITIES}
    events = data.draw(st.sets(st.sampled_from([e.code for e in profile.events])))
    held = encode_registers(profile, sent, None, events)
    # A device shows its chain too.
    assert walked(words_of(chain) | held)[0] == chain
    decoded = read(profile, held)
    assert decoded.events == events
    assert decoded.values.keys() == sent.keys()
    for register in profile.registers:
        quantity = register.quantity
        sharing = [r.quantity for r in profile.registers if is_shared(r, register)]
        greatest = max(sent[q] for q in sharing) or 1.0
        # 15 bits of the greatest that shares the scale; energy in Wh; float 24 bits.
        step = 0.0005 if quantity.is_register else 10 * greatest / 2**15 + 0.001
        if register.encoding.is_float:
            step = greatest / 2**23 + 0.001
        assert decoded.values[quantity] == pytest.approx(sent[quantity], abs=step)


def is_shared(one, other) -> bool:
    return one is other or (
        one.scale_register is not None and one.scale_register == other.scale_register
    )


def test_the_device_says_who_it_is() -> None:
    assert isinstance(PROFILE, SunspecProfile)
    told = {"maker": "Acme", "model": "Grid 3", "serial": "A-0017", "firmware": "1.4"}
    held = encode_identity(PROFILE, told)
    # "Ac" = 0x4163, "me" = 0x6D65, at offset 2 of the common model.
    assert [held[40004 + i] for i in range(3)] == [0x4163, 0x6D65, 0]
    blocks = answers(held, plan_identity(PROFILE))
    found = decode_identity(PROFILE, blocks)
    assert dict(found.told) == told
    assert found.serial == "A-0017"
    assert found.fits is None


def test_the_usual_device_is_a_wye_meter_at_40000() -> None:
    assert isinstance(PROFILE, SunspecProfile)
    assert [(m.model_id, m.address) for m in PROFILE.chain.models] == [
        (1, 40002),
        (203, 40070),
    ]
    only = SunspecForm.model_validate(FORM.model_dump() | {"models": (211,)})
    assert only.models == (211,)
