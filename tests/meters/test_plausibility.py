"""Points by hand, and that a true meter's own profile always comes first."""

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meters.candidates import candidate, other_orders, ranked, turn
from meters.plausibility import DECIDES, judge
from meters.profile import ModbusProfile, load_profile, profile_names
from meters.quantity import Quantity
from tests.meters.meter_memory import memory_of

Q = Quantity
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PROFILES = [
    profile
    for profile in map(load_profile, profile_names())
    if isinstance(profile, ModbusProfile)
]
BY_NAME = {profile.name: profile for profile in PROFILES}
SDM630, EM340 = BY_NAME["eastron-sdm630"], BY_NAME["carlo-gavazzi-em340"]

# A plant of 3 x 230 V and 10 A at a power factor of 0.8: 2300 VA a phase, of which
# 1840 W and 1380 var; all three 5.52 kW and 4.14 kvar. 5.52 / hypot(5.52, 4.14) = 0.8.
PLANT = {
    Q.VOLTAGE_L1_V: 230.0,
    Q.VOLTAGE_L2_V: 229.0,
    Q.VOLTAGE_L3_V: 231.0,
    Q.CURRENT_L1_A: 10.0,
    Q.CURRENT_L2_A: 10.0,
    Q.CURRENT_L3_A: 10.0,
    Q.ACTIVE_POWER_L1_KW: 1.84,
    Q.ACTIVE_POWER_L2_KW: 1.832,
    Q.ACTIVE_POWER_L3_KW: 1.848,
    Q.ACTIVE_POWER_KW: 5.52,
    Q.REACTIVE_POWER_KVAR: 4.14,
    Q.POWER_FACTOR: 0.8,
    Q.FREQUENCY_HZ: 50.02,
    Q.ENERGY_IMPORT_KWH: 1234.5,
}


def points(values, profile=SDM630) -> list[float]:
    return [remark.points for remark in judge(profile, values).remarks]


def test_a_plant_that_is_right_gets_all_points() -> None:
    # Voltage, phases, frequency, sum, U x I, power factor, current, one register.
    verdict = judge(SDM630, PLANT)
    assert [r.points for r in verdict.remarks] == [3, 2, 3, 3, 2, 2, 0.5, 0.5]
    assert verdict.score == 16
    assert verdict.fits


@pytest.mark.parametrize(
    ("changed", "lost", "text"),
    [
        # Total against 1.84 + 1.832 + 1.848: 2 % of 5.52 are 0.11.
        ({Q.ACTIVE_POWER_KW: 5.7}, 6, "are not the total, 5.7 kW"),
        ({Q.VOLTAGE_L1_V: 23.0}, 9 + 4 + 5, "23, 229, 231 V is no usual voltage"),
        ({Q.VOLTAGE_L2_V: 0.0}, 4 + 5, "the phases differ: 230, 0, 231 V"),
        ({Q.FREQUENCY_HZ: 95.0}, 9, "95 Hz is no mains frequency"),
        ({Q.FREQUENCY_HZ: 0.0}, 5, "the frequency is 0"),
        ({Q.FREQUENCY_HZ: 47.0}, 2, "47.00 Hz is near a mains frequency"),
        # 10 A become 1 A: 230 VA cannot carry 1840 W.
        ({Q.CURRENT_L1_A: 1.0}, 5, "1.84 kW is more than U x I, 0.23 kVA"),
        ({Q.CURRENT_L1_A: -10.0}, 1.5, "a current is negative: -10, 10, 10 A"),
        ({Q.POWER_FACTOR: 1.5355}, 5, "a power factor of 1.536 is beyond 1"),
        ({Q.POWER_FACTOR: 0.7}, 3, "power factor 0.700 is not P / S, 0.800"),
        ({Q.ENERGY_IMPORT_KWH: -1.0}, 6.5, "energy_import_kwh is negative, -1"),
    ],
)
def test_what_is_wrong_costs_points_and_is_told(changed, lost, text) -> None:
    verdict = judge(SDM630, PLANT | changed)
    assert any(text in remark.text for remark in verdict.remarks)
    assert verdict.score == pytest.approx(16 - lost)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({Q.FREQUENCY_HZ: math.nan}, "frequency_hz is nan"),
        ({Q.ACTIVE_POWER_KW: math.inf}, "active_power_kw is inf"),
        # The whole number 2300 taken for a float32: 2300 x 2**-149.
        ({Q.VOLTAGE_L1_V: 2300 * 2.0**-149}, "voltage_l1_v is 3e-42, as good as noth"),
        ({Q.CURRENT_L1_A: 1e9}, "current_l1_a is 1e+09, out of all bounds"),
        ({Q.ENERGY_IMPORT_KWH: 3e13}, "energy_import_kwh is 3e+13, out of all bounds"),
    ],
)
def test_what_no_meter_shows_is_all_that_is_said(changed, text) -> None:
    verdict = judge(SDM630, PLANT | changed)
    (remark,) = verdict.remarks
    assert remark.points == -6
    assert text in remark.text
    assert not verdict.fits


def test_a_plant_at_rest_is_known_by_its_voltage_and_frequency() -> None:
    rest = dict.fromkeys(PLANT, 0.0) | {
        q: PLANT[q] for q in (Q.VOLTAGE_L1_V, Q.VOLTAGE_L2_V, Q.VOLTAGE_L3_V)
    }
    assert points(rest | {Q.FREQUENCY_HZ: 60.0}) == [3, 2, 3]
    assert judge(SDM630, rest | {Q.FREQUENCY_HZ: 60.0}).fits


def test_nothing_but_zeros_fits_nothing() -> None:
    verdict = judge(SDM630, dict.fromkeys(PLANT, 0.0))
    assert [r.points for r in verdict.remarks] == [-3, -2]
    assert not verdict.fits


@pytest.mark.parametrize("volts", [57.7, 63.5, 100.0, 120.0, 230.0, 277.0, 400.0])
def test_usual_voltages(volts) -> None:
    assert points({Q.VOLTAGE_L1_V: volts * 1.1, Q.FREQUENCY_HZ: 50.0}) == [3, 3]


@pytest.mark.parametrize("volts", [5773.5, 10_000.0, 11_547.0, 63_509.0])
def test_high_voltages_say_less(volts) -> None:
    # 10 kV / sqrt(3) = 5773.5 V, 20 kV / sqrt(3) = 11547 V, 110 kV / sqrt(3) = 63509 V.
    assert points({Q.VOLTAGE_L1_V: volts}) == [1]


def test_whole_numbers_may_miss_the_sum_by_their_rounding() -> None:
    # In steps of 10 W, 0.005 kW a phase and 0.005 for the total are 0.02 kW.
    countis = BY_NAME["socomec-countis-e44"]
    small = PLANT | {
        Q.ACTIVE_POWER_L1_KW: 0.02,
        Q.ACTIVE_POWER_L2_KW: 0.02,
        Q.ACTIVE_POWER_L3_KW: 0.02,
        Q.ACTIVE_POWER_KW: 0.07,
    }
    texts = [remark.text for remark in judge(countis, small).remarks]
    assert not any("the total" in text for text in texts)
    texts = [remark.text for remark in judge(SDM630, small).remarks]
    assert any("are not the total" in text for text in texts)


PHASES = (
    *(Q.VOLTAGE_L1_V, Q.VOLTAGE_L2_V, Q.VOLTAGE_L3_V),
    *(Q.CURRENT_L1_A, Q.CURRENT_L2_A, Q.CURRENT_L3_A),
    *(Q.ACTIVE_POWER_L1_KW, Q.ACTIVE_POWER_L2_KW, Q.ACTIVE_POWER_L3_KW),
)


@st.composite
def plants(draw) -> dict[Quantity, float]:
    """Any load at 230 V, or 277 V at 60 Hz, that all types of meters can show."""
    nominal, hertz = draw(st.sampled_from([(230.0, 50.0), (277.0, 60.0)]))
    volts = [draw(st.floats(0.95, 1.05)) * nominal for _ in range(3)]
    amperes = [draw(st.floats(1.0, 60.0)) for _ in range(3)]
    factor = draw(st.floats(0.6, 0.98))
    exports = draw(st.booleans())
    kva = [u * i / 1000 for u, i in zip(volts, amperes, strict=True)]
    kw = [one * factor * (-1 if exports else 1) for one in kva]
    kvar = sum(kva) * math.sqrt(1 - factor**2)
    energy = st.floats(1.0, 100_000.0)
    return {
        **dict(
            zip((Q.VOLTAGE_L1_V, Q.VOLTAGE_L2_V, Q.VOLTAGE_L3_V), volts, strict=True)
        ),
        **dict(
            zip((Q.CURRENT_L1_A, Q.CURRENT_L2_A, Q.CURRENT_L3_A), amperes, strict=True)
        ),
        **dict(
            zip(
                (Q.ACTIVE_POWER_L1_KW, Q.ACTIVE_POWER_L2_KW, Q.ACTIVE_POWER_L3_KW),
                kw,
                strict=True,
            )
        ),
        Q.ACTIVE_POWER_KW: sum(kw),
        Q.REACTIVE_POWER_KVAR: kvar,
        Q.POWER_FACTOR: factor,
        Q.FREQUENCY_HZ: hertz + draw(st.floats(-0.2, 0.2)),
        Q.ENERGY_IMPORT_KWH: draw(energy),
        Q.ENERGY_EXPORT_KWH: draw(energy),
        Q.ENERGY_LAGGING_KVARH: draw(energy),
        Q.ENERGY_LEADING_KVARH: draw(energy),
    }


def shown_by(profile: ModbusProfile, plant: dict[Quantity, float]) -> dict:
    """What a meter of that type has to show: one phase, if that is all it has."""
    if Q.VOLTAGE_L2_V in {register.quantity for register in profile.registers}:
        return plant
    kw, kva = plant[Q.ACTIVE_POWER_L1_KW], plant[Q.VOLTAGE_L1_V] * plant[Q.CURRENT_L1_A]
    kvar = math.sqrt(max((kva / 1000) ** 2 - kw**2, 0.0))
    return plant | {Q.ACTIVE_POWER_KW: kw, Q.REACTIVE_POWER_KVAR: kvar}


@pytest.mark.parametrize("has_holes", [True, False], ids=["refuses", "zeros"])
@pytest.mark.parametrize("name", BY_NAME)
@settings(max_examples=15)
@given(plant=plants())
def test_a_true_meters_own_profile_comes_first(name, has_holes, plant) -> None:
    own = BY_NAME[name]
    meter = memory_of(own, shown_by(own, plant), NOON, has_holes=has_holes)
    first, second, *_ = [*ranked(PROFILES, meter.heard(PROFILES)), None]
    assert first.profile.name == name
    assert first.fits
    assert second is None or second.score < first.score


@pytest.mark.parametrize(
    "keys", [("word_order",), ("byte_order",), ("word_order", "byte_order")]
)
@pytest.mark.parametrize("name", sorted(BY_NAME.keys() - {"sunspec-meter"}))
def test_a_meter_that_is_laid_out_otherwise_is_found_by_its_order(name, keys) -> None:
    own = BY_NAME[name]
    turned = turn(own, keys)
    heard = memory_of(turned, shown_by(own, PLANT), NOON).heard(PROFILES)
    assert not any(one.fits for one in ranked(PROFILES, heard))
    best = other_orders(PROFILES, heard)[0]
    assert best.profile.name == name
    orders = best.profile.word_order, best.profile.byte_order
    assert orders == (turned.word_order, turned.byte_order)


def test_what_a_meter_says_of_itself_decides() -> None:
    meter = memory_of(BY_NAME["eastron-sdm120"], shown_by(SDM630, PLANT))
    one, other = (
        candidate(BY_NAME[f"eastron-sdm{n}"], meter.heard(PROFILES)) for n in (120, 72)
    )
    assert one.verdict.remarks[0] == (DECIDES, "it says of itself: model 32")
    assert other is None or not other.fits
    assert one.told == (("model", 32),)


@pytest.mark.parametrize(
    ("changed", "fits"),
    [
        # A load that changed between two requests: 5.52 kW of phases, a total of 6.
        ({Q.ACTIVE_POWER_KW: 6.0}, True),
        ({Q.FREQUENCY_HZ: 95.0}, False),
    ],
)
def test_a_meter_that_is_named_may_have_an_odd_value_but_no_impossible_one(
    changed, fits
) -> None:
    heard = memory_of(EM340, PLANT | changed).heard(PROFILES)
    named = candidate(EM340, heard)
    assert named.fits == fits
    assert named.verdict.remarks[0] == (DECIDES, "it says of itself: model 341")
    heard = memory_of(SDM630, PLANT | changed).heard(PROFILES)
    assert not candidate(SDM630, heard).fits
