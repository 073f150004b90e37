"""Who a meter is, and its ratios: letters by hand, and every answer found again."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.blocks import Block, plan_blocks
from meters.encoding import DecodeError
from meters.identity import (
    decode_identity,
    decode_ratios,
    encode_identity,
    plan_identity,
    plan_ratios,
)
from meters.profile import ModbusProfile, load_profile
from meters.ratios import Ratios
from tests.meters.test_form_of_registers import Q, answers, profile_with

MODEL = {
    "name": "model",
    "address": 100,
    "manual": "101",
    "encoding": "string",
    "length": 4,
    "expect": ["B23 *", "B24?"],
}
CODE = {"name": "model", "address": 11, "manual": "12", "encoding": "uint16"}
SERIAL = {"name": "serial", "address": 104, "manual": "105", "encoding": "bcd48"}


def meter_with(*identity, **others) -> ModbusProfile:
    register = (Q.FREQUENCY_HZ, 0, "uint16", {})
    return profile_with(register, identity=list(identity), **others)


def told_by(profile, held):
    return decode_identity(profile, answers(held, plan_identity(profile)))


def test_letters_by_hand() -> None:
    profile = meter_with(MODEL, SERIAL)
    # "B2" = 0x4232, "3 " = 0x3320, "1" and the end; 1 2345 6789 in decimal digits.
    held = {100: 0x4232, 101: 0x3320, 102: 0x3100, 103: 0x5858}
    held |= {104: 0x0001, 105: 0x2345, 106: 0x6789}
    found = told_by(profile, held)
    assert found.told == (("model", "B23 1"), ("serial", 123456789))
    assert found.serial == "123456789"
    assert found.fits is True


@pytest.mark.parametrize(
    ("text", "fits"),
    [("B23 112", True), ("B24X", True), ("B24", False), ("b23 1", False), ("", False)],
)
def test_a_text_fits_its_pattern(text, fits) -> None:
    profile = meter_with(MODEL)
    assert told_by(profile, encode_identity(profile, {"model": text})).fits is fits


def test_what_is_expected_and_does_not_answer_speaks_against_the_type() -> None:
    profile = meter_with(MODEL, CODE | {"expect": [340, 341]})
    blocks = answers(encode_identity(profile, {}), plan_identity(profile))
    assert [block.address for block in blocks] == [11, 100]
    code, text = blocks
    assert decode_identity(profile, {code: [340], text: blocks[text]}).fits is True
    assert decode_identity(profile, {code: [342], text: blocks[text]}).fits is False
    assert decode_identity(profile, {text: blocks[text]}).fits is False
    assert decode_identity(meter_with(SERIAL), {}).fits is None
    assert plan_identity(meter_with()) == ()


def test_a_code_may_stand_where_another_request_reads_something_else() -> None:
    # As in the EM340: 000Bh holds the type only when it is asked for alone.
    code = CODE | {"expect": 340, "alone": True}
    profile = profile_with(
        (Q.FREQUENCY_HZ, 10, "uint32", {}), identity=[code, MODEL], max_gap=124
    )
    assert [(b.address, b.count) for b in plan_blocks(profile)] == [(10, 2)]
    assert [(b.address, b.count) for b in plan_identity(profile)] == [(11, 1), (100, 4)]


@pytest.mark.parametrize(
    ("word_order", "byte_order"), [("big", "little"), (None, None)]
)
@given(
    text=st.text(string.ascii_letters + string.digits + "-", max_size=8),
    serial=st.integers(0, 10**12 - 1),
)
def test_whatever_is_told_is_found_again(text, serial, word_order, byte_order) -> None:
    own = {"word_order": word_order, "byte_order": byte_order}
    profile = meter_with(MODEL | own, SERIAL, word_order="little", byte_order="little")
    told = {"model": text, "serial": serial}
    found = dict(told_by(profile, encode_identity(profile, told)).told)
    assert found == ({"serial": serial} if not text else told)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(DecodeError, match="model: 'B23 112-100' is longer than 4 regi"):
        encode_identity(meter_with(MODEL), {"model": "B23 112-100"})
    with pytest.raises(DecodeError, match="identity: 'KW-1' is no number"):
        encode_identity(meter_with(SERIAL), {"serial": "KW-1"})
    block = Block(function="holding", address=11, count=1, registers=())
    with pytest.raises(DecodeError, match="model: 0 words came, not 1"):
        decode_identity(meter_with(CODE), {block: []})


RATIOS = [
    {"name": "ct-primary", "address": 40, "manual": "41", "encoding": "uint16"},
    {"name": "ct-secondary", "address": 41, "manual": "42", "encoding": "uint16"},
    {
        "name": "pt",
        "address": 50,
        "manual": "51",
        "encoding": "uint32",
        "scale": 0.1,
        "not_available": 0xFFFFFFFF,
    },
]


def test_ratios_by_hand() -> None:
    profile = meter_with(ratio=RATIOS)
    blocks = plan_ratios(profile)
    # 400 A to 5 A are 80; 1000 x 0.1 is 100.
    held = {40: 400, 41: 5, 50: 0, 51: 1000}
    assert decode_ratios(profile, answers(held, blocks)) == Ratios(ct=80.0, pt=100.0)
    # A secondary side of 0, and no voltage transformers at all.
    held |= {41: 0, 50: 0xFFFF, 51: 0xFFFF}
    assert decode_ratios(profile, answers(held, blocks)) == Ratios(ct=None, pt=None)
    assert decode_ratios(profile, {}) == Ratios(ct=None, pt=None)


@given(st.integers(1, 60_000), st.integers(1, 10_000))
def test_ratios_are_found_again(ct, pt_tenths) -> None:
    profile = meter_with(ratio=RATIOS)
    ratios = Ratios(ct=float(ct), pt=pt_tenths / 10)
    held = encode_identity(profile, ratios=ratios)
    assert decode_ratios(profile, answers(held, plan_ratios(profile))) == ratios


def test_the_logger_knows_itself() -> None:
    logger = load_profile("keywatt-logger")
    assert isinstance(logger, ModbusProfile)
    held = encode_identity(logger, {"serial": "KW-17"}, Ratios(ct=80.0, pt=1.0))
    found = told_by(logger, held)
    assert found.fits is True
    assert found.serial == "KW-17"
    ratios = decode_ratios(logger, answers(held, plan_ratios(logger)))
    assert ratios == Ratios(ct=80.0, pt=1.0)
