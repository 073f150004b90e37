"""What is doubted in a profile, shown by one each; and how long polls take."""

import pytest

from meters.lint import coarse_from, doubts_about
from meters.modbus_parts import Measured
from meters.profile import load_profile, profile_names
from meters.request_plan import poll_s, polls_of, requests_with
from tests.meters.test_form_of_registers import Q, profile_with

IMPORT = (Q.ENERGY_IMPORT_KWH, 0, "uint32", {"scale": 0.01})
DIGITS = {"register_digits": 9}


def doubts(*registers, **others) -> dict[str, str]:
    found = doubts_about(profile_with(*registers, **(DIGITS | others)))
    return {doubt.code: doubt.text for doubt in found}


def test_a_plain_profile_raises_none() -> None:
    assert doubts(IMPORT, (Q.FREQUENCY_HZ, 2, "uint16", {})) == {}


def test_without_energy_nothing_is_settled() -> None:
    assert "no-energy" in doubts((Q.FREQUENCY_HZ, 2, "uint16", {}))
    exported = (Q.ENERGY_EXPORT_KWH, 0, "uint32", {"scale": 0.01})
    assert "no-import" in doubts(exported)
    assert (
        "again after 10,000 kWh" in doubts(IMPORT, register_digits=6)["early-turnover"]
    )


def test_a_float_cannot_tell_its_last_digits() -> None:
    # 24 bits: from 2**17 = 131,072 on, steps are 2**-6 = 0.0156 kWh; in Wh the step is
    # more than 10 from 2**27 Wh = 134,217.728 kWh on.
    kwh = Measured(quantity=Q.ENERGY_IMPORT_KWH, encoding="float32")
    assert coarse_from(kwh, 0.01) == 131_072
    assert coarse_from(kwh.model_copy(update={"scale": 0.001}), 0.01) == 134_217.728
    floats = [(q, 2 * i, "float32", {}) for i, q in enumerate(list(Q)[:2])]
    text = doubts(*floats)["coarse-steps"]
    assert text.startswith("energy_import_kwh, energy_export_kwh: from 131,072 kWh")
    assert doubts((Q.ENERGY_IMPORT_KWH, 0, "float64", {})) == {}


def test_a_slip_in_the_manuals_numbers_is_noticed() -> None:
    registers = [
        (Q.ENERGY_IMPORT_KWH, 0, "uint32", {"scale": 0.01, "manual": "30001"}),
        (Q.VOLTAGE_L1_V, 2, "uint16", {"manual": "30003"}),
        (Q.VOLTAGE_L2_V, 4, "uint16", {"manual": "30004"}),
    ]
    assert doubts(*registers)["manual-offset"] == (
        "voltage_l2_v: address and the manual's 30004 are 30000 apart; elsewhere in "
        "the file it is 30001."
    )
    # Each table has its own count: 40005 is address 4 of the holding registers.
    registers[2][3].update(manual="40005", function="holding")
    registers[1][3].update(function="input")
    registers[0][3].update(function="input")
    assert "manual-offset" not in doubts(*registers)
    registers[2][3]["manual"] = "see table"
    assert "'see table' is no register" in doubts(*registers)["no-manual-number"]
    hexadecimal = [("0x10", 16), ("11h", 17), ("$12", 18)]
    laid = [
        (quantity, address, "uint16", {"manual": manual})
        for quantity, (manual, address) in zip(
            (Q.VOLTAGE_L1_V, Q.VOLTAGE_L2_V, Q.VOLTAGE_L3_V), hexadecimal, strict=True
        )
    ]
    assert set(doubts(*laid)) == {"no-energy"}


def test_unused_registers_and_many_requests_are_noted() -> None:
    far = (Q.FREQUENCY_HZ, 10, "uint16", {})
    assert (
        "runs over 8 that no key names" in doubts(IMPORT, far, max_gap=8)["gap-bridged"]
    )
    apart = [
        (quantity, 10 + 3 * i, "uint16", {}) for i, quantity in enumerate(list(Q)[5:11])
    ]
    told = doubts(IMPORT, *apart)["many-requests"]
    assert told.startswith("A poll takes 7 requests; 1 would do")
    assert "many-requests" not in doubts(IMPORT, *apart, one_request_each=True)
    assert all(
        doubt.is_note for doubt in doubts_about(profile_with(IMPORT, *apart, **DIGITS))
    )


def test_a_clock_of_local_time_that_cannot_tell_summer_is_doubted() -> None:
    clock = {"address": 9, "manual": "9", "encoding": "unix32", "zone": "Asia/Seoul"}
    assert (
        "unix32 in Asia/Seoul cannot" in doubts(IMPORT, clock=clock)["ambiguous-clock"]
    )
    assert doubts(IMPORT, clock=clock | {"zone": "UTC"}) == {}


def test_registers_that_are_shared_are_doubted_unless_asked_alone() -> None:
    code = {"name": "model", "address": 1, "manual": "1", "encoding": "uint16"}
    told = doubts(IMPORT, identity=[code])["overlap"]
    assert told.startswith("model and energy_import_kwh share registers from 1 on;")
    assert doubts(IMPORT, identity=[code | {"alone": True}]) == {}
    pt = code | {"name": "pt", "address": 50, "manual": "50"}
    serial = pt | {"name": "serial", "encoding": "uint32"}
    told = doubts(IMPORT, identity=[serial], ratio=[pt])["overlap"]
    assert told.startswith("serial and pt share registers from 50 on;")


@pytest.mark.parametrize("name", profile_names())
def test_shipped_profiles_are_doubted_only_for_their_floats(name) -> None:
    found = {d.code for d in doubts_about(load_profile(name)) if not d.is_note}
    assert found <= {"coarse-steps"}


def test_the_logger_is_asked_as_its_file_says() -> None:
    polls = polls_of(load_profile("keywatt-logger"))
    assert [(r.address, r.count, r.wasted) for r in polls.whole] == [
        (100, 40, 0),
        (160, 8, 0),
    ]
    assert [(r.address, r.count) for r in polls.fast] == [(100, 40)]
    assert [r.holds for r in polls.ratios] == [("ct-primary", "ct-secondary", "pt")]
    assert [(r.address, r.count) for r in polls.identity] == [(0, 24)]
    assert [(r.address, r.count) for r in polls.pointers] == [(200, 2)]
    assert polls_of(load_profile("eastron-sdm630")).fast == ()


def test_how_long_a_poll_takes_by_hand() -> None:
    polls = polls_of(load_profile("keywatt-logger"))
    # Two requests, 20 ms to answer and 30 ms of pause each.
    assert poll_s(polls.whole, pause_ms=30, answer_ms=20) == pytest.approx(0.1)
    # 8 + 5 + 7 bytes each around 80 and 16: 136 of 11 bits at 9600 baud are 155.8 ms.
    on_line = poll_s(polls.whole, pause_ms=30, answer_ms=20, baud=9600)
    assert on_line == pytest.approx(0.1 + 136 * 11 / 9600)


def test_a_wider_gap_takes_fewer_requests() -> None:
    profile = load_profile("schneider-iem3155")
    assert requests_with(profile, 0) == 8
    # 1844; 2999 to 3110 are 112 registers; 3203 to 3226.
    assert requests_with(profile, 124) == 3
