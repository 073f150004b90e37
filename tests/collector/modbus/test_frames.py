import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.modbus.frames import (
    ExceptionAnswerError,
    FrameError,
    WrongAnswerError,
    WrongLengthError,
    checksum,
    rtu_words,
    tcp_words,
)

# Transaction 7, unit 5: two input registers from 72.
ASKED = bytes.fromhex("0007 0000 0006 05 04 0048 0002")
WORDS = [0x3F80, 0x0001]
ANSWER = bytes.fromhex("0007 0000 0007 05 04 04 3f80 0001")


def rtu(unit: int, pdu: bytes) -> bytes:
    frame = bytes([unit]) + pdu
    return frame + struct.pack("<H", checksum(frame))


RTU_ASKED = rtu(5, bytes.fromhex("04 0048 0002"))
RTU_ANSWER = rtu(5, bytes.fromhex("04 04 3f80 0001"))


def test_a_frame_of_the_standard_has_the_checksum_of_the_standard() -> None:
    # Modbus over serial line V1.02, 6.2.2: of 02 07 the CRC is 41 12, low byte first.
    assert rtu(2, b"\x07") == bytes.fromhex("02 07 41 12")


def test_an_answer_is_found_when_it_is_whole() -> None:
    for end in range(len(ANSWER)):
        assert tcp_words(ANSWER[:end], ASKED, 2) is None
    assert tcp_words(ANSWER, ASKED, 2) == WORDS
    for end in range(len(RTU_ANSWER)):
        assert rtu_words(RTU_ANSWER[:end], RTU_ASKED, 2, {}) is None
    assert rtu_words(RTU_ANSWER, RTU_ASKED, 2, {}) == WORDS


def test_what_another_transaction_brings_is_passed_over() -> None:
    late = bytes.fromhex("0006 0000 0007 05 04 04 ffff ffff")
    assert tcp_words(late, ASKED, 2) is None
    assert tcp_words(late + ANSWER, ASKED, 2) == WORDS
    # A gateway that gives no number gives 0.
    assert tcp_words(b"\0\0" + ANSWER[2:], ASKED, 2) == WORDS


@pytest.mark.parametrize(
    ("heard", "text"),
    [
        ("0007 0000 0007 06 04 04 3f80 0001", "an answer of unit 6"),
        ("0007 0000 0007 05 03 04 3f80 0001", "an answer of function 3"),
        ("0007 0000 0005 05 04 04 3f80", "an answer that is cut short"),
        ("0007 0000 0006 05 04 03 3f8000", "an answer that is cut short"),
        ("4854 5450 2f31 2e31 20", r"no Modbus TCP \(48 54 54 50 2f 31 2e 31 20\)"),
        ("0007 0000 ffff 05 04", "no Modbus TCP"),
    ],
)
def test_what_is_no_answer_is_named(heard: str, text: str) -> None:
    with pytest.raises(WrongAnswerError, match=text):
        tcp_words(bytes.fromhex(heard), ASKED, 2)


def test_an_answer_of_another_length_is_told_apart() -> None:
    with pytest.raises(WrongLengthError, match="of 1 registers"):
        tcp_words(bytes.fromhex("0007 0000 0005 05 04 02 3f80"), ASKED, 2)
    with pytest.raises(WrongLengthError, match="of 1 registers"):
        rtu_words(rtu(5, bytes.fromhex("04 02 3f80")), RTU_ASKED, 2, {})


@pytest.mark.parametrize(
    "heard",
    [
        pytest.param("0007 0000 0003 05 84 02", id="as the standard has it"),
        pytest.param("0007 0000 0002 05 84 02", id="its code not counted in"),
    ],
)
def test_an_exception_bears_its_code(heard: str) -> None:
    with pytest.raises(ExceptionAnswerError) as caught:
        tcp_words(bytes.fromhex(heard), ASKED, 2)
    assert caught.value.code == 2
    with pytest.raises(ExceptionAnswerError) as caught:
        rtu_words(rtu(5, b"\x84\x02"), RTU_ASKED, 2, {})
    assert caught.value.code == 2


def test_noise_and_the_echo_of_our_own_request_are_passed_over() -> None:
    assert rtu_words(b"\0\xff\x05" + RTU_ANSWER, RTU_ASKED, 2, {}) == WORDS
    assert rtu_words(RTU_ASKED + RTU_ANSWER, RTU_ASKED, 2, {}) == WORDS


def test_a_wrong_checksum_is_no_answer() -> None:
    broken = RTU_ANSWER[:-1] + bytes([RTU_ANSWER[-1] ^ 1])
    assert rtu_words(broken, RTU_ASKED, 2, {}) is None
    assert rtu_words(broken + RTU_ANSWER, RTU_ASKED, 2, {}) == WORDS


def test_another_units_answer_is_passed_over_only_where_it_is_owed() -> None:
    other = rtu(6, bytes.fromhex("04 04 0000 0000"))
    with pytest.raises(WrongAnswerError, match="of unit 6"):
        rtu_words(other + RTU_ANSWER, RTU_ASKED, 2, {})
    assert rtu_words(other + RTU_ANSWER, RTU_ASKED, 2, {6: [(4, 2)]}) == WORDS


def test_an_answer_owed_by_the_same_unit_is_known_by_its_length() -> None:
    late = rtu(5, bytes.fromhex("04 02 ffff"))
    assert rtu_words(late + RTU_ANSWER, RTU_ASKED, 2, {5: [(4, 1)]}) == WORDS


@given(st.binary(max_size=300), st.sampled_from([tcp_words, "rtu"]))
def test_whatever_comes_is_words_or_an_error_or_not_yet(heard: bytes, how) -> None:
    try:
        if how == "rtu":
            words = rtu_words(heard, RTU_ASKED, 2, {6: [(4, 2)]})
        else:
            words = how(heard, ASKED, 2)
    except FrameError:
        return
    assert words is None or len(words) == 2


@given(st.binary(max_size=20), st.lists(st.integers(0, 0xFFFF), min_size=2, max_size=2))
def test_an_answer_after_any_noise_is_the_answer_or_nothing(noise, sent) -> None:
    answer = rtu(5, b"\x04\x04" + struct.pack(">2H", *sent))
    try:
        words = rtu_words(noise + answer, RTU_ASKED, 2, {})
    except FrameError:
        return
    assert words in (None, sent)
