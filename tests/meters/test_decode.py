"""Blocks by hand, and the inverse that the simulators use."""

import math
from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.blocks import Block, plan_blocks
from meters.decode import DecodeError, decode_blocks, encode_registers
from meters.profile import ModbusProfile, load_profile, profile_names
from meters.quantity import Quantity
from meters.registers import counts, modulus

NOON = datetime(2018, 1, 15, 4, 30, 5, 250_000, tzinfo=UTC)
MODBUS = [n for n in profile_names() if load_profile(n).transport == "modbus"]


def modbus(name: str) -> ModbusProfile:
    profile = load_profile(name)
    assert isinstance(profile, ModbusProfile)
    return profile


def answers(profile: ModbusProfile, held: dict[int, int]) -> dict[Block, list[int]]:
    """What a meter that holds these registers answers to the plan; holes read 0."""
    return {
        block: [held.get(block.address + i, 0) for i in range(block.count)]
        for block in plan_blocks(profile)
    }


def test_sdm630_words_by_hand() -> None:
    profile = modbus("eastron-sdm630")
    # 230.5 V is 0x43668000. 0x4915C680: exponent 0x92 = 146 - 127 = 19, mantissa
    # 0x95C680 = 9815680, / 2**(23 - 19) = 613480 W.
    held = {0: 0x4366, 1: 0x8000, 0x34: 0x4915, 0x35: 0xC680}
    # 671433.6 kWh is no float32: 0x4923EC9A is 0xA3EC9A / 16 = 10742938 / 16
    # = 671433.625, the next below is 671433.5625.
    held |= {0x48: 0x4923, 0x49: 0xEC9A}
    # A NaN that the profile does not explain stays one.
    held |= {0x46: 0x7FC0, 0x47: 0}
    values = decode_blocks(profile, answers(profile, held)).values
    assert values[Quantity.VOLTAGE_L1_V] == 230.5
    assert values[Quantity.ACTIVE_POWER_KW] == 613.48
    assert values[Quantity.ENERGY_IMPORT_KWH] == 671433.625
    assert math.isnan(values[Quantity.FREQUENCY_HZ])
    assert values[Quantity.ENERGY_EXPORT_KWH] == 0.0


def test_em340_words_by_hand() -> None:
    profile = modbus("carlo-gavazzi-em340")
    # Low word first. 671433.6 kWh = 6714336 x 0.1; 6714336 = 0x0066_73E0.
    held = {0x34: 0x73E0, 0x35: 0x0066}
    # -4212.5 kW = -42125000 x 0.1 W; 2**32 - 42125000 = 4252842296 = 0xFD7D_3938.
    held |= {0x28: 0x3938, 0x29: 0xFD7D}
    # 50.0 Hz = 500 x 0.1 = 0x01F4. Power factor -0.95 = -950 x 0.001 = 0xFC4A.
    held |= {0x33: 0x01F4, 0x31: 0xFC4A}
    # "EEE": 7FFFFFFFh, low word first, is no value.
    held |= {0x00: 0xFFFF, 0x01: 0x7FFF}
    values = decode_blocks(profile, answers(profile, held)).values
    assert values[Quantity.ENERGY_IMPORT_KWH] == 671433.6
    assert values[Quantity.ACTIVE_POWER_KW] == -4212.5
    assert values[Quantity.FREQUENCY_HZ] == 50.0
    assert values[Quantity.POWER_FACTOR] == -0.95
    assert Quantity.VOLTAGE_L1_V not in values
    assert values[Quantity.VOLTAGE_L2_V] == 0.0


def test_iem3155_words_by_hand() -> None:
    profile = modbus("schneider-iem3155")
    # 671433600 Wh = 0x2805_4380.
    held = {3203: 0, 3204: 0, 3205: 0x2805, 3206: 0x4380}
    # A float32 without a value is a NaN; 230.5 V is 0x43668000.
    held |= {3027: 0x4366, 3028: 0x8000, 3029: 0xFFC0, 3030: 0}
    # 2018-01-15 04:30:05.250: year 18 = 0x12, month 1 day 15 = 0x010F, hour 4 minute 30
    # = 0x041E, 5250 ms = 0x1482.
    held |= {1844: 0x0012, 1845: 0x010F, 1846: 0x041E, 1847: 0x1482}
    decoded = decode_blocks(profile, answers(profile, held))
    assert decoded.values[Quantity.ENERGY_IMPORT_KWH] == 671433.6
    assert decoded.values[Quantity.VOLTAGE_L1_V] == 230.5
    assert Quantity.VOLTAGE_L2_V not in decoded.values
    assert decoded.measured_at == NOON


def test_a_meter_without_a_clock_says_no_time() -> None:
    profile = modbus("eastron-sdm630")
    assert decode_blocks(profile, answers(profile, {})).measured_at is None


def test_an_invalid_clock_says_no_time_and_a_wrong_one_is_refused() -> None:
    profile = modbus("schneider-iem3155")
    held = encode_registers(profile, {}, None)
    assert decode_blocks(profile, answers(profile, held)).measured_at is None
    held |= {1845: 0x020F | 0x1F, 1846: 0}  # 31 February
    with pytest.raises(DecodeError, match="clock: 0000 021F 0000 0000 is no date"):
        decode_blocks(profile, answers(profile, held))


def test_blocks_that_did_not_answer_are_simply_absent() -> None:
    profile = modbus("carlo-gavazzi-em340")
    whole = answers(profile, encode_registers(profile, {}, None))
    first, second = whole
    values = decode_blocks(profile, {second: whole[second]}).values
    assert Quantity.ENERGY_EXPORT_KWH not in values  # its sentinel says: not given
    held = encode_registers(profile, {Quantity.ENERGY_EXPORT_KWH: 1.0}, None)
    whole = answers(profile, held)
    assert decode_blocks(profile, {second: whole[second]}).values == {
        Quantity.ENERGY_EXPORT_KWH: 1.0
    }
    assert decode_blocks(profile, {first: whole[first]}).values == {}


def test_an_answer_of_the_wrong_length_names_its_registers() -> None:
    profile = modbus("carlo-gavazzi-em340")
    block = plan_blocks(profile)[1]
    with pytest.raises(DecodeError, match="registers 51 to 81: 30 words came, not 31"):
        decode_blocks(profile, {block: [0] * 30})
    with pytest.raises(DecodeError, match=r"registers 51 to 81: \[65536\] are not"):
        decode_blocks(profile, {block: [0] * 30 + [65536]})


def test_a_value_that_does_not_fit_names_its_register() -> None:
    profile = modbus("carlo-gavazzi-em340")
    with pytest.raises(
        DecodeError, match=r"frequency_hz at 51 \(manual 300052\): 500000"
    ):
        encode_registers(profile, {Quantity.FREQUENCY_HZ: 50_000.0}, None)


@pytest.mark.parametrize("name", MODBUS)
@given(data=st.data())
def test_energy_is_found_again_as_the_meters_own_count(name, data) -> None:
    profile = modbus(name)
    digits, resolution = profile.register_digits, profile.register_resolution
    energies = [r.quantity for r in profile.registers if r.quantity.is_register]
    # Up to three turns of the register; a float32 holds 24 bits of counts.
    is_float = any(
        r.encoding.is_float for r in profile.registers if r.quantity.is_register
    )
    most = 2**24 // 100 if is_float else 3 * modulus(digits)
    # The last count of 32 bits is the pattern for "not available".
    drawn = st.integers(0, most).filter(lambda n: n % 2**32 != 2**32 - 1)
    given_kwh = {
        quantity: float(data.draw(drawn) * Fraction(repr(resolution)))
        for quantity in energies
    }
    held = encode_registers(profile, given_kwh, NOON)
    values = decode_blocks(profile, answers(profile, held)).values
    for quantity, kwh in given_kwh.items():
        shown = counts(kwh, resolution) % profile.turn_counts
        assert counts(values[quantity], resolution) == shown
        if not is_float:
            # Correctly rounded: the very double of the decimal number.
            assert values[quantity] == float(shown * Fraction(repr(resolution)))


@pytest.mark.parametrize("name", MODBUS)
@given(data=st.data())
def test_other_values_are_found_again_within_a_step(name, data) -> None:
    profile = modbus(name)
    others = [r for r in profile.registers if not r.quantity.is_register]
    least = {
        r.quantity: -30 if r.encoding.is_float or r.encoding.limits[0] else 0
        for r in others
    }
    sent = {quantity: data.draw(st.floats(low, 30)) for quantity, low in least.items()}
    held = encode_registers(profile, sent, NOON)
    assert all(0 <= word <= 0xFFFF for word in held.values())
    decoded = decode_blocks(profile, answers(profile, held))
    for register in others:
        got, was = decoded.values[register.quantity], sent[register.quantity]
        step = abs(was) * 2**-23 if register.encoding.is_float else register.scale / 2
        assert abs(got - was) <= step * (1 + 1e-9) + 1e-40


@pytest.mark.parametrize("name", MODBUS)
def test_what_is_absent_or_nan_shows_as_not_available_or_zero(name) -> None:
    profile = modbus(name)
    nothing = encode_registers(profile, {}, None)
    nans = {register.quantity: math.nan for register in profile.registers}
    assert encode_registers(profile, nans, None) == nothing
    values = decode_blocks(profile, answers(profile, nothing)).values
    with_zero = {r.quantity for r in profile.registers if r.not_available is None}
    assert values == dict.fromkeys(with_zero, 0.0)


@st.composite
def small_profiles(draw):
    """One register of any encoding, order and sentinel."""
    encoding = draw(st.sampled_from(["int16", "uint32", "int64", "float32"]))
    return ModbusProfile.model_validate(
        {
            "name": "acme",
            "title": "Acme",
            "manual": {"document": "Acme", "revision": "1"},
            "transport": "modbus",
            "function": "input",
            "word_order": draw(st.sampled_from(["big", "little"])),
            "byte_order": draw(st.sampled_from(["big", "little"])),
            "max_block": 60,
            "max_gap": 0,
            "register_digits": 4,
            "register_resolution": 1.0,
            "clock": {"address": 100, "manual": "101", "encoding": "ti081"},
            "registers": [
                {
                    "quantity": "voltage_l1_v",
                    "address": 0,
                    "manual": "1",
                    "encoding": encoding,
                    "not_available": draw(st.sampled_from([None, 0x8000])),
                }
            ],
        }
    )


@given(small_profiles(), st.integers(0, 0x7FFF))
def test_every_order_is_undone_clock_and_sentinel_too(profile, volts) -> None:
    held = encode_registers(profile, {Quantity.VOLTAGE_L1_V: float(volts)}, NOON)
    decoded = decode_blocks(profile, answers(profile, held))
    assert decoded.values == {Quantity.VOLTAGE_L1_V: volts}
    assert decoded.measured_at == NOON
    held = encode_registers(profile, {}, NOON)
    absent = profile.registers[0].not_available is not None
    expected = {} if absent else {Quantity.VOLTAGE_L1_V: 0.0}
    assert decode_blocks(profile, answers(profile, held)).values == expected
