"""Every shipped Modbus profile, against words worked out by hand.

Each case reads at least one energy register and one voltage. Where a public source
shows what a meter answered, or a manual has an example, those are the words. EM340,
SDM630 and iEM3155 are worked out in `test_decode.py`.
"""

from itertools import pairwise

import pytest

from meters.blocks import Block, plan_blocks
from meters.decode import decode_blocks
from meters.profile import PROFILES, ModbusProfile, load_profile, profile_names
from meters.quantity import Quantity

Q = Quantity

# float32, high word first. 230.5 = 1.80078125 x 2**7, 1234.5 = 10113024 / 2**13 with
# 10113024 = 0x9A5000, 2.5 = 1.25 x 2.
V_230_5, KWH_1234_5, KW_2_5 = (0x4366, 0x8000), (0x449A, 0x5000), (0x4020, 0x0000)
# 671433.6 kWh in counts of 10 Wh: 67143360 = 0x0400_86C0; in Wh: 671433600 =
# 0x2805_4380.
TEN_WH, WH = (0x0400, 0x86C0), (0, 0, 0x2805, 0x4380)

CASES: dict[str, tuple[dict[int, tuple[int, ...]], dict[Q, float | None]]] = {
    # The manual's examples (pages 168 and 170), word for word: 230.9 V, 0x000D_1290 =
    # 856720 x 10 Wh, and so on; its clock is set to 2018-09-23 12:53:16.
    "abb-a44": (
        {
            0x5B00: (0, 0x0905),
            0x5B14: (0x0001, 0xE8E4, 0, 0x5AE2, 0, 0xB097, 0, 0xDD6B, 0, 0x7541),
            0x5B2C: (0x1383,),
            0x5000: (0, 0, 0x000D, 0x1290, 0, 0, 0x0003, 0x1209),
            0x500C: (0, 0, 0x0004, 0x1705, 0, 0, 0x0001, 0x2B18),
            0x8A00: (0x1209, 0x170C, 0x3510),
        },
        {
            Q.VOLTAGE_L1_V: 230.9,
            Q.ACTIVE_POWER_KW: 1.25156,
            Q.ACTIVE_POWER_L3_KW: 0.56683,
            Q.FREQUENCY_HZ: 49.95,
            Q.ENERGY_IMPORT_KWH: 8567.20,
            Q.ENERGY_EXPORT_KWH: 2012.25,
            Q.ENERGY_LAGGING_KVARH: 2680.37,
            Q.ENERGY_LEADING_KVARH: 765.68,
        },
    ),
    # The manual's example (A43/A44, 2CMC48001M0201, page 170): 232.66 + 452.07 + 566.83
    # W are 1251.56 W, and FFFF... where there is nothing. Voltage and energy are ours:
    # 2305 = 0x0901.
    "abb-b23": (
        {
            0x5B00: (0, 0x0901),
            0x5B0C: (0, 0x0065, 0, 0x00C9, 0, 0x012E),
            0x5B14: (0x0001, 0xE8E4, 0, 0x5AE2, 0, 0xB097, 0, 0xDD6B, 0, 0x7541),
            0x5B2C: (0x1383,),
            0x5B3A: (0x03CC,),
            0x5000: (0, 0, *TEN_WH),
            0x5004: (0xFFFF,) * 4,
        },
        {
            Q.VOLTAGE_L1_V: 230.5,
            Q.CURRENT_L1_A: 1.01,
            Q.CURRENT_L2_A: 2.01,
            Q.CURRENT_L3_A: 3.02,
            Q.ACTIVE_POWER_KW: 1.25156,
            Q.ACTIVE_POWER_L1_KW: 0.23266,
            Q.ACTIVE_POWER_L2_KW: 0.45207,
            Q.ACTIVE_POWER_L3_KW: 0.56683,
            Q.REACTIVE_POWER_KVAR: 0.30017,
            Q.FREQUENCY_HZ: 49.95,
            Q.POWER_FACTOR: 0.972,
            Q.ENERGY_IMPORT_KWH: 671433.6,
            Q.ENERGY_EXPORT_KWH: None,
        },
    ),
    # 2305 = 0x0901; 3680 W = 0x0E60, as in public tests of an ADL400; 5001 = 0x1389.
    "acrel-adl400": (
        {
            0x61: (0x0901,),
            0x16A: (0, 0x0E60),
            0x77: (0x1389,),
            0x0A: TEN_WH,
        },
        {
            Q.VOLTAGE_L1_V: 230.5,
            Q.ACTIVE_POWER_KW: 3.68,
            Q.FREQUENCY_HZ: 50.01,
            Q.ENERGY_IMPORT_KWH: 671433.6,
        },
    ),
    # Voltages as a public note has them from a meter: 0x089D = 2205, 0x0896 = 2198,
    # 0x08A2 = 2210. 613480 W = 0x0009_5C68; -613480 = 0x1_0000_0000 - 0x0009_5C68.
    "acrel-adw300": (
        {
            0x14: (0x089D, 0x0896, 0x08A2),
            0x24: (0x0009, 0x5C68),
            0x1E: (0xFFF6, 0xA398),
            0x3E: TEN_WH,
        },
        {
            Q.VOLTAGE_L1_V: 220.5,
            Q.VOLTAGE_L2_V: 219.8,
            Q.VOLTAGE_L3_V: 221.0,
            Q.ACTIVE_POWER_KW: 613.48,
            Q.ACTIVE_POWER_L1_KW: -613.48,
            Q.ENERGY_IMPORT_KWH: 671433.6,
        },
    ),
    # Low word first: 2305 = 0x0000_0901, 6714336 x 0.1 kWh = 0x0066_73E0. What stands
    # at 0042h, the partial register, is not taken for it. -0.950 is 0x1_0000 - 950.
    "carlo-gavazzi-em24": (
        {
            0x00: (0x0901, 0),
            0x35: (0xFC4A,),
            0x37: (0x01F4,),
            0x3E: (0x73E0, 0x0066),
            0x42: (0x0001, 0),
        },
        {
            Q.VOLTAGE_L1_V: 230.5,
            Q.POWER_FACTOR: -0.95,
            Q.FREQUENCY_HZ: 50.0,
            Q.ENERGY_IMPORT_KWH: 671433.6,
        },
    ),
    # Floats of whole numbers: 2305 = 1.12548828125 x 2**11, 23000 x 0.1 W =
    # 1.40380859375 x 2**14, 5000 x 0.01 Hz = 1.220703125 x 2**12.
    "chint-dtsu666": (
        {
            0x2006: (0x4510, 0x1000),
            0x2012: (0x46B3, 0xB000),
            0x2044: (0x459C, 0x4000),
            0x101E: KWH_1234_5,
        },
        {
            Q.VOLTAGE_L1_V: 230.5,
            Q.ACTIVE_POWER_KW: 2.3,
            Q.FREQUENCY_HZ: 50.0,
            Q.ENERGY_IMPORT_KWH: 1234.5,
        },
    ),
    # The frame in the paper of the SDM120CT: 01 04 00 00 00 02 is answered by
    # 01 04 04 43 66 00 00, which is 230.0 V.
    "eastron-sdm120": (
        {0x00: (0x4366, 0x0000), 0x48: KWH_1234_5},
        {Q.VOLTAGE_L1_V: 230.0, Q.ENERGY_IMPORT_KWH: 1234.5},
    ),
    # The paper's own example of a float: 240.5 is 43 70 80 00.
    "eastron-sdm230": (
        {0x00: (0x4370, 0x8000), 0x48: KWH_1234_5},
        {Q.VOLTAGE_L1_V: 240.5, Q.ENERGY_IMPORT_KWH: 1234.5},
    ),
    # 2300 W = 1.123046875 x 2**11.
    "eastron-sdm72": (
        {0x04: V_230_5, 0x34: (0x450F, 0xC000), 0x48: KWH_1234_5},
        {
            Q.VOLTAGE_L3_V: 230.5,
            Q.ACTIVE_POWER_KW: 2.3,
            Q.ENERGY_IMPORT_KWH: 1234.5,
        },
    ),
    # 613480 W as in `test_decode.py`. 671433600 Wh = 10491150 x 2**6 with 10491150 =
    # 0xA0150E, 24 bits: exponent 127 + 23 + 6 = 0x9C, mantissa 0x20150E.
    "janitza-umg96": (
        {19000: V_230_5, 19026: (0x4915, 0xC680), 19068: (0x4E20, 0x150E)},
        {
            Q.VOLTAGE_L1_V: 230.5,
            Q.ACTIVE_POWER_KW: 613.48,
            Q.ENERGY_IMPORT_KWH: 671433.6,
        },
    ),
    "orno-we516": (
        {0x0E: V_230_5, 0x1C: KW_2_5, 0x108: KWH_1234_5},
        {
            Q.VOLTAGE_L1_V: 230.5,
            Q.ACTIVE_POWER_KW: 2.5,
            Q.ENERGY_IMPORT_KWH: 1234.5,
        },
    ),
    # A PM5340 showed 226.00436401367188 V: 1.7656590938... x 2**7, mantissa 0x62011E.
    "schneider-pm5110": (
        {3027: (0x4362, 0x011E), 3029: (0x7FC0, 0), 3203: WH},
        {
            Q.VOLTAGE_L1_V: 226.00436401367188,
            Q.VOLTAGE_L2_V: None,
            Q.ENERGY_IMPORT_KWH: 671433.6,
        },
    ),
    # float64 of 671433600: 2**29 + 0x0805_4380, exponent 1023 + 29 = 0x41C, mantissa
    # 0x0805_4380 x 2**23 = 0x402A1C0000000.
    "siemens-pac2200": (
        {1: V_230_5, 801: (0x41C4, 0x02A1, 0xC000, 0x0000)},
        {Q.VOLTAGE_L1_V: 230.5, Q.ENERGY_IMPORT_KWH: 671433.6},
    ),
    # 23050 x 0.01 V = 0x5A0A, 5001 x 0.01 Hz = 0x1389, -150 x 10 W = 0xFFFF_FF6A.
    "socomec-countis-e44": (
        {
            0xC558: (0, 0x5A0A),
            0xC55E: (0, 0x1389),
            0xC568: (0xFFFF, 0xFF6A),
            0xC702: TEN_WH,
            0xC708: (0xFFFF, 0xFFFF),
        },
        {
            Q.VOLTAGE_L1_V: 230.5,
            Q.FREQUENCY_HZ: 50.01,
            Q.ACTIVE_POWER_KW: -1.5,
            Q.ENERGY_IMPORT_KWH: 671433.6,
            Q.ENERGY_EXPORT_KWH: None,
        },
    ),
}
ELSEWHERE = {
    *("carlo-gavazzi-em340", "eastron-sdm630", "schneider-iem3155"),
    "keywatt-interval-logger",  # `tests/collector/test_run_intervals.py`
    "keywatt-logger",  # no maker's meter: `test_load_profile.py`
    "sunspec-meter",  # no addresses of its own: `test_sunspec.py`
}


def decoded(name: str, words: dict[int, tuple[int, ...]]) -> dict[Q, float]:
    """What is read of a meter that holds these words and zeros else."""
    profile = load_profile(name)
    assert isinstance(profile, ModbusProfile)
    held = {at + i: word for at, run in words.items() for i, word in enumerate(run)}

    def answer(block: Block) -> list[int]:
        return [held.get(block.address + i, 0) for i in range(block.count)]

    blocks = {block: answer(block) for block in plan_blocks(profile)}
    return decode_blocks(profile, blocks).values


@pytest.mark.parametrize("name", CASES)
def test_words_by_hand(name) -> None:
    words, expected = CASES[name]
    values = decoded(name, words)
    assert {q: values.get(q) for q in expected} == expected


def test_no_profile_goes_without() -> None:
    modbus = {n for n in profile_names() if load_profile(n).transport == "modbus"}
    assert modbus - ELSEWHERE == set(CASES)


PROFILES_OF_MODBUS = [
    profile
    for profile in map(load_profile, profile_names())
    if isinstance(profile, ModbusProfile)
]


@pytest.mark.parametrize("profile", PROFILES_OF_MODBUS, ids=lambda one: one.name)
def test_what_belongs_together_is_laid_out_alike(profile) -> None:
    # All these makers have three phases in a row, so that a slip in one address shows.
    at = {register.quantity: register for register in profile.registers}
    for first in (Q.VOLTAGE_L1_V, Q.CURRENT_L1_A, Q.ACTIVE_POWER_L1_KW):
        names = (first.replace("_l1_", f"_l{n}_") for n in (1, 2, 3))
        row = [at[Q(name)] for name in names if Q(name) in at]
        assert {b.address - a.address - a.words for a, b in pairwise(row)} <= {0}
        assert len({(r.encoding, r.scale, r.not_available) for r in row}) <= 1
    registers = [
        register for register in profile.registers if register.quantity.is_register
    ]
    assert len({(r.encoding, r.scale, r.not_available) for r in registers}) == 1


@pytest.mark.parametrize("name", profile_names())
def test_the_handbook_has_each_with_its_manual(name) -> None:
    page = (PROFILES.parents[1] / "docs/handbook/catalogue.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
    assert len(rows) == 1
    assert load_profile(name).manual.revision in rows[0]


@pytest.mark.parametrize(
    ("name", "requests"),
    [
        ("abb-a44", 3),
        ("abb-b23", 2),
        ("acrel-adl400", 6),
        ("acrel-adw300", 4),
        ("carlo-gavazzi-em24", 7),
        ("carlo-gavazzi-em340", 2),
        ("chint-dtsu666", 5),
        ("eastron-sdm120", 2),
        ("eastron-sdm230", 1),
        ("eastron-sdm630", 1),
        ("eastron-sdm72", 2),
        ("janitza-umg96", 2),
        ("orno-we516", 2),
        ("schneider-iem3155", 8),
        ("schneider-pm5110", 2),
        ("siemens-pac2200", 2),
        ("socomec-countis-e44", 2),
    ],
)
def test_a_meter_is_read_in_few_requests(name, requests) -> None:
    profile = load_profile(name)
    assert isinstance(profile, ModbusProfile)
    assert len(plan_blocks(profile)) == requests
