"""Every mistake in what a Modbus profile may say further is one sentence."""

import re

import pytest

from meters.profile import ModbusProfile, ProfileError, load_profile

GOOD = """
name = "acme"
title = "Acme 1"
transport = "modbus"
function = "holding"
word_order = "big"
byte_order = "big"
max_block = 20
max_gap = 0
one_request_each = true
pause_ms = 50
timeout_ms = 900
ratio_in_meter = true
register_digits = 8
register_resolution = 0.01

[manual]
document = "Acme Protocol"
revision = "1"

[clock]
address = 4
manual = "5"
encoding = "unix32"

[[registers]]
quantity = "energy_import_kwh"
address = 10
manual = "11"
encoding = "int32"
scale = 0.001
scale_register = 30

[[registers]]
quantity = "active_power_kw"
address = 12
manual = "13"
encoding = "float32"
word_order = "little"
not_available = ["nan", 0x7FFFFFFF]
reverse = true
pace = "slow"

[[events]]
code = "phase-loss"
address = 40
manual = "41"
bit = 3

[[events]]
code = "cover-open"
address = 40
manual = "41"
bit = 4
when = 0

[[identity]]
name = "model"
address = 50
manual = "51"
encoding = "string"
length = 8
expect = "B23 *"

[[ratio]]
name = "ct"
address = 60
manual = "61"
encoding = "uint16"

[load_profile]
access = "window"
address = 70
manual = "71"
capacity = 100
record_words = 5
window = 2
interval_s = 900
holds = "registers"
time = {offset = 0, encoding = "ymdhms8"}
fields = [
    {quantity = "energy_import_kwh", offset = 3, encoding = "uint32", scale = 0.01}
]
newest = {address = 66, manual = "67", is_next = true}
select = {address = 67, manual = "68", by = "sequence"}
writes = [{address = 68, manual = "69", value = 1}]
"""
SUNSPEC = """
name = "acme"
title = "Acme 1"
transport = "modbus"
layout = "sunspec"
models = [203, 213]
max_block = 125
max_gap = 124
turnover = "bits"
register_digits = 10
register_resolution = 0.001
manual = {document = "SunSpec", revision = "1"}
"""

MISTAKES = [
    ("timeout_ms = 900", "timeout_ms = 5", "timeout_ms: is 5, should be greater than"),
    ("pause_ms = 50", "pause_ms = 0.5", "pause_ms: is 0.5, should be a valid integer"),
    ("one_request_each = true", "one_request_each = 1", "one_request_each: is 1, sho"),
    ('pace = "slow"', 'pace = "lazy"', "[active_power_kw].pace: is 'lazy', should be"),
    (
        "scale_register = 30",
        'pace = "slow"',
        "at least one register must be read at the fast pace.",
    ),
    (
        "scale_register = 30",
        "scale_register = 12",
        # The scale register comes with the register that it would stand in.
        "overlap.",
    ),
    (
        'word_order = "little"',
        'word_order = "middle"',
        "registers[active_power_kw].word_order: is 'middle', should be 'big' or",
    ),
    (
        "reverse = true",
        "reverse = true\nscale = -1.0",
        "registers[active_power_kw].scale: is -1.0, should be greater than 0",
    ),
    (
        "scale_register = 30",
        "reverse = true",
        "registers[energy_import_kwh]: energy_import_kwh counts up; name the other",
    ),
    (
        '["nan", 0x7FFFFFFF]',
        '["NaN"]',
        "registers[active_power_kw].not_available: is",
    ),
    (
        '["nan", 0x7FFFFFFF]',
        "[0x1FFFFFFFF]",
        "registers[active_power_kw]: not_available has more bits than float32.",
    ),
    ("unix32", "unix", "clock.encoding: is 'unix', should be 'ti081', 'unix32', 'si"),
    ('"phase-loss"', '"fire"', "events[fire].code: is 'fire', should be 'phase-loss'"),
    ("bit = 3", "bit = 16", "events[phase-loss]: is beyond what uint16 can hold."),
    ("bit = 3", "", "events[phase-loss]: should have either bit or equals."),
    ("bit = 3", 'bit = 3\nencoding = "uint32"', "the events at 40 differ in encoding:"),
    ("address = 40", "address = 13", "active_power_kw (12 to 13) and status (13) over"),
    ("length = 8", "", "identity[model]: a string needs its length, in registers."),
    ('"string"', '"uint16"', "identity[model]: uint16 has its own length; leave leng"),
    ('expect = "B23 *"', "expect = 23", "identity[model]: expect: 23 is nothing that"),
    ("length = 8", "length = 21", "max_block: is 20, but model takes 21 registers."),
    ('name = "ct"', 'name = "vt"', "ratio[vt].name: is 'vt', should be 'ct', 'ct-pr"),
    ("record_words = 5", "record_words = 4", "load_profile: a record has 4 registers"),
    ("window = 2", "window = 0", "load_profile.window: is 0, should be greater than"),
    ("capacity = 100", "", "load_profile.capacity: is missing."),
    ('by = "sequence"', 'by = "date"', "load_profile.select.by: is 'date', should be"),
    (
        'by = "sequence"',
        'by = "time"',
        "load_profile: select by time cannot write uint16.",
    ),
    (
        'access = "window"',
        'access = "ring"',
        "load_profile: a ring needs newest, and no select.",
    ),
    (
        'newest = {address = 66, manual = "67", is_next = true}',
        "",
        "load_profile: select by sequence needs newest.",
    ),
    ("scale = 0.01}", "scale = 0.02}", "register_resolution: is 0.01, which is no who"),
    (
        "register_resolution = 0.01",
        "register_resolution = 0.015",
        # A power of ten might fit the register, but none does 15 Wh in steps of 10**n.
        "register_resolution: is 0.015, which is no whole number of steps of energy_im",
    ),
    ("register_digits = 8", "register_digits = 10", "register_digits: is 10, which do"),
]


def told_of(tmp_path, text) -> str:
    path = tmp_path / "acme.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ProfileError) as caught:
        load_profile(path)
    told = str(caught.value)
    assert told.startswith(f"{path}: ")
    assert told.endswith(".")
    assert "\n" not in told
    return told.removeprefix(f"{path}: ")


def test_the_good_one_is_good(tmp_path) -> None:
    path = tmp_path / "acme.toml"
    path.write_text(GOOD, "utf-8")
    profile = load_profile(path)
    assert isinstance(profile, ModbusProfile)
    assert profile.registers[1].absent_bits == (0x7FFFFFFF,)
    assert profile.load_profile is not None


@pytest.mark.parametrize(
    ("good", "bad", "expected"), MISTAKES, ids=[m[2][:40] for m in MISTAKES]
)
def test_a_mistake_is_told_in_one_sentence(tmp_path, good, bad, expected) -> None:
    assert good in GOOD
    told = told_of(tmp_path, GOOD.replace(good, bad, 1))
    assert expected in told


@pytest.mark.parametrize(
    ("good", "bad", "expected"),
    [
        ("203, 213", "203, 64", r"models.*: is 64, should be 201, 202, 203"),
        ("models = [203, 213]", "", r"models: is missing\."),
        ('"sunspec"', '"fixed"', r"layout: is 'fixed', should be 'sunspec'"),
        ("max_gap = 124", "max_gap = 124\naddress = 3", r"address: is not a known key"),
    ],
)
def test_a_mistake_in_a_sunspec_meter_too(tmp_path, good, bad, expected) -> None:
    assert re.search(expected, told_of(tmp_path, SUNSPEC.replace(good, bad, 1)))
