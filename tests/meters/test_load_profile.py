"""The memory of a meter: by hand, and against a meter that was off now and then."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.encoding import DecodeError
from meters.load_memory import LogMemory, encode_load_profile
from meters.load_profile import (
    LogRecord,
    LogState,
    decode_load_profile,
    plan_load_profile,
    plan_pointers,
    state_of,
)
from meters.profile import ModbusProfile, load_profile
from meters.quantity import Quantity

IMPORT = Quantity.ENERGY_IMPORT_KWH
QUARTER = timedelta(minutes=15)
NOON = datetime(2018, 1, 15, 12, tzinfo=UTC)
LOGGER = load_profile("keywatt-logger")
RING = {
    "access": "ring",
    "address": 1000,
    "manual": "1001",
    "capacity": 8,
    "record_words": 4,
    "interval_s": 900,
    "holds": "registers",
    "newest": {"address": 900, "manual": "901"},
    "count": {"address": 901, "manual": "902"},
    "time": {"offset": 0, "encoding": "unix32"},
    "fields": [{"quantity": IMPORT.value, "offset": 2, "encoding": "uint32"}],
}
SELECT = {"address": 800, "manual": "801"}
WINDOW = {k: v for k, v in RING.items() if k not in {"newest", "count"}} | {
    "access": "window",
    "window": 3,
}
BY_SEQUENCE = WINDOW | {
    "newest": {"address": 900, "manual": "901", "is_next": True},
    "select": SELECT | {"by": "sequence"},
}
BY_AGE = WINDOW | {
    "select": SELECT | {"by": "age", "newest_is": 1, "onward": "older"},
    "writes": [{"address": 810, "manual": "811", "value": 1}],
}
BY_TIME = WINDOW | {
    "time": {"offset": 0, "encoding": "ymdhms-bcd"},
    "record_words": 5,
    "fields": [{"quantity": IMPORT.value, "offset": 3, "encoding": "bcd32"}],
    "stamp": "start",
    "select": SELECT | {"by": "time", "encoding": "ymdhms-bcd"},
}
WAYS = {"ring": RING, "sequence": BY_SEQUENCE, "age": BY_AGE, "time": BY_TIME}


def meter_with(log, **others) -> ModbusProfile:
    return ModbusProfile.model_validate(
        {
            "name": "acme",
            "title": "Acme",
            "manual": {"document": "Acme", "revision": "1"},
            "transport": "modbus",
            "function": "holding",
            "word_order": "big",
            "byte_order": "big",
            "max_block": 20,
            "max_gap": 0,
            "register_digits": 8,
            "register_resolution": 1.0,
            "registers": [
                {
                    "quantity": IMPORT.value,
                    "address": 0,
                    "manual": "1",
                    "encoding": "uint32",
                }
            ],
            "load_profile": log,
        }
        | others
    )


def records_at(times) -> list[LogRecord]:
    return [
        LogRecord(measured_at=at, values={IMPORT: float(i)})
        for i, at in enumerate(times)
    ]


class Memory:
    """A meter's memory, and how often it was asked."""

    def __init__(self, profile, records) -> None:
        self.profile = profile
        self.memory = LogMemory(records=records, total=len(records))
        self.written: dict[int, int] = {}
        self.requests = 0
        self.held = encode_load_profile(profile, self.memory)

    def words(self, block) -> list[int]:
        return [self.held[block.address + i] for i in range(block.count)]

    def answer(self, request) -> list[int]:
        self.requests += 1
        for address, words in request.writes:
            self.written |= dict(enumerate(words, address))
        if request.writes:
            self.held = encode_load_profile(self.profile, self.memory, self.written)
        return self.words(request.block)

    def read(self, wanted_from, wanted_to) -> list[LogRecord]:
        pointers = {b: self.words(b) for b in plan_pointers(self.profile)}
        state, found = state_of(self.profile, pointers), {}
        while True:
            asked = plan_load_profile(self.profile, state, wanted_from, wanted_to)
            if not asked:
                break
            for request in asked:
                assert request.block.count <= self.profile.max_block
                records = decode_load_profile(
                    self.profile, request, self.answer(request)
                )
                state = state.after(request, records)
                found |= {record.measured_at: record for record in records}
        return [found[at] for at in sorted(found) if wanted_from <= at <= wanted_to]


def test_ring_words_by_hand() -> None:
    profile = meter_with(RING)
    records = records_at([NOON, NOON + QUARTER])
    held = encode_load_profile(profile, LogMemory(records=records, total=10))
    # Ten were recorded into eight places: the newest, number 9, stands in place 1, the
    # one before in place 0. 2018-01-15 12:00 UTC is 1516017600 = 0x5A5C_97C0.
    assert held[900] == 1
    assert held[901] == 2
    assert [held[1000 + i] for i in range(4)] == [0x5A5C, 0x97C0, 0, 0]
    assert [held[1004 + i] for i in range(4)] == [0x5A5C, 0x9B44, 0, 1]
    assert all(held[1008 + i] == 0xFFFF for i in range(24))


def test_a_ring_is_asked_for_the_newest_and_then_for_what_is_wanted() -> None:
    profile = meter_with(RING | {"capacity": 100})
    state = LogState(newest=41, count=100)
    (first,) = plan_load_profile(profile, state, NOON, NOON + 2 * QUARTER)
    assert (first.block.address, first.block.count) == (1000 + 41 * 4, 4)
    newest = LogRecord(measured_at=NOON + 10 * QUARTER, values={}, number=41)
    state = state.after(first, [newest])
    # Noon is ten quarters before: number 31; 12:30 is number 33. Twelve words.
    (second,) = plan_load_profile(profile, state, NOON, NOON + 2 * QUARTER)
    assert second.numbers == (31, 32, 33)
    assert (second.block.address, second.block.count) == (1000 + 31 * 4, 12)
    assert second.writes == ()


def test_a_window_is_asked_by_writing_which_record_it_begins_with() -> None:
    profile = meter_with(BY_AGE)
    state = LogState(count=8, read={0: NOON})
    asked = plan_load_profile(profile, state, NOON - 4 * QUARTER, NOON - QUARTER)
    # Ages 2 to 5 (the newest is 1), three a window: 4 to 2 would be older first, so the
    # window begins with the youngest, 3, and shows 3, 4, 5; then 2 alone.
    assert [(r.writes, r.numbers) for r in asked] == [
        (((800, (3,)), (810, (1,))), (-2, -3, -4)),
        (((800, (2,)), (810, (1,))), (-1,)),
    ]


@pytest.mark.parametrize("way", WAYS)
@given(data=st.data())
def test_whatever_is_there_is_found(way, data) -> None:
    profile = meter_with(WAYS[way] | {"capacity": 40})
    steps = data.draw(st.lists(st.sampled_from([1, 1, 1, 1, 2, 30]), max_size=60))
    times, at = [], NOON
    for step in steps:
        at += step * QUARTER
        times.append(at)
    begin = NOON + data.draw(st.integers(-5, 300)) * QUARTER
    end = begin + data.draw(st.integers(-1, 50)) * QUARTER
    begin -= data.draw(st.sampled_from([timedelta(0), timedelta(seconds=7)]))
    records = records_at(times)
    memory = Memory(profile, records)
    expected = [r for r in records[-40:] if begin <= r.measured_at <= end]
    found = memory.read(begin, end)
    assert [(r.measured_at, r.values) for r in found] == [
        (r.measured_at, r.values) for r in expected
    ]


def test_a_gap_of_an_hour_is_filled_with_two_requests() -> None:
    assert isinstance(LOGGER, ModbusProfile)
    times = [NOON + i * QUARTER for i in range(2000)]
    memory = Memory(LOGGER, records_at(times))
    found = memory.read(times[1900], times[1904])
    assert [record.measured_at for record in found] == times[1900:1905]
    # The newest, and five records of twenty words.
    assert memory.requests == 2


def test_no_more_is_read_than_the_meter_keeps() -> None:
    assert isinstance(LOGGER, ModbusProfile)
    times = [NOON + i * QUARTER for i in range(2000)]
    memory = Memory(LOGGER, records_at(times))
    found = memory.read(times[0], times[-1])
    assert [record.measured_at for record in found] == times[-960:]
    # 960 records, six a request, and one more where the ring turns and at the newest.
    assert memory.requests <= 960 / 6 + 3


def test_energy_of_the_interval_alone_is_told_in_steps_of_its_own() -> None:
    field = {"quantity": IMPORT.value, "offset": 2, "encoding": "uint16", "scale": 0.25}
    profile = meter_with(RING | {"holds": "intervals", "fields": [field]})
    # A mean of 613 kW over a quarter-hour is 153.25 kWh, and so told.
    record = LogRecord(measured_at=NOON, values={IMPORT: 153.25})
    (found,) = Memory(profile, [record]).read(NOON, NOON)
    assert found.values == {IMPORT: 153.25}


def test_an_empty_memory_gives_nothing() -> None:
    for log in WAYS.values():
        assert Memory(meter_with(log), []).read(NOON, NOON + QUARTER) == []


def test_a_pointer_beyond_the_ring_is_refused() -> None:
    profile = meter_with(RING)
    (block,) = plan_pointers(profile)
    with pytest.raises(DecodeError, match="newest: is 8, but the ring has 8 records"):
        state_of(profile, {block: [8, 8]})
    with pytest.raises(DecodeError, match="register 901 did not come"):
        state_of(profile, {})


def test_an_answer_that_cannot_be_names_the_field() -> None:
    profile = meter_with(BY_TIME)
    (request,) = plan_load_profile(profile, LogState(count=8), NOON, NOON)
    with pytest.raises(DecodeError, match="load_profile: 4 words came, not 15"):
        decode_load_profile(profile, request, [0] * 4)
    words = [0x1801, 0x1512, 0x0000, 0x0000, 0x000A] + [0xFFFF] * 10
    with pytest.raises(DecodeError, match=r"load_profile\.energy_import_kwh: 0000000A"):
        decode_load_profile(profile, request, words)
