"""A memory that is searched: by hand, and however it is filled and interrupted."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.encoding import DecodeError
from meters.load_memory import LogMemory, channels_of, encode_load_profile
from meters.load_profile import LogRecord, decode_load_profile, plan_load_profile
from meters.load_records import Channel, LogState, merged
from meters.load_search import (
    asked_back,
    channel_of,
    check_proof,
    plan_channel,
    plan_proof,
    still_to_write,
)
from meters.profile import ModbusProfile, load_profile
from meters.quantity import REGISTERS, Quantity
from tests.meters.test_load_profile import IMPORT, WINDOW, meter_with

A44 = load_profile("abb-a44")
assert isinstance(A44, ModbusProfile)
EXPORT = Quantity.ENERGY_EXPORT_KWH
QUARTER = timedelta(minutes=15)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEXT, CHANNEL, DATE, DIRECTION, TOLD, BLOCK = (
    *(0x8700, 0x8703, 0x8704, 0x8707, 0x8710, 0x8720),
)
STATE = LogState(count=A44.load_profile.capacity)


def channel(number: int, quantity=IMPORT, **others) -> Channel:
    """One that counts in 10 Wh every quarter of an hour."""
    return Channel(
        **{"number": number, "quantity": quantity, "exponent": 1, "interval": QUARTER}
        | others
    )


def recorded(*times: datetime, **others) -> list[LogRecord]:
    """Import counts 1 kWh a record, export a quarter of that."""
    return [
        LogRecord(measured_at=at, values={IMPORT: float(n), EXPORT: n / 4}, **others)
        for n, at in enumerate(times)
    ]


class Meter:
    """An A44 that does what is written to it."""

    def __init__(self, records, channels=None, profile=A44) -> None:
        self.profile = profile
        channels = channels_of(profile) if channels is None else channels
        self.memory = LogMemory(records=records, total=len(records), channels=channels)
        self.written: dict[int, int] = {}
        self.passed = self.searches = 0

    def write(self, address, words) -> None:
        self.written |= dict(enumerate(words, address))
        if address == NEXT:
            self.passed += 1
        elif address != CHANNEL:
            self.passed, self.searches = 0, self.searches + 1

    def words(self, block) -> list[int]:
        held = encode_load_profile(self.profile, self.memory, self.written, self.passed)
        return [held[block.address + i] for i in range(block.count)]

    def answer(self, request) -> list[int]:
        for address, words in request.writes:
            self.write(address, words)
        return self.words(request.block)

    def known(self) -> LogState:
        """Have it say what its channels hold."""
        state = STATE
        while (about := plan_channel(self.profile, state)) is not None:
            told = self.answer(about)
            state = state.knowing(channel_of(self.profile, state, told))
        return state

    def read(self, wanted_from, wanted_to, interrupt=lambda: False) -> list[LogRecord]:
        state, found = self.known(), []
        for _ in range(10_000):
            asked = plan_load_profile(self.profile, state, wanted_from, wanted_to)
            if not asked:
                break
            words = self.answer(asked[0])
            if interrupt():  # the answer was lost
                state = state.interrupted()
                continue
            if (proof := plan_proof(self.profile, asked[0])) is not None:
                check_proof(self.profile, asked[0], proof, self.words(proof))
            records = decode_load_profile(self.profile, asked[0], words)
            found += [r for r in records if state.is_news(asked[0], r)]
            state = state.after(asked[0], records)
        else:
            raise AssertionError("it never ends")
        return [r for r in merged(found) if wanted_from <= r.measured_at <= wanted_to]


def test_a_search_as_the_manual_tells_it() -> None:
    # Channel 3 has import: 01 00 01 08 00 FF (page 121), steps of 10 Wh, 15 minutes.
    meter = Meter(recorded(NOON - QUARTER, NOON), [channel(3)])
    state = STATE
    for number in (1, 2, 3):
        about = plan_channel(A44, state)
        assert about.writes == ((CHANNEL, (number,)),)
        assert (about.block.address, about.block.count) == (TOLD, 6)
        told = meter.answer(about)
        state = state.knowing(channel_of(A44, state, told))
    assert told == [0x0100, 0x0108, 0x00FF, 0x0001, 0x0000, 0x000F]
    assert [c.quantity for c in state.channels] == [None, None, IMPORT]
    # 2026-03-01 12:14:59, and three seconds, for channel 3: 1A 03 01 0C 0F 02.
    wanted_to = NOON + QUARTER - timedelta(microseconds=1)
    (search,) = plan_load_profile(A44, state, NOON - QUARTER, wanted_to)
    assert search.writes == (
        (CHANNEL, (3,)),
        (DATE, (0x1A03, 0x010C, 0x0F02)),
        (DIRECTION, (0,)),
    )
    assert (search.block.address, search.block.count) == (BLOCK, 120)
    words = meter.answer(search)
    # The newer one first: 12:00:00, available, 1 kWh in 10 Wh; then 11:45:00, none.
    assert words[:8] == [0x1A03, 0x010C, 0x0000, 0x0001, 0, 0, 0, 100]
    assert words[8:16] == [0x1A03, 0x010B, 0x2D00, 0x0001, 0, 0, 0, 0]
    assert words[16:] == [0xFFFF] * 104
    records = decode_load_profile(A44, search, words)
    assert [(r.measured_at, r.values) for r in records] == [
        (NOON, {IMPORT: 1.0}),
        (NOON - QUARTER, {IMPORT: 0.0}),
    ]
    state = state.after(search, records)
    assert plan_load_profile(A44, state, NOON - QUARTER, wanted_to) == ()
    # Had more been wanted, it would go on with one command, and find nothing.
    (more,) = plan_load_profile(A44, state, NOON - 9 * QUARTER, wanted_to)
    assert more.writes == ((NEXT, (1,)),)
    words = meter.answer(more)
    assert words == [0xFFFF] * 120
    state = state.after(more, decode_load_profile(A44, more, words))
    assert plan_load_profile(A44, state, NOON - 9 * QUARTER, wanted_to) == ()


@given(data=st.data())
def test_whatever_is_there_is_found_once_and_joined(data) -> None:
    steps = data.draw(st.lists(st.sampled_from([1, 1, 1, 1, 2, 30]), max_size=80))
    times, at = [], NOON
    for step in steps:
        at += step * QUARTER
        times.append(at)
    places = data.draw(st.lists(st.integers(1, 8), min_size=2, max_size=2, unique=True))
    channels = [channel(places[0]), channel(places[1], EXPORT, exponent=0)]
    begin = NOON + data.draw(st.integers(-5, 300)) * QUARTER
    end = begin + data.draw(st.integers(0, 60)) * QUARTER
    begin -= data.draw(st.sampled_from([timedelta(0), timedelta(seconds=7)]))
    lost = iter(data.draw(st.lists(st.booleans(), max_size=12)))
    records = recorded(*times)
    found = Meter(records, channels).read(begin, end, lambda: next(lost, False))
    expected = [r for r in records if begin <= r.measured_at <= end]
    assert [(r.measured_at, r.values) for r in found] == [
        (r.measured_at, r.values) for r in expected
    ]


def test_a_day_is_searched_once_a_channel_and_read_on() -> None:
    times = [NOON - n * QUARTER for n in reversed(range(3000))]
    meter = Meter(recorded(*times))
    found = meter.read(NOON - 96 * QUARTER, NOON)
    assert len(found) == 97
    assert set(found[0].values) == {IMPORT, EXPORT}
    # Date and direction, each of four channels: two of them hold nothing.
    assert meter.searches == 8


def test_a_command_that_was_heard_twice_passes_over_nothing() -> None:
    times = [NOON - n * QUARTER for n in reversed(range(100))]
    meter = Meter(recorded(*times), [channel(1)])
    heard = meter.write

    def twice(address, words) -> None:
        heard(address, words)
        if address == NEXT:
            heard(address, words)

    meter.write = twice
    assert len(meter.read(times[0], NOON)) == 100


def test_two_scalers_give_the_same_energy() -> None:
    # 0.25 kWh are 25 steps of 10 Wh and 250 steps of 1 Wh.
    for exponent, last in ((1, 25), (0, 250)):
        meter = Meter(
            recorded(NOON, NOON + QUARTER), [channel(1, EXPORT, exponent=exponent)]
        )
        found = meter.read(NOON, NOON + QUARTER)
        assert [r.values for r in found] == [{EXPORT: 0.0}, {EXPORT: 0.25}]
        (search,) = plan_load_profile(A44, meter.known(), NOON, NOON + QUARTER)
        assert meter.answer(search)[7] == last


def test_what_the_meter_doubts_speaks_against_one_quantity_alone() -> None:
    both = {IMPORT: 5.0, EXPORT: 1.0}
    bad = LogRecord(measured_at=NOON, values={EXPORT: 1.0}, is_doubtful=True)
    good = LogRecord(measured_at=NOON, values={IMPORT: 5.0}, clock_set=True)
    later = LogRecord(measured_at=NOON + QUARTER, values=both)
    assert merged([later, good, bad]) == [good, bad, later]
    again = LogRecord(measured_at=NOON + QUARTER, values={IMPORT: 4.0})
    assert merged([later, again]) == [later]
    # In the meter's words: available and bad value are bits 0 and 5, clock set bit 4.
    meter = Meter(recorded(NOON, is_doubtful=True, clock_set=True), [channel(1)])
    (found,) = meter.read(NOON, NOON)
    assert (found.is_doubtful, found.clock_set) == (True, True)
    (search,) = plan_load_profile(A44, meter.known(), NOON, NOON)
    assert meter.answer(search)[3] == 0b110001


def test_a_record_without_a_value_has_none() -> None:
    meter = Meter([LogRecord(measured_at=NOON, values={})], [channel(1)])
    (search,) = plan_load_profile(A44, meter.known(), NOON, NOON)
    (record,) = decode_load_profile(A44, search, meter.answer(search))
    assert (record.measured_at, record.values) == (NOON, {})
    assert merged([record]) == []


def test_what_arrived_of_a_search_is_not_written_again() -> None:
    meter = Meter(recorded(NOON), [channel(1)])
    (search,) = plan_load_profile(A44, meter.known(), NOON, NOON)
    meter.write(*search.writes[0])
    block = asked_back(A44, search)
    assert (block.address, block.count) == (CHANNEL, 5)
    assert still_to_write(search, block, meter.words(block)) == search.writes[1:2]
    meter.write(*search.writes[1])
    assert still_to_write(search, block, meter.words(block)) == ()


def test_channels_of_the_same_search_bear_other_times() -> None:
    # Else it could not be told whether channel 2 was searched, or 1 before it.
    state = STATE.knowing(channel(1)).knowing(channel(2, EXPORT))
    (first,) = plan_load_profile(A44, state, NOON, NOON)
    state = state.after(first, [])
    (second,) = plan_load_profile(A44, state, NOON, NOON)
    assert second.channel.number == 2
    assert first.writes[1] != second.writes[1]


@pytest.mark.parametrize(
    ("address", "words", "said"),
    [
        pytest.param(CHANNEL, (1,), "another channel than", id="another master"),
        pytest.param(DATE, (0xFFFF,) * 3, "the meter was restarted", id="restart"),
    ],
)
def test_a_window_that_is_not_of_the_search_is_refused(address, words, said) -> None:
    meter = Meter(recorded(NOON), [channel(1, EXPORT), channel(2)])
    state = meter.known().after(
        plan_load_profile(A44, meter.known(), NOON, NOON)[0], []
    )
    (search,) = plan_load_profile(A44, state, NOON, NOON)
    assert search.channel.quantity is IMPORT
    meter.answer(search)
    proof = plan_proof(A44, search)
    check_proof(A44, search, proof, meter.words(proof))
    meter.write(address, words)
    with pytest.raises(DecodeError, match=said):
        check_proof(A44, search, proof, meter.words(proof))


def test_a_meter_whose_channels_hold_something_else_says_so() -> None:
    meter = Meter(recorded(NOON), [channel(1, None)])
    with pytest.raises(DecodeError, match="none of its 8 channels records any"):
        plan_load_profile(A44, meter.known(), NOON, NOON)


def test_a_scaler_that_cannot_be_is_refused() -> None:
    words = [0x0100, 0x0108, 0x00FF, 99, 0, 15]
    with pytest.raises(DecodeError, match="scale register at 34579: 99 is no power"):
        channel_of(A44, STATE, words)
    # Of a channel that nobody wants it does not matter.
    assert channel_of(A44, STATE, [0xFFFF] * 6).quantity is None


def test_the_first_of_two_channels_of_a_quantity_is_taken() -> None:
    state = STATE.knowing(channel(1))
    words = [0x0100, 0x0108, 0x00FF, 1, 0, 60]
    assert channel_of(A44, state, words).quantity is None


BACK = WINDOW | {
    "select": {
        "address": 800,
        "manual": "801",
        "by": "time",
        "encoding": "unix32",
        "onward": "older",
    },
    "next": {"address": 700, "manual": "701", "value": 1},
}


def test_a_memory_without_channels_can_be_searched_too() -> None:
    profile = meter_with(BACK | {"capacity": 40, "address": 1000})
    times = [NOON + n * QUARTER for n in range(40)]
    records = [
        LogRecord(measured_at=at, values={IMPORT: float(n)})
        for n, at in enumerate(times)
    ]
    memory = LogMemory(records=records, total=40)
    state, found, written, passed = LogState(count=40), {}, {}, 0
    while asked := plan_load_profile(profile, state, times[5], times[30]):
        (request,) = asked
        for address, words in request.writes:
            written |= dict(enumerate(words, address))
            passed = passed + 1 if address == 700 else 0
        held = encode_load_profile(profile, memory, written, passed)
        words = [held[request.block.address + i] for i in range(request.block.count)]
        answer = decode_load_profile(profile, request, words)
        found |= {record.measured_at: record.values[IMPORT] for record in answer}
        state = state.after(request, answer)
    assert plan_proof(profile, request) is None
    wanted = {at: float(n) for n, at in enumerate(times) if 5 <= n <= 30}
    assert wanted.items() <= found.items()
    assert len(found) <= len(wanted) + 2


CHANNELS = {
    "address": 701,
    "manual": "702",
    "count": 8,
    "obis": {"address": 710, "manual": "711"},
    "scaler": {"address": 713, "manual": "714"},
    "interval": {"address": 714, "manual": "715"},
}
WITH_OBIS = [WINDOW["fields"][0] | {"obis": "1.0.1.8.0.255"}]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"next": None}, 'select by time towards "older" records goes with next'),
        ({"select": None}, "a window needs select"),
        ({"channels": CHANNELS}, "each field needs its obis"),
        ({"fields": WITH_OBIS}, "each field needs its obis"),
        (
            {"next": None, "select": BACK["select"] | {"onward": "newer"}}
            | {"channels": CHANNELS, "fields": WITH_OBIS},
            "channels go with select by time and next",
        ),
        (
            {"fields": [WITH_OBIS[0] | {"obis": "1.0.1.8.0.256"}]},
            "should be six numbers up to 255",
        ),
        ({"window": 6}, "max_block: is 20, but the window of load_profile takes 24"),
        ({"bad_value": {"offset": 4, "bit": 0}}, "a record has 4 registers only"),
    ],
)
def test_what_cannot_be_searched_is_said(changed, said) -> None:
    log = {k: v for k, v in (BACK | changed).items() if v is not None}
    with pytest.raises(ValueError, match=said):
        meter_with(log)


def test_the_manuals_numbers_are_the_addresses() -> None:
    log = A44.load_profile
    parts = [log, log.select, log.next, *log.writes, log.channels]
    parts += [log.channels.obis, log.channels.scaler, log.channels.interval]
    assert len(parts) == 8
    assert all(p.manual == f"{p.address:X}H" for p in parts)


def test_the_profile_names_all_four_registers() -> None:
    fields = {field.quantity: field.obis for field in A44.load_profile.fields}
    assert set(fields) == set(REGISTERS)
    assert fields[IMPORT] == "1.0.1.8.0.255"
    assert A44.load_profile.span == 120
