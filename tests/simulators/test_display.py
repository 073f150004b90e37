from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.blocks import plan_blocks
from meters.decode import decode_blocks, encode_registers
from meters.heard import Message
from meters.listening import Listener
from meters.meter import Meter, Transport
from meters.profile import ModbusProfile, MqttProfile, load_profile, profile_names
from meters.quantity import Quantity
from meters.registers import wrapped
from meters.voice import voice_of
from simulators.display import decoded_as, quantities_of, register_shown

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
PHASES = {
    Quantity.ACTIVE_POWER_L1_KW,
    Quantity.ACTIVE_POWER_L2_KW,
    Quantity.ACTIVE_POWER_L3_KW,
}


@given(
    st.floats(min_value=0, max_value=1e9),
    st.sampled_from(profile_names()),
)
def test_a_column_wraps_as_a_single_value(energy, name) -> None:
    profile = load_profile(name)
    expected = wrapped(energy, profile.register_digits, profile.register_resolution)
    assert register_shown(np.array([energy]), profile)[0] == expected


def test_a_register_starts_again() -> None:
    # Nine digits of 0.1 kWh run to 99,999,999.9 kWh.
    profile = load_profile("carlo-gavazzi-em340")
    energy = np.array([99_999_999.94, 99_999_999.96, 100_000_012.34])
    assert register_shown(energy, profile).tolist() == [99_999_999.9, 0.0, 12.3]


def heard_of(profile, values) -> dict[Quantity, float]:
    """What a collector hears of a meter that shows these values."""
    meter = Meter(
        meter_id=1, serial="N7.1", profile=profile.name, transport=Transport.MQTT
    )
    listener = Listener()
    listener.bind([(meter, profile)], [])
    live = {}
    for topic, payload in voice_of(profile, meter.serial).say(NOON, values):
        heard = listener.hear(Message(topic, payload, NOON))
        assert not heard.faults
        for _, parsed in heard.readings:
            live |= parsed.values
    return live


# Some meters have sixteen bits for 655 V, A or Hz at the most.
LARGER_THAN_SHOWN = {"voltage": 5, "current": 5, "power": 3000, "frequency": 5}


@pytest.mark.parametrize("name", profile_names())
@given(value=st.floats(min_value=0, max_value=3000))
def test_history_holds_what_a_live_reading_would(name, value) -> None:
    profile = load_profile(name)
    values = {
        quantity: value / LARGER_THAN_SHOWN.get(quantity.value.split("_")[0], 1)
        for quantity in quantities_of(profile)
    }
    if isinstance(profile, MqttProfile):  # where the total is the phases' own
        for phase in PHASES & values.keys():
            values[phase] = value / 3
    live = {}
    if isinstance(profile, ModbusProfile):
        words = encode_registers(profile, values, NOON)
        answers = {
            block: [
                words.get(address, 0)
                for address in range(block.address, block.address + block.count)
            ]
            for block in plan_blocks(profile)
        }
        live = decode_blocks(profile, answers).values
    elif isinstance(profile, MqttProfile):
        live = heard_of(profile, values)
    assert live.keys() == values.keys()
    for quantity, shown in live.items():
        then = decoded_as(profile, quantity, np.array([values[quantity]]))
        assert then[0] == pytest.approx(shown, rel=1e-12)
