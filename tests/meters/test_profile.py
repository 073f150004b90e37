"""Every shipped profile is a case; every mistake is one sentence."""

import re
from pathlib import Path

import pytest

from meters.meter import Transport
from meters.modbus_parts import ScaleRegister
from meters.profile import (
    PROFILES,
    ModbusProfile,
    MqttProfile,
    ProfileError,
    load_profile,
    profile_names,
)
from meters.quantity import REGISTERS, Quantity
from meters.registers import modulus

GOOD = """
name = "acme"
title = "Acme 1"
transport = "modbus"
function = "input"
word_order = "big"
byte_order = "big"
max_block = 20
max_gap = 0
register_digits = 8
register_resolution = 0.01

[manual]
document = "Acme Protocol"
revision = "1"

[[registers]]
quantity = "energy_import_kwh"
address = 10
manual = "30011"
encoding = "int32"
scale = 0.01

[[registers]]
quantity = "voltage_l1_v"
address = 12
manual = "30013"
encoding = "float32"
"""
MQTT = """
name = "acme"
title = "Acme 1"
transport = "mqtt"
topic = "acme/{serial}"
measured_at = "t"
register_digits = 8
register_resolution = 0.01
fields = [{quantity = "voltage_l1_v", path = "u.l1"}]
manual = {document = "Acme Protocol", revision = "1"}
"""
CLOCK = '[clock]\nmanual = "1"\nencoding = "ti081"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "acme.toml"
    path.write_text(text, "utf-8")
    return path


def places_in(profile):
    """Where a profile finds its quantities, in whatever message."""
    if isinstance(profile, ModbusProfile):
        return profile.registers
    return [field for kind in profile.messages for field in kind.fields]


NO_REACTIVE = {Quantity.ENERGY_LAGGING_KVARH, Quantity.ENERGY_LEADING_KVARH}
LACKS = dict.fromkeys(
    ("acrel-adw300", "chint-dtsu666", "eastron-sdm72", "socomec-countis-e44"),
    NO_REACTIVE,
)
"""Registers for which no source was found, or which the meter does not have."""


@pytest.mark.parametrize("name", profile_names())
def test_shipped_profile_loads(name) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert profile.manual.document
    assert profile.transport in set(Transport)
    quantities = {place.quantity for place in places_in(profile)}
    if isinstance(profile, ModbusProfile):
        assert set(REGISTERS) - quantities == LACKS.get(name, set())
    assert Quantity.ENERGY_IMPORT_KWH in quantities
    assert Quantity.ACTIVE_POWER_KW in quantities
    assert Quantity.VOLTAGE_L1_V in quantities


@pytest.mark.parametrize("name", profile_names())
def test_shipped_profile_has_nothing_but_text_and_toml(name) -> None:
    # A profile is read by people first: whence the numbers are stands at its head.
    assert (PROFILES / f"{name}.toml").read_text("utf-8").startswith("# ")


def test_the_three_kinds_of_modbus_meter_are_there() -> None:
    kinds = set()
    for name in profile_names():
        profile = load_profile(name)
        if isinstance(profile, ModbusProfile):
            energy = next(r for r in profile.registers if r.quantity.is_register)
            has_clock = profile.clock is not None
            kinds.add((energy.encoding.value, profile.word_order, has_clock))
    assert {
        ("float32", "big", False),
        ("int32", "little", False),
        ("int64", "big", True),
    } <= kinds


@pytest.mark.parametrize("name", profile_names())
def test_the_manuals_number_is_the_address_in_another_count(name) -> None:
    # Modicom references count from 30001 or 300001, Schneider's registers from 1, the
    # others' from 0; ABB, Acrel, Chint and ORNO print them in hexadecimal.
    profile = load_profile(name)
    if isinstance(profile, MqttProfile):
        return
    base = 16 if name.startswith(("abb-", "acrel-", "chint-", "orno-")) else 10
    offsets = {
        int(part.manual.removesuffix("H"), base) - part.address
        for part in profile.placed
        if not isinstance(part, ScaleRegister)
    }
    assert offsets in ({30001}, {300001}, {40001}, {1}, {0})


def test_digits_of_each_profile_hold_a_year_of_a_key_account() -> None:
    # 2 MW all year are 17.5 GWh; behind transformers the register counts less.
    for name in profile_names():
        profile = load_profile(name)
        turn_kwh = modulus(profile.register_digits) * profile.register_resolution
        assert turn_kwh >= 1e7


def test_a_path_is_read_too(tmp_path) -> None:
    profile = load_profile(written(tmp_path, GOOD))
    assert isinstance(profile, ModbusProfile)
    assert [r.manual for r in profile.registers] == ["30011", "30013"]
    assert load_profile(str(tmp_path / "acme.toml")) == profile


MISTAKES = [
    ("max_gap = 0", "max_gap = 0\npace = 3", "pace: is not a known key."),
    ("scale = 0.01", "skale = 1", "registers[energy_import_kwh].skale: is not a kn"),
    ("max_block = 20", "", "max_block: is missing."),
    ("max_block = 20", 'max_block = "20"', "max_block: is '20', should be a valid int"),
    ("max_block = 20", "max_block = 200", "max_block: is 200, should be less than or"),
    ("address = 12", "address = 12.0", "[voltage_l1_v].address: is 12.0, should be "),
    ("address = 12", "address = -1", "[voltage_l1_v].address: is -1, should be gre"),
    ('"float32"', '"float31"', "[voltage_l1_v].encoding: is 'float31', should be 'int"),
    ('"voltage_l1_v"', '"voltage"', "registers[voltage].quantity: is 'voltage', shoul"),
    ('"voltage_l1_v"', "7", "registers[#2].quantity: is 7, should be 'energy_import"),
    ("scale = 0.01", "scale = nan", "[energy_import_kwh].scale: is nan, should be"),
    ("scale = 0.01", "scale = true", "[energy_import_kwh].scale: is True, should be"),
    ("scale = 0.01", "scale = 0", "[energy_import_kwh].scale: is 0, should be great"),
    ('"modbus"', '"mbus"', "transport: is 'mbus', should be 'modbus' or 'mqtt'."),
    ('transport = "modbus"', "", "transport: is missing."),
    ('"big"', '"middle"', "word_order: is 'middle', should be 'big' or 'little'"),
    (
        "address = 12",
        "address = 11",
        "energy_import_kwh (10 to 11) and voltage_l1_v (11 to 12) overlap.",
    ),
    (
        '"voltage_l1_v"',
        '"energy_import_kwh"',
        "quantity energy_import_kwh is entered 2 times.",
    ),
    ("address = 12", "address = 65535", "voltage_l1_v runs past the last register,"),
    ("max_block = 20", "max_block = 1", "max_block: is 1, but energy_import_kwh takes"),
    (
        "[manual]",
        f"{CLOCK}address = 9\n[manual]",
        "clock (9 to 12) and energy_import_kwh (10 to 11) overlap.",
    ),
    (
        "[manual]",
        f'{CLOCK}address = 1\nzone = "Mars/Olympus"\n[manual]',
        "clock.zone: there is no time zone 'Mars/Olympus'.",
    ),
    (
        "scale = 0.01",
        'scale = 0.01\nnot_available = "nan"',
        'registers[energy_import_kwh]: int32 has no "nan"; give the bits instead.',
    ),
    (
        "scale = 0.01",
        "scale = 0.01\nnot_available = 0x100000000",
        "registers[energy_import_kwh]: not_available has more bits than int32.",
    ),
    (
        "register_resolution = 0.01",
        "register_resolution = 0.015",
        "register_resolution: is 0.015, which is no whole number of steps of energy_",
    ),
    (
        "register_digits = 8",
        "register_digits = 10",
        "register_digits: is 10, which does not fit int32 of energy_import_kwh.",
    ),
    ('name = "acme"', 'name = "acne"', "name: is 'acne', must be the file's, 'acme'."),
    ("max_gap = 0", "max_gap =", r"is not TOML: Invalid value (at line 9, column 10)."),
    ('"1"', '"1"\npages = 2', "manual.pages: is not a known key."),
]


@pytest.mark.parametrize(
    ("good", "bad", "expected"), MISTAKES, ids=[m[2][:40] for m in MISTAKES]
)
def test_a_mistake_is_told_in_one_sentence(tmp_path, good, bad, expected) -> None:
    assert good in GOOD
    path = written(tmp_path, GOOD.replace(good, bad, 1))
    with pytest.raises(ProfileError) as caught:
        load_profile(path)
    told = str(caught.value)
    assert told.startswith(f"{path}: ")
    assert expected in told
    assert told.endswith(".")
    assert "\n" not in told


def test_several_mistakes_are_counted(tmp_path) -> None:
    # Two unknown keys and two missing ones, of which one is the first misspelt.
    path = written(tmp_path, GOOD.replace("max_gap", "gap").replace("title", "titel"))
    said = r"titel: is not a known key \(did you mean title\?\) \(and 2 more\)\.$"
    with pytest.raises(ProfileError, match=said):
        load_profile(path)


@pytest.mark.parametrize(
    ("good", "bad", "expected"),
    [
        ("acme/{serial}", "acme/+", "topic: one level must be {serial}."),
        ("acme/{serial}", "acme/x{serial}", "topic: level 'x{serial}' should be a"),
        ("acme/{serial}", "acme/{serial}/#", "topic: level '#' should be a text, one"),
        ("acme/{serial}", "acme/{node}", "topic: one level must be {serial}."),
        ("acme/{serial}", "{serial}/{serial}", "topic: {serial} cannot be a level of"),
        ("acme/{serial}", "{gateway}/{serial}", "meter: is '{serial}', without {gate"),
        ('measured_at = "t"', "", 'measured_at: is missing (a path; "arrival" where'),
        ('measured_at = "t"', 'measured_at = "t"\nzone = "Mars"', "zone: there is no"),
        (
            'measured_at = "t"',
            'measured_at = "arrival"\nzone = "UTC"',
            "zone: only ISO 8601 times need one.",
        ),
        (
            'measured_at = "t"',
            'measured_at = "t"\nitem_serial = "id"\nmeter = "{item}{serial}"',
            "meter: is '{item}{serial}', needs a dot, dash or underscore between two",
        ),
        (
            'measured_at = "t"',
            'measured_at = "t"\nitem_serial = "id"\nmeter = "{serial}.{item}"',
            "item_serial: needs batch, the list of its items.",
        ),
        ('measured_at = "t"', 'measured_at = "u"', "two things stand at u."),
        ('measured_at = "t"', 'measured_at = "u.l1"', "two things stand at u.l1."),
        ('measured_at = "t"', 'measured_at = "t."', "measured_at: is 't.', not a path"),
        ("u.l1", "u..l1", "fields[voltage_l1_v].path: is 'u..l1', not a path"),
    ],
)
def test_a_mistake_in_a_payloads_profile_is_told(tmp_path, good, bad, expected) -> None:
    assert isinstance(load_profile(written(tmp_path, MQTT)), MqttProfile)
    with pytest.raises(ProfileError, match=re.escape(expected)):
        load_profile(written(tmp_path, MQTT.replace(good, bad, 1)))


def test_a_name_without_a_file_lists_those_with_one() -> None:
    with pytest.raises(ProfileError, match="no profile 'sdm'; there are abb-a44, "):
        load_profile("sdm")


def test_a_missing_file_and_one_that_is_no_text(tmp_path) -> None:
    with pytest.raises(ProfileError, match="cannot be read: No such file"):
        load_profile(tmp_path / "acme.toml")
    (tmp_path / "acme.toml").write_bytes(b"\xff")
    with pytest.raises(ProfileError, match="is not UTF-8 text"):
        load_profile(tmp_path / "acme.toml")


def test_registers_of_two_tables_may_share_an_address(tmp_path) -> None:
    text = GOOD.replace("address = 12", 'address = 10\nfunction = "holding"')
    profile = load_profile(written(tmp_path, text))
    assert isinstance(profile, ModbusProfile)
    assert [profile.function_of(part) for part in profile.placed] == [
        "holding",
        "input",
    ]
