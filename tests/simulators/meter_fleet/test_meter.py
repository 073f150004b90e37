from itertools import pairwise

import pytest

from meters.profile import load_profile, profile_names
from meters.quantity import Quantity
from simulators.meter_fleet.energy import TwoSteps, mj_per_count
from simulators.meter_fleet.faults import Fault, Spell
from simulators.meter_fleet.meter import LightMeter, given_by
from tests.simulators.meter_fleet.made import START_MS, one_meter

IMPORT, LAGGING = Quantity.ENERGY_IMPORT_KWH, Quantity.ENERGY_LAGGING_KVARH
MINUTE_MS = 60_000


def test_a_register_is_its_opening_and_what_was_counted_since() -> None:
    profile = load_profile("keywatt-json")
    meter = LightMeter(
        index=0,
        serial="M",
        profile=profile,
        load=TwoSteps(first_w=1_800_000, second_w=0),
        installed_ms=START_MS - 3_600_000,
        opening=250_000,
        gives=given_by(profile),
    )
    # From 07:00 to 08:00 UTC at 1.8 MW, 0.001 kWh a count: 250 + 1800 = 2050 kWh; a
    # second later 1.8 MW * 1 s = 0.5 kWh more. Lagging: 0.3 of it, 250 + 540 kvarh.
    assert meter.show(START_MS).values[IMPORT] == 2050.0
    assert meter.show(START_MS + 1000).values[IMPORT] == 2050.5
    assert meter.show(START_MS).values[LAGGING] == 790.0


def test_every_second_moves_every_type_s_register() -> None:
    for name in profile_names():
        meter = one_meter(name)
        shown = [
            meter.show(START_MS + second * 1000).values[IMPORT]
            for second in range(0, 90_000, 3_001)
        ]
        assert all(b > a for a, b in pairwise(shown))
        steps = (
            meter.load.second_w
            * 1000
            // mj_per_count(meter.profile.register_resolution)
        )
        assert steps >= 1


def test_a_stuck_meter_shows_the_same_under_a_fresh_time() -> None:
    meter = one_meter("keywatt-json", Fault.STUCK)
    before, later = meter.show(START_MS), meter.show(START_MS + MINUTE_MS)
    assert later.values == before.values
    assert later.measured_ms == START_MS + MINUTE_MS


def test_a_swapped_meter_goes_on_from_elsewhere() -> None:
    meter = one_meter("keywatt-json")
    meter.spells = (Spell(fault=Fault.SWAP, size=0, from_ms=START_MS + MINUTE_MS),)
    before = meter.counts_at(IMPORT, START_MS + MINUTE_MS - 1)
    after = meter.counts_at(IMPORT, START_MS + MINUTE_MS)
    assert after == meter.opening // 3 < before
    counted = meter.counts_at(IMPORT, START_MS + 2 * MINUTE_MS) - after
    assert counted == meter.load.first_w * MINUTE_MS // 3_600_000


def test_a_register_turns_over_when_it_is_said_to() -> None:
    meter = one_meter("carlo-gavazzi-em340", Fault.ROLLOVER, size=30)
    turn_ms = START_MS + 30_000
    # Nine digits of 0.1 kWh: after 99,999,999.9 comes 0.
    assert meter.show(turn_ms).values[IMPORT] == 0.0
    assert meter.show(turn_ms - 1000).values[IMPORT] == pytest.approx(1e8, abs=0.7)
    assert 0 < meter.show(turn_ms + 1000).values[IMPORT] < 0.7
    assert Fault.ROLLOVER in meter.show(turn_ms).faults


def test_a_glitch_is_in_one_reading_of_ten_and_gone_in_the_next() -> None:
    meter = one_meter("keywatt-json", Fault.COUNTER_GLITCH, size=53_700)
    true = one_meter("keywatt-json")
    more = [
        meter.show(at).values[IMPORT] - true.show(at).values[IMPORT]
        for at in range(START_MS, START_MS + 1_000_000, 1000)
    ]
    assert {round(each, 6) for each in more} == {0.0, 53_700.0}
    glitches = sum(each > 0 for each in more)
    assert 60 < glitches < 150  # of 1000: binomial, five sigma


def test_clocks_drift_and_are_put_forward() -> None:
    drifting = one_meter("schneider-iem3155", Fault.CLOCK_DRIFT, size=240)
    at = START_MS + 10 * MINUTE_MS
    # 240 s, and a second for each of ten minutes.
    assert drifting.show(at).measured_ms - at == 250_000
    summer = one_meter("schneider-iem3155", Fault.SUMMER_CLOCK)
    assert summer.show(at).measured_ms - at == 3_600_000


def test_zero_is_shown_in_every_register_and_only_there() -> None:
    values = one_meter("eastron-sdm630", Fault.ZERO).show(START_MS).values
    assert {values[q] for q in values if q.is_register} == {0.0}
    assert values[Quantity.ACTIVE_POWER_KW] > 0


def test_a_spell_ends() -> None:
    meter = one_meter("keywatt-json")
    meter.spells = (
        Spell(fault=Fault.ZERO, size=0, from_ms=START_MS, until_ms=START_MS + 1),
    )
    assert meter.show(START_MS).values[IMPORT] == 0.0
    assert meter.show(START_MS + 1).values[IMPORT] > 0
    assert meter.show(START_MS - 1).faults == ()
